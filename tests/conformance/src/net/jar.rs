//! A cookie jar (RFC 6265): host, domain, path and expiry; all connections are secure.

use crate::net::reply::Reply;
use crate::net::url::Url;
use cookie::Cookie;

/// Cookies of one browser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar(Vec<Stored>);

#[derive(Clone, Debug)]
struct Stored {
    name: String,
    value: String,
    host: String,
    /// Whether hosts below `host` receive the cookie too.
    whole_domain: bool,
    path: String,
}

impl Jar {
    /// Keeps the cookies of a response, and removes those that it expires.
    pub(crate) fn keep(&mut self, url: &Url, reply: &Reply) {
        for line in reply.all("set-cookie") {
            let Ok(cookie) = Cookie::parse(line) else {
                continue;
            };
            let domain = cookie.domain().map(str::to_ascii_lowercase);
            let path = cookie.path().unwrap_or("/").to_owned();
            let stored = Stored {
                name: cookie.name().to_owned(),
                value: cookie.value().to_owned(),
                whole_domain: domain.is_some(),
                host: domain.unwrap_or_else(|| url.host.clone()),
                path,
            };
            self.0.retain(|other| !other.is_same(&stored));
            let expired = cookie.max_age().is_some_and(|age| age.whole_seconds() <= 0);
            if !expired && !stored.value.is_empty() {
                self.0.push(stored);
            }
        }
    }

    /// Puts a cookie for one host into the jar, as a page of that host could.
    pub(crate) fn put(&mut self, url: &Url, name: &str, value: &str) {
        self.0.push(Stored {
            name: name.to_owned(),
            value: value.to_owned(),
            host: url.host.clone(),
            whole_domain: false,
            path: "/".to_owned(),
        });
    }

    /// Returns the Cookie header for a URL; empty if there are none.
    pub(crate) fn header(&self, url: &Url) -> String {
        let sent = self.0.iter().filter(|cookie| cookie.is_for(url));
        let pairs = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Returns the value of a cookie.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|cookie| cookie.name == name);
        found.map(|cookie| cookie.value.as_str())
    }

    /// Returns name and value of each cookie.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|c| (c.name.as_str(), c.value.as_str()))
    }

    /// Removes the cookies of this name.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|cookie| cookie.name != name);
    }
}

impl Stored {
    fn is_same(&self, other: &Stored) -> bool {
        (&self.name, &self.host, &self.path) == (&other.name, &other.host, &other.path)
    }

    fn is_for(&self, url: &Url) -> bool {
        let below = url.host.strip_suffix(&self.host);
        let host =
            below.is_some_and(|rest| rest.is_empty() || (self.whole_domain && rest.ends_with('.')));
        let path = url.target.split('?').next().unwrap_or("/");
        host && path.starts_with(self.path.trim_end_matches('/'))
    }
}
