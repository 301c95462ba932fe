//! What programs without cookies carry in place of a session's: the session for a short time, and what gets them the
//! next such token. Neither holds longer than the session, and neither is a session cookie to whoever has it.

use super::LONGEST;
use crate::clock::Timestamp;
use crate::session::Session;
use crate::vault::{TokenKeys, VaultError};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

/// A session, for a short time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// The session.
    pub session: Session,
    expires: Timestamp,
}

impl AccessToken {
    /// How long one is good at most, in seconds.
    pub const LIFE: u64 = 900;
    const KIND: &str = "postern access token";

    /// One for a session that ends at `end`.
    pub fn begun(session: Session, end: Timestamp, now: Timestamp) -> AccessToken {
        AccessToken { session, expires: now.plus(Self::LIFE).min(end) }
    }

    /// What the program is given.
    pub fn to_text(&self, keys: &TokenKeys) -> Result<Zeroizing<String>, VaultError> {
        written(Self::KIND, self.expires.0, &self.session, keys)
    }

    /// The token in a text, if it is good at `now`. Whether the session still is, it does not know.
    pub fn from_text(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<AccessToken> {
        let (expires, session) = read(Self::KIND, text, keys)?;
        let expires = Timestamp(expires);
        // a clock that was set back must not lengthen it
        let in_time = now < expires && expires.since(now) <= Self::LIFE;
        in_time.then_some(AccessToken { session, expires })
    }

    /// How long it is still good, in seconds.
    pub fn left(&self, now: Timestamp) -> u64 {
        self.expires.since(now)
    }
}

/// What gets a session's next access token, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session.
    pub session: Session,
    /// How many the session had before it.
    pub number: u64,
}

impl RefreshToken {
    const KIND: &str = "postern refresh token";

    /// What the program is given.
    pub fn to_text(&self, keys: &TokenKeys) -> Result<Zeroizing<String>, VaultError> {
        written(Self::KIND, self.number, &self.session, keys)
    }

    /// The token in a text. Whether it is the newest, and the session still good, it does not know.
    pub fn from_text(text: &str, keys: &TokenKeys) -> Option<RefreshToken> {
        let (number, session) = read(Self::KIND, text, keys)?;
        Some(RefreshToken { session, number })
    }
}

fn written(
    kind: &str,
    number: u64,
    session: &Session,
    keys: &TokenKeys,
) -> Result<Zeroizing<String>, VaultError> {
    let cookie = Zeroizing::new(session.to_cookie(keys));
    let plain = Zeroizing::new([&number.to_be_bytes()[..], cookie.as_bytes()].concat());
    Ok(Zeroizing::new(BASE64URL_NOPAD.encode(&keys.seal(kind, &plain)?)))
}

fn read(kind: &str, text: &str, keys: &TokenKeys) -> Option<(u64, Session)> {
    if text.len() > LONGEST {
        return None;
    }
    let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let plain = keys.unseal(kind, &sealed)?;
    let (number, cookie) = plain.split_first_chunk::<8>()?;
    let session = Session::from_cookie(std::str::from_utf8(cookie).ok()?, keys)?;
    Some((u64::from_be_bytes(*number), session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_token_is_good_for_a_quarter_of_an_hour_and_never_beyond_its_session() {
        let (keys, now) = (TokenKeys::fresh(), Timestamp(1_000_000));
        let good = |token: &AccessToken, at| {
            AccessToken::from_text(&token.to_text(&keys).unwrap(), &keys, Timestamp(at)).is_some()
        };
        let long = AccessToken::begun(Session::of_alice(), now.plus(12 * 3600), now);
        assert_eq!(long.left(now), 900);
        assert!(good(&long, 1_000_000) && good(&long, 1_000_899));
        assert!(!good(&long, 1_000_900) && !good(&long, 999_999));
        let short = AccessToken::begun(Session::of_alice(), now.plus(60), now);
        assert!(good(&short, 1_000_059) && !good(&short, 1_000_060));
    }

    #[test]
    fn no_token_is_read_as_another_or_altered() {
        let (keys, now, session) = (TokenKeys::fresh(), Timestamp(1_000_000), Session::of_alice());
        let access = AccessToken::begun(session.clone(), now.plus(900), now);
        let refresh = RefreshToken { session: session.clone(), number: 3 };
        let (access_text, refresh_text) = (access.to_text(&keys).unwrap(), refresh.to_text(&keys).unwrap());
        assert_eq!(AccessToken::from_text(&access_text, &keys, now), Some(access));
        assert_eq!(RefreshToken::from_text(&refresh_text, &keys), Some(refresh));

        let cookie = session.to_cookie(&keys);
        for text in [&*refresh_text, &cookie, &access_text[1..], "", &"A".repeat(64 * 1024)] {
            assert_eq!(AccessToken::from_text(text, &keys, now), None);
        }
        for text in [&*access_text, &cookie, &refresh_text[1..]] {
            assert_eq!(RefreshToken::from_text(text, &keys), None);
            assert_eq!(Session::from_cookie(text, &keys).is_some(), text == cookie);
        }
        assert_eq!(RefreshToken::from_text(&refresh_text, &TokenKeys::fresh()), None, "of other keys");
    }
}
