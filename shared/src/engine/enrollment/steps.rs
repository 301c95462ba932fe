//! The steps of an enrollment, the same at the web, at a PAM prompt and by a command. Between two
//! steps the caller holds a sealed token, and the store keeps nothing before activation.
//!
//! | step | result | what it checks |
//! |---|---|---|
//! | permission, by the caller | | who asks, policy, one-time code, password or step-up; `check_enrollment` |
//! | `issue_draft` | [`EnrollmentDraft`] | nothing: MUST follow the permission and a snapshot taken before it |
//! | `confirm_draft` | [`ConfirmedEnrollment`] | the token, with its account and holder; a code of the authenticator |
//! | `activate_confirmed` | active | the token, with its account and holder; the transaction below |
//! | `activate_unconfirmed` | active | that root asks; the token of a draft; the transaction below |
//!
//! The transaction of an activation checks that the account is not declared and is as in the
//! snapshot, that the token's parent and the principal's session have not ended, that the account
//! may have the authenticator, that the one-time code is unused, and that the confirming code was
//! not accepted before. It consumes both codes.

use super::pending::{
    AccountSnapshot, EnrollmentConfirmation, EnrollmentDraft, EnrollmentKind, PendingEnrollment,
    issuer,
};
use super::token::ConfirmedEnrollment;
use crate::account::event::EventKind;
use crate::account::name::{Distinct, UserName};
use crate::config::Config;
use crate::credential::input::Input;
use crate::crypto::vault::{SecretBinding, Vault};
use crate::engine::accounts::account_data;
use crate::engine::accounts::change::check_new_name;
use crate::engine::login::token_validity::check_token_parent;
use crate::engine::{
    AdministrationError, AppPasswordsAfter, EngineError, Enrollment, Principal, Requester,
};
use crate::protocol::command_request::{ShownAuthenticator, TypedText};
use crate::store::{AuthenticatorRecord, Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::token::{AccountVersion, Token, TokenHolder, TokenParent, TokenPayload, TokenRecipient};
use crate::verify::account::StoredRecoveryCode;
use crate::verify::decision::Refusal;
use crate::verify::one_time_code::AcceptedEnrollmentCode;

pub(in crate::engine) const MAX_AUTHENTICATORS: usize = 16;

/// A new authenticator as the page shows it, without the recovery codes.
pub struct ShownEnrollment {
    /// The secret in Base32.
    pub secret: TypedText,
    /// Otpauth URI, the text of the QR code.
    pub url: TypedText,
    /// Sealed token with the [`EnrollmentDraft`].
    pub draft: TypedText,
    /// Length of its codes.
    pub digits: u32,
}

/// Result of a code of the new authenticator.
pub enum AfterEnrollmentCode {
    Confirmed {
        /// Recovery codes, grouped for reading.
        codes: Vec<TypedText>,
        /// Sealed token with the [`ConfirmedEnrollment`].
        confirmed: TypedText,
    },
    /// The code is refused, and the authenticator is shown again.
    Refused(Refusal, ShownEnrollment),
    /// The enrollment has ended, or another client began it.
    Over,
}

pub(in crate::engine) struct ActivatedEnrollment {
    pub(in crate::engine) confirmation: EnrollmentConfirmation,
    /// The account when the draft was issued; `None` if there was none.
    pub(in crate::engine) before: Option<AccountVersion>,
    pub(in crate::engine) app_passwords: AppPasswordsAfter,
}

impl Enrollment<'_> {
    /// Returns the error with which [`Engine::activate`] would fail, before a secret is shown.
    pub fn check_enrollment(
        &mut self,
        pending: &PendingEnrollment,
    ) -> Result<(), AdministrationError> {
        let (name, draft) = (&pending.name, &pending.draft);
        self.engine.check_not_declared(name)?;
        let (mut tx, config, _) = self.engine.begin_with_keys(Intent::Read)?;
        match tx.find_account(name)? {
            None if draft.kind == EnrollmentKind::First => {
                match check_new_name(config, &mut tx, name, Distinct::No)? {
                    Ok(_) => Ok(()),
                    Err(other) => Err(AdministrationError::OtherSpelling(other)),
                }
            }
            None => Err(AdministrationError::UnknownAccount(name.clone())),
            Some(record) => check_enrollment_kind(&tx.authenticators(record.id)?, name, draft),
        }
    }

    /// Returns the account's current snapshot, made with the current data keys.
    pub(in crate::engine) fn snapshot_account(
        &mut self,
        name: &UserName,
    ) -> Result<AccountSnapshot, EngineError> {
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Read)?;
        Ok(read_account_snapshot(&mut tx, vault, name)?)
    }

    /// Issues the draft of a permitted enrollment to its recipient. Returns it sealed too.
    pub(in crate::engine) fn issue_draft(
        &mut self,
        pending: PendingEnrollment,
        snapshot: AccountSnapshot,
        accepted_code: Option<AcceptedEnrollmentCode>,
        to: TokenRecipient<'_>,
        now: Timestamp,
    ) -> Result<(Token<EnrollmentDraft>, TypedText), EngineError> {
        let mut draft = pending.draft;
        (draft.snapshot, draft.accepted_code) = (Some(snapshot), accepted_code);
        let keys = self.engine.token_keys();
        let token = Token::issue(&keys, to, draft, now)?;
        let sealed = token.seal(&keys)?.into();
        Ok((token, sealed))
    }

    /// Opens the token of the previous step. Returns `None` if it has expired, or was issued for
    /// another account or holder.
    pub(in crate::engine) fn open_step<T: TokenPayload>(
        &mut self,
        token: &str,
        account: &UserName,
        holder: TokenHolder,
        now: Timestamp,
    ) -> Result<Option<Token<T>>, EngineError> {
        // loads the current data keys, with which tokens are opened
        drop(self.engine.begin(Intent::Read)?);
        let opened = Token::open(token, &self.engine.token_keys(), holder, now);
        Ok(opened.filter(|opened| opened.account() == account))
    }

    /// Returns a draft as the page shows it. Returns `None` as [`Enrollment::open_step`] does.
    pub(in crate::engine) fn reopen_draft(
        &mut self,
        sealed: TypedText,
        account: &UserName,
        holder: TokenHolder,
        now: Timestamp,
    ) -> Result<Option<ShownEnrollment>, EngineError> {
        let token = self.open_step::<EnrollmentDraft>(&sealed, account, holder, now)?;
        let config = self.engine.config();
        Ok(token.map(|token| show_enrollment(config, &token, sealed)))
    }

    /// Verifies a code of the new authenticator, which the store does not keep yet.
    pub(in crate::engine) fn confirm_draft(
        &mut self,
        sealed: TypedText,
        account: &UserName,
        holder: TokenHolder,
        input: &Input,
        now: Timestamp,
    ) -> Result<AfterEnrollmentCode, EngineError> {
        let Some(token) = self.open_step::<EnrollmentDraft>(&sealed, account, holder, now)? else {
            return Ok(AfterEnrollmentCode::Over);
        };
        let config = self.engine.config();
        let step = match token.payload().verify_code(input, config, now) {
            Ok(step) => step,
            Err(refusal) => {
                let shown = show_enrollment(config, &token, sealed);
                return Ok(AfterEnrollmentCode::Refused(refusal, shown));
            }
        };
        let codes = token.payload().grouped_recovery_codes();
        let confirmed = token.into_next(|draft| ConfirmedEnrollment { draft, step });
        Ok(AfterEnrollmentCode::Confirmed {
            codes,
            confirmed: confirmed.seal(&self.engine.token_keys())?.into(),
        })
    }

    /// Activates an enrollment that a code has confirmed.
    pub(in crate::engine) fn activate_confirmed(
        &mut self,
        sealed: &str,
        account: &UserName,
        holder: TokenHolder,
        actor: Principal<'_>,
        now: Timestamp,
    ) -> Result<ActivatedEnrollment, AdministrationError> {
        let token = self
            .open_step::<ConfirmedEnrollment>(sealed, account, holder, now)?
            .ok_or(AdministrationError::Stale)?;
        let ConfirmedEnrollment { draft, step } = token.payload();
        let confirmation = EnrollmentConfirmation::by_code(*step);
        let parent = Some(token.parent());
        let app_passwords =
            self.activate_draft(account, draft, parent, &confirmation, actor, now)?;
        Ok(ActivatedEnrollment {
            confirmation,
            before: token.at(),
            app_passwords,
        })
    }

    /// Activates an enrollment without a code, for root.
    pub(in crate::engine) fn activate_unconfirmed(
        &mut self,
        sealed: &str,
        account: &UserName,
        requester: Requester<'_>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        let Requester::Root(_) = requester else {
            return Err(AdministrationError::OnlyRoot);
        };
        let token = self
            .open_step::<EnrollmentDraft>(sealed, account, requester.holder(), now)?
            .ok_or(AdministrationError::Stale)?;
        let confirmation = EnrollmentConfirmation::by_administrator();
        let (draft, parent) = (token.payload(), Some(token.parent()));
        self.activate_draft(
            account,
            draft,
            parent,
            &confirmation,
            requester.actor(),
            now,
        )
    }

    /// Activates a confirmed enrollment.
    pub fn activate<'a>(
        &mut self,
        pending: &PendingEnrollment,
        confirmation: &EnrollmentConfirmation,
        actor: impl Into<Principal<'a>>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        let (name, draft) = (&pending.name, &pending.draft);
        self.activate_draft(name, draft, None, confirmation, actor.into(), now)
    }

    /// Activates an enrollment. One transaction stores the authenticator, the consumed time step
    /// and, unless it is an additional authenticator, the recovery codes.
    fn activate_draft(
        &mut self,
        name: &UserName,
        draft: &EnrollmentDraft,
        parent: Option<&TokenParent>,
        confirmation: &EnrollmentConfirmation,
        actor: Principal<'_>,
        now: Timestamp,
    ) -> Result<AppPasswordsAfter, AdministrationError> {
        self.engine.check_not_declared(name)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let vault = change.tx.vault;
        let snapshot = read_account_snapshot(&mut change.tx, vault, name)?;
        let is_stale = match (&draft.snapshot, parent) {
            (Some(began_on), Some(parent)) => {
                let alive = check_token_parent(&mut change.tx, name, began_on.at(), parent, now)?;
                *began_on != snapshot || alive.is_none()
            }
            (Some(began_on), None) => *began_on != snapshot,
            (None, _) => false,
        };
        let record = match draft.kind {
            EnrollmentKind::First => change.find_or_add_account(name)?,
            EnrollmentKind::Replacement | EnrollmentKind::Further => change.find_account(name)?,
        };
        check_enrollment_kind(&change.tx.authenticators(record.id)?, name, draft)?;
        if is_stale {
            return Err(AdministrationError::Stale);
        }
        if let Some(accepted_code) = draft.accepted_code {
            match change.tx.one_time_code(record.id)? {
                Some(stored) if !stored.used && stored.hash == accepted_code.hash() => {
                    change.tx.consume_one_time_code(record.id)?;
                }
                _ => return Err(AdministrationError::Stale),
            }
        }
        // The same secret may have been stored before. Its floor is kept after its removal.
        let (secret, parameters) = (&draft.secret, draft.parameters);
        let floor = account_data::load_floor(vault, &mut change.tx, secret, parameters)?;
        if confirmation.step().is_some_and(|step| floor >= Some(step)) {
            return Err(AdministrationError::CodeUsed);
        }
        let fingerprint = vault.fingerprint(secret, parameters);
        match (confirmation.step(), draft.before_first().max(floor)) {
            // above the floor, as the lines above found
            (Some(step), _) => change.tx.consume_step(&fingerprint, step)?,
            (None, Some(used)) => change.tx.raise_floor(&fingerprint, used)?,
            (None, None) => {}
        }
        let binding = SecretBinding {
            account: record.id.0,
            name,
            parameters,
        };
        let sealed = vault.seal(secret, &binding)?;
        if draft.kind == EnrollmentKind::Replacement {
            // The address for mailed codes is kept.
            for old in change.tx.authenticators(record.id)? {
                change.tx.remove_authenticator(old.number)?;
            }
        }
        let authenticator = AuthenticatorRecord {
            number: 0,
            name: draft.label.clone(),
            parameters,
            sealed,
            created: now,
        };
        change.tx.add_authenticator(record.id, &authenticator)?;
        let kind = match draft.kind {
            EnrollmentKind::Further => EventKind::AuthenticatorAdded,
            EnrollmentKind::First | EnrollmentKind::Replacement => {
                let codes = &draft.recovery_codes;
                let hashes = StoredRecoveryCode::hash_all(codes, record.id.0, vault);
                change.tx.replace_recovery_codes(record.id, &hashes)?;
                EventKind::Enrolled
            }
        };
        change.tx.end_sessions_and_browsers(record.id)?;
        change.log_event(name, kind)?;
        let after = match draft.kind {
            EnrollmentKind::Further => AppPasswordsAfter::None,
            EnrollmentKind::First | EnrollmentKind::Replacement => {
                change.apply_on_change(name, record.id)?
            }
        };
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        if draft.kind == EnrollmentKind::Replacement {
            self.engine.truncate_wal()?;
        }
        Ok(after)
    }
}

