//! A TLS connection between a host and a server, used by one thread at a time. Each read and write
//! has a time limit.

use super::tls::server_name;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Idle time after which the kernel asks whether a peer still exists, and how often.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// A connection whose handshake is complete.
pub struct FleetConnection {
    tls: Mutex<TlsEnd>,
    socket: TcpStream,
}

enum TlsEnd {
    Host(StreamOwned<ClientConnection, TcpStream>),
    Server(StreamOwned<ServerConnection, TcpStream>),
}

impl FleetConnection {
    /// Connects to a server, `HOST:PORT`, and verifies it.
    ///
    /// # Errors
    /// Those of the network, of TLS, and a server that has not answered `within`.
    pub fn connect(
        server: &str,
        config: Arc<ClientConfig>,
        within: Duration,
    ) -> io::Result<FleetConnection> {
        let until = Instant::now() + within;
        let mut last = io::Error::other("the name has no address");
        for address in server.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, time_left(until)?) {
                Ok(socket) => {
                    let tls =
                        ClientConnection::new(config, server_name()).map_err(io::Error::other)?;
                    set_options(&socket)?;
                    let mut tls = StreamOwned::new(tls, socket.try_clone()?);
                    while tls.conn.is_handshaking() {
                        set_timeout(&socket, Some(time_left(until)?))?;
                        tls.conn.complete_io(&mut tls.sock).map_err(as_timeout)?;
                    }
                    return Ok(FleetConnection {
                        tls: Mutex::new(TlsEnd::Host(tls)),
                        socket,
                    });
                }
                Err(error) => last = as_timeout(error),
            }
        }
        Err(last)
    }

    /// Completes the handshake with a host.
    ///
    /// # Errors
    /// Those of the network, of TLS, and a host that has not answered `within`.
    pub fn accept(
        socket: TcpStream,
        config: Arc<ServerConfig>,
        within: Duration,
    ) -> io::Result<FleetConnection> {
        let until = Instant::now() + within;
        set_options(&socket)?;
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(tls, socket.try_clone()?);
        while tls.conn.is_handshaking() {
            set_timeout(&socket, Some(time_left(until)?))?;
            tls.conn.complete_io(&mut tls.sock).map_err(as_timeout)?;
        }
        Ok(FleetConnection {
            tls: Mutex::new(TlsEnd::Server(tls)),
            socket,
        })
    }

    /// Returns the certificate of the other side; none of a host that joins.
    pub fn peer_certificate(&self) -> Option<CertificateDer<'static>> {
        let tls = self.tls();
        let certificates = match &*tls {
            TlsEnd::Host(tls) => tls.conn.peer_certificates(),
            TlsEnd::Server(tls) => tls.conn.peer_certificates(),
        };
        Some(certificates?.first()?.clone().into_owned())
    }

    /// Sets the time limit of each read and write; none with `None`.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        set_timeout(&self.socket, timeout)
    }

    /// Returns the socket below, by which another thread can end the connection.
    ///
    /// # Errors
    /// Those of dup(2).
    pub fn socket(&self) -> io::Result<TcpStream> {
        self.socket.try_clone()
    }

    /// Ends the connection for both sides.
    pub fn close(&self) {
        // the peer may have closed it
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn tls(&self) -> MutexGuard<'_, TlsEnd> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for &FleetConnection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut *self.tls() {
            TlsEnd::Host(tls) => tls.read(buffer),
            TlsEnd::Server(tls) => tls.read(buffer),
        };
        read.map_err(as_timeout)
    }
}

impl Write for &FleetConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut *self.tls() {
            TlsEnd::Host(tls) => tls.write(bytes),
            TlsEnd::Server(tls) => tls.write(bytes),
        };
        written.map_err(as_timeout)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut *self.tls() {
            TlsEnd::Host(tls) => tls.flush(),
            TlsEnd::Server(tls) => tls.flush(),
        };
        flushed.map_err(as_timeout)
    }
}

fn set_options(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

fn set_timeout(socket: &TcpStream, timeout: Option<Duration>) -> io::Result<()> {
    socket.set_read_timeout(timeout)?;
    socket.set_write_timeout(timeout)
}

fn time_left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// The kernel reports a timeout of a socket as if it did not block.
fn as_timeout(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}
