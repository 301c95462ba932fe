//! A slow way through a network: a relay of TCP connections that hands on what it reads after a
//! delay, in each direction, and as much at once as it reads. The kernel of a test host need not have
//! netem for it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A relay. It takes no more connections when this value is dropped.
pub struct SlowPath {
    delay: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    at: SocketAddr,
}

/// What was read, and when it is to be written.
type Delayed = (Instant, Vec<u8>);

impl SlowPath {
    /// Starts a relay in the network of the calling thread. It has no delay yet.
    #[track_caller]
    pub fn start(at: SocketAddr, to: SocketAddr) -> SlowPath {
        let listener = TcpListener::bind(at).expect("the address is free");
        let path = SlowPath {
            delay: Arc::default(),
            is_over: Arc::default(),
            at,
        };
        let (delay, is_over) = (path.delay.clone(), path.is_over.clone());
        // threads stay in the network of the one that starts them
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                // a server that is gone: the client sees its connection closed
                if let Ok(server) = TcpStream::connect_timeout(&to, Duration::from_secs(5)) {
                    let _ = join(client, server, &delay);
                }
            }
        });
        path
    }

    /// Sets the delay in each direction, for what is read from now on.
    pub fn delays(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).expect("a delay of the story");
        self.delay.store(millis, Ordering::SeqCst);
    }
}

impl Drop for SlowPath {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // wakes the thread up where the address is in this network
        let _ = TcpStream::connect_timeout(&self.at, Duration::from_millis(100));
    }
}

fn join(client: TcpStream, server: TcpStream, delay: &Arc<AtomicU64>) -> io::Result<()> {
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        to.set_nodelay(true)?;
        let (sender, receiver) = channel();
        let delay = delay.clone();
        thread::spawn(move || read(from, &sender, &delay));
        thread::spawn(move || write(to, &receiver));
    }
    Ok(())
}

fn read(mut from: TcpStream, sender: &Sender<Delayed>, delay: &AtomicU64) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let due = Instant::now() + Duration::from_millis(delay.load(Ordering::SeqCst));
        // no bytes are the end of the stream, which takes as long
        if sender.send((due, buffer[..count].to_vec())).is_err() || count == 0 {
            return;
        }
    }
}

fn write(mut to: TcpStream, receiver: &Receiver<Delayed>) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
