//! One endpoint: its method and path, who can use it, and its function. The types of the function
//! say what it reads and returns, to the router and to the OpenAPI document alike.

use super::body::{Body, BodyKind, Shape};
use super::tokens::{Tokens, WithTokens};
use crate::http::cookies::TokenChanges;
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::http::route_table::Route;
use crate::web::refusal::{ActRefused, ActResult, HandlerError};
use crate::web::request::RequestContext;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};
use postern_shared::account::name::Label;
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use utoipa::ToSchema;

const MEDIA_TYPE: &str = "application/json";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndpointAccess {
    /// No session is required. What the endpoint does can depend on cookies.
    Anyone,
    /// A session is required, of the level that the gate's own pages require.
    SignedIn,
    /// The gate's secret for administration is required.
    Administration,
}

/// A parameter of the query, which selects what a list shows. No parameter is required.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// Description for the OpenAPI document.
    pub(super) description: &'static str,
}

/// A request at its endpoint.
pub(super) struct Call<'a> {
    pub(super) request: &'a RequestContext<'a>,
    /// Values of the variable segments of the path, decoded.
    pub(super) arguments: Vec<String>,
}

impl Call<'_> {
    /// Returns the value of the only variable segment of the path.
    pub(super) fn argument(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    pub(super) fn query_value(&self, parameter: &Parameter) -> Option<String> {
        Form::of_query(self.request.query).parameter(parameter.name)
    }

    /// Returns the same as a name. A text that is not a valid name refers to nothing.
    pub(super) fn label_argument(&self) -> ActResult<Label> {
        self.argument().parse().map_err(|_| self.no_such_item())
    }

    /// The path refers to nothing.
    pub(super) fn no_such_item(&self) -> ActRefused {
        ActRefused::not_found("no_such_item", self.request.text("not-found"))
    }
}

/// Result of an act: the answer, and the tokens that it issues or clears.
pub(super) struct EndpointReply<A> {
    pub(super) answer: A,
    pub(super) tokens: TokenChanges,
}

impl<A> From<A> for EndpointReply<A> {
    fn from(answer: A) -> EndpointReply<A> {
        let tokens = TokenChanges::default();
        EndpointReply { answer, tokens }
    }
}

pub(super) type EndpointResult<A> = Result<EndpointReply<A>, HandlerError>;

/// What an endpoint returns.
pub(super) trait Answer: Serialize + Send + 'static {
    fn shape() -> Option<Shape>;
}

impl<A: Serialize + ToSchema + Send + 'static> Answer for A {
    fn shape() -> Option<Shape> {
        Some(Shape::new::<A>())
    }
}

/// Nothing but tokens: 204 without any.
#[derive(Serialize)]
pub(super) struct Done {}

impl Answer for Done {
    fn shape() -> Option<Shape> {
        None
    }
}

#[derive(Serialize)]
struct AnswerWithTokens<A> {
    #[serde(flatten)]
    answer: A,
    #[serde(flatten)]
    with: WithTokens,
}

type AnswerFuture<'a, A> = Pin<Box<dyn Future<Output = EndpointResult<A>> + Send + 'a>>;
type ReplyFuture<'a> = Pin<Box<dyn Future<Output = Result<HttpReply, HandlerError>> + Send + 'a>>;
type BoxedHandler = Box<dyn for<'a> Fn(&'a Call<'a>, Bytes) -> ReplyFuture<'a> + Send + Sync>;

/// Function of an endpoint: an async function of the call and its body.
pub(super) trait EndpointHandler<'a, B, A>: Send + Sync + 'static {
    fn call(&self, call: &'a Call<'a>, body: B) -> AnswerFuture<'a, A>;
}

impl<'a, B, A, H, F> EndpointHandler<'a, B, A> for H
where
    H: Fn(&'a Call<'a>, B) -> F + Send + Sync + 'static,
    F: Future<Output = EndpointResult<A>> + Send + 'a,
{
    fn call(&self, call: &'a Call<'a>, body: B) -> AnswerFuture<'a, A> {
        Box::pin(self(call, body))
    }
}

