//! Import of authenticators from the files of other systems: bytes in, findings out, one file per
//! format. This file holds the limits and what the formats have in common. Pure: no file is opened
//! or written.
//!
//! - Each refusal and each loss is a `&'static str` with a line number, so it cannot contain a
//!   secret.
//! - A file that is malformed, contradictory or names something twice is refused as a whole. A
//!   valid authenticator that is not supported is left out and reported.

mod authelia;
mod google_authenticator;
mod migration;
mod oath;
mod protobuf;
mod pskc;
mod pskc_element;
mod pskc_key;
mod stamp;
mod urls;
mod yaml;

pub use pskc_key::PskcKey;

pub use super::otpauth_uri::MovingFactor;
use super::secret::{Secret, SecretError};
use super::totp::{Algorithm, OtpParameters, OtpParametersError, Step};
use crate::account::name::UserName;
use crate::system::clock::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// Largest file that is parsed, in bytes.
pub const LARGEST: usize = 1 << 20;
/// Most authenticators in one file.
pub const MOST: usize = 10_000;
/// Longest line in bytes, more than the largest QR code holds.
const LONGEST_LINE: usize = 4096;
const LONG_LINE: &str = "the line is longer than 4096 bytes";
/// Longest label in bytes.
const LONGEST_LABEL: usize = 256;

/// The format of a file, with the values that the file itself lacks.
#[derive(Clone, Copy)]
pub enum ImportFormat<'a> {
    /// `~/.google_authenticator` of libpam-google-authenticator, which does not name its account.
    GoogleAuthenticator { account: &'a UserName },
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
    },
    /// An export by `authelia storage user totp export`: YAML, CSV or otpauth URIs.
    Authelia,
}

/// Names of the formats on the command line.
pub const NAMES: [&str; 6] = [
    "google-authenticator",
    "oath",
    "otpauth",
    "otpauth-migration",
    "pskc",
    "authelia",
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
        }]
    }
}

