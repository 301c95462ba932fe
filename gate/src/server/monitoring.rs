//! Health, readiness and metrics, on a listener of their own.
//!
//! MUST NOT say anything about a user: any client that reaches this address may read it. It may read the
//! names of the hosts of a fleet, too.

use super::connections::Connections;
use super::listener::{AcceptedConnection, Listener};
use crate::http::reply::{self, HttpReply, bare};
use crate::live::store_pool::{PoolClient, ShareKey, WorkKind};
use crate::observe::log;
use crate::observe::metrics::{GateHealth, METRICS};
use crate::state::site::Site;
use arc_swap::ArcSwap;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use postern_shared::engine::{EngineError, HostStatus};
use postern_shared::system::clock;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

/// Connection limit. Their descriptors are among those that [`Connections`] keeps free.
const MAX_CONNECTIONS: usize = 16;
/// Time limit for a connection, which carries one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after accepting a connection failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Time limit for a test of the store, and how long its result is reused.
const TEST_TIMEOUT: Duration = Duration::from_secs(3);
const TEST_REUSE: Duration = Duration::from_secs(2);

/// Health that only the server knows.
#[derive(Default)]
pub(crate) struct Health {
    is_configuration_current: AtomicBool,
    is_stopping: AtomicBool,
    /// Time and result of the last test of the store.
    store_test: Mutex<Option<(Instant, StoreTest)>>,
    /// Time and result of the last read of the hosts of the fleet.
    hosts: Mutex<Option<(Instant, Vec<HostStatus>)>>,
}

#[derive(Clone, Copy)]
struct StoreTest {
    takes_writes: bool,
    /// Whether mail waits because posternd does not send it.
    mail_waits: bool,
}

impl Health {
    pub(crate) fn set_configuration_current(&self) {
        self.is_configuration_current.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_configuration_outdated(&self) {
        self.is_configuration_current
            .store(false, Ordering::Relaxed);
    }

    pub(crate) fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }
}

/// The gate while it serves, with what a reload replaces.
#[derive(Clone)]
pub(crate) struct RunningGate {
    /// Site of the generation in force. An open request keeps its own.
    pub(crate) site: Arc<ArcSwap<Site>>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) health: Arc<Health>,
}

