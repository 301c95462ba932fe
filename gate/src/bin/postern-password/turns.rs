//! How many questions there are at once: connections, and among them those that PAM is asked, by whose account they are
//! about and where they come from.

use shared::account::name::UserName;
use shared::protocol::host_password::{HostPasswordRequest, QUESTIONS};
use shared::system::admission::{Admission, AdmissionPermit, Class, ClassLimits, Limits};
use std::time::{Duration, Instant};

/// Connections; the gate is the only one that opens any, and bounds them by what their people have proven.
const CONNECTIONS: usize = 64;
/// Whoever makes a module hang for an account keeps few turns. Whoever has proven more has others.
const OF_ACCOUNT: ClassLimits = ClassLimits {
    own: CONNECTIONS,
    per_key: 2,
    waiting_per_key: 16,
    waiting: CONNECTIONS,
};
/// All connections alike.
const OF_GATE: ClassLimits = ClassLimits {
    own: CONNECTIONS,
    per_key: CONNECTIONS,
    waiting_per_key: 0,
    waiting: 0,
};

/// All of them.
#[derive(Clone)]
pub(crate) struct Turns {
    connections: Admission<()>,
    /// By address; questions without one are of this host.
    origins: Admission<Option<String>>,
    accounts: Admission<UserName>,
}

/// One connection's place; it is free again when this is dropped.
pub(crate) struct Seated {
    turns: Turns,
    _place: AdmissionPermit<()>,
}

/// One question's turn; it is over when this is dropped.
pub(crate) struct PasswordTurn {
    _origin: AdmissionPermit<Option<String>>,
    _account: AdmissionPermit<UserName>,
}

impl Turns {
    /// Nobody asks yet.
    pub(crate) fn new() -> Turns {
        let all = |class| Limits {
            shared: 0,
            authenticated: class,
            familiar: class,
            unauthenticated: class,
        };
        Turns {
            connections: Admission::new(all(OF_GATE)),
            origins: Admission::new(QUESTIONS),
            accounts: Admission::new(all(OF_ACCOUNT)),
        }
    }

    /// A place, if there is one.
    pub(crate) fn place(&self) -> Option<Seated> {
        let place = self
            .connections
            .try_acquire(Class::Unauthenticated, ())
            .ok()?;
        Some(Seated {
            turns: self.clone(),
            _place: place,
        })
    }

    /// Whether nobody is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.connections.in_use() == 0
    }
}

impl Seated {
    /// Waits for a turn: for the account's first, so that whoever waits for it holds no turn of others.
    pub(crate) fn turn(
        &self,
        question: &HostPasswordRequest,
        within: Duration,
    ) -> Option<PasswordTurn> {
        let over = Instant::now() + within;
        let account = self
            .turns
            .accounts
            .acquire(question.class, question.name.clone())
            .ok()?
            .wait(within)
            .ok()?;
        let origin = question.address.map(|address| address.key());
        let origin = self.turns.origins.acquire(question.class, origin).ok()?;
        let origin = origin
            .wait(over.saturating_duration_since(Instant::now()))
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
    use shared::network::address::Address;
    use shared::protocol::host_password::Candidate;

    fn question(name: &str, address: &str, class: Class) -> HostPasswordRequest {
        let password = Candidate::typed(b"secret").unwrap();
        HostPasswordRequest {
            name: name.parse().unwrap(),
            address: Address::parse(address),
            class,
            password,
        }
    }

    fn now(seated: &Seated, question: &HostPasswordRequest) -> Option<PasswordTurn> {
        seated.turn(question, Duration::ZERO)
    }

    #[test]
    fn there_are_so_many_places_and_a_free_one_is_taken_again() {
        let turns = Turns::new();
        let mut seated: Vec<_> = (0..1000).map_while(|_| turns.place()).collect();
        assert_eq!(seated.len(), CONNECTIONS);
        seated.pop();
        seated.extend(turns.place());
        assert_eq!(
            (seated.len(), turns.place().is_some()),
            (CONNECTIONS, false)
        );
        drop(seated);
        assert!(turns.is_empty());
    }

    #[test]
    fn one_account_keeps_no_other_waiting() {
        let turns = Turns::new();
        let seated = turns.place().unwrap();
        let of_alice =
            |n: usize| question("alice", &format!("192.0.2.{n}"), Class::Unauthenticated);
        let taken: Vec<_> = (0..9).map_while(|n| now(&seated, &of_alice(n))).collect();
        assert_eq!(taken.len(), OF_ACCOUNT.per_key);
        assert!(
            now(
                &seated,
                &question("bob", "192.0.2.9", Class::Unauthenticated)
            )
            .is_some()
        );
        assert!(
            now(
                &seated,
                &question("alice", "192.0.2.9", Class::Authenticated)
            )
            .is_some(),
            "nor its owner"
        );
        drop(taken);
        assert!(now(&seated, &of_alice(0)).is_some());
    }

    /// Sixteen wrong passwords of 2 s each from a few addresses were all that PAM was asked at once.
    #[test]
    fn a_few_addresses_do_not_take_every_question_to_the_host() {
        let turns = Turns::new();
        let seated = turns.place().unwrap();
        let asked = |n: usize, address: &str, class| {
            now(&seated, &question(&format!("u{n}"), address, class))
        };
        let of_one: Vec<_> = (0..100)
            .filter_map(|n| asked(n, "192.0.2.1", Class::Unauthenticated))
            .collect();
        assert_eq!(of_one.len(), QUESTIONS.unauthenticated.per_key);
        let all: Vec<_> = (0..200)
            .filter_map(|n| asked(n, &format!("198.51.100.{n}"), Class::Unauthenticated))
            .collect();
        assert_eq!(
            all.len() + of_one.len(),
            QUESTIONS.unauthenticated.own + QUESTIONS.shared
        );
        assert!(asked(500, "192.0.2.1", Class::Familiar).is_some());
        assert!(asked(501, "192.0.2.1", Class::Authenticated).is_some());
    }

    #[test]
    fn who_waits_gets_the_turn_that_ends() {
        let turns = Turns::new();
        let seated = turns.place().unwrap();
        let alice = question("alice", "192.0.2.1", Class::Unauthenticated);
        let taken: Vec<_> = (0..9).map_while(|_| now(&seated, &alice)).collect();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| seated.turn(&alice, Duration::from_secs(60)).is_some());
            drop(taken);
            assert!(waits.join().unwrap());
        });
    }
}
