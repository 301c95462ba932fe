//! Whether a service's file has the guard, an `account` line with pam_totp.so: libpam does not tell a module which other
//! lines there are. Reads what libpam reads (pam.conf(5)), and takes nothing that it cannot read for an answer.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that is looked at, in bytes.
const LARGEST: u64 = 64 * 1024;
/// How deep files may include others; libpam's own limit is 32.
const DEEPEST: u32 = 32;

/// Whether the service has a guard. The first of the folders that has its file counts.
pub(crate) fn has_guard(folders: &[PathBuf], service: &str) -> Result<bool, Unread> {
    let name = service.to_ascii_lowercase();
    for name in [name.as_str(), "other"] {
        if let Some(path) = find(folders, name) {
            return search(folders, &path, Kind::Any, DEEPEST);
        }
    }
    Ok(false)
}

/// Whose lines an included file gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of every type.
    Any,
    /// Those of type `account`.
    Account,
}

fn find(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    folders.iter().filter(|_| plain).map(|folder| folder.join(name)).find(|path| path.exists())
}

fn search(folders: &[PathBuf], path: &Path, kind: Kind, depth: u32) -> Result<bool, Unread> {
    let unread = |error| Unread { path: path.to_owned(), error };
    let Some(depth) = depth.checked_sub(1) else {
        return Err(unread(io::Error::other("files include each other")));
    };
    let text = read(path).map_err(unread)?.replace("\\\n", " ");
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        if first == "@include" {
            if kind == Kind::Any && search(folders, &included(folders, path, second)?, kind, depth)? {
                return Ok(true);
            }
            continue;
        }
        if first.trim_start_matches('-') != "account" {
            continue;
        }
        match second {
            "include" | "substack" => {
                let name = words.next().unwrap_or_default();
                if search(folders, &included(folders, path, name)?, Kind::Account, depth)? {
                    return Ok(true);
                }
            }
            // a control in brackets may hold blanks
            _ => {
                let module = line.split(']').next_back().unwrap_or(line).split_whitespace();
                if module.into_iter().any(|word| word.rsplit('/').next() == Some("pam_totp.so")) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

fn included(folders: &[PathBuf], by: &Path, name: &str) -> Result<PathBuf, Unread> {
    let found = if name.starts_with('/') { Some(PathBuf::from(name)) } else { find(folders, name) };
    found.ok_or_else(|| Unread {
        path: by.to_owned(),
        error: io::Error::new(io::ErrorKind::NotFound, format!("includes {name:?}, which is not there")),
    })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LARGEST {
        return Err(io::Error::other("is larger than 64 KiB"));
    }
    Ok(text)
}

/// A service file could not be read.
#[derive(Debug)]
pub(crate) struct Unread {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; unenrolled=enroll needs to see its account lines", self.path.display(), self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[track_caller]
    fn guarded(files: &[(&str, &str)]) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        has_guard(&[folder.path().join("none"), folder.path().to_owned()], "SSHD").ok()
    }

    #[test]
    fn a_guard_is_an_account_line_wherever_it_stands() {
        for line in [
            "account required pam_totp.so",
            "-account\trequisite\t/usr/lib/security/pam_totp.so quiet",
            "account [success=1 new_authtok_reqd=done default=ignore] pam_totp.so",
            "account \\\n required pam_totp.so",
        ] {
            assert_eq!(guarded(&[("sshd", line)]), Some(true), "{line}");
            for include in ["@include common", "account include common", "account substack common"] {
                assert_eq!(guarded(&[("sshd", include), ("common", line)]), Some(true), "{include}");
            }
        }
        assert_eq!(guarded(&[("other", "account required pam_totp.so")]), Some(true));
    }

    #[test]
    fn anything_else_is_none() {
        for line in [
            "",
            "auth required pam_totp.so",
            "# account required pam_totp.so",
            "account required pam_unix.so # pam_totp.so",
            "account required pam_totp.so.bak",
            "account",
            "auth include common",
        ] {
            let common = ("common", "account required pam_totp.so");
            assert_eq!(guarded(&[("sshd", line), common]), Some(false), "{line}");
        }
        assert_eq!(guarded(&[]), Some(false));
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        assert_eq!(guarded(&[("sshd", "@include sshd")]), None);
        assert_eq!(guarded(&[("sshd", "@include missing")]), None);
        assert_eq!(guarded(&[("sshd", &"#".repeat(70_000))]), None);
        assert!(!has_guard(&[PathBuf::from("/etc/pam.d")], "../shadow").unwrap());
    }
}
