//! Reading postern.toml from disk. A typo locks nobody out: a door falls back to the last valid copy and has
//! a line for the log; a command refuses and names file, line and key.

use super::{Config, locate};
use crate::files::{self, Existing, FileError, Follow, Privacy};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// The most that is read of one configuration file, in bytes.
pub const LARGEST: u64 = 4 * 1024 * 1024;

/// A configuration that validated, and the text it came from: postern.toml and all of accounts.d.
pub struct Valid {
    /// The configuration.
    pub config: Config,
    /// The text that made it, fit to be kept as the last valid copy.
    pub text: String,
}

/// What a door goes by.
pub struct InForce {
    /// The configuration.
    pub config: Config,
    /// Why it is the last valid copy instead of the file itself.
    pub problem: Option<ConfigError>,
}

/// Reads and validates postern.toml and the files of accounts.d beside it.
pub fn read(path: &Path) -> Result<Valid, ConfigError> {
    let text = text_of(path)?;
    together(path, text)
}

/// Validates text as if it stood in `path`, together with the files of accounts.d beside it.
pub fn together(path: &Path, text: String) -> Result<Valid, ConfigError> {
    let mut config = validate(path, &text)?;
    let extras = accounts_d(path)?;
    for extra in &extras {
        config.account.append(&mut accounts(extra, &text_of(extra)?)?);
        config.check().map_err(|conflict| ConfigError::Content {
            path: extra.clone(),
            line: 1,
            key: None,
            message: conflict.message,
        })?;
    }
    // Texts cannot be joined in every case; what they say together can be written anew.
    let text = match extras.as_slice() {
        [] => text,
        _ => format!(
            "# postern.toml and accounts.d together\n{}",
            toml::to_string(&config).unwrap_or_default()
        ),
    };
    Ok(Valid { config, text })
}

/// What a door goes by at this moment: the file, or if what stands in it does not validate, the last valid copy.
/// A file that is missing or not to be trusted is no typo: nobody enters.
pub fn in_force(path: &Path) -> Result<InForce, ConfigError> {
    let problem = match read(path) {
        Ok(valid) => return Ok(InForce { config: valid.config, problem: None }),
        Err(problem @ ConfigError::File(_)) => return Err(problem),
        Err(problem) => problem,
    };
    let copy = copy_path(path);
    match text_of(&copy).and_then(|text| validate(&copy, &text)) {
        Ok(config) => Ok(InForce { config, problem: Some(problem) }),
        Err(_) => Err(problem),
    }
}

/// Refreshes the last valid copy, if it differs.
pub fn keep(path: &Path, valid: &Valid) -> Result<(), FileError> {
    let copy = copy_path(path);
    match text_of(&copy) {
        Ok(kept) if kept == valid.text => Ok(()),
        // never a copy that would not validate when it is needed
        _ if validate(&copy, &valid.text).ok().as_ref() != Some(&valid.config) => Err(FileError::io(
            &copy,
            std::io::Error::other("the configuration cannot be written down as it was understood"),
        )),
        _ => files::write(&copy, valid.text.as_bytes(), 0o644, None, Existing::Replace),
    }
}

fn validate(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let refuse = |position: Option<usize>, key: Option<String>, message: String| ConfigError::Content {
        path: path.to_owned(),
        line: position.map_or(1, |p| locate::line(text, p)),
        key,
        message,
    };
    // Half a policy would validate too: what a cut-off writer left is refused.
    if text.trim().is_empty() {
        return Err(refuse(
            None,
            None,
            "is empty; a file with a comment alone keeps every default".to_owned(),
        ));
    }
    if !text.ends_with('\n') {
        let end = "does not end with a newline: cut off?".to_owned();
        return Err(refuse(Some(text.len()), None, end));
    }
    let config: Config = toml::from_str(text).map_err(|error| {
        let position = error.span().map(|span| span.start);
        let key = position.and_then(|p| locate::key_at(text, p));
        refuse(position, key, error.message().replace('\n', ", "))
    })?;
    config.check().map_err(|conflict| {
        let position = locate::position_of(text, conflict.path);
        refuse(position, Some(conflict.path.join(".")), conflict.message)
    })?;
    Ok(config)
}

fn accounts(path: &Path, text: &str) -> Result<Vec<super::Declared>, ConfigError> {
    let config = validate(path, text)?;
    if (Config { account: Vec::new(), ..config.clone() }) != Config::default() {
        return Err(ConfigError::Content {
            path: path.to_owned(),
            line: 1,
            key: None,
            message: "a file in accounts.d holds [[account]] tables only".to_owned(),
        });
    }
    Ok(config.account)
}

/// The last valid copy stands beside the file: postern.toml.valid.
pub fn copy_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".valid");
    PathBuf::from(name)
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    let bytes = files::read(path, Privacy::Public, Follow::No, LARGEST)?;
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        ConfigError::Content {
            path: path.to_owned(),
            line: 1 + error.as_bytes()[..position].iter().filter(|b| **b == b'\n').count(),
            key: None,
            message: "not UTF-8".to_owned(),
        }
    })
}

/// The files of accounts.d, in the order of their names.
fn accounts_d(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = path.with_file_name("accounts.d");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::io(&folder, error).into()),
    };
    files::trust_folder(&folder)?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| FileError::io(&folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read, or may not be trusted.
    File(FileError),
    /// What stands in it is refused.
    Content {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The dotted key, where there is one.
        key: Option<String>,
        /// What is wrong and what is allowed.
        message: String,
    },
}

