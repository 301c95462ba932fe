//! posternd: serves host.sock and pam.sock, which systemd hands over.
#![forbid(unsafe_code)]

use posternd::daemon::serve_hosts;
use posternd::service::Daemon;
use posternd::sockets::{self, Sockets};
use posternd::users::UserSocket;
use shared::config::DEFAULT_PATH;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// EX_CONFIG of sysexits(3): started again it fails again.
const CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    let sockets = match sockets::handed_over() {
        Ok(sockets) => sockets,
        Err(error) => {
            eprintln!("posternd: {error}");
            return ExitCode::from(CONFIGURATION);
        }
    };
    match serve(sockets) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("posternd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(sockets: Sockets) -> io::Result<()> {
    let mut daemon = Daemon::prepare()?;
    if let Some(listener) = sockets.host {
        serve_hosts(&mut daemon, listener)?;
    }
    if let Some(listener) = sockets.pam {
        UserSocket::new(Path::new(DEFAULT_PATH)).serve(&mut daemon, listener)?;
    }
    daemon.run()
}
