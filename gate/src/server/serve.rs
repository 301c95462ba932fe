//! The server: starts the generation, accepts connections, limits headers and time, and drains at
//! SIGTERM.

use super::connections::{ActiveRequest, ConnectionPermit, Connections, UnsentReply};
use super::lingering_stream::LingeringStream;
use super::listener::{AcceptedConnection, Certificate, Listener};
use super::monitoring::{Health, RunningGate};
use super::reload::{self, Reload};
use super::signals::{SignalAction, SignalReceiver};
use super::sockets::ActivatedSockets;
use super::{fastcgi, routes, service_manager};
use crate::http::memory_limit::{HeldBody, ReservedMemory, has_few_fields};
use crate::http::reply::{self, HttpReply};
use crate::observe::log;
use crate::observe::metrics::{self, METRICS};
use crate::proxy::trusted_proxy::ProxyConnection;
use crate::state::exit::StopReason;
use crate::state::generation::Generation;
use crate::state::site::Site;
use arc_swap::{ArcSwap, Guard};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use postern_shared::config::gate::ListenAddress;
use postern_shared::config::{Config, file};
use postern_shared::system::admission::AdmissionRefusal;
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;

/// Time limit for a request's headers, and for the next request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Time limit for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Size limit of a request's headers in HTTP/1, in bytes: more than nginx passes on by default.
const HEADER_BYTES: usize = 64 * 1024;
/// Size limit of a request's headers in HTTP/2, as RFC 9113, section 6.5.2, counts: 32 bytes more
/// for each field.
const HEADER_LIST_BYTES: u32 = 48 * 1024;
/// Limit on open requests of one HTTP/2 connection. Proxies open more connections for more.
const MAX_STREAMS: u32 = 64;
/// Flow control windows, in bytes: one body per stream, and four per connection.
const STREAM_BYTES: u32 = 16 * 1024;
const CONNECTION_BYTES: u32 = 64 * 1024;
/// Limit on unsent bytes of one HTTP/2 reply.
const SEND_BYTES: usize = 16 * 1024;
/// Time limit for a peer to read a part of its replies.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for open requests to finish when the gate stops, and then for their work at the store.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause after accepting a connection failed, so that it does not fail in a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Runs the gate until a signal ends it.
pub(crate) fn run(path: &Path) -> Result<(), StopReason> {
    let in_force =
        file::load_config(path).map_err(|error| StopReason::Configuration(error.to_string()))?;
    log::configure(&in_force.config.gate);
    if let Some(problem) = &in_force.fallback {
        log::write_message(problem);
    }
    log::warn_if_copy_differs(path, &in_force);
    metrics::register_metrics();
    let health = Arc::new(Health::default());
    if in_force.fallback.is_none() {
        health.set_configuration_current();
    }
    let config = in_force.config;
    let runtime = build_runtime()?;
    let generation = {
        let _inside = runtime.enter();
        warn_of_other_relying_party(&config);
        Generation::start(path, config, None)?
    };
    let (served, generation) = runtime.block_on(serve(path, generation, health));
    runtime.shutdown_timeout(STORE_TIMEOUT);
    generation.stop(Duration::ZERO);
    served
}

fn build_runtime() -> Result<Runtime, String> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    built.map_err(|error| format!("no threads: {error}"))
}

/// Serves until a signal ends it. Returns the generation that served last.
async fn serve(
    path: &Path,
    generation: Generation,
    health: Arc<Health>,
) -> (Result<(), StopReason>, Generation) {
    let bound = bind(&generation.site).await;
    let BoundListeners {
        listeners,
        operations,
        certificate,
        mut signals,
    } = match bound {
        Ok(bound) => bound,
        Err(error) => return (Err(error), generation),
    };
    let (end, ended) = watch::channel(());
    let gate = RunningGate {
        site: Arc::new(ArcSwap::new(Arc::clone(&generation.site))),
        connections: Connections::with_descriptor_limit(),
        health: Arc::clone(&health),
    };
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| tokio::spawn(accept_connections(gate.clone(), listener, ended.clone())))
        .collect();
    let (site, connections) = (Arc::clone(&gate.site), Arc::clone(&gate.connections));
    let idle = Arc::clone(&connections);
    tokio::spawn(async move { idle.close_idle(HEADER_TIMEOUT).await });
    if let Some(listener) = operations {
        tokio::spawn(gate.serve(listener));
    }
    let mut reload = Reload {
        path: path.to_owned(),
        generation,
        site,
        certificate,
        health,
    };
    service_manager::start_watchdog();
    service_manager::notify_ready();
    while signals.receive().await == SignalAction::Reload {
        tokio::task::block_in_place(|| reload.reload());
    }
    service_manager::notify_stopping();
    reload.health.set_stopping();
    drop(end);
    for task in accepting {
        // The task ends by itself. Its panic must not keep other connections from draining.
        let _ = task.await;
    }
    if timeout(DRAIN_TIMEOUT, connections.drain()).await.is_err() {
        log::write_message(format_args!(
            "requests that were still open after {} s were closed",
            DRAIN_TIMEOUT.as_secs()
        ));
    }
    (Ok(()), reload.generation)
}

