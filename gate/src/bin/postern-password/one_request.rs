//! The process of one request: reads it from standard input, verifies the password by PAM, and
//! writes one word.
//!
//! MUST NOT start a thread before PAM has answered, since modules may fork.

use crate::service::{self, CheckedService};
use crate::{log, pam};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::dup2_stdin;
use postern_shared::protocol::host_password::{
    HostPasswordReply, HostPasswordRequest, LONGEST_REQUEST,
};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Time that unread log lines may delay the reply.
const LOG_TIMEOUT: Duration = Duration::from_millis(200);

/// Answers the request on standard input.
pub(crate) fn answer_one_request(config: &Path) -> io::Result<()> {
    // No other process may read the memory of a process that holds a password, and the process must
    // not outlive the helper.
    set_dumpable(false)?;
    set_pdeathsig(Signal::SIGKILL)?;
    let mut stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // PAM modules must find nothing on standard input.
    dup2_stdin(File::open("/dev/null")?)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_REQUEST + 1));
    Read::by_ref(&mut stream)
        .take(LONGEST_REQUEST as u64 + 1)
        .read_to_end(&mut bytes)?;
    let (reply, lines) = match HostPasswordRequest::decode(&bytes) {
        Some(request) => verify_request(request, config),
        None => (HostPasswordReply::NotVerified, Vec::new()),
    };
    if !lines.is_empty() {
        // The log starts a thread, so it must start after PAM, which needs a process of one thread.
        // It must end before the reply, since the helper kills this process once it has read it.
        log::start_writer();
        lines.into_iter().for_each(log::write_message);
        log::flush(LOG_TIMEOUT);
    }
    stream.write_all(reply.word())
}

/// Returns the reply and the lines to log.
fn verify_request(request: HostPasswordRequest, config: &Path) -> (HostPasswordReply, Vec<String>) {
    let address = request
        .address
        .map_or_else(|| "-".to_owned(), |address| address.to_string());
    let name = request.name.clone();
    let refusal_line = |cause: &dyn std::fmt::Display| {
        // The PAM module writes the same format, which fail2ban reads.
        let name = name.as_str();
        format!("refused cause={cause} address={address} user={name:?}")
    };
    let CheckedService { service, problem } = match service::check_service(config) {
        Ok(configured) => configured,
        Err(error) => {
            return (
                HostPasswordReply::NotVerified,
                vec![refusal_line(&"service"), error.to_string()],
            );
        }
    };
    let mut lines: Vec<String> = problem.iter().map(ToString::to_string).collect();
    match pam::verify_password(request, &service) {
        Ok(()) => (HostPasswordReply::Right, lines),
        Err(refusal) => {
            lines.push(refusal_line(&refusal));
            (HostPasswordReply::Wrong, lines)
        }
    }
}
