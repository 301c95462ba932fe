//! The target file: where the applications and the gate are, how a person signs in there, and
//! which commands change the gate. Unknown keys are refused.

use crate::net::url::Url;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Largest target file, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A gate behind a proxy, with applications behind both.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// Heading of the column in the matrix.
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) connect: Connect,
    pub(crate) application: Application,
    pub(crate) gate: Gate,
    pub(crate) sign_in: SignIn,
    /// The first is the person of most cases. Each group that guesses spoils one of the last.
    #[serde(rename = "account")]
    pub(crate) accounts: Vec<Account>,
    #[serde(default)]
    pub(crate) paths: Paths,
    #[serde(default)]
    pub(crate) limits: Limits,
    #[serde(default)]
    pub(crate) commands: Commands,
}

/// How the proxy is reached.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connect {
    /// Address and port for every host. Without it, names are resolved.
    pub(crate) address: Option<SocketAddr>,
    /// Whether any certificate is accepted.
    #[serde(default)]
    pub(crate) insecure: bool,
    /// Certificates of the authority, as PEM.
    pub(crate) ca_file: Option<PathBuf>,
    /// Addresses of this machine from which guesses are sent, at least 12 for all cases.
    #[serde(default)]
    pub(crate) guess_from: Vec<IpAddr>,
}

/// The echo application behind the gate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    pub(crate) url: Url,
    /// A second application behind the same gate.
    pub(crate) other_url: Option<Url>,
    /// The header with the account's name.
    #[serde(default = "remote_user")]
    pub(crate) identity: String,
    /// All headers with which the gate names a person.
    #[serde(default = "identity_headers")]
    pub(crate) identity_headers: Vec<String>,
    /// Headers between proxy and gate that no application may receive.
    #[serde(default)]
    pub(crate) secret_headers: Vec<String>,
    #[serde(default)]
    pub(crate) echo: EchoFormat,
}

fn remote_user() -> String {
    "Remote-User".to_owned()
}

fn identity_headers() -> Vec<String> {
    [
        "Remote-User",
        "Remote-Groups",
        "Remote-Email",
        "Remote-Name",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// JSON pointers (RFC 6901) into the answer of the echo application.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EchoFormat {
    pub(crate) method: String,
    pub(crate) path: String,
    /// A list of pairs, or an object whose values are texts or lists of texts.
    pub(crate) headers: String,
    pub(crate) body_length: String,
}

impl Default for EchoFormat {
    fn default() -> EchoFormat {
        EchoFormat {
            method: "/method".to_owned(),
            path: "/path".to_owned(),
            headers: "/headers".to_owned(),
            body_length: "/body_length".to_owned(),
        }
    }
}

/// Where the gate's pages are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gate {
    pub(crate) url: Url,
    /// Name of the session cookie.
    pub(crate) session_cookie: String,
    /// Parts of the names of all cookies of the gate.
    pub(crate) own_cookies: Vec<String>,
    /// A page with `{rd}` that leads on to that URL once a person is signed in.
    pub(crate) return_page: Option<String>,
    /// Requests to the gate's own interface that need a session: method and path.
    #[serde(default)]
    pub(crate) own_api: Vec<String>,
    /// Requests with a session that change something, and need a token or the page's origin.
    #[serde(default)]
    pub(crate) changing: Vec<String>,
    /// Paths for the proxy alone.
    #[serde(default)]
    pub(crate) check_paths: Vec<String>,
    /// Pages on which a secret is enrolled.
    #[serde(default)]
    pub(crate) enrollment_pages: Vec<String>,
}

/// The HTTP requests by which a person signs in and out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// Up to the accepted password.
    pub(crate) password: Vec<Step>,
    /// From there to the accepted code.
    pub(crate) code: Vec<Step>,
    /// As `code`, with the request to trust this browser.
    #[serde(default)]
    pub(crate) trust: Vec<Step>,
    #[serde(default)]
    pub(crate) sign_out: Vec<Step>,
}

/// One request. Texts may hold `{user}`, `{password}`, `{code}` and `{rd}`, the page asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Method and path, below the gate's URL.
    pub(crate) request: String,
    #[serde(default)]
    pub(crate) form: BTreeMap<String, String>,
    /// Hidden fields that are taken from the page before.
    #[serde(default)]
    pub(crate) hidden: Vec<String>,
    /// Statuses after which the next step follows.
    #[serde(default = "ok")]
    pub(crate) status: Vec<u16>,
}

