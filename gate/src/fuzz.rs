//! Properties of every parser that reads text of unauthenticated clients, for the fuzz targets of
//! tests/fuzz. Each function returns whether the text is accepted, and panics where a property does
//! not hold.

use crate::api;
use crate::http::authorization::{Authorization, bearer_token};
use crate::http::cookies::{MAX_SESSION_COOKIES, SessionCookies, sample_session, scan_cookies};
use crate::http::form::Form;
use crate::proxy::contract;
use crate::proxy::fastcgi::params::read_params;
use crate::proxy::fastcgi::request::{Progress, RequestReader};
use crate::proxy::original_request::{CheckRequest, ContractError, OriginalRequest};
use crate::web::language::Language;
use hyper::header::{ACCEPT_LANGUAGE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Uri};
use postern_shared::config::gate::ProxyKind;
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::{TokenKeys, Vault};
use postern_shared::system::network::address::Address;
use postern_shared::system::network::web_address::split_url;
use postern_shared::token::session::{SecondFactorMethod, Session, SessionId};
use std::sync::LazyLock;

/// Keys, and the cookies of two sessions.
static SIGNED: LazyLock<(TokenKeys, [String; 2])> = LazyLock::new(|| {
    let (masters, _) = MasterKeys::generate().expect("a key");
    let wrapped = Vault::create(&masters).expect("data keys");
    let keys = Vault::open(&masters, &wrapped)
        .expect("a vault")
        .token_keys();
    let cookie = |name: &str, id: u8| {
        let session = sample_session(name, SessionId([id; 16]), SecondFactorMethod::Code);
        session.to_cookie(&keys)
    };
    let cookies = [cookie("alice", 1), cookie("bob", 2)];
    (keys, cookies)
});

/// Parses a Cookie line, in which the bytes 1 and 2 are replaced with two valid session cookies.
pub fn cookies(bytes: &[u8]) -> bool {
    let (keys, signed) = &*SIGNED;
    let mut line = Vec::new();
    for byte in bytes {
        match byte {
            1 | 2 => line.extend_from_slice(signed[usize::from(byte - 1)].as_bytes()),
            byte => line.push(*byte),
        }
    }
    let mut is_signed_in = false;
    for name in [
        "__Secure-postern",
        "__Host-postern",
        "__Host-postern-browser",
    ] {
        let scanned = scan_cookies(&line, name);
        for (position, value) in scanned.values.iter().enumerate() {
            assert!(
                (16..=4096).contains(&value.len()) && !scanned.values[..position].contains(value)
            );
            assert!(
                value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            );
        }
        let cookies = parse_sessions(&line, name, keys, MAX_SESSION_COOKIES);
        assert!(cookies.signed.len() <= MAX_SESSION_COOKIES);
        assert!(
            cookies
                .signed
                .iter()
                .all(|(value, _)| signed.iter().any(|ours| ours == value))
        );
        let is_one = matches!(cookies.select_session(|_| true), Ok(Some(_)));
        assert!(!is_one || cookies.signed.len() == 1);
        is_signed_in |= is_one;
        assert_foreign_cookies_pass(&line, name, keys);
    }
    is_signed_in
}

fn parse_sessions<'a>(
    line: &'a [u8],
    name: &'a str,
    keys: &TokenKeys,
    most: usize,
) -> SessionCookies<'a> {
    SessionCookies::parse(line, name, most, |value| Session::from_cookie(value, keys))
}

/// Asserts that the application receives every foreign cookie and none of Postern's.
fn assert_foreign_cookies_pass(line: &[u8], name: &str, keys: &TokenKeys) {
    let all = parse_sessions(line, name, keys, usize::MAX);
    let others = all.foreign_cookies();
    if !line.windows(7).any(|part| part == b"postern") {
        assert_eq!(&*others, line);
    }
    // The remaining bytes keep their order.
    let mut rest = line.iter();
    assert!(others.iter().all(|byte| rest.any(|other| other == byte)));
    let again = parse_sessions(&others, name, keys, usize::MAX);
    assert!(
        again.signed.is_empty(),
        "a valid session goes on to the application"
    );
    assert_eq!(again.foreign_cookies(), others);
}

/// Parses headers, one a line, by the contracts of all proxies. Envoy's check has the method and the
/// path that the headers of the others name.
pub fn proxy_headers(bytes: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(64) {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(&line[..colon]),
            HeaderValue::from_bytes(value),
        ) {
            headers.append(name, value);
        }
    }
    let proxy_itself = Address::parse("10.0.0.1").expect("an address");
    let is_trusted = |address: Address| address == proxy_itself;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let method = text("x-forwarded-method").and_then(|method| method.parse().ok());
    let method = method.unwrap_or(Method::GET);
    let path = text("x-forwarded-uri").unwrap_or("/");
    let mut is_read = false;
    for proxy in ProxyKind::ALL {
        let prefix = match proxy {
            ProxyKind::AutheliaExtAuthz => "/api/authz/ext-authz/",
            _ => "/check/envoy",
        };
        let uri = format!("{prefix}{path}").parse();
        let uri = uri.unwrap_or_else(|_| Uri::from_static("/check/envoy/"));
        let address = contract::parse_client_address(proxy, &headers, is_trusted);
        let check = CheckRequest {
            method: &method,
            uri: &uri,
            headers: &headers,
        };
        match contract::parse_check(proxy, check, is_trusted) {
            Ok(original) => {
                // Apache names the client's address otherwise than in a header.
                assert!(proxy == ProxyKind::Apache || address == Ok(original.address));
                assert_one_url(&original);
                is_read = true;
            }
            // A malformed request still has a client address, for the log.
            Err(ContractError::Client(_, client)) => {
                assert!(proxy == ProxyKind::Apache || address == Ok(client));
            }
            Err(ContractError::Proxy(name)) => {
                let is_parameter = name.starts_with("re") && name.contains('_');
                assert!(name == "host" || name.starts_with("x-") || is_parameter);
            }
        }
    }
    is_read
}

