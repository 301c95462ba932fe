//! The facts of a PAM transaction: user, service, origin and completed methods.
//!
//! MUST NOT trust a text that the client chooses, such as PAM_RUSER or a host name.

use super::host::{PamHost, PamItem};
use nix::errno::Errno;
use postern_shared::account::name::{NameError, Service, UserName, is_plain_name};
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::system::name_service;
use postern_shared::system::network::address::Address;
use postern_shared::verify::origin::Origin;
use std::fmt;

/// Returns the service, as text that is fit for a log.
pub(crate) fn read_service(host: &dyn PamHost) -> Service {
    Service::from_pam(&host.item(PamItem::Service).unwrap_or_default())
}

/// Returns the user under the host's own spelling: some name services accept other spellings too
/// (Alice, alice@example.com), and each of them must find the one account. A user whom the host
/// does not know keeps the spelling of PAM_USER.
pub(crate) fn find_user(host: &dyn PamHost) -> Result<UserName, UserError> {
    let typed =
        UserName::parse(&host.item(PamItem::User).unwrap_or_default()).map_err(UserError::Name)?;
    match host.own_spelling(&typed) {
        Ok(Some(name)) => UserName::parse(name.as_bytes()).map_err(UserError::Name),
        Ok(None) => Ok(typed),
        Err(error) => Err(UserError::Lookup(error)),
    }
}

/// Why there is no user.
#[derive(Debug)]
pub(crate) enum UserError {
    /// No account can have the name.
    Name(NameError),
    /// The host's name service does not reply.
    Lookup(Errno),
    /// The name service does not reply about the user who runs the host process.
    HostLookup(Errno),
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserError::Name(error) => error.fmt(f),
            UserError::Lookup(error) | UserError::HostLookup(error) => {
                let why = name_service::explain_failure(*error, "passwd");
                let user = match self {
                    UserError::HostLookup(_) => "the user who runs the service",
                    _ => "the user",
                };
                write!(f, "{user} cannot be looked up: {why}; see getent passwd")
            }
        }
    }
}

/// Returns the origin. SSH_CONNECTION and a verified key count only in an sshd. PAM_RHOST counts
/// only as a literal address; the address is certain only where the service is configured to put
/// an address there and never a name. Without a remote host, the origin is the user who runs the
/// process, as the kernel states, and for a process of root's the terminal. Each origin has a
/// bucket of wrong codes, so a name that anyone can choose, such as PAM_RUSER, is not used.
///
/// # Errors
/// Those of the name service, where the origin is the user.
pub(crate) fn find_origin(
    host: &dyn PamHost,
    sshd: bool,
    rhost_is_address: bool,
) -> Result<Origin, Errno> {
    Ok(find_unkeyed_origin(host, sshd, rhost_is_address)?
        .with_verified_key(&read_completed_methods(host, sshd)))
}

fn find_unkeyed_origin(
    host: &dyn PamHost,
    sshd: bool,
    rhost_is_address: bool,
) -> Result<Origin, Errno> {
    let text = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    if sshd {
        let connection = text(host.variable("SSH_CONNECTION")).unwrap_or_default();
        if let Some(address) = connection.split(' ').next().and_then(Address::parse) {
            return Ok(Origin::Remote(address));
        }
    }
    Ok(match host.item(PamItem::RemoteHost) {
        Some(remote) => match text(Some(remote)).as_deref().and_then(Address::parse) {
            Some(address) if rhost_is_address => Origin::Remote(address),
            Some(address) => Origin::Claimed(address),
            None => Origin::Unknown,
        },
        None if sshd => Origin::Unknown,
        None => match (
            host.real_user()?,
            text(host.item(PamItem::Terminal)).filter(|name| is_plain_name(name)),
        ) {
            (Some(name), _) => Origin::Local(name),
            (None, Some(name)) => Origin::Terminal(name.trim_start_matches("/dev/").to_owned()),
            (None, None) => Origin::Unknown,
        },
    })
}

