//! The mark of a PAM transaction: sealed when the `auth` hook grants access, opened when the
//! `account` hook asks.
//!
//! MUST NOT seal a mark for the account as it is after the decision: the mark would outlive a
//! revocation between the two.

use super::auth_token::{AuthMark, EarlyAcceptance};
use super::evaluation::refuse_revoked_host;
use super::pam_context::{MarkRefusal, PamContext};
use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::crypto::vault::VaultError;
use crate::engine::Verification;
use crate::engine::login::token_validity::{account_at, check_token};
use crate::engine::{AdministrationError, EngineError, VerificationRequest};
use crate::protocol::command_request::TypedText;
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::{AccountVersion, Token, TokenParent, TokenRecipient};
use crate::verify::method::AuthenticationMethod;
use crate::verify::throttle::Phase;

/// Messages for the user, where the mark is valid.
type MarkResult = Result<Result<Vec<String>, MarkRefusal>, AdministrationError>;

impl Verification<'_> {
    pub(in crate::engine) fn find_account_version(
        &mut self,
        account: &UserName,
    ) -> Result<Option<AccountVersion>, EngineError> {
        Ok(account_at(&mut self.engine.begin(Intent::Read)?, account)?)
    }

    /// Seals the mark of a passed `auth` hook, for the account as it was before the decision.
    /// Returns `None` where the host process cannot be distinguished from others, which could use
    /// the mark too.
    pub(in crate::engine) fn seal_mark(
        &self,
        context: PamContext<'_>,
        at: Option<AccountVersion>,
        now: Timestamp,
    ) -> Result<Option<TypedText>, VaultError> {
        self.seal_early_mark(context, at, None, Vec::new(), now)
    }

    /// Seals a mark that also holds an accepted code, which is recorded in the `account` hook, and
    /// messages, which are shown there.
    pub(in crate::engine) fn seal_early_mark(
        &self,
        context: PamContext<'_>,
        at: Option<AccountVersion>,
        accepted: Option<EarlyAcceptance>,
        told: Vec<String>,
        now: Timestamp,
    ) -> Result<Option<TypedText>, VaultError> {
        let Ok(binding) = context.process.binding() else {
            return Ok(None);
        };
        let mark = AuthMark {
            user: context.user.clone(),
            service: context.service.clone(),
            binding,
            accepted,
            told,
        };
        let keys = self.engine.token_keys();
        let to = TokenRecipient {
            account: context.account,
            at,
            holder: context.requester.holder(),
            parent: TokenParent::Peer,
        };
        Ok(Some(
            Token::issue(&keys, to, mark, now)?.seal(&keys)?.into(),
        ))
    }

    /// Verifies that a mark is of the transaction that the host asks about, and that nothing was
    /// ended since it was sealed. A code that was accepted before the first factor is recorded,
    /// once, however often the mark comes.
    pub fn verify_auth_mark(
        &mut self,
        context: PamContext<'_>,
        mark: &str,
        now: Timestamp,
    ) -> MarkResult {
        let (origin, _) = self.trusted_claims(context)?;
        if let Err(why) = context.process.binding() {
            return Ok(Err(MarkRefusal::Unseen(why)));
        }
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        refuse_revoked_host(&mut tx, &origin)?;
        // the keys as of this store transaction
        let keys = tx.vault.token_keys();
        let Some(token) = Token::<AuthMark>::open(mark, &keys, context.requester.holder(), now)
        else {
            return Ok(Err(MarkRefusal::Invalid));
        };
        let AuthMark {
            user,
            service,
            binding,
            accepted,
            told,
        } = token.payload();
        let refusal = match check_token(&token, &mut tx)? {
            _ if user != context.user => Some(MarkRefusal::User),
            _ if service != context.service => Some(MarkRefusal::Service),
            _ if !context.process.continues(binding) => Some(MarkRefusal::Process),
            None => Some(MarkRefusal::Revoked),
            Some(_) => None,
        };
        drop(tx);
        match (refusal, accepted) {
            (Some(refusal), _) => Ok(Err(refusal)),
            (None, None) => {
                self.engine.confirm_read()?;
                Ok(Ok(told.clone()))
            }
            (None, Some(accepted)) => self.record_early_acceptance(&token, accepted, now),
        }
    }

    /// Records an input that was accepted before the first factor.
    fn record_early_acceptance(
        &mut self,
        token: &Token<AuthMark>,
        accepted: &EarlyAcceptance,
        now: Timestamp,
    ) -> MarkResult {
        let request = VerificationRequest::new(
            token.account(),
            Phase::Before,
            &accepted.from,
            token.payload().service.as_str(),
        );
        // stays true where there is no account any more
        let mut is_over = true;
        let is_settled = |record: &AccountRecord| {
            // a recovery code is a revocation itself, so that its mark is valid once
            is_over = token.at() != Some(AccountVersion::from_record(record));
            is_over || is_booked(record, accepted)
        };
        let entered = self.complete_login_unless(&request, accepted.means, now, is_settled)?;
        if is_over {
            return Ok(Err(MarkRefusal::Revoked));
        }
        Ok(Ok(entered.unwrap_or_default().messages()))
    }
}

/// Returns whether the acceptance is recorded. Without this check a mark could reset wrong codes
/// again and again. A recovery code ends what the account had open, whatever logins came between.
fn is_booked(record: &AccountRecord, accepted: &EarlyAcceptance) -> bool {
    accepted.means != AuthenticationMethod::RecoveryCode
        && record.last_sign_in.is_some_and(|last| last >= accepted.at)
}
