//! Accounts: names, e-mail addresses, audit events, and what the store keeps of an account.

pub mod email;
pub mod event;
pub mod name;
pub mod record;
pub mod second_factor;
