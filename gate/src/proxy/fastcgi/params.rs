//! The parameters of a request (section 3.4), as headers for the check.
//!
//! MUST read the parameters of this contract only: Apache sends its environment, in which other
//! names may be set by anything.

use crate::proxy::{apache, trusted_proxy};
use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};

/// Parameters of every check, and the names under which the check reads them. Names with `_` are
/// those of CGI (RFC 3875, section 4.1) and no header of the client: Apache makes no parameter of
/// a header whose name has any other character than letters, digits and `-`.
static PARAMETERS: [(&[u8], &HeaderName); 11] = [
    (b"REQUEST_METHOD", &apache::METHOD),
    (b"REQUEST_SCHEME", &apache::SCHEME),
    (b"REQUEST_URI", &apache::URI),
    (b"REMOTE_ADDR", &apache::ADDRESS),
    (b"HTTP_HOST", &apache::HOST),
    (b"HTTP_X_POSTERN_PROXY", &trusted_proxy::HEADER),
    (b"HTTP_COOKIE", &COOKIE),
    (b"HTTP_AUTHORIZATION", &AUTHORIZATION),
    (b"HTTP_ACCEPT", &ACCEPT),
    (b"HTTP_SEC_FETCH_MODE", &FETCH_MODE),
    (b"HTTP_X_REQUESTED_WITH", &REQUESTED_WITH),
];
static COOKIE: HeaderName = header::COOKIE;
static AUTHORIZATION: HeaderName = header::AUTHORIZATION;
static ACCEPT: HeaderName = header::ACCEPT;
static FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Parameters that are cut off, or one whose value cannot be a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedParams;

/// Returns the parameters of this contract as headers, and those of `identity_headers`. A repeated
/// parameter is a repeated header, which a check refuses.
pub(crate) fn read_params<'a>(
    params: &[u8],
    identity_headers: impl Iterator<Item = &'a str> + Clone,
) -> Result<HeaderMap, MalformedParams> {
    let mut headers = HeaderMap::new();
    for pair in pairs(params) {
        let (name, value) = pair?;
        let Some(name) = header_name(name, identity_headers.clone()) else {
            continue;
        };
        // Two suffice to be refused.
        if headers.get_all(&name).iter().nth(1).is_none() {
            let value = HeaderValue::from_bytes(value).map_err(|_| MalformedParams)?;
            headers.append(name, value);
        }
    }
    Ok(headers)
}

fn header_name<'a>(
    param: &[u8],
    mut identity_headers: impl Iterator<Item = &'a str>,
) -> Option<HeaderName> {
    if let Some((_, header)) = PARAMETERS.iter().find(|(name, _)| *name == param) {
        return Some(HeaderName::clone(header));
    }
    let rest = param.strip_prefix(b"HTTP_")?;
    let is_param = |header: &&str| {
        let variable = |byte: u8| match byte {
            b'-' => b'_',
            letter => letter.to_ascii_uppercase(),
        };
        header.bytes().map(variable).eq(rest.iter().copied())
    };
    let header = identity_headers.find(is_param)?;
    HeaderName::from_bytes(header.as_bytes()).ok()
}

/// A name and a value.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Splits names and values. Ends after the first error.
pub(super) fn pairs(mut rest: &[u8]) -> impl Iterator<Item = Result<Pair<'_>, MalformedParams>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let pair = split_pair(rest);
        rest = pair.as_ref().map_or(&[], |(_, later)| *later);
        Some(pair.map(|(pair, _)| pair).ok_or(MalformedParams))
    })
}

fn split_pair(bytes: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let (name, bytes) = split_length(bytes)?;
    let (value, bytes) = split_length(bytes)?;
    let (name, bytes) = bytes.split_at_checked(name)?;
    let (value, bytes) = bytes.split_at_checked(value)?;
    Some(((name, value), bytes))
}

/// Splits off a length: one byte, or four of which the first has its highest bit set.
fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [short @ 0..=0x7f, ref rest @ ..] => Some((usize::from(short), rest)),
        [b3, b2, b1, b0, ref rest @ ..] => {
            let length = u32::from_be_bytes([b3 & 0x7f, b2, b1, b0]);
            Some((usize::try_from(length).ok()?, rest))
        }
        _ => None,
    }
}

/// Appends a name and a value.
pub(super) fn write_pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for length in [name.len(), value.len()] {
        match u8::try_from(length) {
            Ok(short @ 0..=0x7f) => out.push(short),
            _ => {
                let length = u32::try_from(length).unwrap_or(u32::MAX) | 0x8000_0000;
                out.extend_from_slice(&length.to_be_bytes());
            }
        }
    }
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in pairs {
            write_pair(&mut out, name.as_bytes(), value.as_bytes());
        }
        out
    }

    fn read(pairs: &[(&str, &str)]) -> HeaderMap {
        read_params(&encoded(pairs), ["remote-user"].into_iter()).unwrap()
    }

    #[test]
    fn pairs_of_any_length_are_read_as_they_were_written() {
        let long = "v".repeat(70_000);
        for value in ["", "v", &long[..127], &long[..128], &long] {
            let bytes = encoded(&[("NAME", value), (&long[..300], "x")]);
            let read: Vec<_> = pairs(&bytes).map(Result::unwrap).collect();
            let second = (&long.as_bytes()[..300], &b"x"[..]);
            assert_eq!(read, [(&b"NAME"[..], value.as_bytes()), second]);
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let bytes = encoded(&[("REQUEST_URI", "/"), ("HTTP_HOST", "app")]);
        for cut in 1..bytes.len() {
            let read = read_params(&bytes[..cut], std::iter::empty());
            // After the first pair nothing is missing.
            assert_eq!(read.is_err(), cut != 14, "{cut}");
        }
        for lying in [
            &b"\xff\xff\xff\xff\x01a"[..],
            b"\x01\xff\xff\xff\xffa",
            b"\x80\x00\x00",
            b"\x80",
            b"\x01",
        ] {
            assert_eq!(read_params(lying, std::iter::empty()), Err(MalformedParams));
        }
    }

    /// Whatever else is in Apache's environment, also by a client's header, is not read.
    #[test]
    fn only_parameters_of_the_contract_are_read() {
        let headers = read(&[
            ("HTTP_X_POSTERN_PROXY", "secret"),
            ("HTTP_REMOTE_USER", "alice"),
            ("REMOTE_USER", "bob"),
            ("HTTP_X_FORWARDED_FOR", "192.0.2.1"),
            ("HTTP_X-POSTERN-PROXY", "guess"),
            ("http_x_postern_proxy", "guess"),
            ("X_POSTERN_PROXY", "guess"),
            ("HTTP_HTTP_HOST", "evil"),
            ("HTTP_REQUEST_URI", "/evil"),
            ("REQUEST_URI ", "/evil"),
            ("", ""),
        ]);
        let mut read: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        read.sort_unstable();
        assert_eq!(
            read,
            [("remote-user", "alice"), ("x-postern-proxy", "secret")]
        );
    }

    #[test]
    fn a_repeated_parameter_is_a_repeated_header_and_takes_no_memory() {
        let headers = read(&[("HTTP_COOKIE", "a=1"); 5000]);
        assert_eq!(headers.get_all("cookie").iter().count(), 2);
    }

    #[test]
    fn a_value_that_cannot_be_a_header_is_refused() {
        for value in ["a\r\nb", "a\0", "\u{1}", "\u{7f}"] {
            let bytes = encoded(&[("HTTP_COOKIE", value)]);
            assert_eq!(
                read_params(&bytes, std::iter::empty()),
                Err(MalformedParams)
            );
        }
    }
}
