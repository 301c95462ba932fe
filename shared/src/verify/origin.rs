//! Origin of an attempt: the address, key, user or terminal from which a person signs in.

use crate::account::name::is_plain_name;
use crate::credential::completed_methods::{CompletedMethods, SshKey};
use crate::network::address::Address;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// What a door knows about where an attempt comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A remote address.
    Remote(Address),
    /// A remote address as far as the host says; it may be a name of reverse DNS that looks like one. Wrong inputs are
    /// counted for it, but it is in no network and spares nobody.
    Claimed(Address),
    /// A remote address, if one is certain, and the key that sshd has verified.
    Key {
        /// The address.
        address: Option<Address>,
        /// The key.
        key: SshKey,
    },
    /// A user of this host.
    Local(#[serde(deserialize_with = "plain")] String),
    /// A terminal of this host.
    Terminal(#[serde(deserialize_with = "plain")] String),
    /// Nothing is known.
    Unknown,
}

impl Origin {
    /// The address where someone is, or is said to be, if there is one.
    pub fn address(&self) -> Option<Address> {
        match self {
            Origin::Remote(address) | Origin::Claimed(address) => Some(*address),
            Origin::Key { address, .. } => *address,
            Origin::Local(_) | Origin::Terminal(_) | Origin::Unknown => None,
        }
    }

    /// The text under which wrong inputs for all accounts together are counted. An address as far as the host says has a
    /// count of its own, so that whoever may choose it delays nobody who is there.
    pub fn count_key(&self) -> Option<String> {
        let key = self.address()?.key();
        match self {
            Origin::Claimed(_) => Some(format!("claimed {key}")),
            _ => Some(key),
        }
    }

    /// The same, with the key that sshd has verified, if there is one. Nobody comes from this host by sshd.
    pub fn with_key_of(self, earlier: &CompletedMethods) -> Origin {
        match (self, earlier.verified_key()) {
            (origin @ (Origin::Remote(_) | Origin::Claimed(_) | Origin::Unknown), Some(key)) => {
                Origin::Key {
                    address: origin.certain_address(),
                    key: key.clone(),
                }
            }
            (origin, _) => origin,
        }
    }

    /// The same, without a key that nobody believes.
    pub fn without_key(self) -> Origin {
        match self {
            Origin::Key {
                address: Some(address),
                ..
            } => Origin::Remote(address),
            Origin::Key { address: None, .. } => Origin::Unknown,
            origin => origin,
        }
    }

    /// The address, if it is certain: by this one networks are compared and grace periods are kept.
    pub fn certain_address(&self) -> Option<Address> {
        match self {
            Origin::Remote(address) => Some(*address),
            Origin::Key { address, .. } => *address,
            Origin::Claimed(_) | Origin::Local(_) | Origin::Terminal(_) | Origin::Unknown => None,
        }
    }
}

/// The name of a user or a terminal that is fit for a log.
fn plain<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    match is_plain_name(&name) {
        true => Ok(name),
        false => Err(D::Error::custom(
            "must be the name of a user or a terminal of this host",
        )),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Remote(address)
            | Origin::Claimed(address)
            | Origin::Key {
                address: Some(address),
                ..
            } => address.fmt(f),
            Origin::Local(name) => write!(f, "local user {name}"),
            Origin::Terminal(name) => write!(f, "terminal {name}"),
            Origin::Key { address: None, .. } | Origin::Unknown => f.write_str("-"),
        }
    }
}
