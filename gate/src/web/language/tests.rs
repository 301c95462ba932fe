//! The catalogue is whole: every language says what English says, about the same things, and nothing says what the
//! catalogue lacks.

use super::*;
use fluent_bundle::FluentResource;
use shared::engine::{AppPasswordsAfter, MailRefusal, Recovered, messages};
use shared::store::Missed;
use shared::verify::decision::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The names of a catalogue's texts, each with its variables.
fn texts(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    FluentResource::try_new(source.to_owned()).expect("a file without a mistake");
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in source.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, _)) = line.split_once(" =").filter(|_| !line.starts_with(' ')) {
            assert!(!texts.contains_key(name), "{name} stands there twice");
            current = name.to_owned();
            texts.insert(current.clone(), BTreeSet::new());
        }
        for part in line.split('$').skip(1) {
            let variable = part
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default();
            texts.get_mut(&current).unwrap().insert(variable.to_owned());
        }
    }
    texts
}

fn asked(header: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_LANGUAGE, header.parse().unwrap());
    Language::asked(&headers).tag()
}

#[test]
fn every_language_says_the_same_about_the_same() {
    let english = texts(CATALOGUE.iter().find(|(tag, _)| *tag == DEFAULT).unwrap().1);
    for (tag, source) in CATALOGUE {
        assert!(tag.parse::<LanguageIdentifier>().is_ok(), "{tag}");
        assert_eq!(texts(source), english, "{tag}.ftl differs from en.ftl");
    }
}

#[test]
fn what_is_said_stands_in_the_catalogue_and_nothing_else_stands_there() {
    let mut said = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("templates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            for opening in [
                "say(\"",
                "say_of(\"",
                "say_with(\"",
                "Text(\"",
                "say(\n",
                "say_of(\n",
                "say_with(\n",
            ] {
                for rest in source.split(opening).skip(1) {
                    let rest = rest.trim_start().trim_start_matches('"');
                    said.extend(rest.split('"').next().map(str::to_owned));
                }
            }
        }
    }
    let catalogue: BTreeSet<String> =
        texts(CATALOGUE.iter().find(|(tag, _)| *tag == DEFAULT).unwrap().1)
            .into_keys()
            .collect();
    assert_eq!(said, catalogue);
}

#[test]
fn the_browser_chooses_and_english_is_the_rest() {
    assert_eq!(asked("de-AT,de;q=0.9,en;q=0.8"), "de");
    assert_eq!(asked("en-GB,de;q=0.9"), "en");
    assert_eq!(asked("fr,de;q=0.5,en;q=0.9"), "en");
    assert_eq!(asked("fr;q=1, DE;q=0.5"), "de");
    for nothing in ["", "fr", "*", "de;q=0", "de;q=x", ";;,,", "\u{e4}"] {
        assert_eq!(asked(nothing), "en", "{nothing}");
    }
    assert_eq!(asked(&"de,".repeat(1000)), "en");
    assert_eq!(Language::asked(&HeaderMap::new()).tag(), "en");
}

#[test]
fn in_english_it_is_what_the_other_doors_say() {
    let plain = |text: String| text.replace('’', "'");
    for refusal in [
        Refusal::Wrong,
        Refusal::Ahead {
            steps: 9,
            seconds: 270,
        },
        Refusal::Used { wait: 0 },
        Refusal::Used { wait: 12 },
        Refusal::Behind {
            steps: 3,
            seconds: 90,
        },
        Refusal::ClockSetBack { seconds: 60 },
        Refusal::Delayed { wait: 30 },
        Refusal::AddressDelayed { wait: 300 },
        Refusal::Locked,
        Refusal::Unfit,
        Refusal::NotEnrolled,
        Refusal::CodeExpired,
        Refusal::Expired,
    ] {
        assert_eq!(plain(ENGLISH.refusal(refusal)), messages::refusal(refusal));
    }
    for refused in [
        MailRefusal::NoAddress,
        MailRefusal::Cooldown { wait: 9 },
        MailRefusal::Code(Refusal::Locked),
    ] {
        assert_eq!(
            plain(ENGLISH.mail_refusal(refused)),
            messages::mail_refusal(refused)
        );
    }
    for (count, from) in [(1, "-"), (3, "192.0.2.7")] {
        let missed = Missed {
            count,
            last_from: from.to_owned(),
        };
        assert_eq!(plain(ENGLISH.missed(&missed)), messages::missed(&missed));
    }
    for recovered in [
        Recovered::TurnedOff(AppPasswordsAfter::Revoked(1)),
        Recovered::CodesLeft(0),
        Recovered::CodesLeft(1),
        Recovered::CodesLeft(5),
    ] {
        assert_eq!(
            plain(ENGLISH.recovered(recovered)),
            messages::recovered(recovered)
        );
    }
    for after in [
        AppPasswordsAfter::None,
        AppPasswordsAfter::Kept(2),
        AppPasswordsAfter::Revoked(7),
    ] {
        assert_eq!(
            ENGLISH.app_passwords(after).map(plain),
            messages::app_passwords(after)
        );
    }
    let address = "alice@example.com".parse().unwrap();
    assert_eq!(
        ENGLISH.mailed(&address, 900),
        messages::mailed(&address, 900)
    );
}

#[test]
fn german_counts_as_german_does() {
    let german = &OTHERS[0];
    assert_eq!(
        german.recovered(Recovered::CodesLeft(1)),
        "1 Wiederherstellungscode ist übrig"
    );
    assert_eq!(
        german.recovered(Recovered::CodesLeft(4)),
        "4 Wiederherstellungscodes sind übrig"
    );
    assert_eq!(
        german.refusal(Refusal::Used { wait: 7 }),
        "Dieser Code wurde schon verwendet; warten Sie 7 s auf den nächsten"
    );
}
