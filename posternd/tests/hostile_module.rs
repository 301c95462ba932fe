//! Whole conversations with hostile modules: the corpus of a fuzz target, and mutations of it. tests/fuzz/run does
//! the same for longer.

// what the fuzz target calls
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/conversation.rs"]
mod conversation;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;

/// A wrong kind, a wrong order, too long, cut off, NUL, 1 MiB: access is denied, and nothing is sent that a module would
/// not take.
#[test]
fn whatever_a_module_replies_the_conversation_ends_and_grants_nothing() {
    mutations::try_all("conversation", 1_800, conversation::posternd_converses);
}
