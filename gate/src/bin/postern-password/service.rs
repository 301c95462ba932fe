//! Checks the PAM service file before PAM reads it. The file must exist, since PAM would use
//! `other` instead. It must not hold pam_totp.so, which would ask for a code that no user can enter
//! at this prompt.
//!
//! Refuses what it cannot read whole: a missing include, a file that others may write, a loop.

use postern_shared::config::file::{self, ConfigError, Fallback};
use postern_shared::config::gate::PamServiceFile;
use postern_shared::system::pam_service::{
    MAX_SERVICE_FILE, MODULE, PamControl, PamHook, PamLine, PamLineContent, SERVICE_FOLDERS,
    parse_service_file,
};
use postern_shared::system::trusted_file::{self, FileError, Follow, Privacy};
use std::fmt;
use std::path::{Path, PathBuf};

/// Limit on files that are read. A file that is included twice counts twice.
const MAX_FILES: usize = 64;

/// Why the service cannot be used.
#[derive(Debug)]
pub(crate) enum ServiceError {
    /// The configuration that names the service cannot be read.
    Config(ConfigError),
    /// The service file, or a file that it includes, does not exist.
    Missing(PamServiceFile, String),
    /// A file cannot be read, or others may write it.
    File(FileError),
    /// A file holds pam_totp.so.
    Forbidden(PamServiceFile, PathBuf, usize),
    /// The service includes more files than [`MOST_FILES`], or itself.
    TooMany(PamServiceFile),
}

/// The checked service, and why an older configuration than the file is in force.
pub(crate) struct CheckedService {
    pub(crate) service: PamServiceFile,
    pub(crate) problem: Option<Fallback>,
}

/// Which lines of a file are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServiceLines {
    /// Lines of both types that the helper uses: auth and account.
    Both,
    /// Lines of one type, as `include` and `substack` select them.
    Only(PamHook),
}

/// Returns the service that the configuration names, after its files on this host are checked.
pub(crate) fn check_service(config: &Path) -> Result<CheckedService, ServiceError> {
    let current = file::load_config(config).map_err(ServiceError::Config)?;
    let problem = current.fallback;
    let service = current.config.gate.pam_service;
    let folders = SERVICE_FOLDERS.map(PathBuf::from).to_vec();
    let name = service.as_str().to_owned();
    ServiceSearch {
        service: &service,
        folders,
        left: MAX_FILES,
    }
    .check_file(&name, ServiceLines::Both)?;
    Ok(CheckedService { service, problem })
}

struct ServiceSearch<'a> {
    service: &'a PamServiceFile,
    folders: Vec<PathBuf>,
    left: usize,
}

