//! A connection over TLS, and HTTP/1.1 written to it byte by byte.

use crate::net::reply::Reply;
use crate::net::tls::client_config;
use crate::net::url::Url;
use crate::target::Target;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};
use std::io::{self, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Longest head of a response, in bytes, and longest body that is kept.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Opens connections to the target.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    config: Arc<ClientConfig>,
    address: Option<SocketAddr>,
    /// Longest wait for a connection, and for the next bytes.
    pub(super) patience: Duration,
}

impl Dialer {
    pub(crate) fn new(target: &Target) -> Result<Dialer, String> {
        let connect = &target.connect;
        Ok(Dialer {
            config: Arc::new(client_config(connect, &["http/1.1"])?),
            address: connect.address,
            patience: target.limits.patience(),
        })
    }

    /// Opens a TCP connection from an address of this machine.
    pub(crate) fn connect(&self, url: &Url, from: Option<IpAddr>) -> io::Result<TcpStream> {
        let address = match self.address {
            Some(address) => address,
            None => (url.host.as_str(), url.port)
                .to_socket_addrs()?
                .next()
                .ok_or_else(|| io::Error::other(format!("{} has no address", url.host)))?,
        };
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(from) = from {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        socket.connect_timeout(&address.into(), self.patience)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Opens a connection over TLS to the host of a URL.
    pub(crate) fn open(&self, url: &Url, from: Option<IpAddr>) -> io::Result<Wire> {
        let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
        let tls =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        let stream = StreamOwned::new(tls, self.connect(url, from)?);
        Ok(Wire(BufReader::new(stream)))
    }
}

pub(crate) struct Wire(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Wire {
    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)?;
        self.0.get_mut().flush()
    }

    /// Reads the response to a request of this method.
    pub(crate) fn read_reply(&mut self, method: &str) -> io::Result<Reply> {
        Reply::read(&mut self.0, method, LONGEST)
    }

    /// Reads the head of a response. Its body is left on the connection.
    pub(crate) fn read_head(&mut self) -> io::Result<Reply> {
        Reply::read_head(&mut self.0, LONGEST)
    }

    /// Reads until a text has arrived or the connection ends, and returns all of it.
    pub(crate) fn read_until(&mut self, text: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while !all.windows(text.len()).any(|part| part == text) {
            let mut bytes = [0; 4096];
            let length = self.0.read(&mut bytes)?;
            if length == 0 || all.len() as u64 > LONGEST {
                break;
            }
            all.extend(&bytes[..length]);
        }
        Ok(all)
    }
}
