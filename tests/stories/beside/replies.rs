//! Unusual replies of the conversation, and unusual user names.

use super::bench::{Bench, Outcome, Seen, count, word};
use testhost::PromptReply;

fn after(bench: &Bench<'_>, reply: &PromptReply) -> Seen {
    let wait_for_output = bench.login_as(b"alice", reply);
    Seen::new(word(wait_for_output)).but((wait_for_output == Outcome::In).then_some("that opened"))
}

pub(crate) fn a_null_reply(bench: &Bench<'_>) -> Seen {
    after(bench, &PromptReply::NullReply)
}

pub(crate) fn a_null_array(bench: &Bench<'_>) -> Seen {
    after(bench, &PromptReply::NullArray)
}

pub(crate) fn a_failed_conversation(bench: &Bench<'_>) -> Seen {
    after(bench, &PromptReply::Failure)
}

pub(crate) fn a_mebibyte(bench: &Bench<'_>) -> Seen {
    after(bench, &PromptReply::Text(vec![b'1'; 1 << 20]))
}

pub(crate) fn control_bytes(bench: &Bench<'_>) -> Seen {
    let every: Vec<u8> = (1..=31).chain(127..=255).collect();
    after(bench, &PromptReply::Text(every))
}

/// The junk that sshd passes to PAM for an account without access. It must not use up the tries of
/// the real owner.
pub(crate) fn junk_of_sshd(bench: &Bench<'_>) -> Seen {
    let junk = PromptReply::from("\u{8}\n\r\u{7f}INCORRECT");
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
    let reply = PromptReply::from(&*bench.alice.code());
    let outcomes = names.map(|name| bench.login_as(name, &reply));
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