impl ServiceSearch<'_> {
    fn check_file(&mut self, name: &str, lines: ServiceLines) -> Result<(), ServiceError> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| ServiceError::TooMany(self.service.clone()))?;
        // A name that begins with a slash replaces the folder.
        let found = self
            .folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.exists());
        let path =
            found.ok_or_else(|| ServiceError::Missing(self.service.clone(), name.to_owned()))?;
        let bytes =
            trusted_file::read_trusted(&path, Privacy::Public, Follow::Yes, MAX_SERVICE_FILE)
                .map_err(ServiceError::File)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for line in parse_service_file(&text) {
            self.check_line(&path, &line, lines)?;
        }
        Ok(())
    }

    fn check_line(
        &mut self,
        path: &Path,
        line: &PamLine,
        lines: ServiceLines,
    ) -> Result<(), ServiceError> {
        let forbidden =
            || ServiceError::Forbidden(self.service.clone(), path.to_owned(), line.number);
        let rule = match &line.content {
            PamLineContent::IncludeFile(name) => return self.check_file(name, lines),
            PamLineContent::Rule(rule) => rule,
            // PAM may call the module of a line that it does not understand
            PamLineContent::Invalid if line.names_module => return Err(forbidden()),
            PamLineContent::Invalid => return Ok(()),
        };
        let is_called = matches!(rule.hook, PamHook::Auth | PamHook::Account);
        if !is_called || lines != ServiceLines::Both && lines != ServiceLines::Only(rule.hook) {
            return Ok(());
        }
        match rule.control {
            PamControl::Include | PamControl::Substack => {
                self.check_file(&rule.target, ServiceLines::Only(rule.hook))
            }
            PamControl::Actions(_) if rule.is_ours() => Err(forbidden()),
            PamControl::Actions(_) => Ok(()),
        }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceError::Config(error) => error.fmt(f),
            ServiceError::Missing(service, name) => write!(
                f,
                "/etc/pam.d/{name} is missing; config/pam.d/postern-gate is a sample of /etc/pam.d/{}",
                service.as_str()
            ),
            ServiceError::File(error) => error.fmt(f),
            ServiceError::Forbidden(service, path, line) => {
                let (service, path) = (service.as_str(), path.display());
                write!(
                    f,
                    "{path}:{line}: holds {MODULE}, so /etc/pam.d/{service} would ask for a code that cannot be entered there; use other modules in {service} than those of this file"
                )
            }
            ServiceError::TooMany(service) => {
                write!(
                    f,
                    "/etc/pam.d/{} includes more than {MAX_FILES} files, or itself",
                    service.as_str()
                )
            }
        }
    }
}

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ServiceError::File(error) => Some(error),
            ServiceError::Config(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "postern-gate";

    /// Returns what is wrong with the service `postern-gate` among these files.
    fn check_files(files: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let folders = vec![folder.path().to_owned()];
        let service = PamServiceFile::default();
        let search = &mut ServiceSearch {
            service: &service,
            folders,
            left: MAX_FILES,
        };
        let checked = search.check_file(SERVICE, ServiceLines::Both);
        let prefix = format!("{}/", folder.path().display());
        checked
            .err()
            .map(|error| error.to_string().replace(&prefix, ""))
    }

    #[test]
    fn a_service_of_other_modules_is_accepted() {
        for text in [
            "",
            "@include common-auth\n@include common-account\n",
            "auth requisite pam_unix.so\naccount required pam_unix.so\n",
            "# auth required pam_totp.so\nauth required pam_unix.so # not pam_totp.so\n",
            "auth required pam_unix.so\npassword optional pam_totp.so\nsession optional pam_totp.so\n",
            "auth include one-sided\n",
        ] {
            let others = [
                (
                    "common-auth",
                    "auth [success=1 default=ignore] pam_unix.so nullok\n",
                ),
                ("common-account", "account required pam_unix.so\n"),
                (
                    "one-sided",
                    "auth required pam_unix.so\naccount required pam_totp.so\n",
                ),
            ];
            assert_eq!(
                check_files(&[&[(SERVICE, text)], others.as_slice()].concat()),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn pam_totp_is_found_in_every_file_of_a_service() {
        for text in [
            "auth required pam_totp.so",
            "\n  -AUTH [success=1 default=ignore] /lib/x/pam_totp.so proven\n",
            "account required pam_totp.so\n",
            "auth required \\\n  pam_totp.so\n",
            "@include deep\n",
            "auth substack deep\n",
            "auth  include\tdeep\n",
        ] {
            let deep = [
                ("deep", "@include deeper\n"),
                ("deeper", "\nauth required pam_totp.so\n"),
            ];
            let message = check_files(&[&[(SERVICE, text)], deep.as_slice()].concat()).expect(text);
            assert!(message.contains(": holds pam_totp.so"), "{message}");
            assert!(
                !text.contains("deep") || message.starts_with("deeper:2:"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_service_that_cannot_be_read_whole_is_refused() {
        assert!(
            check_files(&[])
                .unwrap()
                .contains("/etc/pam.d/postern-gate is missing")
        );
        assert!(
            check_files(&[(SERVICE, "@include gone\n")])
                .unwrap()
                .contains("/etc/pam.d/gone is missing")
        );
        assert!(
            check_files(&[(SERVICE, "@include postern-gate\n")])
                .unwrap()
                .contains("or itself")
        );
        assert!(check_files(&[(SERVICE, &"#".repeat(65 * 1024))]).is_some());
    }
}
