//! Processes of the test host, and waits for their results: polls with a deadline, never fixed
//! pauses.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
/// Time limit for a tool of the host. Far more than any needs.
const TOOL: Duration = Duration::from_secs(300);

/// Polls until `look` returns a value. Panics after the time limit.
#[track_caller]
pub fn patiently<T>(what: &str, mut look: impl FnMut() -> io::Result<Option<T>>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = look();
        if let Ok(Some(found)) = last {
            return found;
        }
        if Instant::now() > deadline {
            panic!(
                "waited in vain until {what}{}",
                last.err().map_or_else(String::new, |e| format!(": {e}"))
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Polls until `is_so` returns true. Panics after the time limit.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> io::Result<bool>) {
    patiently(what, || Ok(is_so()?.then_some(())));
}

/// Sends a signal to a process.
#[track_caller]
pub fn signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(process).expect("a process"));
    kill(process, signal).expect("the process runs");
}

/// Returns a command that runs the command in its arguments as a user with its groups.
pub fn as_user(user: &str, group: &str) -> Command {
    let mut setpriv = Command::new("setpriv");
    setpriv.args([
        &format!("--reuid={user}"),
        &format!("--regid={group}"),
        "--init-groups",
    ]);
    setpriv
}

/// Runs a tool of the host to its end, and panics if it fails.
#[track_caller]
pub fn finished(command: &mut Command) -> String {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let Output {
        status,
        stdout,
        stderr,
    } = wait_for_output(child);
    assert!(
        status.success(),
        "{command:?}: {status}\n{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8_lossy(&stdout).into_owned()
}

/// Reads the output of a process until it ends. A process that exceeds the time limit is killed,
/// and the story fails.
#[track_caller]
pub fn wait_for_output(child: Child) -> Output {
    let process = child.id();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(TOOL) {
        Ok(output) => output.expect("a child can be waited for"),
        Err(_) => {
            let call = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            below(process).into_iter().chain([process]).for_each(end);
            panic!(
                "no end within {} s of {}",
                TOOL.as_secs(),
                String::from_utf8_lossy(&call).replace('\0', " ")
            );
        }
    }
}

/// Waits until a process has ended by itself.
#[track_caller]
pub fn ended(child: &mut Child) -> ExitStatus {
    patiently("a process has ended", || child.try_wait())
}

/// Returns the processes that `parent` started, and their descendants.
pub(crate) fn below(parent: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").expect("there is a /proc").flatten() {
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The name in brackets may contain any bytes. State and parent follow it.
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        if let Some(parent) = after
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse::<u32>().ok())
        {
            parents.push((process, parent));
        }
    }
    let mut found = vec![parent];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(process, _)| *process),
        );
        next += 1;
    }
    found.split_off(1)
}

/// Returns the processes that run the program at this path.
pub fn running(program: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("there is a /proc").flatten();
    let runs = entries.filter(|entry| {
        fs::read_link(entry.path().join("exe"))
            .is_ok_and(|link| link == std::path::Path::new(program))
    });
    runs.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

pub(crate) fn end(process: u32) {
    if let Ok(process) = i32::try_from(process) {
        // The process may have ended by itself.
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
}

/// A server of the test host. It ends with all that it started when this value is dropped.
pub(crate) struct Running {
    child: Child,
    /// The file with its output, which may have no name in the namespace of a reader.
    log: File,
}

impl Running {
    /// Starts the server. Its output goes to a file of the tests' folder.
    #[track_caller]
    pub(crate) fn start(command: Command, log: &str) -> Running {
        Running::start_at(command, Stdio::null(), log)
    }

    /// Starts the server with this standard input.
    #[track_caller]
    pub(crate) fn start_at(command: Command, input: Stdio, log: &str) -> Running {
        Running::start_between(command, input, None, log)
    }

    /// Starts the server with this standard input and output. Its standard error goes to the file.
    #[track_caller]
    pub(crate) fn start_between(
        mut command: Command,
        input: Stdio,
        output: Option<Stdio>,
        log: &str,
    ) -> Running {
        let mut readable = File::options();
        readable.read(true).write(true).create(true).truncate(true);
        let file = readable.open(crate::web::setup::log(log));
        let log = file.expect("the tests' folder can be written");
        let copy = || log.try_clone().expect("a descriptor");
        command
            .stdin(input)
            .stdout(output.unwrap_or_else(|| copy().into()))
            .stderr(copy());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running { child, log }
    }

    /// Returns its output so far.
    pub(crate) fn output(&self) -> String {
        // at an offset of its own: the server writes at that of the descriptor
        let length = self.log.metadata().map_or(0, |file| file.len());
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        match self.log.read_exact_at(&mut bytes, 0) {
            Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => String::new(),
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let workers = below(self.child.id());
        // The process may have ended already. While it runs it would replace its workers.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in workers {
            end(process);
        }
    }
}
