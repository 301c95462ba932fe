//! posternd: serves PAM hosts and local users at the sockets that systemd hands over.
#![forbid(unsafe_code)]

use posternd::service::Service;
use posternd::{daemon, sockets};
use std::io;
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

fn serve(sockets: sockets::Sockets) -> io::Result<()> {
    let mut service = Service::prepare()?;
    if let Some(listener) = sockets.host {
        daemon::serve_hosts(&mut service, listener)?;
    }
    service.run()
}
