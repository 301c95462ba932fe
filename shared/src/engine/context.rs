//! Engine: configuration, store and keys, opened together.

use super::account_data;
use super::administration::account_name::spelled_otherwise;
use super::keyed_store::KeyedStore;
use crate::account::name::{Group, OtherSpelling, UserName};
use crate::account::record::AccountId;
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::Config;
use crate::credential::otpauth_uri::OtpauthError;
use crate::crypto::master_key::MasterKeyError;
use crate::crypto::password::HashingMemory;
use crate::crypto::vault::{Vault, VaultError};
use crate::policy::groups::PersonGroups;
use crate::store::{Intent, StoreError, Transaction};
use crate::system::admission::Class;
use crate::system::clock::Timestamp;
use crate::token::AccountVersion;
use std::fmt;
use std::path::PathBuf;

/// The name of the command in logs: there an administrator acts.
pub const COMMAND: &str = "postern";

/// What the policy asks about an account.
pub struct PolicyFacts {
    /// Whether it has a second factor.
    pub enrolled: Enrolled,
    /// Whether codes are mailed to it.
    pub mail: MailStatus,
    /// The groups that the store keeps for it.
    pub groups: Vec<Group>,
    /// The account of which its name is another spelling, where there is no account of its name.
    pub spelled_otherwise: Option<OtherSpelling>,
}

/// An opened door: what a process needs to judge answers.
pub struct Engine {
    pub(super) config: Config,
    pub(super) vault: Vault,
    pub(super) store: KeyedStore,
    pub(super) hashing: HashingMemory,
    /// What nobody knew of groups, for the log.
    pub(super) group_warnings: Vec<String>,
    /// What the host knows of the policy's groups of one person, looked up before this engine was taken.
    pub(super) preloaded_groups: Option<(UserName, PersonGroups)>,
}

impl Engine {
    /// Opens the store, reads the key, and unwraps the data keys.
    pub fn open(config: Config) -> Result<Engine, EngineError> {
        let (store, vault) = KeyedStore::open(&config.store)?;
        Ok(Engine {
            config,
            vault,
            store,
            hashing: HashingMemory::default(),
            group_warnings: Vec::new(),
            preloaded_groups: None,
        })
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sets the class of the writes that follow, as `Store::serve` does.
    pub fn set_write_class(&mut self, class: Class) {
        self.store.set_write_class(class);
    }

    /// Whether it was opened on a disk that took nothing. It stays so when the disk takes something again: whoever keeps
    /// engines open MUST NOT keep such a one.
    pub fn is_read_only(&self) -> bool {
        self.store.is_read_only()
    }

    /// What signs and seals the cookies of a sign-in.
    pub fn token_keys(&self) -> crate::crypto::vault::TokenKeys {
        self.vault.token_keys()
    }

    /// What the policy asks about an account: whether it has a second factor now, and its groups.
    pub fn load_policy_facts(&mut self, name: &UserName) -> Result<PolicyFacts, EngineError> {
        self.load_account_with_policy_facts(name)
            .map(|(_, membership)| membership)
    }

    /// An account as it is now, and what the policy asks about it, of one moment.
    pub(super) fn load_account_with_policy_facts(
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
        let stored = is_enrolled(transaction.as_mut(), id)?;
        let address =
            account_data::load_mail_address(&self.config, transaction.as_mut(), name, id)?;
        let mail = if self.config.email.is_enabled() && address.is_some() {
            MailStatus::On
        } else {
            MailStatus::Off
        };
        let enrolled = if stored || declared.is_some() {
            Enrolled::Yes
        } else {
            Enrolled::No
        };
        // looked up for every name: it must not show in the time which ones have an account
        let spelled_otherwise = spelled_otherwise(&self.config, transaction.as_mut(), name)?;
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

    /// Wrong codes of the last 30 days are kept; older ones count no more.
    pub(super) fn lock_window_start(now: Timestamp) -> Timestamp {
        now.minus(crate::verify::throttle::LOCK_WINDOW)
    }
}

/// Whether an account has a second factor of its own, declared or not.
pub(super) fn is_enrolled(
    tx: &mut dyn Transaction,
    account: AccountId,
) -> Result<bool, StoreError> {
    Ok(!tx.authenticators(account)?.is_empty() || tx.mail_addresses(account)?.confirmed.is_some())
}

/// Why nobody can be let in. Each names what the administrator can mend.
#[derive(Debug)]
pub enum EngineError {
    /// The master key.
    Key(MasterKeyError),
    /// The store.
    Store(StoreError),
    /// What is sealed in the store.
    Vault(VaultError),
    /// The key file belongs to another store, or to this one as it was at another time.
    WrongKey {
        /// The key file.
        key: PathBuf,
        /// The store.
        store: PathBuf,
    },
    /// The secret file of a declared account.
    Declared {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: DeclaredError,
    },
}

/// What is wrong with the secret file of a declared account.
#[derive(Debug)]
pub enum DeclaredError {
    /// It cannot be read, or may not be trusted.
    File(crate::system::trusted_file::FileError),
    /// It holds no otpauth URL and no Base32.
    Content(OtpauthError),
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
                store.display()
            ),
            EngineError::Declared {
                error: DeclaredError::File(error),
                ..
            } => error.fmt(f),
            EngineError::Declared {
                path,
                error: DeclaredError::Content(error),
            } => {
                write!(f, "{}: {error}", path.display())
            }
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
            EngineError::Declared {
                error: DeclaredError::File(error),
                ..
            } => Some(error),
            EngineError::Declared {
                error: DeclaredError::Content(error),
                ..
            } => Some(error),
        }
    }
}
