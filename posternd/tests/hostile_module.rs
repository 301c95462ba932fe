//! Whole conversations with hostile modules: the corpus of a fuzz target, and mutations of it.
//! tests/fuzz/run does the same for longer.

// the function of the fuzz target
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/conversation.rs"]
mod conversation;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;

/// Frames of a wrong kind, in a wrong order, too long, cut, with NUL, of 1 MiB: access is denied,
/// and no instruction is sent that a module would refuse.
#[test]
fn the_conversation_ends_without_access_whatever_a_module_replies() {
    mutations::try_all("conversation", 1_800, conversation::posternd_converses);
}
