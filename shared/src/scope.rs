//! Scopes: where an app password is good. A pure question about a PAM service or a web request, and whatever no term
//! covers is refused.
//!
//! A scope is a list of terms, each one of
//!
//! - `pam:SERVICE`
//! - `web:HOST[/PATH][ METHOD,…]`
//! - `NAME`, declared in postern.toml as `[gate.scope.NAME]`

use crate::web_address::{Ambiguous, WebHost, WebPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The longest term, in bytes, and the most of them.
const LONGEST: usize = 512;
const MOST: usize = 16;

/// Where an app password is good: at least one term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Vec<Term>);

/// One term of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A PAM service.
    Pam(Service),
    /// Web requests.
    Web(Web),
    /// Web requests that the configuration describes.
    Named(ScopeName),
}

/// Web requests: every condition given must hold; of each, one alternative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Hosts.
    #[serde(deserialize_with = "some")]
    pub hosts: Vec<WebHost>,
    /// Paths, each with all that lies below it; every path if none is given.
    #[serde(default)]
    pub paths: Vec<WebPath>,
    /// Methods; every method if none is given.
    #[serde(default)]
    pub methods: Vec<Method>,
}

/// The scopes that the configuration describes.
pub type NamedScopes = BTreeMap<ScopeName, Web>;

/// A web request, as far as scopes go.
pub struct WebRequest<'a> {
    /// In lower case, without port and trailing dot.
    pub host: &'a str,
    /// The path, with or without a query.
    pub target: &'a str,
    /// The method.
    pub method: &'a str,
}

impl Scope {
    /// The terms.
    pub fn terms(&self) -> &[Term] {
        &self.0
    }

    /// Whether it covers a PAM service.
    pub fn covers_service(&self, service: &str) -> bool {
        self.0.iter().any(|term| matches!(term, Term::Pam(meant) if meant.0 == service))
    }

    /// Whether it covers a web request. A name that is not declared covers nothing.
    pub fn covers_request(&self, named: &NamedScopes, request: &WebRequest<'_>) -> bool {
        let path = WebPath::read(request.target);
        self.0.iter().any(|term| match term {
            Term::Pam(_) => false,
            Term::Web(web) => web.covers(request, &path),
            Term::Named(name) => named.get(name).is_some_and(|web| web.covers(request, &path)),
        })
    }

    /// The first name in it that is not declared.
    pub fn undeclared(&self, named: &NamedScopes) -> Option<&ScopeName> {
        self.0.iter().find_map(|term| match term {
            Term::Named(name) if !named.contains_key(name) => Some(name),
            _ => None,
        })
    }
}

impl Web {
    fn covers(&self, request: &WebRequest<'_>, path: &Result<WebPath, Ambiguous>) -> bool {
        let at_host = self.hosts.iter().any(|host| host.as_str() == request.host);
        let by_method = self.methods.is_empty() || self.methods.iter().any(|m| m.0 == request.method);
        let on_path = match path {
            _ if self.paths.is_empty() => true,
            Ok(path) => self.paths.iter().any(|top| path.is_below(top)),
            Err(Ambiguous) => false,
        };
        at_host && by_method && on_path
    }
}

