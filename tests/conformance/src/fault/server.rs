//! The faulty proxy's connections: TLS to the client and to the real proxy, or plain TCP to the
//! application. One request a connection; an upgraded connection goes on in both directions.

use crate::fault::faults::{Action, After, Fault};
use crate::fault::message::{Request, reply_bytes};
use crate::net::reply::Reply;
use crate::net::tls::client_config;
use crate::target::Target;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io::{self, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// Longest response that a fault sees, in bytes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Where the faulty proxy listens, and what it connects to.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerArguments {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Address and port of the application
    #[arg(long, value_name = "ADDRESS:PORT")]
    application: SocketAddr,
    /// Certificate for clients, as PEM
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Key of the certificate, as PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

struct Server {
    fault: Fault,
    accepts: TlsAcceptor,
    connects: TlsConnector,
    connects_http2: TlsConnector,
    proxy: SocketAddr,
    application: SocketAddr,
    /// Forms are sent one after the other, so that a fault sees them in that order.
    turn: Mutex<()>,
}

/// Serves until the process ends. The error is a wrong usage.
pub(crate) fn serve(name: &str, target: Target, arguments: &ServerArguments) -> Result<(), String> {
    let proxy = target.connect.address;
    let proxy = proxy.ok_or("a fault needs connect.address in the target file")?;
    let connector = |protocol| -> Result<TlsConnector, String> {
        let config = client_config(&target.connect, &[protocol])?;
        Ok(TlsConnector::from(Arc::new(config)))
    };
    let server = Server {
        accepts: TlsAcceptor::from(Arc::new(server_config(arguments)?)),
        connects: connector("http/1.1")?,
        connects_http2: connector("h2")?,
        proxy,
        application: arguments.application,
        fault: Fault::new(name, target),
        turn: Mutex::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let listen = arguments.listen;
    let served = runtime.block_on(server.serve(listen));
    served.map_err(|error| format!("{listen}: {error}"))
}

fn server_config(arguments: &ServerArguments) -> Result<ServerConfig, String> {
    let ServerArguments {
        certificate, key, ..
    } = arguments;
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(|error| format!("{}: {error}", certificate.display()))?;
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Server {
    async fn serve(self, listen: SocketAddr) -> io::Result<()> {
        let listener = TcpListener::bind(listen).await?;
        let server = Arc::new(self);
        loop {
            let (stream, peer) = listener.accept().await?;
            let server = Arc::clone(&server);
            // A client that disconnects is not an error.
            tokio::spawn(async move { server.answer(stream, peer).await });
        }
    }

    async fn answer(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        let mut client = self.accepts.accept(stream).await?;
        let tls = client.get_ref().1;
        let name = tls.server_name().unwrap_or("localhost").to_owned();
        if tls.alpn_protocol() == Some(b"h2") {
            return self.answer_http2(client, peer, &name).await;
        }
        let request = Request::read(&mut client).await?;
        match self.fault.on_request(request) {
            Action::Answer(reply) => client.write_all(&reply_bytes(&reply)).await?,
            Action::Bypass(request) => return self.bypass(client, &request).await,
            Action::Pass(request) => {
                let mut proxy = self.open(&self.connects, peer, &name).await?;
                proxy.write_all(&request.to_bytes()).await?;
                copy_bidirectional(&mut client, &mut proxy).await?;
            }
            Action::Ask(request) => {
                let is_form = request.method == "POST";
                let _turn = match is_form {
                    true => Some(self.turn.lock().await),
                    false => None,
                };
                let reply = self.ask(peer, &name, &request).await?;
                match self.fault.on_reply(&request, reply) {
                    After::Answer(reply) => client.write_all(&reply_bytes(&reply)).await?,
                    After::Bypass(request) => return self.bypass(client, &request).await,
                }
            }
        }
        client.shutdown().await
    }

    /// Opens a connection to the real proxy, from the client's own address where this machine has it.
    async fn open(
        &self,
        connector: &TlsConnector,
        peer: SocketAddr,
        name: &str,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let socket = match self.proxy {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind(SocketAddr::new(peer.ip(), 0))?;
        let stream = socket.connect(self.proxy).await?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        connector.connect(name, stream).await
    }

    /// Sends a request to the real proxy, and reads the response to its end.
    async fn ask(&self, peer: SocketAddr, name: &str, request: &Request) -> io::Result<Reply> {
        let mut proxy = self.open(&self.connects, peer, name).await?;
        proxy.write_all(&request.to_bytes()).await?;
        let mut bytes = Vec::new();
        // Servers end the connection without a close_notify too.
        let _ = (&mut proxy).take(LONGEST).read_to_end(&mut bytes).await;
        Reply::read(&mut BufReader::new(&bytes[..]), &request.method, LONGEST)
    }

    /// Sends a request to the application, whose response goes to the client.
    async fn bypass(
        &self,
        mut client: server::TlsStream<TcpStream>,
        request: &Request,
    ) -> io::Result<()> {
        let mut application = TcpStream::connect(self.application).await?;
        application.write_all(&request.to_bytes()).await?;
        copy_bidirectional(&mut client, &mut application)
            .await
            .map(drop)
    }

    async fn answer_http2(
        &self,
        mut client: server::TlsStream<TcpStream>,
        peer: SocketAddr,
        name: &str,
    ) -> io::Result<()> {
        if self.fault.name != "http2" {
            let mut proxy = self.open(&self.connects_http2, peer, name).await?;
            return copy_bidirectional(&mut client, &mut proxy).await.map(drop);
        }
        // The gate is not asked.
        let answers = service_fn(|request: hyper::Request<Incoming>| async move {
            let json = serde_json::json!({
                "method": request.method().as_str(),
                "path": request.uri().path(),
                "headers": {},
                "body_length": 0,
            });
            let body = Full::new(Bytes::from(json.to_string()));
            Ok::<_, std::convert::Infallible>(hyper::Response::new(body))
        });
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(client), answers)
            .await
            .map_err(io::Error::other)
    }
}
