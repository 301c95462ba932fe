//! Proofs that open a session or permit a critical act. Each is constructed where the decision is
//! made, from the proof of the step before.
//! No proof can be copied, stored, or deserialized.

use super::token_validity::TokenValidity;
use super::{FirstFactorAttempt, TrustedBrowserProof};
use crate::account::second_factor::Enrolled;
use crate::config::gate::FirstFactorSource;
use crate::engine::enrollment::pending::EnrollmentConfirmation;
use crate::protocol::host_password::HostPasswordReply;
use crate::system::clock::Timestamp;
use crate::token::TokenParent;
use crate::token::session::{
    CompletedFactors, FactorTimes, FirstFactorMethod, SecondFactorMethod, Session,
};
use crate::verify::decision::{Accepted, Consumed};
use crate::verify::method::AuthenticationMethod;
use crate::verify::passkey::AcceptedPasskey;

/// Proof that a first factor has passed: in this login, or before the token that continues it.
#[derive(Debug)]
pub(in crate::engine) struct FirstFactorPassed {
    first: FirstFactorMethod,
    /// Time at which it passed.
    at: Timestamp,
    /// When the session begins, and the latest time at which it ends.
    began: Timestamp,
    until: Option<Timestamp>,
    /// Number of the trusted browser in which the session began.
    browser: Option<i64>,
}

impl FirstFactorPassed {
    /// Proves a charged password that was verified.
    pub(in crate::engine) fn by_password(
        _: &FirstFactorAttempt,
        reply: HostPasswordReply,
        configured: FirstFactorSource,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        let first = match configured {
            FirstFactorSource::Password => FirstFactorMethod::Password,
            FirstFactorSource::Pam => FirstFactorMethod::HostPassword,
            FirstFactorSource::Header => return None,
        };
        (reply == HostPasswordReply::Right).then(|| FirstFactorPassed::now(first, now))
    }

    fn now(first: FirstFactorMethod, now: Timestamp) -> FirstFactorPassed {
        FirstFactorPassed {
            first,
            at: now,
            began: now,
            until: None,
            browser: None,
        }
    }

    /// Proves an identity, where a trusted proxy establishes it.
    pub(in crate::engine) fn by_identity(
        configured: FirstFactorSource,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        (configured == FirstFactorSource::Header)
            .then(|| FirstFactorPassed::now(FirstFactorMethod::Identity, now))
    }

    /// Proves a passkey that is two factors: its authenticator verified its user. `None` where it did
    /// not, or another first factor is configured.
    pub(in crate::engine) fn by_passkey(
        accepted: &AcceptedPasskey,
        configured: FirstFactorSource,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        let is_first = configured == FirstFactorSource::Password && accepted.is_user_verified();
        is_first.then(|| FirstFactorPassed::now(FirstFactorMethod::Passkey, now))
    }

    /// Proves the first factor of a token's parent that is still valid. `issued` is when the token
    /// was issued. A token of a prompt or a local socket proves none.
    pub(in crate::engine) fn by_token_parent(
        parent: &TokenParent,
        validity: &TokenValidity,
        issued: Timestamp,
        now: Timestamp,
    ) -> Option<FirstFactorPassed> {
        match *parent {
            TokenParent::Session {
                first,
                first_at,
                issued: began,
                expires,
                ..
            } => {
                let kept = validity.session.as_ref()?;
                let browser = kept.trusted_browser.map(|in_it| in_it.number);
                Some(FirstFactorPassed {
                    first,
                    at: first_at,
                    began,
                    until: Some(expires),
                    browser,
                })
            }
            TokenParent::FirstFactor { first, .. } => Some(FirstFactorPassed {
                at: issued,
                ..FirstFactorPassed::now(first, now)
            }),
            TokenParent::Peer => None,
        }
    }

    pub(in crate::engine) fn first(&self) -> FirstFactorMethod {
        self.first
    }
}

