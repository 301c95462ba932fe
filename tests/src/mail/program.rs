//! The socket unit for the program of `[email] command`, without systemd: root listens, and each
//! connection starts one process of user postern-mail.

use crate::postern::daemon::PROGRAM;
use nix::unistd::User;
use postern_shared::config::email::COMMAND_SOCKET;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A listening socket. It is removed when this value is dropped.
pub struct MailProgram {
    ends: Arc<AtomicBool>,
    accepts: Option<JoinHandle<()>>,
}

impl MailProgram {
    #[track_caller]
    pub fn listens() -> MailProgram {
        // The systemd of another story may have left the socket.
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
        // This connection wakes the thread, which then ends.
        drop(UnixStream::connect(COMMAND_SOCKET));
        let _ = fs::remove_file(COMMAND_SOCKET);
        if let Some(accepts) = self.accepts.take() {
            let _ = accepts.join();
        }
    }
}

/// Serves a connection as an instance of postern-mail@.service does.
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
    // The reply that it sends decides; its exit status does not.
    let _ = command.status();
}
