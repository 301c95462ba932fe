//! Comparison of a traced program with an AppArmor profile, by tests/profile_coverage.py.

use std::fs;
use std::process::Command;
use testhost::checkout;

/// A folder with the trace of one program.
pub(super) struct Tracer {
    folder: String,
}

/// How a trace compares with a profile.
pub(super) struct Coverage {
    pub(super) is_complete: bool,
    pub(super) text: String,
}

impl Tracer {
    pub(super) fn new(name: &str) -> Tracer {
        let folder = format!("/run/postern-tests/{name}.trace");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("/run can be written");
        Tracer { folder }
    }

    fn prefix(&self) -> String {
        format!("{}/strace", self.folder)
    }

    /// Returns a command that traces the next one and all that it starts.
    pub(super) fn command(&self) -> Vec<&'static str> {
        let output: &'static str = format!("--output={}", self.prefix()).leak();
        let daemonized = [
            "strace",
            "--daemonize",
            "--follow-forks",
            "--output-separately",
        ];
        [
            &daemonized[..],
            &["--quiet=all", "--decode-fds=path", output],
        ]
        .concat()
    }

    /// Compares what a program did with a profile of a file.
    #[track_caller]
    pub(super) fn compared(&self, file: &str, profile: &str, program: &str) -> Coverage {
        let output = Command::new("/usr/bin/python3")
            .arg(checkout("tests/profile_coverage.py"))
            .args([file, profile, program, &self.prefix()])
            .current_dir(checkout(""))
            .output()
            .expect("python3 is installed");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        Coverage {
            is_complete: output.status.success(),
            text,
        }
    }
}

impl Coverage {
    #[track_caller]
    pub(super) fn is_complete(&self) {
        assert!(self.is_complete, "{}", self.text);
    }
}
