//! Two gates behind the balancer of docs/guides/many-hosts.md: HAProxy, with the text of the page.

use super::guide;
use super::several_hosts::enrolled;
use std::fs;
use std::time::{Duration, Instant};
use testhost::{
    APP, Balancer, CLIENT, Fleet, FleetHost, Postern, WebClient, assert_contains, assert_lacks,
    reconfigure, wait_until,
};

/// Time after which the balancer sends nothing to a gate that has ended: two checks, a second apart,
/// on a busy machine.
const TAKEN_OUT: Duration = Duration::from_secs(10);
/// Requests in a row that must be answered as one.
const REQUESTS: usize = 12;

/// Returns a block of the section, from the line that begins it.
#[track_caller]
fn block(first_line: &str) -> String {
    let page = fs::read_to_string(testhost::checkout(guide::GUIDE)).expect("the checkout has it");
    let (_, section) = page
        .split_once("\n## Two gates behind a balancer\n")
        .expect("the page has the section");
    let (_, block) = section
        .split_once(&format!("```\n{first_line}\n"))
        .expect("the section has the block");
    let (block, _) = block.split_once("```\n").expect("a block ends");
    format!("{first_line}\n{block}")
}

/// Changes a host with a gate as the page says: the address for the checks of the balancer, and
/// clients' addresses from it alone.
#[track_caller]
fn put_behind(host: &mut FleetHost) {
    let listened = format!("operations = \"tcp:{}:9118\"", host.machine.address);
    assert_contains(
        fs::read_to_string(testhost::checkout(guide::GUIDE)).expect("the checkout has it"),
        "operations = \"tcp:192.0.2.11:9118\"",
    );
    let server = block("server {");
    let real_ip: Vec<&str> = server
        .lines()
        .filter(|line| line.contains("real_ip"))
        .collect();
    assert_eq!(real_ip.len(), 2, "{server}");
    assert_contains(&server, "listen 443 ssl proxy_protocol;");
    let web = host.web.as_mut().expect("this host has a gate");
    host.machine.run(|| {
        reconfigure("[gate]\n", &format!("[gate]\n{listened}\n"));
        Postern::call("status").does();
        web.gate.restart();
        web.change_nginx(|text| {
            // the hosts share the folder of nginx
            if text.contains("proxy_protocol") {
                return text;
            }
            let ipv6 = "listen [::]:8443 ssl http2;";
            assert!(text.contains(ipv6), "{text}");
            let both = format!("{ipv6}\n{}", real_ip.join("\n"));
            text.replace(ipv6, &both)
                .replace("8443 ssl", "8443 ssl proxy_protocol")
        });
    });
}

/// Returns the statuses of requests in a row, each of which has a connection of its own.
fn statuses(client: &WebClient) -> Vec<u16> {
    (0..REQUESTS).map(|_| client.fetches(APP).status).collect()
}

/// Waits until requests in a row are all answered, and returns how long that took.
#[track_caller]
fn all_are_answered(client: &WebClient, what: &str) -> Duration {
    let began = Instant::now();
    wait_until(what, || {
        Ok(statuses(client).iter().all(|status| *status == 200))
    });
    began.elapsed()
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn sessions_go_on_when_one_of_two_gates_behind_the_balancer_stops() {
    let fleet = Fleet::start();
    let _database = guide::database(&fleet, "db");
    let mut hosts = guide::three_hosts(&fleet, "db.example.com");
    hosts[..2].iter_mut().for_each(put_behind);
    let text = block("defaults").replace(":443", ":8443");
    let balancer = Balancer::start(fleet.machine("balancer"), &text);
    let (alice, mut codes) = enrolled(&fleet, &hosts[0], "alice");
    let at_balancer = || WebClient::new().from(CLIENT).to(&balancer.machine.address);
    wait_until("the balancer has both gates", || {
        Ok(at_balancer().fetches(APP).status == 401)
    });

    let client = at_balancer();
    let code = codes.next_code();
    client.signs_in(hosts[0].web(), &alice, &code);
    assert_eq!(statuses(&client), [200; REQUESTS]);
    // at one gate, then at the other
    for _ in 0..2 {
        let other = at_balancer();
        other.password(hosts[0].web(), &alice).expect_status(303);
        let refused = other.code(hosts[0].web(), &code);
        assert_eq!(refused.status, 401, "{refused:?}");
    }
    let logs = hosts[0].web().gate.log() + &hosts[1].web().gate.log();
    assert_contains(&logs, format!("address={CLIENT} "));
    assert_lacks(&logs, format!("address={}", balancer.machine.address));

    for (stopped, other) in [(0, 1), (1, 0)] {
        println!("gate {stopped} ends");
        hosts[stopped].web.as_mut().expect("a gate").gate.crash();
        let took = all_are_answered(&client, "the balancer has taken the gate out");
        println!("the balancer sent nothing to it after {took:?}");
        assert!(took < TAKEN_OUT, "{took:?}");
        assert_eq!(statuses(&client), [200; REQUESTS]);
        let second = at_balancer();
        second.signs_in(hosts[other].web(), &alice, &codes.next_code());
        assert_eq!(statuses(&second), [200; REQUESTS]);
        let host = &mut hosts[stopped];
        let web = host.web.as_mut().expect("a gate");
        host.machine.run(|| web.gate.restart());
        let name = format!("gates/gate{} is UP", stopped + 1);
        balancer.says(&name, 1);
    }
    hosts[2]
        .machine
        .run(|| Postern::call("session revoke alice --all").does());
    assert_eq!(statuses(&client), [401; REQUESTS]);
}
