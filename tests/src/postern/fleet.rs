//! A server of a fleet beside the test host, which is one of its hosts: a posternd in a mount namespace
//! with a configuration, a store and sockets of its own.

use crate::machine::clock::on_the_clock;
use crate::postern::command::Postern;
use crate::postern::daemon::Posternd;
use crate::process::processes::{end, finished, patiently};
use crate::user::phone::Phone;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::process::{Child, Command, Stdio};

/// The folders that are the server's own.
const FOLDERS: [(&str, &str); 3] = [
    ("etc", "/etc/postern"),
    ("lib", "/var/lib/postern"),
    ("run", "/run/postern"),
];

/// A server. It ends when this value is dropped.
pub struct FleetServer {
    name: &'static str,
    port: u16,
    namespace: Child,
    posternd: Posternd,
}

impl FleetServer {
    /// Starts a server with an empty store, which listens at a port of loopback.
    #[track_caller]
    pub fn start(name: &'static str, port: u16) -> FleetServer {
        FleetServer::start_with(name, port, None)
    }

    /// Starts another server with the key and the store of a first one.
    #[track_caller]
    pub fn beside(first: &FleetServer, name: &'static str, port: u16) -> FleetServer {
        FleetServer::start_with(name, port, Some(first.name))
    }

    #[track_caller]
    fn start_with(name: &'static str, port: u16, first: Option<&str>) -> FleetServer {
        let folder = |part: &str| format!("/run/postern-fleet/{name}/{part}");
        let _ = fs::remove_dir_all(format!("/run/postern-fleet/{name}"));
        let mut script = "set -e\n".to_owned();
        for (part, path) in FOLDERS {
            fs::create_dir_all(folder(part)).expect("/run can be written");
            fs::create_dir_all(path).expect("the host can be changed");
            let own = match (part, first) {
                ("lib", Some(first)) => format!("/run/postern-fleet/{first}/lib"),
                _ => folder(part),
            };
            script += &format!("mount --bind {own} {path}\n");
        }
        if let Some(first) = first {
            let key = format!("/run/postern-fleet/{first}/etc/postern.key");
            finished(Command::new("cp").args(["-a", &key, &folder("etc")]));
        }
        finished(Command::new("chown").args(["root:postern", &folder("lib")]));
        finished(Command::new("chmod").args(["0750", &folder("lib")]));
        let ready = folder("ready");
        script += &format!("touch {ready}\nexec sleep infinity\n");
        let namespace = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", &script])
            .stdin(Stdio::null())
            .spawn()
            .expect("root may make a namespace");
        patiently("the server has its own folders", || {
            Ok(fs::exists(&ready)?.then_some(()))
        });
        let inside: &'static str =
            Box::leak(format!("--mount=/proc/{}/ns/mnt", namespace.id()).into_boxed_str());
        let path: &'static str = Box::leak(folder("pam.sock").into_boxed_str());
        let call = |words: &str| call(namespace.id(), words);
        call("init").does();
        let text = format!("[fleet]\nlisten = \"tcp:127.0.0.1:{port}\"\n");
        fs::write(folder("etc/postern.toml"), text).expect("/run can be written");
        call("status").does();
        let posternd = Posternd::start_at(&[("pam", path, 0o666)], &["nsenter", inside]);
        let server = FleetServer {
            name,
            port,
            namespace,
            posternd,
        };
        server.posternd.says("hosts of the fleet connect to");
        server
    }

    /// Returns the URL for hosts.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Prepares a call of `postern` on the server.
    pub fn call(&self, words: &str) -> Postern {
        call(self.namespace.id(), words)
    }

    /// Adds to postern.toml of the server.
    #[track_caller]
    pub fn configure(&self, text: &str) {
        self.writes_config(text);
        self.call("status").does();
    }

    /// Adds to postern.toml of the server, whether that is valid or not.
    #[track_caller]
    pub fn writes_config(&self, text: &str) {
        let listen = format!("[fleet]\nlisten = \"tcp:127.0.0.1:{}\"\n", self.port);
        let path = format!("/run/postern-fleet/{}/etc/postern.toml", self.name);
        fs::write(path, format!("{text}\n{listen}")).expect("/run can be written");
    }

    /// Invites a host, and returns the one-time code.
    #[track_caller]
    pub fn invites(&self, name: &str) -> String {
        let invited: Value = self
            .call(&format!("host invite {name} --json"))
            .does()
            .json();
        let code = invited["invitation"].as_str();
        code.expect("a one-time code").to_owned()
    }

    /// Enrolls an account on the server, and returns its authenticator.
    #[track_caller]
    pub fn enrols(&self, account: &str) -> Phone {
        let enrolled = self.call(&format!("enroll {account} --no-confirm --json"));
        let enrolled: Value = enrolled.does().json();
        Phone::scans(enrolled["otpauth_url"].as_str().expect("an otpauth_url"))
    }

    /// Returns the audit log as text.
    #[track_caller]
    pub fn audit_log(&self) -> String {
        self.call("log").does().out
    }

    /// Returns the path of the store, as the test host sees it.
    pub fn store(&self) -> String {
        format!("/run/postern-fleet/{}/lib/postern.db", self.name)
    }

    /// Returns the posternd of the server.
    pub fn posternd(&self) -> &Posternd {
        &self.posternd
    }

    /// Ends posternd, as a crash would.
    pub fn crashes(&mut self) {
        self.posternd.crash();
    }

    /// Starts posternd on this server again.
    #[track_caller]
    pub fn restarts(&mut self) {
        self.posternd.restart();
        self.posternd.says("hosts of the fleet connect to");
    }

    /// Stops posternd: it accepts connections and answers nothing.
    #[track_caller]
    pub fn hangs(&self) {
        self.posternd.signal(Signal::SIGSTOP);
    }

    #[track_caller]
    pub fn goes_on(&self) {
        self.posternd.signal(Signal::SIGCONT);
    }
}

fn call(namespace: u32, words: &str) -> Postern {
    let mut command = on_the_clock(Command::new("nsenter"));
    command.arg(format!("--mount=/proc/{namespace}/ns/mnt"));
    command.arg("/usr/bin/postern");
    command.args(words.split_whitespace());
    Postern::under(command)
}

impl Drop for FleetServer {
    fn drop(&mut self) {
        self.posternd.crash();
        end(self.namespace.id());
        let _ = self.namespace.wait();
    }
}
