//! Unusual replies of the conversation, and unusual user names.

use super::bench::{Bench, Outcome, Seen, count, word};
use testhost::Answer;

fn after(bench: &Bench<'_>, answer: &Answer) -> Seen {
    let outcome = bench.login_as(b"alice", answer);
    Seen::new(word(outcome)).but((outcome == Outcome::In).then_some("that opened"))
}

pub(crate) fn a_null_reply(bench: &Bench<'_>) -> Seen {
    after(bench, &Answer::NullReply)
}

pub(crate) fn a_null_array(bench: &Bench<'_>) -> Seen {
    after(bench, &Answer::NullArray)
}

pub(crate) fn a_failed_conversation(bench: &Bench<'_>) -> Seen {
    after(bench, &Answer::Failure)
}

pub(crate) fn a_mebibyte(bench: &Bench<'_>) -> Seen {
    after(bench, &Answer::Text(vec![b'1'; 1 << 20]))
}

pub(crate) fn control_bytes(bench: &Bench<'_>) -> Seen {
    let every: Vec<u8> = (1..=31).chain(127..=255).collect();
    after(bench, &Answer::Text(every))
}

/// The junk that sshd passes to PAM for an account without access. It must not use up the tries of
/// the real owner.
pub(crate) fn junk_of_sshd(bench: &Bench<'_>) -> Seen {
    let junk = Answer::from("\u{8}\n\r\u{7f}INCORRECT");
    let outcomes: Vec<_> = (0..10).map(|_| bench.login_as(b"alice", &junk)).collect();
    let refused = count(&outcomes, Outcome::Refused);
    let owner = bench.login(&bench.alice.code());
    Seen::new(format!(
        "{refused} of 10 refused; then the owner's code: {}",
        word(owner)
    ))
    .but((owner != Outcome::In).then_some("the junk counts as guesses"))
}

pub(crate) fn odd_names(bench: &Bench<'_>) -> Seen {
    let long = vec![b'a'; 64 * 1024];
    let names: [&[u8]; 9] = [
        b"",
        b".",
        b"../../root",
        b"a/b",
        b"a\nb",
        b"a\x1b[2Jb",
        b"\xff\xfe",
        b"%s%n%s%n",
        &long,
    ];
    let answer = Answer::from(&*bench.alice.code());
    let outcomes = names.map(|name| bench.login_as(name, &answer));
    Seen::new(format!(
        "{} of {} refused",
        count(&outcomes, Outcome::Refused),
        names.len()
    ))
    .but((count(&outcomes, Outcome::In) > 0).then_some("an odd name opened"))
}

/// Searches memory directly after the reply, while the transaction is still open.
pub(crate) fn what_memory_keeps(bench: &Bench<'_>) -> Seen {
    let mut pam = bench.host_for(b"alice", &["--memory"]);
    pam.types(&bench.alice.code());
    let places = pam.expect("after")["typed"].as_array().map_or(0, Vec::len);
    bench.end(pam);
    Seen::new(match places {
        0 => "gone".to_owned(),
        1 => "1 copy".to_owned(),
        copies => format!("{copies} copies"),
    })
    .but((places > 0).then_some("the code stays"))
}
