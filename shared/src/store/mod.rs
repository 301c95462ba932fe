//! Interface of the store, and its implementation with SQLite. Every change happens in a
//! [`Transaction`], which either commits completely and durably or changes nothing.
//!
//! MUST NOT expose a type of the database library.

mod accounts;
mod app_passwords;
mod events;
mod interface;
mod keys;
mod location;
mod login_tokens;
mod mail;
mod notifications;
mod sessions;
mod sqlite;
mod unchanged_files;

pub use crate::account::record::AccountRecord;
pub use accounts::{AccountStore, AccountTally};
pub use app_passwords::{AppPasswordRecord, AppPasswordStore, LiveAppPasswords};
pub use events::{EventStore, LoggedEvent};
pub use interface::{
    AuthenticatorRecord, BucketKey, BucketOwner, FailureId, Intent, LockHolder, MissedInputs,
    Store, StoreError, Transaction, UpgradeResult, create, exists, has_current_version, log_cause,
    make_missing_files, open, upgrade,
};
pub use keys::{KeyBound, KeyStore, SealedRow, SealedValue};
pub use login_tokens::{LoginTokenState, LoginTokenStore};
pub use mail::{ExpiredMail, MailAddresses, MailState, MailStore, QueuedMail};
pub use notifications::{MAX_NOTIFICATIONS, Notification, NotificationStore};
pub use sessions::{
    BrowserRecord, BrowserSessions, BrowserToken, SessionBrowser, SessionRecord, SessionStore,
};
pub use unchanged_files::UnchangedFiles;
