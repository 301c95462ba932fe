//! The mark of a PAM transaction: sealed when `auth` lets someone pass, opened when `account` asks.
//!
//! MUST NOT seal one for an account as it is after what let pass was looked at: a revocation that comes between would be
//! outlived.

use super::auth_token::{AuthMark, EarlyAcceptance};
use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::crypto::vault::VaultError;
use crate::engine::administration::command::Requester;
use crate::engine::login::token_validity::{account_at, check_token};
use crate::engine::{AdministrationError, Engine, EngineError, VerificationRequest, messages};
use crate::protocol::command_request::{
    EngineReply, MarkRefusal, ReplyBody, TypedText, VerifyReply, VerifyRequest,
};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::{AccountVersion, Token, TokenParent, TokenRecipient};
use crate::verify::method::AuthenticationMethod;
use crate::verify::throttle::Phase;

/// What lets someone pass `auth`.
pub(in crate::engine) struct MarkContents<'a> {
    pub(in crate::engine) caller: Requester<'a>,
    /// Whose code it was.
    pub(in crate::engine) account: &'a UserName,
    /// The account as it was then, if there is one.
    pub(in crate::engine) at: Option<AccountVersion>,
    /// What is booked once the first factor has passed too.
    pub(in crate::engine) accepted: Option<EarlyAcceptance>,
    /// What is told then, where that is known already.
    pub(in crate::engine) told: Vec<String>,
}

impl Engine {
    /// An account as it is now.
    pub(in crate::engine) fn account_at(
        &mut self,
        account: &UserName,
    ) -> Result<Option<AccountVersion>, EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        Ok(account_at(tx.as_mut(), account)?)
    }

    /// Seals the mark of who passes; none where nothing tells the host process from others, which it would fit too.
    pub(in crate::engine) fn seal_mark(
        &self,
        judging: &VerifyRequest,
        passed: MarkContents<'_>,
        now: Timestamp,
    ) -> Result<Option<TypedText>, VaultError> {
        let MarkContents {
            caller,
            account,
            at,
            accepted,
            told,
        } = passed;
        let Ok(binding) = judging.process.binding() else {
            return Ok(None);
        };
        let mark = AuthMark {
            user: judging.user.clone(),
            service: judging.service.clone(),
            binding,
            accepted,
            told,
        };
        let keys = self.token_keys();
        let to = TokenRecipient {
            account,
            at,
            holder: caller.holder(),
            parent: TokenParent::Peer,
        };
        Ok(Some(
            Token::issue(&keys, to, mark, now)?.seal(&keys)?.into(),
        ))
    }

    /// Whether a mark is of the transaction that a host asks about, and nothing has ended since what it stands for. A code
    /// that was accepted before the first factor is booked, once, however often the mark comes.
    pub(in crate::engine) fn account_hook(
        &mut self,
        caller: Requester<'_>,
        judging: &VerifyRequest,
        mark: &TypedText,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        if let Err(why) = judging.process.binding() {
            return Ok(not_marked(MarkRefusal::Unseen(why)));
        }
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        // the keys of this transaction
        let keys = self.vault.token_keys();
        let Some(token) = Token::<AuthMark>::open(mark, &keys, caller.holder(), now) else {
            return Ok(not_marked(MarkRefusal::Invalid));
        };
        let AuthMark {
            user,
            service,
            binding,
            accepted,
            told,
        } = token.payload();
        let refusal = match check_token(&token, tx.as_mut(), &keys, now)? {
            _ if *user != judging.user => Some(MarkRefusal::User),
            _ if *service != judging.service => Some(MarkRefusal::Service),
            _ if !judging.process.continues(binding) => Some(MarkRefusal::Process),
            None => Some(MarkRefusal::Revoked),
            Some(_) => None,
        };
        drop(tx);
        match (refusal, accepted) {
            (Some(refusal), _) => Ok(not_marked(refusal)),
            (None, None) => Ok(EngineReply {
                messages: told.clone(),
                ..ReplyBody::Judged(VerifyReply::Marked).into()
            }),
            (None, Some(accepted)) => self.book(&token, accepted, now),
        }
    }

    /// What an answer brings that opened before the first factor.
    fn book(
        &mut self,
        token: &Token<AuthMark>,
        accepted: &EarlyAcceptance,
        now: Timestamp,
    ) -> Result<EngineReply, AdministrationError> {
        let visitor = VerificationRequest {
            name: token.account(),
            phase: Phase::Before,
            origin: &accepted.from,
            browser: None,
            service: token.payload().service.as_str(),
        };
        // so it stays where there is no account any more
        let mut is_over = true;
        let is_settled = |record: &AccountRecord| {
            // the use of a recovery code is a revocation itself, so that such a mark is good for once
            is_over = token.at() != Some(AccountVersion::from_record(record));
            is_over || is_booked(record, accepted)
        };
        let entered = self.complete_login_unless(&visitor, accepted.means, now, is_settled)?;
        if is_over {
            return Ok(not_marked(MarkRefusal::Revoked));
        }
        let told = entered.map_or([None, None], |entered| {
            [
                entered.missed.as_ref().map(messages::missed_inputs),
                entered.recovery.map(messages::recovery_text),
            ]
        });
        let told = told.into_iter().flatten().collect();
        Ok(EngineReply {
            messages: told,
            ..ReplyBody::Judged(VerifyReply::Marked).into()
        })
    }
}

fn not_marked(refusal: MarkRefusal) -> EngineReply {
    ReplyBody::Judged(VerifyReply::NotMarked(refusal)).into()
}

/// Otherwise a mark could forgive wrong codes over and over. A recovery code ends what the account had open, whatever
/// sign-ins there were meanwhile.
fn is_booked(record: &AccountRecord, accepted: &EarlyAcceptance) -> bool {
    accepted.means != AuthenticationMethod::RecoveryCode
        && record.last_sign_in.is_some_and(|last| last >= accepted.at)
}
