//! Mail through a program: it reads the mail from stdin, and says by its exit status whether it took it. No shell.

use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// The most that is read of what it complains about, in bytes.
const LONGEST: u64 = 4096;

/// Runs it to its end; at the time limit, when this future goes, it is killed.
pub(super) async fn run(words: &[String], mail: &[u8]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Err("no program".to_owned()) };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let writes = async {
        let Some(mut stdin) = stdin else { return };
        // one that does not want to know says so by its exit status
        let _ = stdin.write_all(mail).await;
        let _ = stdin.shutdown().await;
    };
    let reads = async {
        let mut said = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(LONGEST).read_to_end(&mut said).await;
        }
        String::from_utf8_lossy(&said).into_owned()
    };
    let ((), said, status) = tokio::join!(writes, reads, child.wait());
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}: {said}")),
        Err(error) => Err(format!("{program}: {error}")),
    }
}
