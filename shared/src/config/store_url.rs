//! The value of the key `store.url`: where the store is.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

const EXPECTED: &str = "must be \"sqlite:\" and an absolute path, or \"postgres://USER@HOST[:PORT]/DATABASE\" without a \
                        password: that is in store.password_file";
/// Port of PostgreSQL where the URL names none.
const PORT: u16 = 5432;
/// Maximum of hosts in one URL: a primary and its standbys.
const MOST_HOSTS: usize = 8;

/// The value of the key `store.url`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StoreUrl {
    /// Path of the database file.
    Sqlite(PathBuf),
    Postgres(PostgresUrl),
}

/// User, hosts and database of a PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresUrl {
    pub user: String,
    /// Hosts with their ports, in the order in which they are tried. A host that begins with `/` is
    /// the folder of a Unix socket.
    pub hosts: Vec<(String, u16)>,
    pub database: String,
}

impl StoreUrl {
    /// Returns the path of the database file; `None` for a store in PostgreSQL.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match self {
            StoreUrl::Sqlite(path) => Some(path),
            StoreUrl::Postgres(_) => None,
        }
    }
}

impl PostgresUrl {
    /// Returns whether every host is this one: no network is between, and no TLS is needed.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(|(host, _)| {
            let address = host.parse::<IpAddr>();
            host.starts_with('/')
                || host == "localhost"
                || address.is_ok_and(|address| address.is_loopback())
        })
    }

    fn parse(text: &str) -> Option<PostgresUrl> {
        let (user, rest) = text.split_once('@')?;
        let (hosts, database) = rest.split_once('/')?;
        let hosts: Vec<_> = hosts
            .split(',')
            .map(parse_host)
            .collect::<Option<_>>()
            .filter(|hosts: &Vec<_>| hosts.len() <= MOST_HOSTS)?;
        Some(PostgresUrl {
            user: decode(user)?,
            hosts,
            database: decode(database)?,
        })
    }
}

/// Decodes a part of the URL. Refuses characters with a meaning there that are not encoded, such as
/// the colon before a password.
fn decode(part: &str) -> Option<String> {
    if part.contains([':', '@', '/', '?', '#', '[', ']']) {
        return None;
    }
    let text = percent_decode_str(part).decode_utf8().ok()?;
    let is_good = !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
    is_good.then(|| text.into_owned())
}

fn parse_host(text: &str) -> Option<(String, u16)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        return Some((address.to_string(), parse_port(port)?));
    }
    let (host, port) = match text.find(':') {
        Some(colon) => text.split_at(colon),
        None => (text, ""),
    };
    Some((decode(host)?, parse_port(port)?))
}

fn parse_port(text: &str) -> Option<u16> {
    match text.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0),
        None => text.is_empty().then_some(PORT),
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<StoreUrl, Self::Error> {
        let postgres = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        if let Some(rest) = postgres {
            return PostgresUrl::parse(rest)
                .map(StoreUrl::Postgres)
                .ok_or(EXPECTED);
        }
        match url.strip_prefix("sqlite:").map(PathBuf::from) {
            Some(path) if path.is_absolute() && path.file_name().is_some() => {
                Ok(StoreUrl::Sqlite(path))
            }
            _ => Err(EXPECTED),
        }
    }
}

impl From<StoreUrl> for String {
    fn from(url: StoreUrl) -> String {
        url.to_string()
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |part| percent_encoding::utf8_percent_encode(part, ENCODED);
        write!(f, "postgres://{}@", encode(&self.user))?;
        for (number, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            match host.parse::<Ipv6Addr>() {
                Ok(address) => write!(f, "{comma}[{address}]")?,
                Err(_) => write!(f, "{comma}{}", encode(host))?,
            }
            if *port != PORT {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", encode(&self.database))
    }
}

/// What would end a part of the URL, or change its meaning.
const ENCODED: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b':')
    .add(b'@')
    .add(b'/')
    .add(b'?')
    .add(b'#')
    .add(b'[')
    .add(b']')
    .add(b',');

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Option<StoreUrl> {
        StoreUrl::try_from(url.to_owned()).ok()
    }

    #[test]
    fn a_url_is_written_as_it_was_read() {
        for url in [
            "sqlite:/var/lib/postern/postern.db",
            "postgres://postern@db.example.com/postern",
            "postgres://postern@db1:6432,[2001:db8::1]/postern",
            "postgres://postern@%2Frun%2Fpostgresql/postern",
        ] {
            assert_eq!(parse(url).map(String::from).as_deref(), Some(url));
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused() {
        for url in [
            "postgres://postern:secret@db/postern",
            "postgres://postern@db/postern?password=secret",
            "postgres://db/postern",
            "postgres://postern@/postern",
            "postgres://postern@db",
            "postgres://postern@db/",
            "postgres://postern@db:0/postern",
            "postgres://postern@db:x/postern",
            "postgres://postern@[::1/postern",
            "postgres://a@b@c/postern",
            "sqlite:postern.db",
            "mysql://a@b/c",
            "",
        ] {
            assert_eq!(parse(url), None, "{url}");
        }
    }

    #[test]
    fn only_this_host_needs_no_tls() {
        let is_local = |hosts: &str| match parse(&format!("postgres://a@{hosts}/b")) {
            Some(StoreUrl::Postgres(url)) => url.is_local(),
            other => panic!("{other:?}"),
        };
        for hosts in [
            "%2Frun%2Fpostgresql",
            "localhost",
            "127.0.0.1",
            "[::1]:5433",
        ] {
            assert!(is_local(hosts), "{hosts}");
        }
        for hosts in ["db", "192.0.2.1", "localhost,db", "localhost.example.com"] {
            assert!(!is_local(hosts), "{hosts}");
        }
    }
}
