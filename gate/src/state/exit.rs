//! Why the gate does not start, or ends by itself, and with which exit status: a service manager need not try again what
//! an administrator has to mend first.

use std::fmt;
use std::process::ExitCode;

/// sysexits.h: something in the configuration is wrong.
const EX_CONFIG: u8 = 78;

/// Why the gate stops.
pub(crate) enum Stopped {
    /// The configuration, or a file that it names, is wrong.
    Configuration(String),
    /// Anything else, which may be over later.
    Other(String),
}

impl Stopped {
    /// The exit status.
    pub(crate) fn status(&self) -> ExitCode {
        match self {
            Stopped::Configuration(_) => ExitCode::from(EX_CONFIG),
            Stopped::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl From<String> for Stopped {
    fn from(why: String) -> Stopped {
        Stopped::Other(why)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Configuration(why) | Stopped::Other(why) => f.write_str(why),
        }
    }
}
