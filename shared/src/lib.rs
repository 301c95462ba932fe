//! Postern's core: what both doors share. Accounts and their codes, the decision about one answer, the
//! sealed store, the configuration. No PAM, no HTTP, no async.
//!
//! The pure rooms (`decision`, `guess`, `policy`, `totp`, `answer`) take the time as an argument and touch
//! nothing; the edges are `clock`, `files`, `groups`, `host_process`, `key`, `name_service`, `privileges`, `threads`, `config` and `store`; `door` joins them for one login.
#![forbid(unsafe_code)]

pub mod account;
pub mod admission;
pub mod answer;
pub mod app_password;
pub mod clock;
pub mod config;
pub mod decision;
pub mod door;
pub mod earlier;
pub mod email;
pub mod enrolment;
pub mod errand;
pub mod event;
pub mod files;
pub mod groups;
pub mod guess;
pub mod host_groups;
pub mod host_password;
pub mod host_process;
pub mod import;
pub mod key;
pub mod local_stream;
pub mod name;
pub mod name_service;
pub mod otpauth;
pub mod password;
pub mod place;
pub mod policy;
pub mod privileges;
pub mod protocol;
pub mod qr;
pub mod recovery;
pub mod remote;
pub mod rule;
pub mod scope;
pub mod secret;
pub mod session;
pub mod store;
pub mod threads;
pub mod token;
pub mod totp;
pub mod vault;
pub mod web_address;
pub mod words;
