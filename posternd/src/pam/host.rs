//! What the module asks of the host process, so that everything but `ffi` can be tested without libpam.

use super::engine_access::EngineAccess;
use nix::errno::Errno;
use nix::unistd::getpid;
use shared::config::file::{self, ConfigError, CurrentConfig};
use shared::protocol::{Echo, Severity};
use shared::system::process::HostProcess;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// The items of a PAM transaction that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamItem {
    /// PAM_SERVICE
    Service,
    /// PAM_USER
    User,
    /// PAM_RHOST
    RemoteHost,
    /// PAM_TTY
    Terminal,
}

/// The conversation failed or was cancelled.
#[derive(Debug)]
pub struct NoAnswer;

/// The host process, as one hook sees it.
pub trait PamHost {
    /// Which engine decides for it, and who it is.
    fn reach(&self) -> EngineAccess;
    /// The configuration in force.
    fn configuration(&self, path: &Path) -> Result<CurrentConfig, ConfigError> {
        file::load_config(path)
    }
    /// An item, if it is set and not empty.
    fn item(&self, item: PamItem) -> Option<Vec<u8>>;
    /// The user who runs the process, whatever its effective user (`su` and `sudo` are root's); none for root.
    ///
    /// # Errors
    /// Those of the name service: wrong codes of this user could not be counted as such.
    fn real_user(&self) -> Result<Option<String>, Errno>;
    /// The process, as the kernel says: this one, unless the host is at the other end of a connection.
    fn process(&self) -> HostProcess {
        HostProcess::find(getpid().as_raw())
    }
    /// The user who runs the process, for the log; root also for whoever signs in.
    fn runs_as(&self) -> String;
    /// A variable of the transaction's own environment (pam_getenv), never the process's.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// Asks and waits. An answer beyond [`shared::credential::input::LONGEST`] comes cut just above it.
    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, NoAnswer>;
    /// Tells something that needs no answer; it may arrive late or never.
    fn tell(&self, text: &str);
    /// The password that an earlier module has asked for (PAM_AUTHTOK), if there is one; cut like an answer.
    fn stacked(&self) -> Option<Zeroizing<Vec<u8>>>;
    /// Hands a password on to later modules.
    fn hand_on(&self, password: &[u8]);
    /// Has libpam wait so many seconds, more or less, if the entry fails.
    fn delay_failure(&self, seconds: u64);
    /// Writes one line to the system log.
    fn log(&self, severity: Severity, line: &str);
    /// The user, if the host or an earlier module has said one; unlike [`Item::User`] it asks nobody.
    fn known_user(&self) -> Option<Vec<u8>>;
    /// Keeps the mark with the transaction.
    fn remember(&self, mark: Vec<u8>);
    /// The mark that was kept, if any.
    fn recall(&self) -> Option<Vec<u8>>;
    /// Removes the mark.
    fn forget(&self) -> Result<(), NotForgotten>;
}

/// The host keeps a mark that it was to remove.
#[derive(Debug)]
pub struct NotForgotten;

impl fmt::Display for NotForgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "libpam still has data of an earlier auth of this transaction; restart the service",
        )
    }
}

/// A host process that tests play.
#[cfg(test)]
pub(crate) mod fake {
    use super::*;
    use shared::system::process::{ProcessId, UnidentifiedProcess};
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    /// What is called with a prompt that waits.
    pub(crate) type Meanwhile = Box<dyn Fn(&str)>;

    /// What is set, what will be typed, and what came of it.
    #[derive(Default)]
    pub(crate) struct Fake {
        pub(crate) items: Vec<(PamItem, Vec<u8>)>,
        pub(crate) real_user: Option<&'static str>,
        /// Whether the name service does not say who that is.
        pub(crate) names_unavailable: bool,
        pub(crate) variables: Vec<(&'static str, String)>,
        pub(crate) typed: RefCell<VecDeque<String>>,
        pub(crate) prompts: RefCell<Vec<String>>,
        pub(crate) told: RefCell<Vec<String>>,
        pub(crate) logged: RefCell<Vec<String>>,
        pub(crate) mark: RefCell<Option<Vec<u8>>>,
        /// Whether marks cannot be removed.
        pub(crate) keeps_marks: bool,
        /// 0 is the first of them.
        pub(crate) process: i32,
        /// Why nothing tells it from others.
        pub(crate) unseen: Option<UnidentifiedProcess>,
        /// The engine that decides, and the user that the host runs as; root with an engine of its own if not given.
        pub(crate) reach: Option<EngineAccess>,
        pub(crate) stacked: RefCell<Option<Vec<u8>>>,
        pub(crate) delay: Cell<u64>,
        /// What a phone makes of a prompt; it stays what it was until another one can be read.
        pub(crate) phone: Option<fn(&str) -> Option<String>>,
        pub(crate) shows: RefCell<String>,
        /// What somebody else does while this prompt waits.
        pub(crate) meanwhile: Option<Meanwhile>,
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

        /// A program that this user has started.
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

        /// An earlier module has asked for this.
        pub(crate) fn with_password(self, password: &str) -> Fake {
            self.stacked.replace(Some(password.as_bytes().to_vec()));
            self
        }

        /// What later modules find.
        pub(crate) fn password(&self) -> Option<String> {
            self.stacked
                .borrow()
                .clone()
                .map(|bytes| String::from_utf8(bytes).expect("text"))
        }

        /// The whole log, one line after the other.
        pub(crate) fn log_text(&self) -> String {
            self.logged.borrow().join("\n")
        }
    }

    impl PamHost for Fake {
        fn reach(&self) -> EngineAccess {
            self.reach.clone().unwrap_or(EngineAccess::Store)
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

        fn tell(&self, text: &str) {
            self.told.borrow_mut().push(text.to_owned());
        }

        fn stacked(&self) -> Option<Zeroizing<Vec<u8>>> {
            self.stacked.borrow().clone().map(Zeroizing::new)
        }

        fn hand_on(&self, password: &[u8]) {
            self.stacked.replace(Some(password.to_vec()));
        }

        fn delay_failure(&self, seconds: u64) {
            self.delay.set(seconds);
        }

        fn log(&self, _: Severity, line: &str) {
            self.logged.borrow_mut().push(line.to_owned());
        }

        fn remember(&self, mark: Vec<u8>) {
            self.mark.replace(Some(mark));
        }

        fn recall(&self) -> Option<Vec<u8>> {
            self.mark.borrow().clone()
        }

        fn forget(&self) -> Result<(), NotForgotten> {
            if self.keeps_marks {
                return Err(NotForgotten);
            }
            self.mark.replace(None);
            Ok(())
        }

        fn known_user(&self) -> Option<Vec<u8>> {
            self.item(PamItem::User)
        }
    }
}
