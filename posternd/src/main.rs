//! posternd: listens at host.sock, which systemd hands over.
#![forbid(unsafe_code)]

use shared::config::DEFAULT_PATH;
use std::process::ExitCode;

fn main() -> ExitCode {
    let listener = match listenfd::ListenFd::from_env().take_unix_listener(0) {
        Ok(Some(listener)) => listener,
        Ok(None) => {
            eprintln!("posternd: no socket was handed over; start posternd.socket");
            return ExitCode::from(78);
        }
        Err(error) => {
            eprintln!("posternd: the socket that was handed over cannot be used: {error}");
            return ExitCode::from(78);
        }
    };
    if let Err(error) = posternd::mail::start(DEFAULT_PATH.into()) {
        eprintln!("posternd: no mail is sent: {error}");
    }
    let error = posternd::daemon::serve_hosts(&listener);
    eprintln!("posternd: {error}");
    ExitCode::FAILURE
}
