//! The process of one question: reads it from its standard input, has PAM judge it, and says one word.

use crate::judgement;
use crate::service;
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::dup2_stdin;
use shared::host_password::{LONGEST_QUESTION, Question, Said};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use zeroize::Zeroizing;

/// Says it.
pub(crate) fn run(config: &Path) -> io::Result<()> {
    // What holds a password is not to be looked into, and ends with the helper.
    set_dumpable(false)?;
    set_pdeathsig(Signal::SIGKILL)?;
    let mut stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // modules are to find nothing there
    dup2_stdin(File::open("/dev/null")?)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_QUESTION + 1));
    Read::by_ref(&mut stream).take(LONGEST_QUESTION as u64 + 1).read_to_end(&mut bytes)?;
    let said = match Question::read(&bytes) {
        Some(question) => say(question, config),
        None => Said::Unasked,
    };
    stream.write_all(said.word())
}

fn say(question: Question, config: &Path) -> Said {
    let address = question.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let name = question.name.clone();
    let log = |cause: &dyn std::fmt::Display| {
        // the same format as the PAM module's
        let name = name.as_str();
        eprintln!("postern-password: refused cause={cause} address={address} user={name:?}");
    };
    let service = match service::configured(config) {
        Ok(service) => service,
        Err(error) => {
            log(&"service");
            eprintln!("postern-password: {error}");
            return Said::Unasked;
        }
    };
    match judgement::judge(question, &service) {
        Ok(()) => Said::Right,
        Err(no) => {
            log(&no);
            Said::Wrong
        }
    }
}
