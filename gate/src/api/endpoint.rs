//! One endpoint: its method and path, who can use it, and its function. The types of the function
//! say what it reads and returns, to the router and to the OpenAPI document alike.

use super::body::{Body, BodyKind, Shape};
use super::query::{self, Parameter};
use super::tokens::{Tokens, WithTokens};
use crate::http::reply::{self, HttpReply};
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use postern_shared::account::name::Label;
use serde::Serialize;
use std::pin::Pin;
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

/// A request at its endpoint.
pub(super) struct Call<'a> {
    pub(super) request: &'a RequestContext<'a>,
    /// Values of the variable segments of the path, decoded.
    pub(super) arguments: Vec<String>,
    pub(super) query: &'a str,
}

impl Call<'_> {
    /// Returns the value of the only variable segment of the path.
    pub(super) fn argument(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    pub(super) fn query_value(&self, parameter: &Parameter) -> Option<String> {
        query::find_parameter(self.query, parameter)
    }

    /// Returns the same as a name. A text that is not a valid name refers to nothing.
    pub(super) fn label_argument(&self) -> Result<Label, ActRefused> {
        self.argument().parse().map_err(|_| self.no_such_item())
    }

    /// The path refers to nothing.
    pub(super) fn no_such_item(&self) -> ActRefused {
        ActRefused::new(
            StatusCode::NOT_FOUND,
            "no_such_item",
            self.request.language.text("not-found"),
        )
    }
}

/// Result of an act: the answer, and a reply that has the cookies already.
pub(super) struct EndpointReply<A> {
    pub(super) reply: HttpReply,
    pub(super) answer: A,
}

impl<A> EndpointReply<A> {
    /// Makes a result without cookies.
    pub(super) fn new(answer: A) -> EndpointReply<A> {
        EndpointReply {
            reply: reply::bare(StatusCode::OK),
            answer,
        }
    }
}

#[derive(Serialize)]
struct EndpointResult<A> {
    #[serde(flatten)]
    answer: A,
    #[serde(flatten)]
    with: WithTokens,
}

/// Future of an endpoint's function.
pub(super) type HandlerResult<'a, A> =
    Pin<Box<dyn Future<Output = Result<EndpointReply<A>, ActRefused>> + Send + 'a>>;
type EndpointHandler<A, B> = for<'a> fn(&'a Call<'a>, B) -> HandlerResult<'a, A>;
type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<HttpReply, ActRefused>> + Send + 'a>>;
type BoxedHandler = Box<dyn for<'a> Fn(&'a Call<'a>, Bytes) -> HandlerFuture<'a> + Send + Sync>;

pub(super) struct Endpoint {
    pub(super) method: Method,
    /// Below `api/v1/`. Segments in braces are variable.
    pub(super) path: &'static str,
    pub(super) access: EndpointAccess,
    /// Summary for the OpenAPI document.
    pub(super) summary: &'static str,
    /// Parameters of the query.
    pub(super) query_parameters: &'static [Parameter],
    pub(super) body: Option<BodyKind>,
    /// `None` returns 204, or tokens only.
    pub(super) answer_shape: Option<Shape>,
    run: BoxedHandler,
}

impl Endpoint {
    /// Makes an endpoint that returns an answer.
    pub(super) fn with_answer<B: Body, A: Serialize + ToSchema + Send + 'static>(
        (method, path): (Method, &'static str),
        access: EndpointAccess,
        summary: &'static str,
        act: EndpointHandler<A, B>,
    ) -> Endpoint {
        let run: BoxedHandler = Box::new(move |call, bytes| {
            Box::pin(async move {
                let EndpointReply { reply, answer } =
                    act(call, B::parse(call.request, &bytes)?).await?;
                Ok(match Tokens::from_reply(call.request, &reply)? {
                    None => json(reply, MEDIA_TYPE, &answer),
                    tokens => json(
                        reply,
                        MEDIA_TYPE,
                        &EndpointResult {
                            answer,
                            with: WithTokens { tokens },
                        },
                    ),
                })
            })
        });
        let (body, answer_shape) = (B::kind(), Some(Shape::new::<A>()));
        Endpoint {
            method,
            path,
            access,
            summary,
            query_parameters: &[],
            body,
            answer_shape,
            run,
        }
    }

    /// Makes an endpoint that returns tokens at most.
    pub(super) fn without_answer<B: Body>(
        (method, path): (Method, &'static str),
        access: EndpointAccess,
        summary: &'static str,
        act: EndpointHandler<(), B>,
    ) -> Endpoint {
        let run: BoxedHandler = Box::new(move |call, bytes| {
            Box::pin(async move {
                let mut reply = act(call, B::parse(call.request, &bytes)?).await?.reply;
                let tokens = Tokens::from_reply(call.request, &reply)?;
                if tokens.is_some() {
                    return Ok(json(reply, MEDIA_TYPE, &WithTokens { tokens }));
                }
                *reply.status_mut() = StatusCode::NO_CONTENT;
                reply.headers_mut().remove(CONTENT_LENGTH);
                Ok(reply)
            })
        });
        Endpoint {
            method,
            path,
            access,
            summary,
            query_parameters: &[],
            body: B::kind(),
            answer_shape: None,
            run,
        }
    }

    /// Adds parameters of the query.
    pub(super) fn with_query(self, query_parameters: &'static [Parameter]) -> Endpoint {
        Endpoint {
            query_parameters,
            ..self
        }
    }

    /// Reads the body, and runs the act.
    pub(super) async fn run<'a>(
        &self,
        call: &'a Call<'a>,
        bytes: Bytes,
    ) -> Result<HttpReply, ActRefused> {
        (self.run)(call, bytes).await
    }
}

/// Writes JSON into a reply.
pub(super) fn json(
    mut reply: HttpReply,
    media_type: &'static str,
    answer: &impl Serialize,
) -> HttpReply {
    let Ok(bytes) = serde_json::to_vec(answer) else {
        return reply::bare(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let headers = reply.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    *reply.body_mut() = Full::from(bytes);
    reply
}
