//! Changes and lists of accounts: by root, by the account's owner, by an administrator at the web,
//! by a program with an API secret. Every change logs its audit event in its own transaction.

pub(super) mod account;
pub(super) mod account_data;
pub(super) mod api_secret;
pub(super) mod audit_log;
pub(super) mod change;
pub(super) mod email;
pub(super) mod error;
pub(super) mod import;
pub(super) mod one_time_code;
pub(super) mod password_change;
pub(super) mod second_factor;
