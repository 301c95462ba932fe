//! The sessions of a request's Cookie line, and the cookies that are passed on.
//!
//! A page loads many resources with the same line. A worker knows the lines that it read last: which
//! session they have, and which part of them is not passed on. Scanning a line of three cookies takes
//! as many instructions as reading and comparing all headers of the proxy.
//!
//! MUST know only what follows from the line, the token keys and the configuration.

use super::keyed_cache::KeyedCache;
use super::verified_session::VerifiedSession;
use crate::http::cookies::{ConflictingCookies, MAX_SESSION_COOKIES, SessionCookies};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use postern_shared::config::Config;
use postern_shared::crypto::vault::TokenKeys;
use postern_shared::token::session::Session;
use std::borrow::{Borrow, Cow};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

thread_local! {
    /// `None` where the system gave no random bytes: then each line is scanned.
    static KNOWN: Option<RefCell<KeyedCache<KnownLine>>> = KeyedCache::new().map(RefCell::new);
}

/// The cookies of a request.
pub(crate) enum RequestCookies<'a> {
    Known(KnownLine),
    Scanned(Box<SessionCookies<'a, VerifiedSession>>),
}

/// What follows from a line that has one session, and cookies of Postern's in one place alone.
#[derive(Clone)]
pub(crate) struct KnownLine {
    session: VerifiedSession,
    /// Name of the session's cookie.
    name: &'static str,
    /// Bytes of the line that are not passed on.
    ours: Range<usize>,
}

