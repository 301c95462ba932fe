//! Proof of a fresh second factor, for what a session alone may not do: it belongs to one session, for a short time.

use super::LONGEST;
use crate::clock::Timestamp;
use crate::session::{Session, SessionId};
use crate::vault::{TokenKeys, VaultError};
use data_encoding::BASE64URL_NOPAD;

/// The ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepUpTicket {
    session: SessionId,
    expires: Timestamp,
}

impl StepUpTicket {
    /// How long a ticket is good, in seconds.
    pub const LIFE: u64 = 900;
    const KIND: &str = "postern step-up ticket";

    /// One for a session.
    pub fn begun(session: &Session, now: Timestamp) -> StepUpTicket {
        StepUpTicket { session: session.id, expires: now.plus(Self::LIFE) }
    }

    /// The cookie's value.
    pub fn to_cookie(self, keys: &TokenKeys) -> Result<String, VaultError> {
        let plain = [&self.session.0[..], &self.expires.0.to_be_bytes()].concat();
        Ok(BASE64URL_NOPAD.encode(&keys.seal(Self::KIND, &plain)?))
    }

    /// The ticket in a cookie, if it is this session's and good at `now`.
    pub fn from_cookie(
        value: &str,
        keys: &TokenKeys,
        session: &Session,
        now: Timestamp,
    ) -> Option<StepUpTicket> {
        Self::opened(value, keys).filter(|ticket| {
            // A clock that was set back must not lengthen it.
            let in_time = now < ticket.expires && ticket.expires.since(now) <= Self::LIFE;
            in_time && ticket.session == session.id
        })
    }

    /// The same proof, for no longer, in the session that the person goes on in.
    pub fn carried_to(self, session: &Session) -> StepUpTicket {
        StepUpTicket { session: session.id, ..self }
    }

    /// How long it is still good, in seconds.
    pub fn left(self, now: Timestamp) -> u64 {
        self.expires.since(now)
    }

    fn opened(value: &str, keys: &TokenKeys) -> Option<StepUpTicket> {
        if value.len() > LONGEST {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
        let plain = keys.unseal(Self::KIND, &sealed)?;
        let (session, rest) = plain.split_first_chunk::<16>()?;
        let expires = Timestamp(u64::from_be_bytes(rest.try_into().ok()?));
        Some(StepUpTicket { session: SessionId(*session), expires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_up_ticket_is_good_for_its_session_and_its_time_only() {
        let keys = TokenKeys::fresh();
        let (one, other) = (Session::of_alice(), Session::of_alice());
        let cookie = StepUpTicket::begun(&one, Timestamp(1_000_000)).to_cookie(&keys).unwrap();
        let proves =
            |session, at| StepUpTicket::from_cookie(&cookie, &keys, session, Timestamp(at)).is_some();
        assert!(proves(&one, 1_000_899));
        assert!(!proves(&other, 1_000_000));
        assert!(!proves(&one, 1_000_900) && !proves(&one, 999_999));
        let read = |value: &str| StepUpTicket::from_cookie(value, &keys, &one, Timestamp(1_000_000));
        assert!(read(&cookie[1..]).is_none());
        // of another purpose: what signs a session
        assert!(read(&one.to_cookie(&keys)).is_none());
    }

    #[test]
    fn a_proof_that_is_carried_on_is_good_for_no_longer() {
        let keys = TokenKeys::fresh();
        let (one, next) = (Session::of_alice(), Session::of_alice());
        let carried = StepUpTicket::begun(&one, Timestamp(1_000_000)).carried_to(&next);
        let cookie = carried.to_cookie(&keys).unwrap();
        let proves =
            |session, at| StepUpTicket::from_cookie(&cookie, &keys, session, Timestamp(at)).is_some();
        assert!(proves(&next, 1_000_899) && !proves(&next, 1_000_900) && !proves(&one, 1_000_000));
        assert_eq!(carried.left(Timestamp(1_000_600)), 300);
    }
}
