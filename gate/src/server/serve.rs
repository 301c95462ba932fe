//! The server: listeners, limits on headers and time, and a bounded drain at SIGTERM.

use super::connections::{ConnectionPermit, Connections, Sending};
use super::listener::{AcceptedConnection, Certificate, Listener};
use super::monitoring::{Health, MonitoredGate};
use super::reload::Reload;
use super::signals::{Order, Orders};
use super::sockets::ActivatedSockets;
use super::{routes, service_manager};
use crate::http::memory_limit::{Held, HeldBody, has_few_fields};
use crate::http::reply;
use crate::observe::log;
use crate::observe::metrics::{self, METRICS};
use crate::proxy::trusted_proxy::ProxyConnection;
use crate::state::exit::StopReason;
use crate::state::generation::Generation;
use crate::state::site::Site;
use arc_swap::ArcSwap;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use shared::config::file;
use shared::config::gate::Listen;
use shared::system::admission::Busy;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a request's headers, or the next request, may take.
const HEADERS: Duration = Duration::from_secs(15);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The most of one request's headers in HTTP/1, in bytes: more than nginx passes on by its own settings.
const HEADER_BYTES: usize = 64 * 1024;
/// The same in HTTP/2, as RFC 9113, section 6.5.2, counts: 32 bytes more for each field.
const HEADER_LIST_BYTES: u32 = 48 * 1024;
/// Requests under way on one HTTP/2 connection; proxies open more connections for more.
const STREAMS: u32 = 64;
/// What of a body is taken unread: of a stream one body, of a connection four.
const STREAM_BYTES: u32 = 16 * 1024;
const CONNECTION_BYTES: u32 = 64 * 1024;
/// What of an answer waits in HTTP/2 to be sent.
const SEND_BYTES: usize = 16 * 1024;
/// How long a peer may take none of its answers.
const TAKEN: Duration = Duration::from_secs(30);
/// How long open requests have at the end, and then what they left to be judged.
const DRAIN: Duration = Duration::from_secs(10);
const LAST: Duration = Duration::from_secs(2);
/// A pause after accepting failed, so that it does not fail in a tight loop.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs the gate until a signal ends it.
pub(crate) fn run(path: &Path) -> Result<(), StopReason> {
    let in_force =
        file::load_config(path).map_err(|error| StopReason::Configuration(error.to_string()))?;
    log::configure(&in_force.config.gate);
    if let Some(problem) = &in_force.fallback {
        log::write_message(problem);
    }
    log::warn_if_copy_differs(path, &in_force);
    metrics::begin();
    let health = Arc::new(Health::default());
    if in_force.fallback.is_none() {
        health.goes_by_the_file();
    }
    let config = in_force.config;
    let runtime = threads()?;
    let running = {
        let _inside = runtime.enter();
        Generation::start(path, config)?
    };
    let (served, running) = runtime.block_on(serve(path, running, health));
    runtime.shutdown_timeout(LAST);
    running.end(Duration::ZERO);
    served
}

fn threads() -> Result<Runtime, String> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    built.map_err(|error| format!("no threads: {error}"))
}

/// Serves until a signal ends it; what ran last.
async fn serve(
    path: &Path,
    running: Generation,
    health: Arc<Health>,
) -> (Result<(), StopReason>, Generation) {
    let bound = bind(&running.site).await;
    let BoundListeners {
        listeners,
        operations,
        certificate,
        mut orders,
    } = match bound {
        Ok(bound) => bound,
        Err(error) => return (Err(error), running),
    };
    let (end, ended) = watch::channel(());
    let sites = Arc::new(ArcSwap::new(Arc::clone(&running.site)));
    let host = RequestHost {
        sites: Arc::clone(&sites),
        connections: Connections::affordable(),
    };
    let graceful = Arc::new(GracefulShutdown::new());
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            tokio::spawn(accept(
                host.clone(),
                listener,
                Arc::clone(&graceful),
                ended.clone(),
            ))
        })
        .collect();
    let gate = MonitoredGate {
        sites: Arc::clone(&sites),
        connections: Arc::clone(&host.connections),
        health,
    };
    let health = Arc::clone(&gate.health);
    if let Some(listener) = operations {
        tokio::spawn(gate.answer_at(listener));
    }
    let mut reload = Reload {
        path: path.to_owned(),
        running,
        sites,
        certificate,
        health,
    };
    service_manager::watch_over_us();
    service_manager::is_ready();
    while orders.next().await == Order::Reload {
        tokio::task::block_in_place(|| reload.run());
    }
    service_manager::is_stopping();
    reload.health.ends();
    drop(end);
    for task in accepting {
        // It ends by itself; a panic there must not keep the others from draining.
        let _ = task.await;
    }
    let Some(graceful) = Arc::into_inner(graceful) else {
        return (Ok(()), reload.running);
    };
    host.connections.end_idle();
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        log::write_message(format_args!(
            "requests that were still open after {} s were closed",
            DRAIN.as_secs()
        ));
    }
    (Ok(()), reload.running)
}

/// What is bound before anything is served.
struct BoundListeners {
    listeners: Vec<Listener>,
    operations: Option<Listener>,
    /// Of the listeners with TLS.
    certificate: Option<Certificate>,
    orders: Orders,
}

