//! `[fleet]`: on a server, where hosts of the fleet connect; on a host, the servers that decide.

use super::value::AbsolutePath;
use crate::account::host::HostName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The table `[fleet]` of postern.toml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FleetConfig {
    /// On a server: the listener for hosts.
    pub listen: Option<FleetListener>,
    /// On a host: the servers that decide, in the order in which they are tried.
    pub servers: Vec<ServerUrl>,
    /// On a host: its private key (PEM).
    pub key_file: AbsolutePath,
    /// On a host: its certificate (PEM).
    pub cert_file: AbsolutePath,
    /// On a host: the certificate (PEM) of the fleet's authority.
    pub ca_file: AbsolutePath,
}

impl Default for FleetConfig {
    fn default() -> FleetConfig {
        let path = |path: &str| AbsolutePath(PathBuf::from(path));
        FleetConfig {
            listen: None,
            servers: Vec::new(),
            key_file: path("/etc/postern/host.key"),
            cert_file: path("/etc/postern/host.crt"),
            ca_file: path("/etc/postern/fleet-ca.crt"),
        }
    }
}

impl FleetConfig {
    /// Returns whether this machine is a host of a fleet, whose servers decide.
    pub fn is_host(&self) -> bool {
        !self.servers.is_empty()
    }
}

/// `fleet.listen`: `tcp:ADDRESS:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FleetListener(SocketAddr);

impl FleetListener {
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl TryFrom<String> for FleetListener {
    type Error = &'static str;

    fn try_from(text: String) -> Result<FleetListener, Self::Error> {
        let address = text.strip_prefix("tcp:").and_then(|text| text.parse().ok());
        address
            .map(FleetListener)
            .ok_or("must be \"tcp:ADDRESS:PORT\"")
    }
}

impl From<FleetListener> for String {
    fn from(listener: FleetListener) -> String {
        format!("tcp:{}", listener.0)
    }
}

/// One entry of `fleet.servers`: `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUrl {
    host: String,
    port: u16,
}

impl ServerUrl {
    /// Returns `HOST:PORT`, as connections need it.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<ServerUrl, Self::Error> {
        const EXPECTED: &str =
            "must be \"https://HOST:PORT\", such as \"https://server1.example.com:7443\"";
        let rest = text.strip_prefix("https://").ok_or(EXPECTED)?;
        let (host, port) = rest
            .trim_end_matches('/')
            .rsplit_once(':')
            .ok_or(EXPECTED)?;
        let is_address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
        if !is_address && host.parse::<HostName>().is_err() {
            return Err(EXPECTED);
        }
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or(EXPECTED)?;
        let host = host.to_ascii_lowercase();
        Ok(ServerUrl { host, port })
    }
}

impl std::str::FromStr for ServerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ServerUrl, Self::Err> {
        ServerUrl::try_from(text.to_owned())
    }
}

impl From<ServerUrl> for String {
    fn from(url: ServerUrl) -> String {
        format!("https://{}", url.authority())
    }
}

impl std::fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

/// `[host_group]`: names of groups, and the hosts in each.
pub type HostGroups = BTreeMap<String, Vec<HostName>>;

/// A list of hosts of a fleet: names, and groups with `%`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct HostList {
    entries: Vec<String>,
    /// The hosts that the entries name, also by their groups.
    hosts: BTreeSet<HostName>,
}

impl HostList {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn contains(&self, host: &HostName) -> bool {
        self.hosts.contains(host)
    }

    /// Returns the hosts that the list names, also by their groups.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        self.hosts.iter()
    }

    /// Adds the hosts of the groups that the list names. Returns a group that is not declared.
    pub(super) fn resolve(&mut self, groups: &HostGroups) -> Result<(), String> {
        for group in self
            .entries
            .iter()
            .filter_map(|entry| entry.strip_prefix('%'))
        {
            let hosts = groups.get(group).ok_or_else(|| group.to_owned())?;
            self.hosts.extend(hosts.iter().cloned());
        }
        Ok(())
    }
}

impl TryFrom<Vec<String>> for HostList {
    type Error = &'static str;

    fn try_from(entries: Vec<String>) -> Result<HostList, Self::Error> {
        let mut hosts = BTreeSet::new();
        for entry in &entries {
            match entry.strip_prefix('%') {
                Some("") => return Err("must be a list of hosts and of \"%groups\" of hosts"),
                Some(_) => {}
                None => drop(hosts.insert(entry.parse()?)),
            }
        }
        Ok(HostList { entries, hosts })
    }
}

impl From<HostList> for Vec<String> {
    fn from(list: HostList) -> Vec<String> {
        list.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_url_of_a_host_and_a_port() {
        for text in [
            "https://server1.example.com:7443",
            "https://192.0.2.1:7443",
            "https://[2001:db8::1]:7443",
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
        }
        for text in [
            "",
            "http://a:1",
            "https://a",
            "https://a:0",
            "https://a:65536",
            "https://a:1/b",
            "https://u@a:1",
            "https://[::1:7443",
            "https://:7443",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_listener_is_an_address_and_a_port() {
        let listener = FleetListener::try_from("tcp:[::]:7443".to_owned()).unwrap();
        assert_eq!(String::from(listener), "tcp:[::]:7443");
        for text in [
            "",
            "tcp:7443",
            "tcp:localhost:7443",
            "unix:/a",
            "tls:[::]:1",
        ] {
            assert!(FleetListener::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
