//! Mail through a mail server, over TLS except on loopback.
//!
//! MUST NOT fall back to a connection without TLS.

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use postern_shared::config::email::{Protection, SmtpUrl};
use std::path::Path;
use zeroize::Zeroizing;

/// A mail server. Each mail has a connection of its own.
pub(super) struct SmtpServer(AsyncSmtpTransport<Tokio1Executor>);

impl SmtpServer {
    pub(super) fn new(
        url: &SmtpUrl,
        user: Option<(String, Zeroizing<String>)>,
        authority: Option<&Path>,
    ) -> Result<SmtpServer, String> {
        let tls = match url.protection {
            Protection::None => Tls::None,
            Protection::StartTls => Tls::Required(parameters(&url.host, authority)?),
            Protection::Tls => Tls::Wrapper(parameters(&url.host, authority)?),
        };
        // the caller's time limit covers the whole of it
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&url.host)
            .port(url.port)
            .tls(tls)
            .timeout(None);
        let builder = match user {
            Some((user, password)) => {
                builder.credentials(Credentials::new(user, password.to_string()))
            }
            None => builder,
        };
        Ok(SmtpServer(builder.build()))
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let formatted = message.formatted();
        let sent = self.0.send_raw(message.envelope(), &formatted).await;
        sent.map(drop).map_err(|error| chain(&error))
    }
}

fn parameters(host: &str, authority: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(file) = authority {
        let wrong = |error: &dyn std::fmt::Display| {
            format!("email.smtp_ca_file: {}: {error}", file.display())
        };
        let pem = std::fs::read(file).map_err(|error| wrong(&error))?;
        builder = builder.certificate_store(CertificateStore::None);
        builder = builder
            .add_root_certificate(Certificate::from_pem(&pem).map_err(|error| wrong(&error))?);
    }
    builder
        .build_rustls()
        .map_err(|error| format!("email.smtp_url: {}", chain(&error)))
}

/// Formats an error with its causes, which name the problem.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
