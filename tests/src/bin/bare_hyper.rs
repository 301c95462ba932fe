//! A bare hyper server: it answers each request with a response that it read from a file, and does
//! nothing else. The cost of a check of the gate is compared with it.
//!
//!     bare_hyper ADDRESS FILE
//!
//! FILE holds the head of the response, as `curl --dump-header` writes it. The runtime and its number
//! of threads are those of the gate.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{DATE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        panic!("usage: bare_hyper ADDRESS FILE");
    };
    let headers = Arc::new(read_headers(&file));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.expect("a free address");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(answer_requests(stream, Arc::clone(&headers)));
        }
    });
}

/// Reads the header fields of a response. hyper adds the date itself.
fn read_headers(file: &str) -> HeaderMap {
    let head = std::fs::read_to_string(file).expect("the head of a response");
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("a header field");
        let name: HeaderName = name.parse().expect("a field name");
        let value: HeaderValue = value.trim().parse().expect("a field value");
        headers.append(name, value);
    }
    headers.remove(DATE);
    headers
}

async fn answer_requests(stream: TcpStream, headers: Arc<HeaderMap>) {
    let service = service_fn(|_: Request<Incoming>| {
        let mut response = Response::new(Full::<Bytes>::default());
        *response.headers_mut() = HeaderMap::clone(&headers);
        async { Ok::<_, Infallible>(response) }
    });
    // The client may close the connection at any time.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
