//! The OpenAPI 3.1 description of the API, made from the endpoints themselves.

use super::body::Shape;
use super::endpoint::{Endpoint, EndpointAccess, Parameter};
use super::problem::{MEDIA_TYPE, Problem};
use super::tokens::WithTokens;
use crate::http::route_table::{Route, RouteTable};
use hyper::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

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
pub(super) struct Document(pub(super) Value);

/// Describes the endpoints of a table.
pub(super) fn describe_endpoints(endpoints: &RouteTable<Endpoint>) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let problem = Shape::new::<Problem>();
    let problem = add_schemas(&mut schemas, &problem);
    for endpoint in endpoints.iter() {
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
    endpoint: &Route<Endpoint>,
    problem: &Value,
    schemas: &mut Map<String, Value>,
) -> Value {
    let mut statuses = COMMON_STATUSES.to_vec();
    if endpoint.method != Method::GET {
        statuses.extend(CHANGE_STATUSES);
        statuses.extend(BODY_STATUSES);
    }
    statuses.extend(match endpoint.handler.access {
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
        "summary": endpoint.handler.summary,
        "responses": responses,
    });
    let path = path_parameters(endpoint.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let query = endpoint.handler.query_parameters.iter().map(|Parameter { name, description }| {
        json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } })
    });
    let parameters: Vec<Value> = path.chain(query).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = &endpoint.handler.body {
        let schema = add_schemas(schemas, &body.shape);
        let content = json!({ "application/json": { "schema": schema } });
        operation["requestBody"] = json!({ "required": body.is_required, "content": content });
    }
    match endpoint.handler.access {
        EndpointAccess::Anyone => {}
        EndpointAccess::SignedIn => {
            operation["security"] = json!([{ "session": [] }, { "access_token": [] }])
        }
        EndpointAccess::Administration => operation["security"] = json!([{ "administration": [] }]),
    }
    operation
}

/// Describes the responses of an act that succeeds.
fn describe_answers(
    endpoint: &Route<Endpoint>,
    schemas: &mut Map<String, Value>,
) -> Map<String, Value> {
    let answer = endpoint
        .handler
        .answer_shape
        .as_ref()
        .map(|shape| add_schemas(schemas, shape));
    // endpoints that only read set no cookies, and programs that administer have none
    let has_cookies =
        endpoint.method != Method::GET && endpoint.handler.access != EndpointAccess::Administration;
    let tokens = has_cookies.then(|| add_schemas(schemas, &Shape::new::<WithTokens>()));
    let mut answers = Map::new();
    if answer.is_none() {
        answers.insert("204".to_owned(), json!({ "description": "Done." }));
    }
    let schema = match (answer, tokens) {
        (None, None) => return answers,
        (Some(one), None) | (None, Some(one)) => one,
        (Some(answer), Some(tokens)) => json!({ "allOf": [answer, tokens] }),
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
fn operation_id(endpoint: &Route<Endpoint>) -> String {
    let path = endpoint
        .path
        .replace(['{', '}'], "")
        .replace(['/', '-', '.'], "_");
    format!("{}_{path}", endpoint.method.as_str().to_ascii_lowercase())
}
