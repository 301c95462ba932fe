//! Proofs that open a session or a critical act. Each is made where it is decided, from a proof of the step before;
//! none can be copied, kept, or read from anywhere.

use super::Means;
use super::alive::Alive;
use super::sign_in::{FirstFactorTried, TrustedHere};
use crate::account::Enrolled;
use crate::clock::Timestamp;
use crate::config::gate::FirstFactor;
use crate::decision::{Accepted, Spent};
use crate::enrolment::Confirmation;
use crate::host_password::Said;
use crate::session::{Passed, PassedFirst, PassedSecond, Session};
use crate::token::Parent;

/// A first factor has passed: just now, or before something that is alive.
#[derive(Debug)]
pub(super) struct FirstFactorPassed {
    first: PassedFirst,
    /// When what it leads to begins, and ends at the latest.
    began: Timestamp,
    until: Option<Timestamp>,
    /// The trusted browser that it began in.
    browser: Option<i64>,
}

impl FirstFactorPassed {
    /// By a password that was charged, and was found to be right.
    pub(super) fn judged(
        _: &FirstFactorTried,
        said: Said,
        configured: FirstFactor,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        let first = match configured {
            FirstFactor::Password => PassedFirst::Password,
            FirstFactor::Pam => PassedFirst::HostPassword,
            FirstFactor::Header => return None,
        };
        (said == Said::Right).then_some(FirstFactorPassed {
            first,
            began: now,
            until: None,
            browser: None,
        })
    }

    /// By an identity, where a trusted proxy establishes it.
    pub(super) fn established(
        configured: FirstFactor,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        let first = PassedFirst::Identity;
        let passed = FirstFactorPassed {
            first,
            began: now,
            until: None,
            browser: None,
        };
        (configured == FirstFactor::Header).then_some(passed)
    }

    /// Before what is alive; none at a prompt or a local socket.
    pub(super) fn of(parent: &Parent, alive: &Alive, now: Timestamp) -> Option<FirstFactorPassed> {
        match *parent {
            Parent::Session {
                first,
                issued,
                expires,
                ..
            } => {
                let kept = alive.session.as_ref()?;
                let browser = kept.trusted_browser.map(|in_it| in_it.number);
                Some(FirstFactorPassed {
                    first,
                    began: issued,
                    until: Some(expires),
                    browser,
                })
            }
            Parent::FirstFactor { first, .. } => Some(FirstFactorPassed {
                first,
                began: now,
                until: None,
                browser: None,
            }),
            Parent::Peer => None,
        }
    }

    /// Which.
    pub(super) fn first(&self) -> PassedFirst {
        self.first
    }
}

/// A second factor has passed, or none is claimed to have.
#[derive(Debug)]
pub(super) struct SecondFactorPassed(PassedSecond);

impl SecondFactorPassed {
    /// None; whether the account has one. What that opens, policy says at each check.
    pub(super) fn none(enrolled: Enrolled) -> SecondFactorPassed {
        SecondFactorPassed(PassedSecond::None(enrolled))
    }

    /// By an answer that was accepted.
    pub(super) fn accepted(accepted: &Accepted) -> SecondFactorPassed {
        SecondFactorPassed(match accepted.spent() {
            Spent::Step(..) => PassedSecond::Code,
            Spent::MailedCode => PassedSecond::MailedCode,
            Spent::RecoveryCode(_) => PassedSecond::RecoveryCode,
            Spent::OneTimeCode => PassedSecond::OneTimeCode,
        })
    }

    /// By the trust in the browser.
    pub(super) fn trusted(_: &TrustedHere) -> SecondFactorPassed {
        SecondFactorPassed(PassedSecond::TrustedBrowser)
    }

    /// By the code that confirmed a new authenticator; none where an administrator vouched for it.
    pub(super) fn confirmed(confirmation: &Confirmation) -> Option<SecondFactorPassed> {
        confirmation
            .step()
            .map(|_| SecondFactorPassed(PassedSecond::Code))
    }
}

/// What opens a session.
#[derive(Debug)]
pub(super) struct OpensSession {
    pub(super) passed: Passed,
    /// When it begins, and ends at the latest.
    pub(super) began: Timestamp,
    pub(super) until: Option<Timestamp>,
    /// The trusted browser that it began in.
    pub(super) browser: Option<i64>,
    /// Only this file makes one.
    _made_here: (),
}

impl OpensSession {
    /// Both factors of a sign-in.
    pub(super) fn by(first: &FirstFactorPassed, second: &SecondFactorPassed) -> OpensSession {
        let SecondFactorPassed(second) = *second;
        let FirstFactorPassed {
            first,
            began,
            until,
            browser,
        } = *first;
        OpensSession {
            passed: Passed { first, second },
            began,
            until,
            browser,
            _made_here: (),
        }
    }

    /// What had passed in a session whose place is taken, and no more. To be asked for only once the transaction has shown
    /// that nothing but the person's own act ended that one.
    pub(super) fn going_on(before: &Session) -> OpensSession {
        let Session {
            passed,
            issued,
            expires,
            ..
        } = *before;
        OpensSession {
            passed,
            began: issued,
            until: Some(expires),
            browser: None,
            _made_here: (),
        }
    }

    /// The same in a trusted browser.
    #[must_use]
    pub(super) fn in_browser(self, number: Option<i64>) -> OpensSession {
        OpensSession {
            browser: number.or(self.browser),
            ..self
        }
    }

    /// By what someone gets in, as logs name it.
    pub(super) fn means(&self) -> Means {
        match (self.passed.second, self.passed.first) {
            (PassedSecond::None(_), PassedFirst::Identity) => Means::Identity,
            (PassedSecond::None(_), PassedFirst::Password | PassedFirst::HostPassword) => {
                Means::Password
            }
            (PassedSecond::Code, _) => Means::Code,
            (PassedSecond::MailedCode, _) => Means::MailedCode,
            (PassedSecond::RecoveryCode, _) => Means::RecoveryCode,
            (PassedSecond::OneTimeCode, _) => Means::OneTimeCode,
            (PassedSecond::TrustedBrowser, _) => Means::TrustedBrowser,
        }
    }
}

/// Someone proved themselves afresh in a session.
#[derive(Debug)]
pub(crate) struct SteppedUp(());

impl SteppedUp {
    /// By an answer that was accepted in the session.
    pub(super) fn by_answer(_: &Accepted) -> SteppedUp {
        SteppedUp(())
    }

    /// By the first factor again, of someone who has no second one.
    pub(super) fn by_first_factor(_: &FirstFactorPassed) -> SteppedUp {
        SteppedUp(())
    }

    /// By the answer of a sign-in: whoever comes in by a recovery code or a one-time code has lost the way in, and is
    /// here to mend that.
    pub(super) fn by_sign_in(accepted: &Accepted) -> Option<SteppedUp> {
        match accepted.spent() {
            Spent::RecoveryCode(_) | Spent::OneTimeCode => Some(SteppedUp(())),
            Spent::Step(..) | Spent::MailedCode => None,
        }
    }
}
