//! Sealed tokens between two pages of a sign-in, one type for each purpose: one never opens as another.

mod errand;
mod header_tokens;
mod pass;
mod setup;
mod step_up;

pub(crate) use errand::{Confirmed, Draft, DraftError, ErrandTicket, Holder, NewCodes, Purpose};
pub use header_tokens::{AccessToken, RefreshToken};
pub use pass::{Pass, PassId};
pub use setup::{Leave, SetupTicket};
pub use step_up::StepUpTicket;

use crate::account::Methods;
use crate::clock::Timestamp;
use crate::name::UserName;
use crate::vault::{TokenKeys, VaultError};
use data_encoding::BASE64URL_NOPAD;

/// The longest token that is looked at, in characters.
const LONGEST: usize = 8192;

const APP: u8 = 0;
const APP_OR_MAIL: u8 = 1;
const MAIL: u8 = 2;

/// The first factor has passed: what leads from the sign-in page to the code page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTicket {
    /// Who.
    pub name: UserName,
    /// Which sign-in it is, and until when it is good.
    pub pass: Pass,
    /// How long the account's longest code is: the code page submits itself there.
    pub digits: u32,
    /// What codes there are.
    pub methods: Methods,
    /// The page that was asked for.
    pub back_to: String,
}

impl LoginTicket {
    const KIND: &str = "postern login ticket";

    /// The cookie's value.
    pub fn to_cookie(&self, keys: &TokenKeys) -> Result<String, VaultError> {
        let mut plain = Vec::new();
        plain.extend(self.pass.id.0);
        plain.extend(self.pass.expires.0.to_be_bytes());
        plain.extend(self.pass.generation.to_be_bytes());
        plain.extend(self.pass.rises_from.map_or(0, |began| began.0).to_be_bytes());
        plain.extend(self.digits.to_be_bytes());
        let (kind, to) = match &self.methods {
            Methods::App => (APP, ""),
            Methods::AppOrMail(to) => (APP_OR_MAIL, to.as_str()),
            Methods::Mail(to) => (MAIL, to.as_str()),
        };
        plain.push(kind);
        for text in [self.name.as_str(), to] {
            plain.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
            plain.extend(text.as_bytes());
        }
        plain.extend(self.back_to.as_bytes());
        Ok(BASE64URL_NOPAD.encode(&keys.seal(Self::KIND, &plain)?))
    }

    /// Opens a cookie that is good at `now`.
    pub fn from_cookie(value: &str, keys: &TokenKeys, now: Timestamp) -> Option<LoginTicket> {
        if value.len() > LONGEST {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
        let plain = keys.unseal(Self::KIND, &sealed)?;
        let (id, rest) = plain.split_first_chunk::<16>()?;
        let (expires, rest) = rest.split_first_chunk::<8>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (rises_from, rest) = rest.split_first_chunk::<8>()?;
        let (digits, rest) = rest.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first()?;
        let (name, rest) = split_text(rest)?;
        let (to, back_to) = split_text(rest)?;
        let to = String::from_utf8(to.to_vec()).ok()?;
        let pass = Pass {
            id: PassId(*id),
            generation: u64::from_be_bytes(*generation),
            expires: Timestamp(u64::from_be_bytes(*expires)),
            rises_from: Some(Timestamp(u64::from_be_bytes(*rises_from))).filter(|began| began.0 != 0),
        };
        if pass.is_over(now) {
            return None;
        }
        Some(LoginTicket {
            name: UserName::parse(name).ok()?,
            pass,
            digits: u32::from_be_bytes(*digits),
            methods: match *kind {
                APP => Methods::App,
                APP_OR_MAIL => Methods::AppOrMail(to),
                MAIL => Methods::Mail(to),
                _ => return None,
            },
            back_to: String::from_utf8(back_to.to_vec()).ok()?,
        })
    }
}

/// Takes a text off the front, whose length stands before it.
fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also where two kinds have one shape.
    #[test]
    fn trap_07_tokens_of_different_purpose_interchangeable() {
        let keys = TokenKeys::fresh();
        let sealed = keys.seal(LoginTicket::KIND, b"the same").unwrap();
        assert_eq!(*keys.unseal(LoginTicket::KIND, &sealed).unwrap(), b"the same");
        for other in ["", "postern setup ticket", "postern login ticket ", "postern login"] {
            assert!(keys.unseal(other, &sealed).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_ticket_is_good_for_its_time_only() {
        let keys = TokenKeys::fresh();
        let ticket = LoginTicket {
            name: "alice".parse().unwrap(),
            pass: Pass {
                id: PassId([7; 16]),
                generation: 2,
                expires: Timestamp(1_000_600),
                rises_from: Some(Timestamp(999_000)),
            },
            digits: 8,
            methods: Methods::AppOrMail("a•••@example.com".to_owned()),
            back_to: "https://app.example.com/?q=1".to_owned(),
        };
        let cookie = ticket.to_cookie(&keys).unwrap();
        assert_eq!(LoginTicket::from_cookie(&cookie, &keys, Timestamp(1_000_599)), Some(ticket));
        for now in [1_000_600, 2_000_000, 999_000] {
            assert_eq!(LoginTicket::from_cookie(&cookie, &keys, Timestamp(now)), None);
        }
        assert_eq!(LoginTicket::from_cookie(&cookie[1..], &keys, Timestamp(1_000_000)), None);
    }
}