impl From<FileError> for ConfigError {
    fn from(error: FileError) -> ConfigError {
        ConfigError::File(error)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::File(error) => error.fmt(f),
            ConfigError::Content { path, line, key, message } => {
                write!(f, "{}:{line}: ", path.display())?;
                if let Some(key) = key {
                    write!(f, "{key}: ")?;
                }
                f.write_str(message)
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::File(error) => Some(error),
            ConfigError::Content { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let text = format!("{text}\n");
        let error = validate(Path::new("/etc/postern/postern.toml"), &text).unwrap_err().to_string();
        assert_eq!(error, format!("/etc/postern/postern.toml:{expected}"));
    }

    #[test]
    fn a_refusal_names_file_line_key_and_range() {
        refused("\n[totp]\nperiod = 5\n", "3: totp.period: must be a duration from 15s to 2m");
        refused("[totp]\nfuture_steps = 3", "2: totp.future_steps: must be a whole number from 0 to 2");
        refused("[totp]\ndigits = 7", "2: totp.digits: must be 6 or 8");
        refused(
            "[recovery]\n\ncount = 12",
            "3: recovery.count: 12 codes of 10 characters leave 46.4 bits per guess, at least 47 are needed: fewer codes, or a greater length",
        );
        refused(
            "[throttle]\nlock_after = 101",
            "2: throttle.lock_after: must be a whole number from 10 to 100",
        );
        refused("[store]\nurl = \"mysql://x\"", "2: store.url: must be \"sqlite:\" and an absolute path");
        refused(
            "[[policy.exempt]]\n",
            "1: policy.exempt: an exemption needs at least one of groups, services, networks, after",
        );
        refused(
            "[policy]\nrequired = \"some\"",
            "2: policy.required: must be \"enrolled\", \"all\", or a list of names, \"%groups\" and exceptions with \"!\"",
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones() {
        let error = validate(Path::new("p.toml"), "[totp]\nperoid = 30\n").unwrap_err().to_string();
        assert!(
            error.starts_with("p.toml:2: totp.peroid: unknown field `peroid`, expected one of `issuer`"),
            "{error}"
        );
        let error = validate(Path::new("p.toml"), "[totp]\n[mail]\n").unwrap_err().to_string();
        assert!(error.starts_with("p.toml:2: mail: unknown field `mail`"), "{error}");
    }

    #[test]
    fn broken_toml_names_its_line() {
        let error = validate(Path::new("p.toml"), "[totp]\nperiod = \n").unwrap_err().to_string();
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
        keep(&path, &read(&path).unwrap()).unwrap();

        fs::write(&path, "[totp]\nperiod = 6\n").unwrap();
        let in_force = in_force(&path).unwrap();
        assert_eq!(in_force.config.totp.period.seconds(), 60);
        assert!(in_force.config.declared(&"bob".parse().unwrap()).is_some());
        assert!(in_force.problem.unwrap().to_string().contains("postern.toml:2: totp.period"));
    }

    #[test]
    fn what_a_cut_off_writer_left_is_refused() {
        refused_as_it_is("", "1: is empty; a file with a comment alone keeps every default");
        refused_as_it_is(" \n\n", "1: is empty; a file with a comment alone keeps every default");
        refused_as_it_is("[store]\n[poli", "2: does not end with a newline: cut off?");
    }

    #[track_caller]
    fn refused_as_it_is(text: &str, expected: &str) {
        let error = validate(Path::new("p.toml"), text).unwrap_err().to_string();
        assert_eq!(error, format!("p.toml:{expected}"));
    }

    #[test]
    fn a_missing_file_is_no_typo() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(&path, "# defaults\n").unwrap();
        keep(&path, &read(&path).unwrap()).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(in_force(&path).is_err());
    }

    #[test]
    fn inline_accounts_and_those_of_accounts_d_make_one_valid_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(&path, "account = [{ name = \"a\", secret_file = \"/run/a\" }]\n").unwrap();
        fs::create_dir(folder.path().join("accounts.d")).unwrap();
        let extra = "account = [{ name = \"b\", secret_file = \"/run/b\" }]\n";
        fs::write(folder.path().join("accounts.d/b.toml"), extra).unwrap();
        keep(&path, &read(&path).unwrap()).unwrap();
        fs::write(&path, "typo\n").unwrap();
        assert_eq!(in_force(&path).unwrap().config.account.len(), 2);
    }

    #[test]
    fn a_typo_without_a_copy_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(&path, "[totp]\nperiod = 6\n").unwrap();
        assert!(in_force(&path).is_err());
    }

    #[test]
    fn accounts_d_declares_accounts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        fs::write(&path, "# defaults\n").unwrap();
        fs::create_dir(folder.path().join("accounts.d")).unwrap();
        let extra = folder.path().join("accounts.d/x.toml");
        fs::write(&extra, "[totp]\nperiod = 60\n").unwrap();
        assert!(read(&path).err().unwrap().to_string().contains("[[account]] tables only"));
        let twice = "[[account]]\nname = \"bob\"\nsecret_file = \"/run/bob\"\n".repeat(2);
        fs::write(&extra, twice).unwrap();
        assert!(read(&path).err().unwrap().to_string().contains("declared twice"));
    }
}