/// Everything that is bound before a request is served.
struct BoundListeners {
    listeners: Vec<Listener>,
    operations: Option<Listener>,
    /// Certificate of the TLS listeners.
    certificate: Option<Certificate>,
    signals: SignalReceiver,
}

async fn bind(site: &Site) -> Result<BoundListeners, StopReason> {
    let gate = site.gate();
    let certificate = gate
        .tls
        .as_ref()
        .map(Certificate::read)
        .transpose()
        .map_err(StopReason::Configuration)?;
    let mut sockets = ActivatedSockets::from_environment();
    let mut listeners = Vec::new();
    let wrong = |why| format!("gate.listen: {why}");
    // Entries that name a socket come before "systemd", which takes the remaining ones.
    let takes_rest = |listen: &&ListenAddress| **listen == ListenAddress::Systemd(None);
    let named = gate.listen.0.iter().filter(|listen| !takes_rest(listen));
    for listen in named.chain(gate.listen.0.iter().filter(takes_rest).take(1)) {
        listeners.extend(
            Listener::bind(listen, certificate.as_ref(), &mut sockets)
                .await
                .map_err(wrong)?,
        );
    }
    sockets.refuse_unused().map_err(wrong)?;
    let mut operations = None;
    if let Some(at) = &gate.operations {
        let bound = Listener::bind(at.listen(), None, &mut sockets).await;
        operations = bound
            .map_err(|why| format!("gate.operations: {why}"))?
            .pop();
        log::write_message(format_args!(
            "serves monitoring at {}",
            String::from(at.clone())
        ));
    }
    for listen in &gate.listen.0 {
        log::write_message(format_args!("listens on {}", String::from(listen.clone())));
    }
    Ok(BoundListeners {
        listeners,
        operations,
        certificate,
        signals: SignalReceiver::listen()?,
    })
}