impl RunningGate {
    /// Serves until the process exits, also while it drains.
    pub(crate) async fn serve(self, listener: Listener) {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        // The semaphore is never closed.
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            match listener.accept().await {
                Ok(accepted) => {
                    let gate = self.clone();
                    tokio::spawn(async move {
                        gate.serve_connection(accepted).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    log::write_message(format_args!(
                        "a connection to gate.operations cannot be accepted: {error}"
                    ));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve_connection(&self, accepted: AcceptedConnection) {
        match accepted {
            AcceptedConnection::Unix(stream) => self.serve_stream(stream).await,
            AcceptedConnection::Tcp(stream, _) => self.serve_stream(stream).await,
            // The configuration allows neither on this listener.
            AcceptedConnection::Tls(..) | AcceptedConnection::Fastcgi(..) => {}
        }
    }

    async fn serve_stream(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request: Request<Incoming>| {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            async move { Ok::<_, Infallible>(self.answer(&method, &path).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(CONNECTION_TIMEOUT)
            .keep_alive(false);
        // An error on the peer's own connection needs no log line.
        let _ = timeout(
            CONNECTION_TIMEOUT,
            http.serve_connection(TokioIo::new(stream), service),
        )
        .await;
    }

    async fn answer(&self, method: &Method, path: &str) -> HttpReply {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return bare(StatusCode::METHOD_NOT_ALLOWED);
        }
        match path {
            "/healthz" => reply::text(StatusCode::OK, TEXT, "serves\n".to_owned()),
            "/readyz" => match self.readiness().await {
                Ok(text) => reply::text(StatusCode::OK, TEXT, text),
                Err(why) => reply::text(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
            },
            "/metrics" => {
                let text = METRICS.text(&self.gate_health(), &self.hosts().await);
                reply::text(StatusCode::OK, OPEN_METRICS, text)
            }
            _ => bare(StatusCode::NOT_FOUND),
        }
    }

    /// Returns whether users can sign in. An invalid file locks no user out, so it does not make
    /// the gate unready; nor does waiting mail, which another gate could not send either.
    async fn readiness(&self) -> Result<String, &'static str> {
        let health = self.gate_health();
        if self.health.is_stopping.load(Ordering::Relaxed) {
            return Err("the gate is shutting down");
        }
        if !health.has_lease {
            return Err("the store cannot be read, access is denied: the gate's log says why");
        }
        let tested = self.test_store().await;
        if !tested.takes_writes {
            return Err("the store cannot be written, sign-in is refused: the gate's log says why");
        }
        let mut text = match health.is_configuration_current {
            true => "ready\n".to_owned(),
            false => "ready, with an older configuration than the file: the gate's log says why\n"
                .to_owned(),
        };
        if tested.mail_waits {
            text.push_str("mail waits: start posternd, which sends it, or see its log\n");
        }
        Ok(text)
    }

    /// Tests whether the store takes writes, and whether mail waits. The result is reused for some
    /// seconds, since a test costs a durable commit.
    async fn test_store(&self) -> StoreTest {
        let mut tested = self.health.store_test.lock().await;
        if let Some((_, result)) = tested.filter(|(at, _)| at.elapsed() < TEST_REUSE) {
            return result;
        }
        let pool = self
            .site
            .load()
            .store_pool
            .for_client(PoolClient::authenticated(ShareKey::Gate));
        let test = pool.run(WorkKind::Plain, |engine| {
            engine.try_write()?;
            // A request that needs the clock reports its failure.
            Ok::<_, EngineError>(match clock::now() {
                Ok(now) => engine.mail().mail_is_overdue(now)?,
                Err(_) => false,
            })
        });
        let (mail_waits, why) = match timeout(TEST_TIMEOUT, test).await {
            Ok(Ok(mail_waits)) => (mail_waits, None),
            Ok(Err(error)) => (false, Some(error.to_string())),
            Err(_) => (
                false,
                Some(format!(
                    "a write took longer than {} s",
                    TEST_TIMEOUT.as_secs()
                )),
            ),
        };
        if let Some(why) = &why {
            let line = log::event("failed")
                .with("cause", "not-ready")
                .rate_limited("not-ready");
            line.write_with_message(format_args!("the store cannot be written: {why}"));
        }
        let result = StoreTest {
            takes_writes: why.is_none(),
            mail_waits,
        };
        *tested = Some((Instant::now(), result));
        result
    }

    /// Returns the hosts of the fleet; none if the store cannot be read, which other metrics show. The
    /// result is reused for some seconds, since any client that reaches this address may ask.
    async fn hosts(&self) -> Vec<HostStatus> {
        let mut known = self.health.hosts.lock().await;
        if let Some((at, hosts)) = &*known {
            if at.elapsed() < TEST_REUSE {
                return hosts.clone();
            }
        }
        let pool = self
            .site
            .load()
            .store_pool
            .for_client(PoolClient::authenticated(ShareKey::Gate));
        let read = pool.run(WorkKind::Plain, |engine| match clock::now() {
            Ok(now) => engine.hosts().host_statuses(now),
            Err(_) => Ok(Vec::new()),
        });
        let hosts = match timeout(TEST_TIMEOUT, read).await {
            Ok(Ok(hosts)) => hosts,
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        *known = Some((Instant::now(), hosts.clone()));
        hosts
    }

    fn gate_health(&self) -> GateHealth {
        let site = self.site.load();
        GateHealth {
            has_lease: site.revocation_cache.has_lease(),
            since_last_read: site.revocation_cache.since_last_read(),
            is_configuration_current: self.health.is_configuration_current.load(Ordering::Relaxed),
            connections: self.connections.count(),
        }
    }
}
