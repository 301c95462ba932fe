//! Codes by mail: made here, kept as keyed hashes, and left sealed in the outbox, in the transaction that made them.
//! posternd takes them from there and sends them; whoever asked for one waits for what becomes of it.

use crate::account::email::EmailAddress;
use crate::account::event::EventKind;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::account::second_factor::MailStatus;
use crate::config::Config;
use crate::config::email::EmailConfig;
use crate::credential::secret::{RandomError, fill_random};
use crate::crypto::vault::{LetterBinding, MailedFor, MailedHash, Vault, VaultError};
use crate::engine::login::token_validity::check_token;
use crate::engine::verify::evaluation::Evaluation;
use crate::engine::{Engine, EngineError, VerificationRequest, account_data};
use crate::store::{ExpiredMail, Intent, MailState, QueuedMail, StoreError, Transaction};
use crate::system::clock::{self, Timestamp};
use crate::token::{LoginPayload, LoginToken};
use crate::verify::account::StoredMailedCode;
use crate::verify::decision::Refusal;
use crate::verify::throttle::{BucketState, Phase};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long mailed codes are.
pub(in crate::engine) const DIGITS: u32 = 6;

/// The same, where they are mailed.
pub(in crate::engine) fn digits(mail: MailStatus) -> Option<u32> {
    match mail {
        MailStatus::On => Some(DIGITS),
        MailStatus::Off => None,
    }
}
/// Letters to one address that is not confirmed, from whatever accounts, which may be in the outbox at once. A confirmed
/// address needs no such bound: an account has one letter there at most.
const MOST_CONFIRMATIONS: u32 = 4;
/// Letters whose time is over that are removed at once.
const MOST_EXPIRED: usize = 1000;
/// How long whoever asked waits for posternd to take a letter: it looks five times a second.
const NOTICED: Duration = Duration::from_secs(2);
/// What posternd may take beyond the time limit of sending, to note that it is over.
const NOTED: Duration = Duration::from_secs(2);
/// Mail that has waited for longer than this, in seconds, waits for a posternd that does not run or cannot keep up.
const OVERDUE: u64 = 10;
/// How often whoever asked looks what became of the letter.
const INTERVAL: Duration = Duration::from_millis(20);

/// A letter that posternd has taken to send it, with its code.
pub struct MailMessage {
    /// Whose code it is.
    pub name: UserName,
    /// Where it goes.
    pub to: EmailAddress,
    /// The code.
    pub code: Zeroizing<String>,
    /// What it is for.
    pub purpose: MailedFor,
    /// When its life ends.
    pub expires: Timestamp,
    account: AccountId,
    hash: MailedHash,
    /// Its number in the outbox.
    number: i64,
}

/// A letter in the outbox.
#[derive(Clone, Debug)]
pub struct MailQueued {
    number: i64,
    account: AccountId,
    hash: MailedHash,
    /// Where it goes.
    pub to: EmailAddress,
}

/// What came of asking for a mail.
pub enum MailRequest<T> {
    /// There is a new code, and a letter that brings it.
    For(T),
    /// There is none.
    Refused(MailRefusal),
}

/// Why no code is mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailRefusal {
    /// `[email]` says nothing to send mail by.
    NotConfigured,
    /// The account has no confirmed address.
    NoAddress,
    /// One was mailed just now.
    Cooldown {
        /// Seconds left.
        wait: u64,
    },
    /// The code would not be looked at.
    Code(Refusal),
}

/// The cause, as logs name it.
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

impl Engine {
    /// Someone asks for a code: it is left in the outbox. Who has not passed the first factor is told nothing of addresses.
    /// With a `token`, the sign-in must not be over: whatever ended what it was born of ended it too.
    pub fn mail_code(
        &mut self,
        visitor: &VerificationRequest<'_>,
        token: Option<&LoginToken>,
        now: Timestamp,
    ) -> Result<MailRequest<MailQueued>, EngineError> {
        if visitor.phase == Phase::Before {
            return Ok(MailRequest::Refused(MailRefusal::NoAddress));
        }
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let mut transaction = store.begin(vault, Intent::Write)?;
        let asked = ask(config, vault, transaction.as_mut(), visitor, token, now)?;
        if let MailRequest::For(_) = asked {
            transaction.commit()?;
        }
        Ok(asked)
    }

