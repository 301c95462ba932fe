//! The one-time code with which a host joins a fleet: the fingerprint of the fleet's authority, so
//! that the host trusts no other server from its first connection on, and a random secret.

use crate::system::random::{RandomError, fill_random};
use data_encoding::BASE32_NOPAD;
use std::fmt;
use zeroize::Zeroizing;

const PREFIX: &str = "PH-";
/// Bytes of the secret.
const SECRET: usize = 16;

/// An invitation, which is shown once.
pub struct Invitation {
    /// SHA-256 of the certificate (DER) of the fleet's authority.
    pub authority: [u8; 32],
    secret: Zeroizing<[u8; SECRET]>,
}

impl Invitation {
    /// Makes an invitation to the fleet of this authority.
    pub fn random(authority: [u8; 32]) -> Result<Invitation, RandomError> {
        let mut secret = Zeroizing::new([0; SECRET]);
        fill_random(&mut secret[..])?;
        Ok(Invitation { authority, secret })
    }

    /// Parses the text of an invitation; blanks around it do not count.
    pub fn parse(text: &str) -> Option<Invitation> {
        let text = Zeroizing::new(text.trim().to_ascii_uppercase());
        let (authority, secret) = text.strip_prefix(PREFIX)?.split_once('-')?;
        let decode = |part: &str| {
            BASE32_NOPAD
                .decode(part.as_bytes())
                .ok()
                .map(Zeroizing::new)
        };
        Some(Invitation {
            authority: decode(authority)?.as_slice().try_into().ok()?,
            secret: Zeroizing::new(decode(secret)?.as_slice().try_into().ok()?),
        })
    }

    pub fn secret(&self) -> &[u8] {
        &self.secret[..]
    }

    /// Returns the text that is shown and typed.
    pub fn to_text(&self) -> Zeroizing<String> {
        let authority = BASE32_NOPAD.encode(&self.authority);
        let secret = Zeroizing::new(BASE32_NOPAD.encode(&self.secret[..]));
        Zeroizing::new(format!("{PREFIX}{authority}-{}", secret.as_str()))
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invitation(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_parsed_as_it_is_shown() {
        let made = Invitation::random([7; 32]).unwrap();
        let text = made.to_text();
        for typed in [text.as_str(), &format!(" {}\n", text.to_ascii_lowercase())] {
            let parsed = Invitation::parse(typed).unwrap();
            assert_eq!(parsed.authority, made.authority);
            assert_eq!(parsed.secret(), made.secret());
        }
        let cut = &text[..text.len() - 2];
        for typed in [
            "",
            "PH-",
            "PH-A-B",
            cut,
            &text[3..],
            &format!("{}A", text.as_str()),
        ] {
            assert!(Invitation::parse(typed).is_none(), "{typed}");
        }
    }
}
