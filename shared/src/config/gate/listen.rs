//! The listeners of the gate as text: `gate.listen` and `gate.operations`.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// One entry of `gate.listen`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ListenAddress {
    /// A listener written as `unix:PATH`.
    Unix(PathBuf),
    /// A listener written as `tcp:ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// A listener written as `tls:ADDRESS:PORT`.
    Tls(SocketAddr),
    /// A listener written as `fastcgi:ADDRESS:PORT`, for the checks of Apache.
    Fastcgi(SocketAddr),
    /// `systemd`: every socket of a socket unit that no other entry names. `systemd:NAME`: the
    /// sockets with this FileDescriptorName=.
    Systemd(Option<String>),
}

impl TryFrom<String> for ListenAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<ListenAddress, Self::Error> {
        const EXPECTED: &str = "must be \"unix:/PATH\", \"tcp:ADDRESS:PORT\", \"tls:ADDRESS:PORT\", \"fastcgi:ADDRESS:PORT\", \"systemd\" or \"systemd:NAME\"";
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(ListenAddress::Unix(path.into())),
            Some(("tcp", address)) => address
                .parse()
                .map(ListenAddress::Tcp)
                .map_err(|_| EXPECTED),
            Some(("tls", address)) => address
                .parse()
                .map(ListenAddress::Tls)
                .map_err(|_| EXPECTED),
            Some(("fastcgi", address)) => address
                .parse()
                .map(ListenAddress::Fastcgi)
                .map_err(|_| EXPECTED),
            // the characters that systemd.socket(5) allows in FileDescriptorName=
            Some(("systemd", name))
                if !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':') =>
            {
                Ok(ListenAddress::Systemd(Some(name.to_owned())))
            }
            None if text == "systemd" => Ok(ListenAddress::Systemd(None)),
            _ => Err(EXPECTED),
        }
    }
}

impl From<ListenAddress> for String {
    fn from(listen: ListenAddress) -> String {
        match listen {
            ListenAddress::Unix(path) => format!("unix:{}", path.display()),
            ListenAddress::Tcp(address) => format!("tcp:{address}"),
            ListenAddress::Tls(address) => format!("tls:{address}"),
            ListenAddress::Fastcgi(address) => format!("fastcgi:{address}"),
            ListenAddress::Systemd(None) => "systemd".to_owned(),
            ListenAddress::Systemd(Some(name)) => format!("systemd:{name}"),
        }
    }
}

/// `gate.listen`: the listeners for proxies and browsers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listeners(pub Vec<ListenAddress>);

impl Default for Listeners {
    fn default() -> Listeners {
        Listeners(vec![ListenAddress::Unix("/run/postern/gate.sock".into())])
    }
}

/// `gate.operations`: a listener without TLS, for monitoring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperationsListener(ListenAddress);

impl OperationsListener {
    /// Returns the listener, a Unix socket or TCP.
    pub fn listen(&self) -> &ListenAddress {
        &self.0
    }
}

impl TryFrom<String> for OperationsListener {
    type Error = &'static str;

    fn try_from(text: String) -> Result<OperationsListener, Self::Error> {
        match ListenAddress::try_from(text) {
            Ok(listen @ (ListenAddress::Unix(_) | ListenAddress::Tcp(_))) => {
                Ok(OperationsListener(listen))
            }
            _ => Err("must be \"unix:/PATH\" or \"tcp:ADDRESS:PORT\""),
        }
    }
}

impl From<OperationsListener> for String {
    fn from(operations: OperationsListener) -> String {
        operations.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_parsed_and_serialized_alike() {
        for text in [
            "unix:/run/a.sock",
            "tcp:127.0.0.1:80",
            "tls:[::1]:443",
            "fastcgi:127.0.0.1:9092",
            "systemd",
            "systemd:postern-web",
        ] {
            let parsed = ListenAddress::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(parsed), text);
        }
    }

    #[test]
    fn an_invalid_listener_is_refused() {
        for text in [
            "",
            "unix:",
            "unix:a",
            "tcp:80",
            "tcp:localhost:80",
            "fastcgi:",
            "fastcgi:/run/a.sock",
            "systemd:",
            "systemd:a:b",
            "systemd: a",
        ] {
            assert!(
                ListenAddress::try_from(text.to_owned()).is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn monitoring_has_no_listener_with_tls_or_of_systemd() {
        assert!(OperationsListener::try_from("tcp:127.0.0.1:9118".to_owned()).is_ok());
        for text in [
            "tls:127.0.0.1:9118",
            "fastcgi:127.0.0.1:9118",
            "systemd",
            "systemd:a",
        ] {
            assert!(
                OperationsListener::try_from(text.to_owned()).is_err(),
                "{text:?}"
            );
        }
    }
}
