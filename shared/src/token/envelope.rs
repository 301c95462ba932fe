//! The envelope of every token, and the one function that opens it.

use super::kind::{TokenKind, TokenPayload};
use super::session::{FirstFactorMethod, Session, SessionId};
use crate::account::name::UserName;
use crate::account::record::{AccountId, AccountRecord};
use crate::credential::secret::{RandomError, fill_random};
use crate::crypto::vault::{TokenKeys, VaultError};
use crate::system::clock::Timestamp;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// The longest token that is looked at, in characters.
const LONGEST: usize = 8192;
/// The longest cookie value, in characters: browsers keep cookies of up to 4096 bytes, name and attributes included.
pub(super) const LONGEST_COOKIE: usize = 3900;

/// What tells a token from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenId(pub(crate) [u8; 16]);

/// Who may bring a token back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenHolder {
    /// Whoever has it: a browser or a program that is not signed in yet, or shows its session by it.
    Bearer,
    /// Who is signed in by this session.
    Session(SessionId),
    /// Who has the enrollment token of this number.
    Enrollment(TokenId),
    /// Root.
    Root,
    /// A user of this host.
    User(u32),
}

/// What a token was born of. It is good while that is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenParent {
    /// A session. What takes its place goes back to the same first factor, and lasts no longer.
    Session {
        id: SessionId,
        first: FirstFactorMethod,
        issued: Timestamp,
        expires: Timestamp,
    },
    /// A first factor that has passed at the web, in this sign-in. It is alive while the account's generation is the same.
    FirstFactor {
        sign_in: TokenId,
        first: FirstFactorMethod,
    },
    /// What passed at a local socket or a prompt: the peer is the holder. It is alive as a first factor is.
    Peer,
}

impl TokenParent {
    /// A session.
    pub(crate) fn session(session: &Session) -> TokenParent {
        let Session {
            id,
            issued,
            expires,
            ..
        } = *session;
        TokenParent::Session {
            id,
            first: session.passed.first,
            issued,
            expires,
        }
    }
}

/// An account as it was when a token was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountVersion {
    pub(crate) id: AccountId,
    /// Whatever ends all sessions raises it.
    pub(crate) generation: u64,
}

