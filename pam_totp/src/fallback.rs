//! `posternd --stdio`, which decides where no daemon listens, or where the module's options name a
//! configuration.
//!
//! MUST NOT run a program that anyone but root can write, or one at another path than that of the
//! packages.

use crate::helper::{self, HelperError, HelperProcess};
use std::ffi::{CStr, CString};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;
use std::{fmt, fs, io};

const FOLDER: &str = "/usr/libexec/postern";
const PROGRAM: &str = "/usr/libexec/postern/posternd";
const PROGRAM_C: &CStr = c"/usr/libexec/postern/posternd";

/// Returns the configuration that the options name. The last one counts, as in posternd.
pub(crate) fn own_configuration(options: &[String]) -> Option<&str> {
    options
        .iter()
        .rev()
        .find_map(|option| option.strip_prefix("config="))
}

/// Starts `posternd --stdio` with the configuration that the options name. It must have begun by
/// `until`.
pub(crate) fn start(options: &[String], until: Instant) -> Result<HelperProcess, FallbackError> {
    check_root_owned(FOLDER)?;
    check_root_owned(PROGRAM)?;
    // posternd refuses a relative path when it reads the options
    let path = own_configuration(options).filter(|path| path.starts_with('/'));
    let path = path
        .map(CString::new)
        .transpose()
        .map_err(|_| FallbackError::Configuration)?;
    let helper = match &path {
        None => helper::start(PROGRAM_C, &[c"--stdio"], until),
        Some(path) => helper::start(PROGRAM_C, &[c"--stdio", c"--config", path], until),
    };
    helper.map_err(FallbackError::Helper)
}

/// Checks that only root can write the file at a path.
fn check_root_owned(path: &'static str) -> Result<(), FallbackError> {
    let metadata = fs::metadata(path).map_err(|error| FallbackError::Missing { path, error })?;
    match (metadata.uid(), metadata.mode() & 0o022) {
        (0, 0) => Ok(()),
        _ => Err(FallbackError::NotRoots(path)),
    }
}

/// Why `posternd --stdio` was not started.
#[derive(Debug)]
pub(crate) enum FallbackError {
    Missing {
        path: &'static str,
        error: io::Error,
    },
    /// Another user than root owns the file, or can write it.
    NotRoots(&'static str),
    /// The path of the configuration holds a NUL.
    Configuration,
    Helper(HelperError),
}

impl fmt::Display for FallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FallbackError::Missing { path, error } => write!(
                f,
                "no posternd listens, and posternd --stdio cannot be run: {path}: {error}; start posternd.socket, or install \
                 it, or bind-mount it where the PAM host runs"
            ),
            FallbackError::NotRoots(path) => write!(
                f,
                "posternd --stdio is not run: {path} is not root's, or others may write it; chown it to root, and chmod it to \
                 0755"
            ),
            FallbackError::Configuration => f.write_str("the path after config= holds a NUL"),
            FallbackError::Helper(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FallbackError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_configuration_counts_as_in_posternd() {
        let options = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            own_configuration(&options("debug config=/a config=/b quiet")),
            Some("/b")
        );
        assert_eq!(own_configuration(&options("debug tries=3")), None);
    }

    #[test]
    fn a_program_that_is_missing_or_writable_by_others_is_not_run() {
        assert!(matches!(
            check_root_owned("/no/such/program"),
            Err(FallbackError::Missing { .. })
        ));
        // mode 1777
        assert!(matches!(
            check_root_owned("/tmp"),
            Err(FallbackError::NotRoots("/tmp"))
        ));
        assert!(check_root_owned("/usr").is_ok());
    }
}
