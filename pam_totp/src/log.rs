//! The module's own log lines, where nobody else can write one: in the format of posternd's, which fail2ban's filter and
//! pam_totp(8) go by. A name that no account can have is left out: it may be a password typed too early.

use crate::host::{Host, Item};
use shared::name::{Service, UserName};
use shared::place::Address;
use shared::protocol::Severity;
use std::fmt::Display;

/// Logs that access is denied. Asks nobody for a name.
pub(crate) fn denied(host: &dyn Host, cause: &str, detail: &dyn Display) {
    let service = Service::named(&host.item(Item::Service).unwrap_or_default());
    let user = host.known_user().and_then(|name| UserName::parse(&name).ok());
    let user = user.as_ref().map_or("-", UserName::as_str);
    let address = address(host, service.as_str()).map_or_else(|| "-".to_owned(), |it| it.to_string());
    let line = format!("refused cause={cause} address={address} service={service} user={user:?}: {detail}");
    host.log(Severity::Error, &line);
}

/// Where from: an sshd, by its name, says it in the transaction's environment; PAM_RHOST counts as a literal address.
fn address(host: &dyn Host, service: &str) -> Option<Address> {
    let text = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let connection = match service {
        "sshd" => text(host.variable("SSH_CONNECTION")).unwrap_or_default(),
        _ => String::new(),
    };
    let first = connection.split(' ').next().and_then(Address::parse);
    first.or_else(|| Address::parse(&text(host.item(Item::RemoteHost))?))
}
