//! What hosts of a fleet may decide while no server answers: break-glass codes and reports, at a server.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::{AuditEvent, EventFilter, EventKind};
use postern_shared::account::host::{HostName, JoinedHost};
use postern_shared::account::name::Service;
use postern_shared::credential::break_glass_code::{BreakGlassCode, BreakGlassHash};
use postern_shared::crypto::fleet::authority::{HostKey, HostPublicKey};
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::OfflineReply;
use postern_shared::system::network::address::Address;
use postern_shared::verify::break_glass::{OfflineAccess, OfflineMethod, codes_digest};
use test_store::{NOW, TestStore, assert_contains};

struct JoinedTest {
    test: TestStore,
    host: JoinedHost,
    fingerprint: [u8; 32],
}

fn host_name(text: &str) -> HostName {
    text.parse().unwrap()
}

impl JoinedTest {
    fn new(config: &str) -> JoinedTest {
        let mut test = TestStore::new(config);
        let (host, fingerprint) = joins(&mut test, "web1");
        JoinedTest {
            test,
            host,
            fingerprint,
        }
    }

    fn issues(&mut self, count: u32) -> Vec<BreakGlassHash> {
        let mut hosts = self.test.engine.hosts();
        let codes = hosts.issue_break_glass(&self.host.name, count, "root", NOW);
        let hash = |code: &BreakGlassCode| code.hash(&self.fingerprint);
        codes.unwrap().iter().map(hash).collect()
    }

    fn asks(&mut self, held: Option<[u8; 32]>) -> OfflineReply {
        let mut hosts = self.test.engine.hosts();
        hosts.grant_offline(&self.host, held, NOW).unwrap()
    }

    /// The host receives its codes, and says so.
    fn receives(&mut self, codes: &[BreakGlassHash]) {
        assert_eq!(self.asks(None).grant.codes, codes);
        self.asks(Some(codes_digest(codes.iter())));
    }

    fn reports(&mut self, method: OfflineMethod) {
        let access = access(method);
        let mut hosts = self.test.engine.hosts();
        hosts.report_offline(&self.host, &[access], NOW).unwrap();
    }

    fn tally(&mut self) -> (usize, bool) {
        let mut hosts = self.test.engine.hosts();
        let tally = hosts.count_break_glass(self.host.number).unwrap();
        (tally.left, tally.received.is_some())
    }

    fn events(&mut self, kind: EventKind) -> Vec<AuditEvent> {
        let filter = EventFilter {
            kind: Some(kind),
            ..EventFilter::default()
        };
        let mut log = self.test.engine.audit_log();
        let events = log.newest_events(&filter, None, 100).unwrap();
        events.into_iter().map(|(_, event)| event).collect()
    }
}

fn joins(test: &mut TestStore, text: &str) -> (JoinedHost, [u8; 32]) {
    let mut hosts = test.engine.hosts();
    let (invitation, _) = hosts.invite_host(&host_name(text), "root", NOW).unwrap();
    let key = HostKey::generate().unwrap().public_key();
    let joined = hosts.join_host(invitation.secret(), &key, NOW).unwrap();
    (
        joined.host,
        HostPublicKey::parse(&key).unwrap().fingerprint(),
    )
}

fn access(method: OfflineMethod) -> OfflineAccess {
    OfflineAccess {
        method,
        account: "alice".parse().unwrap(),
        service: Service::from_pam(b"sshd"),
        address: Address::parse("192.0.2.7"),
        at: NOW,
    }
}

#[test]
fn a_host_receives_its_codes_and_a_reported_one_is_granted_no_more() {
    let mut web1 = JoinedTest::new("");
    assert_eq!(web1.tally(), (0, false));
    let codes = web1.issues(3);
    assert_eq!(web1.tally(), (3, false));
    // a host that has other codes does not have these
    web1.asks(Some([7; 32]));
    assert_eq!(web1.tally(), (3, false));
    web1.receives(&codes);
    assert_eq!(web1.tally(), (3, true));
    // it is reported twice where the reply was lost
    for _ in 0..2 {
        web1.reports(OfflineMethod::BreakGlass(codes[1]));
    }
    let logged = web1.events(EventKind::Accepted);
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0].origin, "192.0.2.7 on web1");
    assert_eq!(logged[0].account.as_str(), "alice");
    assert_contains(&logged[0].cause, "break-glass at ");
    let granted = web1.asks(Some(codes_digest(codes.iter()))).grant.codes;
    assert_eq!(granted, [codes[0], codes[2]]);
    assert_eq!(web1.events(EventKind::BreakGlassIssued).len(), 1);
}

