//! TLS to PostgreSQL, verified: the certificate must be for the host of `store.url`, by an authority
//! of this host or of `store.ca_file`.

use crate::system::trusted_file::{self, Follow, Privacy};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Size limit of the file with certificate authorities, in bytes.
const LARGEST: u64 = 1 << 20;

/// Makes connections to servers whose certificate it verifies.
#[derive(Clone)]
pub(super) struct VerifiedTls(TlsConnector);

impl VerifiedTls {
    /// Returns why there are no authorities, if so.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<VerifiedTls, String> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(path) => add_authorities(&mut roots, path)?,
            None => {
                let native = rustls_native_certs::load_native_certs().certs;
                if roots.add_parsable_certificates(native).0 == 0 {
                    return Err("this host has no certificate authorities; install ca-certificates, or name those of the database in store.ca_file".to_owned());
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(VerifiedTls(TlsConnector::from(Arc::new(config))))
    }
}

fn add_authorities(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let wrong = |error: String| format!("store.ca_file: {error}");
    let pem = trusted_file::read_trusted(path, Privacy::Public, Follow::Yes, LARGEST)
        .map_err(|error| wrong(error.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|error| wrong(format!("{}: {error}", path.display())))?;
    }
    match roots.is_empty() {
        true => Err(wrong(format!("{}: holds no certificate", path.display()))),
        false => Ok(()),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for VerifiedTls {
    type Stream = VerifiedStream<S>;
    type TlsConnect = ConnectTo;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<ConnectTo> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(ConnectTo(self.0.clone(), name))
    }
}

/// One connection to be made, to the host of this name.
pub(super) struct ConnectTo(TlsConnector, ServerName<'static>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for ConnectTo {
    type Stream = VerifiedStream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<VerifiedStream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let stream = self.0.connect(self.1, stream).await?;
            Ok(VerifiedStream(Box::new(stream)))
        })
    }
}

pub(super) struct VerifiedStream<S>(Box<TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for VerifiedStream<S> {
    /// The certificate is verified, so that a password is proven to no one else anyway.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for VerifiedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for VerifiedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
