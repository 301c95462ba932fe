//! The unit that runs the program of `[email] command`, without systemd: root listens, and each connection is one process of
//! user postern-mail's.

use crate::posternd::PROGRAM;
use nix::unistd::User;
use shared::config::email::COMMAND_SOCKET;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A listening unit; it ends, and its socket goes, when this goes.
pub struct MailProgram {
    ends: Arc<AtomicBool>,
    accepts: Option<JoinHandle<()>>,
}

impl MailProgram {
    /// Listens.
    #[track_caller]
    pub fn listens() -> MailProgram {
        // systemd of another story may have left it
        let _ = fs::remove_file(COMMAND_SOCKET);
        let listener = UnixListener::bind(COMMAND_SOCKET).expect("/run/postern can be written");
        let posternd = User::from_name("posternd")
            .ok()
            .flatten()
            .expect("postern is installed");
        chown(COMMAND_SOCKET, Some(posternd.uid.as_raw()), None).expect("root may do it");
        fs::set_permissions(COMMAND_SOCKET, PermissionsExt::from_mode(0o600))
            .expect("root may do it");
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let accepts = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                thread::spawn(move || serve(stream));
            }
        });
        MailProgram {
            ends,
            accepts: Some(accepts),
        }
    }
}

impl Drop for MailProgram {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // it looks at the next connection
        drop(UnixStream::connect(COMMAND_SOCKET));
        let _ = fs::remove_file(COMMAND_SOCKET);
        if let Some(accepts) = self.accepts.take() {
            let _ = accepts.join();
        }
    }
}

/// As an instance of postern-mail@.service does.
fn serve(stream: UnixStream) {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postern-mail",
        "--regid=postern-mail",
        "--init-groups",
        PROGRAM,
        "--mail-command",
    ]);
    command
        .stdin(Stdio::from(OwnedFd::from(stream)))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // its reply is what counts
    let _ = command.status();
}
