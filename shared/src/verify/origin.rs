//! Origin of an attempt: the address, key, user or terminal from which an account signs in, and how
//! far each is certain.

use crate::account::host::JoinedHost;
use crate::account::name::is_plain_name;
use crate::credential::completed_methods::{CompletedMethods, SshKey};
use crate::system::network::address::Address;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// The origin of an attempt as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    Remote(Address),
    /// A remote address that the PAM host states without proof; it may be a name of reverse DNS
    /// that looks like an address. Wrong inputs are counted for it. It is in no network, and
    /// exempts no account.
    Claimed(Address),
    /// The key that sshd has verified, and the remote address if it is certain.
    Key {
        address: Option<Address>,
        key: SshKey,
    },
    Local(#[serde(deserialize_with = "deserialize_plain")] String),
    Terminal(#[serde(deserialize_with = "deserialize_plain")] String),
    /// What a host of a fleet states. It counts on that host only.
    OnHost(JoinedHost, Box<Origin>),
    Unknown,
}

impl Origin {
    /// Returns the address, certain or claimed.
    pub fn address(&self) -> Option<Address> {
        match self {
            Origin::Remote(address) | Origin::Claimed(address) => Some(*address),
            Origin::Key { address, .. } => *address,
            Origin::OnHost(_, stated) => stated.address(),
            Origin::Local(_) | Origin::Terminal(_) | Origin::Unknown => None,
        }
    }

    /// Returns the host of a fleet that states the origin.
    pub fn host(&self) -> Option<&JoinedHost> {
        match self {
            Origin::OnHost(host, _) => Some(host),
            _ => None,
        }
    }

    /// Returns the origin as a host of a fleet states it.
    #[must_use]
    pub fn on_host(self, host: &JoinedHost) -> Origin {
        match self {
            Origin::OnHost(_, stated) => Origin::OnHost(host.clone(), stated),
            stated => Origin::OnHost(host.clone(), Box::new(stated)),
        }
    }

    /// Returns the key under which the address, certain or claimed, is familiar to an account. An
    /// address that a host of a fleet states is familiar on that host only.
    pub fn familiar_key(&self) -> Option<String> {
        let key = self.address()?.key();
        match self {
            Origin::OnHost(host, _) => Some(format!("host {} {key}", host.number)),
            _ => Some(key),
        }
    }

    /// Returns the key under which wrong inputs for all accounts together are counted. Claimed
    /// addresses are counted apart: a host that chooses the address freely MUST NOT delay the users
    /// of that address.
    pub fn throttle_key(&self) -> Option<String> {
        let key = self.address()?.key();
        match self {
            Origin::Claimed(_) => Some(format!("claimed {key}")),
            Origin::OnHost(host, stated) => {
                Some(format!("host {} {}", host.number, stated.throttle_key()?))
            }
            _ => Some(key),
        }
    }

    /// Adds the key that sshd has verified, if there is one. A local user does not sign in over
    /// sshd.
    pub fn with_verified_key(self, earlier: &CompletedMethods) -> Origin {
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

    /// Removes the key, for hosts that are not trusted to name it.
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

    /// Returns the address if it is certain. Only this one is compared with networks and has grace
    /// periods.
    pub fn certain_address(&self) -> Option<Address> {
        match self {
            Origin::Remote(address) => Some(*address),
            Origin::Key { address, .. } => *address,
            Origin::OnHost(_, stated) => stated.certain_address(),
            Origin::Claimed(_) | Origin::Local(_) | Origin::Terminal(_) | Origin::Unknown => None,
        }
    }
}

/// Deserializes the name of a user or a terminal; it MUST be safe to print in a log.
fn deserialize_plain<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
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
            Origin::OnHost(host, stated) => write!(f, "{stated} on {}", host.name),
            Origin::Key { address: None, .. } | Origin::Unknown => f.write_str("-"),
        }
    }
}