/// Text of a kind whose form alone is checked.
macro_rules! plain {
    ($(#[$doc:meta])* $name:ident, $longest:literal, $allowed:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<$name, Self::Error> {
                let allowed: fn(u8) -> bool = $allowed;
                match (1..=$longest).contains(&text.len()) && text.bytes().all(allowed) {
                    true => Ok($name(text)),
                    false => Err($what),
                }
            }
        }

        impl From<$name> for String {
            fn from(plain: $name) -> String {
                plain.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

plain!(
    /// The name of a PAM service.
    Service,
    64,
    |b| b.is_ascii_graphic() && b != b'/',
    "a PAM service has 1 to 64 visible characters, no blank and no '/'"
);
plain!(
    /// The name of a declared scope.
    ScopeName,
    32,
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_',
    "a scope's name has 1 to 32 lower-case letters, digits, '-' and '_'"
);
plain!(
    /// A method of HTTP.
    Method,
    32,
    |b| b.is_ascii_uppercase() || b == b'-',
    "a method has 1 to 32 capital letters and '-'"
);

/// A list that is not empty: no condition on hosts would be one on nothing.
fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<WebHost>, D::Error> {
    let hosts = Vec::<WebHost>::deserialize(deserializer)?;
    match hosts.is_empty() {
        true => Err(serde::de::Error::custom("must name at least one host")),
        false => Ok(hosts),
    }
}

impl FromStr for Term {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Term, ScopeError> {
        let wrong = |what: &'static str| ScopeError::Term(what);
        if text.len() > LONGEST {
            return Err(wrong("it is longer than 512 bytes"));
        }
        match text.split_once(':') {
            Some(("pam", service)) => Service::try_from(service.to_owned()).map(Term::Pam).map_err(wrong),
            Some(("web", rest)) => web(rest).map(Term::Web).map_err(wrong),
            Some(_) => Err(wrong("it begins with neither \"pam:\" nor \"web:\"")),
            None => ScopeName::try_from(text.to_owned()).map(Term::Named).map_err(wrong),
        }
    }
}

/// `HOST[/PATH][ METHOD,…]`
fn web(text: &str) -> Result<Web, &'static str> {
    let (address, methods) = match text.split_once(' ') {
        Some((address, methods)) => (address, methods.split(',').collect()),
        None => (text, Vec::new()),
    };
    let (host, path) = match address.find('/') {
        Some(slash) => (&address[..slash], Some(&address[slash..])),
        None => (address, None),
    };
    Ok(Web {
        hosts: vec![WebHost::try_from(host.to_owned())?],
        paths: path.map(|path| WebPath::try_from(path.to_owned())).transpose()?.into_iter().collect(),
        methods: methods.into_iter().map(|m| Method::try_from(m.to_owned())).collect::<Result<_, _>>()?,
    })
}

impl TryFrom<Vec<Term>> for Scope {
    type Error = ScopeError;

    fn try_from(terms: Vec<Term>) -> Result<Scope, ScopeError> {
        match (1..=MOST).contains(&terms.len()) {
            true => Ok(Scope(terms)),
            false => Err(ScopeError::Count),
        }
    }
}

/// One term a line, as the store keeps it.
impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Scope, ScopeError> {
        text.lines().map(str::parse).collect::<Result<Vec<Term>, _>>().and_then(Scope::try_from)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.0.iter().enumerate() {
            write!(f, "{}{term}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// As it is read. A term of the web has one host, and one path at most.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Pam(service) => write!(f, "pam:{service}"),
            Term::Named(name) => name.fmt(f),
            Term::Web(Web { hosts, paths, methods }) => {
                let methods: Vec<&str> = methods.iter().map(|method| method.0.as_str()).collect();
                f.write_str("web:")?;
                hosts.iter().try_for_each(|host| host.fmt(f))?;
                paths.iter().try_for_each(|path| path.fmt(f))?;
                if methods.is_empty() { Ok(()) } else { write!(f, " {}", methods.join(",")) }
            }
        }
    }
}

/// Text that is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// What is wrong with a term.
    Term(&'static str),
    /// None, or more than [`MOST`].
    Count,
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScopeError::Term(what) => write!(
                f,
                "{what}; a scope is pam:SERVICE, \"web:HOST/PATH METHOD,METHOD\", or the NAME of a [gate.scope.NAME] in postern.toml"
            ),
            ScopeError::Count => write!(f, "a scope has 1 to {MOST} terms"),
        }
    }
}

