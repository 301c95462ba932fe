//! `postern --gate`: administration of a gate on another host, over TLS, with the gate's
//! administration secret. The output equals that of the same command on the host of the store.
//!
//! MUST NOT send the secret to any address but the one on the command line: no plain HTTP, no
//! redirect, no HTTP proxy.

use super::status::{self, ShownStatus};
use super::{disable, one_time_code};
use crate::arguments::remote_gate::RemoteGateArguments;
use crate::arguments::{Arguments, Command};
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postern_shared::account::name::UserName;
use postern_shared::config::gate::GateUrl;
use postern_shared::protocol::admin_api::{
    AccountList, AccountState, AdminProblem, IssuedCode, LARGEST_REPLY, LARGEST_SECRET,
    OperationDone, PATH, SHORTEST_SECRET, Unlock, is_secret,
};
use postern_shared::system::trusted_file::{self, Follow, Privacy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, RequestBuilder};
use zeroize::Zeroizing;

/// Time limit of one request. To turn a second factor off, the gate waits for every other gate.
const PATIENCE: Duration = Duration::from_secs(30);
/// Maximum size of a file of certificates, in bytes.
const LARGEST_CA: u64 = 1024 * 1024;

/// Error code of a gate that has no administration by programs, or that does not allow it from this
/// address.
const NOT_FOUND: &str = "not_found";

/// The connection to a gate, with the secret of its administration.
struct RemoteGate {
    agent: Agent,
    url: String,
    authorization: Zeroizing<String>,
}

/// Runs the command of the command line at a gate.
pub(crate) fn run(arguments: &Arguments, output: Output, url: &GateUrl) -> CommandResult {
    let gate = || RemoteGate::open(&arguments.afar, url);
    match &arguments.command {
        Command::Status(what) if what.hosts || what.metrics => Err(CommandFailure::Usage(
            "--hosts and --metrics are about the store of this host; omit --gate",
        )),
        Command::Status(what) => match &what.user {
            None => status::show(output, &gate()?.accounts()?, ShownStatus::All),
            Some(user) => status::show(output, &[gate()?.get(&of(user, ""))?], ShownStatus::One),
        },
        Command::Disable(what) => {
            let done = gate()?.post::<OperationDone>(&of(&what.user, "/disable"));
            let (success, message) = match &done {
                Ok(done) => (true, done.message.clone()),
                Err(CommandFailure::Message(message)) => (false, message.clone()),
                Err(_) => return done.map(drop),
            };
            disable::table(output, success, message)?;
            done.map(drop).map_err(|_| CommandFailure::Reported)
        }
        Command::Unlock(what) => {
            let body = Unlock { clock: what.clock };
            let done: OperationDone = gate()?.post_json(&of(&what.user, "/unlock"), &body)?;
            output.done(done.message)
        }
        Command::OneTimeCode(what) => {
            let path = of(&what.user, "/one-time-code");
            if what.cancel {
                return output.done(gate()?.delete::<OperationDone>(&path)?.message);
            }
            output.is_seen()?;
            let gate = gate()?;
            let issued: IssuedCode = gate.post(&path)?;
            let shown = one_time_code::show(output, &issued);
            if shown.is_err() {
                // the code was not shown, so it is of no use
                let _: OperationDone = gate.delete(&path)?;
            }
            shown
        }
        _ => Err(CommandFailure::Usage(
            "only status, disable, unlock and one-time-code can be run at a gate; run this command on the gate's host, without --gate",
        )),
    }
}

/// Returns the path of an act on an account.
fn of(user: &UserName, act: &str) -> String {
    format!(
        "accounts/{}{act}",
        utf8_percent_encode(user.as_str(), NON_ALPHANUMERIC)
    )
}

/// Reads the certificate authorities of one file.
fn authority(file: &Path) -> CommandResult<Vec<Certificate<'static>>> {
    let pem = trusted_file::read_trusted(file, Privacy::Public, Follow::Yes, LARGEST_CA)?;
    let invalid = |error| CommandFailure::new(format_args!("{}: {error}", file.display()));
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(invalid)? {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(CommandFailure::new(format_args!(
            "{}: contains no certificate in PEM format",
            file.display()
        ))),
        false => Ok(found),
    }
}

/// Returns the certificate authorities that this host trusts.
fn known_here() -> CommandResult<Vec<Certificate<'static>>> {
    let known = rustls_native_certs::load_native_certs().certs;
    match known.is_empty() {
        true => Err(CommandFailure::new(
            "this host has no certificate authorities; install ca-certificates, or give --gate-ca",
        )),
        false => Ok(known
            .iter()
            .map(|one| Certificate::from_der(one).to_owned())
            .collect()),
    }
}

