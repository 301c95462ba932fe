//! Unauthenticated clients that take connections, workers or memory from the owner of an account.

use crate::enrollment::without_root::PAM_PEER;
use crate::gate::floods::descriptors;
use serde_json::json;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use std::{fs, thread};
use testhost::{
    AUTH, Host, PAM_SOCKET, PamPeer, PasswordHelper, Person, Phone, Postern, Posternd, Web,
    WebClient, Wire, patiently, reconfigure, wait_until,
};

/// Starts a gate, and signs alice in at a browser that she trusts.
pub(crate) fn trusted(host: &Host, extra: &str) -> (Web, Person, Phone, WebClient) {
    let web = Web::nginx(host, extra);
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in_and_trusts(&web, &alice, &phone.code());
    (web, alice, phone, client)
}

/// Runs `others` while attackers send wrong passwords over this number of connections. Returns the
/// statuses of the attackers' replies.
fn flooded(
    connections: usize,
    from: impl Fn(usize, usize) -> String + Sync,
    others: impl FnOnce(),
) -> Vec<u16> {
    let (over, tries) = (AtomicBool::new(false), AtomicUsize::new(0));
    let statuses = thread::scope(|scope| {
        let attackers: Vec<_> = (0..connections)
            .map(|number| {
                let (over, tries, from) = (&over, &tries, &from);
                scope.spawn(move || {
                    let (mut wire, mut statuses) = (Wire::open(), Vec::new());
                    while !over.load(Ordering::SeqCst) {
                        let count = tries.fetch_add(1, Ordering::SeqCst);
                        let name = format!("nobody{count}");
                        statuses.push(wire.password(&name, "wrong", &from(number, count)).status);
                    }
                    statuses
                })
            })
            .collect();
        // Every attacker waits for a reply before the others begin.
        wait_until("the flood has begun", || {
            Ok(tries.load(Ordering::SeqCst) > connections + connections / 2)
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(others));
        over.store(true, Ordering::SeqCst);
        let statuses = attackers
            .into_iter()
            .flat_map(|one| one.join().unwrap_or_default())
            .collect();
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
        statuses
    });
    println!(
        "the strangers were answered {} times",
        tries.load(Ordering::SeqCst)
    );
    statuses
}

/// Returns clients, each at an address from which nothing was sent before.
fn new_addresses() -> impl FnMut() -> WebClient {
    let mut last = 60;
    move || {
        last += 1;
        WebClient::new().from(&format!("127.0.0.{last}"))
    }
}

/// Checks that each of the tries returns the right status, and prints the average duration.
#[track_caller]
fn all_get_in(what: &str, tries: usize, right: u16, mut one: impl FnMut() -> u16) {
    let began = Instant::now();
    let statuses: Vec<_> = (0..tries).map(|_| one()).collect();
    let got_in = statuses.iter().filter(|status| **status == right).count();
    println!(
        "{what}: {got_in} of {tries}, each in {:?}",
        began.elapsed() / u32::try_from(tries).unwrap_or(1)
    );
    assert_eq!(got_in, tries, "{what}: {statuses:?}");
}

fn made_up(_: usize, count: usize) -> String {
    format!("198.18.{}.{}", count / 250 % 250, count % 250)
}

/// 300 connections sent wrong passwords from spoofed addresses: every sign-in of the owner was
/// refused as "busy", from a trusted browser too, and so was every page of a valid session.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_flood_of_wrong_passwords_keeps_the_owner_out_of_nothing() {
    let host = Host::fresh();
    let (web, alice, _, client) = trusted(&host, "");
    let signed_in = client.copy_of_cookies();
    let statuses = flooded(300, made_up, || {
        let password = |who: &WebClient| who.password(&web, &alice).status;
        all_get_in("a page of the account", 20, 200, || {
            signed_in.loads(&web.pages).status
        });
        all_get_in("a trusted browser", 15, 303, || password(&client));
        all_get_in(
            "a familiar address",
            10,
            303,
            || password(&WebClient::new()),
        );
        let mut next = new_addresses();
        all_get_in("a new address", 5, 303, || {
            let new = next();
            // 300 attackers have the same priority as a new address, so on a slow machine some
            // tries time out.
            let mut answers = (0..5)
                .map(|_| password(&new))
                .inspect(|reply| print!("{reply} "));
            answers.find(|reply| *reply != 503).unwrap_or(503)
        });
        let out = signed_in.sends(&format!("{AUTH}/sign-out"), &[]);
        assert_eq!(
            out.status, 200,
            "signing out needs no worker of the hashes: {out:?}"
        );
    });
    assert!(
        statuses
            .iter()
            .all(|status| [401, 429, 503].contains(status))
    );
    let refused = statuses.iter().filter(|status| **status == 503).count();
    println!(
        "{refused} of {} tries of strangers found no place",
        statuses.len()
    );
}

