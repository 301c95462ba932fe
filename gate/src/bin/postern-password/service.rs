//! The service file that PAM is asked by, read before PAM reads it: it must be there, since PAM would go by `other`
//! instead, and must not hold pam_totp.so, which would ask for a code that nobody can give here.

use shared::config::file::{self, ConfigError, Fallback};
use shared::config::gate::PamServiceFile;
use shared::system::trusted_file::{self, FileError, Follow, Privacy};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where libpam looks, in this order.
const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
const FORBIDDEN: &str = "pam_totp.so";
/// The most that is read of a file, in bytes.
const LARGEST: u64 = 64 * 1024;
/// Files that are read, those that are included again counted again.
const MOST_FILES: usize = 64;

/// What is wrong with it.
#[derive(Debug)]
pub(crate) enum ServiceError {
    /// No configuration says which it is.
    Config(ConfigError),
    /// There is none, or one that it includes is missing.
    Missing(PamServiceFile, String),
    /// It cannot be read, or anyone may write it.
    File(FileError),
    /// It holds our own module.
    Forbidden(PamServiceFile, PathBuf, usize),
    /// It includes too much, or itself.
    TooMany(PamServiceFile),
}

/// What the configuration says, and what is wrong with the file that was not gone by.
pub(crate) struct Configured {
    pub(crate) service: PamServiceFile,
    pub(crate) problem: Option<Fallback>,
}

/// Which lines of a file count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServiceLines {
    /// Those of the two types that are asked here.
    Both,
    /// Those of one.
    Only(Type),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Auth,
    Account,
}

/// The service that the configuration names, checked as this host has it.
pub(crate) fn configured(config: &Path) -> Result<Configured, ServiceError> {
    let in_force = file::in_force(config).map_err(ServiceError::Config)?;
    let problem = in_force.problem;
    let service = in_force.config.gate.pam_service;
    let folders = FOLDERS.map(PathBuf::from).to_vec();
    let name = service.as_str().to_owned();
    Search {
        service: &service,
        folders,
        left: MOST_FILES,
    }
    .check(&name, ServiceLines::Both)?;
    Ok(Configured { service, problem })
}

struct Search<'a> {
    service: &'a PamServiceFile,
    folders: Vec<PathBuf>,
    left: usize,
}

impl Search<'_> {
    fn check(&mut self, name: &str, lines: ServiceLines) -> Result<(), ServiceError> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| ServiceError::TooMany(self.service.clone()))?;
        // a name that begins with a slash stands for itself
        let found = self
            .folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.exists());
        let path =
            found.ok_or_else(|| ServiceError::Missing(self.service.clone(), name.to_owned()))?;
        let bytes = trusted_file::read_trusted(&path, Privacy::Public, Follow::Yes, LARGEST)
            .map_err(ServiceError::File)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for (number, line) in joined(&text) {
            self.check_line(&path, number, &line, lines)?;
        }
        Ok(())
    }

    fn check_line(
        &mut self,
        path: &Path,
        number: usize,
        line: &str,
        lines: ServiceLines,
    ) -> Result<(), ServiceError> {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else {
            return Ok(());
        };
        if first.eq_ignore_ascii_case("@include") {
            return words.next().map_or(Ok(()), |name| self.check(name, lines));
        }
        let kind = match first
            .strip_prefix('-')
            .unwrap_or(first)
            .to_ascii_lowercase()
            .as_str()
        {
            "auth" => Type::Auth,
            "account" => Type::Account,
            _ => return Ok(()),
        };
        if lines != ServiceLines::Both && lines != ServiceLines::Only(kind) {
            return Ok(());
        }
        let mut rest = words.clone();
        match (
            words
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
                .as_str(),
            words.next(),
        ) {
            ("include" | "substack", Some(name)) => self.check(name, ServiceLines::Only(kind)),
            // any word: the control in brackets may have blanks
            _ if rest.any(is_forbidden) => Err(ServiceError::Forbidden(
                self.service.clone(),
                path.to_owned(),
                number,
            )),
            _ => Ok(()),
        }
    }
}

fn is_forbidden(word: &str) -> bool {
    word.rsplit('/').next() == Some(FORBIDDEN)
}

/// Lines by number, comments gone, those that end in a backslash joined with the next.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let comment = line.match_indices('#').find(|(at, _)| {
            *at == 0
                || line
                    .as_bytes()
                    .get(at - 1)
                    .is_some_and(u8::is_ascii_whitespace)
        });
        let line = comment.map_or(line, |(at, _)| &line[..at]);
        let (from, mut whole) = open.take().unwrap_or((number, String::new()));
        match line.trim_end().strip_suffix('\\') {
            Some(begun) => {
                whole.push_str(begun);
                whole.push(' ');
                open = Some((from, whole));
            }
            None => {
                whole.push_str(line);
                lines.push((from, whole));
            }
        }
    }
    lines.extend(open);
    lines
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
                    "{path}:{line}: holds {FORBIDDEN}, so /etc/pam.d/{service} would ask for a code that cannot be entered there; use other modules in {service} than those of this file"
                )
            }
            ServiceError::TooMany(service) => {
                write!(
                    f,
                    "/etc/pam.d/{} includes more than {MOST_FILES} files, or itself",
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

    /// What is wrong with `postern-gate` among these files.
    fn wrong(files: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let folders = vec![folder.path().to_owned()];
        let service = PamServiceFile::default();
        let search = &mut Search {
            service: &service,
            folders,
            left: MOST_FILES,
        };
        let checked = search.check(SERVICE, ServiceLines::Both);
        let place = format!("{}/", folder.path().display());
        checked
            .err()
            .map(|error| error.to_string().replace(&place, ""))
    }

    #[test]
    fn a_service_of_other_modules_is_fine() {
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
                wrong(&[&[(SERVICE, text)], others.as_slice()].concat()),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn our_own_module_is_found_wherever_it_stands() {
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
            let said = wrong(&[&[(SERVICE, text)], deep.as_slice()].concat()).expect(text);
            assert!(said.contains(": holds pam_totp.so"), "{said}");
            assert!(
                !text.contains("deep") || said.starts_with("deeper:2:"),
                "{said}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_whole_is_refused() {
        assert!(
            wrong(&[])
                .unwrap()
                .contains("/etc/pam.d/postern-gate is missing")
        );
        assert!(
            wrong(&[(SERVICE, "@include gone\n")])
                .unwrap()
                .contains("/etc/pam.d/gone is missing")
        );
        assert!(
            wrong(&[(SERVICE, "@include postern-gate\n")])
                .unwrap()
                .contains("or itself")
        );
        assert!(wrong(&[(SERVICE, &"#".repeat(65 * 1024))]).is_some());
    }
}