pub(super) struct Endpoint {
    pub(super) access: EndpointAccess,
    /// Summary for the OpenAPI document.
    pub(super) summary: &'static str,
    pub(super) query_parameters: &'static [Parameter],
    pub(super) body: Option<BodyKind>,
    /// `None` returns 204, or tokens only.
    pub(super) answer_shape: Option<Shape>,
    run: BoxedHandler,
}

/// Makes the endpoint of a method and a path, for every client.
pub(super) fn endpoint<B: Body, A: Answer>(
    method: Method,
    path: &'static str,
    handler: impl for<'a> EndpointHandler<'a, B, A>,
) -> Route<Endpoint> {
    let handler = Arc::new(handler);
    let has_answer = A::shape().is_some();
    let run: BoxedHandler = Box::new(move |call, bytes| {
        let handler = Arc::clone(&handler);
        Box::pin(async move {
            let request = call.request;
            let reply = handler.call(call, B::parse(request, &bytes)?).await?;
            let EndpointReply {
                answer,
                tokens: changes,
            } = reply;
            let tokens = Tokens::of(request, &changes)?;
            let reply = match has_answer || tokens.is_some() {
                true => {
                    let with = WithTokens { tokens };
                    json(
                        StatusCode::OK,
                        MEDIA_TYPE,
                        &AnswerWithTokens { answer, with },
                    )
                }
                false => {
                    let mut reply = reply::bare(StatusCode::NO_CONTENT);
                    reply.headers_mut().remove(CONTENT_LENGTH);
                    reply
                }
            };
            Ok(request.with_tokens(reply, &changes))
        })
    });
    let handler = Endpoint {
        access: EndpointAccess::Anyone,
        summary: "",
        query_parameters: &[],
        body: B::kind(),
        answer_shape: A::shape(),
        run,
    };
    Route::new(method, path, handler)
}

impl Route<Endpoint> {
    pub(super) fn summary(mut self, summary: &'static str) -> Route<Endpoint> {
        self.handler.summary = summary;
        self
    }

    pub(super) fn query(mut self, parameters: &'static [Parameter]) -> Route<Endpoint> {
        self.handler.query_parameters = parameters;
        self
    }
}

/// Restricts endpoints to clients with this access.
pub(super) fn restrict<const N: usize>(
    access: EndpointAccess,
    endpoints: [Route<Endpoint>; N],
) -> Vec<Route<Endpoint>> {
    let mut endpoints = Vec::from(endpoints);
    endpoints
        .iter_mut()
        .for_each(|endpoint| endpoint.handler.access = access);
    endpoints
}

impl Endpoint {
    /// Reads the body, and runs the act.
    pub(super) async fn run<'a>(
        &self,
        call: &'a Call<'a>,
        bytes: Bytes,
    ) -> Result<HttpReply, HandlerError> {
        (self.run)(call, bytes).await
    }
}

/// Makes a reply of JSON.
pub(super) fn json(
    status: StatusCode,
    media_type: &'static str,
    answer: &impl Serialize,
) -> HttpReply {
    let Ok(bytes) = serde_json::to_vec(answer) else {
        return reply::bare(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let headers = [
        (CONTENT_TYPE, media_type),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut reply = reply::with_headers(reply::bare(status), headers);
    reply
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    *reply.body_mut() = Full::from(bytes);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flattened parts must be maps, or serialization fails and the answer is a bare 500.
    #[test]
    fn an_answer_without_tokens_is_the_answer_alone() {
        let document = crate::api::document::Document(serde_json::json!({ "a": [1, { "b": 2 }] }));
        let with = WithTokens { tokens: None };
        let text = serde_json::to_string(&AnswerWithTokens {
            answer: document,
            with,
        });
        assert_eq!(text.unwrap(), r#"{"a":[1,{"b":2}]}"#);
        let tokens = Some(Tokens::default());
        let with = WithTokens { tokens };
        let text = serde_json::to_string(&AnswerWithTokens {
            answer: Done {},
            with,
        });
        assert_eq!(text.unwrap(), r#"{"tokens":{}}"#);
    }
}
