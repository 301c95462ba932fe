//! The ticket of a first setup in a browser: the password has passed, and there is no second factor yet. It stands in a
//! cookie beside the drafts that the setup makes, which open with it alone.

use super::LONGEST;
use super::errand::Holder;
use crate::clock::Timestamp;
use crate::decision::Invitation;
use crate::name::UserName;
use crate::secret::{RandomError, fill_random};
use crate::session::SessionId;
use crate::vault::{TokenKeys, VaultError};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

/// Whether a setup may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leave {
    /// Not without an administrator's one-time code.
    OneTimeCode,
    /// Yes.
    Given,
    /// Yes, in place of the second factor that there is, while this session lives: a fresh code was given in it.
    Replacement(SessionId),
    /// Yes, by this one-time code.
    Invited(Invitation),
}

/// What leads from the sign-in page through a first setup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupTicket {
    /// Who.
    pub name: UserName,
    /// Until when it is good.
    pub expires: Timestamp,
    /// The account's generation: whatever ends all sessions ends this too.
    pub generation: u64,
    /// Whether the setup may begin.
    pub leave: Leave,
    /// What tells it from every other.
    number: [u8; 16],
    /// The page that was asked for.
    pub back_to: String,
}

impl SetupTicket {
    /// How long a ticket is good, in seconds.
    pub const LIFE: u64 = 900;
    const KIND: &str = "postern setup-init ticket";

    /// A new one.
    pub fn begun(
        name: UserName,
        generation: u64,
        leave: Leave,
        back_to: String,
        now: Timestamp,
    ) -> Result<SetupTicket, RandomError> {
        let mut number = [0; 16];
        fill_random(&mut number)?;
        Ok(SetupTicket { name, expires: now.plus(Self::LIFE), generation, leave, number, back_to })
    }

    /// The same, of someone who has a one-time code.
    #[must_use]
    pub(crate) fn invited(self, invitation: Invitation) -> SetupTicket {
        SetupTicket { leave: Leave::Invited(invitation), ..self }
    }

    /// The cookie's value. A page to come back to that would make it too long for a cookie is left out.
    pub fn to_cookie(&self, keys: &TokenKeys) -> Result<String, VaultError> {
        let value = |ticket: &SetupTicket| {
            let plain = serde_json::to_vec(ticket).map_err(|_| VaultError::Incomplete)?;
            Ok(BASE64URL_NOPAD.encode(&keys.seal(Self::KIND, &plain)?))
        };
        let whole = value(self)?;
        match whole.len() <= LONGEST_COOKIE {
            true => Ok(whole),
            false => value(&SetupTicket { back_to: String::new(), ..self.clone() }),
        }
    }

    /// Opens a cookie that is good at `now`.
    pub fn from_cookie(value: &str, keys: &TokenKeys, now: Timestamp) -> Option<SetupTicket> {
        if value.len() > LONGEST {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
        let ticket: SetupTicket = serde_json::from_slice(&keys.unseal(Self::KIND, &sealed)?).ok()?;
        // A clock that was set back must not lengthen it.
        (now < ticket.expires && ticket.expires.since(now) <= Self::LIFE).then_some(ticket)
    }

    /// Whose drafts it opens.
    pub(crate) fn holder(&self) -> Holder {
        Holder::Browser(self.number)
    }
}

/// Browsers keep cookies of up to 4096 bytes, name and attributes included.
const LONGEST_COOKIE: usize = 3900;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::LoginTicket;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn ticket(back_to: &str) -> SetupTicket {
        SetupTicket::begun("alice".parse().unwrap(), 2, Leave::Given, back_to.to_owned(), NOW).unwrap()
    }

    #[test]
    fn a_ticket_is_good_for_its_time_only_and_opens_as_no_other() {
        let (keys, ticket) = (TokenKeys::fresh(), ticket("https://app.example.com/"));
        let cookie = ticket.to_cookie(&keys).unwrap();
        let opened = |at| SetupTicket::from_cookie(&cookie, &keys, Timestamp(at));
        assert_eq!(opened(NOW.0 + 899), Some(ticket));
        for at in [NOW.0 + 900, NOW.0 - 1] {
            assert_eq!(opened(at), None);
        }
        assert_eq!(LoginTicket::from_cookie(&cookie, &keys, NOW), None);
        assert_eq!(SetupTicket::from_cookie(&cookie[1..], &keys, NOW), None);
    }

    #[test]
    fn each_ticket_opens_its_own_drafts_only() {
        assert_ne!(ticket("").holder(), ticket("").holder());
    }

    #[test]
    fn the_longest_page_to_come_back_to_leaves_a_cookie_that_browsers_keep() {
        let keys = TokenKeys::fresh();
        for back_to in ["x".repeat(2048), "\"".repeat(2048)] {
            let cookie = ticket(&back_to).to_cookie(&keys).unwrap();
            assert!(cookie.len() <= LONGEST_COOKIE, "{}", cookie.len());
            assert!(SetupTicket::from_cookie(&cookie, &keys, NOW).is_some());
        }
    }
}
