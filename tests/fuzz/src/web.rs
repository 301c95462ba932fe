//! Invariants of hosts, paths, URLs, e-mail addresses and scopes.

use postern_shared::account::email::EmailAddress;
use postern_shared::credential::scope::{AppPasswordScope, NamedScopes, ScopeTerm, WebRequest};
use postern_shared::system::network::web_address::{
    WebHost, WebPath, is_host, normalize_host, split_url,
};

/// Parses a text as a host, a path, a URL and an e-mail address. Returns whether any of them is
/// valid.
pub fn addresses(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let [host, path, url, email] = [host(text), path(text), url(text), email(text)];
    host || path || url || email
}

fn host(text: &str) -> bool {
    let read = WebHost::try_from(text.to_owned());
    assert_eq!(read.is_ok(), is_host(text));
    let Ok(host) = read else {
        return false;
    };
    assert_eq!(host.as_str(), normalize_host(text));
    assert_eq!(host.as_str(), normalize_host(&format!("{text}.:443")));
    assert_eq!(WebHost::try_from(host.to_string()), Ok(host));
    true
}

fn path(text: &str) -> bool {
    let Ok(path) = WebPath::parse(text) else {
        return false;
    };
    let is_plain = |segment: &str| !matches!(segment, "" | "." | "..");
    let inner = path.as_str().strip_prefix('/').expect("a path is absolute");
    assert!(
        inner.is_empty() || inner.split('/').all(is_plain),
        "{path:?}"
    );
    assert!(
        !path.as_str().contains(['\\', ';', '?', '#']) && !path.as_str().contains(char::is_control)
    );
    let root = WebPath::parse("/").expect("the root is a path");
    assert!(path.is_below(&path) && path.is_below(&root));
    // The text that a scope keeps is the same path, parsed as a path or as a request target.
    assert_eq!(WebPath::try_from(path.to_string()).as_ref(), Ok(&path));
    assert_eq!(WebPath::parse(&path.to_string()), Ok(path));
    true
}

fn url(text: &str) -> bool {
    let Some((host, target)) = split_url(text) else {
        return false;
    };
    assert!(target.starts_with('/') && !target.contains('#'), "{target}");
    assert!(
        !host.contains(['/', '?', '#']) && host == host.to_ascii_lowercase(),
        "{host}"
    );
    if is_host(&host) {
        assert_eq!(
            split_url(&format!("https://{host}{target}")),
            Some((host, target))
        );
    }
    true
}

fn email(text: &str) -> bool {
    let Ok(address) = EmailAddress::try_from(text.to_owned()) else {
        return false;
    };
    assert_eq!(address.as_str(), text);
    assert!(text.is_ascii() && !text.contains(|c: char| c.is_ascii_control() || c == ' '));
    assert_eq!(text.matches('@').count(), 1);
    assert!(
        !text.starts_with('-')
            && address
                .masked()
                .ends_with(&text[text.find('@').unwrap_or(0)..])
    );
    true
}

/// Parses a scope as the store and the pages do. Returns whether it is valid.
pub fn scope(bytes: &[u8]) -> bool {
    let Some(scope) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse::<AppPasswordScope>().ok())
    else {
        return false;
    };
    // The store keeps a scope as text.
    assert_eq!(scope.to_string().parse().as_ref(), Ok(&scope));
    let named = NamedScopes::new();
    for term in scope.terms() {
        match term {
            ScopeTerm::Pam(service) => assert!(scope.covers_service(&service.to_string())),
            ScopeTerm::Web(web) => {
                let path = web
                    .paths
                    .first()
                    .map_or("/".to_owned(), ToString::to_string);
                let request = WebRequest {
                    host: web.hosts[0].as_str(),
                    target: &path,
                    method: web.methods.first().map_or("GET", |method| method.as_str()),
                };
                assert!(scope.covers_request(&named, &request), "{term}");
            }
            ScopeTerm::Named(_) => assert!(scope.undeclared(&named).is_some()),
        }
    }
    let elsewhere = WebRequest {
        host: "",
        target: "/",
        method: "GET",
    };
    assert!(!scope.covers_request(&named, &elsewhere) && !scope.covers_service(""));
    true
}
