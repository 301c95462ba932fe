//! Sessions of browsers: the contents of a session cookie, its signature, and what ends a session.
//! A check needs no store: only the signature, the time, and the snapshot of revoked sessions.
//!
//! A cookie states which factors passed, and MUST NOT state what follows from them: policy is
//! applied at each check.

pub use super::completed_factors::{
    CompletedFactors, FactorTimes, FirstFactorMethod, OutdatedProof, SecondFactorMethod,
};
pub use super::revoked::RevokedSessions;

use crate::account::email::EmailAddress;
use crate::account::name::{Group, UserName};
use crate::config::Config;
use crate::crypto::vault::TokenKeys;
use crate::policy::groups::{PersonGroups, UnresolvedGroup};
use crate::policy::session_groups::{RequestedGroups, SessionGroups};
use crate::system::clock::Timestamp;
use crate::system::random::{RandomError, random_bytes};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;

/// Longest scope in bytes: a host name or a domain.
const LONGEST_SCOPE: usize = 253;
/// First byte of every session cookie: the version of the format.
const FORMAT: u8 = 7;
/// Seconds by which a clock may be behind the clock that issued a session.
pub(crate) const CLOCKS_APART: u64 = 60;
/// Longest cookie that is parsed, in characters: browsers keep 4096 bytes, its name included.
const LONGEST: usize = 3900;
/// Most bytes of the names of a session's groups, with one more byte for each.
pub const LONGEST_GROUPS: usize = 2000;

/// Random identifier of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 16]);

impl SessionId {
    /// Makes a random identifier.
    pub fn random() -> Result<SessionId, RandomError> {
        random_bytes().map(SessionId)
    }

    /// Parses the text of [`fmt::Display`].
    pub fn parse(text: &str) -> Option<SessionId> {
        HEXLOWER
            .decode(text.as_bytes())
            .ok()?
            .try_into()
            .ok()
            .map(SessionId)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// The contents of a session cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub account: i64,
    /// Generation of the account when the session began.
    pub generation: u64,
    /// Revision of the store when the session began.
    pub revision: u64,
    pub passed: CompletedFactors,
    /// When they passed: an upgrade or a re-authentication renews it, and no end of the session.
    pub passed_at: FactorTimes,
    pub issued: Timestamp,
    /// When the session was opened: later than `issued` if it replaces another one.
    pub opened: Timestamp,
    /// End of the session, whatever the configuration says by then.
    pub expires: Timestamp,
    pub name: UserName,
    /// The host or domain of the cookie.
    pub scope: String,
    /// Groups of the account in the store when the session began; a change of them ends it. If PAM
    /// verified the password, also the groups of the host at that time.
    pub groups: Vec<Group>,
    /// Groups of the host that rules and exemptions name, as they were when the session began.
    pub host_groups: SessionGroups,
    /// E-mail address of the account when the session began, for applications; a change of it ends
    /// the session.
    pub email: Option<EmailAddress>,
}

impl Session {
    /// Returns the groups on which the policy decides. `None` where the configuration asks for other
    /// groups than when the session began.
    pub fn policy_groups(
        &self,
        config: &Config,
        requested: &RequestedGroups,
    ) -> Option<PersonGroups> {
        if !config.policy.names_groups() {
            return Some(PersonGroups::default());
        }
        let of_host = self.host_groups.read_for(requested)?;
        let ours = config
            .memberships(&self.name, &self.groups)
            .map(Group::as_str);
        let groups = PersonGroups::from_names(ours.chain(of_host.confirmed()))
            .with_unresolved(of_host.unresolved(), UnresolvedGroup::UnknownAtSignIn);
        Some(groups)
    }