/// Proof of the second factor that has passed, which may be none.
#[derive(Debug)]
pub(in crate::engine) struct SecondFactorPassed {
    second: SecondFactorMethod,
    /// When it passed; `None` is the time of the transaction.
    at: Option<Timestamp>,
}

impl SecondFactorPassed {
    fn now(second: SecondFactorMethod) -> SecondFactorPassed {
        SecondFactorPassed { second, at: None }
    }

    /// Claims no second factor, and records whether the account has one. The policy decides at each
    /// check what such a session may do.
    pub(in crate::engine) fn none(enrolled: Enrolled) -> SecondFactorPassed {
        SecondFactorPassed::now(SecondFactorMethod::None(enrolled))
    }

    /// Proves an accepted input.
    pub(in crate::engine) fn by_input(accepted: &Accepted) -> SecondFactorPassed {
        SecondFactorPassed::now(match accepted.consumed() {
            Consumed::Step(..) => SecondFactorMethod::Code,
            Consumed::MailedCode => SecondFactorMethod::MailedCode,
            Consumed::RecoveryCode(_) => SecondFactorMethod::RecoveryCode,
            Consumed::OneTimeCode => SecondFactorMethod::OneTimeCode,
            // Only a PAM conversation loads such a code; a session gets nothing by it.
            Consumed::PasskeyCode => SecondFactorMethod::None(Enrolled::Yes),
        })
    }

    /// Proves an accepted passkey.
    pub(in crate::engine) fn by_passkey(_: &AcceptedPasskey) -> SecondFactorPassed {
        SecondFactorPassed::now(SecondFactorMethod::Passkey)
    }

    /// Proves a trusted browser.
    pub(in crate::engine) fn by_trusted_browser(_: &TrustedBrowserProof) -> SecondFactorPassed {
        SecondFactorPassed::now(SecondFactorMethod::TrustedBrowser)
    }

    /// Proves the code that activated a new authenticator, and was entered after the enrollment
    /// began at `began`. `None` where an administrator activated it.
    pub(in crate::engine) fn by_enrollment(
        confirmation: &EnrollmentConfirmation,
        began: Timestamp,
    ) -> Option<SecondFactorPassed> {
        confirmation.step().map(|_| SecondFactorPassed {
            second: SecondFactorMethod::Code,
            at: Some(began),
        })
    }
}

/// The permission to open one session.
#[derive(Debug)]
pub(in crate::engine) struct SessionGrant {
    pub(in crate::engine) passed: CompletedFactors,
    first_at: Timestamp,
    /// When the second factor passed; `None` is the time of the transaction.
    second_at: Option<Timestamp>,
    /// When the session begins, and the latest time at which it ends.
    pub(in crate::engine) began: Timestamp,
    pub(in crate::engine) until: Option<Timestamp>,
    /// Number of the trusted browser in which the session began.
    pub(in crate::engine) browser: Option<i64>,
    /// Only this file constructs a grant.
    _made_here: (),
}

impl SessionGrant {
    /// Grants a session for both factors of a login.
    pub(in crate::engine) fn by_factors(
        first: &FirstFactorPassed,
        second: &SecondFactorPassed,
    ) -> SessionGrant {
        let SecondFactorPassed {
            second,
            at: second_at,
        } = *second;
        let FirstFactorPassed {
            first,
            at: first_at,
            began,
            until,
            browser,
        } = *first;
        SessionGrant {
            passed: CompletedFactors { first, second },
            first_at,
            second_at,
            began,
            until,
            browser,
            _made_here: (),
        }
    }

    /// Grants the completed factors of a session that is replaced, and no more. MUST be called only
    /// after the transaction has shown that nothing but the person's own act ended that session.
    pub(in crate::engine) fn like_session(before: &Session) -> SessionGrant {
        let Session {
            passed,
            passed_at,
            issued,
            expires,
            ..
        } = *before;
        SessionGrant {
            passed,
            first_at: passed_at.first,
            second_at: Some(passed_at.second),
            began: issued,
            until: Some(expires),
            browser: None,
            _made_here: (),
        }
    }