/// Returns what a page shows of a draft.
pub(in crate::engine) fn show_enrollment(
    config: &Config,
    token: &Token<EnrollmentDraft>,
    sealed: TypedText,
) -> ShownEnrollment {
    let draft = token.payload();
    ShownEnrollment {
        secret: draft.secret.to_base32().into(),
        url: draft.url(token.account(), &issuer(config)).into(),
        draft: sealed,
        digits: draft.parameters.digits,
    }
}

/// Returns what a prompt or a command shows of a draft, with the recovery codes.
pub(in crate::engine) fn show_authenticator(
    config: &Config,
    token: &Token<EnrollmentDraft>,
    sealed: TypedText,
) -> ShownAuthenticator {
    let shown = show_enrollment(config, token, sealed);
    ShownAuthenticator {
        secret: shown.secret,
        url: shown.url,
        recovery_codes: token.payload().grouped_recovery_codes(),
        token: shown.draft,
    }
}

/// Returns the account's current snapshot. Recovery codes are random, so the least hash identifies
/// the set.
pub(in crate::engine) fn read_account_snapshot(
    tx: &mut Transaction<'_>,
    vault: &Vault,
    name: &UserName,
) -> Result<AccountSnapshot, StoreError> {
    let record = tx.find_account(name)?;
    let recovery = match &record {
        Some(record) => tx.recovery_codes(record.id)?,
        None => Vec::new(),
    };
    Ok(AccountSnapshot {
        account: record.map(|record| (record.id, record.generation)),
        recovery: recovery.into_iter().map(|stored| stored.hash.0).min(),
        keys: vault.token_keys().fingerprint(),
    })
}

fn check_enrollment_kind(
    live: &[AuthenticatorRecord],
    account: &UserName,
    draft: &EnrollmentDraft,
) -> Result<(), AdministrationError> {
    let (name, label) = (account.clone(), &draft.label);
    match (live, draft.kind) {
        ([], EnrollmentKind::First) => Ok(()),
        ([], _) => Err(AdministrationError::NotEnrolled(name)),
        (_, EnrollmentKind::First) => Err(AdministrationError::AlreadyEnrolled(name)),
        (_, EnrollmentKind::Replacement) => Ok(()),
        (many, EnrollmentKind::Further) if many.len() >= MAX_AUTHENTICATORS => {
            Err(AdministrationError::TooMany(name, MAX_AUTHENTICATORS))
        }
        (live, EnrollmentKind::Further) if live.iter().any(|stored| stored.name == *label) => {
            Err(AdministrationError::LabelTaken(name, label.clone()))
        }
        (_, EnrollmentKind::Further) => Ok(()),
    }
}
