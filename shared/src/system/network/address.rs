//! IP addresses and networks, and the key under which the throttle counts an address.
//! Host names are refused: no name is ever resolved here.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An IP address. An IPv4 address that is mapped into IPv6 becomes IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(IpAddr);

impl Address {
    /// Parses a literal address and drops an IPv6 zone. Returns `None` for a host name.
    pub fn parse(text: &str) -> Option<Address> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Address(ip.to_canonical()));
        }
        // sshd adds a zone to link-local addresses: fe80::1%eth0
        let (literal, _) = text.split_once('%')?;
        let ip = literal.parse::<Ipv6Addr>().ok()?;
        Some(Address(IpAddr::V6(ip).to_canonical()))
    }

    pub fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }

    /// Returns the key under which the throttle counts this address and familiar addresses are
    /// kept: the address itself, or the /64 network of an IPv6 address, because a client usually
    /// has all addresses of its /64.
    pub fn key(self) -> String {
        match self.0 {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("{}/64", Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Address, Self::Error> {
        Address::parse(&text).ok_or("must be a literal IP address")
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Address {
        Address(ip.to_canonical())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network in CIDR notation. A single address is a network with the full prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    pub fn contains(&self, address: Address) -> bool {
        match (self.base, address.0) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let drop = 32 - u32::from(self.prefix);
                base.to_bits().checked_shr(drop) == ip.to_bits().checked_shr(drop)
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let drop = 128 - u32::from(self.prefix);
                base.to_bits().checked_shr(drop) == ip.to_bits().checked_shr(drop)
            }
            _ => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Network, Self::Error> {
        const EXPECTED: &str = "must be a network such as 192.0.2.0/24 or 2001:db8::/32";
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix.parse::<u8>().map_err(|_| EXPECTED)?)),
            None => (text.as_str(), None),
        };
        let base: IpAddr = base.parse().map_err(|_| EXPECTED)?;
        let widest = if base.is_ipv4() { 32 } else { 128 };
        let network = Network {
            base,
            prefix: prefix.unwrap_or(widest),
        };
        let host_bits_are_zero = match base {
            _ if network.prefix > widest => false,
            IpAddr::V4(ip) => network.prefix == 32 || ip.to_bits() << network.prefix == 0,
            IpAddr::V6(ip) => network.prefix == 128 || ip.to_bits() << network.prefix == 0,
        };
        if host_bits_are_zero {
            Ok(network)
        } else {
            Err(EXPECTED)
        }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        format!("{}/{}", network.base, network.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn network(text: &str) -> Network {
        Network::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn only_literal_addresses_are_addresses() {
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_eq!(address("fe80::1%eth0"), address("fe80::1"));
        for text in [
            "localhost",
            "",
            "192.0.2.1.example.org",
            "192.0.2.1 ",
            "192.0.2.1%eth0",
            "UNKNOWN",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_ipv6_address_counts_as_its_64() {
        assert_eq!(address("2001:db8:1:2:3:4:5:6").key(), "2001:db8:1:2::/64");
        assert_eq!(address("192.0.2.7").key(), "192.0.2.7");
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        assert!(network("192.0.2.0/24").contains(address("192.0.2.255")));
        assert!(!network("192.0.2.0/24").contains(address("192.0.3.0")));
        assert!(network("0.0.0.0/0").contains(address("203.0.113.9")));
        assert!(!network("0.0.0.0/0").contains(address("::1")));
        assert!(network("::/0").contains(address("2001:db8::1")));
        assert!(network("192.0.2.1").contains(address("::ffff:192.0.2.1")));
        assert!(!network("2001:db8::/32").contains(address("2001:db9::1")));
    }

    #[test]
    fn an_invalid_network_is_refused() {
        for text in [
            "192.0.2.1/24",
            "192.0.2.0/33",
            "::/129",
            "x",
            "1.2.3.4/",
            "2001:db8::1/64",
        ] {
            assert!(Network::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
