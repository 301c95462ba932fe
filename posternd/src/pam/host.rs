//! The calls of a conversation to its PAM host, as a trait: the host is at the other end of a
//! connection, or is a test's.

use super::engine_access::EngineAccess;
use nix::errno::Errno;
use nix::unistd::getpid;
use postern_shared::account::name::UserName;
use postern_shared::config::file::{self, ConfigError, CurrentConfig};
use postern_shared::policy::groups;
use postern_shared::protocol::{Echo, Severity};
use postern_shared::system::process::HostProcess;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// The items of a PAM transaction that a conversation reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamItem {
    Service,
    User,
    RemoteHost,
    Terminal,
}

/// The conversation failed or was cancelled.
#[derive(Debug)]
pub struct NoAnswer;

/// The host process, as one hook sees it.
pub trait PamHost {
    /// Returns the engine that decides, and the user whom the host runs as.
    fn engine_access(&self) -> EngineAccess;
    /// Loads the configuration in force.
    fn load_configuration(&self, path: &Path) -> Result<CurrentConfig, ConfigError> {
        file::load_config(path)
    }
    /// Returns an item, if it is set and not empty.
    fn item(&self, item: PamItem) -> Option<Vec<u8>>;
    /// Returns the real user of the process, whatever its effective user is (that of `su` and
    /// `sudo` is root); `None` for root.
    ///
    /// # Errors
    /// Those of the name service: wrong codes of this user could not be counted under the name.
    fn real_user(&self) -> Result<Option<String>, Errno>;
    /// Returns the host's own spelling of a user's name; `None` if the host does not know the user.
    ///
    /// # Errors
    /// Those of the name service.
    fn own_spelling(&self, name: &UserName) -> Result<Option<String>, Errno> {
        Ok(groups::find_user_by_name(name)?.map(|entry| entry.name))
    }
    /// Returns the host process, as the kernel states: this process, unless the host is at the
    /// other end of a connection.
    fn process(&self) -> HostProcess {
        HostProcess::find(getpid().as_raw())
    }
    /// Returns the user who runs the process, for the log; also where that is root.
    fn runs_as(&self) -> String;
    /// Returns a variable of the transaction's environment (pam_getenv), never one of the process.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// Shows a prompt and waits for the input. A longer input than
    /// [`postern_shared::credential::input::LONGEST`] is cut to one byte more.
    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, NoAnswer>;
    /// Tells the host that its hook still waits, for something else than an input. Returns whether it
    /// is still there.
    fn report_waiting(&self) -> bool {
        true
    }
    /// Shows a text. A host may show it late or never.
    fn show_message(&self, text: &str);
    /// Returns the stacked password (PAM_AUTHTOK), if there is one; it is cut like an input.
    fn stacked_password(&self) -> Option<Zeroizing<Vec<u8>>>;
    /// Sets the stacked password for later modules.
    fn set_stacked_password(&self, password: &[u8]);
    /// Has libpam wait about so many seconds if the transaction fails.
    fn delay_failure(&self, seconds: u64);
    /// Writes one line to the system log.
    fn log(&self, severity: Severity, line: &str);
    /// Returns the user, if the host or an earlier module has set one. Unlike [`PamItem::User`] it
    /// never prompts.
    fn known_user(&self) -> Option<Vec<u8>>;
    /// Keeps the mark with the transaction.
    fn keep_mark(&self, mark: Vec<u8>);
    /// Returns the mark that was kept.
    fn kept_mark(&self) -> Option<Vec<u8>>;
    fn remove_mark(&self) -> Result<(), MarkNotRemoved>;
}

/// The host did not remove a mark.
#[derive(Debug)]
pub struct MarkNotRemoved;

impl fmt::Display for MarkNotRemoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "libpam still has data of an earlier auth of this transaction; restart the service",
        )
    }
}

/// A PAM host for tests.
#[cfg(test)]
pub(crate) mod fake {
    use super::*;
    use postern_shared::system::process::{ProcessId, UnidentifiedProcess};
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    /// A function that is called while a prompt waits, with the prompt.
    pub(crate) type Meanwhile = Box<dyn Fn(&str)>;

    /// Items, inputs that will be typed, and records of what the conversation did.
    #[derive(Default)]
    pub(crate) struct Fake {
        pub(crate) items: Vec<(PamItem, Vec<u8>)>,
        pub(crate) real_user: Option<&'static str>,
        /// Whether the look-up of the real user fails.
        pub(crate) names_unavailable: bool,
        pub(crate) variables: Vec<(&'static str, String)>,
        pub(crate) typed: RefCell<VecDeque<String>>,
        pub(crate) prompts: RefCell<Vec<String>>,
        pub(crate) told: RefCell<Vec<String>>,
        pub(crate) logged: RefCell<Vec<String>>,
        pub(crate) mark: RefCell<Option<Vec<u8>>>,
        /// Whether removing a mark fails.
        pub(crate) keeps_marks: bool,
        /// The number of the process; 0 by default.
        pub(crate) process: i32,
        /// Why the process cannot be distinguished from others.
        pub(crate) unseen: Option<UnidentifiedProcess>,
        /// The engine that decides, and the user whom the host runs as; root, with an engine of
        /// its own, by default.
        pub(crate) access: Option<EngineAccess>,
        pub(crate) stacked: RefCell<Option<Vec<u8>>>,
        pub(crate) delay: Cell<u64>,
        /// An authenticator app, which reads a prompt and shows a code until it can read another
        /// prompt.
        pub(crate) phone: Option<fn(&str) -> Option<String>>,
        pub(crate) shows: RefCell<String>,
        /// A function that is called while a prompt waits, and without a prompt while a hook does.
        pub(crate) meanwhile: Option<Meanwhile>,
        /// Whether the host ends while a hook waits.
        pub(crate) ends: bool,
    }

