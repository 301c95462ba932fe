//! Reads and validates postern.toml and the files of accounts.d. If they cannot be read or are
//! invalid, the saved copy of the last valid configuration applies, so that an error in the file
//! locks out no user.
//! Root saves that copy before a new configuration applies, so that a later error cannot bring back
//! an older one. Commands refuse an invalid file, and name file, line and key.

mod error;
mod last_valid;

pub use error::{ConfigError, Fallback};
pub use last_valid::LastValidConfig;

use super::{Config, locate, renamed, unchanged};
use crate::account::name::UserName;
use crate::system::clock::Timestamp;
use crate::system::trusted_file::{self, FileError, Folder, Follow, Privacy};
use nix::unistd::geteuid;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Size limit of one configuration file, in bytes.
pub const LARGEST: u64 = 4 * 1024 * 1024;
/// Attempts to read and save a configuration that changes meanwhile.
const TRIES: u32 = 5;
/// First words of a copy that was made from several files; the SHA-256 of all of them follows.
const TOGETHER: &str = "# postern.toml and accounts.d together, ";

/// A valid configuration, and the files it was read from.
pub struct ValidConfig {
    pub config: Config,
    text: String,
    source: ConfigSource,
}

/// Identifies the exact bytes of the files.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ConfigSource {
    hash: [u8; 32],
    /// Whether accounts.d contained any file.
    has_extras: bool,
}

/// The configuration that applies to a process.
pub struct CurrentConfig {
    pub config: Config,
    /// Why an earlier configuration applies instead of the files.
    pub fallback: Option<Fallback>,
    /// Whether root has saved this configuration. If not, a later error in the file brings back an
    /// older configuration, or none.
    pub is_saved: bool,
}

/// Reads and validates postern.toml and the files of accounts.d beside it.
pub fn read_config(path: &Path) -> Result<ValidConfig, ConfigError> {
    validate_with_accounts(path, text_of(path, Follow::Yes)?)
}

