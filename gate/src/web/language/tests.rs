//! The catalogues are complete: every language has the texts of the pages and the messages of the
//! engine, translated, with the same variables and plural forms, and no page uses a text that the
//! catalogue lacks.

use super::*;
use fluent_bundle::FluentResource;
use postern_shared::engine::messages::{self, MessageArgument, UserMessage};
use postern_shared::engine::{AfterRecovery, AppPasswordsAfter, MailRefusal};
use postern_shared::store::MissedInputs;
use postern_shared::verify::decision::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Languages with the ids of the texts that are equal to the English ones.
const EQUAL_TO_ENGLISH: &[(&str, &[&str])] = &[
    ("de", &["administration", "name-label", "passkeys"]),
    ("es", &[]),
    (
        "fr",
        &["administration", "app-password-service", "sessions"],
    ),
];

/// Returns the Fluent patterns of a catalogue's texts by id.
fn patterns(source: &str) -> BTreeMap<String, String> {
    FluentResource::try_new(source.to_owned()).expect("a file without a mistake");
    let mut patterns: BTreeMap<String, String> = BTreeMap::new();
    let mut current = String::new();
    for line in source.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once(" =").filter(|_| !line.starts_with(' ')) {
            Some((name, pattern)) => {
                assert!(!patterns.contains_key(name), "{name} is defined twice");
                current = name.to_owned();
                patterns.insert(current.clone(), pattern.to_owned());
            }
            None if line.is_empty() => {}
            None => {
                let pattern = patterns.get_mut(&current).unwrap();
                pattern.push('\n');
                pattern.push_str(line);
            }
        }
    }
    patterns
}

/// Returns the variables of a Fluent pattern.
fn variables(pattern: &str) -> BTreeSet<String> {
    let rest = pattern.split('$').skip(1);
    rest.filter_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric()).next())
        .map(str::to_owned)
        .collect()
}

/// Returns the ids of a catalogue's texts, each with its variables.
fn texts(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    let patterns = patterns(source).into_iter();
    patterns
        .map(|(id, pattern)| (id, variables(&pattern)))
        .collect()
}

fn source(tag: &str) -> &'static str {
    CATALOGUE.iter().find(|(named, _)| *named == tag).unwrap().1
}

fn language(tag: &str) -> &'static Language {
    OTHERS.iter().find(|other| other.tag() == tag).unwrap()
}

fn negotiated_tag(header: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_LANGUAGE, header.parse().unwrap());
    Language::negotiate(&headers).tag()
}

/// Returns every message of the engine, also those that are arguments of others.
fn engine_messages() -> Vec<UserMessage> {
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
    let mut messages = Vec::new();
    let mut open: Vec<UserMessage> = all.collect();
    while let Some(message) = open.pop() {
        for (_, argument) in message.arguments() {
            if let MessageArgument::Message(inner) = argument {
                open.push(inner.clone());
            }
        }
        messages.push(message);
    }
    messages
}

/// Returns the names of a message's arguments.
fn argument_names(message: &UserMessage) -> BTreeSet<String> {
    let names = message.arguments().iter();
    names.map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn every_language_has_the_same_texts_with_the_same_variables() {
    let pages = texts(source(DEFAULT));
    let messages: BTreeMap<_, _> = engine_messages()
        .iter()
        .map(|message| (message.id().to_owned(), argument_names(message)))
        .collect();
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
fn every_language_is_translated() {
    let english = patterns(source(DEFAULT));
    let tags: Vec<_> = OTHERS.iter().map(Language::tag).collect();
    let listed: Vec<_> = EQUAL_TO_ENGLISH.iter().map(|(tag, _)| *tag).collect();
    assert_eq!(tags, listed);
    for (tag, allowed) in EQUAL_TO_ENGLISH {
        let translated = patterns(source(tag));
        let equal: Vec<_> = english
            .iter()
            .filter(|(id, pattern)| translated.get(*id) == Some(pattern))
            .map(|(id, _)| id.as_str())
            .collect();
        assert_eq!(equal, *allowed, "{tag}.ftl");
        for message in engine_messages() {
            let text = language(tag).message(message.clone());
            assert_ne!(
                text,
                ENGLISH.message(message.clone()),
                "{tag}.ftl: {}",
                message.id()
            );
        }
    }
}

#[test]
fn every_language_has_the_plural_forms_of_english_and_shows_every_variable() {
    let keys = |pattern: &str| -> BTreeSet<String> {
        let lines = pattern
            .lines()
            .map(|line| line.trim().trim_start_matches('*'));
        lines
            .filter_map(|line| Some(line.strip_prefix('[')?.split_once(']')?.0.to_owned()))
            .collect()
    };
    let english = patterns(source(DEFAULT));
    for language in OTHERS.iter().chain([&*ENGLISH]) {
        let tag = language.tag();
        for (id, pattern) in patterns(source(&tag)) {
            let required = english.get(&id).map(|pattern| keys(pattern));
            assert!(
                keys(&pattern).is_superset(&required.unwrap_or_default()),
                "{tag}.ftl: {id}"
            );
            let variables = variables(&pattern);
            let message = language.texts.get_message(&id).unwrap();
            for first in [0_u64, 1, 2, 7001] {
                let values = || variables.iter().zip(first..);
                let arguments: FluentArgs<'_> = values()
                    .map(|(name, value)| (name.as_str(), FluentValue::from(value)))
                    .collect();
                let mut errors = Vec::new();
                let text = language.texts.format_pattern(
                    message.value().unwrap(),
                    Some(&arguments),
                    &mut errors,
                );
                assert!(errors.is_empty(), "{tag}.ftl: {id}: {errors:?}");
                let is_shown = |value: u64| text.contains(&value.to_string());
                assert!(
                    first < 2 || values().all(|(_, value)| is_shown(value)),
                    "{tag}.ftl: {id} drops a variable: {text}"
                );
            }
        }
    }
}

/// French has a no-break space before : ; ? ! and inside « »; Spanish has ¿ and ¡.
#[test]
fn french_and_spanish_have_their_punctuation() {
    for (id, pattern) in patterns(source("fr")) {
        let text = pattern.replace("Content-Type:", "").replace("web:", "");
        let text = text.replace("pam:", "");
        for mark in [':', ';', '?', '!', '»'] {
            for (before, _) in text.match_indices(mark).map(|(at, _)| text.split_at(at)) {
                assert!(before.ends_with('\u{a0}'), "{id}: {mark}");
            }
        }
        for after in text.split('«').skip(1) {
            assert!(after.starts_with('\u{a0}'), "{id}: «");
        }
    }
    for (id, pattern) in patterns(source("es")) {
        for (open, close) in [('¿', '?'), ('¡', '!')] {
            let count = |mark| pattern.matches(mark).count();
            assert_eq!(count(open), count(close), "{id}");
        }
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
                "count(\"",
                ".ago(\"",
                ".at(\"",
                ".at_by(\"",
                ".since_and_seen(\"",
            ] {
                for rest in source.split(opening).skip(1) {
                    let rest = rest.trim_start().trim_start_matches('"');
                    used.extend(rest.split('"').next().map(str::to_owned));
                }
            }
        }
    }
    let catalogue: BTreeSet<String> = texts(source(DEFAULT)).into_keys().collect();
    assert_eq!(used, catalogue);
}

