//! Runs work at the store off the threads that serve checks, on engines that one thread uses at a
//! time. Work with a password hash has a pool of its own, and so have reads that precede knowing
//! which share a request takes.
//!
//! MUST use the hashing pool for nothing but hashes: a sign-out, and the acts of a session, never
//! wait behind them.

use crate::observe::log;
use crate::observe::metrics::METRICS;
use postern_shared::account::name::UserName;
use postern_shared::config::Config;
use postern_shared::engine::{AdministrationError, Engine, EngineError};
use postern_shared::store;
use postern_shared::system::admission::{
    Admission, AdmissionClass, AdmissionLimits, AdmissionRefusal, ClassLimits,
};
use postern_shared::system::network::address::Address;
use postern_shared::token::session::{SecondFactorMethod, Session};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Clients that have shown a session, a token or a trusted browser.
const AUTHENTICATED: ClassLimits = ClassLimits {
    own: 2,
    per_key: 2,
    waiting_per_key: 64,
    waiting: 512,
};
/// Clients at an address that is familiar to the account.
const FAMILIAR: ClassLimits = ClassLimits {
    own: 1,
    per_key: 1,
    waiting_per_key: 16,
    waiting: 256,
};
/// Unauthenticated clients. Each address has one worker at most, which its users share.
const UNAUTHENTICATED: ClassLimits = ClassLimits {
    own: 1,
    per_key: 1,
    waiting_per_key: 32,
    waiting: 1024,
};

/// Limits of work without a hash: five at once.
const WORK_LIMITS: AdmissionLimits = AdmissionLimits {
    shared: 1,
    authenticated: AUTHENTICATED,
    familiar: FAMILIAR,
    unauthenticated: UNAUTHENTICATED,
};
/// Limits of work with a hash: five at once, 19 MiB each, which the engine keeps.
const HASHING_LIMITS: AdmissionLimits = WORK_LIMITS;
/// Limits of reads that find where a sign-in comes from, by clients that have proven nothing yet.
const READING_LIMITS: AdmissionLimits = AdmissionLimits {
    shared: 0,
    authenticated: ClassLimits {
        own: 0,
        ..AUTHENTICATED
    },
    familiar: ClassLimits { own: 0, ..FAMILIAR },
    unauthenticated: ClassLimits {
        own: 2,
        per_key: 1,
        waiting_per_key: 64,
        waiting: 2048,
    },
};
/// Time limit in the queue. Proxies wait a minute for a reply.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

/// Whose share of a pool some work takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ShareKey {
    /// An account's valid sessions, however many. Those with a second factor have a share apart
    /// from those with the first factor alone.
    Session {
        account: UserName,
        has_second_factor: bool,
    },
    /// Work that ends an account's sessions, by cookies that may no longer be valid.
    SignOut(UserName),
    /// Clients that have passed an account's first factor, by a valid token.
    Account(UserName),
    /// Browsers that an account trusts.
    TrustedBrowser(UserName),
    /// An address; of IPv6 its /64.
    Address(String),
    /// The program that administers.
    Program,
    /// Work of the gate itself.
    Gate,
}

/// Client that some work is done for, by class and share.
#[derive(Clone, Debug)]
pub(crate) struct PoolClient {
    pub(crate) class: AdmissionClass,
    pub(crate) key: ShareKey,
}

impl PoolClient {
    pub(crate) fn authenticated(key: ShareKey) -> PoolClient {
        PoolClient {
            class: AdmissionClass::Authenticated,
            key,
        }
    }

    /// Returns the client of a valid session. Many sessions of an account have the share of one.
    pub(crate) fn of_session(session: &Session) -> PoolClient {
        PoolClient::authenticated(ShareKey::Session {
            account: session.name.clone(),
            has_second_factor: !matches!(session.passed.second, SecondFactorMethod::None(_)),
        })
    }

    /// Returns the client at an address that is familiar to the account.
    pub(crate) fn familiar(address: Address) -> PoolClient {
        PoolClient {
            class: AdmissionClass::Familiar,
            key: ShareKey::Address(address.key()),
        }
    }

    pub(crate) fn unauthenticated(address: Address) -> PoolClient {
        PoolClient {
            class: AdmissionClass::Unauthenticated,
            key: ShareKey::Address(address.key()),
        }
    }
}

/// Engines and admission of one configuration generation.
pub(crate) struct StorePool {
    config: Config,
    work: EnginePool,
    hashing: EnginePool,
    reading: EnginePool,
}

#[derive(Clone)]
struct EnginePool {
    name: &'static str,
    admission: Admission<ShareKey>,
    idle: Arc<Mutex<Vec<Engine>>>,
}

impl EnginePool {
    fn new(name: &'static str, limits: AdmissionLimits) -> EnginePool {
        EnginePool {
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
            work: EnginePool::new("store", WORK_LIMITS),
            hashing: EnginePool::new("password-hashing", HASHING_LIMITS),
            reading: EnginePool::new("store-reads", READING_LIMITS),
        })
    }

    /// Returns these pools for work of `client`.
    pub(crate) fn for_client(self: &Arc<StorePool>, applicant: PoolClient) -> PoolHandle {
        PoolHandle {
            store_pool: Arc::clone(self),
            client: applicant,
        }
    }
}

