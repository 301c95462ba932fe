//! Work at the store, off the threads that serve checks: opened doors, each used by one thread at a time. What takes a
//! password hash has workers of its own, and so has whatever is looked up before it is known whose share it takes.
//!
//! MUST take a hash's worker for nothing but a hash: signing out, and what a session does, waits for none of them.

use crate::observe::log;
use crate::observe::metrics::METRICS;
use shared::account::name::UserName;
use shared::config::Config;
use shared::engine::{AdministrationError, Engine, EngineError};
use shared::network::address::Address;
use shared::store;
use shared::system::admission::{Admission, Busy, Class, ClassLimits, Limits};
use shared::token::session::{SecondFactorMethod, Session};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Whoever has shown a session, a token or a trusted browser.
const PROVEN: ClassLimits = ClassLimits {
    own: 2,
    per_key: 2,
    waiting_per_key: 64,
    waiting: 512,
};
/// Familiar addresses.
const KNOWN: ClassLimits = ClassLimits {
    own: 1,
    per_key: 1,
    waiting_per_key: 16,
    waiting: 256,
};
/// Each address of strangers has one worker at most, and people behind it wait for one another.
const UNAUTHENTICATED: ClassLimits = ClassLimits {
    own: 1,
    per_key: 1,
    waiting_per_key: 32,
    waiting: 1024,
};

/// Work without a hash: five at once.
const ACTS: Limits = Limits {
    shared: 1,
    authenticated: PROVEN,
    familiar: KNOWN,
    unauthenticated: UNAUTHENTICATED,
};
/// Work with one: five at once, 19 MiB each, which stay with the door.
const HASHES: Limits = ACTS;
/// Reading where a sign-in comes from: nobody has proven anything yet.
const LOOK_UPS: Limits = Limits {
    shared: 0,
    authenticated: ClassLimits { own: 0, ..PROVEN },
    familiar: ClassLimits { own: 0, ..KNOWN },
    unauthenticated: ClassLimits {
        own: 2,
        per_key: 1,
        waiting_per_key: 64,
        waiting: 2048,
    },
};
/// How long work waits for a worker: proxies give an answer a minute.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

/// Whose share of the workers some work takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ShareKey {
    /// Of an account's valid sessions, however many: those that a second factor opened apart from those of whoever has
    /// the first alone.
    Session(UserName, HasSecondFactor),
    /// Of what ends an account's sessions, by cookies that may be good no longer.
    SignOut(UserName),
    /// Of whoever has passed an account's first factor, by a valid token.
    Account(UserName),
    /// Of browsers that an account trusts.
    TrustedBrowser(UserName),
    /// Of an address; of IPv6 its /64.
    Address(String),
    /// Of the program that administers.
    Program,
    /// The gate's own.
    Gate,
}

/// Whether a second factor opened a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HasSecondFactor {
    Yes,
    No,
}

/// Who asks for work.
#[derive(Clone, Debug)]
pub(crate) struct PoolClient {
    pub(crate) class: Class,
    pub(crate) key: ShareKey,
}

impl PoolClient {
    pub(crate) fn proven(key: ShareKey) -> PoolClient {
        PoolClient {
            class: Class::Authenticated,
            key,
        }
    }

    /// With a valid session. Whoever signs in over and over has no more of the workers than who did so once.
    pub(crate) fn of_session(session: &Session) -> PoolClient {
        let second = match session.passed.second {
            SecondFactorMethod::None(_) => HasSecondFactor::No,
            _ => HasSecondFactor::Yes,
        };
        PoolClient::proven(ShareKey::Session(session.name.clone(), second))
    }

    /// From an address that is familiar to the account.
    pub(crate) fn known(address: Address) -> PoolClient {
        PoolClient {
            class: Class::Familiar,
            key: ShareKey::Address(address.key()),
        }
    }

    pub(crate) fn unauthenticated(address: Address) -> PoolClient {
        PoolClient {
            class: Class::Unauthenticated,
            key: ShareKey::Address(address.key()),
        }
    }
}

/// The workers of one configuration.
pub(crate) struct StorePool {
    config: Config,
    acts: Pool,
    hashes: Pool,
    look_ups: Pool,
}

#[derive(Clone)]
struct Pool {
    name: &'static str,
    admission: Admission<ShareKey>,
    idle: Arc<Mutex<Vec<Engine>>>,
}

impl Pool {
    fn of(name: &'static str, limits: Limits) -> Pool {
        Pool {
            name,
            admission: Admission::new(limits),
            idle: Arc::default(),
        }
    }
}

impl StorePool {
    pub(crate) fn new(config: &Config) -> Arc<StorePool> {
        Arc::new(StorePool {
            config: config.clone(),
            acts: Pool::of("store", ACTS),
            hashes: Pool::of("password-hashing", HASHES),
            look_ups: Pool::of("store-reads", LOOK_UPS),
        })
    }

    /// These workers, for whoever asks for work.
    pub(crate) fn for_client(self: &Arc<StorePool>, applicant: PoolClient) -> PoolHandle {
        PoolHandle {
            store_pool: Arc::clone(self),
            client: applicant,
        }
    }
}

/// Workers, and whose share of them is taken.
#[derive(Clone)]
pub(crate) struct PoolHandle {
    store_pool: Arc<StorePool>,
    pub(crate) client: PoolClient,
}

/// Work could not be done.
#[derive(Debug)]
pub(crate) enum PoolError {
    /// Too many wait already.
    Busy(Busy),
    /// For the log.
    Failed {
        /// The word for it.
        cause: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::Busy(busy) => busy.fmt(f),
            PoolError::Failed { why, .. } => f.write_str(why),
        }
    }
}

