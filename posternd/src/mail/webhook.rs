//! Mail through a webhook: one POST with JSON, on a connection of its own.
//!
//! MUST NOT follow a redirect.

use super::smtp::chain;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use postern_shared::config::email::WebhookUrl;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

/// The URL that receives the mails.
pub(super) struct Webhook {
    url: WebhookUrl,
    authorization: Option<HeaderValue>,
    tls: Option<TlsConnector>,
}

impl Webhook {
    pub(super) fn new(
        url: &WebhookUrl,
        secret: Option<Zeroizing<String>>,
    ) -> Result<Webhook, String> {
        let authorization = secret.as_deref().map(|secret| bearer(secret)).transpose()?;
        let tls = if url.tls { Some(connector()?) } else { None };
        Ok(Webhook {
            url: url.clone(),
            authorization,
            tls,
        })
    }

    pub(super) async fn post(&self, json: &str) -> Result<(), String> {
        let (host, port) = (self.url.host.as_str(), self.url.port);
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|error| format!("the webhook at {host}:{port} cannot be reached: {error}"))?;
        match &self.tls {
            None => self.talk(stream, json).await,
            Some(connector) => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|error| format!("{host}: {error}"))?;
                let stream = connector.connect(name, stream).await.map_err(|error| {
                    format!("no TLS with the webhook at {host}: {}", chain(&error))
                })?;
                self.talk(stream, json).await
            }
        }
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        json: &str,
    ) -> Result<(), String> {
        let failed = |error: hyper::Error| format!("the webhook did not answer: {}", chain(&error));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.url.path)
            .header(HOST, self.url.authority())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::copy_from_slice(json.as_bytes())))
            .map_err(|error| format!("email.webhook_url: {error}"))?;
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        let mut asking = pin!(sender.send_request(request));
        // the connection may end with the response, and ends when this future is dropped
        let answer = tokio::select! {
            answer = &mut asking => answer,
            _ = connection => asking.await,
        };
        let status = answer.map_err(failed)?.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(format!("the webhook answered {status}")),
        }
    }
}

fn bearer(secret: &str) -> Result<HeaderValue, String> {
    let bearer = Zeroizing::new(format!("Bearer {secret}"));
    let mut value = HeaderValue::try_from(bearer.as_str()).map_err(|_| {
        "email.webhook_secret: contains a character that is not valid in a header".to_owned()
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn connector() -> Result<TlsConnector, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("email.webhook_url: {error}");
    let mut roots = RootCertStore::empty();
    let (known, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if known == 0 {
        return Err(wrong(
            &"this host has no certificate authorities; install ca-certificates",
        ));
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
