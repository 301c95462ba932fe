//! The real ssh client, on a terminal of its own.

use crate::machine::files::WORK;
use crate::pam::sshd::PORT;
use crate::user::person::Person;
use crate::user::terminal::{Ended, Terminal};
use std::process::Command;

/// Text that the remote command prints when access is granted.
const IN: &str = "entered as ";
const PROMPT: &str = "Verification code: ";

#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Key,
    Password,
}

/// A sign-in that has not begun yet.
#[derive(Clone)]
pub struct Ssh {
    user: String,
    password: String,
    key: String,
    first: First,
    from: String,
    server: String,
    port: u16,
    options: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    command: Option<String>,
}

impl Ssh {
    pub(crate) fn with_key(person: &Person) -> Ssh {
        Ssh {
            user: person.name.clone(),
            password: person.password.clone(),
            key: person.key(),
            first: First::Key,
            from: "127.0.0.1".to_owned(),
            server: "127.0.0.1".to_owned(),
            port: PORT,
            options: Vec::new(),
            environment: Vec::new(),
            command: Some(format!("echo {IN}$(whoami)")),
        }
    }

    pub(crate) fn with_password(person: &Person) -> Ssh {
        Ssh {
            first: First::Password,
            ..Ssh::with_key(person)
        }
    }

    /// Sets the client's address.
    pub fn from(mut self, address: &str) -> Ssh {
        self.from = address.to_owned();
        self
    }

    /// Sets the server's address.
    pub fn to(mut self, address: &str) -> Ssh {
        self.server = address.to_owned();
        self
    }

    /// Sets another port than that of the test host's sshd.
    pub(crate) fn port(mut self, port: u16) -> Ssh {
        self.port = port;
        self
    }

    /// Sets another user name than the person's own.
    pub fn as_user(mut self, name: &str) -> Ssh {
        self.user = name.to_owned();
        self
    }

    /// Sets another password than the person's own.
    pub fn password(mut self, password: &str) -> Ssh {
        self.password = password.to_owned();
        self
    }

    /// Sets another key than the person's first.
    pub fn key(mut self, path: &str) -> Ssh {
        self.key = path.to_owned();
        self
    }

    /// Adds an option of ssh_config(5).
    pub fn option(mut self, option: &str) -> Ssh {
        self.options.push(option.to_owned());
        self
    }

    /// Sets a variable in the environment of the client.
    pub(crate) fn environment(mut self, name: &'static str, value: &'static str) -> Ssh {
        self.environment.push((name, value));
        self
    }

    /// Sets another remote command.
    pub fn command(mut self, command: &str) -> Ssh {
        self.command = Some(command.to_owned());
        self
    }

    /// Requests a shell instead of a single command.
    pub fn to_a_shell(mut self) -> Ssh {
        self.command = None;
        self
    }

    /// Starts the client; types nothing yet.
    #[track_caller]
    pub fn connects(&self) -> Terminal {
        Terminal::run(self.client())
    }

    /// Passes the first factor, up to the prompt for the code.
    #[track_caller]
    pub fn up_to_the_code(&self) -> Terminal {
        let mut terminal = self.connects();
        if self.first == First::Password {
            terminal.expect("Password: ").types(&self.password);
        }
        terminal.expect(PROMPT);
        terminal
    }

    /// Signs in with the first factor alone.
    #[track_caller]
    pub fn enters(&self) -> String {
        let mut terminal = self.connects();
        if self.first == First::Password {
            terminal.expect("Password: ").types(&self.password);
        }
        assert_entered(&self.user, terminal.ends())
    }

    /// Signs in with a code.
    #[track_caller]
    pub fn enters_with(&self, code: &str) -> String {
        let mut terminal = self.up_to_the_code();
        terminal.types(code);
        assert_entered(&self.user, terminal.ends())
    }

    /// Types a code that is refused whether it is right or wrong, and gives up.
    #[track_caller]
    pub fn guesses(&self, code: &str) {
        let mut terminal = self.up_to_the_code();
        terminal.types(code).expect(PROMPT);
        terminal.closes();
    }

    /// Types a code, expects the reason of the refusal in the next prompt, and gives up.
    #[track_caller]
    pub fn is_refused(&self, code: &str, why: &str) {
        let mut terminal = self.up_to_the_code();
        terminal.types(code).expect(why).expect(PROMPT);
        terminal.closes();
    }

    /// Expects a refusal without a prompt for a code, and returns the screen.
    #[track_caller]
    pub fn is_turned_away(&self) -> String {
        let mut terminal = self.connects();
        if self.first == First::Password {
            terminal.expect("Password: ").types(&self.password);
        }
        let ended = terminal.ends();
        assert!(
            !ended.entered(),
            "in, though it should be refused:\n{}",
            ended.transcript
        );
        assert!(
            !ended.transcript.contains(PROMPT),
            "asked for a code:\n{}",
            ended.transcript
        );
        ended.transcript
    }

    fn client(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.envs(self.environment.iter().copied());
        ssh.args([
            "-F",
            "none",
            "-b",
            &self.from,
            "-p",
            &self.port.to_string(),
            "-i",
            &self.key,
        ]);
        let methods = match self.first {
            First::Key => "PreferredAuthentications=publickey,keyboard-interactive",
            First::Password => "PreferredAuthentications=keyboard-interactive",
        };
        let known = format!("UserKnownHostsFile={WORK}/known_hosts");
        let fixed = [
            methods,
            &known,
            "GlobalKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "NumberOfPasswordPrompts=1",
            "Ciphers=aes128-gcm@openssh.com",
        ];
        // ssh uses the first value of an option.
        for option in self.options.iter().map(String::as_str).chain(fixed) {
            ssh.args(["-o", option]);
        }
        ssh.args(["-l", &self.user, &self.server])
            .args(&self.command);
        ssh
    }
}

impl Ended {
    /// Returns whether the remote command ran.
    pub fn entered(&self) -> bool {
        self.status.success() && self.transcript.contains(IN)
    }
}

#[track_caller]
fn assert_entered(user: &str, ended: Ended) -> String {
    let entered = ended.entered() && ended.transcript.contains(&format!("{IN}{user}"));
    assert!(entered, "not in as {user}:\n{}", ended.transcript);
    ended.transcript
}