async fn accept_connections(gate: RunningGate, listener: Listener, mut ended: watch::Receiver<()>) {
    loop {
        tokio::select! {
            _ = ended.changed() => return,
            accepted = accept_one(&gate, &listener) => if let Err(error) = accepted {
                log::write_message(format_args!("a connection cannot be accepted: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            },
        }
    }
}

async fn accept_one(gate: &RunningGate, listener: &Listener) -> std::io::Result<()> {
    let accepted = listener.accept().await?;
    let address = accepted
        .address()
        .filter(|address| !gate.site.load().trusted_proxies.is_proxy(*address));
    let permit = gate.connections.admit(address).await?;
    let site = Arc::clone(&gate.site);
    tokio::spawn(async move { serve_connection(&site, &permit, accepted).await });
    Ok(())
}

async fn serve_connection(
    site: &Arc<ArcSwap<Site>>,
    permit: &ConnectionPermit,
    accepted: AcceptedConnection,
) {
    let mut connection = ProxyConnection {
        address: accepted.address(),
        certificate: false,
        encrypted: false,
    };
    match accepted {
        AcceptedConnection::Unix(stream) => {
            serve_stream(site, permit, stream, connection).await;
        }
        AcceptedConnection::Tcp(stream, _) => {
            serve_stream(site, permit, stream, connection).await;
        }
        AcceptedConnection::Fastcgi(stream, _) => {
            fastcgi::serve_connection(site, permit, stream, connection).await;
        }
        AcceptedConnection::Tls(stream, _, acceptor) => {
            let handshake = tokio::select! {
                handshake = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => handshake,
                () = permit.closed() => return,
            };
            let Ok(Ok(stream)) = handshake else {
                return;
            };
            connection.certificate = stream.get_ref().1.peer_certificates().is_some();
            connection.encrypted = true;
            serve_stream(site, permit, stream, connection).await;
        }
    }
}

/// Reserves what a request holds until its reply is sent. A check is answered at once and holds
/// nothing.
fn reserve_request(
    site: &Site,
    permit: &ConnectionPermit,
    connection: ProxyConnection,
    request: &Request<Incoming>,
) -> Result<HeldUntilSent, StatusCode> {
    if !has_few_fields(request.headers()) {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let is_proxy = site
        .trusted_proxies
        .authenticate(connection, request.headers(), None)
        .is_ok();
    let address = connection.address.filter(|_| !is_proxy);
    let held = permit.reserve_memory(address, request).ok_or_else(|| {
        METRICS.count_rejection("memory", AdmissionRefusal::KeyLimit);
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    Ok((held, permit.begin_reply(SEND_TIMEOUT)))
}

/// What a request holds until its reply is sent.
type HeldUntilSent = (ReservedMemory, UnsentReply);
type SentReply = Response<HeldBody<UnsentReply>>;

/// A reply to a request. One that waits for nothing, as that of a check, needs no allocation.
enum PendingReply {
    Ready(Option<SentReply>),
    Waiting(Pin<Box<dyn Future<Output = SentReply> + Send>>),
}

impl PendingReply {
    fn ready(reply: HttpReply) -> PendingReply {
        PendingReply::Ready(Some(reply.map(|body| HeldBody::new(body, None))))
    }
}

impl Future for PendingReply {
    type Output = Result<SentReply, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            PendingReply::Ready(reply) => Poll::Ready(Ok(reply.take().expect("it is polled once"))),
            PendingReply::Waiting(reply) => reply.as_mut().poll(context).map(Ok),
        }
    }
}

fn answer(
    site_in_force: &ArcSwap<Site>,
    permit: &ConnectionPermit,
    connection: ProxyConnection,
    mut request: Request<Incoming>,
) -> PendingReply {
    let now = Instant::now();
    permit.record_request(now, request.version());
    let site = site_in_force.load();
    if let Some(reply) = routes::answer_at_once(&site, connection, &mut request, now) {
        return PendingReply::ready(reply);
    }
    match reserve_request(&site, permit, connection, &request) {
        Ok(held) => PendingReply::Waiting(Box::pin(answer_page(
            Guard::into_inner(site),
            permit.begin_request(),
            held,
            connection,
            request,
        ))),
        Err(status) => PendingReply::ready(reply::bare_and_close(status)),
    }
}

async fn answer_page(
    site: Arc<Site>,
    open_request: ActiveRequest,
    held: HeldUntilSent,
    connection: ProxyConnection,
    request: Request<Incoming>,
) -> SentReply {
    let reply = routes::answer_page(&site, connection, request).await;
    drop(open_request);
    reply.map(|body| HeldBody::new(body, Some(held)))
}

async fn serve_stream(
    site_in_force: &Arc<ArcSwap<Site>>,
    permit: &ConnectionPermit,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: ProxyConnection,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // A reply without a body is one buffer, which costs less to write than a list of them.
    builder.http1().max_buf_size(HEADER_BYTES).writev(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEADER_TIMEOUT))
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_BYTES)
        .initial_connection_window_size(CONNECTION_BYTES)
        .max_send_buf_size(SEND_BYTES);
    let service =
        service_fn(|request: Request<Incoming>| answer(site_in_force, permit, connection, request));
    permit
        .serve(builder.serve_connection(TokioIo::new(LingeringStream::new(stream)), service))
        .await;
}

/// Says in the log that no passkey works, where they were made for another relying party. Codes sign
/// in all the same.
fn warn_of_other_relying_party(config: &Config) {
    // A store that does not open is reported by what needs it.
    if let Ok(Some(other)) = reload::find_other_relying_party(config) {
        log::write_message(format_args!("{other}; {}", other.remedy()));
    }
}
