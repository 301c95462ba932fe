//! posternd and the gate as processes of their own users, with the machine's own clock.

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testhost::{HOST_SOCKET, patiently};

/// Path of the socket while the module must not find it.
const HIDDEN: &str = "/run/postern/hidden.sock";

/// posternd at a socket on which root listens, as systemd passes it.
pub(crate) struct Posternd {
    child: Child,
    _socket: UnixListener,
}

impl Posternd {
    pub(crate) fn start() -> Posternd {
        fs::create_dir_all("/run/postern").expect("/run can be written");
        let socket = UnixListener::bind(HOST_SOCKET).expect("/run/postern can be written");
        fs::set_permissions(HOST_SOCKET, PermissionsExt::from_mode(0o600)).expect("root may do it");
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_FDNAMES=host LISTEN_PID=$$; exec \"$@\"",
            "sh",
        ]);
        command.args([
            "setpriv",
            "--reuid=posternd",
            "--regid=postern",
            "--init-groups",
        ]);
        // The unit sets this too.
        command.env("MALLOC_ARENA_MAX", "2");
        command.arg("/usr/libexec/postern/posternd");
        command.stdin(Stdio::from(OwnedFd::from(
            socket.try_clone().expect("a descriptor"),
        )));
        Posternd {
            child: command.spawn().expect("posternd is installed"),
            _socket: socket,
        }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Returns its processor time so far, with that of threads that have ended.
    pub(crate) fn processor_time(&self) -> Duration {
        let process = Pid::from_raw(i32::try_from(self.process()).expect("a process"));
        let clock = clock_getcpuclockid(process).expect("posternd runs");
        clock.now().expect("a clock").into()
    }

    /// Runs a function while the module does not find the socket.
    pub(crate) fn hidden<R>(&self, run: impl FnOnce() -> R) -> R {
        fs::rename(HOST_SOCKET, HIDDEN).expect("the socket is there");
        let ran = run();
        fs::rename(HIDDEN, HOST_SOCKET).expect("the socket is there");
        ran
    }
}

impl Drop for Posternd {
    fn drop(&mut self) {
        end(&mut self.child);
        fs::remove_file(HOST_SOCKET).expect("the socket is there");
    }
}

/// The gate, at a socket of its own.
pub(crate) struct Gate(Child);

impl Gate {
    /// Starts the gate, and waits until it answers.
    pub(crate) fn start() -> Gate {
        let text = "[gate]\nurl = \"https://auth.example.test/\"\ncookie_domain = \"example.test\"\n\
                    listen = [\"tcp:127.0.0.1:9091\"]\n";
        let before = fs::read("/etc/postern/postern.toml").expect("a configuration");
        fs::write("/etc/postern/postern.toml", text).expect("/etc can be written");
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=postern-gate",
            "--regid=postern",
            "--init-groups",
            "/usr/bin/postern-gate",
        ]);
        let gate = Gate(command.spawn().expect("the gate is installed"));
        patiently("the gate answers", || {
            Ok(std::net::TcpStream::connect("127.0.0.1:9091")
                .is_ok()
                .then_some(()))
        });
        fs::write("/etc/postern/postern.toml", before).expect("/etc can be written");
        gate
    }

    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(child: &mut Child) {
    // The process may have ended by itself.
    let _ = child.kill();
    child.wait().expect("a child can be waited for");
}
