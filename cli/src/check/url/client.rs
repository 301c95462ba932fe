//! The connections of a check: TCP and TLS with time limits, a bound on the number of requests, and
//! what TLS showed of certificate and protocols.
//!
//! MUST NOT send a secret before [`ProbeClient::require_valid_certificates`].

use super::http::{ProbeAnswer, ProbeRequest, read_answer};
use super::origin::Origin;
use crate::terminal::output::{CommandFailure, CommandResult};
use data_encoding::HEXLOWER;
use postern_shared::system::random::fill_random;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time limit of one request, and of all requests together.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(90);
/// Requests that one check sends at most.
const MOST_REQUESTS: u32 = 100;
/// Time before the end of a certificate from which that is reported.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// Why the certificate of a host is not accepted by browsers, or soon will not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CertificateProblem {
    Refused(String),
    EndsSoon,
}

/// What a TLS handshake showed.
pub(super) struct TlsFacts {
    pub(super) problem: Option<CertificateProblem>,
    pub(super) has_http2: bool,
}

/// Sends requests, one a connection.
pub(super) struct ProbeClient {
    tls: Arc<ClientConfig>,
    verifier: Arc<RecordingVerifier>,
    addresses: RefCell<BTreeMap<(String, u16), Vec<SocketAddr>>>,
    sent: Cell<u32>,
    /// Time that was spent on requests. A person's typing does not count.
    spent: Cell<Duration>,
    /// Random text by which the requests of this run are known.
    token: String,
}

impl ProbeClient {
    /// Trusts the authorities of this host, or those of a file in PEM format instead.
    pub(super) fn new(authorities: Option<&Path>) -> CommandResult<ProbeClient> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(load_authorities(authorities)?);
        let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(CommandFailure::new)?;
        let verifier = Arc::new(RecordingVerifier {
            inner,
            problem: Mutex::new(None),
            is_strict: AtomicBool::new(false),
        });
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<_>)
            .with_no_client_auth();
        // a resumed session shows no certificate
        tls.resumption = Resumption::disabled();
        let mut random = [0; 8];
        fill_random(&mut random)?;
        Ok(ProbeClient {
            tls: Arc::new(tls),
            verifier,
            addresses: RefCell::default(),
            sent: Cell::new(0),
            spent: Cell::new(Duration::ZERO),
            token: HEXLOWER.encode(&random),
        })
    }

    /// Refuses each later connection whose certificate browsers do not accept.
    pub(super) fn require_valid_certificates(&self) {
        self.verifier.is_strict.store(true, Ordering::SeqCst);
    }

    /// Returns the text by which the requests of this run are known.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Returns how many requests were sent.
    pub(super) fn sent(&self) -> u32 {
        self.sent.get()
    }

    /// Returns the time that the requests took.
    pub(super) fn spent(&self) -> Duration {
        self.spent.get()
    }

    /// Returns the addresses of a host, as they were resolved first.
    pub(super) fn addresses(&self, origin: &Origin) -> io::Result<Vec<SocketAddr>> {
        let key = (origin.host.clone(), origin.port);
        if let Some(found) = self.addresses.borrow().get(&key) {
            return Ok(found.clone());
        }
        let found: Vec<_> = (origin.host.as_str(), origin.port)
            .to_socket_addrs()?
            .take(8)
            .collect();
        self.addresses.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    /// Sends a request to an origin, and reads the answer.
    pub(super) fn send(&self, origin: &Origin, request: &ProbeRequest) -> io::Result<ProbeAnswer> {
        let number = self.count_request()?;
        let agent = format!("{} ({}; {number})", AGENT, self.token);
        let bytes = request.to_bytes(&origin.authority(), &agent);
        self.timed(|until| {
            let stream = self.connect(origin, until)?;
            let answer = match origin.is_tls {
                false => exchange(stream, &bytes, request.method),
                true => {
                    let tls = self.handshake(origin, stream, b"http/1.1")?;
                    exchange(tls, &bytes, request.method)
                }
            };
            answer.map(|answer| ProbeAnswer { number, ..answer })
        })
    }

    /// Makes a TLS connection, and returns what it shows.
    pub(super) fn tls_facts(&self, origin: &Origin) -> io::Result<TlsFacts> {
        self.count_request()?;
        self.timed(|until| {
            let stream = self.connect(origin, until)?;
            let tls = self.handshake(origin, stream, b"h2")?;
            let problem = self.verifier.problem.lock();
            Ok(TlsFacts {
                problem: problem.unwrap_or_else(PoisonError::into_inner).clone(),
                has_http2: tls.conn.alpn_protocol() == Some(b"h2"),
            })
        })
    }

    /// Whether the limit of requests or of time is reached.
    pub(super) fn is_exhausted(&self) -> bool {
        self.sent.get() >= MOST_REQUESTS || self.spent.get() > TOTAL_TIMEOUT
    }

    fn count_request(&self) -> io::Result<u32> {
        if self.is_exhausted() {
            return Err(io::Error::other("the limit of this check is reached"));
        }
        self.sent.set(self.sent.get() + 1);
        Ok(self.sent.get())
    }

    fn timed<T>(&self, act: impl FnOnce(Instant) -> io::Result<T>) -> io::Result<T> {
        let began = Instant::now();
        let result = act(began + REQUEST_TIMEOUT);
        self.spent.set(self.spent.get() + began.elapsed());
        result
    }

    fn connect(&self, origin: &Origin, until: Instant) -> io::Result<TimedStream> {
        let mut failure = io::Error::other("the host has no address");
        for address in self.addresses(origin)? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    // a request follows the end of the handshake at once
                    stream.set_nodelay(true)?;
                    return Ok(TimedStream { stream, until });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn handshake(
        &self,
        origin: &Origin,
        mut stream: TimedStream,
        protocol: &[u8],
    ) -> io::Result<StreamOwned<ClientConnection, TimedStream>> {
        let name = ServerName::try_from(origin.host.clone()).map_err(io::Error::other)?;
        let mut protocols = vec![protocol.to_vec(), b"http/1.1".to_vec()];
        protocols.dedup();
        let mut connection =
            ClientConnection::new_with_alpn(Arc::clone(&self.tls), name, protocols)
                .map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }
}

/// Begin of the User-Agent header.
const AGENT: &str = concat!("postern-check/", env!("CARGO_PKG_VERSION"));

/// Sends the bytes, and reads the answer. A server may answer and close the connection before it
/// has read everything.
fn exchange(mut stream: impl Read + Write, bytes: &[u8], method: &str) -> io::Result<ProbeAnswer> {
    let written = stream.write_all(bytes).and_then(|()| stream.flush());
    match read_answer(&mut stream, method) {
        Err(_) if written.is_err() => Err(written.expect_err("it is an error")),
        answer => answer,
    }
}

/// A connection that fails once its time is over, however slowly the peer sends.
struct TimedStream {
    stream: TcpStream,
    until: Instant,
}

impl TimedStream {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for TimedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for TimedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Loads certificate authorities.
fn load_authorities(file: Option<&Path>) -> CommandResult<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match file {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(file) => {
            let invalid = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
            let all = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| CommandFailure::Message(invalid(&error)))?;
            for certificate in all {
                roots
                    .add(certificate)
                    .map_err(|error| CommandFailure::Message(invalid(&error)))?;
            }
        }
    }
    match roots.is_empty() {
        false => Ok(roots),
        true => Err(CommandFailure::new(
            "no certificate authorities; install ca-certificates, or give --ca-file",
        )),
    }
}

