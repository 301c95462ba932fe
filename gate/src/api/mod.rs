//! The JSON API: what the pages do, for programs. Each room has its endpoints, which go through the same acts as the
//! pages, so that neither may do more than the other; the document that describes them is made of them.
//!
//! MUST refuse what changes something and comes from another origin. MUST answer no failure with success. MUST read
//! no request to administration before its secret was shown.

mod account;
mod administration;
mod app_passwords;
mod authenticators;
mod body;
mod document;
mod email;
mod endpoint;
mod enrollment;
mod login;
mod problem;
mod query;
mod refresh;
mod router;
mod second_factor;
mod sessions;
mod tokens;

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use router::is_body;
pub(crate) use router::{PATH_PREFIX, answer_endpoint};
pub(crate) use tokens::replace_cookies_by_tokens;
