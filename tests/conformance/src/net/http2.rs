//! HTTP/2, by hyper.

use crate::net::reply::{Reply, latin_1};
use crate::net::tls::client_config;
use crate::net::url::Url;
use crate::target::Target;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Longest body that is kept, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;

/// Sends a GET over HTTP/2. `None` if the server does not speak it.
pub(crate) fn get(
    target: &Target,
    url: &Url,
    headers: &[(&str, &str)],
) -> io::Result<Option<Reply>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::time::timeout(target.limits.patience(), send(target, url, headers))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    })
}

async fn send(target: &Target, url: &Url, headers: &[(&str, &str)]) -> io::Result<Option<Reply>> {
    let config = client_config(&target.connect, &["h2"]).map_err(io::Error::other)?;
    let stream = match target.connect.address {
        Some(address) => TcpStream::connect(address).await?,
        None => TcpStream::connect((url.host.as_str(), url.port)).await?,
    };
    let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = match connecting.await {
        Ok(stream) => stream,
        // A server may refuse a client that speaks nothing else.
        Err(error) if error.to_string().contains("NoApplicationProtocol") => return Ok(None),
        Err(error) => return Err(error),
    };
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Ok(None);
    }
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut request = Request::get(url.to_string()).version(Version::HTTP_2);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::<Bytes>::default())
        .map_err(io::Error::other)?;
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LONGEST).collect().await;
    let headers = head.headers.iter();
    Ok(Some(Reply {
        status: head.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), latin_1(value.as_bytes())))
            .collect(),
        body: body.map_err(io::Error::other)?.to_bytes().to_vec(),
    }))
}
