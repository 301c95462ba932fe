//! The origin and the class by which conversations of PAM hosts are counted. Both follow from the
//! first frame and the kernel, without a look-up.
//!
//! MUST NOT count by a text that an unauthenticated client chooses: each text would have a share
//! of its own.

use crate::daemon::log::log;
use crate::pam::hooks;
use crate::workers::origin::ClientOrigin;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use postern_shared::config::{FirstFactorState, PamConfig};
use postern_shared::protocol::PamTransaction;
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::network::address::Address;
use postern_shared::system::process;
use std::io;
use std::os::unix::net::UnixStream;

/// The user by whom connections without an opening are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Connecting {
    /// The real user of the process.
    User(u32),
    /// A user whose process neither the kernel nor /proc shows. It does not count as root, whose
    /// hosts would share its limit.
    Unseen,
}

/// The process at the other end of a connection, as the kernel states.
#[derive(Clone, Copy)]
pub(crate) struct PeerProcess {
    /// The process number; 0 for a process outside of this PID namespace.
    pub(crate) process: i32,
    pub(crate) effective_uid: u32,
    /// The real user: who started a set-user-ID program, and can stop it. `None` where the process
    /// cannot be seen.
    real_uid: Option<u32>,
}

impl PeerProcess {
    pub(crate) fn of(stream: &UnixStream) -> io::Result<PeerProcess> {
        let peer = getsockopt(stream, PeerCredentials)?;
        let real_uid = process::real_uid(peer.pid());
        Ok(PeerProcess {
            process: peer.pid(),
            effective_uid: peer.uid(),
            real_uid,
        })
    }

    pub(crate) fn connecting(self) -> Connecting {
        match (self.real_uid, self.effective_uid) {
            (Some(uid), _) => Connecting::User(uid),
            // the process has no more rights than its real user
            (None, uid) if uid != 0 => Connecting::User(uid),
            (None, _) => Connecting::Unseen,
        }
    }
}

impl ClientOrigin {
    /// Returns the origin of a conversation of root's hosts, which are trusted where the kernel
    /// names no other user.
    pub(crate) fn of(
        transaction: &PamTransaction,
        peer: PeerProcess,
        pam: &PamConfig,
    ) -> ClientOrigin {
        let uid = peer
            .real_uid
            .filter(|uid| *uid != 0)
            .unwrap_or(transaction.real_uid);
        if uid != 0 {
            return ClientOrigin::User(uid);
        }
        match remote_address(transaction, pam) {
            Some(address) => ClientOrigin::Remote(address.key()),
            None => ClientOrigin::Service(transaction.service.clone().unwrap_or_default()),
        }
    }
}

/// Warns where /proc hides the processes of other users: users are not distinguished before their
/// opening, and some hosts never are.
pub fn warn_of_hidden_processes() {
    if !process::sees_other_users() {
        log(
            "/proc hides the processes of others (hidepid=): PAM hosts that only connect are counted as one user, and marks of \
             users' hosts are refused; mount /proc with gid=postern or without hidepid=",
        );
    }
}

/// Returns the address that sshd states, else PAM_RHOST where it is a literal address. A name is
/// not used: the owner of its zone chooses it.
fn remote_address(transaction: &PamTransaction, pam: &PamConfig) -> Option<Address> {
    let PamTransaction {
        ssh_connection,
        remote_host,
        ..
    } = transaction;
    let connection = ssh_connection
        .as_ref()
        .filter(|_| hooks::is_sshd(transaction, pam));
    let address = connection
        .and_then(|said| said.split(|byte| *byte == b' ').next())
        .and_then(literal);
    address.or_else(|| literal(remote_host.as_deref()?))
}

fn literal(text: &[u8]) -> Option<Address> {
    Address::parse(std::str::from_utf8(text).ok()?)
}

