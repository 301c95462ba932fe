//! The JSON API: what the pages do, for programs. The endpoints call the same acts as the pages, so
//! that neither can do more than the other. The OpenAPI document is made from the endpoints.
//!
//! MUST refuse a change from another origin. MUST NOT answer a failure with a status of success.
//! MUST NOT read a request to administration before its secret is verified.

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
mod passkeys;
mod problem;
mod refresh;
mod router;
mod second_factor;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use router::is_body;
pub(crate) use router::{PATH_PREFIX, answer_endpoint, replace_cookies_by_tokens};
