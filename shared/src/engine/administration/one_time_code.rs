//! An administrator's one-time code for someone who has lost the way in: it opens once within its life, and the second
//! factor stays on.

use super::acting::{AdministrationError, AdministrationResult, known, known_or_new, log};
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::credential::input::Input;
use crate::credential::recovery_code::OneTimeCode;
use crate::credential::secret::RandomError;
use crate::crypto::vault::VaultError;
use crate::engine::login::token_validity::check_token;
use crate::engine::principal::Principal;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{Engine, EngineError, EnrollmentToken, VerificationRequest};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::account::StoredOneTimeCode;
use crate::verify::decision::{Invitation, Refusal};

/// How long it lives, in seconds.
const LIFE: u64 = 48 * 3600;

impl Engine {
    /// A new one, in place of an older one; until when it is good.
    pub fn issue_one_time_code<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<(OneTimeCode, Timestamp), AdministrationError> {
        let actor = actor.into();
        let code = OneTimeCode::random().map_err(|RandomError| VaultError::Random(RandomError))?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = match self.config.find_declared_account(name) {
            Some(_) => known_or_new(&self.config, tx.as_mut(), name, actor, now)?,
            None => known(tx.as_mut(), name)?,
        };
        actor.refuse_ended_session(tx.as_mut(), now)?;
        let hash = self.vault.one_time_hash(record.id.0, code.plain());
        let expires = now.plus(LIFE);
        tx.set_one_time_code(
            record.id,
            Some(&StoredOneTimeCode {
                hash,
                issued: now,
                expires,
                used: false,
            }),
        )?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::OneTimeCodeIssued,
            actor,
            now,
        )?;
        tx.commit()?;
        Ok((code, expires))
    }

    /// Judges a one-time code that is to allow the first setup of someone away from root. It is spent when that
    /// becomes active.
    pub(in crate::engine) fn invite(
        &mut self,
        visitor: &VerificationRequest<'_>,
        answer: &Input,
        now: Timestamp,
    ) -> Result<Invitation, AdministrationError> {
        if !matches!(answer, Input::OneTimeCode(_)) {
            return Err(AdministrationError::Uninvited(visitor.name.clone()));
        }
        self.judge_invitation(visitor, answer, None, now)?
            .map_err(AdministrationError::Code)
    }

    /// The same, of any answer; at the web, of a token that is alive.
    pub(in crate::engine) fn judge_invitation(
        &mut self,
        visitor: &VerificationRequest<'_>,
        answer: &Input,
        token: Option<&EnrollmentToken>,
        now: Timestamp,
    ) -> Result<Result<Invitation, Refusal>, EngineError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let mut transaction = store.begin(vault, Intent::Write)?;
        let tx = transaction.as_mut();
        if let Some(token) = token {
            if check_token(token, tx, &vault.token_keys(), now)?.is_none() {
                return Ok(Err(Refusal::Expired));
            }
        }
        let visit = Evaluation::load(config, vault, tx, visitor, None, now)?;
        let decided = visit.check_invitation(tx, answer)?;
        drop(visit);
        transaction.commit()?;
        Ok(decided)
    }

    /// Until when one that was issued is good, if it is.
    pub fn one_time_code_until(
        &mut self,
        name: &UserName,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let Some(record) = tx.find_account(name)? else {
            return Ok(None);
        };
        let kept = tx
            .one_time_code(record.id)?
            .filter(|kept| !kept.used && !kept.is_expired(now));
        Ok(kept.map(|kept| kept.expires))
    }

    /// Takes it back.
    pub fn cancel_one_time_code<'a>(
        &mut self,
        name: &UserName,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> AdministrationResult {
        let actor = actor.into();
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        actor.refuse_ended_session(tx.as_mut(), now)?;
        match tx.one_time_code(record.id)? {
            Some(kept) if !kept.used && !kept.is_expired(now) => {}
            _ => {
                return Err(AdministrationError::NothingToRevoke(
                    "one-time code",
                    name.clone(),
                ));
            }
        }
        tx.set_one_time_code(record.id, None)?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::OneTimeCodeCancelled,
            actor,
            now,
        )?;
        Ok(tx.commit()?)
    }
}
