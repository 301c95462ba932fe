//! A rule by network: the client's address counts, not what the client says of it.

use crate::case::{Case, CaseResult};
use crate::net::browser::FETCH;
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "network-rule",
            "the path is open from its network and from no other",
            by_network,
        ),
        Case::new(
            "network-rule",
            "no header moves a client into the network",
            forged_address,
        )
        .seen_in(&["caddy-security (Trail of Bits)"]),
    ]
}

fn by_network(suite: &mut Suite) -> CaseResult {
    let rule = suite.needs("paths.network", suite.target.paths.network.as_ref())?;
    let page = suite.app(&rule.path);
    let reply = suite.stranger().from(Some(rule.from)).fetch(&page)?;
    suite.echoed("a client in the network", &reply)?;
    let reply = suite.stranger().fetch(&page)?;
    suite.denied("a client of another network", &reply)
}

fn forged_address(suite: &mut Suite) -> CaseResult {
    let rule = suite.needs("paths.network", suite.target.paths.network.as_ref())?;
    let (page, address) = (suite.app(&rule.path), rule.from);
    for name in [
        "X-Forwarded-For",
        "x-forwarded-for",
        "X_Forwarded_For",
        "X.Forwarded.For",
        "X-Real-IP",
        "X_Real_IP",
        "X-Client-IP",
        "Client-IP",
        "X-Cluster-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Original-Forwarded-For",
        "X-Envoy-External-Address",
    ] {
        for value in [format!("{address}"), format!("{address}, {address}")] {
            let lines = format!("{name}: {value}\r\n{FETCH}");
            let reply = suite.stranger().request("GET", &page, &lines, b"")?;
            suite.denied(&format!("{name}: {value}"), &reply)?;
        }
    }
    let lines = format!("Forwarded: for={address};proto=https\r\n{FETCH}");
    let reply = suite.stranger().request("GET", &page, &lines, b"")?;
    suite.denied("Forwarded", &reply)
}
