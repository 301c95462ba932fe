//! `posternd --mail-command` serves one mail at standard input, which systemd has connected with
//! posternd. The program reads the mail from its own standard input and accepts it by its exit
//! status. No shell is involved.
//!
//! MUST NOT run as a user who can read the key or the store: the unit's user is in no group of
//! theirs.

use super::command::{LARGEST_MAIL, LONGEST_REASON, NOT_SENT, SENT, VERSION};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use postern_shared::config::file::{self, ConfigError};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use zeroize::Zeroizing;

/// Time limit of posternd for sending a mail, and for reading a reply.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the error output of a program that has ended is read.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Serves the connection at standard input.
///
/// # Errors
/// [`CommandError`]: there is no client to reply to.
pub fn serve(config: &Path) -> Result<(), CommandError> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // systemd passes a socket as standard input
    stream.peer_addr().map_err(|_| CommandError::NoSocket)?;
    serve_at(&stream, config)
}

/// Serves one connection: reads the mail, runs the program and replies.
///
/// # Errors
/// Those of the connection, and of an invalid request.
pub fn serve_at(stream: &UnixStream, config: &Path) -> Result<(), CommandError> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (result, reason) = match read_mail(stream) {
        Ok(mail) => match send(config, &mail) {
            Ok(()) => (SENT, String::new()),
            Err(why) => (NOT_SENT, why),
        },
        Err(CommandError::TooLarge) => (NOT_SENT, CommandError::TooLarge.to_string()),
        Err(error) => return Err(error),
    };
    let reason = reason.as_bytes();
    let most = usize::try_from(LONGEST_REASON)
        .unwrap_or(usize::MAX)
        .min(reason.len());
    let mut reply = vec![result];
    reply.extend_from_slice(&reason[..most]);
    Ok((&*stream).write_all(&reply)?)
}

/// Reads a whole mail: a part of one is not sent.
fn read_mail(mut stream: &UnixStream) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [version, length @ ..] = head;
    if version != VERSION {
        return Err(CommandError::Version);
    }
    let length = u32::from_be_bytes(length);
    if length > LARGEST_MAIL {
        return Err(CommandError::TooLarge);
    }
    let mut mail = Zeroizing::new(vec![
        0;
        usize::try_from(length)
            .map_err(|_| CommandError::TooLarge)?
    ]);
    stream.read_exact(&mut mail)?;
    Ok(mail)
}

/// Runs the program of the configuration in force, within the time limit of one mail.
fn send(config: &Path, mail: &[u8]) -> Result<(), String> {
    let in_force = file::load_config(config).map_err(|error: ConfigError| error.to_string())?;
    let email = in_force.config.email;
    let Some((program, arguments)) = email.command.split_first() else {
        return Err("no command in [email]".to_owned());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let limit = Duration::from_secs(email.timeout.seconds());
    runtime
        .map_err(|error| error.to_string())?
        .block_on(run(program, arguments, mail, limit))
}

async fn run(
    program: &str,
    arguments: &[String],
    mail: &[u8],
    limit: Duration,
) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        // the processes that the program starts end with it
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let group = child.id().and_then(|process| i32::try_from(process).ok());
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let writes = async {
        let Some(mut stdin) = stdin else { return };
        // a program that does not read the mail refuses it by its exit status
        let _ = stdin.write_all(mail).await;
        let _ = stdin.shutdown().await;
    };
    let error_output = RefCell::new(Vec::new());
    let reads = async {
        // the rest of a long error output is not read
        let Some(mut stderr) = stderr.map(|stderr| stderr.take(LONGEST_REASON)) else {
            return;
        };
        let mut chunk = [0; 512];
        while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
            error_output
                .borrow_mut()
                .extend_from_slice(&chunk[..length]);
        }
    };
    let mut is_read = false;
    let mut reads = pin!(reads);
    let ends = async { tokio::join!(writes, child.wait()).1 };
    let ended = tokio::time::timeout(limit, async {
        let mut ends = pin!(ends);
        tokio::select! {
            () = &mut reads => {
                is_read = true;
                ends.await
            }
            status = &mut ends => status,
        }
    });
    let ended = ended.await;
    if ended.is_ok() && !is_read {
        // a process that the program left behind may hold its standard error open
        let _ = tokio::time::timeout(LAST_WORDS, reads).await;
    }
    let error_output = String::from_utf8_lossy(&error_output.borrow()).into_owned();
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{program}: {status}: {error_output}")),
        Ok(Err(error)) => Err(format!("{program}: {error}")),
        Err(_) => {
            // the process was not reaped yet, so its number is its own
            if let Some(group) = group {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            Err(format!("no answer within {} s", limit.as_secs()))
        }
    }
}