impl AccountVersion {
    /// As a record says.
    pub(crate) fn from_record(record: &AccountRecord) -> AccountVersion {
        AccountVersion {
            id: record.id,
            generation: record.generation,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Envelope {
    kind: TokenKind,
    id: TokenId,
    account: UserName,
    /// None where there was no account yet.
    at: Option<AccountVersion>,
    holder: TokenHolder,
    parent: TokenParent,
    issued: Timestamp,
    expires: Timestamp,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<P> {
    envelope: Envelope,
    payload: P,
    /// The keys that it was issued or opened with.
    keys: [u8; 32],
}

#[derive(Serialize)]
struct SealedToken<'a, P> {
    envelope: &'a Envelope,
    payload: &'a P,
}

#[derive(Deserialize)]
struct OpenedToken<P> {
    envelope: Envelope,
    payload: P,
}

/// For whom a token is issued.
pub(crate) struct TokenRecipient<'a> {
    pub(crate) account: &'a UserName,
    pub(crate) at: Option<AccountVersion>,
    pub(crate) holder: TokenHolder,
    pub(crate) parent: TokenParent,
}

impl TokenId {
    /// A new one.
    pub(crate) fn random() -> Result<TokenId, RandomError> {
        let mut id = [0; 16];
        fill_random(&mut id)?;
        Ok(TokenId(id))
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TokenId, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(TokenId)
            .ok_or_else(|| serde::de::Error::custom("no token id"))
    }
}

impl<P: TokenPayload> Token<P> {
    /// One that lives from `now` on for as long as its kind may.
    pub(crate) fn issue(
        keys: &TokenKeys,
        to: TokenRecipient<'_>,
        payload: P,
        now: Timestamp,
    ) -> Result<Token<P>, RandomError> {
        Self::issue_until(keys, to, payload, now, now.plus(P::KIND.lifetime()))
    }

    /// One that ends at `end`, if not before.
    pub(crate) fn issue_until(
        keys: &TokenKeys,
        to: TokenRecipient<'_>,
        payload: P,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Token<P>, RandomError> {
        let TokenRecipient {
            account,
            at,
            holder,
            parent,
        } = to;
        let envelope = Envelope {
            kind: P::KIND,
            id: TokenId::random()?,
            account: account.clone(),
            at,
            holder,
            parent,
            issued: now,
            expires: now.plus(P::KIND.lifetime()).min(end),
        };
        Ok(Token {
            envelope,
            payload,
            keys: keys.fingerprint(),
        })
    }

    /// One for the step after this one, with what is left of its life.
    pub(crate) fn into_next<N: TokenPayload>(self, next: impl FnOnce(P) -> N) -> Token<N> {
        let Token {
            envelope,
            payload,
            keys,
        } = self;
        Token {
            envelope: Envelope {
                kind: N::KIND,
                ..envelope
            },
            payload: next(payload),
            keys,
        }
    }

    /// The same proof in the session that takes the place of its own, with what is left of its life.
    pub(crate) fn bind_to_session(self, session: &Session, keys: &TokenKeys) -> Token<P> {
        let at = AccountVersion {
            id: AccountId(session.account),
            generation: session.generation,
        };
        let (holder, parent) = (
            TokenHolder::Session(session.id),
            TokenParent::session(session),
        );
        Token {
            envelope: Envelope {
                at: Some(at),
                holder,
                parent,
                ..self.envelope
            },
            keys: keys.fingerprint(),
            ..self
        }
    }

    /// With another payload.
    #[must_use]
    pub(crate) fn with_payload(self, payload: P) -> Token<P> {
        Token { payload, ..self }
    }

    /// Seals it. A payload that would make a cookie too long is shortened, if it can be.
    pub fn seal(&self, keys: &TokenKeys) -> Result<Zeroizing<String>, VaultError> {
        let whole = self.seal_with(&self.payload, keys)?;
        match self.payload.shorter() {
            Some(shorter) if whole.len() > LONGEST_COOKIE => self.seal_with(&shorter, keys),
            _ => Ok(whole),
        }
    }

    fn seal_with(&self, payload: &P, keys: &TokenKeys) -> Result<Zeroizing<String>, VaultError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(LONGEST));
        let sealed = SealedToken {
            envelope: &self.envelope,
            payload,
        };
        serde_json::to_writer(&mut *plain, &sealed).map_err(|_| VaultError::Incomplete)?;
        Ok(Zeroizing::new(
            BASE64URL_NOPAD.encode(&keys.seal(P::KIND.sealed_as(), &plain)?),
        ))
    }

    /// Opens a text: of this kind, sealed with these keys, brought back by `holder`, good at `now`. The one place where
    /// any token is opened.
    ///
    /// A clock that was set back lengthens no life: whoever holds one that was issued in the future has none.
    pub(crate) fn open(
        text: &str,
        keys: &TokenKeys,
        holder: TokenHolder,
        now: Timestamp,
    ) -> Option<Token<P>> {
        if text.len() > LONGEST {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let plain = keys.unseal(P::KIND.sealed_as(), &sealed)?;
        let OpenedToken { envelope, payload } = serde_json::from_slice(&plain).ok()?;
        let token = Token {
            envelope,
            payload,
            keys: keys.fingerprint(),
        };
        let Envelope {
            kind,
            issued,
            expires,
            ..
        } = token.envelope;
        let is_fit = kind == P::KIND && token.envelope.holder == holder;
        let lives_as_its_kind = expires.since(issued) <= P::KIND.lifetime();
        (is_fit && lives_as_its_kind && !token.is_expired(now)).then_some(token)
    }
}

impl<P> Token<P> {
    /// Whether its time is over, or has not come.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now < self.envelope.issued || self.envelope.expires <= now
    }

    /// How long it is still good, in seconds.
    pub fn seconds_left(&self, now: Timestamp) -> u64 {
        self.envelope.expires.since(now)
    }

    /// Whose account it is about.
    pub fn account(&self) -> &UserName {
        &self.envelope.account
    }

    /// What it carries.
    pub fn payload(&self) -> &P {
        &self.payload
    }

    /// What tells it from every other.
    pub fn id(&self) -> TokenId {
        self.envelope.id
    }

    /// Until when it is good.
    pub(crate) fn expires(&self) -> Timestamp {
        self.envelope.expires
    }

    /// The account as it was.
    pub(crate) fn at(&self) -> Option<AccountVersion> {
        self.envelope.at
    }

    /// What it was born of.
    pub(crate) fn parent(&self) -> &TokenParent {
        &self.envelope.parent
    }

    /// Whether it was issued or opened with these keys: those of a transaction may be newer.
    pub(crate) fn is_sealed_with(&self, keys: &TokenKeys) -> bool {
        self.keys == keys.fingerprint()
    }
}

#[cfg(test)]
impl<P> Token<P> {
    pub(super) fn holder_for_tests(&self) -> TokenHolder {
        self.envelope.holder
    }

    /// With another envelope, written as it is sealed.
    pub(super) fn reopened(&self, envelope: serde_json::Value, payload: P) -> Token<P> {
        Token {
            envelope: serde_json::from_value(envelope).unwrap(),
            payload,
            keys: self.keys,
        }
    }
}
