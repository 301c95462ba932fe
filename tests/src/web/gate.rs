//! The gate: a real process of user postern-gate that uses the story's clock; and requests to its
//! socket without a proxy.

use crate::machine::clock::on_the_clock;
use crate::machine::files::CONFIG;
use crate::process::processes::{Running, patiently, wait_until};
use crate::web::setup::PROOF;
use nix::sys::signal::Signal;
use nix::unistd::{Group, User};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The socket to which nginx connects.
pub const SOCKET: &str = "/run/postern/gate.sock";

pub struct Gate {
    running: Option<Running>,
}

impl Gate {
    pub(crate) fn start() -> Gate {
        make_folder();
        Gate {
            running: Some(launch_with_socket(Command::new("setpriv"))),
        }
    }

    /// Returns everything that the gate logged since it started.
    pub fn log(&self) -> String {
        self.running
            .as_ref()
            .map(Running::output)
            .unwrap_or_default()
    }

    /// Waits until the gate's log contains a text.
    #[track_caller]
    pub fn says(&self, words: &str) {
        patiently(&format!("the gate says {words:?}"), || {
            Ok(self.log().contains(words).then_some(()))
        });
    }

    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        crate::process::processes::signal(self.process(), signal);
        if signal == Signal::SIGSTOP {
            // On a busy machine its other threads run on for a while.
            wait_until("each thread of the gate has stopped", || self.has_stopped());
        }
    }

    /// Whether each thread of the gate has stopped (proc_pid_stat(5)).
    fn has_stopped(&self) -> std::io::Result<bool> {
        for thread in fs::read_dir(format!("/proc/{}/task", self.process()))? {
            let stat = fs::read_to_string(thread?.path().join("stat"))?;
            if !stat
                .rsplit(')')
                .next()
                .is_some_and(|rest| rest.starts_with(" T"))
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Kills the gate, as a crash would.
    pub fn crash(&mut self) {
        self.running = None;
    }

    /// Stops the gate as systemd does, and returns how long that took.
    #[track_caller]
    pub fn stop(&mut self) -> Duration {
        let began = std::time::Instant::now();
        self.signal(Signal::SIGTERM);
        self.ends();
        began.elapsed()
    }

    /// Waits until the gate has ended.
    #[track_caller]
    pub fn ends(&mut self) {
        let mut running = self.running.take().expect("the gate runs");
        wait_until("the gate has ended", || Ok(!running.is_running()));
    }

    /// Starts the gate again, with the current postern.toml.
    pub fn restart(&mut self) {
        self.crash();
        self.running = Some(launch_with_socket(Command::new("setpriv")));
    }

    /// Starts the gate again through a command that runs the next one, such as prlimit.
    pub fn restart_through(&mut self, command: &[&str]) {
        self.crash();
        self.running = Some(launch_with_socket(through(command)));
    }

    /// Starts the gate through a command that waits for the first connection, as systemd does.
    pub fn restart_on_demand(&mut self, command: &[&str], words: &str) {
        self.crash();
        self.running = Some(launch(through(command), Stdio::null(), words));
    }

    /// Returns the gate's process id; 0 if the gate does not run.
    pub fn process(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::process)
    }
}

fn through(command: &[&str]) -> Command {
    let (first, rest) = command.split_first().expect("a command");
    let mut through = Command::new(first);
    through.args(rest).arg("setpriv");
    through
}

/// Makes the folder as systemd-tmpfiles does: neither daemon can make a socket there.
fn make_folder() {
    fs::create_dir_all("/run/postern").expect("/run can be written");
    chown("/run/postern", Some(0), Some(0)).expect("root may do it");
    fs::set_permissions("/run/postern", PermissionsExt::from_mode(0o755)).expect("root may do it");
}

/// Starts the gate as systemd would, with gate.sock as descriptor 3, if postern.toml configures
/// that listener. No other process holds the socket: it refuses connections once the gate has
/// ended.
fn launch_with_socket(gate: Command) -> Running {
    let text = fs::read_to_string(CONFIG).expect("postern.toml");
    if text.contains("\nlisten = ") && !text.contains(&format!("\"unix:{SOCKET}\"")) {
        return launch(gate, Stdio::null(), "listens on");
    }
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"",
        "sh",
    ]);
    command.arg(gate.get_program()).args(gate.get_args());
    launch(
        command,
        Stdio::from(OwnedFd::from(make_socket())),
        "listens on",
    )
}

/// Makes the socket as postern-gate.socket does.
fn make_socket() -> UnixListener {
    let _ = fs::remove_file(SOCKET);
    let socket = UnixListener::bind(SOCKET).expect("/run/postern can be written");
    let user = User::from_name("postern-gate")
        .ok()
        .flatten()
        .expect("postern is installed");
    let group = Group::from_name("postern-proxy")
        .ok()
        .flatten()
        .expect("postern is installed");
    chown(SOCKET, Some(user.uid.as_raw()), Some(group.gid.as_raw())).expect("root may do it");
    fs::set_permissions(SOCKET, PermissionsExt::from_mode(0o660)).expect("root may do it");
    socket
}

