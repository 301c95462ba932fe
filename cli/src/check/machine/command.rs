//! One command with limits on its time and its output: it may wait for a name service or a bus, and
//! what it starts may outlive it.

use super::CommandOutput;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Largest output that is read from each of standard output and standard error, in bytes.
const MAX_OUTPUT: u64 = 4 * 1024 * 1024;
/// Pause between two looks at a command that runs.
const PAUSE: Duration = Duration::from_millis(5);
/// Time for what a command has written before it ended.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

/// Runs a command without input. After the time limit it is killed with its process group; one that
/// stands beyond the limit on output is not read on.
///
/// # Errors
/// The error of starting it.
pub(super) fn run_limited(mut command: Command, limit: Duration) -> io::Result<CommandOutput> {
    let until = Instant::now() + limit;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir("/")
        .process_group(0)
        .spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = (read_in_thread(out), read_in_thread(err));
    let status = wait(&mut child, until);
    // a program that it started may hold its output open
    let until = until.min(Instant::now() + LAST_OUTPUT);
    let text = |output: Receiver<Vec<u8>>| {
        let left = until.saturating_duration_since(Instant::now());
        let bytes = output.recv_timeout(left.max(LAST_OUTPUT));
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    Ok(CommandOutput {
        succeeded: status.is_some_and(|status| status.success()),
        has_ended: status.is_some(),
        out: text(out),
        err: text(err),
    })
}

/// Waits until a command ends. One that does not is killed, and the result is `None`.
fn wait(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= until {
            break;
        }
        thread::sleep(PAUSE);
    }
    let group = Pid::from_raw(i32::try_from(child.id()).ok()?);
    // it may have ended meanwhile
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.try_wait();
    None
}

fn read_in_thread(output: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(output) = output {
            // what was read before an error counts
            let _ = output.take(MAX_OUTPUT).read_to_end(&mut bytes);
        }
        // the reader may have given up
        let _ = send.send(bytes);
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> (CommandOutput, Duration) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let begin = Instant::now();
        let output = run_limited(command, limit).unwrap();
        (output, begin.elapsed())
    }

    #[test]
    fn the_output_of_both_streams_is_read() {
        let (output, _) = shell("echo out; echo err >&2; exit 3", Duration::from_secs(20));
        assert!(output.has_ended && !output.succeeded);
        assert_eq!(
            (output.out.as_str(), output.err.as_str()),
            ("out\n", "err\n")
        );
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_what_it_started() {
        let script = "sleep 60 & echo $!; sleep 60";
        let (output, elapsed) = shell(script, Duration::from_millis(300));
        assert!(!output.has_ended && !output.succeeded);
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    }

    #[test]
    fn a_program_that_outlives_the_command_holds_up_nothing() {
        let script = "setsid sleep 5 & echo begun";
        let (output, elapsed) = shell(script, Duration::from_secs(20));
        assert!(output.succeeded);
        assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
    }

    #[test]
    fn endless_output_is_bounded() {
        let (output, _) = shell("yes", Duration::from_secs(20));
        assert!(!output.succeeded);
        assert_eq!(output.out.len() as u64, MAX_OUTPUT);
    }
}
