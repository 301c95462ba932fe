//! What a request brings: JSON of one type, all of whose fields are known, or nothing.

use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use shared::protocol::command_request::TypedText;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use zeroize::Zeroizing;

/// What a type looks like in JSON, with the types that it is made of.
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    pub(super) fn of<T: ToSchema>() -> Shape {
        let name = T::name().into_owned();
        let mut schemas = vec![(name.clone(), T::schema())];
        T::schemas(&mut schemas);
        Shape { name, schemas }
    }
}

/// A body that an endpoint reads.
pub(super) struct BodyKind {
    pub(super) shape: Shape,
    pub(super) is_needed: bool,
}

/// A kind of body.
pub(super) trait Body: Sized + Send + 'static {
    /// Reads it.
    fn read(request: &RequestContext<'_>, bytes: &[u8]) -> Result<Self, ActRefused>;
    /// What it looks like.
    fn takes() -> Option<BodyKind>;
}

/// No body.
pub(super) struct NoBody;

/// A body that must be there.
pub(super) struct RequiredBody<T>(pub(super) T);

/// A body that may be left out.
pub(super) struct OptionalBody<T>(pub(super) T);

impl Body for NoBody {
    fn read(request: &RequestContext<'_>, bytes: &[u8]) -> Result<NoBody, ActRefused> {
        match bytes.is_empty() {
            true => Ok(NoBody),
            false => Err(malformed(request)),
        }
    }

    fn takes() -> Option<BodyKind> {
        None
    }
}

impl<T: DeserializeOwned + ToSchema + Send + 'static> Body for RequiredBody<T> {
    fn read(request: &RequestContext<'_>, bytes: &[u8]) -> Result<RequiredBody<T>, ActRefused> {
        read(request, bytes).map(RequiredBody)
    }

    fn takes() -> Option<BodyKind> {
        Some(BodyKind {
            shape: Shape::of::<T>(),
            is_needed: true,
        })
    }
}

impl<T: DeserializeOwned + Default + ToSchema + Send + 'static> Body for OptionalBody<T> {
    fn read(request: &RequestContext<'_>, bytes: &[u8]) -> Result<OptionalBody<T>, ActRefused> {
        if bytes.is_empty() {
            return Ok(OptionalBody(T::default()));
        }
        read(request, bytes).map(OptionalBody)
    }

    fn takes() -> Option<BodyKind> {
        Some(BodyKind {
            shape: Shape::of::<T>(),
            is_needed: false,
        })
    }
}

/// A proof of the person's own: their password and a fresh code. Not needed for a quarter of an hour after one was
/// given, where the gate has a host of its own.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    #[schema(value_type = Option<String>)]
    pub(super) password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    pub(super) code: Option<TypedText>,
}

impl From<Proof> for crate::web::step_up::StepUpInput {
    fn from(proof: Proof) -> Self {
        crate::web::step_up::StepUpInput {
            password: text(proof.password),
            code: text(proof.code),
        }
    }
}

/// A text that may have been left out.
pub(super) fn text(typed: Option<TypedText>) -> Zeroizing<String> {
    Zeroizing::new(typed.as_deref().unwrap_or_default().to_owned())
}

fn read<T: DeserializeOwned>(request: &RequestContext<'_>, bytes: &[u8]) -> Result<T, ActRefused> {
    let kind = request
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let (status, text) = (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            request.t.say("not-json"),
        );
        return Err(ActRefused::new(status, "unsupported_media_type", text));
    }
    // serde would take a list for an object
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(malformed(request));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        // where, and not what: that may be a secret
        Category::Data => {
            let column = error.column().to_string();
            ActRefused::unreadable(request.t.say_of("json-schema", "column", column))
        }
        _ => malformed(request),
    })
}

fn malformed(request: &RequestContext<'_>) -> ActRefused {
    ActRefused::new(
        StatusCode::BAD_REQUEST,
        "malformed",
        request.t.say("json-malformed"),
    )
}
