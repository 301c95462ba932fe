//! Request bodies: JSON of one type, without unknown fields, or no body.

use crate::web::refusal::{ActRefused, ActResult};
use crate::web::request::RequestContext;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use postern_shared::protocol::command_request::TypedText;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use zeroize::Zeroizing;

/// JSON schema of a type and of the types in it.
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    pub(super) fn new<T: ToSchema>() -> Shape {
        let name = T::name().into_owned();
        let mut schemas = vec![(name.clone(), T::schema())];
        T::schemas(&mut schemas);
        Shape { name, schemas }
    }
}

pub(super) struct BodyKind {
    pub(super) shape: Shape,
    pub(super) is_required: bool,
}

/// Kind of body that an endpoint reads.
pub(super) trait Body: Sized + Send + 'static {
    fn parse(request: &RequestContext<'_>, bytes: &[u8]) -> ActResult<Self>;
    fn kind() -> Option<BodyKind>;
}

pub(super) struct NoBody;

pub(super) struct Json<T>(pub(super) T);

pub(super) struct OptionalJson<T>(pub(super) T);

impl Body for NoBody {
    fn parse(request: &RequestContext<'_>, bytes: &[u8]) -> ActResult<NoBody> {
        match bytes.is_empty() {
            true => Ok(NoBody),
            false => Err(malformed_body(request)),
        }
    }

    fn kind() -> Option<BodyKind> {
        None
    }
}

impl<T: DeserializeOwned + ToSchema + Send + 'static> Body for Json<T> {
    fn parse(request: &RequestContext<'_>, bytes: &[u8]) -> ActResult<Json<T>> {
        parse_json(request, bytes).map(Json)
    }

    fn kind() -> Option<BodyKind> {
        Some(BodyKind {
            shape: Shape::new::<T>(),
            is_required: true,
        })
    }
}

impl<T: DeserializeOwned + Default + ToSchema + Send + 'static> Body for OptionalJson<T> {
    fn parse(request: &RequestContext<'_>, bytes: &[u8]) -> ActResult<OptionalJson<T>> {
        if bytes.is_empty() {
            return Ok(OptionalJson(T::default()));
        }
        parse_json(request, bytes).map(OptionalJson)
    }

    fn kind() -> Option<BodyKind> {
        Some(BodyKind {
            shape: Shape::new::<T>(),
            is_required: false,
        })
    }
}

/// Returns the text of an optional field, which is empty without one.
pub(super) fn optional_text(typed: Option<TypedText>) -> Zeroizing<String> {
    Zeroizing::new(typed.as_deref().unwrap_or_default().to_owned())
}

fn parse_json<T: DeserializeOwned>(request: &RequestContext<'_>, bytes: &[u8]) -> ActResult<T> {
    let kind = request
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let (status, text) = (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            request.language.text("not-json"),
        );
        return Err(ActRefused::new(status, "unsupported_media_type", text));
    }
    // serde would accept an array in place of an object
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(malformed_body(request));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        // names the position only, since the value can be a secret
        Category::Data => {
            let column = error.column().to_string();
            ActRefused::invalid_value(request.language.text_with("json-schema", "column", column))
        }
        _ => malformed_body(request),
    })
}

fn malformed_body(request: &RequestContext<'_>) -> ActRefused {
    ActRefused::new(
        StatusCode::BAD_REQUEST,
        "malformed",
        request.language.text("json-malformed"),
    )
}
