//! The API's own description, OpenAPI 3.1, made of the endpoints themselves.

use super::body::{NoBody, Shape};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use super::problem::{KIND, Problem};
use super::query::Parameter;
use super::router::ENDPOINTS;
use super::tokens::WithTokens;
use hyper::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::ToSchema;

static DOCUMENT: LazyLock<Value> = LazyLock::new(written);

/// What there is to know beside the endpoints.
const ABOUT: &str = "What the pages of the gate do, for programs. A sign-in gives a session, which is a cookie; critical acts require a proof, the password and a new code, which is valid for 15 minutes. Where gate.api_tokens is on, every reply that sets cookies also has them as tokens, and headers may replace the cookies: Authorization: Bearer, with the access token, and Postern-Login, Postern-Enrollment, Postern-Step-Up and Postern-Browser. A request that has one of these has no cookies.";

/// What may go wrong anywhere.
const ANYWHERE: [u16; 2] = [429, 503];
/// What else may go wrong with an act.
const ACTS: [u16; 6] = [400, 401, 403, 404, 409, 422];
/// What else may go wrong with a body.
const BODIES: [u16; 3] = [408, 413, 415];

/// The description.
#[derive(Serialize, ToSchema)]
#[schema(value_type = Object)]
struct Document(Value);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::tells(
        (Method::GET, "openapi.json"),
        EndpointAccess::Anyone,
        "This description.",
        |call, NoBody| {
            Box::pin(async {
                let mut document = DOCUMENT.clone();
                // where the gate stands decides its name
                document["components"]["securitySchemes"]["session"]["name"] =
                    call.request.site.cookies.names.session.into();
                Ok(EndpointReply::saying(Document(document)))
            })
        },
    )]
}

fn written() -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let problem = Shape::of::<Problem>();
    let problem = kept(&mut schemas, &problem);
    for endpoint in ENDPOINTS.iter() {
        let described = described(endpoint, &problem, &mut schemas);
        let path = paths
            .entry(format!("/{}", endpoint.path))
            .or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = described;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postern",
            "version": "1",
            "description": ABOUT,
        },
        "servers": [{ "url": "." }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": { "type": "apiKey", "in": "cookie", "name": "__Secure-postern" },
                "access_token": { "type": "http", "scheme": "bearer", "description": "Only where gate.api_tokens is on." },
                "administration": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The gate's secret for administration; these endpoints exist only where one is configured.",
                },
            },
        },
    })
}

