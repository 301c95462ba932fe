//! Who stands at the line: user, service, where from, and whether an earlier factor is proven. Believes only
//! what the host process itself set.

use crate::host::{Host, Item};
use nix::unistd::{Gid, Group, User, getgrouplist};
use shared::name::{NameError, UserName};
use shared::place::{Address, Origin};
use std::ffi::CString;

/// The longest service name or remote user that is looked at, in bytes.
const LONGEST: usize = 64;

/// The service, as text that is fit for a log.
pub(crate) fn service(host: &dyn Host) -> String {
    let bytes = host.item(Item::Service).unwrap_or_default();
    match String::from_utf8(bytes) {
        Ok(name) if is_plain(&name) => name,
        _ => "-".to_owned(),
    }
}

/// The user.
pub(crate) fn user(host: &dyn Host) -> Result<UserName, NameError> {
    UserName::parse(&host.item(Item::User).unwrap_or_default())
}

/// Where from. SSH_CONNECTION only in an sshd; PAM_RHOST only as a literal address; PAM_RUSER only where there
/// is no remote host, since a remote one could say anything.
pub(crate) fn origin(host: &dyn Host, sshd: bool) -> Origin {
    let text = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    if sshd {
        let connection = text(host.variable("SSH_CONNECTION")).unwrap_or_default();
        if let Some(address) = connection.split(' ').next().and_then(Address::parse) {
            return Origin::Remote(address);
        }
    }
    match host.item(Item::RemoteHost) {
        Some(remote) => match text(Some(remote)).as_deref().and_then(Address::parse) {
            Some(address) => Origin::Remote(address),
            None => Origin::Unknown,
        },
        None if sshd => Origin::Unknown,
        None => match text(host.item(Item::RemoteUser)).filter(|name| is_plain(name)) {
            Some(name) => Origin::Local(name),
            None => Origin::Unknown,
        },
    }
}

/// Whether sshd says that an earlier factor (a key) has passed.
pub(crate) fn earlier_factor(host: &dyn Host, sshd: bool) -> bool {
    sshd && host.variable("SSH_AUTH_INFO_0").is_some_and(|info| !info.iter().all(u8::is_ascii_whitespace))
}

/// The names of the user's groups on this host; none if there is no such user.
pub(crate) fn groups(user: &UserName) -> Vec<String> {
    let Ok(Some(entry)) = User::from_name(user.as_str()) else { return Vec::new() };
    let Ok(name) = CString::new(user.as_str()) else { return Vec::new() };
    let ids: Vec<Gid> = getgrouplist(&name, entry.gid).unwrap_or_default();
    ids.into_iter().filter_map(|id| Group::from_gid(id).ok().flatten()).map(|group| group.name).collect()
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}
