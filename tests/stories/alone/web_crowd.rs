//! The attack: ten thousand connections are held open. New clients are still served at once.

use crate::gate::floods::{TAKEN, descriptors, is_served, signed_in, silent};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::VecDeque;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use testhost::{Host, assert_lacks, reconfigure, wait_until};

#[test]
#[ignore = "needs the test host: tests/run"]
fn ten_thousand_idle_connections_delay_no_user() {
    let host = Host::fresh();
    let (mut web, client) = signed_in(&host);
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("this process may have so many");
    assert!(
        most > 16_000,
        "this story needs more than {most} open files: ulimit -Hn"
    );
    reconfigure(
        "[gate]\n",
        "[gate]\nlisten = [\"unix:/run/postern/gate.sock\", \"tcp:127.0.0.1:9091\"]\n",
    );
    web.gate.restart();
    let idle = silent(8000);
    let more: Vec<_> = (0..2000)
        .map(|_| TcpStream::connect("127.0.0.1:9091").expect("a connection"))
        .collect();
    for _ in 0..10 {
        is_served(&web, &client);
    }
    web.gate.says(TAKEN);
    // The same while further connections arrive without end.
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut held = VecDeque::new();
            let began = Instant::now();
            while !over.load(Ordering::SeqCst) && began.elapsed() < Duration::from_secs(300) {
                held.extend(TcpStream::connect("127.0.0.1:9091"));
                if held.len() > 5000 {
                    held.pop_front();
                }
            }
        });
        for _ in 0..10 {
            is_served(&web, &client);
        }
        over.store(true, Ordering::SeqCst);
    });
    assert_lacks(web.gate.log(), "panicked");
    drop((idle, more));
    wait_until("the gate has closed what was open", || {
        Ok(descriptors(&web.gate) < 100)
    });
    is_served(&web, &client);
    // A line is logged each time that all connections are taken. On a slow machine the first are
    // closed before the others arrive.
    let output = web.gate.log().matches(TAKEN).count();
    assert!((1..5).contains(&output), "{}", web.gate.log());
}