fn described(endpoint: &Endpoint, problem: &Value, schemas: &mut Map<String, Value>) -> Value {
    let mut statuses = ANYWHERE.to_vec();
    if endpoint.method != Method::GET {
        statuses.extend(ACTS);
        statuses.extend(BODIES);
    }
    statuses.extend(match endpoint.access {
        EndpointAccess::Anyone => &[][..],
        // the account may go while it is looked at
        EndpointAccess::SignedIn => &[401, 404],
        // what is not on is not there; a name may be none
        EndpointAccess::Administration => &[401, 403, 404, 422],
    });
    let mut responses = answers(endpoint, schemas);
    for status in statuses {
        let content = json!({ KIND: { "schema": problem } });
        responses.insert(
            status.to_string(),
            json!({ "description": "Refused.", "content": content }),
        );
    }
    let mut described = json!({
        "operationId": name(endpoint),
        "summary": endpoint.about,
        "responses": responses,
    });
    let path = variables(endpoint.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let query = endpoint.asks.iter().map(|Parameter { name, about }| {
        json!({ "name": name, "in": "query", "description": about, "schema": { "type": "string" } })
    });
    let parameters: Vec<Value> = path.chain(query).collect();
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(takes) = &endpoint.takes {
        let schema = kept(schemas, &takes.shape);
        let content = json!({ "application/json": { "schema": schema } });
        described["requestBody"] = json!({ "required": takes.is_needed, "content": content });
    }
    match endpoint.access {
        EndpointAccess::Anyone => {}
        EndpointAccess::SignedIn => {
            described["security"] = json!([{ "session": [] }, { "access_token": [] }])
        }
        EndpointAccess::Administration => described["security"] = json!([{ "administration": [] }]),
    }
    described
}

/// What comes of an endpoint that does as asked.
fn answers(endpoint: &Endpoint, schemas: &mut Map<String, Value>) -> Map<String, Value> {
    let says = endpoint.gives.as_ref().map(|shape| kept(schemas, shape));
    // what only reads sets no cookies, and programs that administer have none
    let has_cookies =
        endpoint.method != Method::GET && endpoint.access != EndpointAccess::Administration;
    let tokens = has_cookies.then(|| kept(schemas, &Shape::of::<WithTokens>()));
    let mut answers = Map::new();
    if says.is_none() {
        answers.insert("204".to_owned(), json!({ "description": "Done." }));
    }
    let schema = match (says, tokens) {
        (None, None) => return answers,
        (Some(one), None) | (None, Some(one)) => one,
        (Some(says), Some(tokens)) => json!({ "allOf": [says, tokens] }),
    };
    let content = json!({ "application/json": { "schema": schema } });
    answers.insert(
        "200".to_owned(),
        json!({ "description": "Done.", "content": content }),
    );
    answers
}

/// Notes a shape's schemas; what refers to it.
fn kept(schemas: &mut Map<String, Value>, shape: &Shape) -> Value {
    for (name, schema) in &shape.schemas {
        schemas.insert(name.clone(), json!(schema));
    }
    json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
}

fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// `delete_app_passwords_name`, for those who make a client of it.
fn name(endpoint: &Endpoint) -> String {
    let path = endpoint
        .path
        .replace(['{', '}'], "")
        .replace(['/', '-', '.'], "_");
    format!("{}_{path}", endpoint.method.as_str().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_endpoint_stands_in_the_document_and_nothing_else_does() {
        let routed: BTreeSet<(String, String)> = ENDPOINTS
            .iter()
            .map(|endpoint| {
                (
                    format!("/{}", endpoint.path),
                    endpoint.method.as_str().to_ascii_lowercase(),
                )
            })
            .collect();
        let mut written = BTreeSet::new();
        for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                written.insert((path.clone(), method.clone()));
            }
        }
        assert_eq!(routed, written);
        assert_eq!(routed.len(), ENDPOINTS.len());
    }

    #[test]
    fn what_the_document_refers_to_stands_in_it() {
        let text = DOCUMENT.to_string();
        let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
        let referred: BTreeSet<&str> = text
            .split("\"#/components/schemas/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let kept: BTreeSet<&str> = schemas.keys().map(String::as_str).collect();
        assert_eq!(referred, kept);
    }

    #[test]
    fn what_a_program_shows_and_may_ask_stands_with_the_endpoint() {
        let described = &DOCUMENT["paths"]["/administration/accounts"]["get"];
        assert_eq!(described["security"], json!([{ "administration": [] }]));
        let parameters = described["parameters"].as_array().unwrap();
        let asked: Vec<_> = parameters
            .iter()
            .map(|one| (one["in"].as_str(), one["name"].as_str()))
            .collect();
        assert_eq!(
            asked,
            [
                (Some("query"), Some("find")),
                (Some("query"), Some("after"))
            ]
        );
        for endpoint in ENDPOINTS
            .iter()
            .filter(|endpoint| endpoint.access != EndpointAccess::Anyone)
        {
            let method = endpoint.method.as_str().to_ascii_lowercase();
            let described = &DOCUMENT["paths"][format!("/{}", endpoint.path)][method];
            let scheme = described["security"][0]
                .as_object()
                .and_then(|one| one.keys().next())
                .unwrap();
            assert!(
                DOCUMENT["components"]["securitySchemes"]
                    .get(scheme)
                    .is_some(),
                "{}",
                endpoint.path
            );
        }
    }

    #[test]
    fn two_types_share_no_name() {
        let mut schemas: Map<String, Value> = Map::new();
        let shapes = ENDPOINTS.iter().flat_map(|endpoint| {
            endpoint
                .gives
                .iter()
                .chain(endpoint.takes.iter().map(|takes| &takes.shape))
        });
        for (name, schema) in shapes.flat_map(|shape| &shape.schemas) {
            let before = schemas.insert(name.clone(), json!(schema));
            assert!(
                before.is_none_or(|before| before == json!(schema)),
                "{name}"
            );
        }
    }

    #[test]
    fn nothing_is_read_that_is_not_described() {
        for endpoint in ENDPOINTS.iter() {
            for (name, schema) in endpoint.takes.iter().flat_map(|takes| &takes.shape.schemas) {
                let schema = json!(schema);
                let is_closed =
                    schema["type"] != "object" || schema["additionalProperties"] == false;
                assert!(is_closed, "{name}: {schema}");
            }
        }
    }
}
