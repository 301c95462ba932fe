//! What leaves the host of an input: only what can be a code. Passwords stay on the host.

use postern_shared::credential::break_glass_code::BreakGlassCode;
use postern_shared::credential::input::{InputReading, LONGEST, possible_code_length};
use postern_shared::protocol::{PamTransaction, RelayReply};
use zeroize::Zeroizing;

/// Words that are no secret and no code: that recovery codes were saved, and the request for a code by
/// mail.
const WORDS: [&[u8]; 2] = [b"saved", b"m"];

/// Takes the place of an input of which nothing leaves: an empty one would ask for an approval by a
/// passkey.
const NOT_EMPTY: &[u8] = b"-";

/// Cuts the inputs of one conversation.
pub(super) struct InputCut {
    reading: InputReading,
    /// The beginning of the last input, which stayed here.
    kept: Zeroizing<Vec<u8>>,
    /// The length of the end that was sent.
    sent: usize,
    /// Whether the last input was longer than any that is passed on.
    is_too_long: bool,
}

impl InputCut {
    /// Returns the cut for the options of a service file: with `forward_pass`, an input is a password
    /// followed by a code.
    pub(super) fn new(transaction: &PamTransaction) -> InputCut {
        let mut options = transaction.options.iter();
        InputCut {
            reading: match options.any(|option| option == "forward_pass") {
                true => InputReading::CodeAtEnd,
                false => InputReading::Whole,
            },
            kept: Zeroizing::default(),
            sent: 0,
            is_too_long: false,
        }
    }

    /// Returns the reply without what can be no code.
    pub(super) fn cut_reply(&mut self, reply: RelayReply) -> RelayReply {
        match reply {
            RelayReply::Typed(typed) => RelayReply::Typed(self.cut(&typed)),
            RelayReply::Stacked(Some(password)) => RelayReply::Stacked(Some(self.cut(&password))),
            RelayReply::Stacked(None) | RelayReply::NoInput => reply,
        }
    }

    fn cut(&mut self, input: &[u8]) -> Zeroizing<Vec<u8>> {
        let is_word = WORDS
            .iter()
            .any(|word| input.trim_ascii().eq_ignore_ascii_case(word));
        let sent = match (is_word, self.reading) {
            (true, InputReading::Whole) => input.len(),
            // a server does not know such a code, which stays valid
            (false, InputReading::Whole) if BreakGlassCode::parse(input).is_some() => 0,
            _ => possible_code_length(input, self.reading),
        };
        let (kept, end) = input.split_at(input.len() - sent);
        self.kept = Zeroizing::new(kept.to_vec());
        self.sent = sent;
        self.is_too_long = input.len() > LONGEST;
        let is_blank = input.trim_ascii().is_empty();
        match self.reading {
            InputReading::Whole if end.is_empty() && !is_blank => {
                Zeroizing::new(NOT_EMPTY.to_vec())
            }
            _ => Zeroizing::new(end.to_vec()),
        }
    }

    /// Returns the password for later modules: what stayed here, and what the server did not take for
    /// the code. `None` where it must not be set.
    pub(super) fn restore_password(&self, rest: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if self.is_too_long || self.reading == InputReading::Whole {
            return None;
        }
        let mut password = Zeroizing::new(Vec::with_capacity(self.kept.len() + rest.len()));
        password.extend_from_slice(&self.kept);
        password.extend_from_slice(rest);
        // one blank between password and code
        if rest.len() < self.sent && password.last() == Some(&b' ') {
            password.pop();
        }
        Some(password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::transaction_of;

    fn cut_of(options: &[&str]) -> InputCut {
        InputCut::new(&PamTransaction {
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..transaction_of("sshd")
        })
    }

    fn sent(cut: &mut InputCut, typed: &str) -> String {
        let stacked = RelayReply::Stacked(Some(Zeroizing::new(typed.as_bytes().to_vec())));
        let reply = RelayReply::Typed(Zeroizing::new(typed.as_bytes().to_vec()));
        let RelayReply::Typed(typed) = cut.cut_reply(reply) else {
            panic!("another reply")
        };
        assert!(cut.cut_reply(stacked) == RelayReply::Stacked(Some(typed.clone())));
        String::from_utf8(typed.to_vec()).unwrap()
    }

    #[test]
    fn a_password_stays_on_the_host() {
        let mut cut = cut_of(&["try_first_pass"]);
        for word in ["123 456", "m", " M", "saved"] {
            assert_eq!(sent(&mut cut, word), word);
        }
        for password in [
            "hunter2",
            "hunter2 123456",
            "correct horse battery staple",
            "1234567",
            "mm",
        ] {
            assert_eq!(sent(&mut cut, password), "-", "{password}");
        }
        for blank in ["", " "] {
            assert_eq!(sent(&mut cut, blank), "", "an empty input stays one");
        }
        assert!(cut.restore_password(b"").is_none());
    }

    #[test]
    fn of_a_password_and_a_code_only_the_code_leaves() {
        let mut cut = cut_of(&["forward_pass"]);
        let restored = |cut: &InputCut, rest: &str| {
            let password = cut.restore_password(rest.as_bytes()).unwrap();
            String::from_utf8(password.to_vec()).unwrap()
        };
        assert_eq!(sent(&mut cut, "hunter2 123456"), "123456");
        assert_eq!(restored(&cut, ""), "hunter2");
        // a user without a second factor has typed a password alone
        assert_eq!(restored(&cut, "123456"), "hunter2 123456");
        // of eight digits, six are the code
        assert_eq!(sent(&mut cut, "hunter12345678"), "12345678");
        assert_eq!(restored(&cut, "12"), "hunter12");
        assert_eq!(sent(&mut cut, "hunter2"), "");
        assert_eq!(restored(&cut, ""), "hunter2");
    }
}