impl std::error::Error for ScopeError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn named() -> NamedScopes {
        #[derive(Deserialize)]
        struct Doc {
            scope: NamedScopes,
        }
        let text = "[scope.webdav]\nhosts = [\"Cloud.example.com\", \"files.example.com\"]\n\
                    paths = [\"/dav\", \"/remote.php/dav/\"]\nmethods = [\"GET\", \"PROPFIND\"]\n\
                    [scope.all-of-app]\nhosts = [\"app.example.com\"]\n";
        toml::from_str::<Doc>(text).unwrap().scope
    }

    #[track_caller]
    fn covers(scope: &str, method: &str, host: &str, target: &str) -> bool {
        let scope: Scope = scope.parse().unwrap();
        scope.covers_request(&named(), &WebRequest { host, target, method })
    }

    #[test]
    fn a_scope_says_what_was_put_in() {
        for text in [
            "pam:dovecot",
            "web:app.example.com",
            "web:app.example.com/",
            "web:app.example.com/dav/%20x",
            "web:app.example.com/dav GET,M-SEARCH",
            "web:app.example.com GET",
            "webdav",
            "webdav\npam:dovecot\nweb:app.example.com/x",
        ] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        assert_eq!(
            "web:APP.Example.com/dav/".parse::<Scope>().unwrap().to_string(),
            "web:app.example.com/dav"
        );
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        let many = vec!["webdav"; MOST + 1].join("\n");
        for text in [
            "",
            "pam:",
            "pam:a b",
            "pam:../x",
            "web:",
            "web:/dav",
            "web:app.example.com:443",
            "web:app..com",
            "web:*.example.com",
            "web:app.example.com/a/../b",
            "web:app.example.com/%2f",
            "web:app.example.com?x",
            "web:app.example.com/dav?x",
            "web:app.example.com get",
            "web:app.example.com GET, PUT",
            "web:app.example.com ",
            "https://app.example.com/",
            "WebDAV",
            "web dav",
            "smtp:x",
            "webdav\n\nx",
            &many,
            &"a".repeat(600),
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_service_is_covered_by_its_own_name_alone() {
        let scope: Scope = "pam:dovecot\nwebdav\nweb:app.example.com".parse().unwrap();
        assert!(scope.covers_service("dovecot"));
        for other in ["sshd", "Dovecot", "dovecot2", "webdav", "web", "pam", "-", ""] {
            assert!(!scope.covers_service(other), "{other}");
        }
        assert!(!covers("pam:app.example.com", "GET", "app.example.com", "/"));
    }

    #[test]
    fn host_path_and_method_must_all_fit() {
        for (scope, method, host, target, expected) in [
            ("web:app.example.com", "DELETE", "app.example.com", "/x?y", true),
            ("web:app.example.com", "GET", "other.example.com", "/x", false),
            ("web:app.example.com", "GET", "app.example.com.evil.test", "/x", false),
            ("web:app.example.com", "GET", "sub.app.example.com", "/x", false),
            ("web:app.example.com", "GET", "", "/x", false),
            ("web:app.example.com/dav", "GET", "app.example.com", "/dav", true),
            ("web:app.example.com/dav", "GET", "app.example.com", "/dav/a%20b?c=/../", true),
            ("web:app.example.com/dav", "GET", "app.example.com", "/%64av/", true),
            ("web:app.example.com/dav", "GET", "app.example.com", "/davx", false),
            ("web:app.example.com/dav", "GET", "app.example.com", "/", false),
            ("web:app.example.com/ GET", "GET", "app.example.com", "/x", true),
            ("web:app.example.com/ GET", "HEAD", "app.example.com", "/x", false),
            ("webdav", "PROPFIND", "cloud.example.com", "/remote.php/dav/x", true),
            ("webdav", "GET", "files.example.com", "/dav", true),
            ("webdav", "GET", "files.example.com", "/remote.php/davx", false),
            ("webdav", "PUT", "files.example.com", "/dav", false),
            ("webdav", "GET", "app.example.com", "/dav", false),
            ("unknown", "GET", "app.example.com", "/dav", false),
            ("unknown\nall-of-app", "GET", "app.example.com", "/dav", true),
        ] {
            assert_eq!(covers(scope, method, host, target), expected, "{scope} {method} {host} {target}");
        }
    }

    #[test]
    fn no_path_in_two_readings_is_covered_by_a_path() {
        for target in [
            "/dav/../admin",
            "/dav/..",
            "/dav/%2e%2e/admin",
            "/dav/.%2e/admin",
            "/dav/./x",
            "/dav//x",
            "//dav/x",
            "/dav;/x",
            "/dav/..;/admin",
            "/dav/%3b/x",
            "/dav%2fx",
            "/dav/%2F../admin",
            "/dav/%5c..%5cadmin",
            "/dav\\..\\admin",
            "/dav/%00",
            "/dav/%0d%0aX",
            "/dav/%ff",
            "/dav/%c0%ae%c0%ae/admin",
            "/dav/%252e%252e/admin",
            "/dav/%",
            "/dav#",
            "https://app.example.com/dav/x",
            "*",
            "",
        ] {
            assert!(!covers("web:app.example.com/dav", "GET", "app.example.com", target), "{target}");
            assert!(!covers("web:app.example.com/", "GET", "app.example.com", target), "{target}");
            // every reading of it is a path of this host
            assert!(covers("web:app.example.com", "GET", "app.example.com", target), "{target}");
        }
    }

    #[test]
    fn a_declared_scope_needs_a_host_and_knows_no_other_key() {
        for text in [
            "",
            "hosts = []",
            "hosts = [\"a\"]\nuser = 1",
            "hosts = [\"a:1\"]",
            "hosts = [\"a\"]\npaths = [\"x\"]",
        ] {
            assert!(toml::from_str::<Web>(text).is_err(), "{text}");
        }
    }
}