    /// Encodes and signs the cookie.
    pub fn to_cookie(&self, keys: &TokenKeys) -> String {
        let scope = &self.scope[..self.scope.len().min(LONGEST_SCOPE)];
        let [first, second] = self.passed.to_bytes();
        let scope_length = u8::try_from(scope.len()).unwrap_or(0);
        let mut bytes = vec![FORMAT, first, second, scope_length];
        bytes.extend(self.id.0);
        bytes.extend(self.account.to_be_bytes());
        let FactorTimes {
            first: first_at,
            second: second_at,
        } = self.passed_at;
        let times = [self.issued, self.opened, self.expires, first_at, second_at];
        let times = times.map(|time| time.0);
        for number in [self.generation, self.revision].into_iter().chain(times) {
            bytes.extend(number.to_be_bytes());
        }
        let groups: Vec<&str> = self.groups.iter().map(Group::as_str).collect();
        let groups = groups.join("\n");
        let email = self.email.as_ref().map_or("", EmailAddress::as_str);
        let host_groups = self.host_groups.to_bytes();
        for length in [groups.len(), host_groups.len()] {
            bytes.extend(u16::try_from(length).unwrap_or(0).to_be_bytes());
        }
        bytes.push(u8::try_from(email.len()).unwrap_or(0));
        bytes.extend(scope.as_bytes());
        bytes.extend(groups.as_bytes());
        bytes.extend(host_groups);
        bytes.extend(email.as_bytes());
        bytes.extend(self.name.as_str().as_bytes());
        bytes.extend(keys.sign(&bytes));
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Parses a cookie with a valid signature.
    pub fn from_cookie(value: &str, keys: &TokenKeys) -> Option<Session> {
        // longer than any valid cookie: not worth decoding
        if value.len() > LONGEST {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
        let (signed, signature) = bytes.split_last_chunk::<32>()?;
        if !bool::from(keys.sign(signed).ct_eq(signature)) {
            return None;
        }
        let ([format, first, second, scope], rest) = signed.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (account, rest) = rest.split_first_chunk::<8>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (revision, rest) = rest.split_first_chunk::<8>()?;
        let (issued, rest) = rest.split_first_chunk::<8>()?;
        let (opened, rest) = rest.split_first_chunk::<8>()?;
        let (expires, rest) = rest.split_first_chunk::<8>()?;
        let (first_at, rest) = rest.split_first_chunk::<8>()?;
        let (second_at, rest) = rest.split_first_chunk::<8>()?;
        let (groups, rest) = rest.split_first_chunk::<2>()?;
        let (host_groups, rest) = rest.split_first_chunk::<2>()?;
        let ([email], rest) = rest.split_first_chunk()?;
        let (scope, rest) = rest.split_at_checked(usize::from(*scope))?;
        let (groups, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*groups)))?;
        let (host_groups, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*host_groups)))?;
        let (email, name) = rest.split_at_checked(usize::from(*email))?;
        let email = match email {
            [] => None,
            bytes => Some(EmailAddress::try_from(String::from_utf8(bytes.to_vec()).ok()?).ok()?),
        };
        let groups = std::str::from_utf8(groups).ok()?.lines();
        (*format == FORMAT).then_some(())?;
        Some(Session {
            id: SessionId(*id),
            account: i64::from_be_bytes(*account),
            generation: u64::from_be_bytes(*generation),
            revision: u64::from_be_bytes(*revision),
            passed: CompletedFactors::from_bytes([*first, *second])?,
            passed_at: FactorTimes {
                first: Timestamp(u64::from_be_bytes(*first_at)),
                second: Timestamp(u64::from_be_bytes(*second_at)),
            },
            issued: Timestamp(u64::from_be_bytes(*issued)),
            opened: Timestamp(u64::from_be_bytes(*opened)),
            expires: Timestamp(u64::from_be_bytes(*expires)),
            name: UserName::parse(name).ok()?,
            scope: String::from_utf8(scope.to_vec()).ok()?,
            groups: groups
                .map(|group| Group::try_from(group.to_owned()).ok())
                .collect::<Option<_>>()?,
            host_groups: SessionGroups::from_bytes(host_groups)?,
            email,
        })
    }

    /// Returns whether the session is valid at `now`, if sessions last `life` seconds at most. The
    /// earlier of two ends counts: the one in the cookie and the one by the current configuration.
    pub fn is_valid_at(&self, life: u64, now: Timestamp) -> bool {
        // a session from the future: the clock ran ahead and was set back
        let is_of_the_past = self.issued <= now.plus(CLOCKS_APART);
        is_of_the_past && now < self.expires && now.since(self.issued) < life
    }
}

