//! The side of the account's owner: a request is shown in a session of the account, and approved with a
//! passkey, or refused.
//!
//! A request of another account is not found, as one that never was: its hash has the account in it.

use super::{ApprovalRecord, has_approving_passkey};
use crate::account::event::EventKind;
use crate::account::record::AccountRecord;
use crate::config::gate::UserVerification;
use crate::credential::approval_code::{ApprovalCode, ApprovalNumber};
use crate::credential::passkey::response::AssertionResponse;
use crate::crypto::vault::ApprovalHash;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::login::token_validity::{check_session, check_token};
use crate::engine::passkeys::assertion::use_passkey;
use crate::engine::transaction::EngineTransaction;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{
    AdministrationError, Approvals, BrowserContext, EngineError, LoginError, PasskeyOptions,
    SERVICE, VerificationRequest,
};
use crate::store::{ApprovalState, Intent, LoginTokenState, StoreError};
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{PasskeyPurpose, PasskeyToken};
use crate::verify::throttle::Phase;

/// What a page shows of a request.
#[derive(Clone, Debug)]
pub struct ShownApproval {
    pub service: String,
    /// The user who signs in.
    pub user: String,
    /// Name of the host whose prompt it is.
    pub host: String,
    /// Address or local user, as the host states; `-` if it is unknown.
    pub origin: String,
    pub created: Timestamp,
}

/// Result of an answer to a request.
#[derive(Debug)]
pub enum ApprovalAnswer {
    Approved(ShownApproval),
    /// The passkey is refused. The request stays open.
    PasskeyRefused,
    /// The request is ended.
    WrongNumber,
    /// There is no such request of this account, or it has ended.
    Unknown,
}

impl From<&ApprovalRecord> for ShownApproval {
    fn from(record: &ApprovalRecord) -> ShownApproval {
        ShownApproval {
            service: record.service.clone(),
            user: record.user.clone(),
            host: record.host.clone(),
            origin: record.origin.clone(),
            created: record.created,
        }
    }
}

impl Approvals<'_> {
    /// Returns an open request of the session's account, with the request to its passkeys. Changes
    /// nothing.
    pub fn show_request(
        &mut self,
        session: &Session,
        code: &ApprovalCode,
        now: Timestamp,
    ) -> Result<Option<(ShownApproval, PasskeyToken, PasskeyOptions)>, AdministrationError> {
        let mut tx = self.engine.begin_act(Intent::Read, now)?;
        let Some((_, found)) = find_open(&mut tx, session, code)? else {
            return Ok(None);
        };
        drop(tx);
        let purpose = PasskeyPurpose::Approval(found.hash);
        let asked = self
            .engine
            .passkeys()
            .request_in_session(session, purpose, now)?;
        Ok(asked.map(|(token, options)| (ShownApproval::from(&found), token, options)))
    }

    /// Returns the purpose of the passkey that approves a request of the session's account.
    pub fn approval_purpose(
        &mut self,
        session: &Session,
        code: &ApprovalCode,
    ) -> Result<PasskeyPurpose, EngineError> {
        let (_, _, vault) = self.engine.begin_with_keys(Intent::Read)?;
        let hash: ApprovalHash = vault.approval_hash(session.account, code);
        Ok(PasskeyPurpose::Approval(hash))
    }

    /// Approves a request by a passkey whose authenticator has verified its user, and by the number
    /// that the prompt shows. The token is used up. A wrong number ends the request.
    pub fn approve_request(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        code: &ApprovalCode,
        number: Option<ApprovalNumber>,
        (token, response): (&PasskeyToken, &AssertionResponse),
        now: Timestamp,
    ) -> Result<ApprovalAnswer, LoginError> {
        repeat_after_conflict(|| {
            let mut evaluation = self.evaluate(browser, session, now)?;
            let Some((record, found)) = find_open(&mut evaluation.tx, session, code)? else {
                return Ok(ApprovalAnswer::Unknown);
            };
            if !use_token_up(&mut evaluation.tx, session, &record, &found, token)? {
                return Ok(ApprovalAnswer::PasskeyRefused);
            }
            let answer = decide(
                &mut evaluation,
                session,
                &record,
                &found,
                code,
                number,
                (token, response),
            )?;
            evaluation.commit()?;
            Ok::<_, LoginError>(answer)
        })
    }

    /// Refuses a request: "This was not me". It needs no passkey, since it grants nothing.
    pub fn refuse_request(
        &mut self,
        browser: &BrowserContext<'_>,
        session: &Session,
        code: &ApprovalCode,
        now: Timestamp,
    ) -> Result<Option<ShownApproval>, LoginError> {
        repeat_after_conflict(|| {
            let mut evaluation = self.evaluate(browser, session, now)?;
            let tx = &mut evaluation.tx;
            let Some((record, found)) = find_with(tx, session, code, is_unanswered)? else {
                return Ok(None);
            };
            drop(record);
            let refused = ApprovalState::Refused;
            tx.set_approval_state(&found.hash, found.state, refused, None)?;
            let shown = ShownApproval::from(&found);
            let cause = format!("{} at {}", shown.service, shown.host);
            evaluation.log_event(EventKind::ApprovalRefused, &cause)?;
            evaluation.commit()?;
            Ok::<_, LoginError>(Some(shown))
        })
    }

    fn evaluate<'b>(
        &'b mut self,
        browser: &BrowserContext<'b>,
        session: &'b Session,
        now: Timestamp,
    ) -> Result<Evaluation<'b>, EngineError> {
        let request =
            VerificationRequest::new(&session.name, Phase::After, browser.origin, SERVICE);
        self.engine.evaluate(&request, Intent::Attempt, now)
    }
}

