//! nginx, auth_request: X-Original-URL, X-Original-Method, X-Real-IP, as the sample sets them.

use super::{Asked, Broken, is_authority, is_method, is_target, one};
use hyper::HeaderMap;
use shared::place::Address;

pub(super) fn asked(headers: &HeaderMap) -> Result<Asked<'_>, Broken> {
    let url = one(headers, "x-original-url")?;
    let rest = url.strip_prefix("https://").ok_or(Broken("x-original-url"))?;
    let slash = rest.find('/').ok_or(Broken("x-original-url"))?;
    let (authority, target) = rest.split_at(slash);
    let method = one(headers, "x-original-method")?;
    if !is_authority(authority) || !is_target(target) {
        return Err(Broken("x-original-url"));
    }
    if !is_method(method) {
        return Err(Broken("x-original-method"));
    }
    Ok(Asked { method, authority, target, address: address(headers)? })
}

pub(super) fn address(headers: &HeaderMap) -> Result<Address, Broken> {
    Address::parse(one(headers, "x-real-ip")?).ok_or(Broken("x-real-ip"))
}

#[cfg(test)]
mod tests {
    use super::super::headers;
    use super::*;

    const GOOD: [(&str, &str); 3] = [
        ("x-original-url", "https://App.example.com:8443/a%2fb?q=1"),
        ("x-original-method", "GET"),
        ("x-real-ip", "192.0.2.7"),
    ];

    #[test]
    fn the_sample_is_read() {
        let headers = headers(&GOOD);
        let asked = asked(&headers).unwrap();
        assert_eq!((asked.host().as_str(), asked.target), ("app.example.com", "/a%2fb?q=1"));
        assert_eq!(asked.url(), GOOD[0].1);
    }

    #[test]
    fn missing_empty_doubled_and_odd_headers_are_named() {
        for (name, _) in GOOD {
            let without: Vec<_> = GOOD.into_iter().filter(|(n, _)| *n != name).collect();
            assert_eq!(asked(&headers(&without)), Err(Broken(name)));
            let doubled: Vec<_> =
                GOOD.into_iter().chain(GOOD.into_iter().filter(|(n, _)| *n == name)).collect();
            assert_eq!(asked(&headers(&doubled)), Err(Broken(name)));
            let empty: Vec<_> = without.iter().copied().chain([(name, "")]).collect();
            assert_eq!(asked(&headers(&empty)), Err(Broken(name)));
        }
        for odd in [
            "http://app/",
            "https://app",
            "https:///x",
            "https://a b/",
            "https://u@h/",
            "/x",
            "https://app/ x",
        ] {
            let mut pairs = GOOD;
            pairs[0].1 = odd;
            assert_eq!(asked(&headers(&pairs)), Err(Broken("x-original-url")), "{odd}");
        }
    }
}
