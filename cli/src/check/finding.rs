//! A finding: one line of `postern check`.

use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FindingSeverity {
    Ok,
    /// This could not be looked at.
    Skipped,
    /// Access works, and some accounts or programs may be surprised.
    Warning,
    /// Access is denied to an account that should have it, or granted without a code.
    Fault,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: FindingSeverity,
    /// What was looked at, such as `sshd` or `store`.
    pub(crate) subject: &'static str,
    pub(crate) what: String,
    /// The file to change.
    pub(crate) file: Option<PathBuf>,
    /// The line to change, from 1.
    pub(crate) line: Option<usize>,
    /// What to do next.
    pub(crate) remedy: Option<String>,
}

impl Finding {
    pub(crate) fn ok(subject: &'static str, what: impl fmt::Display) -> Finding {
        Finding::new(FindingSeverity::Ok, subject, what)
    }

    pub(crate) fn skipped(subject: &'static str, what: impl fmt::Display) -> Finding {
        Finding::new(FindingSeverity::Skipped, subject, what)
    }

    pub(crate) fn warning(subject: &'static str, what: impl fmt::Display) -> Finding {
        Finding::new(FindingSeverity::Warning, subject, what)
    }

    pub(crate) fn fault(subject: &'static str, what: impl fmt::Display) -> Finding {
        Finding::new(FindingSeverity::Fault, subject, what)
    }

    fn new(severity: FindingSeverity, subject: &'static str, what: impl fmt::Display) -> Finding {
        Finding {
            severity,
            subject,
            what: what.to_string(),
            file: None,
            line: None,
            remedy: None,
        }
    }

    /// Adds the file to change. A message that begins with its name loses it.
    pub(crate) fn in_file(mut self, file: impl AsRef<Path>) -> Finding {
        let name = format!("{}: ", file.as_ref().display());
        if let Some(rest) = self.what.strip_prefix(&name) {
            self.what = rest.to_owned();
        }
        self.file = Some(file.as_ref().to_owned());
        self
    }

    /// Adds the place to change.
    pub(crate) fn at(self, place: &Place) -> Finding {
        let line = place.line;
        Finding {
            line,
            ..self.in_file(&place.file)
        }
    }

    pub(crate) fn remedy(mut self, remedy: impl fmt::Display) -> Finding {
        self.remedy = Some(remedy.to_string());
        self
    }
}

/// A file, and the line in it if one line is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: Option<usize>,
}

impl Place {
    pub(crate) fn file(file: impl AsRef<Path>) -> Place {
        Place {
            file: file.as_ref().to_owned(),
            line: None,
        }
    }

    pub(crate) fn line(file: impl AsRef<Path>, line: usize) -> Place {
        Place {
            file: file.as_ref().to_owned(),
            line: Some(line),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

impl fmt::Display for FindingSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            FindingSeverity::Ok => "ok",
            FindingSeverity::Skipped => "skipped",
            FindingSeverity::Warning => "warning",
            FindingSeverity::Fault => "fault",
        })
    }
}

impl fmt::Display for Finding {
    /// Writes one line: severity, subject, what, place, remedy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7}  {}: ", self.severity, self.subject)?;
        if let Some(file) = &self.file {
            let line = self.line;
            let file = file.clone();
            write!(f, "{}: ", Place { file, line })?;
        }
        f.write_str(&self.what)?;
        self.remedy
            .as_ref()
            .map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_place_and_remedy() {
        let finding = Finding::fault("pam", "the code is optional")
            .at(&Place::line("/etc/pam.d/sshd", 7))
            .remedy("make the line required");
        assert_eq!(
            finding.to_string(),
            "fault    pam: /etc/pam.d/sshd:7: the code is optional; make the line required"
        );
        assert_eq!(
            Finding::ok("clock", "it is synchronised").to_string(),
            "ok       clock: it is synchronised"
        );
    }
}
