//! Import of authenticators from the files of other systems: bytes in, findings out, one file per
//! format. This file holds the limits and what the formats have in common. Pure: no file is opened
//! or written.
//!
//! - Each refusal and each loss is a `&'static str` with a line number, so it cannot contain a
//!   secret.
//! - An entry that cannot be imported is left out and reported, and so is a part of an export that
//!   is damaged or missing. A file of another format, one that cannot be decrypted, and one that
//!   cannot be parsed are refused as a whole.

mod authelia;
mod google_authenticator;
mod imported_file;
mod json;
mod migration;
mod oath;
mod owners;
mod privacyidea;
mod protobuf;
mod pskc;
mod stamp;
mod urls;
mod yaml;

use imported_file::ImportEntry;
pub use imported_file::{
    FoundAuthenticator, ImportLoss, ImportUnit, ImportedFile, OmittedEntry, ScratchCode,
};
pub use owners::{ImportOwners, SerialList};
pub use pskc::PskcKey;

pub use super::otp::otpauth_uri::MovingFactor;
use crate::account::name::UserName;
use crate::system::clock::Timestamp;
use std::fmt;

/// Largest file that is parsed, in bytes.
pub const LARGEST: usize = 1 << 20;
/// Most authenticators in one file.
pub const MOST: usize = 10_000;
/// Longest line in bytes, more than the largest QR code holds.
const LONGEST_LINE: usize = 4096;
/// First bytes of PNG, JPEG and GIF.
const IMAGES: [&[u8]; 3] = [b"\x89PNG", b"\xff\xd8\xff", b"GIF8"];
const IMAGE: &str =
    "it is an image; read its QR codes with zbarimg --raw --quiet, and import their text";
const NO_TEXT: &str =
    "it is not UTF-8 text; in the app, export without encryption, as a list of otpauth URIs";
const LONG_LINE: &str = "the line is longer than 4096 bytes";

/// The format of a file, with the values that the file itself lacks.
#[derive(Clone, Copy)]
pub enum ImportFormat<'a> {
    /// `~/.google_authenticator` of libpam-google-authenticator, which does not name its account.
    GoogleAuthenticator {
        account: &'a UserName,
        /// The current time: no code was used after it.
        now: Timestamp,
        /// Time steps after now whose codes may have been used, unless the file lists used ones.
        future_steps: u64,
    },
    /// The users file of pam_oath, whose times are local times.
    Oath {
        /// The current time: no code was used after it.
        now: Timestamp,
    },
    /// otpauth URIs, one per line.
    Otpauth,
    /// otpauth-migration URIs as the Google Authenticator app exports them, one per line.
    OtpauthMigration,
    /// A key container (RFC 6030).
    Pskc {
        /// The key that decrypts it.
        key: PskcKey<'a>,
        owners: ImportOwners<'a>,
        /// The current time, which the dates of a key must include.
        now: Timestamp,
    },
    /// An export by `authelia storage user totp export`: YAML, CSV or otpauth URIs.
    Authelia,
    /// A plain export of Aegis.
    Aegis { owners: ImportOwners<'a> },
    /// A plain backup of 2FAS.
    TwoFas { owners: ImportOwners<'a> },
    /// privacyIDEA's list of seeds, as vendors deliver it.
    PrivacyIdea { owners: ImportOwners<'a> },
}

/// Names of the formats on the command line.
pub const NAMES: [&str; 9] = [
    "google-authenticator",
    "oath",
    "otpauth",
    "otpauth-migration",
    "pskc",
    "authelia",
    "aegis",
    "2fas",
    "privacyidea",
];

impl ImportFormat<'_> {
    /// Returns the name in [`NAMES`].
    pub fn name(&self) -> &'static str {
        NAMES[match self {
            ImportFormat::GoogleAuthenticator { .. } => 0,
            ImportFormat::Oath { .. } => 1,
            ImportFormat::Otpauth => 2,
            ImportFormat::OtpauthMigration => 3,
            ImportFormat::Pskc { .. } => 4,
            ImportFormat::Authelia => 5,
            ImportFormat::Aegis { .. } => 6,
            ImportFormat::TwoFas { .. } => 7,
            ImportFormat::PrivacyIdea { .. } => 8,
        }]
    }
}

/// Parses a file of that format.
pub fn parse_import_file(format: ImportFormat, bytes: &[u8]) -> Result<ImportedFile, ImportError> {
    if bytes.len() > LARGEST {
        return Err(ImportError::File("it is larger than 1 MiB"));
    }
    let is_image = IMAGES.iter().any(|magic| bytes.starts_with(magic));
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text,
        _ if is_image => return Err(ImportError::File(IMAGE)),
        _ => return Err(ImportError::File(NO_TEXT)),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut import = ImportedFile::default();
    match format {
        ImportFormat::GoogleAuthenticator {
            account,
            now,
            future_steps,
        } => google_authenticator::parse_google_authenticator(
            text,
            account,
            now,
            future_steps,
            &mut import,
        ),
        ImportFormat::Oath { now } => oath::parse_oath(text, now, &mut import),
        ImportFormat::Otpauth => urls::parse_uris(text, &mut import),
        ImportFormat::OtpauthMigration => migration::parse_migration(text, &mut import),
        ImportFormat::Pskc { key, owners, now } => {
            pskc::parse_pskc(text, key, owners, now, &mut import)
        }
        ImportFormat::Authelia => authelia::parse_authelia(text, &mut import),
        ImportFormat::Aegis { owners } => json::parse_aegis(text, owners, &mut import),
        ImportFormat::TwoFas { owners } => json::parse_two_fas(text, owners, &mut import),
        ImportFormat::PrivacyIdea { owners } => {
            privacyidea::parse_privacyidea(text, owners, &mut import)
        }
    }?;
    import.merge_duplicates()?;
    Ok(import)
}

