//! Refusals as programs read them: RFC 9457, with a code that is the same in every language.

use super::endpoint::json;
use crate::http::reply::{self, HttpReply};
use crate::web::refusal::ActRefused;
use serde::Serialize;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// RFC 9457, section 3.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

const CODES: &[&str] = &[
    "already_enrolled",
    "already_registered",
    "busy",
    "clock_behind",
    "clock_set_back",
    "code_expired",
    "code_used",
    "declared",
    "enrollment_expired",
    "foreign_origin",
    "identity_missing",
    "invalid_value",
    "last_authenticator",
    "locked",
    "mail_cooldown",
    "mail_waits",
    "malformed",
    "method_not_allowed",
    "name_taken",
    "no_account",
    "no_code",
    "no_mail",
    "no_passkeys",
    "no_secret",
    "no_such_item",
    "not_done",
    "not_enrolled",
    "not_found",
    "not_mailed",
    "nothing_to_confirm",
    "one_time_code_required",
    "passkey_not_verified",
    "passkey_refused",
    "passkey_sign_in_required",
    "password_common",
    "password_not_managed",
    "refused",
    "required",
    "sign_in_expired",
    "signed_out",
    "stale",
    "step_up_not_kept",
    "step_up_required",
    "token_used",
    "too_large",
    "too_many",
    "too_many_attempts",
    "too_slow",
    "unavailable",
    "unsupported_media_type",
    "wrong_code",
    "wrong_password",
    "wrong_secret",
];

#[derive(Serialize)]
#[serde(transparent)]
struct ProblemCode(&'static str);

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let codes = CODES.iter().copied();
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(codes))
            .into()
    }
}

impl ToSchema for ProblemCode {}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always about:blank: the code says more.
    r#type: &'static str,
    /// Name of the status.
    title: &'static str,
    status: u16,
    /// For the user, in a language of Accept-Language.
    detail: String,
    /// For the program, the same in every language.
    code: ProblemCode,
    /// Seconds to wait before another attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
}

pub(super) fn problem(refused: &ActRefused) -> HttpReply {
    let body = Problem {
        r#type: "about:blank",
        title: refused.status.canonical_reason().unwrap_or("Refused"),
        status: refused.status.as_u16(),
        detail: refused.text.clone(),
        code: ProblemCode(refused.code),
        retry_after: refused.retry_after,
    };
    let answer = json(refused.status, MEDIA_TYPE, &body);
    match refused.retry_after {
        Some(wait) => reply::with_retry_after(answer, wait),
        None => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// Functions whose first argument is a code.
    const CONSTRUCTORS: [&str; 6] = [
        "conflict(",
        "forbidden(",
        "not_found(",
        "too_many_requests(",
        "unauthorized(",
        "unavailable(",
    ];

    #[test]
    fn the_document_has_every_code_of_the_sources_and_no_other() {
        let mut codes = BTreeSet::new();
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let pages_of_administrators = src.join("web/admin");
        let mut folders = vec![src];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // pages show no codes
                if path == pages_of_administrators {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let source = fs::read_to_string(&path).unwrap();
                let parts: Vec<&str> = source.split('"').collect();
                for pair in parts.windows(2) {
                    let (before, literal) = (pair[0].trim_end(), pair[1]);
                    let word = before
                        .strip_suffix(',')
                        .and_then(|rest| rest.rsplit([' ', '(']).next());
                    let follows = word
                        .is_some_and(|word| word == "status" || word.starts_with("StatusCode::"));
                    let is_made = CONSTRUCTORS.iter().any(|made| before.ends_with(made));
                    let is_snake = literal.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                    if (follows || is_made) && is_snake && !literal.is_empty() {
                        codes.insert(literal.to_owned());
                    }
                }
            }
        }
        assert_eq!(codes, CODES.iter().map(|code| (*code).to_owned()).collect());
    }
}
