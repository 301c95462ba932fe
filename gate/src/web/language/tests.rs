//! The catalogues are complete: every language has the texts of the pages and the messages of the
//! engine, with the same variables, and no page uses a text that the catalogue lacks.

use super::*;
use fluent_bundle::FluentResource;
use postern_shared::engine::messages::{self, MessageArgument, UserMessage};
use postern_shared::engine::{AfterRecovery, AppPasswordsAfter, MailRefusal};
use postern_shared::store::MissedInputs;
use postern_shared::verify::decision::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Returns the ids of a catalogue's texts, each with its variables.
fn texts(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    FluentResource::try_new(source.to_owned()).expect("a file without a mistake");
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in source.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, _)) = line.split_once(" =").filter(|_| !line.starts_with(' ')) {
            assert!(!texts.contains_key(name), "{name} is defined twice");
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

fn negotiated_tag(header: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_LANGUAGE, header.parse().unwrap());
    Language::negotiate(&headers).tag()
}

/// Returns the id of every message of the engine, with its arguments.
fn engine_messages() -> BTreeMap<String, BTreeSet<String>> {
    let refusals = [
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
        Refusal::Malformed,
        Refusal::NotEnrolled,
        Refusal::CodeExpired,
        Refusal::Expired,
    ];
    let missed = MissedInputs {
        count: 3,
        last_from: "-".to_owned(),
    };
    let address = "alice@example.com".parse().unwrap();
    let all = refusals
        .map(UserMessage::from)
        .into_iter()
        .chain([MailRefusal::NoAddress, MailRefusal::Cooldown { wait: 9 }].map(UserMessage::from))
        .chain([
            messages::code_mailed(&address, 900),
            messages::mail_waits(),
            messages::not_mailed(),
        ])
        .chain([UserMessage::from(&missed)])
        .chain(messages::after_recovery(AfterRecovery::TurnedOff(
            AppPasswordsAfter::Kept(2),
        )))
        .chain(messages::after_recovery(AfterRecovery::CodesLeft(5)))
        .chain(messages::app_passwords_after_change(
            AppPasswordsAfter::Revoked(7),
        ));
    let mut messages = BTreeMap::new();
    let mut open: Vec<UserMessage> = all.collect();
    while let Some(message) = open.pop() {
        let names = message
            .arguments()
            .iter()
            .map(|(name, _)| (*name).to_owned());
        messages.insert(message.id().to_owned(), names.collect());
        for (_, argument) in message.arguments() {
            if let MessageArgument::Message(inner) = argument {
                open.push(inner.clone());
            }
        }
    }
    messages
}

#[test]
fn every_language_has_the_same_texts_with_the_same_variables() {
    let pages = texts(CATALOGUE.iter().find(|(tag, _)| *tag == DEFAULT).unwrap().1);
    let messages = engine_messages();
    for id in messages.keys() {
        assert!(
            !pages.contains_key(id),
            "{id}: the engine's English is the only one"
        );
    }
    for (tag, source) in CATALOGUE {
        assert!(tag.parse::<LanguageIdentifier>().is_ok(), "{tag}");
        let mut expected = pages.clone();
        if *tag != DEFAULT {
            expected.extend(messages.clone());
        }
        assert_eq!(texts(source), expected, "{tag}.ftl lacks or adds texts");
    }
}

#[test]
fn the_catalogue_has_every_text_in_use_and_no_other() {
    let mut used = BTreeSet::new();
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
                ".text(\"",
                ".text_with(\"",
                ".text_with_all(\"",
                ".text(\n",
                ".text_with(\n",
                ".text_with_all(\n",
            ] {
                for rest in source.split(opening).skip(1) {
                    let rest = rest.trim_start().trim_start_matches('"');
                    used.extend(rest.split('"').next().map(str::to_owned));
                }
            }
        }
    }
    let catalogue: BTreeSet<String> =
        texts(CATALOGUE.iter().find(|(tag, _)| *tag == DEFAULT).unwrap().1)
            .into_keys()
            .collect();
    assert_eq!(used, catalogue);
}

#[test]
fn accept_language_selects_and_english_is_the_default() {
    assert_eq!(negotiated_tag("de-AT,de;q=0.9,en;q=0.8"), "de");
    assert_eq!(negotiated_tag("en-GB,de;q=0.9"), "en");
    assert_eq!(negotiated_tag("fr,de;q=0.5,en;q=0.9"), "en");
    assert_eq!(negotiated_tag("fr;q=1, DE;q=0.5"), "de");
    for nothing in ["", "fr", "*", "de;q=0", "de;q=x", ";;,,", "\u{e4}"] {
        assert_eq!(negotiated_tag(nothing), "en", "{nothing}");
    }
    assert_eq!(negotiated_tag(&"de,".repeat(1000)), "en");
    assert_eq!(Language::negotiate(&HeaderMap::new()).tag(), "en");
}

#[test]
fn messages_of_the_engine_are_rendered_in_english_and_german() {
    let german = &OTHERS[0];
    let missed = MissedInputs {
        count: 1,
        last_from: "-".to_owned(),
    };
    let english = "1 wrong code since your last sign-in, last from this host";
    assert_eq!(ENGLISH.message(&missed), english);
    let text = "1 falscher Code seit Ihrer letzten Anmeldung, zuletzt von diesem Server";
    assert_eq!(german.message(&missed), text);
    let behind = Refusal::Behind {
        steps: 3,
        seconds: 90,
    };
    let english = "That code is too old: your device’s clock is behind by about 90 s; set it to the network’s time";
    assert_eq!(ENGLISH.message(behind), english);
    let off = AfterRecovery::TurnedOff(AppPasswordsAfter::Revoked(1));
    let english = "That recovery code turned your second factor off; set it up again. 1 app password revoked: make new ones";
    assert_eq!(ENGLISH.recovered(off), english);
    let text = "Dieser Wiederherstellungscode hat Ihren zweiten Faktor abgeschaltet; richten Sie ihn neu ein. 1 App-Passwort widerrufen: Erstellen Sie neue";
    assert_eq!(german.recovered(off), text);
}

#[test]
fn german_has_its_own_plural_forms() {
    let german = &OTHERS[0];
    assert_eq!(
        german.recovered(AfterRecovery::CodesLeft(1)),
        "1 Wiederherstellungscode ist übrig"
    );
    assert_eq!(
        german.recovered(AfterRecovery::CodesLeft(4)),
        "4 Wiederherstellungscodes sind übrig"
    );
    assert_eq!(
        german.message(Refusal::Used { wait: 7 }),
        "Dieser Code wurde schon verwendet; warten Sie 7 s auf den nächsten"
    );
}
