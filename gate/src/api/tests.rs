//! The OpenAPI document describes the table of endpoints, and nothing else.

use super::endpoint::{Endpoint, EndpointAccess};
use super::router::{DOCUMENT, ENDPOINTS};
use serde_json::{Map, Value, json};
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
    let mut described = BTreeSet::new();
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert((path.clone(), method.clone()));
        }
    }
    assert_eq!(routed, described);
    assert_eq!(routed.len(), ENDPOINTS.iter().count());
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
    let described: Vec<_> = parameters
        .iter()
        .map(|one| (one["in"].as_str(), one["name"].as_str()))
        .collect();
    assert_eq!(
        described,
        [
            (Some("query"), Some("find")),
            (Some("query"), Some("after"))
        ]
    );
    for endpoint in ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.handler.access != EndpointAccess::Anyone)
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
        let Endpoint {
            answer_shape, body, ..
        } = &endpoint.handler;
        answer_shape
            .iter()
            .chain(body.iter().map(|takes| &takes.shape))
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
        for (name, schema) in endpoint
            .handler
            .body
            .iter()
            .flat_map(|takes| &takes.shape.schemas)
        {
            let schema = json!(schema);
            let is_closed = schema["type"] != "object" || schema["additionalProperties"] == false;
            assert!(is_closed, "{name}: {schema}");
        }
    }
}