/// Why a mail was not read, or its result not sent.
#[derive(Debug)]
pub enum CommandError {
    /// Standard input is no socket.
    NoSocket,
    Version,
    /// The request is not one of posternd's.
    TooLarge,
    Stream(io::Error),
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> CommandError {
        CommandError::Stream(error)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::NoSocket => f.write_str(
                "--mail-command is for postern-mail@.service, which passes a connection",
            ),
            CommandError::Version => {
                f.write_str("posternd has another version; run systemctl restart posternd")
            }
            CommandError::TooLarge => write!(f, "the mail is larger than {LARGEST_MAIL} bytes"),
            CommandError::Stream(error) => write!(f, "no mail from posternd: {error}"),
        }
    }
}

impl std::error::Error for CommandError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CommandError::Stream(error) => Some(error),
            CommandError::NoSocket | CommandError::Version | CommandError::TooLarge => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;
    use std::thread;
    use std::time::Instant;

    /// Returns a configuration with this script as program; `$1` is the folder.
    fn configured(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("postern.toml");
        let text = format!(
            "[email]\ncommand = [\"/bin/sh\", \"-c\", {script:?}, \"sh\", {:?}]\nfrom = \"a@example.com\"\ntimeout = \"1s\"\n",
            folder.display().to_string()
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// Returns the reply of the unit to these bytes, and whether it served them.
    fn replies(config: &Path, request: &[u8]) -> (Vec<u8>, Result<(), CommandError>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let config = config.to_owned();
        let unit = thread::spawn(move || serve_at(&theirs, &config));
        (&ours).write_all(request).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        (&ours).read_to_end(&mut reply).unwrap();
        (reply, unit.join().unwrap())
    }

    fn request(mail: &[u8]) -> Vec<u8> {
        let length = u32::try_from(mail.len()).unwrap().to_be_bytes();
        [&[VERSION], &length[..], mail].concat()
    }

    #[test]
    fn a_mail_reaches_the_program_and_its_exit_status_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let config = configured(folder.path(), "cat > $1/taken");
        let (reply, served) = replies(&config, &request(b"To: a@example.com\n\nhello\n"));
        assert_eq!(reply, [SENT]);
        served.unwrap();
        assert_eq!(
            fs::read(folder.path().join("taken")).unwrap(),
            b"To: a@example.com\n\nhello\n"
        );

        // a process that the program left behind does not count
        let config = configured(folder.path(), "cat > $1/taken; sleep 5 & exit 0");
        let began = Instant::now();
        assert_eq!(replies(&config, &request(b"x")).0, [SENT]);
        assert!(began.elapsed() < Duration::from_secs(4));

        let config = configured(folder.path(), "echo no luck >&2; exit 3");
        let (reply, _) = replies(&config, &request(b"x"));
        assert_eq!(reply[0], NOT_SENT);
        let reason = String::from_utf8_lossy(&reply[1..]);
        assert!(
            reason.contains("exit status: 3") && reason.contains("no luck"),
            "{reason}"
        );
    }

    #[test]
    fn a_program_that_never_ends_or_never_stops_talking_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        for script in [
            "sleep 60 & echo $! > $1/child; wait",
            "yes >&2",
            "trap '' PIPE; while :; do echo x; done >&2",
        ] {
            let config = configured(folder.path(), script);
            let began = Instant::now();
            let (reply, served) = replies(&config, &request(b"x"));
            assert_eq!(reply[0], NOT_SENT, "{script}");
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{script}: {:?}",
                began.elapsed()
            );
            assert!(reply.len() <= 1 + 4096);
            served.unwrap();
        }
        let child = fs::read_to_string(folder.path().join("child")).unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z"), "{stat}");
    }

    #[test]
    fn half_a_mail_one_that_is_too_large_and_one_of_another_version_reach_no_program() {
        let folder = tempfile::tempdir().unwrap();
        let config = configured(folder.path(), "touch $1/ran");
        let (reply, _) = replies(
            &config,
            &[&[VERSION][..], &(10 * 1024 * 1024u32).to_be_bytes()].concat(),
        );
        assert_eq!(reply[0], NOT_SENT);
        assert!(String::from_utf8_lossy(&reply).contains("larger than 262144 bytes"));
        let (reply, served) = replies(&config, &request(b"a whole mail")[..12]);
        assert!(reply.is_empty() && matches!(served, Err(CommandError::Stream(_))));
        let (reply, served) = replies(&config, &[VERSION + 1, 0, 0, 0, 0]);
        assert!(reply.is_empty() && matches!(served, Err(CommandError::Version)));
        assert!(!folder.path().join("ran").exists());
    }
}
