//! A case: one thing that must hold, and how it ended.

use crate::suite::Suite;

/// One case of the suite.
pub(crate) struct Case {
    pub(crate) group: &'static str,
    /// What holds, as a sentence. It is the same for all targets.
    pub(crate) name: &'static str,
    /// Public advisories that this case looks for, by number.
    pub(crate) advisories: &'static [&'static str],
    pub(crate) run: fn(&mut Suite) -> CaseResult,
}

/// Why a case did not pass.
#[derive(Clone, Debug)]
pub(crate) enum NotPassed {
    /// The target behaves otherwise.
    Failed(String),
    /// The target lacks what the case needs.
    Skipped(String),
}

pub(crate) type CaseResult<T = ()> = Result<T, NotPassed>;

impl From<std::io::Error> for NotPassed {
    fn from(error: std::io::Error) -> NotPassed {
        NotPassed::Failed(error.to_string())
    }
}

/// Returns the failure with this message.
pub(crate) fn failed<T>(message: impl Into<String>) -> CaseResult<T> {
    Err(NotPassed::Failed(message.into()))
}

/// Returns the reason for a case that cannot be run.
pub(crate) fn skipped<T>(message: impl Into<String>) -> CaseResult<T> {
    Err(NotPassed::Skipped(message.into()))
}

/// Fails with this message unless the condition holds.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> CaseResult {
    match holds {
        true => Ok(()),
        false => Err(NotPassed::Failed(message())),
    }
}

impl Case {
    pub(crate) fn new(
        group: &'static str,
        name: &'static str,
        run: fn(&mut Suite) -> CaseResult,
    ) -> Case {
        Case {
            group,
            name,
            advisories: &[],
            run,
        }
    }

    /// Names the advisories that this case looks for.
    pub(crate) fn seen_in(mut self, advisories: &'static [&'static str]) -> Case {
        self.advisories = advisories;
        self
    }
}