#[test]
fn earlier_codes_are_replaced_and_their_use_is_still_logged() {
    let mut web1 = JoinedTest::new("");
    let earlier = web1.issues(2);
    web1.receives(&earlier);
    let codes = web1.issues(1);
    assert_eq!(web1.tally(), (1, false));
    let granted = web1.asks(Some(codes_digest(earlier.iter()))).grant.codes;
    assert_eq!(granted, codes);
    web1.reports(OfflineMethod::BreakGlass(earlier[0]));
    let logged = web1.events(EventKind::Accepted);
    assert_contains(&logged[0].cause, "not valid any more");
    assert_eq!(web1.tally(), (1, false));
}

/// A host whose file was replaced may have forgotten which codes were used.
#[test]
fn codes_that_a_host_has_lost_are_removed() {
    let mut web1 = JoinedTest::new("");
    let codes = web1.issues(2);
    // it never had them: nothing is lost
    assert!(!web1.asks(None).lost);
    web1.receives(&codes);
    let reply = web1.asks(None);
    assert!(reply.lost && reply.grant.codes.is_empty());
    assert_eq!(web1.tally(), (0, false));
    assert_eq!(web1.events(EventKind::BreakGlassLost).len(), 1);
    assert!(!web1.asks(None).lost);
}

#[test]
fn a_code_is_of_one_host() {
    let mut web1 = JoinedTest::new("");
    let codes = web1.issues(1);
    web1.receives(&codes);
    let (web2, _) = joins(&mut web1.test, "web2");
    let mut hosts = web1.test.engine.hosts();
    let granted = hosts.grant_offline(&web2, None, NOW).unwrap().grant;
    assert!(granted.codes.is_empty());
    // another host cannot use it up
    let method = OfflineMethod::BreakGlass(codes[0]);
    hosts.report_offline(&web2, &[access(method)], NOW).unwrap();
    assert_eq!(web1.tally(), (1, true));
}

#[test]
fn a_revoked_host_is_granted_nothing_and_its_reports_are_refused() {
    let mut web1 = JoinedTest::new("[policy]\nsk_keys_without_server = [\"web1\"]\n");
    let codes = web1.issues(2);
    web1.receives(&codes);
    let name = web1.host.name.clone();
    let mut hosts = web1.test.engine.hosts();
    hosts.revoke_host(&name, "root", NOW).unwrap();
    hosts.grant_offline(&web1.host, None, NOW).unwrap_err();
    let report = [access(OfflineMethod::BreakGlass(codes[0]))];
    hosts.report_offline(&web1.host, &report, NOW).unwrap_err();
    for name in [name, host_name("web9")] {
        let refused = hosts.issue_break_glass(&name, 1, "root", NOW).unwrap_err();
        assert_contains(refused.to_string(), "has joined");
    }
    assert!(web1.events(EventKind::Accepted).is_empty());
    assert_eq!(web1.tally(), (0, false));
}

#[test]
fn after_a_compromised_key_no_codes_remain() {
    let mut web1 = JoinedTest::new("");
    web1.issues(2);
    let mut keys = web1.test.engine.keys();
    keys.rotate_keys(Renewal::All, "root", NOW).unwrap();
    assert_eq!(web1.tally(), (0, false));
    let asked = web1
        .test
        .engine
        .hosts()
        .grant_offline(&web1.host, None, NOW);
    asked.unwrap_err();
}

#[test]
fn security_keys_pass_at_the_hosts_that_the_policy_names() {
    let config = "[policy]\nsk_keys_without_server = [\"%web\"]\n[host_group]\nweb = [\"web1\"]\n";
    let mut web1 = JoinedTest::new(config);
    assert!(web1.asks(None).grant.security_keys);
    let (db1, _) = joins(&mut web1.test, "db1");
    let granted = web1.test.engine.hosts().grant_offline(&db1, None, NOW);
    assert!(!granted.unwrap().grant.security_keys);
    let key = "SHA256:Gf/CoChim98JfgmP7qqTdSiy4vqvCKXAcZ/T5s6Rdzw".to_owned();
    web1.reports(OfflineMethod::SecurityKey(key.clone().try_into().unwrap()));
    let logged = web1.events(EventKind::Accepted);
    assert_contains(&logged[0].cause, format!("sk-key {key} at "));
}

/// What the store holds of a code is of no use without the code.
#[test]
fn the_store_does_not_hold_the_codes() {
    let mut web1 = JoinedTest::new("");
    let mut hosts = web1.test.engine.hosts();
    let codes = hosts.issue_break_glass(&web1.host.name, 1, "root", NOW);
    let grouped = codes.unwrap()[0].grouped();
    let plain = grouped.replace('-', "");
    assert!(!web1.test.holds(plain.as_bytes()));
    assert!(!web1.test.holds(&plain.as_bytes()[2..]));
}
