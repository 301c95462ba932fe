//! Proofs that open a session or a critical act. Each is made where it is decided, from a proof of the step before;
//! none can be copied, kept, or read from anywhere.

use super::token_validity::TokenValidity;
use super::{FirstFactorAttempt, TrustedBrowserProof};
use crate::account::second_factor::Enrolled;
use crate::config::gate::FirstFactorSource;
use crate::engine::enrollment::pending::EnrollmentConfirmation;
use crate::protocol::host_password::HostPasswordReply;
use crate::system::clock::Timestamp;
use crate::token::TokenParent;
use crate::token::session::{CompletedFactors, FirstFactorMethod, SecondFactorMethod, Session};
use crate::verify::decision::{Accepted, Consumed};
use crate::verify::method::AuthenticationMethod;

/// A first factor has passed: just now, or before something that is alive.
#[derive(Debug)]
pub(in crate::engine) struct FirstFactorPassed {
    first: FirstFactorMethod,
    /// When what it leads to begins, and ends at the latest.
    began: Timestamp,
    until: Option<Timestamp>,
    /// The trusted browser that it began in.
    browser: Option<i64>,
}

impl FirstFactorPassed {
    /// By a password that was charged, and was found to be right.
    pub(in crate::engine) fn by_password(
        _: &FirstFactorAttempt,
        said: HostPasswordReply,
        configured: FirstFactorSource,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        let first = match configured {
            FirstFactorSource::Password => FirstFactorMethod::Password,
            FirstFactorSource::Pam => FirstFactorMethod::HostPassword,
            FirstFactorSource::Header => return None,
        };
        (said == HostPasswordReply::Right).then_some(FirstFactorPassed {
            first,
            began: now,
            until: None,
            browser: None,
        })
    }

    /// By an identity, where a trusted proxy establishes it.
    pub(in crate::engine) fn by_identity(
        configured: FirstFactorSource,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        let first = FirstFactorMethod::Identity;
        let passed = FirstFactorPassed {
            first,
            began: now,
            until: None,
            browser: None,
        };
        (configured == FirstFactorSource::Header).then_some(passed)
    }

    /// Before what is alive; none at a prompt or a local socket.
    pub(in crate::engine) fn by_token_parent(
        parent: &TokenParent,
        alive: &TokenValidity,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        match *parent {
            TokenParent::Session {
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
            TokenParent::FirstFactor { first, .. } => Some(FirstFactorPassed {
                first,
                began: now,
                until: None,
                browser: None,
            }),
            TokenParent::Peer => None,
        }
    }

    /// Which.
    pub(in crate::engine) fn first(&self) -> FirstFactorMethod {
        self.first
    }
}

/// A second factor has passed, or none is claimed to have.
#[derive(Debug)]
pub(in crate::engine) struct SecondFactorPassed(SecondFactorMethod);

impl SecondFactorPassed {
    /// None; whether the account has one. What that opens, policy says at each check.
    pub(in crate::engine) fn none(enrolled: Enrolled) -> SecondFactorPassed {
        SecondFactorPassed(SecondFactorMethod::None(enrolled))
    }

    /// By an answer that was accepted.
    pub(in crate::engine) fn by_input(accepted: &Accepted) -> SecondFactorPassed {
        SecondFactorPassed(match accepted.consumed() {
            Consumed::Step(..) => SecondFactorMethod::Code,
            Consumed::MailedCode => SecondFactorMethod::MailedCode,
            Consumed::RecoveryCode(_) => SecondFactorMethod::RecoveryCode,
            Consumed::OneTimeCode => SecondFactorMethod::OneTimeCode,
        })
    }

    /// By the trust in the browser.
    pub(in crate::engine) fn by_trusted_browser(_: &TrustedBrowserProof) -> SecondFactorPassed {
        SecondFactorPassed(SecondFactorMethod::TrustedBrowser)
    }

