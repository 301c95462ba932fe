//! posternd: listens at host.sock, which systemd hands over; with `--stdio` it runs one conversation for the PAM module that
//! started it.
#![forbid(unsafe_code)]

use posternd::{daemon, stdio};
use shared::config::DEFAULT_PATH;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: posternd, at a socket that systemd hands over
       posternd --stdio [--config PATH], for pam_totp.so";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.iter().map(|word| word.to_str()).collect::<Vec<_>>()[..] {
        [] => listen(),
        [Some("--stdio")] => report(stdio::serve(Path::new(DEFAULT_PATH))),
        [Some("--stdio"), Some("--config"), _] => report(stdio::serve(Path::new(&arguments[2]))),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn report(served: Result<(), stdio::StdioError>) -> ExitCode {
    let Err(error) = served else { return ExitCode::SUCCESS };
    eprintln!("posternd: {error}");
    ExitCode::FAILURE
}

fn listen() -> ExitCode {
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
    let error = daemon::serve_hosts(&listener);
    eprintln!("posternd: {error}");
    ExitCode::FAILURE
}
