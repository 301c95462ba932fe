//! A stream that is closed so that the peer can read the last reply.
//!
//! The kernel answers unread bytes with a reset when a socket is closed, and a reset takes from the
//! peer what it has not read yet. A request that is refused before it was read to its end, such as
//! one whose header fields are too large, would lose its reply: a proxy then says 502 for our 431.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Limit on what is read after the last reply, in bytes, and on the time for it. A peer that sends
/// more is reset.
const MAX_DISCARDED: usize = 1024 * 1024;
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// Wraps a stream. After it is shut down for writing, what the peer still sends is read and
/// discarded until the peer closes its side, too, or a limit is reached.
pub(super) struct LingeringStream<S> {
    stream: S,
    closing: Option<Closing>,
}

/// A stream that is shut down for writing.
struct Closing {
    discarded: usize,
    timeout: Pin<Box<Sleep>>,
}

impl<S> LingeringStream<S> {
    pub(super) fn new(stream: S) -> LingeringStream<S> {
        LingeringStream {
            stream,
            closing: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LingeringStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let LingeringStream { stream, closing } = &mut *self;
        let closing = match closing {
            Some(closing) => closing,
            None => {
                ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
                closing.insert(Closing {
                    discarded: 0,
                    timeout: Box::pin(sleep(LINGER_TIMEOUT)),
                })
            }
        };
        closing.poll_end(stream, context).map(Ok)
    }
}

impl Closing {
    /// Discards what arrives. Errors end it, too: there is nothing left to lose.
    fn poll_end<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut space = [0; 4096];
        while self.discarded < MAX_DISCARDED && self.timeout.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.discarded += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const REPLY: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n";

    /// Serves one connection, reading nothing but the first bytes before it replies and closes.
    fn serve_one(lingers: bool) -> (SocketAddr, std::thread::JoinHandle<Duration>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut stream =
                    LingeringStream::new(tokio::net::TcpStream::from_std(stream).unwrap());
                stream.read_exact(&mut [0; 16]).await.unwrap();
                stream.write_all(REPLY).await.unwrap();
                let begin = Instant::now();
                if lingers {
                    stream.shutdown().await.unwrap();
                } else {
                    stream.stream.shutdown().await.unwrap();
                }
                begin.elapsed()
            })
        });
        (address, server)
    }

    /// The reply to a peer that sends `bytes` before it reads.
    fn reply_after(lingers: bool, bytes: usize) -> io::Result<Vec<u8>> {
        let (address, server) = serve_one(lingers);
        let mut stream = TcpStream::connect(address)?;
        let sent = stream.write_all(&vec![b'x'; bytes]);
        server.join().unwrap();
        sent?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        Ok(reply)
    }

    #[test]
    fn the_reply_is_read_by_a_peer_that_sends_more() {
        assert_eq!(reply_after(true, 300_000).unwrap(), REPLY);
        let lost = reply_after(false, 300_000);
        assert!(lost.is_err(), "a plain close resets the connection");
    }

    #[test]
    fn a_peer_that_closes_is_not_waited_for() {
        let (address, server) = serve_one(true);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&[b'x'; 16]).unwrap();
        drop(stream);
        assert!(server.join().unwrap() < LINGER_TIMEOUT / 2);
    }

    #[test]
    fn a_peer_that_sends_without_end_is_waited_for_a_second_at_most() {
        let (address, server) = serve_one(true);
        let mut stream = TcpStream::connect(address).unwrap();
        let begin = Instant::now();
        while stream.write_all(&[b'x'; 4096]).is_ok() {
            assert!(begin.elapsed() < Duration::from_secs(20));
        }
        assert!(server.join().unwrap() < 3 * LINGER_TIMEOUT);
    }
}
