//! Why the gate does not start or stops by itself, and its exit status. A service manager must not
//! retry what an administrator has to correct first.

use std::fmt;
use std::process::ExitCode;

/// EX_CONFIG of sysexits.h: the configuration is wrong.
const EX_CONFIG: u8 = 78;

pub(crate) enum StopReason {
    /// The configuration, or a file that it names, is wrong.
    Configuration(String),
    /// Any other error, which may be temporary.
    Other(String),
}

impl StopReason {
    pub(crate) fn status(&self) -> ExitCode {
        match self {
            StopReason::Configuration(_) => ExitCode::from(EX_CONFIG),
            StopReason::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl From<String> for StopReason {
    fn from(why: String) -> StopReason {
        StopReason::Other(why)
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Configuration(why) | StopReason::Other(why) => f.write_str(why),
        }
    }
}