#[cfg(test)]
impl Session {
    /// A session of alice, in no group, that began at 1,000,000.
    pub(crate) fn of_alice() -> Session {
        Session {
            id: SessionId::random().unwrap(),
            account: 1,
            generation: 0,
            revision: 0,
            passed: CompletedFactors::CODE,
            passed_at: FactorTimes {
                first: Timestamp(1_000_000),
                second: Timestamp(1_000_000),
            },
            issued: Timestamp(1_000_000),
            opened: Timestamp(1_000_000),
            expires: Timestamp(1_000_000 + 12 * 3600),
            name: "alice".parse().unwrap(),
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
    use crate::policy::groups::PersonGroups;
    use crate::policy::session_groups::RequestedGroups;

    fn session() -> Session {
        Session {
            id: SessionId::random().unwrap(),
            account: 7,
            generation: 3,
            revision: 11,
            passed: CompletedFactors {
                first: FirstFactorMethod::HostPassword,
                second: SecondFactorMethod::TrustedBrowser,
            },
            passed_at: FactorTimes {
                first: Timestamp(1_800_000_300),
                second: Timestamp(1_800_000_600),
            },
            issued: Timestamp(1_800_000_000),
            opened: Timestamp(1_800_000_700),
            expires: Timestamp(1_800_043_200),
            name: "ü@x.org".parse().unwrap(),
            scope: "example.com".to_owned(),
            groups: vec!["ops".parse().unwrap(), "ü b".parse().unwrap()],
            host_groups: SessionGroups::record_memberships(
                &RequestedGroups::from_names(["sudo", "users"].into_iter()),
                &PersonGroups::from_names(["sudo", "adm"]),
            ),
            email: Some("alice@example.org".to_owned().try_into().unwrap()),
        }
    }

    #[test]
    fn a_cookie_is_parsed_to_the_same_session() {
        let (keys, session) = (TokenKeys::fresh(), session());
        let parsed = Session::from_cookie(&session.to_cookie(&keys), &keys);
        assert_eq!(parsed, Some(session));
    }

    #[test]
    fn an_altered_cut_or_foreign_cookie_is_refused() {
        let (mine, session) = (TokenKeys::fresh(), session());
        let cookie = session.to_cookie(&mine);
        assert_eq!(Session::from_cookie(&cookie, &TokenKeys::fresh()), None);
        for cut in 0..cookie.len() {
            assert_eq!(Session::from_cookie(&cookie[..cut], &mine), None);
        }
        for position in 0..cookie.len() {
            let altered = crate::token::tests::with_other_character(&cookie, position);
            assert_eq!(Session::from_cookie(&altered, &mine), None);
        }
        assert_eq!(Session::from_cookie(&"A".repeat(64 * 1024), &mine), None);
    }

    /// Neither the configuration nor a clock that was set back extends a session.
    #[test]
    fn the_earlier_of_the_two_ends_counts() {
        let session = session();
        for (life, at, good) in [
            (43_200, 0, true),
            (43_200, 43_199, true),
            (43_200, 43_200, false),
            (2_592_000, 43_200, false),
            (300, 299, true),
            (300, 300, false),
        ] {
            let is_valid = session.is_valid_at(life, session.issued.plus(at));
            assert_eq!(is_valid, good, "{life} {at}");
        }
        assert!(session.is_valid_at(300, session.issued.minus(60)));
        assert!(!session.is_valid_at(300, session.issued.minus(61)));
    }
}
