//! Selects the session among a request's cookies. Of several cookies under its name the valid one
//! counts.
//!
//! Refuses to choose between two valid ones: the user would be unknown.

use super::{MAX_SESSION_COOKIES, ScannedCookies, scan_cookies};
use crate::observe::log;
use postern_shared::account::name::UserName;
use postern_shared::engine::SERVICE;
use postern_shared::system::network::address::Address;
use postern_shared::token::session::Session;
use smallvec::SmallVec;
use std::borrow::Borrow;

/// Shortest session cookie, in bytes. Shorter values are not verified.
const MIN_SESSION_COOKIE: usize = 100;

/// Why the session of a request cannot be determined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConflictingCookies {
    /// Two sessions are valid, of these users, who may be the same.
    Sessions(UserName, UserName),
    /// Two tokens of one sign-in are valid and differ.
    Tokens,
    /// More values than [`MAX_SESSION_COOKIES`] could be valid.
    TooMany,
    /// The Cookie line is longer than what is read.
    TooLong,
}

impl ConflictingCookies {
    /// Logs the refusal, with the client's address.
    pub(crate) fn log(&self, address: Address) {
        let line = log::event("refused")
            .with("cause", self.cause())
            .with("address", address);
        line.with("service", SERVICE)
            .quoted("user", "-")
            .write_with_message(self.message());
    }

    /// Cause, as the log names it.
    fn cause(&self) -> &'static str {
        match self {
            ConflictingCookies::Sessions(..) | ConflictingCookies::Tokens => "cookies-conflict",
            ConflictingCookies::TooMany => "cookies-too-many",
            ConflictingCookies::TooLong => "cookies-too-long",
        }
    }

    /// What is wrong, and what to do.
    fn message(&self) -> String {
        const WHY: &str = "another host of the domain may set cookies for it: an application that is not trusted needs another \
                           registrable domain, see postern-gate(8)";
        match self {
            ConflictingCookies::Sessions(one, other) => {
                format!("the request has two different valid sessions, of {one} and {other}; {WHY}")
            }
            ConflictingCookies::Tokens => {
                format!("the request has two different valid tokens; {WHY}")
            }
            ConflictingCookies::TooMany => {
                format!(
                    "the request has more than {MAX_SESSION_COOKIES} cookies with the session's name; {WHY}"
                )
            }
            ConflictingCookies::TooLong => {
                format!("the request has more cookies than are read; {WHY}")
            }
        }
    }
}

/// Sessions in a Cookie line.
pub(crate) struct SessionCookies<'a, S = Session> {
    scanned: ScannedCookies<'a>,
    /// Every session whose signature is right, with its value.
    pub(crate) signed: SmallVec<[(&'a str, S); 1]>,
    /// Whether values were left unverified.
    overflows: bool,
}

impl<'a, S: Borrow<Session>> SessionCookies<'a, S> {
    /// Parses a line, and verifies at most `most` values. `verify` returns the session of a value
    /// whose signature is right.
    pub(crate) fn parse(
        line: &'a [u8],
        name: &'a str,
        most: usize,
        verify: impl Fn(&str) -> Option<S>,
    ) -> SessionCookies<'a, S> {
        let scanned = scan_cookies(line, name);
        let likely = || {
            scanned
                .values
                .iter()
                .copied()
                .filter(|value| value.len() >= MIN_SESSION_COOKIE)
        };
        let signed = likely()
            .take(most)
            .filter_map(|value| Some((value, verify(value)?)));
        SessionCookies {
            signed: signed.collect(),
            overflows: likely().nth(most).is_some(),
            scanned,
        }
    }

    /// Returns the one session that `is_good` accepts, if there is one.
    pub(crate) fn select_session(
        &self,
        is_good: impl Fn(&Session) -> bool,
    ) -> Result<Option<&S>, ConflictingCookies> {
        if self.overflows {
            return Err(ConflictingCookies::TooMany);
        }
        let mut good = self
            .signed
            .iter()
            .map(|(_, session)| session)
            .filter(|session| is_good((*session).borrow()));
        let Some(first) = good.next() else {
            return Ok(None);
        };
        let session = first.borrow();
        match good.map(S::borrow).find(|other| other.id != session.id) {
            Some(other) => Err(ConflictingCookies::Sessions(
                session.name.clone(),
                other.name.clone(),
            )),
            None => Ok(Some(first)),
        }
    }

    /// Returns the session, if only one has a right signature and no value is unverified.
    pub(crate) fn single_session(&self) -> Option<&S> {
        match &self.signed[..] {
            [(_, session)] if !self.overflows => Some(session),
            _ => None,
        }
    }

    /// Returns the line without cookies of Postern's.
    pub(crate) fn foreign_cookies(&self) -> std::borrow::Cow<'a, [u8]> {
        self.scanned
            .foreign_cookies(|value| self.signed.iter().any(|(valid, _)| *valid == value))
    }
}

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use sample::sample_session;

#[cfg(any(test, feature = "fuzz"))]
mod sample {
    use postern_shared::policy::session_groups::SessionGroups;
    use postern_shared::system::clock::Timestamp;
    use postern_shared::token::session::{
        CompletedFactors, FactorTimes, FirstFactorMethod, SecondFactorMethod, Session, SessionId,
    };

