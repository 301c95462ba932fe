//! The envelope of every token, and the one function that opens it.
//!
//! MUST check kind, keys, holder and lifetime of each token in [`Token::open`]; MUST NOT know what
//! a payload means.

use super::kind::{TokenKind, TokenPayload};
use super::session::{FirstFactorMethod, Session, SessionId};
use crate::account::name::UserName;
use crate::account::record::{AccountId, AccountRecord};
use crate::crypto::vault::{TokenKeys, VaultError};
use crate::system::clock::Timestamp;
use crate::system::random::{RandomError, random_bytes};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// Longest token that is opened, in characters.
const LONGEST: usize = 8192;
/// Longest cookie value in characters: browsers keep cookies of up to 4096 bytes, name and
/// attributes included.
pub(super) const LONGEST_COOKIE: usize = 3900;

/// Random identifier of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenId(pub(crate) [u8; 16]);

/// The holder that may present a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenHolder {
    /// Any client that has the token: a browser or a program that is not signed in yet, or that
    /// proves its session by the token.
    Bearer,
    /// The client of this session.
    Session(SessionId),
    /// The client with this enrollment token.
    Enrollment(TokenId),
    Root,
    User(u32),
    /// The host of a fleet with this number.
    Host(i64),
    /// A process of the user with this uid, on the host with this number.
    HostUser(i64, u32),
}

/// The session or proof that a token was issued for. The token is valid only while its parent is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenParent {
    /// A session. A session that replaces it MUST have the same first factor, and MUST NOT last
    /// longer.
    Session {
        id: SessionId,
        first: FirstFactorMethod,
        /// When the first factor passed.
        first_at: Timestamp,
        issued: Timestamp,
        expires: Timestamp,
    },
    /// A first factor that passed in this login at the web. It is valid while the generation of the
    /// account stays the same.
    FirstFactor {
        sign_in: TokenId,
        first: FirstFactorMethod,
    },
    /// A proof at a local socket or a prompt, whose peer is the holder, or a mail to the account's
    /// address. It is valid as long as a first factor is.
    Peer,
}

impl TokenParent {
    /// Returns the parent for a session.
    pub(crate) fn session(session: &Session) -> TokenParent {
        TokenParent::Session {
            id: session.id,
            first: session.passed.first,
            first_at: session.passed_at.first,
            issued: session.issued,
            expires: session.expires,
        }
    }
}

/// The version of an account when a token was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountVersion {
    pub(crate) id: AccountId,
    /// Raised by each act that ends all sessions.
    pub(crate) generation: u64,
}

impl AccountVersion {
    /// Returns the version when a session began.
    pub(crate) fn of_session(session: &Session) -> AccountVersion {
        AccountVersion {
            id: AccountId(session.account),
            generation: session.generation,
        }
    }

    /// Returns the version in a record.
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
    /// `None` if there was no account yet.
    at: Option<AccountVersion>,
    holder: TokenHolder,
    parent: TokenParent,
    issued: Timestamp,
    expires: Timestamp,
}

/// A token with its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<P> {
    envelope: Envelope,
    payload: P,
    /// Fingerprint of the keys that the token was issued or opened with.
    keys: [u8; 32],
}

/// The sealed text: references where it is sealed, values where it is opened.
#[derive(Serialize, Deserialize)]
struct TokenContent<E, P> {
    envelope: E,
    payload: P,
}

/// The recipient of a new token.
pub(crate) struct TokenRecipient<'a> {
    pub(crate) account: &'a UserName,
    pub(crate) at: Option<AccountVersion>,
    pub(crate) holder: TokenHolder,
    pub(crate) parent: TokenParent,
}

