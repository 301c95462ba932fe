//! posternd: a real process of user posternd at a socket that root listens on, as systemd hands it over, on the story's
//! clock.

use crate::clock::on_the_clock;
use crate::processes::{Running, patiently};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

/// Where PAM hosts of effective user 0 find it.
pub const HOST_SOCKET: &str = "/run/postern/host.sock";

/// Where the module finds the fallback.
pub const PROGRAM: &str = "/usr/libexec/postern/posternd";
/// Where the program itself is, on the test host.
pub const REAL_PROGRAM: &str = "/usr/libexec/postern/posternd.real";

/// A running posternd; it ends, and its socket goes, when this goes.
pub struct Posternd {
    running: Option<Running>,
    socket: UnixListener,
}

impl Posternd {
    /// Makes the socket, and starts it.
    #[track_caller]
    pub fn start() -> Posternd {
        fs::create_dir_all("/run/postern").expect("/run can be written");
        let _ = fs::remove_file(HOST_SOCKET);
        let socket = UnixListener::bind(HOST_SOCKET).expect("/run/postern can be written");
        fs::set_permissions(HOST_SOCKET, PermissionsExt::from_mode(0o600)).expect("root may do it");
        let mut posternd = Posternd { running: None, socket };
        posternd.restart();
        posternd
    }

    /// Starts it again at the same socket, as systemd does.
    #[track_caller]
    pub fn restart(&mut self) {
        self.crash();
        self.running = Some(launch(&self.socket));
    }

    /// Ends it at once, as a crash would; its socket stays.
    pub fn crash(&mut self) {
        if let Some(running) = self.running.as_mut() {
            crate::processes::end(running.process());
            patiently("posternd has ended", || Ok((!running.is_running()).then_some(())));
        }
        self.running = None;
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let process = self.running.as_ref().map_or(0, Running::process);
        kill(Pid::from_raw(i32::try_from(process).expect("a process")), signal).expect("posternd runs");
    }

    /// What it holds in memory, in KiB: its share of pages that others have too (PSS).
    #[track_caller]
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.process());
        let text = fs::read_to_string(path).expect("root may read it");
        let share = text.lines().find_map(|line| line.strip_prefix("Pss:")?.strip_suffix("kB"));
        share.and_then(|kib| kib.trim().parse().ok()).expect("a number")
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::process)
    }

    /// Waits until its log holds some words.
    #[track_caller]
    pub fn says(&self, words: &str) {
        patiently(&format!("posternd says {words:?}"), || Ok(self.log().contains(words).then_some(())));
    }

    /// Everything that it said since it started.
    pub fn log(&self) -> String {
        self.running.as_ref().map(Running::said).unwrap_or_default()
    }
}

impl Drop for Posternd {
    fn drop(&mut self) {
        self.running = None;
        // a story may have taken it away
        let _ = fs::remove_file(HOST_SOCKET);
    }
}

/// Puts a script in the program's place that has it live by the story's clock: the module runs it with an environment of
/// its own.
pub(crate) fn live_by_the_clock() {
    let clock = on_the_clock(Command::new("posternd"));
    let mut script = "#!/bin/sh\n".to_owned();
    for (name, value) in clock.get_envs() {
        let (name, value) = (name.to_string_lossy(), value.unwrap_or_default().to_string_lossy());
        script += &format!("export {name}='{value}'\n");
    }
    script += &format!("exec {REAL_PROGRAM} \"$@\"\n");
    fs::rename(PROGRAM, REAL_PROGRAM).expect("it is installed");
    fs::write(PROGRAM, script).expect("/usr can be written");
    fs::set_permissions(PROGRAM, PermissionsExt::from_mode(0o755)).expect("root may do it");
}

/// Starts it as systemd would: the socket is descriptor 3.
#[track_caller]
fn launch(socket: &UnixListener) -> Running {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec 3<&0; export LISTEN_FDS=1 LISTEN_FDNAMES=host LISTEN_PID=$$; exec \"$@\"",
        "sh",
    ]);
    command.args(["setpriv", "--reuid=posternd", "--regid=postern", "--init-groups", "env"]);
    for (name, value) in on_the_clock(Command::new("posternd")).get_envs() {
        let mut setting = name.to_owned();
        setting.push("=");
        setting.push(value.unwrap_or_default());
        command.arg(setting);
    }
    command.arg(PROGRAM);
    let input = Stdio::from(OwnedFd::from(socket.try_clone().expect("a descriptor")));
    Running::start_at(command, input, "posternd.log")
}
