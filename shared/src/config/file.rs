//! Reads and validates postern.toml and the files of accounts.d. If they cannot be read or are
//! invalid, the saved copy of the last valid configuration applies, so that an error in the file
//! locks out no user.
//! Root saves that copy before a new configuration applies, so that a later error cannot bring back
//! an older one. Commands refuse an invalid file, and name file, line and key.

mod error;
mod last_valid;
pub(super) mod locate;
mod renamed;
mod unchanged;
mod wording;

pub use error::{ConfigError, Fallback};
pub use last_valid::LastValidConfig;

use super::Config;
use super::check::Conflict;
use crate::account::name::UserName;
use crate::system::clock::Timestamp;
use crate::system::trusted_file::{self, FileError, Follow, Privacy, TrustedFolder};
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
const SEVERAL_FILES: &str = "# postern.toml and accounts.d together, ";

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
    has_account_files: bool,
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

impl CurrentConfig {
    fn from_files(config: Config, is_saved: bool) -> CurrentConfig {
        CurrentConfig {
            config,
            fallback: None,
            is_saved,
        }
    }
}

/// Reads and validates postern.toml and the files of accounts.d beside it.
pub fn read_config(path: &Path) -> Result<ValidConfig, ConfigError> {
    validate_with_accounts(path, read_text(path, Follow::Yes)?)
}

/// Validates text as the content of `path`, with the files of accounts.d beside it.
pub fn validate_with_accounts(path: &Path, text: String) -> Result<ValidConfig, ConfigError> {
    let mut config = validate(path, &text)?;
    let mut hash = Sha256::new_with_prefix(text.as_bytes());
    let mut names: BTreeSet<UserName> = config.account.iter().map(|a| a.name.clone()).collect();
    let mut has_account_files = false;
    for (file, text) in read_accounts_d(path)? {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(text.as_bytes());
        has_account_files = true;
        for account in parse_accounts(&file, &text)? {
            if !names.insert(account.name.clone()) {
                let message = format!("the account {} is declared twice", account.name);
                return Err(ConfigError::content(&file, 1, None, message));
            }
            config.account.push(account);
        }
    }
    if has_account_files {
        let refuse = |conflict: Conflict| ConfigError::content(path, 1, None, conflict.message);
        config.check().map_err(refuse)?;
    }
    Ok(ValidConfig {
        config,
        text,
        source: ConfigSource {
            hash: hash.finalize().into(),
            has_account_files,
        },
    })
}

/// Returns the configuration that applies now: the files, or the saved copy if the files are
/// invalid or not trusted.
/// A process of root saves a new configuration first; if that fails, the saved one still applies.
pub fn load_config(path: &Path) -> Result<CurrentConfig, ConfigError> {
    let files = unchanged::ConfigFiles::capture(path, copy_path(path)).ok();
    if let Some(config) = files
        .as_ref()
        .and_then(|files| unchanged::find_cached(path, files))
    {
        return Ok(CurrentConfig::from_files(config, true));
    }
    let reason = match read_current(path) {
        Ok((valid, is_saved)) => {
            if let Some(files) = files.filter(|_| is_saved) {
                unchanged::cache_config(path, files, &valid.config);
            }
            return Ok(CurrentConfig::from_files(valid.config, is_saved));
        }
        Err(reason) => reason,
    };
    let copy = copy_path(path);
    match read_text(&copy, Follow::No).and_then(|text| validate(&copy, &text)) {
        Ok(config) => {
            let metadata = copy.metadata();
            let changed = metadata.and_then(|metadata| metadata.modified()).ok();
            let since = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let fallback = Fallback {
                reason,
                copy: Some(copy),
                since: since.map(|time| Timestamp(time.as_secs())),
            };
            Ok(CurrentConfig {
                fallback: Some(fallback),
                ..CurrentConfig::from_files(config, true)
            })
        }
        Err(no_copy) => match (reason, no_copy) {
            // no saved copy exists, so no older configuration can come back
            (ConfigError::NotSaved { valid, .. }, ConfigError::File(error))
                if error.is_missing() =>
            {
                Ok(CurrentConfig::from_files(valid.config, false))
            }
            (reason, no_copy) => Err(ConfigError::NoCopy {
                reason: Box::new(reason),
                copy: Box::new(no_copy),
            }),
        },
    }
}

/// Returns the configuration in the files, and whether it is saved. A process of root saves it.
fn read_current(path: &Path) -> Result<(ValidConfig, bool), ConfigError> {
    if geteuid().is_root() {
        return save_valid_copy(path).map(|valid| (valid, true));
    }
    let valid = read_config(path)?;
    let is_saved = valid.is_saved_at(&copy_path(path));
    Ok((valid, is_saved))
}

/// Reads the configuration and saves it as the copy that applies when the files are invalid.
/// A writer can change the files meanwhile; the saved copy is the last state that was read.
pub fn save_valid_copy(path: &Path) -> Result<ValidConfig, ConfigError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let valid = read_config(path)?;
        match save_copy(path, &valid) {
            Ok(SavedCopy::Unchanged) => return Ok(valid),
            // the files may have changed just before the copy was written
            Ok(SavedCopy::Written) if tries < TRIES => {}
            Ok(SavedCopy::Written) => return Ok(valid),
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
    Unchanged,
    Written,
}

