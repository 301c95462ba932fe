//! For monitoring, on a listener of its own: whether the gate serves, whether it lets people in, and what it counts.
//!
//! MUST NOT say anything about anyone: whoever reaches this address may read it.

use super::connections::Connections;
use super::listener::{AcceptedConnection, Listener};
use crate::http::reply::{HttpReply, bare};
use crate::live::store_pool::{PoolClient, ShareKey};
use crate::observe::log;
use crate::observe::metrics::{METRICS, StoreHealth};
use crate::state::site::Site;
use arc_swap::ArcSwap;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use shared::engine::EngineError;
use shared::system::clock;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

/// Connections at once; their descriptors are among those that the web's connections leave.
const AT_ONCE: usize = 16;
/// How long one may last: a question and its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A pause after accepting failed.
const PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a try of the store's may take, and how long what came of it is gone by.
const TRY: Duration = Duration::from_secs(3);
const FRESH: Duration = Duration::from_secs(2);

/// What only the server knows of the gate's health.
#[derive(Default)]
pub(crate) struct Health {
    own_configuration: AtomicBool,
    ends: AtomicBool,
    /// What came of the last try of the store, and when that was.
    tried: Mutex<Option<(Instant, StoreTry)>>,
}

/// What came of a try of the store.
#[derive(Clone, Copy)]
struct StoreTry {
    takes_writes: bool,
    /// Whether mail waits for a posternd that does not send it.
    mail_waits: bool,
}

impl Health {
    /// Goes by the file itself.
    pub(crate) fn goes_by_the_file(&self) {
        self.own_configuration.store(true, Ordering::Relaxed);
    }

    /// Goes by what came before the file of now, which is wrong.
    pub(crate) fn goes_by_what_was(&self) {
        self.own_configuration.store(false, Ordering::Relaxed);
    }

    /// The gate ends.
    pub(crate) fn ends(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

/// What is asked about.
#[derive(Clone)]
pub(crate) struct MonitoredGate {
    pub(crate) sites: Arc<ArcSwap<Site>>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) health: Arc<Health>,
}

impl MonitoredGate {
    /// Answers until the process ends, also while it drains.
    pub(crate) async fn answer_at(self, listener: Listener) {
        let seats = Arc::new(Semaphore::new(AT_ONCE));
        // nobody closes the semaphore
        while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
            match listener.accept().await {
                Ok(accepted) => {
                    let gate = self.clone();
                    tokio::spawn(async move {
                        gate.meet(accepted).await;
                        drop(seat);
                    });
                }
                Err(error) => {
                    log::write_message(format_args!(
                        "a connection to gate.operations cannot be accepted: {error}"
                    ));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn meet(&self, accepted: AcceptedConnection) {
        match accepted {
            AcceptedConnection::Unix(stream) => self.talk(stream).await,
            AcceptedConnection::Tcp(stream, _) => self.talk(stream).await,
            // the configuration allows none here
            AcceptedConnection::Tls(..) => {}
        }
    }

    async fn talk(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request: Request<Incoming>| {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            async move { Ok::<_, Infallible>(self.answer(&method, &path).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .keep_alive(false);
        // What a peer does to its own connection is no news.
        let _ = timeout(
            PATIENCE,
            http.serve_connection(TokioIo::new(stream), service),
        )
        .await;
    }

    async fn answer(&self, method: &Method, path: &str) -> HttpReply {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return bare(StatusCode::METHOD_NOT_ALLOWED);
        }
        match path {
            "/healthz" => said(StatusCode::OK, TEXT, "serves\n".to_owned()),
            "/readyz" => match self.is_ready().await {
                Ok(words) => said(StatusCode::OK, TEXT, words),
                Err(why) => said(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
            },
            "/metrics" => said(StatusCode::OK, OPEN_METRICS, METRICS.text(&self.standing())),
            _ => bare(StatusCode::NOT_FOUND),
        }
    }

    /// Whether people are let in. A file that is wrong locks nobody out, and so takes no gate out of service either; nor
    /// does mail that waits, which another gate could not send.
    async fn is_ready(&self) -> Result<String, &'static str> {
        let standing = self.standing();
        if self.health.ends.load(Ordering::Relaxed) {
            return Err("the gate is shutting down");
        }
        if !standing.is_sure {
            return Err("the store cannot be read, access is denied: the gate's log says why");
        }
        let tried = self.try_store().await;
        if !tried.takes_writes {
            return Err("the store cannot be written, sign-in is refused: the gate's log says why");
        }
        let mut words = match standing.own_configuration {
            true => "ready\n".to_owned(),
            false => "ready, with an older configuration than the file: the gate's log says why\n"
                .to_owned(),
        };
        if tried.mail_waits {
            words.push_str("mail waits: start posternd, which sends it, or see its log\n");
        }
        Ok(words)
    }

    /// Whether the store takes writes, and mail waits. That is tried, a few times a minute at most: it costs a durable
    /// commit.
    async fn try_store(&self) -> StoreTry {
        let mut tried = self.health.tried.lock().await;
        if let Some((_, came)) = tried.filter(|(at, _)| at.elapsed() < FRESH) {
            return came;
        }
        let judge = self
            .sites
            .load()
            .store_pool
            .for_client(PoolClient::proven(ShareKey::Gate));
        let try_it = judge.with_engine(|door| {
            door.try_write()?;
            // a clock that cannot be read is told by whatever needs it
            Ok::<_, EngineError>(match clock::now() {
                Ok(now) => door.mail_is_overdue(now)?,
                Err(_) => false,
            })
        });
        let (mail_waits, why) = match timeout(TRY, try_it).await {
            Ok(Ok(mail_waits)) => (mail_waits, None),
            Ok(Err(error)) => (false, Some(error.to_string())),
            Err(_) => (
                false,
                Some(format!("a write took longer than {} s", TRY.as_secs())),
            ),
        };
        if let Some(why) = &why {
            let line = log::event("failed")
                .with("cause", "not-ready")
                .rate_limited("not-ready");
            line.write_with_message(format_args!("the store cannot be written: {why}"));
        }
        let came = StoreTry {
            takes_writes: why.is_none(),
            mail_waits,
        };
        *tried = Some((Instant::now(), came));
        came
    }

    fn standing(&self) -> StoreHealth {
        let site = self.sites.load();
        StoreHealth {
            is_sure: site.revocation_cache.has_lease(),
            last_sure: site.revocation_cache.since_last_read(),
            own_configuration: self.health.own_configuration.load(Ordering::Relaxed),
            connections: self.connections.count(),
        }
    }
}

fn said(status: StatusCode, kind: &'static str, text: String) -> HttpReply {
    let mut reply = HttpReply::new(Full::from(text));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