    impl Fake {
        pub(crate) fn at(service: &str, user: &str) -> Fake {
            let items = vec![
                (PamItem::Service, service.into()),
                (PamItem::User, user.into()),
            ];
            Fake {
                items,
                ..Fake::default()
            }
        }

        pub(crate) fn with(mut self, item: PamItem, value: &str) -> Fake {
            self.items.push((item, value.into()));
            self
        }

        /// Sets the user who started the program.
        pub(crate) fn run_by(self, user: &'static str) -> Fake {
            Fake {
                real_user: Some(user),
                ..self
            }
        }

        pub(crate) fn with_variable(mut self, name: &'static str, value: &str) -> Fake {
            self.variables.push((name, value.to_owned()));
            self
        }

        pub(crate) fn who_types(self, answers: &[&str]) -> Fake {
            self.typed
                .borrow_mut()
                .extend(answers.iter().map(|answer| (*answer).to_owned()));
            self
        }

        /// Sets the stacked password of an earlier module.
        pub(crate) fn with_password(self, password: &str) -> Fake {
            self.stacked.replace(Some(password.as_bytes().to_vec()));
            self
        }

        /// Returns the stacked password for later modules.
        pub(crate) fn password(&self) -> Option<String> {
            self.stacked
                .borrow()
                .clone()
                .map(|bytes| String::from_utf8(bytes).expect("text"))
        }

        /// Returns all log lines.
        pub(crate) fn log_text(&self) -> String {
            self.logged.borrow().join("\n")
        }

        #[track_caller]
        pub(crate) fn assert_logged(&self, text: &str) {
            assert!(
                self.log_text().contains(text),
                "no {text:?} in {}",
                self.log_text()
            );
        }
    }

    impl PamHost for Fake {
        fn engine_access(&self) -> EngineAccess {
            self.access.clone().unwrap_or(EngineAccess::Store)
        }

        fn item(&self, item: PamItem) -> Option<Vec<u8>> {
            self.items
                .iter()
                .find(|(set, _)| *set == item)
                .map(|(_, value)| value.clone())
        }

        fn real_user(&self) -> Result<Option<String>, Errno> {
            match self.names_unavailable {
                true => Err(Errno::ETIMEDOUT),
                false => Ok(self.real_user.map(str::to_owned)),
            }
        }

        fn process(&self) -> HostProcess {
            match self.unseen {
                Some(why) => HostProcess::unidentified(why),
                None => HostProcess::new(ProcessId::new(self.process, 1), Vec::new()),
            }
        }

        fn runs_as(&self) -> String {
            self.real_user
                .map_or_else(crate::pam::user::runs_as, str::to_owned)
        }

        fn variable(&self, name: &str) -> Option<Vec<u8>> {
            self.variables
                .iter()
                .find(|(set, _)| *set == name)
                .map(|(_, value)| value.as_bytes().to_vec())
        }

        fn ask(&self, prompt: &str, _: Echo) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
            self.prompts.borrow_mut().push(prompt.to_owned());
            if let Some(meanwhile) = &self.meanwhile {
                meanwhile(prompt);
            }
            if let Some(shown) = self.phone.and_then(|phone| phone(prompt)) {
                self.shows.replace(shown);
            }
            let typed = self.typed.borrow_mut().pop_front().ok_or(NoAnswer)?;
            Ok(Zeroizing::new(
                typed.replace("{code}", &self.shows.borrow()).into_bytes(),
            ))
        }

        fn report_waiting(&self) -> bool {
            if let Some(meanwhile) = &self.meanwhile {
                meanwhile("");
            }
            !self.ends
        }

        fn show_message(&self, text: &str) {
            self.told.borrow_mut().push(text.to_owned());
        }

        fn stacked_password(&self) -> Option<Zeroizing<Vec<u8>>> {
            self.stacked.borrow().clone().map(Zeroizing::new)
        }

        fn set_stacked_password(&self, password: &[u8]) {
            self.stacked.replace(Some(password.to_vec()));
        }

        fn delay_failure(&self, seconds: u64) {
            self.delay.set(seconds);
        }

        fn log(&self, _: Severity, line: &str) {
            self.logged.borrow_mut().push(line.to_owned());
        }

        fn keep_mark(&self, mark: Vec<u8>) {
            self.mark.replace(Some(mark));
        }

        fn kept_mark(&self) -> Option<Vec<u8>> {
            self.mark.borrow().clone()
        }

        fn remove_mark(&self) -> Result<(), MarkNotRemoved> {
            if self.keeps_marks {
                return Err(MarkNotRemoved);
            }
            self.mark.replace(None);
            Ok(())
        }

        fn known_user(&self) -> Option<Vec<u8>> {
            self.item(PamItem::User)
        }
    }
}
