//! The store's interface: what is kept, in the words of the core. Every change happens in a [`Transaction`]
//! that either commits whole and durably or leaves nothing. Nothing of an engine shows here.

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
pub use accounts::{Accounts, Tally};
pub use app_passwords::{AppPasswordRecord, AppPasswords, LiveAppPasswords};
pub use events::{Events, Logged};
pub use interface::{
    AuthenticatorRecord, FailureId, Holder, Intent, Missed, Owner, RowKey, Store, StoreError,
    Transaction, Upgraded, cause, create, exists, make_missing_files, open, says_this_version,
    upgrade,
};
pub use keys::{KeyBound, Keys, Sealed, SealedRow};
pub use login_tokens::{LoginTickets, Trials};
pub use mail::{Addresses, ExpiredLetter, Fate, Mails, Waiting};
pub use notifications::{MOST_NOTICES, Notice, Notices};
pub use sessions::{BegunIn, BrowserRecord, InBrowser, SessionRecord, Sessions, Token};
pub use unchanged_files::CheckedFiles;
