//! A failure, as programs read it: RFC 9457, with a code that stays the same in every language.

use super::endpoint::json;
use crate::refused::Refused;
use crate::reply::{self, Reply};
use serde::Serialize;
use utoipa::ToSchema;

/// Its media type.
pub(super) const KIND: &str = "application/problem+json";

/// Why nothing was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always about:blank: the code says more.
    r#type: &'static str,
    /// What the status says.
    title: &'static str,
    status: u16,
    /// For the person, in the language that Accept-Language asks for.
    detail: String,
    /// For the program; it stays the same.
    code: &'static str,
    /// Seconds after which another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
}

/// The answer.
pub(super) fn problem(refused: &Refused) -> Reply {
    let mut answer = reply::bare(refused.status);
    if let Some(wait) = refused.retry_after {
        answer = reply::with_retry_after(answer, wait);
    }
    let said = Problem {
        r#type: "about:blank",
        title: refused.status.canonical_reason().unwrap_or("Refused"),
        status: refused.status.as_u16(),
        detail: refused.text.clone(),
        code: refused.code,
        retry_after: refused.retry_after,
    };
    json(answer, KIND, &said)
}