/// Parses a file of that format.
pub fn parse_import_file(format: ImportFormat, bytes: &[u8]) -> Result<ImportedFile, ImportError> {
    if bytes.len() > LARGEST {
        return Err(ImportError::File("it is larger than 1 MiB"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ImportError::File("it is not UTF-8 text"))?;
    if text.contains('\0') {
        return Err(ImportError::File("it is not text"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut import = ImportedFile::default();
    match format {
        ImportFormat::GoogleAuthenticator { account } => {
            google_authenticator::parse_google_authenticator(text, account, &mut import)
        }
        ImportFormat::Oath { now } => oath::parse_oath(text, now, &mut import),
        ImportFormat::Otpauth => urls::parse_uris(text, &mut import),
        ImportFormat::OtpauthMigration => migration::parse_migration(text, &mut import),
        ImportFormat::Pskc { key } => pskc::parse_pskc(text, key, &mut import),
        ImportFormat::Authelia => authelia::parse_authelia(text, &mut import),
    }?;
    import.refuse_duplicates()?;
    Ok(import)
}

/// The findings of a file, in the order of its lines.
#[derive(Debug, Default)]
pub struct ImportedFile {
    /// Authenticators that can be enrolled.
    pub found: Vec<FoundAuthenticator>,
    /// Authenticators and details that are not imported.
    pub dropped: Vec<OmittedEntry>,
    authenticators: usize,
}

/// One authenticator with supported digits, period and secret.
#[derive(Debug)]
pub struct FoundAuthenticator {
    /// Line of the file, from 1.
    pub line: usize,
    pub account: UserName,
    /// Issuer or device name, which distinguishes the authenticators of an account.
    pub label: Option<String>,
    pub secret: Secret,
    pub algorithm: Algorithm,
    /// Digits of a code: 6 or 8.
    pub digits: u32,
    pub moving: MovingFactor,
    /// The highest time step that is known to be used; a counter has `next` instead.
    pub floor: Option<Step>,
    /// Unused scratch codes.
    pub recovery: Vec<ScratchCode>,
}

/// A scratch code of eight digits: weaker than a recovery code, and without the letter that
/// identifies one.
#[derive(PartialEq, Eq)]
pub struct ScratchCode(Zeroizing<String>);

impl ScratchCode {
    pub fn plain(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ScratchCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScratchCode(…)")
    }
}

/// An authenticator or a detail that is not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OmittedEntry {
    /// Line of the file, from 1.
    pub line: usize,
    /// The account, if it is known.
    pub account: Option<UserName>,
    pub loss: ImportLoss,
    pub why: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportLoss {
    Authenticator,
    /// A detail; the authenticator itself is imported.
    Detail,
}

/// An authenticator as the file describes it, supported or not.
struct ImportEntry {
    line: usize,
    account: String,
    label: Option<String>,
    secret: Result<Secret, SecretError>,
    algorithm: Algorithm,
    digits: u64,
    moving: MovingFactor,
    floor: Option<Step>,
    recovery: Vec<ScratchCode>,
}

impl ImportEntry {
    /// An authenticator with SHA-1 and six digits, and without label, floor and scratch codes.
    fn new(
        line: usize,
        account: String,
        secret: Result<Secret, SecretError>,
        moving: MovingFactor,
    ) -> ImportEntry {
        ImportEntry {
            line,
            account,
            label: None,
            secret,
            algorithm: Algorithm::Sha1,
            digits: 6,
            moving,
            floor: None,
            recovery: Vec::new(),
        }
    }
}

impl ImportedFile {
    /// Adds an authenticator, or leaves it out with the reason.
    fn add(&mut self, entry: ImportEntry) -> Result<(), ImportError> {
        let (line, account) = (entry.line, entry.account.as_str());
        let is_wrong =
            |label: &String| label.len() > LONGEST_LABEL || label.chars().any(char::is_control);
        if entry.label.as_ref().is_some_and(is_wrong) {
            let why = "a label is too long or holds a control character";
            return Err(ImportError::Line(line, why));
        }
        let name = match UserName::parse(account.as_bytes()) {
            Ok(name) => name,
            Err(error) => return self.leave_out(line, None, error.text()),
        };
        let digits = match check_supported(entry.digits, entry.moving) {
            Ok(digits) => digits,
            Err(error) => return self.leave_out(line, Some(account), error.text()),
        };
        let secret = match entry.secret {
            Ok(secret) => secret,
            Err(SecretError::Length) => {
                return self.leave_out(line, Some(account), SecretError::Length.text());
            }
            Err(broken) => return Err(ImportError::Line(line, broken.text())),
        };
        self.count(line)?;
        self.found.push(FoundAuthenticator {
            line,
            account: name,
            label: entry.label,
            secret,
            algorithm: entry.algorithm,
            digits,
            moving: entry.moving,
            floor: entry.floor,
            recovery: entry.recovery,
        });
        Ok(())
    }

    /// Leaves a whole authenticator out.
    fn leave_out(
        &mut self,
        line: usize,
        account: Option<&str>,
        why: &'static str,
    ) -> Result<(), ImportError> {
        self.count(line)?;
        self.omit(line, account, ImportLoss::Authenticator, why);
        Ok(())
    }

    /// Records a detail that an authenticator loses: at most one per line of the file.
    fn note_loss(&mut self, line: usize, account: &str, why: &'static str) {
        self.omit(line, Some(account), ImportLoss::Detail, why);
    }

    fn omit(&mut self, line: usize, account: Option<&str>, loss: ImportLoss, why: &'static str) {
        let account = account.and_then(|account| account.parse().ok());
        self.dropped.push(OmittedEntry {
            line,
            account,
            loss,
            why,
        });
    }

    fn count(&mut self, line: usize) -> Result<(), ImportError> {
        if self.authenticators == MOST {
            let why = "more than 10000 authenticators in one file; split it";
            return Err(ImportError::Line(line, why));
        }
        self.authenticators += 1;
        Ok(())
    }

    /// Refuses the same secret twice for one account: it is unknown which floor or counter is
    /// right.
    fn refuse_duplicates(&self) -> Result<(), ImportError> {
        if self.found.is_empty() && self.dropped.is_empty() {
            return Err(ImportError::File("there is no authenticator in it"));
        }
        let mut order: Vec<&FoundAuthenticator> = self.found.iter().collect();
        order.sort_by_key(|found| (&found.account, found.secret.expose(), found.line));
        for pair in order.windows(2) {
            if pair[0].account == pair[1].account && pair[0].secret == pair[1].secret {
                let why = "it holds the same authenticator of the same account";
                return Err(ImportError::Lines(pair[1].line, pair[0].line, why));
            }
        }
        Ok(())
    }
}

fn check_supported(digits: u64, moving: MovingFactor) -> Result<u32, OtpParametersError> {
    let digits = u32::try_from(digits).map_err(|_| OtpParametersError::Digits)?;
    let parameters = OtpParameters {
        algorithm: Algorithm::Sha1,
        digits,
        moving: moving.kind(),
    };
    Ok(parameters.check()?.digits)
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
    /// The reason applies to one line and an earlier one, which contradict each other.
    Lines(usize, usize, &'static str),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::File(why) => f.write_str(why),
            ImportError::Line(line, why) => write!(f, "line {line}: {why}"),
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
impl FoundAuthenticator {
    /// Returns what determines codes, apart from the secret: `alice (label) SHA1 6 30s`, or with
    /// the next counter `#7`, and the floor, if there is one.
    fn description(&self) -> String {
        let label = self.label.as_deref().unwrap_or("-");
        let moving = match self.moving {
            MovingFactor::Time { period } => format!("{period}s"),
            MovingFactor::Counter { next } => format!("#{next}"),
        };
        let (name, digits) = (self.algorithm.name(), self.digits);
        let floor = self.floor.map(|step| format!(" floor {}", step.0));
        let floor = floor.unwrap_or_default();
        format!("{} ({label}) {name} {digits} {moving}{floor}", self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_name() {
        let (account, now) = (&"alice".parse().unwrap(), Timestamp(0));
        let formats = [
            ImportFormat::GoogleAuthenticator { account },
            ImportFormat::Oath { now },
            ImportFormat::Otpauth,
            ImportFormat::OtpauthMigration,
            ImportFormat::Pskc { key: PskcKey::None },
            ImportFormat::Authelia,
        ];
        assert_eq!(formats.map(|format| format.name()), NAMES);
    }

    #[test]
    fn what_was_found_cannot_be_printed() {
        let file = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n12345678\n";
        let account = &"alice".parse().unwrap();
        let import = ImportFormat::GoogleAuthenticator { account }.import(file);
        let printed = format!("{import:?}");
        assert!(
            printed.contains("alice") && !printed.contains("GEZD") && !printed.contains("12345678")
        );
    }
}