/// Validates text as the content of `path`, with the files of accounts.d beside it.
pub fn validate_with_accounts(path: &Path, text: String) -> Result<ValidConfig, ConfigError> {
    let mut config = validate(path, &text)?;
    let mut hash = Sha256::new_with_prefix(text.as_bytes());
    let mut names: BTreeSet<UserName> = config.account.iter().map(|a| a.name.clone()).collect();
    let mut has_extras = false;
    for (extra, text) in accounts_d(path)? {
        let content = |message| ConfigError::Content {
            path: extra.clone(),
            line: 1,
            key: None,
            message,
        };
        hash.update(extra.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(text.as_bytes());
        has_extras = true;
        for account in accounts(&extra, &text)? {
            if !names.insert(account.name.clone()) {
                return Err(content(format!(
                    "the account {} is declared twice",
                    account.name
                )));
            }
            config.account.push(account);
        }
    }
    if has_extras {
        config.check().map_err(|conflict| ConfigError::Content {
            path: path.to_owned(),
            line: 1,
            key: None,
            message: conflict.message,
        })?;
    }
    Ok(ValidConfig {
        config,
        text,
        source: ConfigSource {
            hash: hash.finalize().into(),
            has_extras,
        },
    })
}

/// Returns the configuration that applies now: the files, or the saved copy if the files are
/// invalid or not trusted.
/// A process of root saves a new configuration first; if that fails, the saved one still applies.
pub fn load_config(path: &Path) -> Result<CurrentConfig, ConfigError> {
    let files = unchanged::ConfigFiles::of(path, copy_path(path)).ok();
    if let Some(config) = files
        .as_ref()
        .and_then(|files| unchanged::recall(path, files))
    {
        return Ok(CurrentConfig {
            config,
            fallback: None,
            is_saved: true,
        });
    }
    let reason = match current(path) {
        Ok((valid, is_kept)) => {
            if let Some(files) = files.filter(|_| is_kept) {
                unchanged::remember(path, files, &valid.config);
            }
            return Ok(CurrentConfig {
                config: valid.config,
                fallback: None,
                is_saved: is_kept,
            });
        }
        Err(reason) => reason,
    };
    let copy = copy_path(path);
    match text_of(&copy, Follow::No).and_then(|text| validate(&copy, &text)) {
        Ok(config) => {
            let changed = copy
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok();
            let since = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let since = since.map(|time| Timestamp(time.as_secs()));
            Ok(CurrentConfig {
                config,
                fallback: Some(Fallback {
                    reason,
                    copy: Some(copy),
                    since,
                }),
                is_saved: true,
            })
        }
        Err(no_copy) => match (reason, no_copy) {
            // no saved copy exists, so no older configuration can come back
            (ConfigError::NotSaved { valid, .. }, ConfigError::File(error))
                if error.is_missing() =>
            {
                Ok(CurrentConfig {
                    config: valid.config,
                    fallback: None,
                    is_saved: false,
                })
            }
            (reason, no_copy) => Err(ConfigError::NoCopy {
                reason: Box::new(reason),
                copy: Box::new(no_copy),
            }),
        },
    }
}

/// Returns the configuration in the files, and whether it is saved. A process of root saves it.
fn current(path: &Path) -> Result<(ValidConfig, bool), ConfigError> {
    if geteuid().is_root() {
        return save_valid_copy(path).map(|valid| (valid, true));
    }
    let valid = read_config(path)?;
    let is_kept = valid.is_kept_as(&copy_path(path));
    Ok((valid, is_kept))
}

/// Reads the configuration and saves it as the copy that applies when the files are invalid.
/// A writer can change the files meanwhile; the saved copy is the last state that was read.
pub fn save_valid_copy(path: &Path) -> Result<ValidConfig, ConfigError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let valid = read_config(path)?;
        match keep(path, &valid) {
            Ok(SavedCopy::Already) => return Ok(valid),
            // the files may have changed just before the copy was written
            Ok(SavedCopy::Now) if tries < TRIES => {}
            Ok(SavedCopy::Now) => return Ok(valid),
            Err(error) if error.is_changed() && tries < TRIES => {}
            Err(error) => {
                return Err(ConfigError::NotSaved {
                    valid: Box::new(valid),
                    error,
                });
            }
        }
    }
}

enum SavedCopy {
    Already,
    Now,
}

fn keep(path: &Path, valid: &ValidConfig) -> Result<SavedCopy, FileError> {
    let copy = copy_path(path);
    if valid.is_kept_as(&copy) {
        return Ok(SavedCopy::Already);
    }
    let text = valid.copy();
    // the copy must be valid when it is needed
    if validate(&copy, &text).ok().as_ref() != Some(&valid.config) {
        let message = "the configuration in use cannot be written as TOML";
        return Err(FileError::io(&copy, std::io::Error::other(message)));
    }
    let is_current = || read_config(path).is_ok_and(|now| now.source == valid.source);
    trusted_file::replace_if(&copy, text.as_bytes(), 0o644, is_current)?;
    Ok(SavedCopy::Now)
}

impl ValidConfig {
    /// Returns the text of the copy. Several files cannot always be joined as text, so their values
    /// are serialized instead.
    fn copy(&self) -> String {
        match self.source.has_extras {
            false => self.text.clone(),
            true => format!(
                "{}{}",
                self.head(),
                toml::to_string(&self.config).unwrap_or_default()
            ),
        }
    }

    fn head(&self) -> String {
        let hash = data_encoding::HEXLOWER.encode(&self.source.hash);
        format!("{TOGETHER}{} {hash}\n", env!("CARGO_PKG_VERSION"))
    }

    fn is_kept_as(&self, copy: &Path) -> bool {
        text_of(copy, Follow::No).is_ok_and(|kept| match self.source.has_extras {
            false => kept == self.text,
            true => kept.starts_with(&self.head()),
        })
    }
}

