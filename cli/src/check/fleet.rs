//! A host of a fleet: its key and certificate, and whether a server accepts them.

use crate::check::finding::Finding;
use crate::check::machine::Machine;
use crate::fleet::ask_standing;
use postern_shared::config::Config;
use postern_shared::protocol::fleet::HostStanding;
use postern_shared::protocol::fleet::files::{HostFiles, RENEWED};
use postern_shared::protocol::fleet::tls;
use std::path::Path;

const SUBJECT: &str = "fleet";

/// Returns the findings about this host, which has no store.
pub(crate) fn findings(machine: &Machine, config: &Config) -> Vec<Finding> {
    let fleet = &config.fleet;
    if !machine.is_root() {
        let what = "only root can look at the key of this host; run postern check as root";
        return vec![Finding::skipped(SUBJECT, what)];
    }
    let join = "have this host join with postern host join";
    let files = match HostFiles::read(fleet, Some(Path::new(RENEWED))) {
        Ok(files) => files,
        Err(error) => return vec![Finding::fault(SUBJECT, error)],
    };
    let tls = match tls::host_config(files.identity, &files.authority) {
        Ok(tls) => tls,
        Err(error) => {
            return vec![
                Finding::fault(SUBJECT, error)
                    .in_file(fleet.cert_file.path())
                    .remedy(join),
            ];
        }
    };
    let mut findings = Vec::new();
    let mut accepted = false;
    for server in &fleet.servers {
        findings.push(match ask_standing(server, tls.clone()) {
            Ok(HostStanding::Joined) => {
                accepted = true;
                Finding::ok(SUBJECT, format_args!("{server} accepts this host"))
            }
            Ok(HostStanding::Revoked | HostStanding::Unknown) => {
                Finding::warning(SUBJECT, format_args!("{server} does not accept this host"))
                    .remedy(join)
            }
            Ok(HostStanding::Busy | HostStanding::Unavailable) => {
                Finding::warning(SUBJECT, format_args!("{server} cannot serve this host now"))
                    .remedy("see the log of posternd there")
            }
            Err(error) => Finding::warning(SUBJECT, format_args!("{server}: {error}")),
        });
    }
    if !accepted {
        let what = "no server accepts this host, so access is denied to everyone";
        findings.push(Finding::fault(SUBJECT, what));
    }
    findings
}