async fn bind(site: &Site) -> Result<BoundListeners, StopReason> {
    let gate = site.gate();
    let certificate = gate
        .tls
        .as_ref()
        .map(Certificate::read)
        .transpose()
        .map_err(StopReason::Configuration)?;
    let mut sockets = ActivatedSockets::handed_over();
    let mut listeners = Vec::new();
    let wrong = |why| format!("gate.listen: {why}");
    // a socket's name goes before "systemd", which takes what is left
    let takes_rest = |listen: &&Listen| **listen == Listen::Systemd(None);
    let named = gate.listen.iter().filter(|listen| !takes_rest(listen));
    for listen in named.chain(gate.listen.iter().filter(takes_rest).take(1)) {
        listeners.extend(
            Listener::bind(listen, certificate.as_ref(), &mut sockets)
                .await
                .map_err(wrong)?,
        );
    }
    sockets.are_all_taken().map_err(wrong)?;
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
    for listen in &gate.listen {
        log::write_message(format_args!("listens on {}", String::from(listen.clone())));
    }
    Ok(BoundListeners {
        listeners,
        operations,
        certificate,
        orders: Orders::listen()?,
    })
}

/// What every connection needs.
#[derive(Clone)]
struct RequestHost {
    /// The site of now; requests that are under way keep theirs.
    sites: Arc<ArcSwap<Site>>,
    connections: Arc<Connections>,
}

async fn accept(
    host: RequestHost,
    listener: Listener,
    graceful: Arc<GracefulShutdown>,
    mut ended: watch::Receiver<()>,
) {
    loop {
        tokio::select! {
            _ = ended.changed() => return,
            accepted = one(&host, &listener, &graceful) => if let Err(error) = accepted {
                log::write_message(format_args!("a connection cannot be accepted: {error}"));
                tokio::time::sleep(PAUSE).await;
            },
        }
    }
}

async fn one(
    host: &RequestHost,
    listener: &Listener,
    graceful: &GracefulShutdown,
) -> std::io::Result<()> {
    let accepted = listener.accept().await?;
    let from = match &accepted {
        AcceptedConnection::Unix(_) => None,
        AcceptedConnection::Tcp(_, address) | AcceptedConnection::Tls(_, address, _) => {
            Some(*address)
        }
    };
    let from = from.filter(|address| !host.sites.load().trusted_proxies.is_proxy(*address));
    let seat = host.connections.seat(from).await?;
    let (sites, watcher) = (Arc::clone(&host.sites), graceful.watcher());
    tokio::spawn(async move {
        tokio::select! {
            // an answer that is ready goes out first
            biased;
            () = serve_one(&sites, &seat, watcher, accepted) => {}
            () = seat.ends(HEADERS) => {}
        }
    });
    Ok(())
}

async fn serve_one(
    sites: &Arc<ArcSwap<Site>>,
    seat: &ConnectionPermit,
    watcher: Watcher,
    accepted: AcceptedConnection,
) {
    match accepted {
        AcceptedConnection::Unix(stream) => {
            talk(
                sites,
                seat,
                watcher,
                stream,
                ProxyConnection {
                    address: None,
                    certificate: false,
                    encrypted: false,
                },
            )
            .await;
        }
        AcceptedConnection::Tcp(stream, address) => {
            talk(
                sites,
                seat,
                watcher,
                stream,
                ProxyConnection {
                    address: Some(address),
                    certificate: false,
                    encrypted: false,
                },
            )
            .await;
        }
        AcceptedConnection::Tls(stream, address, acceptor) => {
            let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else {
                return;
            };
            let certificate = stream.get_ref().1.peer_certificates().is_some();
            talk(
                sites,
                seat,
                watcher,
                stream,
                ProxyConnection {
                    address: Some(address),
                    certificate,
                    encrypted: true,
                },
            )
            .await;
        }
    }
}

/// What a request holds until its answer is sent. A check is answered at once.
fn holding(
    site: &Site,
    seat: &ConnectionPermit,
    connected: ProxyConnection,
    request: &Request<Incoming>,
) -> Result<Option<(Held, Sending)>, StatusCode> {
    if routes::is_answered_at_once(request) {
        return Ok(None);
    }
    if !has_few_fields(request.headers()) {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let is_proxy = site
        .trusted_proxies
        .authenticate(connected, request.headers(), None)
        .is_ok();
    let address = connected.address.filter(|_| !is_proxy);
    let held = seat.holds(address, request).ok_or_else(|| {
        METRICS.count_rejection("memory", Busy::Own);
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    Ok(Some((held, seat.sends(TAKEN))))
}

async fn talk(
    sites: &Arc<ArcSwap<Site>>,
    seat: &ConnectionPermit,
    watcher: Watcher,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connected: ProxyConnection,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEADERS))
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_BYTES)
        .initial_connection_window_size(CONNECTION_BYTES)
        .max_send_buf_size(SEND_BYTES);
    let service = service_fn(|request: Request<Incoming>| {
        let (site, asking) = (sites.load_full(), seat.asks());
        let held = holding(&site, seat, connected, &request);
        async move {
            let (answer, held) = match held {
                Ok(held) => (routes::answer(&site, connected, request).await, held),
                Err(status) => {
                    drop(request);
                    (reply::bare_and_close(status), None)
                }
            };
            drop(asking);
            Ok::<_, Infallible>(answer.map(|body| HeldBody::new(body, held)))
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // What a peer does to its own connection is no news.
    let _ = watcher.watch(connection).await;
}
