//! posternd: a real process of user posternd at sockets of root, which it inherits as from systemd.
//! It uses the story's clock.

use crate::machine::clock::on_the_clock;
use crate::process::processes::{Running, patiently, wait_until};
use nix::sys::signal::Signal;
use nix::sys::socket::{Backlog, listen};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

/// The socket for PAM hosts of effective user 0.
pub const HOST_SOCKET: &str = "/run/postern/host.sock";
/// The socket for all other PAM hosts and the commands of users.
pub const PAM_SOCKET: &str = "/run/postern/pam.sock";

/// The program that the module runs as the fallback.
pub const PROGRAM: &str = "/usr/libexec/postern/posternd";
/// The real program on the test host: [`PROGRAM`] is a script that sets the clock.
pub const REAL_PROGRAM: &str = "/usr/libexec/postern/posternd.real";

/// A running posternd. The process and its sockets end when this value is dropped.
pub struct Posternd {
    running: Option<Running>,
    sockets: Vec<(&'static str, &'static str, UnixListener)>,
    /// Commands that precede posternd's own.
    tool: Vec<&'static str>,
}

impl Posternd {
    /// Makes both sockets, and starts posternd.
    #[track_caller]
    pub fn start() -> Posternd {
        Posternd::start_under(&[])
    }

    /// Makes both sockets, and starts posternd through a command that runs the next one.
    #[track_caller]
    pub fn start_under(tool: &[&'static str]) -> Posternd {
        Posternd::start_at(
            &[("host", HOST_SOCKET, 0o600), ("pam", PAM_SOCKET, 0o666)],
            tool,
        )
    }

    /// Starts posternd with pam.sock alone, for users who are not root.
    #[track_caller]
    pub fn for_users() -> Posternd {
        Posternd::start_at(&[("pam", PAM_SOCKET, 0o666)], &[])
    }

    #[track_caller]
    pub(crate) fn start_at(
        sockets: &[(&'static str, &'static str, u32)],
        tool: &[&'static str],
    ) -> Posternd {
        fs::create_dir_all("/run/postern").expect("/run can be written");
        let listen = |(name, path, mode): &(&'static str, &'static str, u32)| {
            let _ = fs::remove_file(path);
            let socket = UnixListener::bind(path).expect("/run/postern can be written");
            fs::set_permissions(path, PermissionsExt::from_mode(*mode)).expect("root may do it");
            (*name, *path, socket)
        };
        let mut posternd = Posternd {
            running: None,
            sockets: sockets.iter().map(listen).collect(),
            tool: tool.to_vec(),
        };
        posternd.restart();
        posternd
    }

    /// Starts posternd again at the same sockets, as systemd does.
    #[track_caller]
    pub fn restart(&mut self) {
        self.crash();
        self.running = Some(launch(&self.sockets, &self.tool));
    }

    /// Kills posternd, as a crash would. Its sockets stay.
    pub fn crash(&mut self) {
        if let Some(running) = self.running.as_mut() {
            crate::process::processes::end(running.process());
            wait_until("posternd has ended", || Ok(!running.is_running()));
        }
        self.running = None;
    }

    /// Shortens the listen queues, so that few descriptors fill them.
    #[track_caller]
    pub fn shortens_queues(&self) {
        for (.., socket) in &self.sockets {
            listen(socket, Backlog::new(8).expect("a number")).expect("it listens");
        }
    }

    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        crate::process::processes::signal(self.process(), signal);
    }

    /// Returns its memory in KiB, with its share of pages that other processes map too (PSS).
    #[track_caller]
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.process());
        let text = fs::read_to_string(path).expect("root may read it");
        let share = text
            .lines()
            .find_map(|line| line.strip_prefix("Pss:")?.strip_suffix("kB"));
        share
            .and_then(|kib| kib.trim().parse().ok())
            .expect("a number")
    }

    /// Returns its process id; 0 if it does not run.
    pub fn process(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::process)
    }

    /// Waits until a line of its log contains a text, and returns the last such line.
    #[track_caller]
    pub fn says(&self, words: &str) -> String {
        patiently(&format!("posternd says {words:?}"), || {
            Ok(self
                .log()
                .lines()
                .rfind(|line| line.contains(words))
                .map(str::to_owned))
        })
    }

    /// Returns everything that posternd logged since it started.
    pub fn log(&self) -> String {
        self.running
            .as_ref()
            .map(Running::output)
            .unwrap_or_default()
    }
}

impl Drop for Posternd {
    fn drop(&mut self) {
        self.running = None;
        for (_, path, _) in &self.sockets {
            // The story may have removed it.
            let _ = fs::remove_file(path);
        }
    }
}

/// Installs a script at the program's path that sets the story's clock: the module runs the program
/// with an environment of its own.
pub(crate) fn live_by_the_clock() {
    let clock = on_the_clock(Command::new("posternd"));
    let mut script = "#!/bin/sh\n".to_owned();
    for (name, value) in clock.get_envs() {
        let (name, value) = (
            name.to_string_lossy(),
            value.unwrap_or_default().to_string_lossy(),
        );
        script += &format!("export {name}='{value}'\n");
    }
    script += &format!("exec {REAL_PROGRAM} \"$@\"\n");
    fs::rename(PROGRAM, REAL_PROGRAM).expect("it is installed");
    fs::write(PROGRAM, script).expect("/usr can be written");
    fs::set_permissions(PROGRAM, PermissionsExt::from_mode(0o755)).expect("root may do it");
}

/// Starts posternd as systemd would: the sockets are descriptors 3 and 4.
#[track_caller]
fn launch(sockets: &[(&'static str, &'static str, UnixListener)], tool: &[&str]) -> Running {
    let names: Vec<_> = sockets.iter().map(|(name, ..)| *name).collect();
    let mut command = Command::new("sh");
    // A socket that is passed as standard output is only passed on to descriptor 4. Standard output
    // itself becomes the log.
    let script = match sockets {
        [_] => "exec 3<&0",
        _ => "exec 3<&0; exec 4<&1; exec 1>&2",
    };
    let variables = format!(
        "LISTEN_FDS={} LISTEN_FDNAMES={} LISTEN_PID=$$",
        names.len(),
        names.join(":")
    );
    command.args([
        "-c",
        &format!("{script}; export {variables}; exec \"$@\""),
        "sh",
    ]);
    command.args(tool);
    command.args([
        "setpriv",
        "--reuid=posternd",
        "--regid=postern",
        "--init-groups",
        "env",
    ]);
    for (name, value) in on_the_clock(Command::new("posternd")).get_envs() {
        let mut setting = name.to_owned();
        setting.push("=");
        setting.push(value.unwrap_or_default());
        command.arg(setting);
    }
    command.arg(PROGRAM);
    let lent = |number: usize| {
        sockets
            .get(number)
            .map(|(.., socket)| socket.try_clone().expect("a descriptor"))
    };
    let input = Stdio::from(OwnedFd::from(lent(0).expect("a socket")));
    let output = lent(1).map(|socket| Stdio::from(OwnedFd::from(socket)));
    Running::start_between(command, input, output, "posternd.log")
}
