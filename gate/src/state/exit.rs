//! Why the gate does not start, or ends by itself, and with which exit status: a service manager need not try again what
//! an administrator has to mend first.

use std::fmt;
use std::process::ExitCode;

/// sysexits.h: something in the configuration is wrong.
const EX_CONFIG: u8 = 78;

/// Why the gate stops.
pub(crate) enum StopReason {
    /// The configuration, or a file that it names, is wrong.
    Configuration(String),
    /// Anything else, which may be over later.
    Other(String),
}

impl StopReason {
    /// The exit status.
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