fn validate(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let refuse =
        |position: Option<usize>, key: Option<String>, message: String| ConfigError::Content {
            path: path.to_owned(),
            line: position.map_or(1, |p| locate::line(text, p)),
            key,
            message,
        };
    // A truncated file can be valid TOML with a weaker policy, so it is refused.
    if text.trim().is_empty() {
        return Err(refuse(
            None,
            None,
            "is empty; to keep every default, write a comment".to_owned(),
        ));
    }
    if !text.ends_with('\n') {
        let end = "does not end with a newline (truncated?)".to_owned();
        return Err(refuse(Some(text.len()), None, end));
    }
    let config: Config = toml::from_str(text).map_err(|error| {
        let position = error.span().map(|span| span.start);
        let key = position.and_then(|p| locate::key_at(text, p));
        let message = match key.as_deref().and_then(renamed::new_name) {
            Some(new) => format!("is now called {new}"),
            None => error.message().replace('\n', ", "),
        };
        refuse(position, key, message)
    })?;
    config.check().map_err(|conflict| {
        let position = locate::position_of(text, conflict.path);
        refuse(position, Some(conflict.path.join(".")), conflict.message)
    })?;
    Ok(config)
}

fn accounts(path: &Path, text: &str) -> Result<Vec<super::DeclaredAccount>, ConfigError> {
    let config = validate(path, text)?;
    if (Config {
        account: Vec::new(),
        ..config.clone()
    }) != Config::default()
    {
        return Err(ConfigError::Content {
            path: path.to_owned(),
            line: 1,
            key: None,
            message: "a file in accounts.d holds [[account]] tables only".to_owned(),
        });
    }
    Ok(config.account)
}

/// Returns the path of the saved copy: postern.toml.valid beside postern.toml.
pub fn copy_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".valid");
    PathBuf::from(name)
}

fn text_of(path: &Path, follow: Follow) -> Result<String, ConfigError> {
    text(
        path,
        &trusted_file::read_trusted(path, Privacy::Public, follow, LARGEST)?,
    )
}

fn text(path: &Path, bytes: &[u8]) -> Result<String, ConfigError> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|error| ConfigError::Content {
            path: path.to_owned(),
            line: 1 + bytes[..error.valid_up_to()]
                .iter()
                .filter(|b| **b == b'\n')
                .count(),
            key: None,
            message: "not UTF-8".to_owned(),
        })
}