impl TokenId {
    /// Makes a random identifier.
    pub(crate) fn random() -> Result<TokenId, RandomError> {
        random_bytes().map(TokenId)
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
    /// Issues a token at `now` with the lifetime of its kind.
    pub(crate) fn issue(
        keys: &TokenKeys,
        to: TokenRecipient<'_>,
        payload: P,
        now: Timestamp,
    ) -> Result<Token<P>, RandomError> {
        Self::issue_until(keys, to, payload, now, now.plus(P::KIND.lifetime()))
    }

    /// Issues a token that expires at `end` at the latest.
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

    /// Returns the token of the next step, with the remaining lifetime.
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

    /// Returns the same proof for the session that replaces its session, with the remaining
    /// lifetime.
    pub(crate) fn bind_to_session(self, session: &Session, keys: &TokenKeys) -> Token<P> {
        Token {
            envelope: Envelope {
                at: Some(AccountVersion::of_session(session)),
                holder: TokenHolder::Session(session.id),
                parent: TokenParent::session(session),
                ..self.envelope
            },
            keys: keys.fingerprint(),
            ..self
        }
    }

    #[must_use]
    pub(crate) fn with_payload(self, payload: P) -> Token<P> {
        Token { payload, ..self }
    }

    /// Seals the token. A payload that would make a cookie too long is shortened, if it can be.
    pub fn seal(&self, keys: &TokenKeys) -> Result<Zeroizing<String>, VaultError> {
        let whole = self.seal_with(&self.payload, keys)?;
        match self.payload.shorter() {
            Some(shorter) if whole.len() > LONGEST_COOKIE => self.seal_with(&shorter, keys),
            _ => Ok(whole),
        }
    }

    fn seal_with(&self, payload: &P, keys: &TokenKeys) -> Result<Zeroizing<String>, VaultError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(LONGEST));
        let content = TokenContent {
            envelope: &self.envelope,
            payload,
        };
        serde_json::to_writer(&mut *plain, &content).map_err(|_| VaultError::Incomplete)?;
        Ok(Zeroizing::new(
            BASE64URL_NOPAD.encode(&keys.seal(P::KIND.sealed_as(), &plain)?),
        ))
    }

    /// Opens a text that is a token of this kind, sealed with these keys, presented by `holder`,
    /// valid at `now`. Every token is opened here.
    ///
    /// A clock that was set back MUST NOT extend a lifetime: a token that was issued in the future
    /// is not valid.
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
        let TokenContent { envelope, payload } = serde_json::from_slice(&plain).ok()?;
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
    /// Returns whether the token is no longer valid, or not yet.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now < self.envelope.issued || self.envelope.expires <= now
    }

    /// Returns the remaining lifetime in seconds.
    pub fn seconds_left(&self, now: Timestamp) -> u64 {
        self.envelope.expires.since(now)
    }

    pub fn account(&self) -> &UserName {
        &self.envelope.account
    }

    pub fn payload(&self) -> &P {
        &self.payload
    }

    pub fn id(&self) -> TokenId {
        self.envelope.id
    }

    pub(crate) fn issued(&self) -> Timestamp {
        self.envelope.issued
    }

    pub(crate) fn expires(&self) -> Timestamp {
        self.envelope.expires
    }

    /// Returns the version of the account when the token was issued.
    pub(crate) fn at(&self) -> Option<AccountVersion> {
        self.envelope.at
    }

    pub(crate) fn parent(&self) -> &TokenParent {
        &self.envelope.parent
    }

    /// Returns whether the token was issued or opened with these keys; a transaction may see newer
    /// ones.
    pub(crate) fn is_sealed_with(&self, keys: &TokenKeys) -> bool {
        self.keys == keys.fingerprint()
    }
}

#[cfg(test)]
impl<P> Token<P> {
    pub(super) fn holder_for_tests(&self) -> TokenHolder {
        self.envelope.holder
    }

    /// Replaces the envelope, given as JSON.
    pub(super) fn reopened(&self, envelope: serde_json::Value, payload: P) -> Token<P> {
        Token {
            envelope: serde_json::from_value(envelope).unwrap(),
            payload,
            keys: self.keys,
        }
    }
}
