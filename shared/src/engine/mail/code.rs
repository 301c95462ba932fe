//! Mailed codes. The transaction that makes a code stores its keyed hash and queues the sealed code
//! in the outbox. posternd takes it from the outbox and sends it, while the requester waits for the
//! result.

use crate::account::email::EmailAddress;
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::account::second_factor::MailStatus;
use crate::crypto::vault::{LetterBinding, MailedFor, MailedHash};
use crate::engine::accounts::account_data;
use crate::engine::context::conflict::repeat_after_conflict;
use crate::engine::login::token_validity::check_token;
use crate::engine::transaction::EngineTransaction;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{EngineError, Mail, VerificationRequest};
use crate::store::{ExpiredMail, Intent, MailState, StoreError, Transaction};
use crate::system::clock::{self, Timestamp};
use crate::system::random::{RandomError, fill_random};
use crate::token::{LoginPayload, LoginToken};
use crate::verify::account::StoredMailedCode;
use crate::verify::decision::Refusal;
use crate::verify::throttle::Phase;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Length of mailed codes.
pub(in crate::engine) const DIGITS: u32 = 6;

/// Length of mailed codes; `None` if the account receives none.
pub(in crate::engine) fn mailed_code_digits(mail: MailStatus) -> Option<u32> {
    match mail {
        MailStatus::On => Some(DIGITS),
        MailStatus::Off => None,
    }
}
/// Codes in the outbox at once, from all accounts, to one address that is not confirmed. A
/// confirmed address needs no limit, since an account has at most one code there.
const MAX_CONFIRMATIONS: u32 = 4;
/// Expired codes that one call removes.
const MAX_EXPIRED: usize = 1000;
/// How long a requester waits for posternd, which polls the outbox five times a second, to take a
/// code.
const TAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// Time that posternd has to record the result after the time limit of sending.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);
/// Seconds after which queued mail shows that posternd is not running or cannot keep up.
const OVERDUE_SECONDS: u64 = 10;
/// Interval at which a requester polls for the result.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A code that posternd has taken from the outbox to mail it.
pub struct MailMessage {
    pub name: UserName,
    pub to: EmailAddress,
    pub code: Zeroizing<String>,
    pub purpose: MailedFor,
    pub expires: Timestamp,
    account: AccountId,
    hash: MailedHash,
    /// Number in the outbox.
    number: i64,
}

/// A code in the outbox.
#[derive(Clone, Debug)]
pub struct MailQueued {
    number: i64,
    account: AccountId,
    hash: MailedHash,
    pub to: EmailAddress,
}

/// Result of a request for a mailed code.
pub enum MailRequest<T> {
    /// A new code is in the outbox.
    Queued(T),
    Refused(MailRefusal),
}

/// Why no code is mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailRefusal {
    /// Mail is not configured in `[email]`, or no code is mailed as a second factor.
    NotConfigured,
    /// The account has no confirmed address.
    NoAddress,
    /// A code was mailed recently.
    Cooldown {
        /// Seconds until the next code may be requested.
        wait: u64,
    },
    /// The account is throttled, or the sign-in has expired: a code would not be verified.
    Code(Refusal),
}

/// Writes the cause for logs.
impl fmt::Display for MailRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MailRefusal::NotConfigured => f.write_str("mail-not-configured"),
            MailRefusal::NoAddress => f.write_str("no-address"),
            MailRefusal::Cooldown { wait } => write!(f, "cooldown-{wait}s"),
            MailRefusal::Code(refusal) => refusal.fmt(f),
        }
    }
}