    /// Makes a session for tests.
    pub(crate) fn sample_session(name: &str, id: SessionId, second: SecondFactorMethod) -> Session {
        Session {
            id,
            account: 1,
            generation: 0,
            revision: 0,
            passed: CompletedFactors {
                first: FirstFactorMethod::Password,
                second,
            },
            passed_at: FactorTimes {
                first: Timestamp(1_000_000),
                second: Timestamp(1_000_000),
            },
            issued: Timestamp(1_000_000),
            opened: Timestamp(1_000_000),
            expires: Timestamp(1_000_000 + 12 * 3600),
            name: name.parse().expect("a name"),
            scope: "example.com".to_owned(),
            groups: Vec::new(),
            host_groups: SessionGroups::default(),
            email: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_shared::crypto::master_key::MasterKeys;
    use postern_shared::crypto::vault::{TokenKeys, Vault};
    use postern_shared::token::session::{SecondFactorMethod, SessionId};

    const NAME: &str = "__Secure-postern";

    fn keys() -> TokenKeys {
        let (masters, _) = MasterKeys::generate().unwrap();
        Vault::open(&masters, &Vault::create(&masters).unwrap())
            .unwrap()
            .token_keys()
    }

    fn parse<'a>(line: &'a [u8], keys: &TokenKeys, most: usize) -> SessionCookies<'a> {
        SessionCookies::parse(line, NAME, most, |value| Session::from_cookie(value, keys))
    }

    fn session(name: &str) -> Session {
        sample_session(name, SessionId::random().unwrap(), SecondFactorMethod::Code)
    }

    fn line(values: &[&str]) -> Vec<u8> {
        values
            .iter()
            .map(|value| format!("{NAME}={value}; "))
            .collect::<String>()
            .into_bytes()
    }

    /// An expired cookie beside a valid one gave a bare 401 until it was deleted; another host of
    /// the domain could set two hundred.
    #[test]
    fn the_valid_one_of_several_cookies_counts() {
        let keys = keys();
        let alice = session("alice");
        let (good, forged) = (alice.to_cookie(&keys), alice.to_cookie(&self::keys()));
        let planted: Vec<String> = (0..200).map(|n| format!("planted-planted-{n}")).collect();
        let planted: Vec<&str> = planted
            .iter()
            .map(String::as_str)
            .chain([good.as_str()])
            .collect();
        for values in [
            &[&good[..]][..],
            &[&forged, &good],
            &[&good, "stale", &good],
            &planted,
        ] {
            let line = line(values);
            let cookies = parse(&line, &keys, MAX_SESSION_COOKIES);
            assert_eq!(
                cookies.select_session(|_| true),
                Ok(Some(&alice)),
                "{values:?}"
            );
        }
        let line = line(&[&forged]);
        assert_eq!(
            parse(&line, &keys, MAX_SESSION_COOKIES).select_session(|_| true),
            Ok(None)
        );
    }

    #[test]
    fn two_valid_sessions_conflict_and_an_expired_one_does_not() {
        let keys = keys();
        let (alice, bob, again) = (session("alice"), session("bob"), session("alice"));
        let both = line(&[&alice.to_cookie(&keys), &bob.to_cookie(&keys)]);
        let cookies = parse(&both, &keys, MAX_SESSION_COOKIES);
        let disagree = ConflictingCookies::Sessions(alice.name.clone(), bob.name.clone());
        assert_eq!(cookies.select_session(|_| true), Err(disagree));
        assert_eq!(
            cookies.select_session(|session| session.id != alice.id),
            Ok(Some(&bob))
        );
        assert_eq!(cookies.select_session(|_| false), Ok(None));
        // Two sessions of one user are different sign-ins.
        let line = line(&[&alice.to_cookie(&keys), &again.to_cookie(&keys)]);
        assert!(
            parse(&line, &keys, MAX_SESSION_COOKIES)
                .select_session(|_| true)
                .is_err()
        );
    }

    #[test]
    fn verified_cookies_are_bounded_and_more_of_them_are_a_conflict() {
        let (keys, others) = (keys(), keys());
        let forged: Vec<String> = (0..=MAX_SESSION_COOKIES)
            .map(|_| session("mallory").to_cookie(&others))
            .collect();
        let forged: Vec<&str> = forged.iter().map(String::as_str).collect();
        let good = session("alice").to_cookie(&keys);
        let most = line(&[&forged[..MAX_SESSION_COOKIES - 1], &[&good]].concat());
        assert!(
            parse(&most, &keys, MAX_SESSION_COOKIES)
                .select_session(|_| true)
                .is_ok_and(|found| found.is_some())
        );
        let more = line(&[&forged[..MAX_SESSION_COOKIES], &[&good]].concat());
        assert_eq!(
            parse(&more, &keys, MAX_SESSION_COOKIES).select_session(|_| true),
            Err(ConflictingCookies::TooMany)
        );
        // A sign-out still finds the valid one and ends it.
        assert_eq!(parse(&more, &keys, usize::MAX).signed.len(), 1);
    }

    /// Some proxies join two Cookie lines with a comma.
    #[test]
    fn a_session_behind_a_comma_counts_and_is_not_passed_on() {
        let keys = keys();
        let alice = session("alice");
        let line = format!("a=1, {NAME}={}", alice.to_cookie(&keys));
        let cookies = parse(line.as_bytes(), &keys, MAX_SESSION_COOKIES);
        assert_eq!(cookies.select_session(|_| true), Ok(Some(&alice)));
        assert_eq!(&*cookies.foreign_cookies(), b"a=1");
        let forged = format!("a=1, {NAME}={}", alice.to_cookie(&self::keys()));
        assert_eq!(
            &*parse(forged.as_bytes(), &keys, MAX_SESSION_COOKIES).foreign_cookies(),
            forged.as_bytes()
        );
    }
}
