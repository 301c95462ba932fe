//! Cookies. A request's Cookie line is scanned by hand, since a check is on the path of every request; what is
//! set is built by the cookie crate.
//!
//! Ambiguity is refused: two Cookie lines, our name twice, or anywhere but at the start of a pair.

use cookie::{Cookie, SameSite};
use shared::config::gate::Gate;

/// What all of our cookies' names hold.
const OURS: &str = "postern";

/// The names of our cookies, as the gate's place allows them.
pub(crate) struct Names {
    pub(crate) session: &'static str,
    pub(crate) browser: &'static str,
    pub(crate) login: &'static str,
    pub(crate) setup: &'static str,
    pub(crate) step_up: &'static str,
}

/// On a host of its own: the session is for the parent domain, all else for the gate's host alone.
const OWN_HOST: Names = Names {
    session: "__Secure-postern",
    browser: "__Host-postern-browser",
    login: "__Host-postern-login",
    setup: "__Host-postern-setup",
    step_up: "__Host-postern-step-up",
};

/// On a path of the protected host: the session is for that host, all else for the gate's path alone.
const OWN_PATH: Names = Names {
    session: "__Host-postern",
    browser: "__Secure-postern-browser",
    login: "__Secure-postern-login",
    setup: "__Secure-postern-setup",
    step_up: "__Secure-postern-step-up",
};

/// A request's cookies cannot be told apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// One Cookie line, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scanned<'a> {
    /// The value of the cookie that was looked for.
    pub(crate) value: Option<&'a str>,
    /// The line without any of ours.
    pub(crate) others: String,
}

/// Looks for one of our cookies in a Cookie line.
pub(crate) fn scan<'a>(line: &'a str, name: &str) -> Result<Scanned<'a>, Ambiguous> {
    // The usual foreign line is passed on as it is.
    if !line.contains(OURS) {
        return Ok(Scanned { value: None, others: line.to_owned() });
    }
    let mut value = None;
    let mut others = String::with_capacity(line.len());
    for pair in line.split(';') {
        let pair = pair.trim_matches(' ');
        let (key, said) = pair.split_once('=').unwrap_or((pair, ""));
        if is_ours(key) {
            if key == name && value.replace(said).is_some() {
                return Err(Ambiguous);
            }
            if is_smuggled(said) {
                return Err(Ambiguous);
            }
        } else if is_smuggled(pair) {
            return Err(Ambiguous);
        } else if !pair.is_empty() {
            if !others.is_empty() {
                others.push_str("; ");
            }
            others.push_str(pair);
        }
    }
    Ok(Scanned { value, others })
}

fn is_ours(key: &str) -> bool {
    let rest = key.strip_prefix("__Secure-").or_else(|| key.strip_prefix("__Host-"));
    rest.is_some_and(|rest| rest == OURS || rest.strip_prefix(OURS).is_some_and(|r| r.starts_with('-')))
}

fn is_smuggled(text: &str) -> bool {
    text.contains("__Secure-postern") || text.contains("__Host-postern")
}

/// Builds our cookies for the gate's place.
#[derive(Clone)]
pub(crate) struct Jar {
    pub(crate) names: &'static Names,
    path: String,
    domain: Option<String>,
}

impl Jar {
    pub(crate) fn new(gate: &Gate, path: &str) -> Jar {
        let own_host = path == "/";
        Jar {
            names: if own_host { &OWN_HOST } else { &OWN_PATH },
            path: path.to_owned(),
            domain: gate.cookie_domain.as_ref().filter(|_| own_host).map(|d| d.as_str().to_owned()),
        }
    }

    /// A session, for the protected applications.
    pub(crate) fn session(&self, value: &str, seconds: u64) -> String {
        let mut cookie = plain(self.names.session, value, seconds);
        cookie.set_path("/");
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        cookie.to_string()
    }

    /// A cookie that only the gate's own pages are sent.
    pub(crate) fn own(&self, name: &'static str, value: &str, seconds: u64) -> String {
        let mut cookie = plain(name, value, seconds);
        cookie.set_path(self.path.clone());
        cookie.to_string()
    }

    /// A cookie that no page of another site may have the browser send.
    pub(crate) fn strict(&self, name: &'static str, value: &str, seconds: u64) -> String {
        let mut cookie = plain(name, value, seconds);
        cookie.set_path(self.path.clone());
        cookie.set_same_site(SameSite::Strict);
        cookie.to_string()
    }
}

fn plain(name: &'static str, value: &str, seconds: u64) -> Cookie<'static> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Cookie::build((name, value.to_owned()))
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(cookie::time::Duration::seconds(seconds))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "__Secure-postern";

    fn scanned<'a>(value: Option<&'a str>, others: &str) -> Result<Scanned<'a>, Ambiguous> {
        Ok(Scanned { value, others: others.to_owned() })
    }

    #[test]
    fn ours_are_taken_out_and_others_stay() {
        assert_eq!(scan("a=1; __Secure-postern=x; b=2", NAME), scanned(Some("x"), "a=1; b=2"));
        assert_eq!(scan("__Secure-postern=x", NAME), scanned(Some("x"), ""));
        assert_eq!(scan("__Host-postern-browser=y;__Secure-postern=x;", NAME), scanned(Some("x"), ""));
        assert_eq!(scan("a=1;b=2", NAME), scanned(None, "a=1;b=2"));
        assert_eq!(
            scan("postern_theme=dark; c=\"q=1\"", NAME),
            scanned(None, "postern_theme=dark; c=\"q=1\"")
        );
    }

    #[test]
    fn ambiguity_is_refused() {
        for line in [
            "__Secure-postern=x; __Secure-postern=y",
            "__Secure-postern=x; __Secure-postern=x",
            "a=1, __Secure-postern=x",
            "a=__Secure-postern=x",
            "__Secure-postern=x, __Host-postern-browser=y",
            "x__Secure-postern=1",
        ] {
            assert_eq!(scan(line, NAME), Err(Ambiguous), "{line}");
        }
    }
}