impl Mail<'_> {
    /// Queues a code for sign-in. Before the first factor the reply is the same for every account
    /// and reveals no address. With a `token`, the sign-in that it belongs to must still be valid.
    pub fn mail_code(
        &mut self,
        request: &VerificationRequest<'_>,
        token: Option<&LoginToken>,
        now: Timestamp,
    ) -> Result<MailRequest<MailQueued>, EngineError> {
        if request.phase == Phase::Before {
            return Ok(MailRequest::Refused(MailRefusal::NoAddress));
        }
        repeat_after_conflict(|| {
            let mut evaluation = self.engine.evaluate(request, Intent::Write, now)?;
            let requested = request_code(&mut evaluation, request, token)?;
            if let MailRequest::Queued(_) = requested {
                evaluation.commit()?;
            }
            Ok(requested)
        })
    }

    /// Waits for the result of sending, as returned by [`Engine::check_mail_delivery`].
    pub fn await_mail_delivery(&mut self, mail: &MailQueued) -> Result<(), NotMailed> {
        let began = clock::since_boot();
        loop {
            let waited = clock::since_boot().saturating_sub(began);
            if let Some(sent) = self.check_mail_delivery(mail, waited) {
                return sent;
            }
            crate::engine::report_waiting();
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Returns the result of sending, if it is known after `waited`. A code that posternd has not
    /// taken stays in the outbox and stays valid. A code that was taken and not sent is removed and
    /// is no longer valid.
    pub fn check_mail_delivery(
        &mut self,
        mail: &MailQueued,
        waited: Duration,
    ) -> Option<Result<(), NotMailed>> {
        let limit =
            Duration::from_secs(self.engine.config.email.timeout.seconds()) + RECORD_TIMEOUT;
        let read = self.engine.begin(Intent::Read);
        let state = match read.and_then(|mut tx| Ok(tx.mail_state(mail.number)?)) {
            Ok(state) => state,
            Err(error) => return Some(Err(error.into())),
        };
        let sent = match state {
            Some(MailState::Waiting) if waited < TAKE_TIMEOUT => return None,
            Some(MailState::Sending) if waited < TAKE_TIMEOUT + limit => return None,
            Some(MailState::Waiting) => return Some(Err(NotMailed::Queued)),
            Some(MailState::Sending) => Err(NotMailed::TimedOut),
            Some(MailState::Failed(why)) => Err(NotMailed::Failed(why)),
            Some(MailState::Sent) => Ok(()),
            None => Err(NotMailed::Replaced),
        };
        Some(self.finish_delivery(mail, sent))
    }

    fn finish_delivery(
        &mut self,
        mail: &MailQueued,
        sent: Result<(), NotMailed>,
    ) -> Result<(), NotMailed> {
        let mut tx = self.engine.begin(Intent::Write)?;
        tx.lock_account_number(mail.account)?;
        tx.remove_mail(mail.number)?;
        if sent.is_err() {
            invalidate_code(&mut tx, mail.account, mail.hash)?;
        }
        tx.commit()?;
        sent
    }

    /// Takes at most `limit` codes from the outbox for posternd to send. Each is taken once,
    /// whatever the result: a code that may have been sent is never sent twice.
    pub fn take_queued_mail(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<MailMessage>, EngineError> {
        if limit == 0 || self.is_outbox_empty(now)? {
            return Ok(Vec::new());
        }
        let (mut tx, _, vault) = self.engine.begin_with_keys(Intent::Write)?;
        let mut taken = Vec::new();
        for waiting in tx.waiting_mail(limit, now)? {
            let binding = LetterBinding {
                account: waiting.account.0,
                purpose: waiting.purpose,
                to: &waiting.to,
                expires: waiting.expires,
            };
            let Some(code) = vault.unseal_code(&waiting.sealed, &binding) else {
                // It was not sealed with these keys, or it was changed.
                tx.remove_mail(waiting.number)?;
                continue;
            };
            tx.set_mail_state(waiting.number, &MailState::Sending)?;
            taken.push(MailMessage {
                hash: vault.mailed_hash(waiting.account.0, waiting.purpose, &code),
                name: waiting.name,
                to: waiting.to,
                code,
                purpose: waiting.purpose,
                expires: waiting.expires,
                account: waiting.account,
                number: waiting.number,
            });
        }
        tx.commit()?;
        Ok(taken)
    }

    fn is_outbox_empty(&mut self, now: Timestamp) -> Result<bool, EngineError> {
        let mut tx = self.engine.begin(Intent::Read)?;
        Ok(tx.waiting_mail(1, now)?.is_empty())
    }

    /// Removes expired codes from the outbox. Returns the accounts whose code was not sent, as far
    /// as that is known.
    pub fn remove_expired_mail(&mut self, now: Timestamp) -> Result<Vec<UserName>, EngineError> {
        let expired = self.engine.begin(Intent::Read)?.expired_mail(1, now)?;
        if expired.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.engine.begin(Intent::Write)?;
        let mut unsent = Vec::new();
        for ExpiredMail {
            number,
            name,
            state,
        } in tx.expired_mail(MAX_EXPIRED, now)?
        {
            tx.remove_mail(number)?;
            if matches!(state, MailState::Waiting | MailState::Sending) {
                unsent.push(name);
            }
        }
        tx.commit()?;
        Ok(unsent)
    }

    /// Records the result of sending. A code that was not sent is no longer valid, and another may
    /// be requested at once.
    pub fn record_mail_delivery(
        &mut self,
        mail: &MailMessage,
        sent: &Result<(), String>,
    ) -> Result<(), EngineError> {
        let mut tx = self.engine.begin(Intent::Write)?;
        tx.lock_account_number(mail.account)?;
        let state = sent
            .as_ref()
            .map_or_else(|why| MailState::Failed(why.clone()), |()| MailState::Sent);
        tx.set_mail_state(mail.number, &state)?;
        if sent.is_err() {
            invalidate_code(&mut tx, mail.account, mail.hash)?;
        }
        Ok(tx.commit()?)
    }

    /// Returns whether mail is overdue, because posternd is not running or cannot keep up. Nothing
    /// is overdue where mail is not configured.
    pub fn mail_is_overdue(&mut self, now: Timestamp) -> Result<bool, EngineError> {
        if !self.engine.config.email.is_enabled() {
            return Ok(false);
        }
        let mut tx = self.engine.begin(Intent::Read)?;
        let oldest = [
            tx.oldest_waiting_mail(now)?,
            tx.oldest_due_notification(now)?,
        ];
        Ok(oldest
            .into_iter()
            .flatten()
            .any(|since| now.since(since) > OVERDUE_SECONDS))
    }
}

/// Returns why no code may be mailed now, for whatever purpose.
pub(in crate::engine) fn mail_refusal(
    tx: &mut EngineTransaction<'_>,
    account: AccountId,
) -> Result<Option<MailRefusal>, StoreError> {
    let (email, now) = (&tx.config.email, tx.now);
    if !email.is_enabled() {
        return Ok(Some(MailRefusal::NotConfigured));
    }
    let stored = tx.mailed_code(account)?;
    let wait = stored.map_or(0, |(_, stored)| {
        stored.cooldown_left(email.cooldown.seconds(), now)
    });
    Ok((wait > 0).then_some(MailRefusal::Cooldown { wait }))
}

/// Makes a code that replaces an earlier one, and queues it in the outbox, sealed.
pub(in crate::engine) fn queue_code(
    tx: &mut EngineTransaction<'_>,
    account: AccountId,
    to: EmailAddress,
    purpose: MailedFor,
) -> Result<MailQueued, EngineError> {
    let code = random_code()?;
    let hash = tx.vault.mailed_hash(account.0, purpose, &code);
    let expires = tx.now.plus(tx.config.email.code_ttl.seconds());
    let stored = StoredMailedCode {
        hash,
        sent: tx.now,
        expires,
        used: false,
        wrong_confirmations: 0,
    };
    tx.set_mailed_code(account, Some((purpose, &stored)))?;
    let binding = LetterBinding {
        account: account.0,
        purpose,
        to: &to,
        expires,
    };
    let sealed = tx.vault.seal_code(&code, &binding)?;
    let number = tx.queue_mail(account, &to, purpose, expires, &sealed)?;
    Ok(MailQueued {
        number,
        account,
        hash,
        to,
    })
}

/// Returns whether the outbox has too many codes for this address. Anyone may enter any address as
/// their own, which must not flood it with mail.
pub(in crate::engine) fn has_too_many_confirmations(
    tx: &mut Transaction<'_>,
    to: &EmailAddress,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.unsent_confirmations(to, now)? >= MAX_CONFIRMATIONS)
}

fn request_code(
    evaluation: &mut Evaluation<'_>,
    request: &VerificationRequest<'_>,
    token: Option<&LoginToken>,
) -> Result<MailRequest<MailQueued>, EngineError> {
    let Some(account) = evaluation.record.as_ref().map(|record| record.id) else {
        return Ok(MailRequest::Refused(MailRefusal::NoAddress));
    };
    if let Some(refusal) = evaluation.bucket_refusal() {
        return Ok(MailRequest::Refused(MailRefusal::Code(refusal)));
    }
    let tx = &mut evaluation.tx;
    let config = tx.config;
    if !config.email.mails_codes() {
        return Ok(MailRequest::Refused(MailRefusal::NotConfigured));
    }
    if let Some(token) = token {
        let trials = tx.login_token_state(token.id())?;
        let is_alive = check_token(token, tx)?.is_some();
        if !is_alive || trials.used || trials.wrong >= LoginPayload::MAX_WRONG_CODES {
            return Ok(MailRequest::Refused(MailRefusal::Code(Refusal::Expired)));
        }
    }
    let Some(to) = account_data::load_mail_address(config, tx, request.name, account)? else {
        return Ok(MailRequest::Refused(MailRefusal::NoAddress));
    };
    if let Some(refusal) = mail_refusal(tx, account)? {
        return Ok(MailRequest::Refused(refusal));
    }
    evaluation.log_event(EventKind::CodeRequested, "")?;
    let queued = queue_code(&mut evaluation.tx, account, to, MailedFor::Login)?;
    Ok(MailRequest::Queued(queued))
}

/// Removes a code that was not delivered, unless a newer code has replaced it.
fn invalidate_code(
    tx: &mut Transaction<'_>,
    account: AccountId,
    hash: MailedHash,
) -> Result<(), StoreError> {
    match tx.mailed_code(account)? {
        Some((_, stored)) if stored.hash == hash => tx.set_mailed_code(account, None),
        _ => Ok(()),
    }
}

/// Returns six random digits, uniformly distributed.
fn random_code() -> Result<Zeroizing<String>, RandomError> {
    const NUMBERS: u32 = 1_000_000;
    let mut bytes = Zeroizing::new([0; 4]);
    loop {
        fill_random(&mut *bytes)?;
        let number = u32::from_be_bytes(*bytes);
        // A number above the last whole million would make small codes more likely, so it is drawn
        // again.
        if number < u32::MAX - u32::MAX % NUMBERS {
            return Ok(Zeroizing::new(format!("{:06}", number % NUMBERS)));
        }
    }
}

/// Why a code was not mailed.
#[derive(Debug)]
pub enum NotMailed {
    /// posternd has not taken the code. It is sent once posternd runs, unless it has expired by
    /// then.
    Queued,
    /// posternd took the code and recorded no result.
    TimedOut,
    /// A newer code replaced it, the account was removed, or the keys were renewed.
    Replaced,
    /// Error text of the mail server, the webhook or the command.
    Failed(String),
    Engine(EngineError),
}

impl<E: Into<EngineError>> From<E> for NotMailed {
    fn from(error: E) -> NotMailed {
        NotMailed::Engine(error.into())
    }
}

impl fmt::Display for NotMailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotMailed::Queued => f.write_str(
                "the mail waits: posternd, which sends all mail, has not taken it within 2 seconds; start posternd",
            ),
            NotMailed::TimedOut => f.write_str(
                "no mail was sent within the time limit of [email]; the log of posternd says more",
            ),
            NotMailed::Replaced => f.write_str("the mail was cancelled or replaced by a newer one; ask for another code"),
            NotMailed::Failed(why) => write!(f, "no mail was sent: {why}"),
            NotMailed::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotMailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NotMailed::Engine(error) => Some(error),
            _ => None,
        }
    }
}
