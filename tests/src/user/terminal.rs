//! A person's terminal: a real pty of 80 × 24 that runs a program. It keeps all output of the
//! program, and sends input as keys would.

use crate::process::processes::{below, ended};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Time limit for the program's output. Far more than any program needs.
const PATIENCE: Duration = Duration::from_secs(40);

const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// A terminal with a running program.
pub struct Terminal {
    program: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    transcript: Vec<u8>,
    read: usize,
}

/// The result of a program that has ended.
pub struct Ended {
    /// Everything that was on the screen.
    pub transcript: String,
    pub status: ExitStatus,
}

/// The end of a wait for output.
#[derive(PartialEq, Eq)]
enum WaitEnd {
    Timeout,
    Disconnected,
}

impl Terminal {
    /// Runs a program on a new terminal.
    pub fn run(command: Command) -> Terminal {
        let pty = openpty(Some(&SIZE), None).expect("there is a free pty");
        for side in [&pty.master, &pty.slave] {
            // Without this a program on another terminal would keep this one open.
            fcntl(side, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
                .expect("a descriptor can be closed on exec");
        }
        let side = || Stdio::from(pty.slave.try_clone().expect("a descriptor can be doubled"));
        let mut on_terminal = Command::new("setsid");
        on_terminal
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args());
        on_terminal.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        on_terminal.stdin(side()).stdout(side()).stderr(side());
        let program = on_terminal.spawn().expect("setsid runs");
        drop((on_terminal, pty.slave));

        let keyboard = File::from(pty.master);
        let mut from_program = keyboard.try_clone().expect("a descriptor can be doubled");
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // At the end a pty returns EIO.
            while let Ok(count @ 1..) = from_program.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            program,
            keyboard,
            screen,
            transcript: Vec::new(),
            read: 0,
        }
    }

    /// Waits until `text` is on the screen, after the text of the last wait.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Terminal {
        self.expect_one_of(&[text]);
        self
    }

    /// Waits for the first of several texts, and returns its index.
    #[track_caller]
    pub fn expect_one_of(&mut self, texts: &[&str]) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let unread = &self.transcript[self.read..];
            let found = texts.iter().enumerate().filter_map(|(i, text)| {
                let at = unread
                    .windows(text.len())
                    .position(|window| window == text.as_bytes())?;
                Some((at, i, text.len()))
            });
            if let Some((at, which, length)) = found.min() {
                self.read += at + length;
                return which;
            }
            match self
                .screen
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.transcript.extend(bytes),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no {texts:?} in time on:\n{}", self.shown())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("no {texts:?} before the end of:\n{}", self.shown())
                }
            }
        }
    }

    /// Reads the number after the text of the last wait.
    #[track_caller]
    pub fn read_number(&mut self) -> u32 {
        let from = self.read;
        self.expect("\n");
        let text = String::from_utf8_lossy(&self.transcript[from..self.read]).into_owned();
        text.trim()
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// Returns the process id of a program that was started on this terminal, by its name.
    #[track_caller]
    pub fn process_of(&self, name: &str) -> u32 {
        let started = self.program.id();
        let is_named = |process: &u32| {
            let found = std::fs::read_to_string(format!("/proc/{process}/comm"));
            found.is_ok_and(|found| found.trim_end() == name)
        };
        let mut all = below(started).into_iter().chain([started]);
        all.find(is_named)
            .unwrap_or_else(|| panic!("no {name} runs at:\n{}", self.shown()))
    }

    /// Returns everything on the screen so far.
    pub fn screen(&self) -> String {
        self.shown()
    }

    /// Types a line and Enter.
    #[track_caller]
    pub fn types(&mut self, line: &str) -> &mut Terminal {
        self.types_bytes(line.as_bytes());
        self.types_bytes(b"\r");
        self
    }

    /// Types keys as they are.
    #[track_caller]
    pub fn types_bytes(&mut self, keys: &[u8]) -> &mut Terminal {
        self.keyboard
            .write_all(keys)
            .unwrap_or_else(|error| panic!("{error} typing at:\n{}", self.shown()));
        self
    }

    #[track_caller]
    pub fn presses_ctrl_c(&mut self) -> &mut Terminal {
        self.types_bytes(&[3])
    }

    /// Presses Ctrl-C until the program has ended. OpenSSH's client loses a Ctrl-C between its
    /// prompt and its read, and a person then presses it again.
    #[track_caller]
    pub fn is_interrupted(mut self) -> Ended {
        for _ in 0..PATIENCE.as_secs() {
            // The terminal may have ended with the program.
            let _ = self.keyboard.write_all(&[3]);
            if self.reads_until(Instant::now() + Duration::from_secs(1)) == WaitEnd::Disconnected {
                break;
            }
        }
        self.ends()
    }

    /// Closes the terminal, which hangs the program up. Returns the screen.
    pub fn closes(self) -> String {
        self.shown()
    }

    /// Waits until the program has ended by itself.
    #[track_caller]
    pub fn ends(mut self) -> Ended {
        if self.reads_until(Instant::now() + PATIENCE) == WaitEnd::Timeout {
            panic!("no end in time of:\n{}", self.shown());
        }
        let status = ended(&mut self.program);
        Ended {
            transcript: self.shown(),
            status,
        }
    }

    /// Keeps the program's output, until the program ends or the deadline has passed.
    fn reads_until(&mut self, deadline: Instant) -> WaitEnd {
        loop {
            match self
                .screen
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.transcript.extend(bytes),
                Err(RecvTimeoutError::Timeout) => return WaitEnd::Timeout,
                Err(RecvTimeoutError::Disconnected) => return WaitEnd::Disconnected,
            }
        }
    }

    /// Returns the process id of the program on the terminal.
    pub fn process(&self) -> u32 {
        self.program.id()
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.transcript).replace('\r', "")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