    /// Waits for what becomes of a letter, as [`Door::look_after`] tells it.
    pub fn await_letter(&mut self, posted: &MailQueued) -> Result<(), NotMailed> {
        let began = clock::since_boot();
        loop {
            let waited = clock::since_boot().saturating_sub(began);
            if let Some(sent) = self.look_after(posted, waited) {
                return sent;
            }
            crate::engine::still_waiting();
            std::thread::sleep(INTERVAL);
        }
    }

    /// What became of a letter after so long, if that is known. One that posternd has not taken stays in the outbox, and its
    /// code is good. One that was taken and not sent is removed, and its code opens nothing.
    pub fn look_after(
        &mut self,
        posted: &MailQueued,
        waited: Duration,
    ) -> Option<Result<(), NotMailed>> {
        let limit = Duration::from_secs(self.config.email.timeout.seconds()) + NOTED;
        let looked = self
            .store
            .begin(&mut self.vault, Intent::Read)
            .map_err(NotMailed::from);
        let fate = match looked.and_then(|mut tx| Ok(tx.mail_state(posted.number)?)) {
            Ok(fate) => fate,
            Err(error) => return Some(Err(error)),
        };
        let sent = match fate {
            Some(MailState::Waiting) if waited < NOTICED => return None,
            Some(MailState::Sending) if waited < NOTICED + limit => return None,
            Some(MailState::Waiting) => return Some(Err(NotMailed::Waits)),
            Some(MailState::Sending) => Err(NotMailed::TooSlow),
            Some(MailState::Failed(why)) => Err(NotMailed::Failed(why)),
            Some(MailState::Sent) => Ok(()),
            None => Err(NotMailed::Replaced),
        };
        Some(self.withdraw(posted, sent))
    }

