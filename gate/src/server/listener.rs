//! Listeners: unix sockets, TCP, TLS with HTTP/2 and optional client certificates, and FastCGI.
//!
//! Refuses to replace a socket that another process serves.

use super::sockets::{ActivatedSockets, Socket};
use arc_swap::ArcSwap;
use nix::unistd::Group;
use postern_shared::config::gate::{ListenAddress, TlsConfig};
use postern_shared::system::network::address::Address;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::fmt::Display;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

/// Group of the socket's file: the proxies on this host.
const SOCKET_GROUP: &str = "postern-proxy";
/// Folder that belongs to root, in which only systemd makes sockets.
const ROOT_FOLDER: &str = "/run/postern";

pub(crate) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
    Tls(TcpListener, Certificate),
    Fastcgi(TcpListener),
}

/// An accepted connection, with the address of its peer.
pub(crate) enum AcceptedConnection {
    Unix(UnixStream),
    Tcp(TcpStream, Address),
    /// The TLS handshake follows.
    Tls(TcpStream, Address, TlsAcceptor),
    /// The peer speaks FastCGI.
    Fastcgi(TcpStream, Address),
}

impl AcceptedConnection {
    /// Address of the peer, none on a unix socket.
    pub(crate) fn address(&self) -> Option<Address> {
        match self {
            AcceptedConnection::Unix(_) => None,
            AcceptedConnection::Tcp(_, address)
            | AcceptedConnection::Tls(_, address, _)
            | AcceptedConnection::Fastcgi(_, address) => Some(*address),
        }
    }
}

impl Listener {
    pub(crate) async fn accept(&self) -> std::io::Result<AcceptedConnection> {
        Ok(match self {
            Listener::Unix(listener) => AcceptedConnection::Unix(listener.accept().await?.0),
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                AcceptedConnection::Tcp(stream, Address::from(peer.ip()))
            }
            Listener::Tls(listener, certificate) => {
                let (stream, peer) = listener.accept().await?;
                AcceptedConnection::Tls(stream, Address::from(peer.ip()), certificate.acceptor())
            }
            Listener::Fastcgi(listener) => {
                let (stream, peer) = listener.accept().await?;
                AcceptedConnection::Fastcgi(stream, Address::from(peer.ip()))
            }
        })
    }

    /// Binds an entry of `gate.listen`. A path that systemd listens on, or an entry that names
    /// systemd, takes systemd's sockets.
    pub(crate) async fn bind(
        listen: &ListenAddress,
        certificate: Option<&Certificate>,
        sockets: &mut ActivatedSockets,
    ) -> Result<Vec<Listener>, String> {
        Ok(match listen {
            ListenAddress::Unix(path) => vec![match sockets.take_at(path) {
                Some(socket) => UnixListener::from_std(socket)
                    .map(Listener::Unix)
                    .map_err(|error| format!("{}: {error}", path.display()))?,
                None => Listener::Unix(bind_unix(path)?),
            }],
            ListenAddress::Tcp(address) => vec![Listener::Tcp(bind_tcp(address).await?)],
            ListenAddress::Tls(address) => {
                let certificate = certificate
                    .ok_or("a \"tls:\" listener needs [gate.tls] with cert_file and key_file")?;
                vec![Listener::Tls(bind_tcp(address).await?, certificate.clone())]
            }
            ListenAddress::Fastcgi(address) => vec![Listener::Fastcgi(bind_tcp(address).await?)],
            ListenAddress::Systemd(name) => {
                let handed_over = sockets
                    .take_named(name.as_deref())?
                    .into_iter()
                    .map(|socket| match socket {
                        Socket::Unix(socket) => UnixListener::from_std(socket).map(Listener::Unix),
                        Socket::Tcp(socket) => TcpListener::from_std(socket).map(Listener::Tcp),
                    });
                handed_over
                    .collect::<Result<_, _>>()
                    .map_err(|error| format!("a socket of systemd: {error}"))?
            }
        })
    }
}

async fn bind_tcp(address: &SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("{address}: {error}"))
}

/// Binds a unix socket. A stale socket file is replaced; a socket in use is not.
fn bind_unix(path: &Path) -> Result<UnixListener, String> {
    let with_path = |error: &dyn Display| format!("{}: {error}", path.display());
    let bind_error = |error: &std::io::Error| match error.kind() {
        ErrorKind::PermissionDenied if path.starts_with(ROOT_FOLDER) => with_path(&format_args!(
            "{error}; {ROOT_FOLDER} belongs to root, and systemd listens there for the gate: systemctl enable --now postern-gate.socket"
        )),
        _ => with_path(error),
    };
    remove_stale_socket(path).map_err(|error| bind_error(&error))?;
    let group = Group::from_name(SOCKET_GROUP).map_err(|error| with_path(&error))?.ok_or_else(|| {
        with_path(&format_args!(
            "there is no group {SOCKET_GROUP} to give it to; make it with groupadd --system {SOCKET_GROUP}, and the gate's user and the proxy's members of it"
        ))
    })?;
    let listener = UnixListener::bind(path).map_err(|error| bind_error(&error))?;
    chown(path, None, Some(group.gid.as_raw())).map_err(|error| {
        with_path(&format_args!(
            "cannot be given to group {SOCKET_GROUP} ({error}); make the gate's user a member of it"
        ))
    })?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o660))
        .map_err(|error| with_path(&error))?;
    Ok(listener)
}

/// Removes a stale socket file.
pub(crate) fn remove_stale_socket(path: &Path) -> std::io::Result<()> {
    if path
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.file_type().is_socket())
    {
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(std::io::Error::other("another gate listens there already")),
            Err(_) => std::fs::remove_file(path)?,
        }
    }
    Ok(())
}

/// Certificate, key and client CA of the TLS listeners.
#[derive(Clone)]
pub(crate) struct Certificate(Arc<ArcSwap<ServerConfig>>);

impl Certificate {
    pub(crate) fn read(tls: &TlsConfig) -> Result<Certificate, String> {
        Ok(Certificate(Arc::new(ArcSwap::from_pointee(server_config(
            tls,
        )?))))
    }

    /// Uses another certificate from the next handshake on.
    pub(crate) fn replace_with(&self, other: &Certificate) {
        self.0.store(other.0.load_full());
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}

fn server_config(tls: &TlsConfig) -> Result<ServerConfig, String> {
    let certificates = read_certificates(tls.cert_file.path())?;
    let key_path = tls.key_file.path();
    let key = PrivateKeyDer::from_pem_file(key_path)
        .map_err(|error| format!("gate.tls.key_file: {}: {error}", key_path.display()))?;
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("gate.tls: {error}"))?;
    let builder = match &tls.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in read_certificates(file.path())? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("gate.tls.client_ca_file: {error}"))?;
            }
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| format!("gate.tls.client_ca_file: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(certificates, key)
        .map_err(|error| format!("gate.tls.cert_file: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let with_path = |error: &dyn Display| format!("gate.tls: {}: {error}", path.display());
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| with_path(&error))?;
    if certificates.is_empty() {
        Err(with_path(&"no certificate in it"))
    } else {
        Ok(certificates)
    }
}
