//! The module's own log lines, for conversations that posternd does not log. Their format is that
//! of posternd's lines: fail2ban's filter and pam_totp(8) depend on it.
//!
//! MUST NOT log a name that no account can have: it may be a password typed at the prompt for the
//! name.

use crate::host::{HostCalls, PamItemType};
use postern_shared::account::name::{Service, UserName};
use postern_shared::protocol::Severity;
use std::fmt::Display;
use std::net::IpAddr;

/// Logs that access is denied. Does not prompt for a name.
pub(crate) fn log_denied(host: &dyn HostCalls, cause: &str, detail: &dyn Display) {
    let service = Service::from_pam(&host.item(PamItemType::Service).unwrap_or_default());
    let user = host
        .known_user()
        .and_then(|name| UserName::parse(&name).ok());
    let user = user.as_ref().map_or("-", UserName::as_str);
    let address = find_address(host, service.as_str());
    let address = address.as_deref().unwrap_or("-");
    let line = format!(
        "refused cause={cause} address={address} service={service} user={user:?}: {detail}"
    );
    host.log(Severity::Error, &line);
}

/// Returns the client's address: for the service sshd that of SSH_CONNECTION, else PAM_RHOST where
/// it is a literal address.
fn find_address(host: &dyn HostCalls, service: &str) -> Option<String> {
    let literal = |bytes: Vec<u8>| {
        let first = bytes.split(|byte| *byte == b' ').next()?;
        let text = std::str::from_utf8(first).ok()?;
        text.parse::<IpAddr>().is_ok().then(|| text.to_owned())
    };
    let connection = if service == "sshd" {
        host.variable("SSH_CONNECTION")
    } else {
        None
    };
    connection
        .and_then(literal)
        .or_else(|| host.item(PamItemType::RemoteHost).and_then(literal))
}