#[test]
fn accept_language_selects_and_english_is_the_default() {
    assert_eq!(negotiated_tag("de-AT,de;q=0.9,en;q=0.8"), "de");
    assert_eq!(negotiated_tag("en-GB,de;q=0.9"), "en");
    assert_eq!(negotiated_tag("it,de;q=0.5,en;q=0.9"), "en");
    assert_eq!(negotiated_tag("it;q=1, DE;q=0.5"), "de");
    for nothing in ["", "it", "*", "de;q=0", "de;q=x", ";;,,", "\u{e4}"] {
        assert_eq!(negotiated_tag(nothing), "en", "{nothing}");
    }
    assert_eq!(negotiated_tag(&"de,".repeat(1000)), "en");
    assert_eq!(Language::negotiate(&HeaderMap::new()).tag(), "en");
}

#[test]
fn every_language_is_offered_by_its_own_name() {
    let choices = ENGLISH.choices();
    let choices: Vec<_> = choices
        .iter()
        .map(|(tag, name)| (tag.as_str(), name.as_str()))
        .collect();
    let expected = [
        ("de", "Deutsch"),
        ("en", "English"),
        ("es", "Español"),
        ("fr", "Français"),
    ];
    assert_eq!(choices, expected);
    for (tag, _) in expected {
        assert_eq!(Language::find(tag).unwrap().tag(), tag);
    }
    for unknown in ["", "DE", "de-DE", "it", "de\"", "../de"] {
        assert!(Language::find(unknown).is_none(), "{unknown}");
    }
}

#[test]
fn regional_variants_select_french_and_spanish() {
    for french in ["fr", "fr-FR,fr;q=0.9,en;q=0.8", "fr-CA", "FR-be,de;q=0.9"] {
        assert_eq!(negotiated_tag(french), "fr", "{french}");
    }
    for spanish in ["es", "es-ES,es;q=0.9,en;q=0.8", "es-MX", "es-419,fr;q=0.9"] {
        assert_eq!(negotiated_tag(spanish), "es", "{spanish}");
    }
    assert_eq!(negotiated_tag("en-CA,fr-CA;q=0.9"), "en");
    assert_eq!(negotiated_tag("pt-BR,es-AR;q=0.5,fr;q=0.4"), "es");
    assert_eq!(negotiated_tag("fr;q=0,es;q=0"), "en");
    // of equal weights the first counts
    assert_eq!(negotiated_tag("en,fr,es"), "en");
    assert_eq!(negotiated_tag("es;q=0.5,fr;q=0.5"), "es");
}

#[test]
fn messages_of_the_engine_are_rendered_in_english_and_german() {
    let german = language("de");
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
    let german = language("de");
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

#[test]
fn french_has_singular_for_none_and_spanish_for_one_only() {
    let wrong_codes = |language: &Language, count| {
        language.message(&MissedInputs {
            count,
            last_from: "-".to_owned(),
        })
    };
    let french = language("fr");
    assert_eq!(
        wrong_codes(french, 2),
        "2 codes incorrects depuis votre dernière connexion, le plus récent provenant de ce serveur"
    );
    assert_eq!(
        french.text_with("admin-codes-left", "left", 0),
        "Il reste 0 code de récupération."
    );
    assert_eq!(
        french.recovered(AfterRecovery::CodesLeft(4)),
        "Il reste 4 codes de récupération"
    );
    let spanish = language("es");
    assert_eq!(
        wrong_codes(spanish, 1),
        "1 código incorrecto desde su último inicio de sesión, el más reciente desde este servidor"
    );
    assert_eq!(
        spanish.text_with("admin-codes-left", "left", 0),
        "Quedan 0 códigos de recuperación."
    );
    assert_eq!(
        spanish.recovered(AfterRecovery::CodesLeft(1)),
        "Queda 1 código de recuperación"
    );
}
