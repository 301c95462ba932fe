//! What the host is told on its standard input, a line for each prompt: `say HEX`, `null reply`, `null array`,
//! `failure`. At the end of it every prompt fails.
//!
//! Replies come sealed, each byte XORed, so that the plain text stands nowhere in this process but in what the
//! module is handed.

use crate::channel;
use data_encoding::HEXLOWER;
use testhost::SEAL;

/// How a prompt is answered.
pub(crate) enum Order {
    /// With a text.
    Say(Sealed),
    /// With a response that has no text.
    NullReply,
    /// With success and no response at all.
    NullArray,
    /// With PAM_CONV_ERR.
    Failure,
}

/// A reply that cannot be found in memory.
#[derive(Clone)]
pub(crate) struct Sealed(Vec<u8>);

impl Sealed {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The plain bytes, one after the other.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().map(|byte| byte ^ SEAL)
    }

    /// From its first letter on.
    pub(crate) fn without_indent(&self) -> Sealed {
        Sealed(
            self.0
                .iter()
                .copied()
                .skip_while(|byte| byte ^ SEAL == b' ')
                .collect(),
        )
    }

    /// Without what people put between digits.
    pub(crate) fn without_blanks(&self) -> Sealed {
        Sealed(
            self.0
                .iter()
                .copied()
                .filter(|byte| byte ^ SEAL != b' ')
                .collect(),
        )
    }

    /// Whether memory holds the plain text here.
    pub(crate) fn is_at(&self, memory: &[u8]) -> bool {
        memory.len() == self.len()
            && memory
                .iter()
                .zip(&self.0)
                .all(|(byte, own)| byte ^ SEAL == *own)
    }
}

/// Waits for the next line.
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
