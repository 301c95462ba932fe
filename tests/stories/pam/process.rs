//! The state that a login leaves in the process of the PAM host: descriptors, signals, threads and
//! memory.

use serde_json::{Value, json};
use std::fs;
use testhost::{Host, PamEnded, PamHost, Phone, PromptReply, assert_contains, assert_lacks};

/// Path of the PAM host that cargo built.
pub(crate) const PAM_HOST: &str = env!("CARGO_BIN_EXE_pam_host");

/// Enrolls alice, and installs a PAM service with one prompt.
#[track_caller]
fn a_service_that_asks_once(host: &Host) -> Phone {
    host.requires_totp("guest", "first_factor=passed tries=1");
    host.person("alice").enrols()
}

#[track_caller]
fn one_login(words: &[&str], reply: &PromptReply) -> PamEnded {
    let mut pam = PamHost::start(PAM_HOST, "guest", b"alice", words);
    pam.expect("prompt");
    pam.answers(reply);
    pam.ends()
}

/// The state is descriptors, threads, environment, umask, signals, ids, limits and folders.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_login_leaves_its_process_as_it_found_it() {
    let host = Host::fresh();
    let phone = a_service_that_asks_once(&host);
    let ends = [
        (PromptReply::from(&*phone.code()), 0),
        (PromptReply::from(&*phone.code()), 11),
        (PromptReply::from(&*phone.wrong()), 11),
        (PromptReply::Failure, 19),
        (PromptReply::NullReply, 19),
    ];
    for (reply, number) in ends {
        for words in [&["--state"][..], &["--state", "--threads", "1"]] {
            let ended = one_login(words, &reply);
            if words.len() == 1 {
                assert_eq!(ended.number(), Some(number), "{ended:?}");
            }
            let states = ended.all("state");
            assert_eq!(states.len(), 2, "{ended:?}");
            let parts = states[0].as_object().expect("parts");
            assert!(
                parts.len() > 5 && parts["descriptors"].as_array().expect("a list").len() > 3,
                "{parts:?}"
            );
            for part in parts.keys() {
                assert_eq!(states[0][part], states[1][part], "{part} after {reply:?}");
            }
        }
    }
}

/// The fault: a thread that ends after pam_end runs a destructor of the unloaded module, and the
/// host crashes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn threads_that_end_after_their_login_crash_no_host() {
    const THREADS: usize = 4;
    let host = Host::fresh();
    let phone = a_service_that_asks_once(&host);

    let mut pam = PamHost::start(
        PAM_HOST,
        "guest",
        b"alice",
        &["--cycles", "25", "--threads", "4"],
    );
    for _ in 0..25 {
        (0..THREADS).for_each(|_| drop(pam.expect("prompt")));
        host.clock.forward(30);
        (0..THREADS).for_each(|_| pam.types(&phone.code()));
    }
    let ended = pam.ends();
    assert_eq!(ended.signal, None);
    let numbers = ended.all("authenticate");
    let entered = numbers
        .iter()
        .filter(|number| ***number == json!(0))
        .count();
    assert_eq!((numbers.len(), entered), (25 * THREADS, 25), "{ended:?}");
}

/// The attack: a code is read from a core dump. Memory is searched for the input as typed and
/// without its blank, in the heap, on every stack, and in the module's own data.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_was_typed_is_gone_from_memory_after_the_login() {
    let host = Host::fresh();
    let phone = a_service_that_asks_once(&host);
    // Memory contains round numbers for other reasons.
    let (right, wrong) = (phone.code(), phone.wrong_codes(3));
    let spaced = |code: &str| format!("{} {}", &code[..3], &code[3..]);
    let answers = [
        (spaced(&right), 0),
        (spaced(&wrong[1]), 11),
        (phone.code_in(1), 0),
        (wrong[2].clone(), 11),
        ("the password, typed by mistake".to_owned(), 11),
    ];
    for (typed, number) in answers {
        // free(3) overwrites the first bytes of a block, and blocks of common sizes are reused
        // soon. A long input avoids both.
        let ended = one_login(
            &["--memory"],
            &PromptReply::from(&*format!("{}{typed}", " ".repeat(480))),
        );
        assert_eq!(ended.number(), Some(number), "{ended:?}");
        // This proves that the search finds a reply that is there.
        assert_eq!(
            ended.all("made")[0]["typed"].as_array().map(Vec::len),
            Some(1),
            "{ended:?}"
        );
        assert_eq!(
            ended.all("after"),
            [&json!({ "typed": [], "plain": [] })],
            "{typed}"
        );
    }
}

/// Runs so many logins under valgrind, one each day, with a wrong and then with a right code.
/// Returns valgrind's report.
#[track_caller]
fn under_valgrind(host: &Host, phone: &Phone, logins: usize) -> String {
    const REPORT: &str = "/run/postern-tests/valgrind";
    let tool = [
        "valgrind",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect,possible",
    ];
    let report = format!("--log-file={REPORT}");
    let (tool, cycles) = ([&tool[..], &[&report]].concat(), (2 * logins).to_string());
    let mut pam = PamHost::start_under(&tool, PAM_HOST, "guest", b"alice", &["--cycles", &cycles]);
    for _ in 0..logins {
        host.clock.forward(24 * 3600);
        for code in [phone.wrong(), phone.code()] {
            pam.expect("prompt");
            pam.types(&code);
            // The code is verified before the clock moves.
            pam.expect("authenticate");
        }
    }
    let ended = pam.ends();
    let numbers = ended.all("authenticate");
    let meant: Vec<Value> = [11, 0]
        .repeat(logins)
        .into_iter()
        .map(Value::from)
        .collect();
    assert_eq!(numbers, meant.iter().collect::<Vec<_>>(), "{ended:?}");
    fs::read_to_string(REPORT).expect("valgrind writes its report")
}

/// Valgrind reports no lost block, and the memory in use is the same after five logins as after
/// two.
#[test]
#[ignore = "needs the test host: tests/run"]
fn valgrind_finds_no_fault_and_no_leak_in_many_logins() {
    let host = Host::with_posternd("valgrind runs what the module forks, and knows no pidfd_open");
    let phone = a_service_that_asks_once(&host);
    let kept = [2, 5].map(|logins| {
        let report = under_valgrind(&host, &phone, logins);
        assert_contains(&report, "ERROR SUMMARY: 0 errors");
        assert_lacks(&report, "pam_totp.so");
        let at_exit = report
            .lines()
            .find_map(|line| line.split_once("in use at exit: "));
        at_exit.unwrap_or_else(|| panic!("{report}")).1.to_owned()
    });
    assert_eq!(kept[0], kept[1]);
}
