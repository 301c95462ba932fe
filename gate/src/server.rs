//! The server: listeners, limits on headers and time, and a bounded drain at SIGTERM.

use crate::belief::{Believed, Connected};
use crate::connections::{Connections, Seat};
use crate::cookies::Jar;
use crate::errands;
use crate::judge::Judge;
use crate::listener::{Accepted, Listener};
use crate::mailer::{self, Mailer};
use crate::routes;
use crate::site::Site;
use crate::watch::Watch;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use shared::config::{Config, file};
use shared::door::Door;
use shared::enrolment;
use shared::errand::SOCKET;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a request's headers, or the next request, may take.
const HEADERS: Duration = Duration::from_secs(15);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The most of one request's headers, in bytes.
const HEADER_BYTES: usize = 96 * 1024;
/// How long open requests have at the end, and then what they left to be judged.
const DRAIN: Duration = Duration::from_secs(10);
const LAST: Duration = Duration::from_secs(2);
/// A pause after accepting failed, so that it does not fail in a tight loop.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs the gate until a signal ends it.
pub(crate) fn run(path: &Path) -> Result<(), String> {
    let in_force = file::in_force(path).map_err(|error| error.to_string())?;
    if let Some(problem) = &in_force.problem {
        eprintln!("postern-gate: {problem}; going by {} until it is mended", file::copy_path(path).display());
    }
    let config = in_force.config;
    let Some(url) = config.gate.url.clone() else {
        eprintln!(
            "postern-gate: {}: gate.url is missing, where browsers find the gate: serves users of this host alone",
            path.display()
        );
        return without_web(&config);
    };
    if url.has_own_host()
        && config.gate.cookie_domain.as_ref().is_none_or(|domain| !domain.covers(url.host()))
    {
        return Err(format!(
            "{}: gate.cookie_domain: a gate on a host of its own needs the parent domain of its host {}",
            path.display(),
            url.host()
        ));
    }
    let believed = Believed::read(&config.gate).map_err(|error| error.to_string())?;
    let mailer = mailer(&config)?;
    let (watch, watching) = Watch::start(&config).map_err(|error| error.to_string())?;
    let site = Arc::new(Site {
        jar: Jar::new(&config.gate, &url.path),
        url,
        believed,
        watch,
        judge: Judge::new(&config),
        mailer,
        config,
    });
    let runtime = threads()?;
    runtime.spawn(mailer::serve(Arc::clone(&site.mailer), Judge::new(&site.config)));
    let served = runtime.block_on(serve(&site));
    site.watch.end();
    runtime.shutdown_timeout(LAST);
    // A panic there has nothing left to spoil.
    let _ = watching.join();
    served
}

/// On a host that protects no web application there are still its own users.
fn without_web(config: &Config) -> Result<(), String> {
    Door::open(config.clone()).map_err(|error| error.to_string())?;
    let mailer = mailer(config)?;
    let runtime = threads()?;
    runtime.spawn(mailer::serve(mailer, Judge::new(config)));
    let served = runtime.block_on(async {
        let told = Told::listen()?;
        let errands = errands::listen(Path::new(SOCKET), config)?;
        let (_end, ended) = watch::channel(());
        tokio::select! {
            () = errands.serve(ended) => {}
            () = told.wait() => {}
        }
        Ok(())
    });
    runtime.shutdown_timeout(LAST);
    served
}

fn mailer(config: &Config) -> Result<Arc<Mailer>, String> {
    Mailer::read(&config.email, enrolment::issuer(config)).map(Arc::new)
}

fn threads() -> Result<Runtime, String> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| format!("no threads: {error}"))
}

/// The signals that end the gate.
struct Told(Signal, Signal);

impl Told {
    fn listen() -> Result<Told, String> {
        let failed = |error| format!("signals cannot be waited for: {error}");
        let of = |kind| signal(kind).map_err(failed);
        Ok(Told(of(SignalKind::terminate())?, of(SignalKind::interrupt())?))
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

async fn serve(site: &Arc<Site>) -> Result<(), String> {
    let errands = errands::listen(Path::new(SOCKET), &site.config);
    let mut listeners = Vec::new();
    for listen in &site.gate().listen {
        let listener = Listener::bind(listen, site.gate().tls.as_ref()).await?;
        eprintln!("postern-gate: listens on {}", String::from(listen.clone()));
        listeners.push(listener);
    }
    let told = Told::listen()?;
    let (end, ended) = watch::channel(());
    let connections = Connections::affordable();
    let graceful = Arc::new(GracefulShutdown::new());
    let mut accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let host = Host { site: Arc::clone(site), connections: Arc::clone(&connections) };
            tokio::spawn(accept(host, listener, Arc::clone(&graceful), ended.clone()))
        })
        .collect();
    match errands {
        Ok(errands) => accepting.push(tokio::spawn(errands.serve(ended))),
        // the web must not go down with it
        Err(error) => eprintln!("postern-gate: commands of users who are not root find no gate: {error}"),
    }
    told.wait().await;
    drop(end);
    for task in accepting {
        // It ends by itself; a panic there must not keep the others from draining.
        let _ = task.await;
    }
    let Some(graceful) = Arc::into_inner(graceful) else { return Ok(()) };
    connections.end_idle();
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        eprintln!("postern-gate: requests still open after {} s were cut", DRAIN.as_secs());
    }
    Ok(())
}

/// What every connection needs.
#[derive(Clone)]
struct Host {
    site: Arc<Site>,
    connections: Arc<Connections>,
}

async fn accept(
    host: Host,
    listener: Listener,
    graceful: Arc<GracefulShutdown>,
    mut ended: watch::Receiver<()>,
) {
    loop {
        tokio::select! {
            _ = ended.changed() => return,
            accepted = one(&host, &listener, &graceful) => if let Err(error) = accepted {
                eprintln!("postern-gate: a connection cannot be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            },
        }
    }
}

async fn one(host: &Host, listener: &Listener, graceful: &GracefulShutdown) -> std::io::Result<()> {
    let accepted = listener.accept().await?;
    let seat = host.connections.seat().await?;
    let (site, watcher) = (Arc::clone(&host.site), graceful.watcher());
    tokio::spawn(async move {
        tokio::select! {
            // an answer that is ready goes out first
            biased;
            () = serve_one(&site, &seat, watcher, accepted) => {}
            () = seat.ends(HEADERS) => {}
        }
    });
    Ok(())
}

async fn serve_one(site: &Arc<Site>, seat: &Seat, watcher: Watcher, accepted: Accepted) {
    match accepted {
        Accepted::Unix(stream) => {
            talk(site, seat, watcher, stream, Connected { address: None, certificate: false }).await;
        }
        Accepted::Tcp(stream, address) => {
            talk(site, seat, watcher, stream, Connected { address: Some(address), certificate: false }).await;
        }
        Accepted::Tls(stream, address, acceptor) => {
            let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
            let certificate = stream.get_ref().1.peer_certificates().is_some();
            talk(site, seat, watcher, stream, Connected { address: Some(address), certificate }).await;
        }
    }
}

async fn talk(
    site: &Arc<Site>,
    seat: &Seat,
    watcher: Watcher,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connected: Connected,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEADERS))
        .max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX));
    let service = service_fn(|request: Request<Incoming>| {
        let (site, asking) = (Arc::clone(site), seat.asks());
        async move {
            let answer = routes::answer(&site, connected, request).await;
            drop(asking);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // What a peer does to its own connection is no news.
    let _ = watcher.watch(connection).await;
}