/// The pools, for work of one client.
#[derive(Clone)]
pub(crate) struct PoolHandle {
    store_pool: Arc<StorePool>,
    pub(crate) client: PoolClient,
}

/// Which pool some work takes an engine of.
#[derive(Clone, Copy)]
pub(crate) enum WorkKind {
    Plain,
    /// Work that hashes a password.
    Hashing,
    /// Reads that find which share the rest of a request takes.
    Reading,
}

/// Why work was not done.
#[derive(Debug)]
pub(crate) enum PoolError {
    /// Too much work waits already, or it waited too long.
    Busy(AdmissionRefusal),
    /// The engine failed. The fields are for the log.
    Failed {
        cause: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl PoolError {
    /// Makes an error of one that occurs before a worker is asked.
    pub(crate) fn unavailable(error: &dyn std::error::Error) -> PoolError {
        PoolError::Failed {
            cause: "unavailable",
            why: error.to_string(),
        }
    }
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
    /// Runs `work` with an engine of a pool. An engine that failed is not used again.
    pub(crate) fn run<T, E, F>(
        &self,
        kind: WorkKind,
        work: F,
    ) -> impl Future<Output = Result<T, PoolError>> + Send + use<T, E, F>
    where
        F: FnOnce(&mut Engine) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + 'static,
    {
        let began = Instant::now();
        let pool = match kind {
            WorkKind::Plain => &self.store_pool.work,
            WorkKind::Hashing => &self.store_pool.hashing,
            WorkKind::Reading => &self.store_pool.reading,
        };
        let PoolClient { class, key } = self.client.clone();
        let admission = pool.admission.acquire(class, key);
        let (pool, workers) = (pool.clone(), Arc::clone(&self.store_pool));
        async move {
            let busy = |busy| {
                METRICS.count_rejection(pool.name, busy);
                PoolError::Busy(busy)
            };
            let admitted = timeout(QUEUE_TIMEOUT, admission.map_err(busy)?).await;
            let permit = admitted
                .unwrap_or(Err(AdmissionRefusal::Capacity))
                .map_err(busy)?;
            let (config, idle) = (workers.config.clone(), pool.idle);
            let finished = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let idle_engine = idle.lock().ok().and_then(|mut idle| idle.pop());
                let mut engine = match idle_engine {
                    Some(engine) => engine,
                    None => Engine::open(config).map_err(|error| engine_failed(&error))?,
                };
                engine.set_write_class(class);
                let result = work(&mut engine).map_err(|error| engine_failed(&error));
                for warning in engine.take_warnings() {
                    log::event("warning")
                        .with("cause", warning.cause)
                        .write_with_message(warning.text);
                }
                let result = result?;
                match idle.lock() {
                    Ok(mut idle) if !engine.is_read_only() => idle.push(engine),
                    _ => {}
                }
                Ok(result)
            });
            let finished = finished.await;
            METRICS.observe_verification(began.elapsed());
            finished.unwrap_or_else(|_| {
                Err(PoolError::Failed {
                    cause: "panic",
                    why: "internal error during verification; please report it".to_owned(),
                })
            })
        }
    }
}

fn engine_failed(error: &(dyn std::error::Error + 'static)) -> PoolError {
    PoolError::Failed {
        cause: store::log_cause(error),
        why: error.to_string(),
    }
}

/// Separates an error of the engine, which is for the log, from a refusal, which the client sees.
pub(crate) fn separate_engine_error<T>(
    result: Result<T, AdministrationError>,
) -> Result<Result<T, AdministrationError>, EngineError> {
    match result {
        Err(AdministrationError::Engine(error)) => Err(error),
        result => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::cookies::sample_session;
    use postern_shared::account::second_factor::Enrolled;
    use postern_shared::token::session::SessionId;

    fn session(name: &str, second: SecondFactorMethod) -> Session {
        sample_session(name, SessionId::random().unwrap(), second)
    }

    /// Each session had a share of its own: a user with hundreds of them filled the queue of all
    /// users.
    #[test]
    fn an_account_with_many_sessions_keeps_no_other_out() {
        let pool = EnginePool::new("store", WORK_LIMITS);
        let enter = |session: &Session| {
            let PoolClient { class, key } = PoolClient::of_session(session);
            pool.admission.acquire(class, key)
        };
        let held: Vec<_> = (0..1000)
            .filter_map(|_| enter(&session("mallory", SecondFactorMethod::Code)).ok())
            .collect();
        assert_eq!(
            held.len(),
            AUTHENTICATED.per_key + AUTHENTICATED.waiting_per_key
        );
        let alice = enter(&session("alice", SecondFactorMethod::Code)).unwrap();
        assert!(
            alice.wait(Duration::ZERO).is_ok(),
            "she has a worker at once"
        );
    }

    /// A client that has an account's password alone takes no share of one that has shown more.
    #[test]
    fn password_sessions_have_a_share_of_their_own() {
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
