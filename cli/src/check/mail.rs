//! Mail: whether the server, the webhook or the program can be reached, and whether mail waits.

use crate::check::finding::Finding;
use crate::check::machine::Machine;
use postern_shared::config::Config;
use postern_shared::config::email::COMMAND_SOCKET;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// Time limit of one connection.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn findings(machine: &Machine, config: &Config) -> Vec<Finding> {
    let email = &config.email;
    if !email.is_enabled() {
        return Vec::new();
    }
    let smtp = email
        .smtp_url
        .as_ref()
        .map(|url| ("email.smtp_url", &url.host, url.port));
    let webhook = email
        .webhook_url
        .as_ref()
        .map(|url| ("email.webhook_url", &url.host, url.port));
    let mut findings: Vec<Finding> = [smtp, webhook]
        .into_iter()
        .flatten()
        .filter_map(|(key, host, port)| {
            let error = connect(host, port).err()?;
            Some(
                Finding::fault(
                    "mail",
                    format_args!(
                        "{key}: {host} port {port} cannot be reached: {error}; mail waits"
                    ),
                )
                .in_file("/etc/postern/postern.toml")
                .remedy("correct the key with postern edit, or let this machine reach the server"),
            )
        })
        .collect();
    if email.uses_command()
        && !machine
            .listening_paths()
            .contains(Path::new(COMMAND_SOCKET))
    {
        findings.push(
            Finding::warning("mail", format_args!("email.command: nothing listens at {COMMAND_SOCKET}, where it is run, and mail waits"))
                .in_file("/etc/postern/postern.toml")
                .remedy("systemctl enable --now postern-mail.socket"),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok("mail", "the mail service can be reached"));
    }
    findings
}

/// The finding for mail that should have been sent already.
pub(crate) fn overdue() -> Finding {
    Finding::warning("mail", "mail waits").remedy("start posternd, which sends it, or see its log")
}

fn connect(host: &str, port: u16) -> std::io::Result<()> {
    let host = host.trim_matches(['[', ']']);
    let mut error = std::io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()?.take(4) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(failed) => error = failed,
        }
    }
    Err(error)
}
