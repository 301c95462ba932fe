//! Import files that an attacker or a disk error changed. No format panics on them or takes long,
//! and no refusal repeats the content of the file.

use postern_shared::account::name::UserName;
use postern_shared::credential::import::{
    ImportFormat, ImportOwners, LARGEST, PskcKey, parse_import_file,
};
use postern_shared::system::clock::Timestamp;
use std::fs;
use std::path::Path;

const ROUNDS: usize = 400;
/// The PBKDF2 rounds of the file's password are slow by design.
const SLOW: &str = "password.xml";

#[test]
fn changed_files_never_panic_and_no_refusal_repeats_them() {
    let alice: UserName = "alice".parse().expect("a name");
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut tried = 0;
    for (folder, format) in formats(&alice) {
        for (name, original) in fixtures(folder) {
            let rounds = if name == SLOW { 3 } else { ROUNDS };
            for _ in 0..rounds {
                let mut bytes = original.clone();
                for _ in 0..=dice.below(4) {
                    change(&mut bytes, &mut dice);
                }
                if let Err(error) = parse_import_file(format, &bytes) {
                    let output = error.to_string();
                    assert!(
                        output.len() < 200 && output.is_ascii() && !output.contains("12345678"),
                        "{name}: {output}"
                    );
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 4000, "only {tried} files");
}

/// An administrator may give a file of one format as another format by mistake.
#[test]
fn a_file_of_another_format_is_refused() {
    let alice: UserName = "alice".parse().expect("a name");
    for (folder, _) in formats(&alice) {
        for (name, bytes) in fixtures(folder) {
            for (other, format) in formats(&alice) {
                let alike = folder == other || (name == "export.uris" && other == "otpauth");
                assert!(
                    alike || parse_import_file(format, &bytes).is_err(),
                    "{folder}/{name} as {other}"
                );
            }
        }
    }
}

#[test]
fn files_that_are_too_large_or_no_text_are_refused() {
    let alice: UserName = "alice".parse().expect("a name");
    for (_, format) in formats(&alice) {
        assert!(parse_import_file(format, &vec![b'\n'; LARGEST + 1]).is_err());
        assert!(parse_import_file(format, &vec![b'\n'; LARGEST]).is_err());
        assert!(parse_import_file(format, &[0xff; 100]).is_err());
        assert!(parse_import_file(format, &[0; 100]).is_err());
        assert!(parse_import_file(format, b"").is_err());
    }
}

fn formats(alice: &UserName) -> [(&'static str, ImportFormat<'_>); 9] {
    const SHARED: &[u8] = &[
        0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90,
        0x12,
    ];
    let now = Timestamp(1_795_278_930);
    let owners = ImportOwners {
        user: Some(alice),
        serials: None,
    };
    [
        (
            "google-authenticator",
            ImportFormat::GoogleAuthenticator {
                account: alice,
                now,
                future_steps: 1,
            },
        ),
        ("oath", ImportFormat::Oath { now }),
        ("otpauth", ImportFormat::Otpauth),
        ("migration", ImportFormat::OtpauthMigration),
        (
            "pskc",
            ImportFormat::Pskc {
                key: PskcKey::Shared(SHARED),
                owners,
                now,
            },
        ),
        ("authelia", ImportFormat::Authelia),
        ("aegis", ImportFormat::Aegis { owners }),
        ("2fas", ImportFormat::TwoFas { owners }),
        ("privacyidea", ImportFormat::PrivacyIdea { owners }),
    ]
}

fn fixtures(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/import")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                fs::read(entry.path()).expect("a file"),
            )
        })
        .collect();
    files.sort();
    files
}

/// Makes one change: a bit, a byte, a cut, a repeated or moved part, or a hostile word.
fn change(bytes: &mut Vec<u8>, dice: &mut Dice) {
    const WORDS: [&[u8]; 12] = [
        b"\0",
        b"\xff\xfe",
        b"\n",
        b": ",
        b"18446744073709551616",
        b"-1",
        b"%00",
        b"<!DOCTYPE a>",
        b"&#0;",
        b"]]>",
        "ü\u{202e}".as_bytes(),
        b"\" HOTP_COUNTER 18446744073709551615\n",
    ];
    if bytes.is_empty() {
        return;
    }
    let at = dice.below(bytes.len());
    let to = at + dice.below((bytes.len() - at).min(64)) + 1;
    match dice.below(7) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..to)),
        4 => {
            let piece = bytes[at..to].to_vec();
            let place = dice.below(bytes.len());
            drop(bytes.splice(place..place, piece));
        }
        5 => {
            let word = WORDS[dice.below(WORDS.len())].iter().copied();
            drop(bytes.splice(at..at, word));
        }
        _ => {
            let line = bytes
                .split(|b| *b == b'\n')
                .nth(dice.below(30))
                .unwrap_or_default()
                .to_vec();
            drop(bytes.splice(at..at, line));
        }
    }
}

/// xorshift64*, with the same seed in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).expect("31 bits") % limit
    }
}