fn save_copy(path: &Path, valid: &ValidConfig) -> Result<SavedCopy, FileError> {
    let copy = copy_path(path);
    if valid.is_saved_at(&copy) {
        return Ok(SavedCopy::Unchanged);
    }
    let text = valid.copy_text();
    // the copy must be valid when it is needed
    if validate(&copy, &text).ok().as_ref() != Some(&valid.config) {
        let message = "the configuration in use cannot be written as TOML";
        return Err(FileError::io(&copy, std::io::Error::other(message)));
    }
    let is_current = || read_config(path).is_ok_and(|now| now.source == valid.source);
    trusted_file::replace_if(&copy, text.as_bytes(), 0o644, is_current)?;
    Ok(SavedCopy::Written)
}

impl ValidConfig {
    /// Returns the text of the copy. Several files cannot always be joined as text, so their values
    /// are serialized instead.
    fn copy_text(&self) -> String {
        match self.source.has_account_files {
            false => self.text.clone(),
            true => format!(
                "{}{}",
                self.copy_header(),
                toml::to_string(&self.config).unwrap_or_default()
            ),
        }
    }

    fn copy_header(&self) -> String {
        let hash = data_encoding::HEXLOWER.encode(&self.source.hash);
        format!("{SEVERAL_FILES}{} {hash}\n", env!("CARGO_PKG_VERSION"))
    }

    fn is_saved_at(&self, copy: &Path) -> bool {
        read_text(copy, Follow::No).is_ok_and(|saved| match self.source.has_account_files {
            false => saved == self.text,
            true => saved.starts_with(&self.copy_header()),
        })
    }
}

fn validate(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let refuse = |position: Option<usize>, key: Option<String>, message: String| {
        let line = position.map_or(1, |p| locate::line_number(text, p));
        ConfigError::content(path, line, key, message)
    };
    // A truncated file can be valid TOML with a weaker policy, so it is refused.
    if text.trim().is_empty() {
        let empty = "is empty; to keep every default, write a comment".to_owned();
        return Err(refuse(None, None, empty));
    }
    if !text.ends_with('\n') {
        let end = "does not end with a newline (truncated?)".to_owned();
        return Err(refuse(Some(text.len()), None, end));
    }
    let mut config: Config = toml::from_str(text).map_err(|error| {
        let position = error.span().map(|span| span.start);
        let key = position.and_then(|p| locate::key_at(text, p));
        if let Some(new) = key.as_deref().and_then(renamed::find_new_name) {
            return refuse(position, key, format!("is now called {new}"));
        }
        let (named, message) = wording::reword(error.message(), text, error.span());
        refuse(position, named.or(key), message)
    })?;
    let conflict = |conflict: Conflict| {
        let position = locate::position_of(text, conflict.path);
        refuse(position, Some(conflict.path.join(".")), conflict.message)
    };
    config.resolve_host_groups().map_err(conflict)?;
    config.check().map_err(conflict)?;
    Ok(config)
}

fn parse_accounts(path: &Path, text: &str) -> Result<Vec<super::DeclaredAccount>, ConfigError> {
    let config = validate(path, text)?;
    let mut others = config;
    let accounts = std::mem::take(&mut others.account);
    if others != Config::default() {
        let message = "a file in accounts.d holds [[account]] tables only";
        return Err(ConfigError::content(path, 1, None, message));
    }
    Ok(accounts)
}

/// Returns the line, from 1, of the key at `keys` in a text of postern.toml, or of the innermost
/// part of it that exists. An array element is named by its index, from 0.
pub fn line_of_key(text: &str, keys: &[&str]) -> Option<usize> {
    locate::position_of(text, keys).map(|position| locate::line_number(text, position))
}

/// Returns the path of the saved copy: postern.toml.valid beside postern.toml.
pub fn copy_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".valid");
    PathBuf::from(name)
}

fn read_text(path: &Path, follow: Follow) -> Result<String, ConfigError> {
    let bytes = trusted_file::read_trusted(path, Privacy::Public, follow, LARGEST)?;
    decode_text(path, &bytes)
}

fn decode_text(path: &Path, bytes: &[u8]) -> Result<String, ConfigError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        ConfigError::content(path, line, None, "not UTF-8")
    })?;
    Ok(text.to_owned())
}

/// Returns the files of accounts.d and their texts, ordered by file name. Owner and mode of the
/// folder are checked once.
fn read_accounts_d(path: &Path) -> Result<Vec<(PathBuf, String)>, ConfigError> {
    let path = path.with_file_name("accounts.d");
    let folder = match TrustedFolder::open(&path) {
        Ok(folder) => folder,
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let read_text = |name: PathBuf| {
        let path = path.join(&name);
        let text = decode_text(&path, &folder.read_file(&name, Privacy::Public, LARGEST)?)?;
        Ok((path, text))
    };
    folder
        .file_names("toml")?
        .into_iter()
        .map(read_text)
        .collect()
}

impl fmt::Debug for ValidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidConfig").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
