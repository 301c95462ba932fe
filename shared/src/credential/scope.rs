//! Scopes of app passwords: the PAM services and web requests for which an app password is valid.
//! Pure functions; what no term covers is refused.
//!
//! A scope is a list of terms, each one of
//!
//! - `pam:SERVICE`
//! - `web:HOST[/PATH][ METHOD,…]`
//! - `NAME`, declared in postern.toml as `[gate.scope.NAME]`

use crate::account::name::Label;
use crate::system::network::web_address::{AmbiguousPath, WebHost, WebPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Longest term in bytes, and most terms of a scope.
const LONGEST: usize = 512;
const MOST: usize = 16;

/// The scope of an app password: at least one term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPasswordScope(Vec<ScopeTerm>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeTerm {
    Pam(Service),
    Web(WebScope),
    /// Web requests that the configuration describes.
    Named(ScopeName),
}

/// Web requests. Every condition that is given must hold; of each, one alternative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebScope {
    /// Name of a declared scope on the account pages. It decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Label>,
    #[serde(deserialize_with = "deserialize_hosts")]
    pub hosts: Vec<WebHost>,
    /// Paths, each with all paths below it; every path if none is given.
    #[serde(default)]
    pub paths: Vec<WebPath>,
    /// Methods; every method if none is given.
    #[serde(default)]
    pub methods: Vec<Method>,
}

/// The scopes that the configuration describes.
pub type NamedScopes = BTreeMap<ScopeName, WebScope>;

/// The parts of a web request that scopes compare.
pub struct WebRequest<'a> {
    /// In lower case, without port and final dot.
    pub host: &'a str,
    pub target: &'a str,
    pub method: &'a str,
}

impl AppPasswordScope {
    pub fn terms(&self) -> &[ScopeTerm] {
        &self.0
    }

    /// Returns whether the scope covers a PAM service.
    pub fn covers_service(&self, service: &str) -> bool {
        self.0
            .iter()
            .any(|term| matches!(term, ScopeTerm::Pam(meant) if meant.0 == service))
    }

    /// Returns whether the scope covers a web request. A name that is not declared covers nothing.
    pub fn covers_request(&self, named: &NamedScopes, request: &WebRequest<'_>) -> bool {
        let path = WebPath::parse(request.target);
        self.0.iter().any(|term| match term {
            ScopeTerm::Pam(_) => false,
            ScopeTerm::Web(web) => web.covers(request, &path),
            ScopeTerm::Named(name) => named
                .get(name)
                .is_some_and(|web| web.covers(request, &path)),
        })
    }

    /// Returns the first name that is not declared.
    pub fn undeclared(&self, named: &NamedScopes) -> Option<&ScopeName> {
        self.0.iter().find_map(|term| match term {
            ScopeTerm::Named(name) if !named.contains_key(name) => Some(name),
            _ => None,
        })
    }
}

impl WebScope {
    fn covers(&self, request: &WebRequest<'_>, path: &Result<WebPath, AmbiguousPath>) -> bool {
        let at_host = self.hosts.iter().any(|host| host.as_str() == request.host);
        let by_method =
            self.methods.is_empty() || self.methods.iter().any(|m| m.0 == request.method);
        let on_path = match path {
            _ if self.paths.is_empty() => true,
            Ok(path) => self.paths.iter().any(|top| path.is_below(top)),
            Err(AmbiguousPath) => false,
        };
        at_host && by_method && on_path
    }
}

/// Defines a text type whose form alone is checked.
macro_rules! plain {
    ($(#[$doc:meta])* $name:ident, $longest:literal, $allowed:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String")]
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

impl Service {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ScopeName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Method {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Deserializes a list that MUST NOT be empty: an empty list would be no condition on hosts.
fn deserialize_hosts<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<WebHost>, D::Error> {
    let hosts = Vec::<WebHost>::deserialize(deserializer)?;
    match hosts.is_empty() {
        true => Err(serde::de::Error::custom("must name at least one host")),
        false => Ok(hosts),
    }
}

impl FromStr for ScopeTerm {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<ScopeTerm, ScopeError> {
        let wrong = |what: &'static str| ScopeError::Term(what);
        const TOO_LONG: &str = "it is longer than 512 bytes";
        if text.len() > LONGEST {
            return Err(wrong(TOO_LONG));
        }
        let term = match text.split_once(':') {
            Some(("pam", service)) => Service::try_from(service.to_owned())
                .map(ScopeTerm::Pam)
                .map_err(wrong),
            Some(("web", rest)) => parse_web_scope(rest).map(ScopeTerm::Web).map_err(wrong),
            Some(_) => Err(wrong("it begins with neither \"pam:\" nor \"web:\"")),
            None => ScopeName::try_from(text.to_owned())
                .map(ScopeTerm::Named)
                .map_err(wrong),
        }?;
        // the store keeps a path escaped, and the same limit applies when it is read
        match term.to_string().len() <= LONGEST {
            true => Ok(term),
            false => Err(wrong(TOO_LONG)),
        }
    }
}

/// Parses a term of the form `HOST[/PATH][ METHOD,…]`.
fn parse_web_scope(text: &str) -> Result<WebScope, &'static str> {
    let (address, methods) = match text.split_once(' ') {
        Some((address, methods)) => (address, methods.split(',').collect()),
        None => (text, Vec::new()),
    };
    let (host, path) = match address.find('/') {
        Some(slash) => (&address[..slash], Some(&address[slash..])),
        None => (address, None),
    };
    Ok(WebScope {
        title: None,
        hosts: vec![WebHost::try_from(host.to_owned())?],
        paths: path
            .map(|path| WebPath::try_from(path.to_owned()))
            .transpose()?
            .into_iter()
            .collect(),
        methods: methods
            .into_iter()
            .map(|m| Method::try_from(m.to_owned()))
            .collect::<Result<_, _>>()?,
    })
}

impl TryFrom<Vec<ScopeTerm>> for AppPasswordScope {
    type Error = ScopeError;

    fn try_from(terms: Vec<ScopeTerm>) -> Result<AppPasswordScope, ScopeError> {
        match (1..=MOST).contains(&terms.len()) {
            true => Ok(AppPasswordScope(terms)),
            false => Err(ScopeError::Count),
        }
    }
}

/// Parses one term per line, as the store keeps them.
impl FromStr for AppPasswordScope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<AppPasswordScope, ScopeError> {
        text.lines()
            .map(str::parse)
            .collect::<Result<Vec<ScopeTerm>, _>>()
            .and_then(AppPasswordScope::try_from)
    }
}

impl fmt::Display for AppPasswordScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.0.iter().enumerate() {
            write!(f, "{}{term}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// Formats a term as it is parsed. A web term has one host and at most one path.
impl fmt::Display for ScopeTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScopeTerm::Pam(service) => write!(f, "pam:{service}"),
            ScopeTerm::Named(name) => name.fmt(f),
            ScopeTerm::Web(WebScope {
                hosts,
                paths,
                methods,
                ..
            }) => {
                let methods: Vec<&str> = methods.iter().map(|method| method.0.as_str()).collect();
                f.write_str("web:")?;
                hosts.iter().try_for_each(|host| host.fmt(f))?;
                paths.iter().try_for_each(|path| path.fmt(f))?;
                if methods.is_empty() {
                    Ok(())
                } else {
                    write!(f, " {}", methods.join(","))
                }
            }
        }
    }
}

/// Reason why a text is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// A term is malformed.
    Term(&'static str),
    /// There is no term, or more than [`MOST`].
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
mod tests;
