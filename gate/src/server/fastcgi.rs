//! Serves a connection of a `fastcgi:` listener: one request of Apache, its check, and the reply.
//!
//! The connection is closed after its reply, since mod_authnz_fcgi opens one for each check.

use super::connections::ConnectionPermit;
use super::lingering_stream::LingeringStream;
use super::routes;
use crate::proxy::fastcgi::reply::encode_reply;
use crate::proxy::fastcgi::request::{Progress, Request, RequestReader};
use crate::proxy::trusted_proxy::ProxyConnection;
use crate::state::site::Site;
use arc_swap::ArcSwap;
use http_body_util::BodyExt;
use hyper::Version;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time limit for a request, and for its reply to be sent.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes that are read at once.
const BUFFER: usize = 4 * 1024;

/// Serves a connection until it is closed. An error on the peer's own connection needs no log line.
pub(super) async fn serve_connection(
    site: &ArcSwap<Site>,
    permit: &ConnectionPermit,
    stream: TcpStream,
    connection: ProxyConnection,
) {
    let mut stream = LingeringStream::new(stream);
    let received = tokio::select! {
        received = timeout(REQUEST_TIMEOUT, receive_request(&mut stream)) => received,
        () = permit.closed() => return,
    };
    let request = match received {
        Ok(Ok(ReceivedRequest::Complete(request))) => request,
        Ok(Ok(ReceivedRequest::Malformed)) => return routes::log_malformed_fastcgi(connection),
        Ok(Ok(ReceivedRequest::Closed) | Err(_)) | Err(_) => return,
    };
    let now = Instant::now();
    permit.record_request(now, Version::HTTP_11);
    // The gate does not stop before the reply is sent.
    let open_request = permit.begin_request();
    let params = request.params.as_deref();
    let reply = routes::answer_fastcgi(&site.load_full(), connection, params, now);
    let (parts, body) = reply.into_parts();
    let Ok(body) = body.collect().await;
    let bytes = encode_reply(request.id, parts.status, &parts.headers, &body.to_bytes());
    let sent = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    let _ = timeout(REPLY_TIMEOUT, sent).await;
    drop(open_request);
}

enum ReceivedRequest {
    Complete(Request),
    Malformed,
    /// There is nothing to reply to.
    Closed,
}

async fn receive_request(stream: &mut LingeringStream<TcpStream>) -> io::Result<ReceivedRequest> {
    let mut reader = RequestReader::default();
    let mut buffer = [0; BUFFER];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(ReceivedRequest::Closed);
        }
        let progress = reader.receive(&buffer[..length]);
        let output = reader.take_output();
        if !output.is_empty() {
            stream.write_all(&output).await?;
        }
        match progress {
            Ok(Progress::Incomplete) => {}
            Ok(Progress::Complete(request)) => return Ok(ReceivedRequest::Complete(request)),
            Ok(Progress::Close) => return Ok(ReceivedRequest::Closed),
            Err(_) => return Ok(ReceivedRequest::Malformed),
        }
    }
}
