//! The module's own log lines, where nobody else can write one: in the format of posternd's, which fail2ban's filter and
//! pam_totp(8) go by. A name that no account can have is left out: it may be a password typed too early.

use crate::host::{HostCalls, PamItemType};
use shared::account::name::{Service, UserName};
use shared::protocol::Severity;
use std::fmt::Display;
use std::net::IpAddr;

/// Logs that access is denied. Asks nobody for a name.
pub(crate) fn denied(host: &dyn HostCalls, cause: &str, detail: &dyn Display) {
    let service = Service::from_pam(&host.item(PamItemType::Service).unwrap_or_default());
    let user = host
        .known_user()
        .and_then(|name| UserName::parse(&name).ok());
    let user = user.as_ref().map_or("-", UserName::as_str);
    let address = address(host, service.as_str());
    let address = address.as_deref().unwrap_or("-");
    let line = format!(
        "refused cause={cause} address={address} service={service} user={user:?}: {detail}"
    );
    host.log(Severity::Error, &line);
}

/// Where from: an sshd, by its name, says it in the transaction's environment; PAM_RHOST counts as a literal address.
fn address(host: &dyn HostCalls, service: &str) -> Option<String> {
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
