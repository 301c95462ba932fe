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

/// Returns a type in words: its name, with a link to its description, or a type of JSON.
fn type_in_words(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let several = ["allOf", "oneOf", "anyOf"]
        .iter()
        .find_map(|key| schema[key].as_array());
    if let Some(parts) = several {
        let words = if schema["allOf"].is_array() {
            " and "
        } else {
            " or "
        };
        return parts
            .iter()
            .map(type_in_words)
            .collect::<Vec<_>>()
            .join(words);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => {
            format!("list of {}", type_in_words(&schema["items"]))
        }
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    }
}

fn describe_operation(path: &str, method: &str, operation: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let access = match operation["security"][0].as_object() {
        None => "anyone",
        Some(scheme) if scheme.contains_key("administration") => {
            "a program with the secret of administration"
        }
        Some(_) => "a session",
    };
    let mut lines = format!(
        "### {} {path}\n\n{}\n\n- for {access}\n",
        method.to_uppercase(),
        text(&operation["summary"])
    );
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let description = text(&parameter["description"]);
        let colon = if description.is_empty() { "" } else { ": " };
        lines += &format!(
            "- `{}`, in the {}{colon}{description}\n",
            text(&parameter["name"]),
            text(&parameter["in"])
        );
    }
    let content = |value: &Value| type_in_words(&value["content"]["application/json"]["schema"]);
    if operation["requestBody"].is_object() {
        let is_required = operation["requestBody"]["required"] == true;
        let optional = if is_required { "" } else { ", optional" };
        lines += &format!("- body{optional}: {}\n", content(&operation["requestBody"]));
    }
    let responses = operation["responses"].as_object().expect("there are some");
    for (status, response) in responses
        .iter()
        .filter(|(status, _)| status.starts_with('2'))
    {
        let what = if response["content"].is_object() {
            content(response)
        } else {
            "nothing".to_owned()
        };
        lines += &format!("- {status}: {what}\n");
    }
    let mut refusals: Vec<&str> = responses.keys().map(String::as_str).collect();
    refusals.retain(|status| !status.starts_with('2'));
    refusals.sort_unstable();
    lines + &format!("- refusals: {}\n", refusals.join(", "))
}

fn describe_schema(name: &str, schema: &Value) -> String {
    let description = |value: &Value| {
        value["description"]
            .as_str()
            .unwrap_or_default()
            .replace('\n', " ")
    };
    let mut text = format!("### {name}\n\n");
    let about = description(schema);
    if !about.is_empty() {
        text += &format!("{about}\n\n");
    }
    let Some(properties) = schema["properties"]
        .as_object()
        .filter(|all| !all.is_empty())
    else {
        return text + &format!("{}\n", type_in_words(schema));
    };
    let required: Vec<_> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    text += "| field | type | required | meaning |\n|---|---|---|---|\n";
    for (field, property) in properties {
        let is_required = required.iter().any(|name| *name == field);
        let required = if is_required { "yes" } else { "no" };
        let meaning = description(property).replace('|', "\\|");
        text += &format!(
            "| `{field}` | {} | {required} | {meaning} |\n",
            type_in_words(property)
        );
    }
    text
}

fn endpoints_in_words() -> String {
    let mut text = "## Endpoints\n\n".to_owned();
    for (path, methods) in DOCUMENT["paths"].as_object().expect("there are some") {
        for (method, operation) in methods.as_object().expect("there are some") {
            text += &(describe_operation(path, method, operation) + "\n");
        }
    }
    text += "## Types\n\n";
    for (name, schema) in DOCUMENT["components"]["schemas"]
        .as_object()
        .expect("there are some")
    {
        text += &(describe_schema(name, schema) + "\n");
    }
    text
}

#[test]
fn generated_reference_of_the_api_is_that_of_the_endpoints() {
    let text = endpoints_in_words();
    assert!(
        text.matches("- refusals: ").count() >= ENDPOINTS.iter().count(),
        "{text}"
    );
    assert_eq!(
        crate::generated::compare_parts("endpoints", &|_| text.clone()),
        1
    );
}
