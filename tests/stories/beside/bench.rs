//! Logins at one module, one by one and in parallel, and their results.

use super::module::Module;
use crate::pam::process::PAM_HOST;
use std::cell::RefCell;
use std::time::Duration;
use testhost::{Barrier, Host, PamHost, Phone, PromptReply};

/// Longer than any login takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// A module, and two people with an authenticator each.
pub(crate) struct Bench<'a> {
    pub(crate) host: &'a Host,
    pub(crate) module: Module,
    pub(crate) alice: Phone,
    pub(crate) bob: Phone,
    outcomes: RefCell<Vec<Outcome>>,
}

/// The result of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    In,
    /// Access was denied, or the prompt did not appear.
    Refused,
    /// A signal ended the host.
    Crashed,
    /// The host did not end within the time limit.
    Hung,
}

/// The cell of a module in a row of the table.
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) faults: Vec<&'static str>,
}

impl Seen {
    pub(crate) fn new(text: impl Into<String>) -> Seen {
        Seen {
            text: text.into(),
            faults: Vec::new(),
        }
    }

    pub(crate) fn but(mut self, fault: Option<&'static str>) -> Seen {
        self.faults.extend(fault);
        self
    }
}

pub(crate) const TWICE: &str = "a code opened more than once";

impl<'a> Bench<'a> {
    #[track_caller]
    pub(crate) fn new(host: &'a Host, module: Module) -> Bench<'a> {
        let [alice, bob] = module.set_up(host);
        Bench {
            host,
            module,
            alice,
            bob,
            outcomes: RefCell::default(),
        }
    }

    /// Fills a row: it begins with the initial state, on a day of its own. At the end alice must
    /// still be able to sign in.
    #[track_caller]
    pub(crate) fn row(&self, day: u64, run: fn(&Bench<'_>) -> Seen) -> Seen {
        self.module.restore();
        self.host.clock.set(1_800_000_015 + day * 86_400);
        self.host.journal.forget();
        let seen = run(self);
        let outcomes = self.outcomes.take();
        let had = |wait_for_output, fault| outcomes.contains(&wait_for_output).then_some(fault);
        let seen = seen
            .but(had(Outcome::Crashed, "the host crashed"))
            .but(had(Outcome::Hung, "the host hung"));
        self.host.clock.forward(90);
        let shut_out = self.login(&self.alice.code()) != Outcome::In;
        self.outcomes.take();
        seen.but(shut_out.then_some("the owner is locked out"))
    }

    /// Signs in as alice, with this input at the prompt.
    #[track_caller]
    pub(crate) fn login(&self, code: &str) -> Outcome {
        self.login_as(b"alice", &PromptReply::from(code))
    }

    #[track_caller]
    pub(crate) fn login_as(&self, user: &[u8], reply: &PromptReply) -> Outcome {
        let mut pam = self.host_for(user, &[]);
        pam.answers(reply);
        self.end(pam)
    }

    /// Holds all of these logins at the prompt, and lets them continue at the same time.
    #[track_caller]
    pub(crate) fn at_once(&self, logins: &[(&str, String)]) -> Vec<Outcome> {
        let barrier = Barrier::lowered();
        let held: Vec<PamHost> = logins
            .iter()
            .map(|(user, code)| self.held(user, code))
            .collect();
        barrier.lifts();
        held.into_iter().map(|pam| self.end(pam)).collect()
    }

    /// Returns a login whose reply waits for the lock, which the caller holds.
    #[track_caller]
    pub(crate) fn held(&self, user: &str, code: &str) -> PamHost {
        let mut pam = self.host_for(user.as_bytes(), &["--barrier", &Barrier::path()]);
        pam.types(code);
        pam.expect("held");
        pam
    }

    #[track_caller]
    pub(crate) fn host_for(&self, user: &[u8], words: &[&str]) -> PamHost {
        PamHost::start(PAM_HOST, self.module.name(), user, words)
    }

    pub(crate) fn end(&self, pam: PamHost) -> Outcome {
        let wait_for_output = match pam.ends_within(PATIENCE) {
            None => Outcome::Hung,
            Some(ended) if ended.signal.is_some() => Outcome::Crashed,
            Some(ended) if ended.entered() => Outcome::In,
            Some(_) => Outcome::Refused,
        };
        self.outcomes.borrow_mut().push(wait_for_output);
        wait_for_output
    }
}

/// Counts the results that equal `wanted`.
pub(crate) fn count(outcomes: &[Outcome], wanted: Outcome) -> usize {
    outcomes
        .iter()
        .filter(|wait_for_output| **wait_for_output == wanted)
        .count()
}

/// Returns the result as one word.
pub(crate) fn word(wait_for_output: Outcome) -> &'static str {
    match wait_for_output {
        Outcome::In => "in",
        Outcome::Refused => "refused",
        Outcome::Crashed => "crashed",
        Outcome::Hung => "hung",
    }
}