/// Starts the gate, and waits until it has logged a text.
fn launch(mut gate: Command, input: Stdio, words: &str) -> Running {
    gate.args([
        "--reuid=postern-gate",
        "--regid=postern",
        "--init-groups",
        "env",
    ]);
    // The clock is set after the change of user: another user cannot open what root's libfaketime
    // made.
    for (name, value) in on_the_clock(Command::new("postern-gate")).get_envs() {
        let mut setting = name.to_owned();
        setting.push("=");
        setting.push(value.unwrap_or_default());
        gate.arg(setting);
    }
    gate.arg("/usr/bin/postern-gate");
    let mut running = Running::start_at(gate, input, "gate.log");
    patiently("the gate listens", || {
        assert!(running.is_running(), "{}", running.output());
        let output = running.output();
        Ok(output.contains(words).then_some(()))
    });
    running
}

/// A connection to the gate's socket, as a permitted local user could open it.
pub struct Wire {
    stream: BufReader<UnixStream>,
}

/// A response of the gate.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// Panics unless the response has this status.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Returns the URL of the page that a browser loads next, without waiting.
    #[track_caller]
    pub fn leads_to(&self) -> String {
        let url = self.body.split("content=\"0; url=").nth(1);
        let url = url.and_then(|rest| rest.split('"').next());
        url.unwrap_or_else(|| panic!("the page leads nowhere: {self:?}"))
            .to_owned()
    }

    /// Panics unless the response redirects to this location.
    #[track_caller]
    pub fn redirects_to(&self, status: u16, location: &str) {
        let sent = (self.status, self.header("location"));
        assert_eq!(sent, (status, location), "{self:?}");
    }

    /// Returns all values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// Returns the one value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {self:?}");
        all[0]
    }
}

impl Wire {
    #[track_caller]
    pub fn open() -> Wire {
        let stream = UnixStream::connect(SOCKET).expect("the gate listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .expect("a timeout");
        Wire {
            stream: BufReader::new(stream),
        }
    }

    /// Sends a request with these header lines, and no body yet.
    #[track_caller]
    pub fn begins(&mut self, request: &str, headers: &[&str]) -> &mut Wire {
        self.sends(format!("{request} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n")).as_bytes())
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn sends(&mut self, bytes: &[u8]) -> &mut Wire {
        // The gate may have answered and closed the connection already.
        let _ = self.stream.get_mut().write_all(bytes);
        self
    }

    /// Reads a response. `None` if the gate closed the connection.
    #[track_caller]
    pub fn reads(&mut self) -> Option<Reply> {
        read_reply(&mut self.stream)
    }

    /// Sends a request with these header lines, and returns the response.
    #[track_caller]
    pub fn asks(&mut self, request: &str, headers: &[&str], body: &str) -> Option<Reply> {
        let mut text = format!("{request} HTTP/1.1\r\n");
        for line in headers {
            text.push_str(line);
            text.push_str("\r\n");
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.sends(text.as_bytes()).reads()
    }

    /// Sends a check as nginx does, with more header lines.
    #[track_caller]
    pub fn checks(&mut self, more: &[&str]) -> Reply {
        let proof = format!("X-Postern-Proxy: {PROOF}");
        let mut lines = vec![
            "Host: postern",
            &proof,
            "X-Original-Method: GET",
            "X-Real-IP: 192.0.2.7",
        ];
        lines.push("X-Original-URL: https://app.example.test:8443/page?q=1");
        lines.extend(more);
        self.asks("GET /check/nginx", &lines, "")
            .expect("the gate answers a check")
    }

    /// Sends a name and a password on the sign-in page, as a browser at an address would.
    #[track_caller]
    pub fn password(&mut self, name: &str, password: &str, address: &str) -> Reply {
        let plus = |text: &str| text.replace(' ', "+");
        let body = format!(
            "rd=&user={}&password={}&recovery=",
            plus(name),
            plus(password)
        );
        self.posts("sign-in", address, "", &body)
    }

    /// Sends a code on the code page, as a browser at an address would that has this cookie.
    #[track_caller]
    pub fn code(&mut self, ticket: &str, code: &str, address: &str) -> Reply {
        self.posts("code", address, ticket, &format!("code={code}"))
    }

    #[track_caller]
    fn posts(&mut self, page: &str, address: &str, cookie: &str, body: &str) -> Reply {
        let lines = [
            "Host: auth.example.test:8443",
            &format!("X-Postern-Proxy: {PROOF}"),
            &format!("X-Real-IP: {address}"),
            &format!("Cookie: {cookie}"),
            "Origin: https://auth.example.test:8443",
            "Content-Type: application/x-www-form-urlencoded",
        ];
        self.asks(&format!("POST /{page}"), &lines, body)
            .expect("the gate answers")
    }
}

/// Sends a request to a gate that listens on TCP, and returns the response.
#[track_caller]
pub fn tcp_reply(port: u16, request: &str) -> Option<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the gate listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(40)))
        .expect("a timeout");
    stream
        .write_all(request.as_bytes())
        .expect("the gate reads");
    read_reply(&mut BufReader::new(stream))
}

fn read_reply(stream: &mut impl BufRead) -> Option<Reply> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Reply {
        status,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}