fn assert_one_url(original: &OriginalRequest<'_>) {
    assert!(!original.method.is_empty() && original.method.len() <= 32);
    assert!(!original.authority.contains(['/', '@', '?', '#', '\\', ' ']));
    let (host, target) = split_url(&original.url()).expect("it is a URL");
    assert_eq!(host, original.host());
    let without_fragment = original.target.split('#').next().unwrap_or_default();
    assert_eq!(target, without_fragment);
}

/// Parses what Apache sends at a `fastcgi:` listener: records, parameters, and the contract.
pub fn fastcgi(bytes: &[u8]) -> bool {
    let receive = |size: usize| {
        let mut reader = RequestReader::default();
        let mut output = Vec::new();
        for part in bytes.chunks(size) {
            let progress = reader.receive(part);
            output.append(&mut reader.take_output());
            if progress != Ok(Progress::Incomplete) {
                return (progress, output);
            }
        }
        (Ok(Progress::Incomplete), output)
    };
    let whole = receive(bytes.len().max(1));
    assert_eq!(receive(1), whole, "it matters how the bytes arrive");
    let (progress, output) = whole;
    assert!(output.len() <= 1024, "more is sent than was asked for");
    let Ok(Progress::Complete(request)) = progress else {
        return false;
    };
    assert_ne!(request.id, 0);
    let Some(params) = request.params else {
        return false;
    };
    assert!(params.len() <= bytes.len().min(64 * 1024));
    let Ok(headers) = read_params(&params, ["remote-user"].into_iter()) else {
        return false;
    };
    for name in headers.keys() {
        assert!(headers.get_all(name).iter().count() <= 2);
    }
    let check = CheckRequest::of_headers(&headers);
    match contract::parse_check(ProxyKind::Apache, check, |_| false) {
        Ok(original) => {
            assert_one_url(&original);
            true
        }
        Err(_) => false,
    }
}

/// Parses the value of an Authorization header.
pub fn authorization(bytes: &[u8]) -> bool {
    if let Some(token) = bearer_token(bytes) {
        assert!(token.len() < bytes.len() && token.trim_ascii() == token);
    }
    let read = Authorization::parse(bytes);
    let Authorization::AppPassword(claim) = &read else {
        return false;
    };
    assert!(read.is_app_password());
    let grouped = claim.password.grouped();
    let value = match &claim.name {
        None => format!("Bearer {}", *grouped),
        Some(name) => {
            let pair = format!("{name}:{}", *grouped);
            format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()))
        }
    };
    let Authorization::AppPassword(again) = Authorization::parse(value.as_bytes()) else {
        panic!("what was written is read otherwise");
    };
    assert_eq!(
        (&again.name, again.password.grouped()),
        (&claim.name, grouped)
    );
    true
}

/// Parses a form, a query and the JSON body of a request.
pub fn forms(bytes: &[u8]) -> bool {
    let form = Form::parse(bytes);
    for (name, value) in form_urlencoded::parse(bytes).take(16) {
        // The first field of a name counts.
        let first = form_urlencoded::parse(bytes).find(|(other, _)| *other == name);
        assert_eq!(
            Some(form.field(&name)),
            first.as_ref().map(|(_, value)| &**value),
            "{value}"
        );
    }
    assert!(form.field("\0").is_empty() || bytes.contains(&0) || bytes.contains(&b'%'));
    api::is_body(bytes) || form_urlencoded::parse(bytes).next().is_some()
}

/// Parses the value of an Accept-Language header.
pub fn accept_language(bytes: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(bytes) else {
        return false;
    };
    let language = Language::negotiate(&HeaderMap::from_iter([(ACCEPT_LANGUAGE, value)]));
    assert!(!language.text("sign-in").is_empty());
    // A language other than the default was requested.
    language.tag() != "en"
}

#[cfg(test)]
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;

#[cfg(test)]
mod tests {
    use super::mutations::try_all;

    #[test]
    fn a_valid_session_is_never_passed_on_to_the_application() {
        try_all("cookies", 6_000, super::cookies);
    }

    #[test]
    fn a_check_means_one_url_or_is_refused() {
        try_all("proxy_headers", 6_000, super::proxy_headers);
    }

    #[test]
    fn a_fastcgi_request_is_read_one_way_or_refused() {
        try_all("fastcgi", 6_000, super::fastcgi);
    }

    #[test]
    fn an_app_password_is_parsed_one_way_or_not_at_all() {
        try_all("authorization", 6_000, super::authorization);
    }

    #[test]
    fn any_form_is_parsed() {
        try_all("forms", 6_000, super::forms);
    }

    #[test]
    fn every_accept_language_header_selects_a_language() {
        try_all("accept_language", 6_000, super::accept_language);
    }
}