impl<'a> RequestCookies<'a> {
    /// Reads a line. `name` is that of the session's cookie.
    pub(crate) fn read(
        line: &'a HeaderValue,
        name: &'static str,
        config: &Arc<Config>,
        keys: &TokenKeys,
    ) -> RequestCookies<'a> {
        let line = line.as_bytes();
        let scan = || {
            SessionCookies::parse(line, name, MAX_SESSION_COOKIES, |value| {
                VerifiedSession::verify(config, keys, value)
            })
        };
        KNOWN.with(|known| match known {
            Some(known) if !line.is_empty() => {
                let known = &mut *known.borrow_mut();
                let hash = known.hash(line);
                match known.get(hash) {
                    Some(line) if line.is_of(name, config, keys) => {
                        return RequestCookies::Known(line.clone());
                    }
                    _ => {}
                }
                let scanned = scan();
                if let Some(line) = KnownLine::of(line, name, &scanned) {
                    known.put(hash, line);
                }
                RequestCookies::Scanned(Box::new(scanned))
            }
            _ => RequestCookies::Scanned(Box::new(scan())),
        })
    }

    /// Returns the one session that `is_good` accepts, if there is one.
    pub(crate) fn select_session(
        &self,
        is_good: impl Fn(&Session) -> bool,
    ) -> Result<Option<&VerifiedSession>, ConflictingCookies> {
        match self {
            RequestCookies::Known(line) => {
                let session = Some(&line.session);
                Ok(session.filter(|session| is_good((*session).borrow())))
            }
            RequestCookies::Scanned(cookies) => cookies.select_session(is_good),
        }
    }

    /// Returns the line without cookies of Postern's. `line` is the one that was read.
    pub(crate) fn foreign_cookies(&self, line: &HeaderValue) -> HeaderValue {
        let foreign = match self {
            RequestCookies::Known(known) => known.foreign_cookies(line.as_bytes()),
            RequestCookies::Scanned(cookies) => match cookies.foreign_cookies() {
                // The common line passes on as it is, without a copy.
                Cow::Borrowed(_) => return line.clone(),
                Cow::Owned(foreign) => foreign,
            },
        };
        HeaderValue::from_maybe_shared(Bytes::from(foreign))
            .unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

impl KnownLine {
    fn of(
        line: &[u8],
        name: &'static str,
        scanned: &SessionCookies<'_, VerifiedSession>,
    ) -> Option<KnownLine> {
        let session = scanned.single_session()?.clone();
        let foreign = scanned.foreign_cookies();
        let is_same = |(one, other): &(&u8, &u8)| one == other;
        let front = line.iter().zip(&*foreign).take_while(is_same).count();
        let (_, back) = foreign.split_at(front);
        line[front..].ends_with(back).then(|| KnownLine {
            session,
            name,
            ours: front..line.len() - back.len(),
        })
    }

    fn is_of(&self, name: &str, config: &Arc<Config>, keys: &TokenKeys) -> bool {
        self.name == name && self.session.is_of(config, keys)
    }

    fn foreign_cookies(&self, line: &[u8]) -> Vec<u8> {
        [&line[..self.ours.start], &line[self.ours.end..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verified_session::tests::{cookie, keys};

    const NAME: &str = "__Secure-postern";

    /// What a check uses of a line: whether it is known, its session's user, and foreign cookies.
    fn read(line: &str, config: &Arc<Config>, keys: &TokenKeys) -> (bool, String, String) {
        let line = HeaderValue::from_str(line).unwrap();
        let cookies = RequestCookies::read(&line, NAME, config, keys);
        let user = match cookies.select_session(|_| true) {
            Ok(session) => session.map_or("-".to_owned(), |session| {
                Borrow::<Session>::borrow(session).name.to_string()
            }),
            Err(conflict) => format!("{conflict:?}"),
        };
        let foreign = cookies.foreign_cookies(&line);
        let foreign = foreign.to_str().unwrap().to_owned();
        (matches!(cookies, RequestCookies::Known(_)), user, foreign)
    }

    /// Whatever a line holds, the second reading finds what the first one found.
    #[test]
    fn a_known_line_gives_what_scanning_it_gives() {
        let (config, keys) = (Arc::new(Config::default()), keys());
        let (alice, bob) = (cookie("alice", &keys), cookie("bob", &keys));
        let stale = cookie("carol", &self::keys());
        let ours = format!("{NAME}={alice}");
        for (line, becomes_known) in [
            (ours.clone(), true),
            (format!("theme=dark; {ours}; lang=en"), true),
            (format!("{ours}; lang=en"), true),
            (format!("theme=dark; {ours}"), true),
            (format!("a=1;{ours};a=1;{ours}"), false),
            (format!("a=1; {ours}; a=1; __Host-postern-login=x"), false),
            (format!("a=1; {ours}; {NAME}={stale}; b=2"), true),
            (format!("a=1; {NAME}={stale}; b=2"), false),
            (format!("a=1,{ours}; b=2"), true),
            (format!("{ours}; {NAME}={bob}"), false),
            ("a=1; b=2".to_owned(), false),
            (String::new(), false),
        ] {
            let (was_known, user, foreign) = read(&line, &config, &keys);
            assert!(!was_known, "{line}");
            let again = read(&line, &config, &keys);
            assert_eq!(again, (becomes_known, user, foreign), "{line}");
        }
    }

    #[test]
    fn a_line_is_known_for_its_keys_its_configuration_and_its_name_alone() {
        let (config, keys) = (Arc::new(Config::default()), keys());
        let line = format!("a=1; {NAME}={}", cookie("alice", &keys));
        let other = Arc::new(Config::default());
        assert!(!read(&line, &config, &keys).0);
        assert!(read(&line, &config, &keys).0);
        let renewed = read(&line, &config, &self::keys());
        assert_eq!(renewed, (false, "-".to_owned(), "a=1".to_owned()));
        assert!(!read(&line, &other, &keys).0);
        let line = HeaderValue::from_str(&line).unwrap();
        let elsewhere = RequestCookies::read(&line, "__Host-postern", &other, &keys);
        assert!(matches!(elsewhere, RequestCookies::Scanned(_)));
        assert!(elsewhere.select_session(|_| true).unwrap().is_none());
    }

    #[test]
    fn a_known_session_is_valid_only_while_the_check_says_so() {
        let (config, keys) = (Arc::new(Config::default()), keys());
        let line = format!("{NAME}={}", cookie("alice", &keys));
        let line = HeaderValue::from_str(&line).unwrap();
        for _ in 0..2 {
            let cookies = RequestCookies::read(&line, NAME, &config, &keys);
            assert!(cookies.select_session(|_| false).unwrap().is_none());
            assert!(cookies.select_session(|_| true).unwrap().is_some());
        }
    }
}
