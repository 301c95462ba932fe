//! Programs killed at a chosen system call on the store, by strace's fault injection.

use crate::machine::files::{KEY, STORE, WORK};
use crate::process::processes::patiently;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

/// The system calls that change files, or make a change durable.
pub const WRITES: &str =
    "write,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate,unlink,unlinkat,rename,renameat2";

/// Sends SIGKILL to the process that makes the `when`-th write to the store.
fn deadly(strace: &mut Command, when: u32) {
    at_the_store(strace, "KILL", when);
}

/// Sends a signal at the `when`-th write to the store.
fn at_the_store(strace: &mut Command, signal: &str, when: u32) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        strace.arg(format!("--trace-path={STORE}{suffix}"));
    }
    struck(strace, WRITES, signal, when);
}

/// Sends a signal at the `when`-th of these calls, on any file.
fn struck(strace: &mut Command, calls: &str, signal: &str, when: u32) {
    strace.args(["--quiet=all", "--follow-forks", &format!("--trace={calls}")]);
    strace.arg(format!("--inject={calls}:signal={signal}:when={when}"));
    strace.arg(format!("--output={}", trace()));
}

fn trace() -> String {
    format!("{WORK}/strace")
}

/// Prepares a call that is killed at its `when`-th write to the store, if it makes so many.
pub fn killed_at(when: u32, call: Command) -> Command {
    let mut strace = Command::new("strace");
    deadly(&mut strace, when);
    wrap(strace, &call)
}

/// Prepares a call that is killed at its `when`-th write to the store or to the key file.
pub fn killed_at_store_or_key(when: u32, call: Command) -> Command {
    let mut strace = Command::new("strace");
    strace.args([
        format!("--trace-path={KEY}"),
        "--trace-path=/etc/postern".to_owned(),
    ]);
    deadly(&mut strace, when);
    wrap(strace, &call)
}

/// System calls between which a task on files can be cut off: each makes a change durable, or gives
/// or takes a name.
pub const DURABLE: &str = "fsync,fdatasync,ftruncate,unlink,renameat2,fchown,chown";

/// Prepares a call that is killed at its `when`-th of these system calls, on any file.
pub fn killed_at_calls(calls: &str, when: u32, call: Command) -> Command {
    let mut strace = Command::new("strace");
    struck(&mut strace, calls, "KILL", when);
    wrap(strace, &call)
}

/// Prepares a call in which the `when`-th of these system calls fails, on any file; with `+`, all from
/// that one on.
pub fn failing_at_calls(calls: &str, when: &str, call: Command) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["--quiet=all", "--follow-forks", &format!("--trace={calls}")]);
    strace.arg(format!("--inject={calls}:error=EIO:when={when}"));
    strace.arg(format!("--output={}", trace()));
    wrap(strace, &call)
}

/// Prepares a call in which the first of these system calls returns only after some seconds.
pub fn delayed_at_call(call: &str, seconds: u32, command: Command) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["--quiet=all", "--follow-forks", &format!("--trace={call}")]);
    strace.arg(format!("--inject={call}:delay_exit={seconds}000000:when=1"));
    strace.arg(format!("--output={}", trace()));
    wrap(strace, &command)
}

/// Returns whether a system call of the last traced call failed.
pub fn has_failed() -> bool {
    fs::read_to_string(trace()).is_ok_and(|text| text.contains("(INJECTED)"))
}

fn wrap(mut strace: Command, call: &Command) -> Command {
    // Only the call itself uses the story's clock.
    for (name, value) in call.get_envs() {
        let (name, value) = (
            name.to_string_lossy(),
            value.unwrap_or_default().to_string_lossy(),
        );
        strace.arg(format!("--env={name}={value}"));
    }
    strace
        .arg("--")
        .arg(call.get_program())
        .args(call.get_args());
    strace
}

/// Returns whether the last traced call was killed.
pub fn was_killed() -> bool {
    fs::read_to_string(trace()).is_ok_and(|text| text.contains("+++ killed by SIGKILL +++"))
}

/// Returns whether the last traced call was stopped.
pub fn was_stopped() -> bool {
    fs::read_to_string(trace()).is_ok_and(|text| text.contains("--- stopped by SIGSTOP ---"))
}

/// A strace that is attached to a running process and all that it starts.
pub struct TracedProcess(Child);

impl TracedProcess {
    /// Attaches to a process, to kill it at a write to the store.
    #[track_caller]
    pub fn kills_at(process: u32, when: u32) -> TracedProcess {
        let mut strace = Command::new("strace");
        deadly(&mut strace, when);
        TracedProcess::attach(strace, process)
    }

    /// Attaches to a process, to stop it at a write to the store.
    #[track_caller]
    pub fn stops_at(process: u32, when: u32) -> TracedProcess {
        let mut strace = Command::new("strace");
        at_the_store(&mut strace, "STOP", when);
        TracedProcess::attach(strace, process)
    }

    /// Attaches to a process, to send it a signal at one of these system calls on any file.
    #[track_caller]
    pub fn at_any_file(process: u32, calls: &str, signal: &str, when: u32) -> TracedProcess {
        let mut strace = Command::new("strace");
        struck(&mut strace, calls, signal, when);
        TracedProcess::attach(strace, process)
    }

    #[track_caller]
    fn attach(mut strace: Command, process: u32) -> TracedProcess {
        strace
            .args(["--attach", &process.to_string()])
            .stdin(Stdio::null());
        let errors = File::create(format!("{WORK}/strace.errors"))
            .expect("the tests' folder can be written");
        let strace = strace
            .stderr(errors)
            .spawn()
            .expect("strace runs; tests/run installs it");
        let traced = TracedProcess(strace);
        let status = format!("/proc/{process}/status");
        patiently("strace is attached", || {
            Ok(fs::read_to_string(&status)?
                .contains(&format!("TracerPid:\t{}\n", traced.0.id()))
                .then_some(()))
        });
        traced
    }
}

impl Drop for TracedProcess {
    fn drop(&mut self) {
        // SIGKILL detaches strace from the processes that are left, and changes nothing in them.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
