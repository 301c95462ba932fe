//! posternd serves host.sock and pam.sock, which systemd passes to it. With `--stdio` it runs one
//! conversation for the PAM module that started it. With `--mail-command` it runs the program that
//! sends one mail.
#![forbid(unsafe_code)]
// these macros panic where the log cannot be written: see posternd::daemon::log
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

use postern_shared::config::DEFAULT_PATH;
use postern_shared::config::email::COMMAND_SOCKET;
use posternd::daemon::log::{log, write_line};
use posternd::fleet::FleetServers;
use posternd::mail::{MailThread, command_unit};
use posternd::server::fleet_socket::FleetSocket;
use posternd::server::host_socket::serve_hosts;
use posternd::server::peer::warn_of_hidden_processes;
use posternd::server::service::Daemon;
use posternd::server::sockets::{self, ListeningSockets};
use posternd::server::stdio;
use posternd::server::user_socket::UserSocket;
use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// EX_CONFIG of sysexits(3): another start would fail again.
const CONFIGURATION: u8 = 78;

const USAGE: &str = "usage: posternd, at sockets that systemd hands over
       posternd --stdio [--config PATH], for pam_totp.so
       posternd --mail-command, for postern-mail@.service
       posternd --version";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments
        .iter()
        .map(|word| word.to_str())
        .collect::<Vec<_>>()[..]
    {
        [] => match sockets::activated_sockets() {
            Ok(sockets) => report(serve(sockets)),
            Err(error) => {
                log(error);
                ExitCode::from(CONFIGURATION)
            }
        },
        [Some("--mail-command")] => report(command_unit::serve(Path::new(DEFAULT_PATH))),
        [Some("--version")] => {
            write_line(format_args!("posternd {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        [Some("--stdio")] => report(stdio::serve(Path::new(DEFAULT_PATH))),
        [Some("--stdio"), Some("--config"), _] => report(stdio::serve(Path::new(&arguments[2]))),
        _ => {
            write_line(USAGE);
            ExitCode::from(2)
        }
    }
}

fn report(served: Result<(), impl Display>) -> ExitCode {
    let Err(error) = served else {
        return ExitCode::SUCCESS;
    };
    log(error);
    ExitCode::FAILURE
}

fn serve(sockets: ListeningSockets) -> io::Result<()> {
    let mut daemon = Daemon::prepare()?;
    warn_of_hidden_processes();
    let mail = MailThread::start(DEFAULT_PATH.into(), COMMAND_SOCKET.into())?;
    let servers = FleetServers::start(DEFAULT_PATH.into())?;
    FleetSocket::start(DEFAULT_PATH.into())?;
    if let Some(listener) = sockets.host {
        serve_hosts(&mut daemon, listener, servers.clone())?;
    }
    if let Some(listener) = sockets.pam {
        UserSocket::new(Path::new(DEFAULT_PATH), servers).serve(&mut daemon, listener)?;
    }
    let served = daemon.run();
    mail.end();
    served
}
