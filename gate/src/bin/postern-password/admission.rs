//! Limits on what is served at once: connections, and among them requests to PAM, by account and by
//! origin.
//!
//! Holds no request back for one whose account's module hangs.

use postern_shared::account::name::UserName;
use postern_shared::protocol::host_password::{HostPasswordRequest, REQUEST_LIMITS};
use postern_shared::system::admission::{
    Admission, AdmissionClass, AdmissionLimits, AdmissionPermit, ClassLimits,
};
use std::time::{Duration, Instant};

/// Connection limit. The gate opens nearly all connections, and bounds them by what its clients
/// have proven.
const MAX_CONNECTIONS: usize = 64;
/// Limit for one account: a client that makes a module hang for an account holds few turns. Clients
/// of a higher class have turns of their own.
const ACCOUNT_LIMITS: ClassLimits = ClassLimits {
    own: MAX_CONNECTIONS,
    per_key: 2,
    waiting_per_key: 16,
    waiting: MAX_CONNECTIONS,
};
/// Limit for the gate, whose connections are all alike.
const CONNECTION_LIMITS: ClassLimits = ClassLimits {
    own: MAX_CONNECTIONS,
    per_key: MAX_CONNECTIONS,
    waiting_per_key: 0,
    waiting: 0,
};

pub(crate) struct HelperAdmission {
    connections: Admission<()>,
    /// Keyed by client address. Requests without an address come from this host.
    origins: Admission<Option<String>>,
    accounts: Admission<UserName>,
}

/// Admission of one request to PAM, until it is dropped.
pub(crate) struct PasswordTurn {
    _origin: AdmissionPermit<Option<String>>,
    _account: AdmissionPermit<UserName>,
}

impl HelperAdmission {
    pub(crate) fn new() -> HelperAdmission {
        let all = |class| AdmissionLimits {
            shared: 0,
            authenticated: class,
            familiar: class,
            unauthenticated: class,
        };
        HelperAdmission {
            connections: Admission::new(all(CONNECTION_LIMITS)),
            origins: Admission::new(REQUEST_LIMITS),
            accounts: Admission::new(all(ACCOUNT_LIMITS)),
        }
    }

    /// Admits a connection until the permit is dropped, if fewer than the limit are open.
    pub(crate) fn admit_connection(&self) -> Option<AdmissionPermit<()>> {
        self.connections
            .try_acquire(AdmissionClass::Unauthenticated, ())
            .ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.in_use() == 0
    }

    /// Waits for a turn. The account's turn comes first, so that a request that waits for it holds
    /// no turn of others.
    pub(crate) fn wait_for_turn(
        &self,
        request: &HostPasswordRequest,
        within: Duration,
    ) -> Option<PasswordTurn> {
        let deadline = Instant::now() + within;
        let account = self
            .accounts
            .acquire(request.class, request.name.clone())
            .ok()?
            .wait(within)
            .ok()?;
        let origin = request.address.map(|address| address.key());
        let origin = self.origins.acquire(request.class, origin).ok()?;
        let origin = origin
            .wait(deadline.saturating_duration_since(Instant::now()))
            .ok()?;
        Some(PasswordTurn {
            _origin: origin,
            _account: account,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_shared::protocol::host_password::Candidate;
    use postern_shared::system::network::address::Address;

    fn request(name: &str, address: &str, class: AdmissionClass) -> HostPasswordRequest {
        let password = Candidate::from_input(b"secret").unwrap();
        HostPasswordRequest {
            name: name.parse().unwrap(),
            address: Address::parse(address),
            class,
            password,
        }
    }

    fn take_turn(
        admission: &HelperAdmission,
        request: &HostPasswordRequest,
    ) -> Option<PasswordTurn> {
        admission.wait_for_turn(request, Duration::ZERO)
    }

    #[test]
    fn connections_are_limited_and_a_closed_one_makes_way_for_another() {
        let admission = HelperAdmission::new();
        let mut connection: Vec<_> = (0..1000)
            .map_while(|_| admission.admit_connection())
            .collect();
        assert_eq!(connection.len(), MAX_CONNECTIONS);
        connection.pop();
        connection.extend(admission.admit_connection());
        assert_eq!(
            (connection.len(), admission.admit_connection().is_some()),
            (MAX_CONNECTIONS, false)
        );
        drop(connection);
        assert!(admission.is_empty());
    }

    #[test]
    fn one_account_does_not_delay_another() {
        let admission = HelperAdmission::new();
        let of_alice = |n: usize| {
            request(
                "alice",
                &format!("192.0.2.{n}"),
                AdmissionClass::Unauthenticated,
            )
        };
        let taken: Vec<_> = (0..9)
            .map_while(|n| take_turn(&admission, &of_alice(n)))
            .collect();
        assert_eq!(taken.len(), ACCOUNT_LIMITS.per_key);
        assert!(
            take_turn(
                &admission,
                &request("bob", "192.0.2.9", AdmissionClass::Unauthenticated)
            )
            .is_some()
        );
        assert!(
            take_turn(
                &admission,
                &request("alice", "192.0.2.9", AdmissionClass::Authenticated)
            )
            .is_some(),
            "nor its owner"
        );
        drop(taken);
        assert!(take_turn(&admission, &of_alice(0)).is_some());
    }

    /// Sixteen wrong passwords of 2 s each from a few addresses used up every request to PAM.
    #[test]
    fn a_few_addresses_do_not_use_up_every_request_to_pam() {
        let admission = HelperAdmission::new();
        let turn = |n: usize, address: &str, class| {
            take_turn(&admission, &request(&format!("u{n}"), address, class))
        };
        let of_one: Vec<_> = (0..100)
            .filter_map(|n| turn(n, "192.0.2.1", AdmissionClass::Unauthenticated))
            .collect();
        assert_eq!(of_one.len(), REQUEST_LIMITS.unauthenticated.per_key);
        let all: Vec<_> = (0..200)
            .filter_map(|n| {
                turn(
                    n,
                    &format!("198.51.100.{n}"),
                    AdmissionClass::Unauthenticated,
                )
            })
            .collect();
        assert_eq!(
            all.len() + of_one.len(),
            REQUEST_LIMITS.unauthenticated.own + REQUEST_LIMITS.shared
        );
        assert!(turn(500, "192.0.2.1", AdmissionClass::Familiar).is_some());
        assert!(turn(501, "192.0.2.1", AdmissionClass::Authenticated).is_some());
    }

    #[test]
    fn a_request_that_waits_gets_the_turn_that_ends() {
        let admission = HelperAdmission::new();
        let alice = request("alice", "192.0.2.1", AdmissionClass::Unauthenticated);
        let taken: Vec<_> = (0..9)
            .map_while(|_| take_turn(&admission, &alice))
            .collect();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                admission
                    .wait_for_turn(&alice, Duration::from_secs(60))
                    .is_some()
            });
            drop(taken);
            assert!(waits.join().unwrap());
        });
    }
}
