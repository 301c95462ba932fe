//! Accounts: names, e-mail addresses, audit events, and the data that the store keeps of an
//! account.
//! Types and their validity rules only; nothing here reads the store.

pub mod email;
pub mod event;
pub mod host;
pub mod name;
pub mod record;
pub mod second_factor;
