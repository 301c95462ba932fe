//! Encodes the reply to a check as a CGI response (RFC 3875, section 6) in records.
//!
//! MUST send what the application receives as `Variable-` headers of a 200 only: Apache takes no
//! variables from another status, and sends its other headers to the client.

use super::record::{STDOUT, write_records};
use super::request::{REQUEST_COMPLETE, write_end};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};

/// Longest value of one variable, in bytes: Apache reads header lines of less than 8 KiB.
const MAX_VARIABLE: usize = 7 * 1024;
/// Variables that one value may take. Apache sends no parameter of more than 16 KiB, so a value that
/// it has sent fits.
const MAX_PARTS: usize = 3;

/// Encodes the reply to the request of this id.
pub(crate) fn encode_reply(
    id: u16,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Vec<u8> {
    let response = match status {
        StatusCode::OK => variables(headers).unwrap_or_else(|| {
            status_line(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).into_bytes()
        }),
        _ => denial(status, headers),
    };
    let mut out = Vec::new();
    // Apache reads the body from the record in which the headers end.
    let response = [&response[..], b"\r\n", body].concat();
    write_records(&mut out, STDOUT, id, &response);
    write_records(&mut out, STDOUT, id, b"");
    write_end(&mut out, id, REQUEST_COMPLETE);
    out
}

/// Returns every header of a reply that grants access as a variable, or none if one is too long.
fn variables(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut out = status_line(StatusCode::OK).into_bytes();
    for (name, value) in headers {
        let Some(name) = variable_name(name) else {
            continue;
        };
        let parts = split_value(value)?;
        for (number, part) in (1..).zip(parts) {
            match number {
                1 => write_header(&mut out, &format!("Variable-{name}"), part),
                _ => write_header(&mut out, &format!("Variable-{name}_{number}"), part),
            }
        }
    }
    Some(out)
}

fn variable_name(header: &HeaderName) -> Option<&'static str> {
    Some(match header.as_str() {
        "remote-user" => "POSTERN_USER",
        "remote-groups" => "POSTERN_GROUPS",
        "remote-email" => "POSTERN_EMAIL",
        "remote-name" => "POSTERN_NAME",
        "cookie" => "POSTERN_COOKIE",
        "authorization" => "POSTERN_AUTHORIZATION",
        _ => return None,
    })
}

/// Splits a value where no blank is beside, since Apache removes blanks at the ends of a line.
fn split_value(value: &HeaderValue) -> Option<Vec<&[u8]>> {
    let mut rest = value.as_bytes();
    let mut parts = Vec::new();
    while rest.len() > MAX_VARIABLE {
        let is_blank =
            |at: usize| rest[at - 1].is_ascii_whitespace() || rest[at].is_ascii_whitespace();
        let at = (1..=MAX_VARIABLE).rev().find(|at| !is_blank(*at))?;
        let (part, later) = rest.split_at(at);
        parts.push(part);
        rest = later;
    }
    parts.push(rest);
    (parts.len() <= MAX_PARTS).then_some(parts)
}

fn denial(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut out = status_line(status).into_bytes();
    // Apache counts the body itself.
    for (name, value) in headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        write_header(&mut out, name.as_str(), value.as_bytes());
    }
    out
}

fn status_line(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    format!("Status: {} {reason}\r\n", status.as_str())
}

/// Appends a header line. A [`HeaderValue`] has no line break.
fn write_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::original_request::headers;

    /// Returns the CGI response in the first record.
    fn response(status: StatusCode, headers: &HeaderMap, body: &str) -> String {
        let bytes = encode_reply(5, status, headers, body.as_bytes());
        let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
        let (content, end) = bytes[8..].split_at(length);
        let closed = b"\x01\x06\0\x05\0\0\0\0\x01\x03\0\x05\0\x08\0\0\0\0\0\0\0\0\0\0";
        assert_eq!((&bytes[..4], end), (&b"\x01\x06\0\x05"[..], &closed[..]));
        String::from_utf8(content.to_vec()).unwrap()
    }

    #[test]
    fn what_the_application_receives_is_in_variables_and_nothing_else_is() {
        let headers = headers(&[
            ("content-length", "0"),
            ("cache-control", "no-store"),
            ("remote-user", "alice"),
            ("remote-email", ""),
            ("cookie", "a=1"),
            ("authorization", "Bearer x"),
        ]);
        assert_eq!(
            response(StatusCode::OK, &headers, ""),
            "Status: 200 OK\r\nVariable-POSTERN_USER: alice\r\nVariable-POSTERN_EMAIL: \r\n\
             Variable-POSTERN_COOKIE: a=1\r\nVariable-POSTERN_AUTHORIZATION: Bearer x\r\n\r\n"
        );
    }

    #[test]
    fn a_denial_has_no_variables() {
        let headers = headers(&[
            ("content-length", "7"),
            ("www-authenticate", "Basic"),
            ("location", "https://auth.example.com/"),
            ("remote-user", "alice"),
        ]);
        for status in [
            StatusCode::FOUND,
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
        ] {
            let text = response(status, &headers, "<html>");
            assert!(text.starts_with(&status_line(status)), "{text}");
            assert!(
                text.ends_with(
                    "\r\nwww-authenticate: Basic\r\nlocation: https://auth.example.com/\r\nremote-user: alice\r\n\r\n<html>"
                ),
                "{text}"
            );
            assert!(!text.contains("Variable-") && !text.contains("content-length"));
        }
    }

    #[test]
    fn a_long_value_is_split_and_one_that_is_too_long_is_refused() {
        let cookie = "name=v a l u e; ".repeat(1300);
        let text = response(StatusCode::OK, &headers(&[("cookie", cookie.trim())]), "");
        let joined: String = text
            .lines()
            .filter_map(|line| {
                assert!(line.len() < 8 * 1024 - 2);
                let (name, value) = line.split_once(": ")?;
                assert_eq!(value.trim(), value);
                name.starts_with("Variable-POSTERN_COOKIE").then_some(value)
            })
            .collect();
        assert_eq!(joined, cookie.trim());
        assert!(text.contains("Variable-POSTERN_COOKIE_3: "));
        for long in [
            "a".repeat(MAX_PARTS * MAX_VARIABLE + 1),
            format!("a{}a", " ".repeat(8000)),
        ] {
            let text = response(StatusCode::OK, &headers(&[("cookie", &long)]), "");
            assert_eq!(text, "Status: 431 Request Header Fields Too Large\r\n\r\n");
        }
    }
}
