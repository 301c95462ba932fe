//! One endpoint: its method and path, who may use it, what it reads and answers, and the act. Types say what is read
//! and answered, to the router and to the document alike.

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
use serde::Serialize;
use shared::account::name::Label;
use std::pin::Pin;
use utoipa::ToSchema;

/// The media type of answers.
const JSON: &str = "application/json";

/// Who may use an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndpointAccess {
    /// Whoever comes; what it does may still depend on a cookie.
    Anyone,
    /// Someone who is signed in.
    SignedIn,
    /// A program that shows the gate's secret for administration.
    Administration,
}

/// A request at its endpoint.
pub(super) struct Call<'a> {
    pub(super) request: &'a RequestContext<'a>,
    /// What stands in the variable parts of the path.
    pub(super) arguments: Vec<String>,
    /// What stands behind the question mark.
    pub(super) query: &'a str,
}

impl Call<'_> {
    /// The one variable part of the path.
    pub(super) fn argument(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    /// What the query says.
    pub(super) fn asked(&self, parameter: &Parameter) -> Option<String> {
        query::value(self.query, parameter)
    }

    /// The same as a name; nothing is called what is none.
    pub(super) fn label(&self) -> Result<Label, ActRefused> {
        self.argument().parse().map_err(|_| self.gone())
    }

    /// Nothing is called so.
    pub(super) fn gone(&self) -> ActRefused {
        ActRefused::new(
            StatusCode::NOT_FOUND,
            "no_such_item",
            self.request.t.say("not-found"),
        )
    }
}

/// An act that was done: what there is to say, and the reply that has its cookies already.
pub(super) struct EndpointReply<A> {
    pub(super) reply: HttpReply,
    pub(super) answer: A,
}

impl<A> EndpointReply<A> {
    /// Without cookies.
    pub(super) fn saying(answer: A) -> EndpointReply<A> {
        EndpointReply {
            reply: reply::bare(StatusCode::OK),
            answer,
        }
    }
}

/// An answer with tokens beside it.
#[derive(Serialize)]
struct EndpointResult<A> {
    #[serde(flatten)]
    answer: A,
    #[serde(flatten)]
    with: WithTokens,
}

/// An act on its way.
pub(super) type Doing<'a, A> =
    Pin<Box<dyn Future<Output = Result<EndpointReply<A>, ActRefused>> + Send + 'a>>;
type EndpointHandler<A, B> = for<'a> fn(&'a Call<'a>, B) -> Doing<'a, A>;
type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<HttpReply, ActRefused>> + Send + 'a>>;
type Run = Box<dyn for<'a> Fn(&'a Call<'a>, Bytes) -> HandlerFuture<'a> + Send + Sync>;

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) method: Method,
    /// Below `api/v1/`; what stands in braces varies.
    pub(super) path: &'static str,
    pub(super) access: EndpointAccess,
    /// What it does, for the document.
    pub(super) about: &'static str,
    /// What the query may say.
    pub(super) asks: &'static [Parameter],
    pub(super) takes: Option<BodyKind>,
    /// Nothing: it answers 204, or with tokens.
    pub(super) gives: Option<Shape>,
    run: Run,
}

impl Endpoint {
    /// One that answers with something.
    pub(super) fn tells<B: Body, A: Serialize + ToSchema + Send + 'static>(
        (method, path): (Method, &'static str),
        access: EndpointAccess,
        about: &'static str,
        act: EndpointHandler<A, B>,
    ) -> Endpoint {
        let run: Run = Box::new(move |call, bytes| {
            Box::pin(async move {
                let EndpointReply { reply, answer } =
                    act(call, B::read(call.request, &bytes)?).await?;
                Ok(match Tokens::beside(call.request, &reply)? {
                    None => json(reply, JSON, &answer),
                    tokens => json(
                        reply,
                        JSON,
                        &EndpointResult {
                            answer,
                            with: WithTokens { tokens },
                        },
                    ),
                })
            })
        });
        let (takes, gives) = (B::takes(), Some(Shape::of::<A>()));
        Endpoint {
            method,
            path,
            access,
            about,
            asks: &[],
            takes,
            gives,
            run,
        }
    }

    /// One that has nothing to say but tokens.
    pub(super) fn does<B: Body>(
        (method, path): (Method, &'static str),
        access: EndpointAccess,
        about: &'static str,
        act: EndpointHandler<(), B>,
    ) -> Endpoint {
        let run: Run = Box::new(move |call, bytes| {
            Box::pin(async move {
                let mut reply = act(call, B::read(call.request, &bytes)?).await?.reply;
                let tokens = Tokens::beside(call.request, &reply)?;
                if tokens.is_some() {
                    return Ok(json(reply, JSON, &WithTokens { tokens }));
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
            about,
            asks: &[],
            takes: B::takes(),
            gives: None,
            run,
        }
    }

    /// The same, which may be asked these in the query.
    pub(super) fn asking(self, asks: &'static [Parameter]) -> Endpoint {
        Endpoint { asks, ..self }
    }

    /// Reads the body, and acts.
    pub(super) async fn run<'a>(
        &self,
        call: &'a Call<'a>,
        bytes: Bytes,
    ) -> Result<HttpReply, ActRefused> {
        (self.run)(call, bytes).await
    }
}

/// Puts JSON into a reply.
pub(super) fn json(mut reply: HttpReply, kind: &'static str, answer: &impl Serialize) -> HttpReply {
    let Ok(bytes) = serde_json::to_vec(answer) else {
        return reply::bare(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let headers = reply.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    *reply.body_mut() = Full::from(bytes);
    reply
}
