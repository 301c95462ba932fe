//! The protected application: an HTTP server that returns a page for every path and records every
//! request as it arrived. It accepts bodies of any size, sends events at `/events`, and echoes what
//! arrives on a websocket. At `/worker.js` it has a service worker, and at `/stream` events that
//! browsers ask for one by one.

use crate::process::processes::patiently;
use crate::web::streams::{self, Nudges};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The address that the sample configurations forward to.
const ADDRESS: &str = "127.0.0.1:8080";

/// A service worker as applications have it: it keeps every good reply of the application.
const WORKER: &str = "
addEventListener('install', event => event.waitUntil(skipWaiting()));
addEventListener('activate', event => event.waitUntil(clients.claim()));
addEventListener('fetch', event => {
    if (event.request.method !== 'GET' || event.request.headers.get('accept') === 'text/event-stream') return;
    event.respondWith(fetch(event.request).then(async reply => {
        if (reply.ok) await (await caches.open('kept')).put(event.request, reply.clone());
        return reply;
    }));
});
";

/// Longest wait for the next bytes of a client.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Application {
    arrived: Arc<Mutex<Vec<ReceivedRequest>>>,
    ended: Arc<AtomicBool>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Method and target, separated by a space.
    pub request: String,
    /// Every header line, with names as they were written.
    pub headers: Vec<(String, String)>,
    /// Length of the body, in bytes.
    pub length: u64,
}

impl ReceivedRequest {
    /// Returns the values of all headers that a CGI application would read by this name.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let plain = |name: &str| {
            let letters = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
            letters.collect::<String>().to_ascii_lowercase()
        };
        let same = self
            .headers
            .iter()
            .filter(|(key, _)| plain(key) == plain(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the one value, or an empty text if the header is missing.
    #[track_caller]
    pub fn value(&self, name: &str) -> &str {
        let values = self.values(name);
        assert!(values.len() < 2, "{name} twice in {self:?}");
        values.first().copied().unwrap_or_default()
    }
}

impl Application {
    /// Starts the application at the address that the samples forward to.
    pub fn start() -> Application {
        let listener = TcpListener::bind(ADDRESS).expect("port 8080 is free");
        let (arrived, ended) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicBool::new(false)),
        );
        let (seen, over) = (Arc::clone(&arrived), Arc::clone(&ended));
        let nudges = Arc::new(Nudges::default());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, nudges) = (Arc::clone(&seen), Arc::clone(&nudges));
                // A client that disconnects is not an error.
                std::thread::spawn(move || serve(stream, &seen, &nudges));
            }
        });
        Application { arrived, ended }
    }

    /// Ends the application. Later connections are refused.
    #[track_caller]
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        // The first connection wakes the thread that accepts.
        patiently("the application has ended", || {
            Ok(TcpStream::connect(ADDRESS).is_err().then_some(()))
        });
    }

    /// Returns the requests that arrived since the last call.
    #[track_caller]
    pub fn arrived(&self) -> Vec<ReceivedRequest> {
        std::mem::take(&mut *self.arrived.lock().expect("no thread panicked"))
    }

    /// Returns the one request that arrived since the last call. Panics if there is not exactly
    /// one.
    #[track_caller]
    pub fn got(&self) -> ReceivedRequest {
        let mut all = self.arrived();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// Panics if a request arrived since the last call.
    #[track_caller]
    pub fn got_nothing(&self) {
        let all = self.arrived();
        assert!(all.is_empty(), "{all:?}");
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // This connection wakes the thread that accepts.
        let _ = TcpStream::connect(ADDRESS);
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<ReceivedRequest>>, nudges: &Nudges) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let line = |reader: &mut BufReader<TcpStream>| {
        let mut bytes = Vec::new();
        reader.read_until(b'\n', &mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    let request = line(&mut reader)?;
    let mut headers = Vec::new();
    while let Some((name, value)) = line(&mut reader)?.split_once(':') {
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let target = request.split(' ').nth(1)?.to_owned();
    let header = |name: &str| {
        let found = headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let length = header("Content-Length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let upgrade = header("Upgrade").map(str::to_owned);
    let key = header("Sec-WebSocket-Key").unwrap_or_default().to_owned();
    let length = io::copy(&mut (&mut reader).take(length), &mut io::sink()).ok()?;
    // Browsers request this file without being told to.
    if target != "/favicon.ico" {
        let request = request
            .trim_end_matches(" HTTP/1.1")
            .trim_end_matches(" HTTP/1.0")
            .to_owned();
        seen.lock().ok()?.push(ReceivedRequest {
            request,
            headers,
            length,
        });
    }
    let mut stream = stream;
    if let Some(protocol) = upgrade {
        let accept = streams::accept_key(&key);
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .ok()?;
        return streams::echo_frames(&mut reader, &mut stream);
    }
    if target == "/stream" {
        return streams::send_events(&mut stream, nudges);
    }
    if target == "/next" {
        nudges.add();
    }
    if target == "/events" {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: one\n\n"
        )
        .ok()?;
        // The client disconnects once it has the first event. The next event is sent only after
        // that.
        return reader.read(&mut [0]).ok().map(drop);
    }
    let title = if target.starts_with("/frame") {
        "Framed"
    } else {
        "The application"
    };
    let escaped = target.replace('&', "&amp;").replace('<', "&lt;");
    let (kind, page) = match target.as_str() {
        "/worker.js" => ("text/javascript", WORKER.to_owned()),
        _ => (
            "text/html",
            format!(
                "<!doctype html><title>{title}</title><h1>{title}</h1><p id=asked>{escaped}</p>"
            ),
        ),
    };
    let elsewhere = target
        .strip_prefix("/elsewhere?")
        .map(|to| format!("Location: {to}\r\n"));
    write!(
        stream,
        "HTTP/1.1 {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n{page}",
        if elsewhere.is_some() { "302 Found" } else { "200 OK" },
        page.len(),
        elsewhere.unwrap_or_default(),
    )
    .ok()
}
