//! The process of one question: reads it from its standard input, has PAM judge it, and says one word.

use crate::service::{self, Configured};
use crate::{judgement, log};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::dup2_stdin;
use shared::protocol::host_password::{HostPasswordReply, HostPasswordRequest, LONGEST_REQUEST};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long lines may keep the word waiting.
const LINES: Duration = Duration::from_millis(200);

/// Says it.
pub(crate) fn run(config: &Path) -> io::Result<()> {
    // What holds a password is not to be looked into, and ends with the helper.
    set_dumpable(false)?;
    set_pdeathsig(Signal::SIGKILL)?;
    let mut stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // modules are to find nothing there
    dup2_stdin(File::open("/dev/null")?)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_REQUEST + 1));
    Read::by_ref(&mut stream)
        .take(LONGEST_REQUEST as u64 + 1)
        .read_to_end(&mut bytes)?;
    let (said, lines) = match HostPasswordRequest::decode(&bytes) {
        Some(question) => say(question, config),
        None => (HostPasswordReply::NotVerified, Vec::new()),
    };
    if !lines.is_empty() {
        // not before: PAM is asked in a process of one thread. And before the word, with which this process ends.
        log::begin();
        lines.into_iter().for_each(log::says);
        log::flush(LINES);
    }
    stream.write_all(said.word())
}

/// What it says, and what is to be logged.
fn say(question: HostPasswordRequest, config: &Path) -> (HostPasswordReply, Vec<String>) {
    let address = question
        .address
        .map_or_else(|| "-".to_owned(), |address| address.to_string());
    let name = question.name.clone();
    let refused = |cause: &dyn std::fmt::Display| {
        // the same format as the PAM module's
        let name = name.as_str();
        format!("refused cause={cause} address={address} user={name:?}")
    };
    let Configured { service, problem } = match service::configured(config) {
        Ok(configured) => configured,
        Err(error) => {
            return (
                HostPasswordReply::NotVerified,
                vec![refused(&"service"), error.to_string()],
            );
        }
    };
    let mut lines: Vec<String> = problem.iter().map(ToString::to_string).collect();
    match judgement::judge(question, &service) {
        Ok(()) => (HostPasswordReply::Right, lines),
        Err(no) => {
            lines.push(refused(&no));
            (HostPasswordReply::Wrong, lines)
        }
    }
}
