//! The findings of a file: authenticators that can be enrolled, and what is not imported. Each
//! format adds its entries here, where they are checked: a malformed one refuses the file, an
//! unsupported one is left out with its reason.

use super::{ImportError, MOST, MovingFactor};
use crate::account::name::UserName;
use crate::credential::secret::{Secret, SecretError};
use crate::credential::totp::{Algorithm, OtpParameters, OtpParametersError, Step};
use std::fmt;
use zeroize::Zeroizing;

/// Longest label in bytes.
const LONGEST_LABEL: usize = 256;

/// The findings of a file, in the order of its lines.
#[derive(Debug, Default)]
pub struct ImportedFile {
    /// Authenticators that can be enrolled.
    pub found: Vec<FoundAuthenticator>,
    /// Authenticators and details that are not imported.
    pub omitted: Vec<OmittedEntry>,
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
    pub recovery: Vec<ScratchCode>,
}

/// A scratch code of eight digits: weaker than a recovery code, and without the letter that
/// identifies one.
#[derive(PartialEq, Eq)]
pub struct ScratchCode(pub(super) Zeroizing<String>);

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
pub(super) struct ImportEntry {
    pub(super) line: usize,
    pub(super) account: String,
    pub(super) label: Option<String>,
    pub(super) secret: Result<Secret, SecretError>,
    pub(super) algorithm: Algorithm,
    pub(super) digits: u64,
    pub(super) moving: MovingFactor,
    pub(super) floor: Option<Step>,
    pub(super) recovery: Vec<ScratchCode>,
}

impl ImportEntry {
    /// An authenticator with SHA-1 and six digits, and without label, floor and scratch codes.
    pub(super) fn new(
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
    pub(super) fn add(&mut self, entry: ImportEntry) -> Result<(), ImportError> {
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
    pub(super) fn leave_out(
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
    pub(super) fn note_loss(&mut self, line: usize, account: &str, why: &'static str) {
        self.omit(line, Some(account), ImportLoss::Detail, why);
    }

    fn omit(&mut self, line: usize, account: Option<&str>, loss: ImportLoss, why: &'static str) {
        let account = account.and_then(|account| account.parse().ok());
        self.omitted.push(OmittedEntry {
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
    pub(super) fn refuse_duplicates(&self) -> Result<(), ImportError> {
        if self.found.is_empty() && self.omitted.is_empty() {
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

#[cfg(test)]
impl FoundAuthenticator {
    /// Returns what determines codes, apart from the secret: `alice (label) SHA1 6 30s`, or with
    /// the next counter `#7`, and the floor, if there is one.
    pub(super) fn description(&self) -> String {
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
