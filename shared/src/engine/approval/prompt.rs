//! The conversation's side of an approval.
//!
//! MUST NOT write anything before the user asks for an approval, and MUST check the account again in
//! the transaction that grants access.

use super::{
    LIFETIME, MOST_IN_SCOPE, MOST_ON_HOST, PendingApproval, WINDOW, has_approving_passkey,
};
use crate::account::event::EventKind;
use crate::account::record::AccountRecord;
use crate::credential::approval_code::{ApprovalCode, ApprovalNumber};
use crate::crypto::vault::{ApprovalHash, Vault};
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::login::token_validity::account_at;
use crate::engine::mail::sign_in::report_login;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{
    AdministrationError, Approvals, EngineError, PamContext, PamGrant, PamRefusal, messages,
};
use crate::store::{ApprovalRecord, ApprovalState, Intent, StoreError};
use crate::system::clock::Timestamp;
use crate::system::random::random_bytes;
use crate::token::AccountVersion;
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::throttle::{Phase, WrongFactor};
use zeroize::Zeroizing;

/// Why a request is not made, or grants nothing.
enum ApprovalRefusal {
    Throttled(Refusal),
    TooMany,
    NotAvailable,
    Expired,
    Refused,
    WrongNumber,
}

impl From<ApprovalRefusal> for PamRefusal {
    fn from(refusal: ApprovalRefusal) -> PamRefusal {
        let (cause, message) = match refusal {
            ApprovalRefusal::Throttled(refusal) => return refusal.into(),
            ApprovalRefusal::TooMany => ("approval-too-many", messages::APPROVAL_TOO_MANY),
            ApprovalRefusal::NotAvailable => {
                ("approval-not-available", messages::APPROVAL_NOT_AVAILABLE)
            }
            ApprovalRefusal::Expired => ("approval-expired", messages::APPROVAL_EXPIRED),
            ApprovalRefusal::Refused => ("approval-refused", messages::APPROVAL_REFUSED),
            ApprovalRefusal::WrongNumber => ("approval-wrong-number", messages::APPROVAL_REFUSED),
        };
        PamRefusal {
            cause: cause.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl Approvals<'_> {
    /// Returns whether an account can approve a prompt. Writes nothing.
    pub fn is_available(
        &mut self,
        context: PamContext<'_>,
        now: Timestamp,
    ) -> Result<bool, AdministrationError> {
        let (_, phase) = self.engine.verification().trusted_claims(context)?;
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        match tx.find_account(context.account)? {
            Some(record) if phase == Phase::After => Ok(has_approving_passkey(&mut tx, &record)?),
            Some(_) | None => Ok(false),
        }
    }

    /// Makes a request, which ends an earlier one of the account on this host. It is refused before
    /// the first factor, during delays, and where there were too many.
    pub fn request_approval(
        &mut self,
        context: PamContext<'_>,
        now: Timestamp,
    ) -> Result<Result<PendingApproval, PamRefusal>, AdministrationError> {
        let (origin, phase) = self.engine.verification().trusted_claims(context)?;
        let request = context.verification_request(&origin, phase);
        let base = self.engine.config.gate.url.clone().map(String::from);
        let code = ApprovalCode::random().map_err(EngineError::from)?;
        let url = format!("{}approve/{}", base.unwrap_or_default(), code.plain());
        let mut pending = PendingApproval {
            url,
            code,
            number: ApprovalNumber::random().map_err(EngineError::from)?,
            conversation: Zeroizing::new(random_bytes().map_err(EngineError::from)?),
            expires: now,
        };
        let made = repeat_after_conflict(|| {
            let mut evaluation = self.engine.evaluate(&request, Intent::Attempt, now)?;
            match add_request(&mut evaluation, context, &origin, &pending)? {
                Err(refusal) => Ok(Err(refusal)),
                Ok(expires) => {
                    evaluation.commit()?;
                    Ok::<_, EngineError>(Ok(expires))
                }
            }
        })?;
        Ok(match made {
            Ok(expires) => {
                pending.expires = expires;
                Ok(pending)
            }
            Err(refusal) => Err(refusal.into()),
        })
    }

    /// Returns whether a request waits for its approval. Once it does not, [`Approvals::grant_access`]
    /// says what became of it. Writes nothing.
    pub fn is_open(
        &mut self,
        context: PamContext<'_>,
        pending: &PendingApproval,
        now: Timestamp,
    ) -> Result<bool, AdministrationError> {
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let Some(record) = tx.find_account(context.account)? else {
            return Ok(false);
        };
        let hash = tx.vault.approval_hash(record.id.0, &pending.code);
        let found = tx.find_approval(record.id, &hash)?;
        Ok(found.is_some_and(|found| {
            found.state == ApprovalState::Open && found.is_in_force(&record, now)
        }))
    }

    /// Consumes an approved request, and grants access. Any other is ended; one that was refused, or
    /// ended by a wrong number, counts as a wrong code.
    pub fn grant_access(
        &mut self,
        context: PamContext<'_>,
        pending: &PendingApproval,
        now: Timestamp,
    ) -> Result<Result<PamGrant, PamRefusal>, AdministrationError> {
        let (origin, phase) = self.engine.verification().trusted_claims(context)?;
        let request = context.verification_request(&origin, phase);
        let consumed = repeat_after_conflict(|| {
            let mut evaluation = self.engine.evaluate(&request, Intent::Attempt, now)?;
            let consumed = consume(&mut evaluation, context, &origin, pending)?;
            evaluation.commit()?;
            Ok::<_, EngineError>(consumed)
        })?;
        match consumed {
            Err(refusal) => Ok(Err(refusal.into())),
            Ok((at, told)) => {
                let method = AuthenticationMethod::Approval.name();
                let mark = self.engine.verification().seal_mark(context, at, now)?;
                Ok(Ok(PamGrant::new(method, mark).with_messages(told)))
            }
        }
    }

    /// Ends a request that its conversation gives up. One that was refused, or ended by a wrong number,
    /// counts as a wrong code.
    pub fn end_request(
        &mut self,
        context: PamContext<'_>,
        pending: &PendingApproval,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let (origin, phase) = self.engine.verification().trusted_claims(context)?;
        let request = context.verification_request(&origin, phase);
        repeat_after_conflict(|| {
            let mut evaluation = self.engine.evaluate(&request, Intent::Attempt, now)?;
            let Some(found) = take_request(&mut evaluation, context, &origin, pending)? else {
                return Ok(());
            };
            if found.state.is_refused() {
                charge(&mut evaluation)?;
            }
            Ok::<_, EngineError>(evaluation.commit()?)
        })?;
        Ok(())
    }
}

/// Adds a request. Returns when it expires.
fn add_request(
    evaluation: &mut Evaluation<'_>,
    context: PamContext<'_>,
    origin: &Origin,
    pending: &PendingApproval,
) -> Result<Result<Timestamp, ApprovalRefusal>, StoreError> {
    if let Some(refusal) = evaluation.delay() {
        return Ok(Err(ApprovalRefusal::Throttled(refusal)));
    }
    let (record, phase) = (evaluation.record.clone(), evaluation.request.phase);
    let scope = scope_of(evaluation, context);
    let tx = &mut evaluation.tx;
    let now = tx.now;
    let record = match record {
        Some(record) if phase == Phase::After && has_approving_passkey(tx, &record)? => record,
        _ => return Ok(Err(ApprovalRefusal::NotAvailable)),
    };
    let (host, since) = (host_name(origin), now.minus(WINDOW));
    let made = tx.approvals_since(record.id, &host, (since, now))?;
    let here = made.iter().filter(|made| **made == scope).count();
    if here >= MOST_IN_SCOPE || made.len() >= MOST_ON_HOST {
        return Ok(Err(ApprovalRefusal::TooMany));
    }
    tx.end_approvals(record.id, &host, &scope)?;
    let (vault, account) = (tx.vault, record.id.0);
    let new = ApprovalRecord {
        hash: vault.approval_hash(account, &pending.code),
        generation: record.generation,
        conversation: conversation_hash(vault, &record, context, origin, pending),
        number: vault.approval_number_hash(account, &pending.code, pending.number),
        state: ApprovalState::Open,
        session: None,
        service: context.service.to_string(),
        user: context.user.to_string(),
        scope,
        origin: stated(origin).to_string(),
        host,
        created: now,
        expires: now.plus(LIFETIME),
    };
    tx.add_approval(record.id, &new, since)?;
    Ok(Ok(new.expires))
}

/// The account after the login, and messages for the user.
type Consumed = (Option<AccountVersion>, Vec<String>);

fn consume(
    evaluation: &mut Evaluation<'_>,
    context: PamContext<'_>,
    origin: &Origin,
    pending: &PendingApproval,
) -> Result<Result<Consumed, ApprovalRefusal>, StoreError> {
    let Some(found) = take_request(evaluation, context, origin, pending)? else {
        return Ok(Err(ApprovalRefusal::Expired));
    };
    let Some(record) = evaluation.record.clone() else {
        return Ok(Err(ApprovalRefusal::Expired));
    };
    let now = evaluation.tx.now;
    if let Some(refusal) = refusal_of(evaluation, &record, &found, now)? {
        return Ok(Err(refusal));
    }
    let method = AuthenticationMethod::Approval;
    evaluation.log_event(EventKind::Accepted, method.name())?;
    let after_login = evaluation.record_login(method)?;
    report_login(evaluation, &after_login, method)?;
    let at = account_at(&mut evaluation.tx, context.account)?;
    Ok(Ok((at, after_login.messages())))
}

/// Ends the request of this conversation, and returns it as it was. Another conversation than the one
/// that asked ends nothing.
fn take_request(
    evaluation: &mut Evaluation<'_>,
    context: PamContext<'_>,
    origin: &Origin,
    pending: &PendingApproval,
) -> Result<Option<ApprovalRecord>, StoreError> {
    let Some(record) = evaluation.record.clone() else {
        return Ok(None);
    };
    let tx = &mut evaluation.tx;
    let hash = tx.vault.approval_hash(record.id.0, &pending.code);
    let conversation = conversation_hash(tx.vault, &record, context, origin, pending);
    let found = tx.find_approval(record.id, &hash)?;
    let Some(found) = found.filter(|found| found.conversation == conversation) else {
        return Ok(None);
    };
    if found.state != ApprovalState::Ended {
        tx.set_approval_state(&hash, found.state, ApprovalState::Ended, None)?;
    }
    Ok(Some(found))
}

/// Returns why a request of this conversation grants nothing, as the account is now.
fn refusal_of(
    evaluation: &mut Evaluation<'_>,
    record: &AccountRecord,
    found: &ApprovalRecord,
    now: Timestamp,
) -> Result<Option<ApprovalRefusal>, StoreError> {
    match found.state {
        ApprovalState::Approved => {}
        ApprovalState::Open | ApprovalState::Ended => return Ok(Some(ApprovalRefusal::Expired)),
        ApprovalState::Refused => {
            charge(evaluation)?;
            return Ok(Some(ApprovalRefusal::Refused));
        }
        ApprovalState::WrongNumber => {
            charge(evaluation)?;
            return Ok(Some(ApprovalRefusal::WrongNumber));
        }
    }
    if let Some(Refusal::Locked) = evaluation.bucket_refusal() {
        return Ok(Some(ApprovalRefusal::Throttled(Refusal::Locked)));
    }
    let phase = evaluation.request.phase;
    let tx = &mut evaluation.tx;
    let is_alive = match found.session {
        Some(session) => tx.find_session(record.id, session, now)?.is_some(),
        None => false,
    };
    let is_valid = phase == Phase::After
        && is_alive
        && found.is_in_force(record, now)
        && has_approving_passkey(tx, record)?;
    Ok((!is_valid).then_some(ApprovalRefusal::Expired))
}

/// Returns where a prompt is, as the throttle tells places apart. A process of the user's own, which has
/// proven no first factor, has a place of its own.
fn scope_of(evaluation: &Evaluation<'_>, context: PamContext<'_>) -> String {
    let own = match context.requester.owns(context.account) {
        true => "own ",
        false => "",
    };
    format!("{own}{}", evaluation.scope().store_key())
}

/// Counts a wrong code, as one that was typed at the prompt.
fn charge(evaluation: &mut Evaluation<'_>) -> Result<(), StoreError> {
    evaluation.charge_bucket(1, WrongFactor::Code)?;
    evaluation.charge_host()?;
    evaluation.charge_address().map(drop)
}

/// Returns the hash that binds a request to its conversation: its random bytes, who runs it on which
/// host, the service and the user.
fn conversation_hash(
    vault: &Vault,
    record: &AccountRecord,
    context: PamContext<'_>,
    origin: &Origin,
    pending: &PendingApproval,
) -> ApprovalHash {
    let host = host_name(origin);
    let conversation: [&[u8]; 5] = [
        &*pending.conversation,
        context.requester.name().as_bytes(),
        host.as_bytes(),
        context.service.as_str().as_bytes(),
        context.user.as_str().as_bytes(),
    ];
    vault.approval_conversation_hash(record.id.0, &pending.code, &conversation)
}

/// Returns the name of the host whose prompt it is: that in its certificate, or this one's.
fn host_name(origin: &Origin) -> String {
    match origin.host() {
        Some(host) => host.name.to_string(),
        None => crate::engine::enrollment::pending::host_name(),
    }
}

/// Returns the origin without the host that states it.
fn stated(origin: &Origin) -> &Origin {
    match origin {
        Origin::OnHost(_, stated) => stated,
        origin => origin,
    }
}