/// Verifies as browsers do and keeps the result. Unless it is strict, it goes on whatever that is.
#[derive(Debug)]
struct RecordingVerifier {
    inner: Arc<WebPkiServerVerifier>,
    problem: Mutex<Option<CertificateProblem>>,
    is_strict: AtomicBool,
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify = |time| {
            self.inner.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                time,
            )
        };
        let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + SOON);
        let result = verify(now);
        if self.is_strict.load(Ordering::SeqCst) {
            return result;
        }
        let problem = match (result, verify(soon)) {
            (Err(error), _) => Some(CertificateProblem::Refused(describe(&error))),
            (Ok(_), Err(_)) => Some(CertificateProblem::EndsSoon),
            (Ok(_), Ok(_)) => None,
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Describes in plain words why a certificate is refused.
fn describe(error: &rustls::Error) -> String {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => "it has expired",
        rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
            "it is not valid yet"
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "it is for another host"
        }
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "no authority that this host trusts has issued it, or the chain lacks an intermediate certificate"
        }
        other => return other.to_string(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that sends a byte now and then kept each single read within its limit.
    #[test]
    fn a_slow_server_does_not_prolong_a_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // until the client has closed the connection
            while stream.write_all(b"HTTP").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let began = Instant::now();
        let stream = TimedStream {
            stream: TcpStream::connect(address).unwrap(),
            until: began + Duration::from_millis(300),
        };
        let request = ProbeRequest::page("/").to_bytes("a", AGENT);
        assert!(exchange(stream, &request, "GET").is_err());
        assert!(began.elapsed() < Duration::from_secs(5));
        server.join().unwrap();
    }
}