/// Returns the class, as one of root's hosts states it. A conversation with a mark, whose code is
/// consumed, does not wait behind those that have only passed the first factor.
pub(crate) fn class_of(transaction: &PamTransaction, pam: &PamConfig) -> AdmissionClass {
    let says_key = transaction
        .ssh_auth_info
        .as_ref()
        .is_some_and(|said| !said.trim_ascii().is_empty());
    match &transaction.mark {
        // an empty mark is what the module leaves where it removes one
        Some(mark) if !mark.is_empty() => AdmissionClass::Authenticated,
        _ if says_key && hooks::is_sshd(transaction, pam) => AdmissionClass::Familiar,
        _ if hooks::first_factor(transaction, pam) == FirstFactorState::Passed => {
            AdmissionClass::Familiar
        }
        _ => AdmissionClass::Unauthenticated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::transaction_of;
    use crate::server::connection_limit::ConnectionLimit;
    use postern_shared::config::PamServiceConfig;
    use zeroize::Zeroizing;

    const ROOT: PeerProcess = PeerProcess {
        process: 1,
        effective_uid: 0,
        real_uid: Some(0),
    };
    const UNSEEN: PeerProcess = PeerProcess {
        process: 0,
        effective_uid: 0,
        real_uid: None,
    };

    fn from(service: &str, remote_host: &str) -> ClientOrigin {
        let transaction = PamTransaction {
            remote_host: Some(remote_host.into()),
            ..transaction_of(service)
        };
        ClientOrigin::of(&transaction, ROOT, &PamConfig::default())
    }

    #[test]
    fn a_network_of_ipv6_is_one_origin_and_mapped_ipv4_is_ipv4() {
        assert_eq!(from("x", "2001:db8::1"), from("x", "2001:db8:0:0:ffff::2"));
        assert_ne!(from("x", "2001:db8::1"), from("x", "2001:db8:0:1::1"));
        assert_eq!(
            from("x", "::ffff:192.0.2.7"),
            ClientOrigin::Remote("192.0.2.7".to_owned())
        );
        assert_eq!(from("x", "fe80::1%eth0"), from("x", "fe80::2%eth1"));
    }

    /// Each name that a client's name server invented was an origin with a share of its own.
    #[test]
    fn five_thousand_made_up_names_and_addresses_of_one_network_are_two_origins() {
        let all = ConnectionLimit::new(64, 16);
        let enter = |origin: ClientOrigin| all.admit(origin, false, || {});
        let owner = enter(from("sshd", "192.0.2.7")).unwrap();
        let mut held = Vec::new();
        for number in 0..5_000 {
            held.push(enter(from("sshd", &format!("host{number}.example.org"))));
            held.push(enter(from("sshd", &format!("2001:db8::{number:x}"))));
        }
        // sixteen of each, and the owner's, which none of them has ended
        assert_eq!(all.open(), 2 * 16 + 1);
        drop(owner);
        assert_eq!(all.open(), 2 * 16);
    }

    #[test]
    fn names_and_nothing_at_all_count_by_their_service() {
        let service = |name: &str| ClientOrigin::Service(name.into());
        assert_eq!(from("imap", "client.example.org"), service("imap"));
        assert_eq!(from("ftp", "client.example.org"), service("ftp"));
        assert_eq!(
            ClientOrigin::of(&transaction_of("imap"), ROOT, &PamConfig::default()),
            service("imap")
        );
    }

    /// With `UseDNS yes` PAM_RHOST is a name.
    #[test]
    fn an_sshd_says_the_address_beside_the_name() {
        let transaction = |service| PamTransaction {
            remote_host: Some(b"client.example.org".to_vec()),
            ssh_connection: Some(b"192.0.2.7 4711 192.0.2.1 22".to_vec()),
            ..transaction_of(service)
        };
        let origin = |service| ClientOrigin::of(&transaction(service), ROOT, &PamConfig::default());
        assert_eq!(origin("sshd"), ClientOrigin::Remote("192.0.2.7".to_owned()));
        assert_eq!(origin("imap"), ClientOrigin::Service(b"imap".to_vec()));
    }

    #[test]
    fn the_user_whom_the_kernel_names_counts_first_then_the_one_that_the_host_says() {
        let says = |real_uid, peer| {
            let remote_host = Some(b"192.0.2.7".to_vec());
            let transaction = PamTransaction {
                real_uid,
                remote_host,
                ..transaction_of("sudo")
            };
            ClientOrigin::of(&transaction, peer, &PamConfig::default())
        };
        let mallorys = PeerProcess {
            real_uid: Some(1000),
            ..ROOT
        };
        assert_eq!(says(0, mallorys), ClientOrigin::User(1000));
        assert_eq!(says(1001, mallorys), ClientOrigin::User(1000));
        assert_eq!(says(1001, UNSEEN), ClientOrigin::User(1001));
        assert_eq!(
            says(0, UNSEEN),
            ClientOrigin::Remote("192.0.2.7".to_owned())
        );
    }

    /// Hidden processes used root's share, so that root's hosts waited with all other hidden
    /// processes.
    #[test]
    fn a_process_that_cannot_be_seen_connects_beside_root() {
        assert_eq!(UNSEEN.connecting(), Connecting::Unseen);
        assert_eq!(ROOT.connecting(), Connecting::User(0));
        let started_by_a_user = PeerProcess {
            real_uid: Some(1000),
            ..ROOT
        };
        let of_a_user = PeerProcess {
            effective_uid: 1000,
            ..UNSEEN
        };
        for peer in [started_by_a_user, of_a_user] {
            assert_eq!(peer.connecting(), Connecting::User(1000));
        }
        let all = ConnectionLimit::new(256, 64);
        let unseen: Vec<_> = (0..100)
            .filter_map(|_| all.admit_or_wait(Connecting::Unseen, || {}))
            .collect();
        assert_eq!(unseen.len(), 64);
        assert!(all.admit_or_wait(Connecting::User(0), || {}).is_some());
    }

    fn class(transaction: PamTransaction) -> AdmissionClass {
        class_of(&transaction, &PamConfig::default())
    }

    #[test]
    fn a_mark_is_proof_and_an_empty_one_is_none() {
        let with = |mark: &[u8]| PamTransaction {
            mark: Some(Zeroizing::new(mark.to_vec())),
            ..transaction_of("x")
        };
        assert_eq!(class(with(b"mark")), AdmissionClass::Authenticated);
        // an empty mark is what the module leaves where it removes one
        assert_eq!(class(with(b"")), AdmissionClass::Unauthenticated);
    }

    /// A service whose postern.toml says that the first factor has passed waited with
    /// unauthenticated clients.
    #[test]
    fn the_first_factor_counts_wherever_it_is_said() {
        let passed = Some(FirstFactorState::Passed);
        let of_imap = PamServiceConfig {
            first_factor: passed,
            ..PamServiceConfig::default()
        };
        let pam = PamConfig {
            service: [("imap".to_owned(), of_imap)].into(),
            ..PamConfig::default()
        };
        let everywhere = PamConfig {
            first_factor: passed,
            ..PamConfig::default()
        };
        let with = |service, word: &str| {
            let options = word.split_whitespace().map(str::to_owned).collect();
            PamTransaction {
                options,
                ..transaction_of(service)
            }
        };
        for (service, word, pam, expected) in [
            ("imap", "", &pam, AdmissionClass::Familiar),
            ("ftp", "", &pam, AdmissionClass::Unauthenticated),
            ("ftp", "", &everywhere, AdmissionClass::Familiar),
            ("ftp", "first_factor=passed", &pam, AdmissionClass::Familiar),
            (
                "imap",
                "first_factor=unknown",
                &pam,
                AdmissionClass::Unauthenticated,
            ),
            // an invalid option
            (
                "imap",
                "first_factor=pased",
                &pam,
                AdmissionClass::Unauthenticated,
            ),
        ] {
            let class = class_of(&with(service, word), pam);
            assert_eq!(class, expected, "{service} {word}");
        }
    }

    #[test]
    fn a_key_counts_only_at_an_sshd() {
        let with = |service, said: &str| PamTransaction {
            ssh_auth_info: Some(said.into()),
            ..transaction_of(service)
        };
        assert_eq!(
            class(with("sshd", "publickey ssh-ed25519 AAAA\n")),
            AdmissionClass::Familiar
        );
        assert_eq!(class(with("sshd", "\n")), AdmissionClass::Unauthenticated);
        assert_eq!(
            class(with("imap", "publickey ssh-ed25519 AAAA\n")),
            AdmissionClass::Unauthenticated
        );
    }
}