/// Returns the files of accounts.d and their texts, ordered by file name. Owner and mode of the
/// folder are checked once.
fn accounts_d(path: &Path) -> Result<Vec<(PathBuf, String)>, ConfigError> {
    let path = path.with_file_name("accounts.d");
    let folder = match Folder::open(&path) {
        Ok(folder) => folder,
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let read = |name: PathBuf| {
        let path = path.join(&name);
        let text = text(&path, &folder.read_file(&name, Privacy::Public, LARGEST)?)?;
        Ok((path, text))
    };
    folder.file_names("toml")?.into_iter().map(read).collect()
}

impl fmt::Debug for ValidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valid").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let text = format!("{text}\n");
        let error = validate(Path::new("/etc/postern/postern.toml"), &text)
            .unwrap_err()
            .to_string();
        assert_eq!(error, format!("/etc/postern/postern.toml:{expected}"));
    }

    #[test]
    fn a_refusal_names_file_line_key_and_range() {
        refused(
            "\n[totp]\nperiod = 5\n",
            "3: totp.period: must be a duration from 15s to 2m",
        );
        refused(
            "[totp]\nfuture_steps = 3",
            "2: totp.future_steps: must be a whole number from 0 to 2",
        );
        refused("[totp]\ndigits = 7", "2: totp.digits: must be 6 or 8");
        refused(
            "[recovery]\n\ncount = 12",
            "3: recovery.count: 12 codes of 10 characters leave 46.4 bits per guess, at least 47 are required; set a lower count or a greater length",
        );
        refused(
            "[throttle]\nlock_after = 101",
            "2: throttle.lock_after: must be a whole number from 10 to 100",
        );
        refused(
            "[store]\nurl = \"mysql://x\"",
            "2: store.url: must be \"sqlite:\" and an absolute path",
        );
        refused(
            "[[policy.exempt]]\n",
            "1: policy.exempt: an exemption needs at least one of groups, services, networks, completed_methods",
        );
        refused(
            "[policy]\nrequired = \"some\"",
            "2: policy.required: must be \"enrolled\", \"all\", or a list of names, \"%groups\" and exceptions with \"!\"",
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones() {
        let error = validate(Path::new("p.toml"), "[totp]\nperoid = 30\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(
                "p.toml:2: totp.peroid: unknown field `peroid`, expected one of `issuer`"
            ),
            "{error}"
        );
        // an old name counts in its own table only
        let error = validate(Path::new("p.toml"), "[totp]\ntime_limit = 30\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("p.toml:2: totp.time_limit: unknown field"),
            "{error}"
        );
        let error = validate(Path::new("p.toml"), "[totp]\n[mail]\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("p.toml:2: mail: unknown field `mail`"),
            "{error}"
        );
    }

    #[test]
    fn broken_toml_names_its_line() {
        let error = validate(Path::new("p.toml"), "[totp]\nperiod = \n")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("p.toml:2: "), "{error}");
    }

    #[test]
    fn a_typo_falls_back_to_the_last_valid_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(&path, "[totp]\nperiod = 60\n").unwrap();
        fs::create_dir(folder.path().join("accounts.d")).unwrap();
        let declared = "[[account]]\nname = \"bob\"\nsecret_file = \"/run/bob\"\n";
        fs::write(folder.path().join("accounts.d/bob.toml"), declared).unwrap();
        save_valid_copy(&path).unwrap();

        fs::write(&path, "[totp]\nperiod = 6\n").unwrap();
        let in_force = load_config(&path).unwrap();
        assert_eq!(in_force.config.totp.period.seconds(), 60);
        assert!(
            in_force
                .config
                .find_declared_account(&"bob".parse().unwrap())
                .is_some()
        );
        assert!(
            in_force
                .fallback
                .unwrap()
                .to_string()
                .contains("postern.toml:2: totp.period")
        );
    }

    #[test]
    fn what_a_cut_off_writer_left_is_refused() {
        refused_as_it_is("", "1: is empty; to keep every default, write a comment");
        refused_as_it_is(
            " \n\n",
            "1: is empty; to keep every default, write a comment",
        );
        refused_as_it_is(
            "[store]\n[poli",
            "2: does not end with a newline (truncated?)",
        );
    }

    #[track_caller]
    fn refused_as_it_is(text: &str, expected: &str) {
        let error = validate(Path::new("p.toml"), text).unwrap_err().to_string();
        assert_eq!(error, format!("p.toml:{expected}"));
    }

    #[test]
    fn inline_accounts_and_those_of_accounts_d_make_one_valid_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(
            &path,
            "account = [{ name = \"a\", secret_file = \"/run/a\" }]\n",
        )
        .unwrap();
        fs::create_dir(folder.path().join("accounts.d")).unwrap();
        let extra = "account = [{ name = \"b\", secret_file = \"/run/b\" }]\n";
        fs::write(folder.path().join("accounts.d/b.toml"), extra).unwrap();
        save_valid_copy(&path).unwrap();
        fs::write(&path, "typo\n").unwrap();
        assert_eq!(load_config(&path).unwrap().config.account.len(), 2);
    }

    #[test]
    fn a_typo_without_a_copy_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(&path, "[totp]\nperiod = 6\n").unwrap();
        assert!(load_config(&path).is_err());
    }

    #[test]
    fn accounts_d_declares_accounts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(&path, "# defaults\n").unwrap();
        fs::create_dir(folder.path().join("accounts.d")).unwrap();
        let extra = folder.path().join("accounts.d/x.toml");
        fs::write(&extra, "[totp]\nperiod = 60\n").unwrap();
        assert!(
            read_config(&path)
                .err()
                .unwrap()
                .to_string()
                .contains("[[account]] tables only")
        );
        let twice = "[[account]]\nname = \"bob\"\nsecret_file = \"/run/bob\"\n".repeat(2);
        fs::write(&extra, twice).unwrap();
        assert!(
            read_config(&path)
                .err()
                .unwrap()
                .to_string()
                .contains("declared twice")
        );
    }
}
