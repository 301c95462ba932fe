//! The system log: a real rsyslogd that writes /var/log/auth.log.

use crate::machine::files::WORK;
use crate::process::processes::patiently;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

const LOG: &str = "/var/log/auth.log";

static READ: AtomicUsize = AtomicUsize::new(0);
static MARKS: AtomicUsize = AtomicUsize::new(0);

/// The log of one story. Each line is read once: a search begins after the last line found.
pub struct Journal(Child);

impl Journal {
    pub(crate) fn start() -> Journal {
        let configuration = format!("{WORK}/rsyslog.conf");
        let text = format!(
            "module(load=\"imuxsock\" SysSock.Name=\"/dev/log\" SysSock.RateLimit.Interval=\"0\")\n\
             $MaxMessageSize 64k\naction(type=\"omfile\" file=\"{LOG}\")\n"
        );
        fs::write(&configuration, text).expect("the tests' folder can be written");
        let pid = format!("{WORK}/rsyslogd.pid");
        let mut logger = Command::new("rsyslogd");
        logger
            .args(["-n", "-f", &configuration, "-i", &pid])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let logger = logger
            .spawn()
            .expect("rsyslogd runs; tests/run installs it");
        patiently("rsyslogd listens", || {
            UnixDatagram::unbound()?.connect("/dev/log").map(Some)
        });
        let journal = Journal(logger);
        journal.forget();
        journal
    }

    /// Waits for a line after the last one found that contains `words`, and returns it.
    #[track_caller]
    pub fn says(&self, words: &str) -> String {
        patiently(&format!("{LOG} says {words:?}"), || {
            let text = fs::read(LOG)?;
            let from = READ.load(Ordering::SeqCst).min(text.len());
            let unread = String::from_utf8_lossy(&text[from..]).into_owned();
            let mut end = 0;
            for line in unread
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'))
            {
                end += line.len();
                if line.contains(words) {
                    READ.store(from + end, Ordering::SeqCst);
                    return Ok(Some(line.trim_end().to_owned()));
                }
            }
            Ok(None)
        })
    }

    /// Returns everything written after the last line found, up to now.
    #[track_caller]
    pub fn rest(&self) -> String {
        let mark = format!(
            "mark {}-{}",
            std::process::id(),
            MARKS.fetch_add(1, Ordering::SeqCst)
        );
        let logger = UnixDatagram::unbound().expect("a socket");
        logger
            .send_to(format!("<86>story: {mark}").as_bytes(), "/dev/log")
            .expect("rsyslogd listens");
        let from = READ.load(Ordering::SeqCst);
        self.says(&mark);
        let text = fs::read(LOG).expect("the log can be read");
        let rest = String::from_utf8_lossy(&text[from..]).into_owned();
        rest.lines()
            .filter(|line| !line.contains("story: mark"))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// Skips everything that was written up to now.
    pub fn forget(&self) {
        self.rest();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
