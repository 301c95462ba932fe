//! Pages: login, enrollment, the account, administration.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod enroll;
pub(crate) mod language;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod notice;
pub(crate) mod pages;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod step_up;
