//! The OpenAPI 3.1 description of the API, made from the endpoints themselves.

use super::body::{NoBody, Shape};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use super::problem::{MEDIA_TYPE, Problem};
use super::query::Parameter;
use super::router::ENDPOINTS;
use super::tokens::WithTokens;
use hyper::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::ToSchema;

static DOCUMENT: LazyLock<Value> = LazyLock::new(write_document);

/// General description, beside the endpoints.
const DESCRIPTION: &str = "What the pages of the gate do, for programs. A sign-in gives a session, which is a cookie; critical acts require a proof, the password and a new code, which is valid for 15 minutes. Where gate.api_tokens is on, every reply that sets cookies also has them as tokens, and headers may replace the cookies: Authorization: Bearer, with the access token, and Postern-Login, Postern-Enrollment, Postern-Step-Up and Postern-Browser. A request that has one of these has no cookies.";

/// Statuses that every endpoint can return.
const COMMON_STATUSES: [u16; 2] = [429, 503];
/// Further statuses of endpoints that change something.
const CHANGE_STATUSES: [u16; 6] = [400, 401, 403, 404, 409, 422];
/// Further statuses of endpoints that read a body.
const BODY_STATUSES: [u16; 3] = [408, 413, 415];

#[derive(Serialize, ToSchema)]
#[schema(value_type = Object)]
struct Document(Value);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::with_answer(
        (Method::GET, "openapi.json"),
        EndpointAccess::Anyone,
        "This description.",
        |call, NoBody| {
            Box::pin(async {
                let mut document = DOCUMENT.clone();
                // the name depends on the gate's path
                document["components"]["securitySchemes"]["session"]["name"] =
                    call.request.site.cookies.names.session.into();
                Ok(EndpointReply::new(Document(document)))
            })
        },
    )]
}

fn write_document() -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let problem = Shape::new::<Problem>();
    let problem = add_schemas(&mut schemas, &problem);
    for endpoint in ENDPOINTS.iter() {
        let operation = describe_endpoint(endpoint, &problem, &mut schemas);
        let path = paths
            .entry(format!("/{}", endpoint.path))
            .or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postern",
            "version": "1",
            "description": DESCRIPTION,
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

fn describe_endpoint(
    endpoint: &Endpoint,
    problem: &Value,
    schemas: &mut Map<String, Value>,
) -> Value {
    let mut statuses = COMMON_STATUSES.to_vec();
    if endpoint.method != Method::GET {
        statuses.extend(CHANGE_STATUSES);
        statuses.extend(BODY_STATUSES);
    }
    statuses.extend(match endpoint.access {
        EndpointAccess::Anyone => &[][..],
        // the account can be deleted while the session is valid
        EndpointAccess::SignedIn => &[401, 404],
        // 404 while administration is not configured; 422 for a name that is not valid
        EndpointAccess::Administration => &[401, 403, 404, 422],
    });
    let mut responses = describe_answers(endpoint, schemas);
    for status in statuses {
        let content = json!({ MEDIA_TYPE: { "schema": problem } });
        responses.insert(
            status.to_string(),
            json!({ "description": "Refused.", "content": content }),
        );
    }
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "responses": responses,
    });
    let path = path_parameters(endpoint.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let query = endpoint.query_parameters.iter().map(|Parameter { name, description }| {
        json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } })
    });
    let parameters: Vec<Value> = path.chain(query).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = &endpoint.body {
        let schema = add_schemas(schemas, &body.shape);
        let content = json!({ "application/json": { "schema": schema } });
        operation["requestBody"] = json!({ "required": body.is_required, "content": content });
    }
    match endpoint.access {
        EndpointAccess::Anyone => {}
        EndpointAccess::SignedIn => {
            operation["security"] = json!([{ "session": [] }, { "access_token": [] }])
        }
        EndpointAccess::Administration => operation["security"] = json!([{ "administration": [] }]),
    }
    operation
}

/// Describes the responses of an act that succeeds.
fn describe_answers(endpoint: &Endpoint, schemas: &mut Map<String, Value>) -> Map<String, Value> {
    let says = endpoint
        .answer_shape
        .as_ref()
        .map(|shape| add_schemas(schemas, shape));
    // endpoints that only read set no cookies, and programs that administer have none
    let has_cookies =
        endpoint.method != Method::GET && endpoint.access != EndpointAccess::Administration;
    let tokens = has_cookies.then(|| add_schemas(schemas, &Shape::new::<WithTokens>()));
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

/// Adds the schemas of a shape, and returns the reference to it.
fn add_schemas(schemas: &mut Map<String, Value>, shape: &Shape) -> Value {
    for (name, schema) in &shape.schemas {
        schemas.insert(name.clone(), json!(schema));
    }
    json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// Returns the operation id, such as `delete_app_passwords_name`, from which client generators make
/// a name.
fn operation_id(endpoint: &Endpoint) -> String {
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
    fn the_document_has_every_endpoint_and_no_other() {
        let routed: BTreeSet<(String, String)> = ENDPOINTS
            .iter()
            .map(|endpoint| {
                (
                    format!("/{}", endpoint.path),
                    endpoint.method.as_str().to_ascii_lowercase(),
                )
            })
            .collect();
        let mut write_document = BTreeSet::new();
        for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                write_document.insert((path.clone(), method.clone()));
            }
        }
        assert_eq!(routed, write_document);
        assert_eq!(routed.len(), ENDPOINTS.len());
    }

    #[test]
    fn every_reference_of_the_document_resolves() {
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
    fn the_document_has_the_security_scheme_and_the_query_of_an_endpoint() {
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
                .answer_shape
                .iter()
                .chain(endpoint.body.iter().map(|takes| &takes.shape))
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
    fn no_body_accepts_unknown_fields() {
        for endpoint in ENDPOINTS.iter() {
            for (name, schema) in endpoint.body.iter().flat_map(|takes| &takes.shape.schemas) {
                let schema = json!(schema);
                let is_closed =
                    schema["type"] != "object" || schema["additionalProperties"] == false;
                assert!(is_closed, "{name}: {schema}");
            }
        }
    }
}
