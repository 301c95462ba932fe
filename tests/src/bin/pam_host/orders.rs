//! The orders on standard input, one line for each prompt: `say HEX`, `null reply`, `null array`,
//! `failure`. After the end of the input every prompt fails.
//!
//! Each byte of a reply arrives XORed, so that the plain text is in this process only where the
//! module receives it.

use crate::channel;
use data_encoding::HEXLOWER;
use testhost::SEAL;

/// How a prompt is answered.
pub(crate) enum Order {
    /// A response with a text.
    Say(Sealed),
    /// A response that has no text.
    NullReply,
    /// Success without a response.
    NullArray,
    /// PAM_CONV_ERR as the result of the conversation.
    Failure,
}

/// A reply that a search of memory does not find.
#[derive(Clone)]
pub(crate) struct Sealed(Vec<u8>);

impl Sealed {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the plain bytes, one after the other.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().map(|byte| byte ^ SEAL)
    }

    /// Returns the reply without its leading blanks.
    pub(crate) fn without_indent(&self) -> Sealed {
        Sealed(
            self.0
                .iter()
                .copied()
                .skip_while(|byte| byte ^ SEAL == b' ')
                .collect(),
        )
    }

    /// Returns the reply without the blanks that people type between digits.
    pub(crate) fn without_blanks(&self) -> Sealed {
        Sealed(
            self.0
                .iter()
                .copied()
                .filter(|byte| byte ^ SEAL != b' ')
                .collect(),
        )
    }

    /// Returns whether this memory holds the plain text.
    pub(crate) fn is_at(&self, memory: &[u8]) -> bool {
        memory.len() == self.len()
            && memory
                .iter()
                .zip(&self.0)
                .all(|(byte, own)| byte ^ SEAL == *own)
    }
}

/// Waits for the next order.
pub(crate) fn next() -> Order {
    let line = channel::read_line();
    match line.trim_end().split_once(' ') {
        Some(("say", hex)) => Order::Say(Sealed(
            HEXLOWER.decode(hex.as_bytes()).expect("a reply in hex"),
        )),
        Some(("null", "reply")) => Order::NullReply,
        Some(("null", "array")) => Order::NullArray,
        None if line.is_empty() || line.trim_end() == "failure" => Order::Failure,
        _ => panic!("no order: {line:?}"),
    }
}