    fn withdraw(
        &mut self,
        posted: &MailQueued,
        sent: Result<(), NotMailed>,
    ) -> Result<(), NotMailed> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        tx.remove_mail(posted.number)?;
        if sent.is_err() {
            kill(tx.as_mut(), posted.account, posted.hash)?;
        }
        tx.commit()?;
        sent
    }

    /// posternd takes letters that wait, at most `limit`. Each is given out once, whatever becomes of it: a code that may
    /// have gone out does not go out a second time.
    pub fn take_letters(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<MailMessage>, EngineError> {
        if limit == 0
            || self
                .store
                .begin(&mut self.vault, Intent::Read)?
                .waiting_mail(1, now)?
                .is_empty()
        {
            return Ok(Vec::new());
        }
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let mut letters = Vec::new();
        for waiting in tx.waiting_mail(limit, now)? {
            let QueuedMail {
                account,
                purpose,
                ref to,
                expires,
                ..
            } = waiting;
            let binding = LetterBinding {
                account: account.0,
                purpose,
                to,
                expires,
            };
            let Some(code) = self.vault.unseal_code(&waiting.sealed, &binding) else {
                // not of our making
                tx.remove_mail(waiting.number)?;
                continue;
            };
            tx.set_mail_state(waiting.number, &MailState::Sending)?;
            letters.push(MailMessage {
                hash: self
                    .vault
                    .mailed_hash(waiting.account.0, waiting.purpose, &code),
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
        Ok(letters)
    }

    /// Removes letters whose codes have expired; whose were not sent, as far as it is known.
    pub fn remove_expired_letters(&mut self, now: Timestamp) -> Result<Vec<UserName>, EngineError> {
        if self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .expired_mail(1, now)?
            .is_empty()
        {
            return Ok(Vec::new());
        }
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let mut unsent = Vec::new();
        for ExpiredMail {
            number,
            name,
            state: fate,
        } in tx.expired_mail(MOST_EXPIRED, now)?
        {
            tx.remove_mail(number)?;
            if matches!(fate, MailState::Waiting | MailState::Sending) {
                unsent.push(name);
            }
        }
        tx.commit()?;
        Ok(unsent)
    }

    /// posternd notes what became of a letter. The code of one that was not sent opens nothing, and another may be asked
    /// for at once.
    pub fn note_letter(
        &mut self,
        letter: &MailMessage,
        sent: &Result<(), String>,
    ) -> Result<(), EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let fate = sent
            .as_ref()
            .map_or_else(|why| MailState::Failed(why.clone()), |()| MailState::Sent);
        tx.set_mail_state(letter.number, &fate)?;
        if sent.is_err() {
            kill(tx.as_mut(), letter.account, letter.hash)?;
        }
        Ok(tx.commit()?)
    }

    /// Whether mail waits that posternd should have sent long ago: it does not run, or cannot keep up. Nothing waits where
    /// mail is off.
    pub fn mail_is_overdue(&mut self, now: Timestamp) -> Result<bool, EngineError> {
        if !self.config.email.is_enabled() {
            return Ok(false);
        }
        let mut tx = self.store.begin(&mut self.vault, Intent::Read)?;
        let oldest = [
            tx.oldest_waiting_mail(now)?,
            tx.oldest_due_notification(now)?,
        ];
        Ok(oldest
            .into_iter()
            .flatten()
            .any(|since| now.since(since) > OVERDUE))
    }
}

/// Why no mail may be sent now, whatever it is for.
pub(in crate::engine) fn refusal(
    email: &EmailConfig,
    tx: &mut dyn Transaction,
    account: AccountId,
    now: Timestamp,
) -> Result<Option<MailRefusal>, StoreError> {
    if !email.is_enabled() {
        return Ok(Some(MailRefusal::NotConfigured));
    }
    let kept = tx.mailed_code(account)?;
    let wait = kept.map_or(0, |(_, kept)| {
        kept.cooldown_left(email.cooldown.seconds(), now)
    });
    Ok((wait > 0).then_some(MailRefusal::Cooldown { wait }))
}

/// Makes a new code, in place of an older one, and leaves it in the outbox, sealed.
pub(in crate::engine) fn post(
    email: &EmailConfig,
    vault: &Vault,
    tx: &mut dyn Transaction,
    account: AccountId,
    to: EmailAddress,
    purpose: MailedFor,
    now: Timestamp,
) -> Result<MailQueued, EngineError> {
    let code = random_code().map_err(VaultError::Random)?;
    let hash = vault.mailed_hash(account.0, purpose, &code);
    let expires = now.plus(email.code_ttl.seconds());
    let kept = StoredMailedCode {
        hash,
        sent: now,
        expires,
        used: false,
        wrong_confirmations: 0,
    };
    tx.set_mailed_code(account, Some((purpose, &kept)))?;
    let binding = LetterBinding {
        account: account.0,
        purpose,
        to: &to,
        expires,
    };
    let sealed = vault.seal_code(&code, &binding)?;
    let number = tx.queue_mail(account, &to, purpose, expires, &sealed)?;
    Ok(MailQueued {
        number,
        account,
        hash,
        to,
    })
}

/// Whether so many letters are on their way to an address that no further one is left for it, which anyone may have named
/// as theirs.
pub(in crate::engine) fn has_its_share(
    tx: &mut dyn Transaction,
    to: &EmailAddress,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.unsent_confirmations(to, now)? >= MOST_CONFIRMATIONS)
}

fn ask(
    config: &Config,
    vault: &Vault,
    tx: &mut dyn Transaction,
    visitor: &VerificationRequest<'_>,
    token: Option<&LoginToken>,
    now: Timestamp,
) -> Result<MailRequest<MailQueued>, EngineError> {
    let visit = Evaluation::load(
        config,
        vault,
        tx,
        visitor,
        account_data::read_declared_secret(config, visitor.name)?,
        now,
    )?;
    let Some(record) = &visit.record else {
        return Ok(MailRequest::Refused(MailRefusal::NoAddress));
    };
    let standing = match visit.credentials.bucket.state(&config.throttle, now) {
        BucketState::Open => None,
        BucketState::Delayed { wait } => Some(Refusal::Delayed { wait }),
        BucketState::Locked => Some(Refusal::Locked),
    };
    if let Some(refusal) = standing {
        return Ok(MailRequest::Refused(MailRefusal::Code(refusal)));
    }
    if let Some(token) = token {
        let trials = tx.login_token_state(token.id())?;
        let is_alive = check_token(token, tx, &vault.token_keys(), now)?.is_some();
        if !is_alive || trials.used || trials.wrong >= LoginPayload::MAX_WRONG_CODES {
            return Ok(MailRequest::Refused(MailRefusal::Code(Refusal::Expired)));
        }
    }
    let Some(to) = account_data::load_mail_address(config, tx, visitor.name, record.id)? else {
        return Ok(MailRequest::Refused(MailRefusal::NoAddress));
    };
    if let Some(refusal) = refusal(&config.email, tx, record.id, now)? {
        return Ok(MailRequest::Refused(refusal));
    }
    visit.log_event(tx, EventKind::CodeRequested, "")?;
    Ok(MailRequest::For(post(
        &config.email,
        vault,
        tx,
        record.id,
        to,
        MailedFor::Login,
        now,
    )?))
}

/// Removes a code that never arrived, unless a newer one stands in its place.
fn kill(tx: &mut dyn Transaction, account: AccountId, hash: MailedHash) -> Result<(), StoreError> {
    match tx.mailed_code(account)? {
        Some((_, kept)) if kept.hash == hash => tx.set_mailed_code(account, None),
        _ => Ok(()),
    }
}

/// Six random digits, each number as likely as any other.
fn random_code() -> Result<Zeroizing<String>, RandomError> {
    const NUMBERS: u32 = 1_000_000;
    let mut bytes = Zeroizing::new([0; 4]);
    loop {
        fill_random(&mut *bytes)?;
        let number = u32::from_be_bytes(*bytes);
        // what lies above the last whole million would make small numbers likelier
        if number < u32::MAX - u32::MAX % NUMBERS {
            return Ok(Zeroizing::new(format!("{:06}", number % NUMBERS)));
        }
    }
}

/// Why a letter was not sent.
#[derive(Debug)]
pub enum NotMailed {
    /// posternd has not taken it: it is sent when that happens, unless its code has expired by then.
    Waits,
    /// posternd took it, and did not say what became of it.
    TooSlow,
    /// A newer one took its place, the account is gone, or the keys were renewed.
    Replaced,
    /// What the mail server, the webhook or the program said.
    Failed(String),
    /// The store, or its keys.
    Door(EngineError),
}

impl<E: Into<EngineError>> From<E> for NotMailed {
    fn from(error: E) -> NotMailed {
        NotMailed::Door(error.into())
    }
}

impl fmt::Display for NotMailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotMailed::Waits => f.write_str(
                "the mail waits: posternd, which sends all mail, has not taken it within 2 seconds; start posternd",
            ),
            NotMailed::TooSlow => f.write_str(
                "no mail was sent within the time limit of [email]; the log of posternd says more",
            ),
            NotMailed::Replaced => f.write_str("the mail was cancelled or replaced by a newer one; ask for another code"),
            NotMailed::Failed(why) => write!(f, "no mail was sent: {why}"),
            NotMailed::Door(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotMailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NotMailed::Door(error) => Some(error),
            _ => None,
        }
    }
}
