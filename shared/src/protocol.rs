//! The protocol between posternd and its peers, the PAM module and the commands of users, over a local stream socket:
//! frames with a length and a kind, fields in a small binary codec, every size bounded. posternd drives the
//! conversation, the module relays.
//!
//! posternd sends a [`Greeting`] as soon as it accepts. The peer answers with an [`Opening`]. A command then gets one
//! [`CommandReply`]. To a module posternd sends one [`Instruction`] after the other; those that ask for something are
//! answered with one [`Reply`] each. The last instruction is [`Instruction::End`].
//!
//! MUST NOT hold anything that the module has no use for: it is linked into sshd and sudo.

mod codec;
mod command;
mod frame;
mod greeting;
mod hook;
mod instruction;
mod opening;
mod reply;

pub use codec::{Decoder, Encoder, Malformed};
pub use command::CommandReply;
pub use frame::{FrameError, Message, receive, send};
pub use greeting::{Greeting, State};
pub use hook::{Denial, Hook, HookResult};
pub use instruction::{Echo, Instruction, Severity};
pub use opening::{Opening, Transaction, TransactionId};
pub use reply::Reply;

/// Protocol versions that this build speaks, newest first: its own and the one before. In version 2 a host of root's names
/// its transaction.
#[cfg(not(feature = "previous-protocol"))]
pub const VERSIONS: &[u16] = &[2, 1];
/// Those of the release before.
#[cfg(feature = "previous-protocol")]
pub const VERSIONS: &[u16] = &[1];

/// Where posternd listens for PAM hosts of effective user 0.
pub const HOST_SOCKET: &str = "/run/postern/host.sock";

/// Where posternd listens for PAM hosts of every other effective user, and for commands of users.
pub const PAM_SOCKET: &str = "/run/postern/pam.sock";

/// Returns the newest version that both sides speak.
pub fn common_version(theirs: &[u16]) -> Option<u16> {
    VERSIONS
        .iter()
        .copied()
        .find(|version| theirs.contains(version))
}