/// Whether a request may still be refused: also one that was approved a moment ago, in error.
fn is_unanswered(state: ApprovalState) -> bool {
    matches!(state, ApprovalState::Open | ApprovalState::Approved)
}

fn find_open(
    tx: &mut EngineTransaction<'_>,
    session: &Session,
    code: &ApprovalCode,
) -> Result<Option<(AccountRecord, ApprovalRecord)>, StoreError> {
    let is_open = |state| state == ApprovalState::Open;
    let found = find_with(tx, session, code, is_open)?;
    match found {
        Some((record, found)) if has_approving_passkey(tx, &record)? => Ok(Some((record, found))),
        Some(_) | None => Ok(None),
    }
}

/// Returns a request of the session's account that nothing has ended.
fn find_with(
    tx: &mut EngineTransaction<'_>,
    session: &Session,
    code: &ApprovalCode,
    is_wanted: fn(ApprovalState) -> bool,
) -> Result<Option<(AccountRecord, ApprovalRecord)>, StoreError> {
    let now = tx.now;
    let Some(record) = check_session(session, tx)?.and_then(|validity| validity.record) else {
        return Ok(None);
    };
    let hash = tx.vault.approval_hash(record.id.0, code);
    let found = tx.find_approval(record.id, &hash)?;
    let found = found.filter(|found| is_wanted(found.state) && found.is_in_force(&record, now));
    Ok(found.map(|found| (record, found)))
}

/// Uses the token of a challenge up, if it is valid for this request in this session.
fn use_token_up(
    tx: &mut EngineTransaction<'_>,
    session: &Session,
    record: &AccountRecord,
    found: &ApprovalRecord,
    token: &PasskeyToken,
) -> Result<bool, StoreError> {
    let now = tx.now;
    let state = tx.login_token_state(token.id())?;
    let is_for_this = token.payload().purpose == PasskeyPurpose::Approval(found.hash)
        && *token.account() == session.name;
    if state.used || !is_for_this || check_token(token, tx)?.is_none() {
        return Ok(false);
    }
    let used = LoginTokenState {
        used: true,
        ..state
    };
    tx.set_login_token_state(record.id, token, used, now)?;
    Ok(true)
}

/// Decides about a passkey and a number. The number is compared only once the passkey is accepted: a
/// stolen session alone cannot try one.
fn decide(
    evaluation: &mut Evaluation<'_>,
    session: &Session,
    record: &AccountRecord,
    found: &ApprovalRecord,
    code: &ApprovalCode,
    number: Option<ApprovalNumber>,
    (token, response): (&PasskeyToken, &AssertionResponse),
) -> Result<ApprovalAnswer, StoreError> {
    let tx = &mut evaluation.tx;
    let challenge = token.passkey_challenge();
    let verification = UserVerification::Required;
    let verified = use_passkey(tx, record.id, &challenge, verification, response)?;
    if let Err(refusal) = verified {
        evaluation.charge_address()?;
        evaluation.log_event(EventKind::Refused, &format!("passkey: {refusal}"))?;
        return Ok(ApprovalAnswer::PasskeyRefused);
    }
    let vault = tx.vault;
    let typed = number.map(|number| vault.approval_number_hash(record.id.0, code, number));
    let shown = ShownApproval::from(found);
    if typed == Some(found.number) {
        let approved = ApprovalState::Approved;
        tx.set_approval_state(&found.hash, found.state, approved, Some(session.id))?;
        evaluation.log_event(EventKind::Accepted, "passkey-approval")?;
        return Ok(ApprovalAnswer::Approved(shown));
    }
    tx.set_approval_state(&found.hash, found.state, ApprovalState::WrongNumber, None)?;
    let cause = format!("approval-wrong-number: {} at {}", shown.service, shown.host);
    evaluation.log_event(EventKind::Refused, &cause)?;
    Ok(ApprovalAnswer::WrongNumber)
}
