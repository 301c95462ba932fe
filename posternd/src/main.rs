//! posternd: serves host.sock and pam.sock, which systemd hands over.
#![forbid(unsafe_code)]

use posternd::sockets;
use posternd::users::UserSocket;
use shared::config::DEFAULT_PATH;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::thread;

fn main() -> ExitCode {
    let sockets = match sockets::handed_over() {
        Ok(sockets) => sockets,
        Err(error) => {
            eprintln!("posternd: {error}");
            return ExitCode::from(78);
        }
    };
    let (failed, failures) = channel();
    if let Some(listener) = sockets.host {
        accept(failed.clone(), move || posternd::daemon::serve_hosts(&listener));
    }
    if let Some(listener) = sockets.pam {
        let users = UserSocket::new(Path::new(DEFAULT_PATH));
        accept(failed, move || users.serve(&listener));
    }
    // one that accepts no more is started anew, with both
    match failures.recv() {
        Ok(Some(error)) => eprintln!("posternd: a socket fails: {error}"),
        Ok(None) | Err(_) => eprintln!("posternd: a thread that accepts has panicked; please report it"),
    }
    ExitCode::FAILURE
}

/// Runs what accepts connections on a thread of its own, and reports how it ends: by an error or by a panic.
fn accept(ended: Sender<Option<io::Error>>, serve: impl FnOnce() -> io::Error + Send + 'static) {
    thread::spawn(move || ended.send(panic::catch_unwind(AssertUnwindSafe(serve)).ok()));
}
