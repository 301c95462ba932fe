//! What other systems' files hold: bytes in, findings out. One file per format below; here are the limits, the
//! findings, and what they have in common. Pure: nothing is read or stored here.
//!
//! - Every refusal and every loss is a `&'static str` with a line number, so that no secret can get into one.
//! - A file that is broken, doubled or contradictory is refused whole. An authenticator that is sound but not
//!   supported here is left out, and said to be.

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

/// The largest file that is read, in bytes.
pub const LARGEST: usize = 1 << 20;
/// The most authenticators that one file may hold.
pub const MOST: usize = 10_000;
/// The longest line, in bytes: more than the largest QR code holds.
const LONGEST_LINE: usize = 4096;
/// The longest label, in bytes.
const LONGEST_LABEL: usize = 256;

/// Whose file it is, with what its format does not say itself.
#[derive(Clone, Copy)]
pub enum ImportFormat<'a> {
    /// `~/.google_authenticator` of libpam-google-authenticator, which does not say whose it is.
    GoogleAuthenticator {
        /// The account that the file belongs to.
        account: &'a UserName,
    },
    /// The users file of pam_oath, whose stamps are in local time.
    Oath {
        /// The current time: nothing was used after it.
        now: Timestamp,
    },
    /// otpauth:// URLs, one a line.
    Otpauth,
    /// otpauth-migration:// URLs, as Google Authenticator's app exports them, one a line.
    OtpauthMigration,
    /// A key container of RFC 6030.
    Pskc {
        /// What opens it.
        key: PskcKey<'a>,
    },
    /// What `authelia storage user totp export` writes: YAML, CSV or otpauth URLs.
    Authelia,
}

/// Names of the formats, as the command takes them.
pub const NAMES: [&str; 6] = [
    "google-authenticator",
    "oath",
    "otpauth",
    "otpauth-migration",
    "pskc",
    "authelia",
];

impl ImportFormat<'_> {
    /// Its name in [`NAMES`].
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

/// Reads a file of that format.
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

/// What a file holds, in its order.
#[derive(Debug, Default)]
pub struct ImportedFile {
    /// What can be enrolled.
    pub found: Vec<FoundAuthenticator>,
    /// What cannot, or not wholly.
    pub dropped: Vec<Dropped>,
    authenticators: usize,
}

/// One authenticator. Its digits, period and secret are supported ones.
#[derive(Debug)]
pub struct FoundAuthenticator {
    /// The line of the file it stands in, from 1.
    pub line: usize,
    /// Whose it is.
    pub account: UserName,
    /// What tells it from others of that account: an issuer, a device's name.
    pub label: Option<String>,
    /// The shared secret.
    pub secret: Secret,
    /// The hash under the HMAC.
    pub algorithm: Algorithm,
    /// Digits of a code: 6 or 8.
    pub digits: u32,
    /// Time or counter.
    pub moving: MovingFactor,
    /// The highest step known to be used, where codes move with time; that of a counter is the one before `next`.
    pub floor: Option<Step>,
    /// Scratch codes that were not used yet.
    pub recovery: Vec<ScratchCode>,
}

/// A scratch code of eight digits: weaker than a recovery code of ours, and without the letter that tells one.
#[derive(PartialEq, Eq)]
pub struct ScratchCode(Zeroizing<String>);

impl ScratchCode {
    /// Its digits.
    pub fn plain(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ScratchCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScratchCode(…)")
    }
}

/// Something in the file that is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The line of the file it stands in, from 1.
    pub line: usize,
    /// Whose it is, where that is known.
    pub account: Option<UserName>,
    /// How much is lost.
    pub loss: ImportLoss,
    /// Why, in words.
    pub why: &'static str,
}

/// How much of something is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportLoss {
    /// A whole authenticator.
    Authenticator,
    /// Something beside it; the authenticator itself is taken over.
    Detail,
}

/// An authenticator as a file describes it, supported or not.
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

impl ImportedFile {
    /// Takes one authenticator, or says why it is left out.
    fn add(&mut self, entry: ImportEntry) -> Result<(), ImportError> {
        let ImportEntry {
            line,
            account,
            label,
            algorithm,
            moving,
            floor,
            recovery,
            ..
        } = entry;
        if label
            .as_ref()
            .is_some_and(|label| label.len() > LONGEST_LABEL || label.chars().any(char::is_control))
        {
            return Err(ImportError::Line(
                line,
                "a label is too long or holds a control character",
            ));
        }
        let name = match UserName::parse(account.as_bytes()) {
            Ok(name) => name,
            Err(error) => return self.leave_out(line, None, error.text()),
        };
        let digits = match check_supported(entry.digits, moving) {
            Ok(digits) => digits,
            Err(error) => return self.leave_out(line, Some(&account), error.text()),
        };
        let secret = match entry.secret {
            Ok(secret) => secret,
            Err(SecretError::Length) => {
                return self.leave_out(line, Some(&account), SecretError::Length.text());
            }
            Err(broken) => return Err(ImportError::Line(line, broken.text())),
        };
        self.count(line)?;
        self.found.push(FoundAuthenticator {
            line,
            account: name,
            label,
            secret,
            algorithm,
            digits,
            moving,
            floor,
            recovery,
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
        let account = account.and_then(|account| account.parse().ok());
        self.dropped.push(Dropped {
            line,
            account,
            loss: ImportLoss::Authenticator,
            why,
        });
        Ok(())
    }

    /// Notes something that an authenticator loses. No more of them than lines that the file has.
    fn note_loss(&mut self, line: usize, account: &str, why: &'static str) {
        let account = account.parse().ok();
        self.dropped.push(Dropped {
            line,
            account,
            loss: ImportLoss::Detail,
            why,
        });
    }

    fn count(&mut self, line: usize) -> Result<(), ImportError> {
        if self.authenticators == MOST {
            return Err(ImportError::Line(
                line,
                "more than 10000 authenticators in one file; split it",
            ));
        }
        self.authenticators += 1;
        Ok(())
    }

    /// The same secret twice for one account: which of the two floors or counters holds?
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

/// The lines of a text with their numbers, none too long.
fn lines(text: &str) -> impl Iterator<Item = Result<(usize, &str), ImportError>> {
    (1..)
        .zip(text.lines())
        .map(|(number, line)| match line.len() {
            0..=LONGEST_LINE => Ok((number, line)),
            _ => Err(ImportError::Line(
                number,
                "the line is longer than 4096 bytes",
            )),
        })
}

/// Why a file is refused. It never repeats what stands in the file: that may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The file as a whole.
    File(&'static str),
    /// One line of it.
    Line(usize, &'static str),
    /// One line, and an earlier one that it does not go with.
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
        let file = b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n12345678\n";
        let account = &"alice".parse().unwrap();
        let import =
            parse_import_file(ImportFormat::GoogleAuthenticator { account }, file).unwrap();
        let printed = format!("{import:?}");
        assert!(
            printed.contains("alice") && !printed.contains("GEZD") && !printed.contains("12345678")
        );
    }
}