fn ok() -> Vec<u16> {
    vec![200]
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) password: String,
    /// TOTP secret in Base32: SHA-1, 6 digits, 30 s.
    pub(crate) secret: Option<String>,
    /// A command that prints a code which was not used before.
    pub(crate) code_command: Option<String>,
}

/// Paths of the application for which the gate has rules.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Paths {
    /// Path that is open to everyone.
    pub(crate) open: Option<String>,
    /// Path that is closed to everyone.
    pub(crate) denied: Option<String>,
    /// Needs the password alone.
    pub(crate) password: Option<String>,
    /// Open from some addresses only.
    pub(crate) network: Option<NetworkPath>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkPath {
    pub(crate) path: String,
    /// An address of this machine from which the path is open.
    pub(crate) from: IpAddr,
}

/// Durations in seconds, and sizes.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Longest life of a session, in seconds.
    pub(crate) session: Option<u64>,
    /// Longest time between password and code, in seconds.
    pub(crate) login: Option<u64>,
    /// Wrong codes after which a right one is not accepted at once.
    pub(crate) wrong_codes: usize,
    /// Time after which a person is let in again, in seconds.
    pub(crate) throttle: u64,
    /// Body of an upload, in bytes.
    pub(crate) upload: u64,
    /// Longest wait for a response, in seconds.
    pub(crate) patience: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            session: None,
            login: None,
            wrong_codes: 8,
            throttle: 3600,
            upload: 8 * 1024 * 1024,
            patience: 30,
        }
    }
}

impl Limits {
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// Commands for sh(1). Each succeeds with exit code 0; one that is missing skips its cases.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Commands {
    pub(crate) stop_gate: Option<String>,
    pub(crate) start_gate: Option<String>,
    pub(crate) restart_gate: Option<String>,
    /// Stops the gate's process so that its socket accepts and nothing answers.
    pub(crate) hang_gate: Option<String>,
    pub(crate) resume_gate: Option<String>,
    /// Revokes all sessions of `{user}`.
    pub(crate) revoke_sessions: Option<String>,
    /// Revokes all trusted browsers of `{user}`.
    pub(crate) revoke_browsers: Option<String>,
    /// Uses `{code}` of `{user}` at another way in. Any other exit code: it was refused.
    pub(crate) use_code: Option<String>,
    /// Sets the clocks of the gate and of this program ahead by `{seconds}`.
    pub(crate) advance: Option<String>,
    /// Prints a new app password of `{user}` for the application.
    pub(crate) add_app_password: Option<String>,
    /// Revokes that app password.
    pub(crate) revoke_app_password: Option<String>,
}

impl Target {
    /// Reads a target file. The error names the file and what to change.
    pub(crate) fn read(path: &Path) -> Result<Target, String> {
        let about = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let size = std::fs::metadata(path)
            .map_err(|error| about(&error))?
            .len();
        if size > LARGEST {
            return Err(about(&format!("above the limit of {LARGEST} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| about(&error))?;
        let target: Target = toml::from_str(&text).map_err(|error| about(&error))?;
        target.validate().map_err(|error| about(&error))?;
        Ok(target)
    }

    fn validate(&self) -> Result<(), String> {
        if self.accounts.is_empty() {
            return Err("at least one [[account]] is needed".to_owned());
        }
        for account in &self.accounts {
            if account.secret.is_none() == account.code_command.is_none() {
                let user = &account.user;
                return Err(format!(
                    "account {user} needs one of secret and code_command"
                ));
            }
            if let Some(secret) = &account.secret {
                crate::codes::decode_secret(secret)?;
            }
        }
        let steps = [
            &self.sign_in.password,
            &self.sign_in.code,
            &self.sign_in.trust,
            &self.sign_in.sign_out,
        ];
        let requests = steps.into_iter().flatten().map(|step| &step.request);
        let requests = requests
            .chain(&self.gate.own_api)
            .chain(&self.gate.changing);
        for request in requests {
            if request.split(' ').count() != 2 {
                return Err(format!("{request:?} is not a method and a path"));
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        let text = String::deserialize(deserializer)?;
        Url::parse(&text).ok_or_else(|| Error::custom(format!("{text:?} is not an https URL")))
    }
}
