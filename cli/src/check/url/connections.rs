//! Whether the proxy keeps its connections to the gate. Only the gate's own machine can tell: the
//! kernel lists the connections to the gate's listeners.

use super::UrlCheck;
use super::advice::ProxyMistake;
use crate::check::finding::Finding;
use crate::check::machine::Machine;
use postern_shared::config::gate::ListenAddress;
use std::collections::BTreeSet;

/// Page loads between two looks.
const PAGE_LOADS: usize = 3;

impl UrlCheck<'_> {
    pub(super) fn check_connections(&mut self) {
        let machine = &Machine::real();
        let listens = self
            .config
            .as_ref()
            .map(|config| config.gate.listen.0.clone());
        let mut listens = listens.unwrap_or_default();
        let (paths, ports) = (machine.listening_paths(), machine.listening_ports());
        listens.retain(|listen| match listen {
            ListenAddress::Unix(path) => paths.contains(path),
            ListenAddress::Tcp(address) | ListenAddress::Tls(address) => {
                ports.contains(&address.port())
            }
            // Apache opens a connection for each check
            ListenAddress::Fastcgi(_) | ListenAddress::Systemd(_) => false,
        });
        if listens.is_empty() {
            return self.findings.push(Finding::skipped(
                "connections",
                "whether the proxy keeps its connections to the gate is seen on the gate's host only",
            ));
        }
        let look = || -> BTreeSet<String> {
            listens
                .iter()
                .flat_map(|listen| connections(machine, listen))
                .collect()
        };
        let before = self.load_pages().then(look);
        let after = self.load_pages().then(look);
        let (Some(before), Some(after)) = (before, after) else {
            return self.findings.push(Finding::skipped(
                "connections",
                "the page was not answered each time",
            ));
        };
        match before.intersection(&after).next() {
            Some(_) => self.ok("connections", "the proxy keeps its connections to the gate"),
            None => self.warning(
                "connections",
                "the proxy opens a connection to the gate for each request, which costs time",
                ProxyMistake::NoKeepAlive,
            ),
        }
    }

    fn load_pages(&self) -> bool {
        (0..PAGE_LOADS).all(|_| self.get_page().is_ok())
    }
}

/// Returns the open connections to a listener.
fn connections(machine: &Machine, listen: &ListenAddress) -> BTreeSet<String> {
    match listen {
        ListenAddress::Unix(path) => machine.unix_connections(path),
        ListenAddress::Tcp(address) | ListenAddress::Tls(address) => {
            machine.tcp_connections(address.port())
        }
        ListenAddress::Fastcgi(_) | ListenAddress::Systemd(_) => BTreeSet::new(),
    }
}