impl PoolHandle {
    /// Runs `work` with an opened door. One that failed is not used again.
    pub(crate) fn with_engine<T, E, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, PoolError>> + Send + use<T, E, F>
    where
        F: FnOnce(&mut Engine) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + 'static,
    {
        self.run_in_pool(&self.store_pool.acts, work)
    }

    /// The same, for work that hashes a password.
    pub(crate) fn with_hashing_engine<T, E, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, PoolError>> + Send + use<T, E, F>
    where
        F: FnOnce(&mut Engine) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + 'static,
    {
        self.run_in_pool(&self.store_pool.hashes, work)
    }

    /// The same, for what only reads, to know whose share the rest takes.
    pub(crate) fn with_reading_engine<T, E, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, PoolError>> + Send + use<T, E, F>
    where
        F: FnOnce(&mut Engine) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + 'static,
    {
        self.run_in_pool(&self.store_pool.look_ups, work)
    }

    fn run_in_pool<T, E, F>(
        &self,
        pool: &Pool,
        work: F,
    ) -> impl Future<Output = Result<T, PoolError>> + Send + use<T, E, F>
    where
        F: FnOnce(&mut Engine) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + 'static,
    {
        let began = Instant::now();
        let PoolClient { class, key } = self.client.clone();
        let entered = pool.admission.acquire(class, key);
        let (pool, workers) = (pool.clone(), Arc::clone(&self.store_pool));
        async move {
            let busy = |busy| {
                METRICS.count_rejection(pool.name, busy);
                PoolError::Busy(busy)
            };
            let waited = timeout(QUEUE_TIMEOUT, entered.map_err(busy)?).await;
            let place = waited.unwrap_or(Err(Busy::All)).map_err(busy)?;
            let (config, idle) = (workers.config.clone(), pool.idle);
            let done = tokio::task::spawn_blocking(move || {
                let _place = place;
                let kept = idle.lock().ok().and_then(|mut idle| idle.pop());
                let mut door = match kept {
                    Some(door) => door,
                    None => Engine::open(config).map_err(|error| failed(&error))?,
                };
                door.set_write_class(class);
                let result = work(&mut door).map_err(|error| failed(&error));
                for doubt in door.take_group_warnings() {
                    log::event("warning")
                        .with("cause", "group-unresolved")
                        .write_with_message(doubt);
                }
                let result = result?;
                match idle.lock() {
                    Ok(mut idle) if !door.is_read_only() => idle.push(door),
                    _ => {}
                }
                Ok(result)
            });
            let done = done.await;
            METRICS.observe_verification(began.elapsed());
            done.unwrap_or_else(|_| {
                Err(PoolError::Failed {
                    cause: "panic",
                    why: "internal error during verification; please report it".to_owned(),
                })
            })
        }
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> PoolError {
    PoolError::Failed {
        cause: store::log_cause(error),
        why: error.to_string(),
    }
}

/// What the door says. What only the administrator can mend is kept apart: it is for the log.
pub(crate) fn separate_engine_error<T>(
    ran: Result<T, AdministrationError>,
) -> Result<Result<T, AdministrationError>, EngineError> {
    match ran {
        Err(AdministrationError::Door(error)) => Err(error),
        ran => Ok(ran),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::account::second_factor::Enrolled;
    use shared::policy::session_groups::SessionGroups;
    use shared::system::clock::Timestamp;
    use shared::token::session::{CompletedFactors, FirstFactorMethod, SessionId};

    fn session(name: &str, second: SecondFactorMethod) -> Session {
        Session {
            id: SessionId::random().unwrap(),
            account: 1,
            generation: 0,
            revision: 0,
            passed: CompletedFactors {
                first: FirstFactorMethod::Password,
                second,
            },
            issued: Timestamp(1_000_000),
            expires: Timestamp(1_000_000 + 12 * 3600),
            name: name.parse().unwrap(),
            scope: "example.com".to_owned(),
            groups: Vec::new(),
            host_groups: SessionGroups::default(),
            email: None,
        }
    }

    /// Each session had a share of its own: someone with hundreds of them filled the queue of all who have one.
    #[test]
    fn an_account_with_many_sessions_keeps_no_other_out() {
        let pool = Pool::of("store", ACTS);
        let enter = |session: &Session| {
            let PoolClient { class, key } = PoolClient::of_session(session);
            pool.admission.acquire(class, key)
        };
        let held: Vec<_> = (0..1000)
            .filter_map(|_| enter(&session("mallory", SecondFactorMethod::Code)).ok())
            .collect();
        assert_eq!(held.len(), PROVEN.per_key + PROVEN.waiting_per_key);
        let alice = enter(&session("alice", SecondFactorMethod::Code)).unwrap();
        assert!(
            alice.wait(Duration::ZERO).is_ok(),
            "she has a worker at once"
        );
    }

    /// Whoever has an account's password alone takes nothing of who has shown more.
    #[test]
    fn sessions_of_the_first_factor_alone_have_a_share_of_their_own() {
        let key = |second| PoolClient::of_session(&session("alice", second)).key;
        assert_eq!(
            key(SecondFactorMethod::Code),
            key(SecondFactorMethod::TrustedBrowser)
        );
        assert_ne!(
            key(SecondFactorMethod::Code),
            key(SecondFactorMethod::None(Enrolled::Yes))
        );
    }
}