/// Returns the user who runs this process.
#[cfg(test)]
pub(crate) fn runs_as() -> String {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

/// The variable in which sshd states the completed methods.
const SSH_AUTH_INFO: &str = "SSH_AUTH_INFO_0";

/// Returns the completed methods where the stack guarantees a first factor. Where none is stated,
/// the method is a password, whichever module verified it. But sshd's own password method does not
/// state a key that came before it, so that nothing is known there.
pub(crate) fn completed_methods_after_first_factor(
    host: &dyn PamHost,
    sshd: bool,
) -> CompletedMethods {
    match read_completed_methods(host, sshd) {
        nothing if nothing.is_empty() && sshd && host.variable(SSH_AUTH_INFO).is_none() => nothing,
        nothing if nothing.is_empty() => CompletedMethods::PASSWORD,
        said => said,
    }
}

/// Returns the methods that sshd states, such as a key. Of any other service no method is known.
pub(crate) fn read_completed_methods(host: &dyn PamHost, sshd: bool) -> CompletedMethods {
    match host.variable(SSH_AUTH_INFO) {
        Some(said) if sshd => CompletedMethods::parse_ssh_auth_info(&said),
        _ => CompletedMethods::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::host::fake::Fake;

    fn origin(host: &Fake, sshd: bool, rhost_is_address: bool) -> Origin {
        super::find_origin(host, sshd, rhost_is_address).unwrap()
    }

    fn remote(text: &str) -> Origin {
        Origin::Remote(Address::parse(text).unwrap())
    }

    #[test]
    fn an_sshd_names_the_address_in_its_own_environment() {
        let host = Fake::at("sshd", "alice")
            .with_variable("SSH_CONNECTION", "192.0.2.7 4711 192.0.2.1 22");
        assert_eq!(origin(&host, true, false), remote("192.0.2.7"));
        assert_eq!(origin(&host, false, true), Origin::Unknown);
    }

    #[test]
    fn a_remote_host_counts_only_as_a_literal_address() {
        let at = |host: &str, rhost_is_address| {
            origin(
                &Fake::at("login", "alice").with(PamItem::RemoteHost, host),
                false,
                rhost_is_address,
            )
        };
        let claimed = Origin::Claimed(Address::parse("2001:db8::1").unwrap());
        assert_eq!(at("2001:db8::1", false), claimed);
        assert_eq!(at("2001:db8::1", true), remote("2001:db8::1"));
        for rhost_is_address in [false, true] {
            assert_eq!(at("client.example.org", rhost_is_address), Origin::Unknown);
        }
    }

    #[test]
    fn who_runs_the_process_counts_only_without_a_remote_host() {
        let sudo = Fake::at("sudo", "alice")
            .run_by("alice")
            .with(PamItem::Terminal, "/dev/pts/3");
        assert_eq!(
            origin(&sudo, false, false),
            Origin::Local("alice".to_owned())
        );
        assert_eq!(origin(&sudo, true, false), Origin::Unknown);
        let rsh = sudo.with(PamItem::RemoteHost, "evil.example.org");
        assert_eq!(origin(&rsh, false, true), Origin::Unknown);
    }

    /// At a console no user is logged in yet, and clients elsewhere must not lock the console.
    #[test]
    fn a_process_of_roots_is_told_by_its_terminal() {
        let login = |name: &str| {
            origin(
                &Fake::at("login", "alice").with(PamItem::Terminal, name),
                false,
                false,
            )
        };
        assert_eq!(login("/dev/tty1"), Origin::Terminal("tty1".to_owned()));
        assert_eq!(login(":0"), Origin::Terminal(":0".to_owned()));
        assert_eq!(login("a\nb"), Origin::Unknown);
        assert_eq!(
            origin(&Fake::at("cron", "alice"), false, false),
            Origin::Unknown
        );
    }

    #[test]
    fn only_an_sshd_can_prove_an_earlier_factor() {
        let host =
            Fake::at("x", "alice").with_variable("SSH_AUTH_INFO_0", "publickey ssh-ed25519 AAAA\n");
        assert!(!read_completed_methods(&host, true).is_empty());
        assert!(read_completed_methods(&host, false).is_empty());
        let blank = Fake::at("x", "alice").with_variable("SSH_AUTH_INFO_0", "\n");
        assert!(read_completed_methods(&blank, true).is_empty());
    }

    /// sshd sets the variable for keyboard-interactive; it is empty where no method came before.
    #[test]
    fn where_sshd_says_nothing_at_all_nothing_is_known() {
        let host = || Fake::at("x", "alice");
        assert!(completed_methods_after_first_factor(&host(), true).is_empty());
        assert_eq!(
            completed_methods_after_first_factor(&host().with_variable(SSH_AUTH_INFO, ""), true),
            CompletedMethods::PASSWORD
        );
        assert_eq!(
            completed_methods_after_first_factor(&host(), false),
            CompletedMethods::PASSWORD
        );
    }
}
