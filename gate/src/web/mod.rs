//! Pages: sign-in, enrollment, the account, administration. Each act is one function, which the
//! page and the API endpoint share, so that neither can do more than the other.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod approve;
pub(crate) mod end_sessions;
pub(crate) mod enroll;
pub(crate) mod language;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod notice;
pub(crate) mod pages;
pub(crate) mod passkey;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod step_up;