/// The same flood through the real nginx, from addresses of the loopback network.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_flood_through_nginx_keeps_the_owner_out_of_nothing() {
    let host = Host::fresh();
    let (web, alice, _, client) = trusted(&host, "");
    let signed_in = client.copy_of_cookies();
    let tries = |round: usize| {
        let one = |number: usize| {
            format!(
                "url = \"{AUTH}/sign-in\"\ninterface = \"127.{}.{}.{}\"\nheader = \"Origin: {AUTH}\"\n\
                 data = \"user=nobody{number}&password=wrong\"\noutput = /dev/null\n\
                 write-out = \"%{{http_code}}\\n\"\ninsecure\nsilent\nmax-time = 60\n",
                10 + round,
                number / 250,
                number % 250 + 1
            )
        };
        (0..1000).map(one).collect::<Vec<_>>().join("next\n")
    };
    let file = format!("/tmp/flood-{}", std::process::id());
    let (over, mut answers) = (AtomicBool::new(false), String::new());
    thread::scope(|scope| {
        let attackers = scope.spawn(|| {
            let mut answers = String::new();
            for round in 0..20 {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                fs::write(&file, tries(round)).expect("/tmp can be written");
                let mut curl = Command::new("curl");
                curl.args(["--parallel", "--parallel-max", "250", "-K", &file]);
                let output = curl.output().expect("curl runs; tests/run installs it");
                answers.push_str(&String::from_utf8_lossy(&output.stdout));
            }
            answers
        });
        let busy = || Some(resident(web.gate.process())).filter(|_| descriptors(&web.gate) > 150);
        patiently("the flood has begun", || Ok(busy()));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let password = |who: &WebClient| who.password(&web, &alice).status;
            all_get_in("a page of the account", 20, 200, || {
                signed_in.loads(&web.pages).status
            });
            all_get_in("a trusted browser", 10, 303, || password(&client));
            all_get_in(
                "a familiar address",
                10,
                303,
                || password(&WebClient::new()),
            );
            let mut new = new_addresses();
            all_get_in("a new address", 5, 303, || password(&new()));
        }));
        over.store(true, Ordering::SeqCst);
        answers = attackers.join().expect("the strangers end");
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    let of = |status: &str| answers.lines().filter(|line| *line == status).count();
    println!(
        "strangers: 401 {}, 429 {}, 503 {}, all {}",
        of("401"),
        of("429"),
        of("503"),
        answers.lines().count()
    );
    assert!(of("401") > 0 && of("303") == 0);
}

/// One address that is already delayed used 100 connections and took all workers of the password
/// hash.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_address_that_is_delayed_anyway_takes_no_worker() {
    let host = Host::fresh();
    let (web, alice, _, client) = trusted(&host, "");
    let signed_in = client.copy_of_cookies();
    for number in 0..12 {
        // Guesses at different names count for the address; delayed guesses at one name do not.
        Wire::open().password(&format!("somebody{number}"), "wrong", "203.0.113.9");
    }
    let statuses = flooded(
        100,
        |_, _| "203.0.113.9".to_owned(),
        || {
            let password = |who: &WebClient| who.password(&web, &alice).status;
            all_get_in("a page of the account", 20, 200, || {
                signed_in.loads(&web.pages).status
            });
            all_get_in("a trusted browser", 10, 303, || password(&client));
            let mut new = new_addresses();
            all_get_in("a new address", 10, 303, || password(&new()));
        },
    );
    let let_in: Vec<_> = statuses
        .iter()
        .filter(|status| ![429, 503].contains(*status))
        .collect();
    assert!(let_in.is_empty(), "it was delayed all the time: {let_in:?}");
}

/// Passwords of this host are verified one at a time, and a wrong one takes 2 s.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_flood_of_wrong_host_passwords_leaves_the_owner_a_question() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.enrolled_user("alice");
    reconfigure("[gate]\n", "[gate]\nfirst_factor = \"pam\"\n");
    let mut web = web;
    web.gate.restart();
    let _helper = PasswordHelper::start();
    let client = WebClient::new();
    client.signs_in_and_trusts(&web, &alice, &phone.code());
    flooded(120, made_up, || {
        let password = |who: &WebClient| who.password(&web, &alice).status;
        all_get_in("a trusted browser", 5, 303, || password(&client));
        all_get_in("a familiar address", 5, 303, || password(&WebClient::new()));
        let mut new = new_addresses();
        all_get_in("a new address", 2, 303, || password(&new()));
    });
}

/// One user with a range of subordinate uids (subuid), which have no names, took every connection
/// of pam.sock.
#[test]
#[ignore = "needs the test host: tests/run"]
fn users_without_a_name_take_no_place_of_those_with_one() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    Postern::call("account add alice").does();
    let posternd = Posternd::start();
    let status = json!({ "command": "{\"account\":\"alice\",\"task\":{\"look\":\"status\"}}" });
    let peer_of = |uid| PamPeer::start(PAM_PEER, uid, PAM_SOCKET);
    let mut peers: Vec<_> = (100_000..100_020).chain([65534]).map(peer_of).collect();
    for peer in &mut peers {
        assert_eq!(peer.does(&json!({ "hold": 30 }))["held"], 30);
        // posternd replies that it is busy while it looks up the users of earlier connections.
        wait_until("it is told", || {
            Ok(peer.does(&status)["state"] == "NoAccount")
        });
    }
    for _ in 0..5 {
        alice.postern("status --json").does();
    }
    assert_eq!(posternd.log(), "", "and no line of the log");
}

/// Returns the resident memory of a process, in MiB.
pub(crate) fn resident(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap_or(0)
        / 1024
}
