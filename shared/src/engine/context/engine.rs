//! The engine itself: configuration, store and keys, opened together, and the errors of opening
//! them.
//! Acts on accounts are not in this file.

use crate::account::host::HostName;
use crate::account::name::{Group, OtherSpelling, UserName};
use crate::account::record::AccountId;
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::Config;
use crate::credential::otp::OtpError;
use crate::crypto::master_key::MasterKeyError;
use crate::crypto::password::HashingMemory;
use crate::crypto::vault::{Vault, VaultError};
use crate::engine::AdministrationError;
use crate::engine::accounts::account_data;
use crate::engine::accounts::change::find_other_spelling;
use crate::engine::context::warning::EngineWarning;
use crate::engine::keys::keyed_store::KeyedStore;
use crate::policy::groups::PersonGroups;
use crate::store::{Intent, StoreError, StoreRisk, Transaction};
use crate::system::admission::AdmissionClass;
use crate::system::clock::Timestamp;
use crate::system::random::RandomError;
use crate::system::trusted_file::FileError;
use crate::token::AccountVersion;
use std::fmt;
use std::path::PathBuf;

/// Service name of the `postern` command in logs.
pub const COMMAND: &str = "postern";

/// Facts about an account on which the policy decides.
pub struct PolicyFacts {
    pub enrolled: Enrolled,
    pub mail: MailStatus,
    /// Groups that the store keeps for the account.
    pub groups: Vec<Group>,
    /// The existing account of which the name is another spelling; `None` where an account has
    /// exactly this name.
    pub spelled_otherwise: Option<OtherSpelling>,
}

/// The opened store with its keys and the configuration.
pub struct Engine {
    pub(in crate::engine) config: Config,
    pub(in crate::engine) vault: Vault,
    pub(in crate::engine) store: KeyedStore,
    pub(in crate::engine) hashing: HashingMemory,
    /// Warnings that wait to be logged.
    pub(in crate::engine) warnings: Vec<EngineWarning>,
    /// Host groups of one account, looked up before this engine was locked.
    pub(in crate::engine) preloaded_groups: Option<(UserName, PersonGroups)>,
}

impl Engine {
    pub fn open(config: Config) -> Result<Engine, EngineError> {
        let (store, vault) = KeyedStore::open(&config.store)?;
        Ok(Engine {
            config,
            vault,
            store,
            hashing: HashingMemory::default(),
            warnings: Vec::new(),
            preloaded_groups: None,
        })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sets the admission class of the writes that follow.
    pub fn set_write_class(&mut self, class: AdmissionClass) {
        self.store.set_write_class(class);
    }

    /// Returns whether the store was opened read-only because the disk refused writes. The engine
    /// stays read-only when the disk accepts writes again, so a caller that keeps engines open MUST
    /// NOT keep this one.
    pub fn is_read_only(&self) -> bool {
        self.store.is_read_only()
    }

    /// Returns what of the database's settings could break a promise.
    pub fn store_risks(&mut self) -> Result<Vec<StoreRisk>, EngineError> {
        Ok(self.store.risks()?)
    }

    pub(in crate::engine) fn begin(
        &mut self,
        intent: Intent,
    ) -> Result<Transaction<'_>, EngineError> {
        self.store.begin(&mut self.vault, intent)
    }

    /// Begins a transaction. Returns it with the configuration, and with the keys that were current
    /// when it began.
    pub(in crate::engine) fn begin_with_keys(
        &mut self,
        intent: Intent,
    ) -> Result<(Transaction<'_>, &Config, &Vault), EngineError> {
        let tx = self.store.begin(&mut self.vault, intent)?;
        Ok((tx, &self.config, &self.vault))
    }

    /// Makes certain that what was read before is in force, where a store may have been replaced (see
    /// [`crate::store::Store::may_be_replaced`]). MUST be called where a transaction that only reads
    /// grants access, after it.
    pub(in crate::engine) fn confirm_read(&mut self) -> Result<(), EngineError> {
        match self.store.may_be_replaced() {
            true => Ok(self.begin(Intent::Attempt)?.commit()?),
            false => Ok(()),
        }
    }

    /// Erases removed secrets from the store's files.
    pub(in crate::engine) fn truncate_wal(&mut self) -> Result<(), AdministrationError> {
        self.store
            .truncate_wal()
            .map_err(AdministrationError::WalNotTruncated)
    }

    /// Tests that the store accepts writes: a full disk, a read-only disk and a lock held by another
    /// process show only in a write. Commits a change durably. The same transaction reverts the
    /// change, so the store stays as it was.
    pub fn try_write(&mut self) -> Result<(), EngineError> {
        let mut tx = self.begin(Intent::Write)?;
        // No gate has this id, since gate ids are random.
        let unused_id = [0; 16];
        let revision = tx.revision()?;
        tx.set_gate_revision(&unused_id, revision)?;
        tx.remove_gate(&unused_id)?;
        Ok(tx.commit()?)
    }

