//! The protocol between posternd and its peers, the PAM module and the commands of users, over a
//! local stream socket: frames with a length and a kind, fields in a small binary codec, a limit on
//! every size. posternd drives the conversation, the module relays.
//!
//! posternd sends a [`Greeting`] as soon as it accepts. The peer sends an [`Opening`]. A command
//! then receives one [`CommandReply`]. A module receives one [`Instruction`] after the other; those
//! that need a reply get one [`RelayReply`] each. The last instruction is [`Instruction::End`].
//!
//! MUST NOT contain anything that the module does not need: the module is loaded into sshd and
//! sudo.

pub mod admin_api;
pub mod break_glass;
pub mod client;
mod codec;
mod command;
pub mod command_request;
pub mod fleet;
mod frame;
mod greeting;
pub mod host_password;
mod instruction;
mod opening;
mod pam_function;
mod release;
mod reply;
pub mod status;
mod typed;
mod version;
pub mod wire;

pub use codec::{DecodeError, Decoder, Encoder};
pub use command::CommandReply;
pub use frame::{Frame, FrameError, receive, send};
pub use greeting::{Greeting, GreetingState};
pub use instruction::{Echo, Instruction, Severity};
pub use opening::{Opening, PamTransaction};
pub use pam_function::{Denial, PamFunction, PamFunctionResult};
pub use reply::RelayReply;
pub use version::{HOST_SOCKET, PAM_SOCKET, VERSIONS, common_version};
