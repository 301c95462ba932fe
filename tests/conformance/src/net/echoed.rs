//! What the application received, as its answer says.

use crate::net::reply::Reply;
use crate::target::EchoFormat;
use serde_json::Value;

/// A request as it arrived at the application.
#[derive(Clone, Debug)]
pub(crate) struct Echoed {
    pub(crate) method: String,
    /// Path and query that the application received.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body_length: Option<u64>,
}

/// With this header `conformance echo` marks each of its answers, also those without a body.
pub(crate) const MARK: &str = "x-conformance-echo";

impl Echoed {
    /// Reads the application's answer. `None` if the response comes from another server.
    pub(crate) fn read(reply: &Reply, format: &EchoFormat) -> Option<Echoed> {
        let json: Value = serde_json::from_slice(&reply.body).ok()?;
        let text = |pointer: &str| Some(json.pointer(pointer)?.as_str()?.to_owned());
        Some(Echoed {
            method: text(&format.method)?,
            path: text(&format.path)?,
            headers: read_headers(json.pointer(&format.headers)?)?,
            body_length: json.pointer(&format.body_length).and_then(Value::as_u64),
        })
    }

    /// Returns the values of all headers that a CGI application would read by this name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let same = self
            .headers
            .iter()
            .filter(|(key, _)| as_variable(key) == as_variable(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the values of a header, joined; empty if it is missing.
    pub(crate) fn value(&self, name: &str) -> String {
        self.values(name).join(", ")
    }
}

/// Returns a header's name as a variable of CGI (RFC 3875, section 4.1.18) names it.
fn as_variable(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars()
        .map(letter)
        .collect::<String>()
        .to_ascii_lowercase()
}

fn read_headers(value: &Value) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    if let Some(pairs) = value.as_array() {
        for pair in pairs {
            headers.push((
                pair.get(0)?.as_str()?.to_owned(),
                pair.get(1)?.as_str()?.to_owned(),
            ));
        }
        return Some(headers);
    }
    for (name, value) in value.as_object()? {
        let one = value.as_str().map(|value| vec![value]);
        let many = || value.as_array()?.iter().map(Value::as_str).collect();
        for value in one.or_else(many)? {
            headers.push((name.clone(), value.to_owned()));
        }
    }
    Some(headers)
}