/// Returns the lines with their numbers, without blank lines and those that begin with `#`.
fn content_lines(text: &str) -> impl Iterator<Item = Result<(usize, &str), ImportError>> {
    let is_content = |(_, line): &(usize, &str)| !line.is_empty() && !line.starts_with('#');
    lines(text)
        .map(|numbered| numbered.map(|(number, line)| (number, line.trim())))
        .filter(move |numbered| numbered.as_ref().map_or(true, is_content))
}

/// Returns the lines with their numbers, and an error for a line that is too long.
fn lines(text: &str) -> impl Iterator<Item = Result<(usize, &str), ImportError>> {
    (1..)
        .zip(text.lines())
        .map(|(number, line)| match line.len() {
            0..=LONGEST_LINE => Ok((number, line)),
            _ => Err(ImportError::Line(number, LONG_LINE)),
        })
}

/// Reason why a file is refused. It MUST NOT repeat text of the file, which may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The reason applies to the whole file.
    File(&'static str),
    /// The reason applies to one line.
    Line(usize, &'static str),
    /// The reason applies to a column of one line: the text cannot be parsed from there on.
    Position(usize, usize, &'static str),
    /// The reason applies to one line and an earlier one, which contradict each other.
    Lines(usize, usize, &'static str),
}

impl ImportError {
    /// Returns the reason without its place.
    fn why(&self) -> &'static str {
        match self {
            ImportError::File(why)
            | ImportError::Line(_, why)
            | ImportError::Position(_, _, why)
            | ImportError::Lines(_, _, why) => why,
        }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::File(why) => f.write_str(why),
            ImportError::Line(line, why) => write!(f, "line {line}: {why}"),
            ImportError::Position(line, column, why) => {
                write!(f, "line {line}, column {column}: {why}")
            }
            ImportError::Lines(line, earlier, why) => {
                write!(f, "line {line}: {why} as line {earlier}")
            }
        }
    }
}

impl std::error::Error for ImportError {}

#[cfg(test)]
impl ImportFormat<'_> {
    #[track_caller]
    fn import(self, text: &str) -> ImportedFile {
        parse_import_file(self, text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn refusal(self, text: &str) -> String {
        let refused = parse_import_file(self, text.as_bytes());
        refused.unwrap_err().to_string()
    }

    /// Checks that an entry of each text is left out with a line that begins with the words beside
    /// it.
    #[track_caller]
    fn assert_left_out<T: AsRef<str>>(self, table: impl IntoIterator<Item = (T, &'static str)>) {
        for (text, expected) in table {
            let import = self.import(text.as_ref());
            let lines: Vec<_> = import
                .omitted
                .iter()
                .map(|one| format!("line {}: {}", one.line, one.why))
                .collect();
            let is_there = lines.iter().any(|line| line.starts_with(expected));
            assert!(is_there, "{lines:?}, not {expected}");
        }
    }

    /// Checks that each text is refused with a message that begins with the words beside it.
    #[track_caller]
    fn assert_refusals<T: AsRef<str>>(self, table: impl IntoIterator<Item = (T, &'static str)>) {
        for (text, expected) in table {
            let message = self.refusal(text.as_ref());
            assert!(message.starts_with(expected), "{message}, not {expected}");
        }
    }
}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_name() {
        let (account, now) = (&"alice".parse().unwrap(), Timestamp(0));
        let owners = ImportOwners::default();
        let formats = [
            ImportFormat::GoogleAuthenticator {
                account,
                now,
                future_steps: 1,
            },
            ImportFormat::Oath { now },
            ImportFormat::Otpauth,
            ImportFormat::OtpauthMigration,
            ImportFormat::Pskc {
                key: PskcKey::None,
                owners,
                now,
            },
            ImportFormat::Authelia,
            ImportFormat::Aegis { owners },
            ImportFormat::TwoFas { owners },
            ImportFormat::PrivacyIdea { owners },
        ];
        assert_eq!(formats.map(|format| format.name()), NAMES);
    }

    #[test]
    fn files_that_are_no_text_are_refused_with_what_to_do() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n\0\0"[..], "it is an image; read its QR"),
            (b"\xff\xd8\xff\xe0", "it is an image; read its QR"),
            (b"GIF89a\0", "it is an image; read its QR"),
            (b"PK\x03\x04\0\0", "it is not UTF-8 text; in the app"),
            (b"\xff", "it is not UTF-8 text; in the app"),
        ] {
            let error = parse_import_file(ImportFormat::Otpauth, bytes).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn what_was_found_cannot_be_printed() {
        let file = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n12345678\n";
        let account = &"alice".parse().unwrap();
        let import = ImportFormat::GoogleAuthenticator {
            account,
            now: Timestamp(0),
            future_steps: 1,
        }
        .import(file);
        let printed = format!("{import:?}");
        assert!(
            printed.contains("alice") && !printed.contains("GEZD") && !printed.contains("12345678")
        );
    }
}
