//! A page message: what a page of the gate says after a redirect, such as why its form was refused,
//! with the typed fields that the form keeps. A browser carries it from one reply to the next.
//!
//! It is sealed, so that no other host can choose a text that a page of the gate shows, and no
//! script can read a field. It is no token: it proves nothing and grants nothing.

use crate::crypto::vault::{TokenKeys, VaultError};
use crate::system::clock::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Associated data, other than that of every token.
const SEALED_AS: &str = "postern page message";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageMessage {
    /// Path of the only page that shows the message, below the gate's own.
    pub page: String,
    /// Status of the page, as a number of HTTP.
    pub status: u16,
    /// In the user's language.
    pub text: String,
    /// Seconds to wait before another attempt, counted from `issued`.
    pub retry_after: Option<u64>,
    /// Names and values that the form begins with.
    pub fields: Vec<(String, String)>,
    pub issued: Timestamp,
}

impl PageMessage {
    /// Lifetime in seconds: a browser follows a redirect at once.
    pub const LIFETIME: u64 = 60;
    /// Longest sealed text, in characters: browsers keep cookies of up to 4096 bytes, name and
    /// attributes included.
    pub const LONGEST: usize = 3900;

    /// Seals the message. Returns `None` if it is too long for a cookie.
    pub fn seal(&self, keys: &TokenKeys) -> Result<Option<Zeroizing<String>>, VaultError> {
        let plain = serde_json::to_vec(self).map_err(|_| VaultError::Incomplete)?;
        let sealed = keys.seal(SEALED_AS, &Zeroizing::new(plain))?;
        let text = Zeroizing::new(BASE64URL_NOPAD.encode(&sealed));
        Ok((text.len() <= PageMessage::LONGEST).then_some(text))
    }

    /// Opens a message that is for this page and valid at `now`.
    pub fn open(text: &str, keys: &TokenKeys, page: &str, now: Timestamp) -> Option<PageMessage> {
        if text.len() > PageMessage::LONGEST {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let plain = keys.unseal(SEALED_AS, &sealed)?;
        let message: PageMessage = serde_json::from_slice(&plain).ok()?;
        let is_live = message.issued <= now && now.since(message.issued) < PageMessage::LIFETIME;
        (message.page == page && is_live).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn message(text: &str) -> PageMessage {
        PageMessage {
            page: "sign-in".to_owned(),
            status: 401,
            text: text.to_owned(),
            retry_after: None,
            fields: vec![("user".to_owned(), "alice".to_owned())],
            issued: NOW,
        }
    }

    #[test]
    fn a_message_is_shown_on_its_page_for_a_minute_and_only_as_it_was_sealed() {
        let (keys, sent) = (TokenKeys::fresh(), message("wrong"));
        let sealed = sent.seal(&keys).unwrap().unwrap();
        let open = |text: &str, page, now| PageMessage::open(text, &keys, page, now);
        assert_eq!(open(&sealed, "sign-in", NOW.plus(59)), Some(sent));
        assert_eq!(open(&sealed, "sign-in", NOW.plus(60)), None);
        assert_eq!(open(&sealed, "sign-in", NOW.minus(1)), None);
        assert_eq!(open(&sealed, "code", NOW), None);
        for at in 0..sealed.len() {
            let altered = crate::token::tests::with_other_character(&sealed, at);
            assert_eq!(open(&altered, "sign-in", NOW), None, "at {at}");
        }
        let other = TokenKeys::fresh();
        assert_eq!(PageMessage::open(&sealed, &other, "sign-in", NOW), None);
    }

    #[test]
    fn a_token_is_no_message() {
        let (keys, plain) = (
            TokenKeys::fresh(),
            serde_json::to_vec(&message("")).unwrap(),
        );
        for kind in crate::token::TokenKind::ALL {
            let sealed = BASE64URL_NOPAD.encode(&keys.seal(kind.sealed_as(), &plain).unwrap());
            assert_eq!(PageMessage::open(&sealed, &keys, "sign-in", NOW), None);
        }
    }

    #[test]
    fn a_message_that_no_browser_keeps_is_not_sealed() {
        let keys = TokenKeys::fresh();
        assert!(message(&"x".repeat(2500)).seal(&keys).unwrap().is_some());
        assert!(message(&"x".repeat(4000)).seal(&keys).unwrap().is_none());
    }
}