    /// By the code that confirmed a new authenticator; none where an administrator vouched for it.
    pub(in crate::engine) fn by_enrollment(
        confirmation: &EnrollmentConfirmation,
    ) -> Option<SecondFactorPassed> {
        confirmation
            .step()
            .map(|_| SecondFactorPassed(SecondFactorMethod::Code))
    }
}

/// What opens a session.
#[derive(Debug)]
pub(in crate::engine) struct SessionGrant {
    pub(in crate::engine) passed: CompletedFactors,
    /// When it begins, and ends at the latest.
    pub(in crate::engine) began: Timestamp,
    pub(in crate::engine) until: Option<Timestamp>,
    /// The trusted browser that it began in.
    pub(in crate::engine) browser: Option<i64>,
    /// Only this file makes one.
    _made_here: (),
}

impl SessionGrant {
    /// Both factors of a sign-in.
    pub(in crate::engine) fn by_factors(
        first: &FirstFactorPassed,
        second: &SecondFactorPassed,
    ) -> SessionGrant {
        let SecondFactorPassed(second) = *second;
        let FirstFactorPassed {
            first,
            began,
            until,
            browser,
        } = *first;
        SessionGrant {
            passed: CompletedFactors { first, second },
            began,
            until,
            browser,
            _made_here: (),
        }
    }

    /// What had passed in a session whose place is taken, and no more. To be asked for only once the transaction has shown
    /// that nothing but the person's own act ended that one.
    pub(in crate::engine) fn like_session(before: &Session) -> SessionGrant {
        let Session {
            passed,
            issued,
            expires,
            ..
        } = *before;
        SessionGrant {
            passed,
            began: issued,
            until: Some(expires),
            browser: None,
            _made_here: (),
        }
    }

    /// The same in a trusted browser.
    #[must_use]
    pub(in crate::engine) fn in_browser(self, number: Option<i64>) -> SessionGrant {
        SessionGrant {
            browser: number.or(self.browser),
            ..self
        }
    }

    /// By what someone gets in, as logs name it.
    pub(in crate::engine) fn method(&self) -> AuthenticationMethod {
        match (self.passed.second, self.passed.first) {
            (SecondFactorMethod::None(_), FirstFactorMethod::Identity) => {
                AuthenticationMethod::Identity
            }
            (
                SecondFactorMethod::None(_),
                FirstFactorMethod::Password | FirstFactorMethod::HostPassword,
            ) => AuthenticationMethod::Password,
            (SecondFactorMethod::Code, _) => AuthenticationMethod::Code,
            (SecondFactorMethod::MailedCode, _) => AuthenticationMethod::MailedCode,
            (SecondFactorMethod::RecoveryCode, _) => AuthenticationMethod::RecoveryCode,
            (SecondFactorMethod::OneTimeCode, _) => AuthenticationMethod::OneTimeCode,
            (SecondFactorMethod::TrustedBrowser, _) => AuthenticationMethod::TrustedBrowser,
        }
    }
}

/// Someone proved themselves afresh in a session.
#[derive(Debug)]
pub(crate) struct SteppedUp(());

impl SteppedUp {
    /// By an answer that was accepted in the session.
    pub(in crate::engine) fn by_input(_: &Accepted) -> SteppedUp {
        SteppedUp(())
    }

    /// By the first factor again, of someone who has no second one.
    pub(in crate::engine) fn by_first_factor(_: &FirstFactorPassed) -> SteppedUp {
        SteppedUp(())
    }

    /// By the answer of a sign-in: whoever comes in by a recovery code or a one-time code has lost the way in, and is
    /// here to mend that.
    pub(in crate::engine) fn by_login(accepted: &Accepted) -> Option<SteppedUp> {
        match accepted.consumed() {
            Consumed::RecoveryCode(_) | Consumed::OneTimeCode => Some(SteppedUp(())),
            Consumed::Step(..) | Consumed::MailedCode => None,
        }
    }
}
