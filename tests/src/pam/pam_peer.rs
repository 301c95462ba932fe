//! Control of the program `pam_peer`: a peer of posternd's sockets that sends what the story
//! orders, as any user.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A path where every user may run it.
const PROGRAM: &str = "/run/pam_peer";

/// A running peer. Its connections close when this value is dropped.
pub struct PamPeer {
    child: Child,
    orders: ChildStdin,
    came: BufReader<ChildStdout>,
}

impl PamPeer {
    /// Starts a peer at a socket, as the user with this number. `program` is the path where cargo
    /// put it.
    #[track_caller]
    pub fn start(program: &str, uid: u32, socket: &str) -> PamPeer {
        if !fs::exists(PROGRAM).expect("/run can be read") {
            fs::copy(program, PROGRAM).expect("/run can be written");
            fs::set_permissions(PROGRAM, PermissionsExt::from_mode(0o755)).expect("root may do it");
        }
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={uid}"), "--regid=65534", "--clear-groups"]);
        command.args(["prlimit", "--nofile=4096", PROGRAM, socket]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("setpriv runs");
        let orders = child.stdin.take().expect("stdin is a pipe");
        let came = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        PamPeer {
            child,
            orders,
            came,
        }
    }

    /// Sends an order, and returns its result.
    #[track_caller]
    pub fn does(&mut self, order: &Value) -> Value {
        writeln!(self.orders, "{order}").expect("it reads");
        let mut line = String::new();
        self.came.read_line(&mut line).expect("it says something");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{order}: {error}: {line:?}"))
    }

    /// Has the peer send a command's request, and returns the reply, or the text that arrived
    /// instead.
    #[track_caller]
    pub fn sends_command(&mut self, request: &str) -> String {
        let came = self.does(&serde_json::json!({ "command": request }));
        came["reply"]
            .as_str()
            .map_or_else(|| came.to_string(), str::to_owned)
    }
}

impl Drop for PamPeer {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