    /// Keeps the code that a session has asked for, after its first factor passed again; the session
    /// that replaces it lasts no longer. MUST be called only if the transaction has shown that the
    /// session is valid, and that it is of the same account.
    #[must_use]
    pub(in crate::engine) fn keeping_code_of(self, before: &Session) -> SessionGrant {
        if !before.passed.second.is_typed() {
            return self;
        }
        SessionGrant {
            passed: CompletedFactors {
                second: before.passed.second,
                ..self.passed
            },
            second_at: Some(before.passed_at.second),
            began: before.issued,
            until: Some(before.expires),
            ..self
        }
    }

    /// Takes away the proof of a passkey, and leaves that of the first factor. `None` where a passkey
    /// was the first factor too.
    pub(in crate::engine) fn without_passkey(self) -> Option<SessionGrant> {
        if self.passed.first == FirstFactorMethod::Passkey {
            return None;
        }
        Some(match self.passed.second {
            SecondFactorMethod::Passkey => SessionGrant {
                passed: CompletedFactors {
                    second: SecondFactorMethod::None(Enrolled::Yes),
                    ..self.passed
                },
                ..self
            },
            _ => self,
        })
    }

    /// Returns when the factors passed, for a session that is opened at `now`.
    pub(in crate::engine) fn passed_at(&self, now: Timestamp) -> FactorTimes {
        FactorTimes {
            first: self.first_at,
            second: self.second_at.unwrap_or(now),
        }
    }

    /// Sets the trusted browser in which the session begins.
    #[must_use]
    pub(in crate::engine) fn in_browser(self, number: Option<i64>) -> SessionGrant {
        SessionGrant {
            browser: number.or(self.browser),
            ..self
        }
    }

    /// Returns the authentication method that the log names.
    pub(in crate::engine) fn method(&self) -> AuthenticationMethod {
        match (self.passed.second, self.passed.first) {
            (SecondFactorMethod::None(_), FirstFactorMethod::Identity) => {
                AuthenticationMethod::Identity
            }
            (SecondFactorMethod::None(_), _) => AuthenticationMethod::Password,
            (SecondFactorMethod::Code, _) => AuthenticationMethod::Code,
            (SecondFactorMethod::MailedCode, _) => AuthenticationMethod::MailedCode,
            (SecondFactorMethod::RecoveryCode, _) => AuthenticationMethod::RecoveryCode,
            (SecondFactorMethod::OneTimeCode, _) => AuthenticationMethod::OneTimeCode,
            (SecondFactorMethod::TrustedBrowser, _) => AuthenticationMethod::TrustedBrowser,
            (SecondFactorMethod::Passkey, _) => AuthenticationMethod::Passkey,
        }
    }
}

/// Proof of a step-up in a session.
#[derive(Debug)]
pub(crate) struct SteppedUp(());

impl SteppedUp {
    /// Proves an input that was accepted in the session.
    pub(in crate::engine) fn by_input(_: &Accepted) -> SteppedUp {
        SteppedUp(())
    }

    /// Proves a passkey that was accepted in the session.
    pub(in crate::engine) fn by_passkey(_: &AcceptedPasskey) -> SteppedUp {
        SteppedUp(())
    }

    /// Proves a repeated first factor, of an account without a second one.
    pub(in crate::engine) fn by_first_factor(_: &FirstFactorPassed) -> SteppedUp {
        SteppedUp(())
    }

    /// Proves a login by recovery or one-time code: such a person has lost the authenticator and
    /// logs in to replace it.
    pub(in crate::engine) fn by_login(accepted: &Accepted) -> Option<SteppedUp> {
        match accepted.consumed() {
            Consumed::RecoveryCode(_) | Consumed::OneTimeCode => Some(SteppedUp(())),
            Consumed::Step(..) | Consumed::PasskeyCode | Consumed::MailedCode => None,
        }
    }
}
