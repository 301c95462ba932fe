//! The findings of a file: authenticators that can be enrolled, and what is not imported. Each
//! format adds its entries here, where they are checked: one that cannot be imported is left out with
//! its reason.

use super::{ImportError, MOST, MovingFactor};
use crate::account::name::UserName;
use crate::credential::otp::OtpError;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{Algorithm, OtpParameters, Step};
use std::fmt;
use zeroize::Zeroizing;

pub(super) const LENGTH: &str =
    "the secret must have 10 to 128 bytes (16 to 205 characters of Base32)";
const SHORT: &str = "its secret has fewer than the 128 bits that RFC 4226 requires; enroll a new authenticator soon";
const TWICE: &str =
    "the file has the same authenticator of the same account before; the higher counter is taken";

/// Longest label in bytes.
const LONGEST_LABEL: usize = 256;

/// The findings of a file, in the order of its lines.
#[derive(Debug, Default)]
pub struct ImportedFile {
    /// Authenticators that can be enrolled.
    pub found: Vec<FoundAuthenticator>,
    /// Authenticators and details that are not imported.
    pub omitted: Vec<OmittedEntry>,
    /// What the numbers of the entries count.
    pub unit: ImportUnit,
    authenticators: usize,
}

/// What `line` of an entry counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportUnit {
    #[default]
    Line,
    /// Entries of a JSON document.
    Entry,
}

impl ImportUnit {
    pub fn name(self) -> &'static str {
        match self {
            ImportUnit::Line => "line",
            ImportUnit::Entry => "entry",
        }
    }
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
    /// Nothing is lost: the authenticator is imported, and is weaker than it should be.
    Strength,
}

/// An authenticator as the file describes it, supported or not.
pub(super) struct ImportEntry {
    pub(super) line: usize,
    pub(super) account: String,
    pub(super) label: Option<String>,
    pub(super) secret: Result<Secret, OtpError>,
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
        secret: Result<Secret, OtpError>,
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
            return self.leave_out(line, Some(account), why);
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
            Err(OtpError::Length) => return self.leave_out(line, Some(account), LENGTH),
            Err(broken) => return self.leave_out(line, Some(account), broken.text()),
        };
        if secret.is_short() {
            self.omit(line, Some(account), ImportLoss::Strength, SHORT);
        }
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

    /// Leaves an entry out whose line is malformed. Other errors refuse the file.
    pub(super) fn leave_out_malformed(
        &mut self,
        result: Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        match result {
            Err(ImportError::Line(line, why) | ImportError::Lines(line, _, why)) => {
                self.leave_out(line, None, why)
            }
            result => result,
        }
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

    /// Takes the same secret of one account once, where it is first, with the highest floor or
    /// counter: no code that was used is accepted. Refuses a file without authenticators.
    pub(super) fn merge_duplicates(&mut self) -> Result<(), ImportError> {
        if self.found.is_empty() && self.omitted.is_empty() {
            return Err(ImportError::File("there is no authenticator in it"));
        }
        let mut order: Vec<usize> = (0..self.found.len()).collect();
        let key = |at: usize| {
            let found: &FoundAuthenticator = &self.found[at];
            (&found.account, found.secret.expose(), at)
        };
        order.sort_unstable_by(|one, other| key(*one).cmp(&key(*other)));
        // of each group the first, with those that follow it in the file
        let is_same = |one: &usize, other: &usize| {
            let (one, other) = (&self.found[*one], &self.found[*other]);
            one.account == other.account && one.secret == other.secret
        };
        let groups: Vec<Vec<usize>> = order.chunk_by(is_same).map(<[usize]>::to_vec).collect();
        let mut is_first = vec![true; self.found.len()];
        let mut repeated = Vec::new();
        for group in groups {
            for later in &group[1..] {
                let (before, after) = self.found.split_at_mut(*later);
                before[group[0]].take_progress(&after[0]);
                is_first[*later] = false;
                repeated.push((after[0].line, after[0].account.clone()));
            }
        }
        let mut is_first = is_first.into_iter();
        self.found.retain(|_| is_first.next().unwrap_or(true));
        for (line, account) in repeated {
            self.omit(
                line,
                Some(account.as_str()),
                ImportLoss::Authenticator,
                TWICE,
            );
        }
        self.omitted.sort_by_key(|omitted| omitted.line);
        Ok(())
    }
}

impl FoundAuthenticator {
    /// Raises the floor or the counter to that of the same authenticator elsewhere in the file.
    fn take_progress(&mut self, later: &FoundAuthenticator) {
        self.floor = self.floor.max(later.floor);
        if let (MovingFactor::Counter { next }, MovingFactor::Counter { next: other }) =
            (&mut self.moving, later.moving)
        {
            *next = other.max(*next);
        }
    }
}

fn check_supported(digits: u64, moving: MovingFactor) -> Result<u32, OtpError> {
    let digits = u32::try_from(digits).map_err(|_| OtpError::Digits)?;
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