    /// Returns the keys that sign and seal tokens and cookies.
    pub fn token_keys(&self) -> crate::crypto::vault::TokenKeys {
        self.vault.token_keys()
    }

    /// Loads the facts on which the policy decides, as they are now.
    pub fn load_policy_facts(&mut self, name: &UserName) -> Result<PolicyFacts, EngineError> {
        self.load_account_with_policy_facts(name)
            .map(|(_, membership)| membership)
    }

    /// Loads an account's version and its policy facts in one transaction, so that both are of one
    /// moment.
    pub(in crate::engine) fn load_account_with_policy_facts(
        &mut self,
        name: &UserName,
    ) -> Result<(Option<AccountVersion>, PolicyFacts), EngineError> {
        let declared = account_data::read_declared_secret(&self.config, name)?;
        let mut transaction = self.store.begin(&mut self.vault, Intent::Read)?;
        let record = transaction.find_account(name)?;
        let at = record.as_ref().map(AccountVersion::from_record);
        let (id, groups) = match record {
            Some(record) => (record.id, record.groups),
            None => (AccountId(0), Vec::new()),
        };
        let stored = is_enrolled(&mut transaction, id)?;
        let address = account_data::load_mail_address(&self.config, &mut transaction, name, id)?;
        let mail = if self.config.email.mails_codes() && address.is_some() {
            MailStatus::On
        } else {
            MailStatus::Off
        };
        let enrolled = if stored || declared.is_some() {
            Enrolled::Yes
        } else {
            Enrolled::No
        };
        // Looked up for every name, so that the time does not show which names have an account.
        let spelled_otherwise = find_other_spelling(&self.config, &mut transaction, name)?;
        Ok((
            at,
            PolicyFacts {
                enrolled,
                mail,
                groups,
                spelled_otherwise,
            },
        ))
    }

    /// Returns the start of the 30-day window; older wrong codes no longer count.
    pub(in crate::engine) fn lock_window_start(now: Timestamp) -> Timestamp {
        now.minus(crate::verify::throttle::LOCK_WINDOW)
    }
}

/// Returns whether the store holds a second factor for an account, whether or not the configuration
/// declares one.
pub(in crate::engine) fn is_enrolled(
    tx: &mut Transaction<'_>,
    account: AccountId,
) -> Result<bool, StoreError> {
    Ok(!tx.authenticators(account)?.is_empty() || tx.mail_addresses(account)?.confirmed.is_some())
}

/// Why the engine denies everyone. Each variant names what the administrator can correct.
#[derive(Debug)]
pub enum EngineError {
    Key(MasterKeyError),
    Store(StoreError),
    Vault(VaultError),
    /// The key file belongs to another store, or to this store at another time.
    WrongKey {
        key: PathBuf,
        store: String,
    },
    /// The secret file of a declared account cannot be read, or its owner or mode is not trusted.
    SecretFile(FileError),
    /// The secret file of a declared account contains neither an otpauth URI nor Base32.
    SecretContent(PathBuf, OtpError),
    /// The clock is behind what a restore knows: codes that were used would be valid again.
    ClockBehind {
        now: Timestamp,
        /// Time of the backup, or of the newest event.
        newest: Timestamp,
    },
    /// A host of a fleet was revoked.
    HostRevoked(HostName),
}

impl From<MasterKeyError> for EngineError {
    fn from(error: MasterKeyError) -> EngineError {
        EngineError::Key(error)
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> EngineError {
        EngineError::Store(error)
    }
}

impl From<RandomError> for EngineError {
    fn from(error: RandomError) -> EngineError {
        EngineError::Vault(VaultError::Random(error))
    }
}

impl From<VaultError> for EngineError {
    fn from(error: VaultError) -> EngineError {
        EngineError::Vault(error)
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Key(error) => error.fmt(f),
            EngineError::Store(error) => error.fmt(f),
            EngineError::Vault(error) => error.fmt(f),
            EngineError::WrongKey { key, store } => write!(
                f,
                "{}: contains no master key that opens the store {}; restore the key file that was saved with this store",
                key.display(),
                store.strip_prefix("sqlite:").unwrap_or(store)
            ),
            EngineError::SecretFile(error) => error.fmt(f),
            EngineError::SecretContent(path, error) => write!(f, "{}: {error}", path.display()),
            EngineError::ClockBehind { now, newest } => write!(
                f,
                "the clock of this host shows {now}, but the backup or the store knows of {newest}: codes that were used \
                 would be valid again; set the clock, and restore then"
            ),
            EngineError::HostRevoked(name) => write!(
                f,
                "the host {name} was revoked; have it join again with postern host invite and postern host join"
            ),
        }
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            EngineError::Key(error) => Some(error),
            EngineError::Store(error) => Some(error),
            EngineError::Vault(error) => Some(error),
            EngineError::WrongKey { .. } => None,
            EngineError::SecretFile(error) => Some(error),
            EngineError::SecretContent(_, error) => Some(error),
            EngineError::ClockBehind { .. } | EngineError::HostRevoked(_) => None,
        }
    }
}