impl RemoteGate {
    fn open(afar: &RemoteGateArguments, url: &GateUrl) -> CommandResult<RemoteGate> {
        let Some(file) = &afar.admin_secret_file else {
            return Err(CommandFailure::Usage("--gate needs --admin-secret-file"));
        };
        let secret =
            trusted_file::read_trusted(file, Privacy::Secret, Follow::Yes, LARGEST_SECRET)?;
        let secret = std::str::from_utf8(secret.trim_ascii())
            .ok()
            .filter(|text| is_secret(text.as_bytes()));
        let Some(secret) = secret else {
            return Err(CommandFailure::new(format_args!(
                "{}: must contain a secret of at least {SHORTEST_SECRET} characters on one line",
                file.display()
            )));
        };
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = match &afar.gate_ca {
            Some(file) => authority(file)?,
            None => known_here()?,
        };
        let config = Agent::config_builder()
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("postern/", env!("CARGO_PKG_VERSION")))
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::Specific(Arc::new(roots)))
                    .build(),
            );
        Ok(RemoteGate {
            agent: config.build().into(),
            url: format!("{}{}{PATH}", url.origin(), url.path),
            authorization: Zeroizing::new(format!("Bearer {secret}")),
        })
    }

    /// Reads all accounts, one page at a time.
    fn accounts(&self) -> CommandResult<Vec<AccountState>> {
        let mut all: Vec<AccountState> = Vec::new();
        loop {
            let after = all.last().map_or_else(String::new, |last| {
                format!(
                    "?after={}",
                    utf8_percent_encode(last.account.as_str(), NON_ALPHANUMERIC)
                )
            });
            let AccountList { accounts: page } = self.get(&format!("accounts{after}"))?;
            let comes_later =
                |one: &AccountState| all.last().is_none_or(|last| one.account > last.account);
            if !page.iter().all(comes_later) {
                return Err(self.unexpected_reply());
            }
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Returns a request with the secret, for a path below that of the API.
    fn request<B>(
        &self,
        method: fn(&Agent, String) -> RequestBuilder<B>,
        path: &str,
    ) -> RequestBuilder<B> {
        method(&self.agent, format!("{}{path}", self.url))
            .header("Authorization", self.authorization.as_str())
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> CommandResult<T> {
        self.read(self.request(Agent::get, path).call())
    }

    fn post<T: DeserializeOwned>(&self, path: &str) -> CommandResult<T> {
        self.read(self.request(Agent::post, path).send_empty())
    }

    fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> CommandResult<T> {
        let body = serde_json::to_string(body)?;
        let request = self
            .request(Agent::post, path)
            .content_type("application/json");
        self.read(request.send(body))
    }

    fn delete<T: DeserializeOwned>(&self, path: &str) -> CommandResult<T> {
        self.read(self.request(Agent::delete, path).call())
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> CommandResult<T> {
        let unreached = |error| CommandFailure::new(format_args!("{}: {error}", self.url));
        let mut answer = answer.map_err(unreached)?;
        let status = answer.status();
        let body = answer
            .body_mut()
            .with_config()
            .limit(LARGEST_REPLY)
            .read_to_vec();
        let body = Zeroizing::new(body.map_err(unreached)?);
        let body = if is_plain(&body) {
            body.as_slice()
        } else {
            b""
        };
        if status == StatusCode::OK {
            return serde_json::from_slice(body).map_err(|_| self.unexpected_reply());
        }
        match serde_json::from_slice::<AdminProblem>(body) {
            Ok(problem) if problem.code != NOT_FOUND => Err(CommandFailure::new(problem.detail)),
            _ if status == StatusCode::NOT_FOUND => Err(CommandFailure::new(format_args!(
                "{}: not found; [gate.administration] in that gate's postern.toml sets a secret and the networks from which it is accepted",
                self.url
            ))),
            _ => Err(CommandFailure::new(format_args!(
                "{}: answered {status}",
                self.url
            ))),
        }
    }

    fn unexpected_reply(&self) -> CommandFailure {
        CommandFailure::new(format_args!("{}: this is not a reply of a gate", self.url))
    }
}

/// Returns whether JSON can move no terminal's cursor: it holds no control character, neither raw
/// nor as an escape.
fn is_plain(json: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(json) else {
        return false;
    };
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let is_odd = match c {
            '\\' => !matches!(chars.next(), Some('"' | '\\' | '/')),
            c => c.is_control(),
        };
        if is_odd {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_moves_the_cursor() {
        assert!(is_plain(
            "{\"message\":\"über \\\"alice\\\" \\\\\"}".as_bytes()
        ));
        for json in [
            "\"\\u001b[2J\"",
            "\"\\n\"",
            "\"\u{1b}\"",
            "\"\u{9b}2J\"",
            "\"\\",
        ] {
            assert!(!is_plain(json.as_bytes()), "{json:?}");
        }
        assert!(!is_plain(&[0xff]));
    }
}
