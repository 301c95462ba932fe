//! The password of an account of this host, which only PAM can judge, and PAM only as root: what the gate asks of
//! `postern-password`, and what comes back. The helper greets, the gate sends one question and closes its half, the
//! helper answers with one word and closes. A word says whether the password is right, and never why not.

use crate::account::name::{self, UserName};
use crate::network::address::Address;
use crate::system::admission::{Class, ClassLimits, Limits};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where the helper listens: below /run itself, where only root can put a socket.
pub const SOCKET: &str = "/run/postern-password.sock";
/// What the helper says first: that it is there and has room, and which wire it speaks.
pub const GREETING: &[u8] = b"postern-password 2\n";
/// The longest password that is asked about, in bytes: PAM_MAX_RESP_SIZE.
pub const LONGEST_PASSWORD: usize = 512;
/// The longest question, in bytes: four fields, each with its end.
pub const LONGEST_QUESTION: usize =
    name::LONGEST + LONGEST_ADDRESS + LONGEST_CLASS + LONGEST_PASSWORD + 4;
/// Questions that PAM is asked at once: after a wrong password most of their time is pam_unix's pause of 2 s. One origin
/// has four, one account has two, and whoever has proven more has some of their own.
pub const QUESTIONS: Limits = Limits {
    shared: 8,
    authenticated: ClassLimits { own: 4, ..OF_ONE },
    familiar: ClassLimits { own: 4, ..OF_ONE },
    unauthenticated: ClassLimits { own: 32, ..OF_ONE },
};
const OF_ONE: ClassLimits = ClassLimits {
    own: 0,
    per_key: 4,
    waiting_per_key: 16,
    waiting: 512,
};
/// The longest word, in bytes.
pub const LONGEST_WORD: usize = 16;
/// How long PAM may take for one question.
pub const JUDGED: Duration = Duration::from_secs(20);
/// How long a question may wait for its turn before.
pub const WAITED: Duration = Duration::from_secs(3);

const LONGEST_ADDRESS: usize = 64;
const LONGEST_CLASS: usize = 8;

/// A password as it was typed: 1 to 512 bytes, none of them NUL.
pub struct Candidate(Zeroizing<Vec<u8>>);

impl Candidate {
    /// `None` for what no password can be.
    pub fn typed(bytes: &[u8]) -> Option<Candidate> {
        let fits = (1..=LONGEST_PASSWORD).contains(&bytes.len()) && !bytes.contains(&0);
        fits.then(|| Candidate(Zeroizing::new(bytes.to_vec())))
    }

    /// What was typed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Candidate(…)")
    }
}

/// One question.
#[derive(Debug)]
pub struct HostPasswordRequest {
    /// Whose password it is to be.
    pub name: UserName,
    /// Where the person is, if that is known.
    pub address: Option<Address>,
    /// What they have proven: the gate says it, and whoever has proven more waits for nobody who has proven less.
    pub class: Class,
    /// The password.
    pub password: Candidate,
}

impl HostPasswordRequest {
    /// As it goes over the wire: each field with a NUL after it, which none can hold.
    pub fn write(&self) -> Zeroizing<Vec<u8>> {
        let address = self
            .address
            .map(|address| address.to_string())
            .unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_QUESTION));
        let class = word(self.class).as_bytes();
        for field in [
            self.name.as_str().as_bytes(),
            address.as_bytes(),
            class,
            self.password.bytes(),
        ] {
            bytes.extend_from_slice(field);
            bytes.push(0);
        }
        bytes
    }

    /// Reads what came over the wire, whole.
    pub fn read(bytes: &[u8]) -> Option<HostPasswordRequest> {
        if bytes.len() > LONGEST_QUESTION {
            return None;
        }
        let mut fields = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0);
        let (name, address) = (fields.next()?, fields.next()?);
        let (class, password) = (fields.next()?, fields.next()?);
        if fields.next().is_some() {
            return None;
        }
        Some(HostPasswordRequest {
            name: UserName::parse(name).ok()?,
            address: match address {
                [] => None,
                text => Some(Address::parse(std::str::from_utf8(text).ok()?)?),
            },
            class: CLASSES
                .into_iter()
                .find(|known| word(*known).as_bytes() == class)?,
            password: Candidate::typed(password)?,
        })
    }
}

const CLASSES: [Class; 3] = [
    Class::Authenticated,
    Class::Familiar,
    Class::Unauthenticated,
];

fn word(class: Class) -> &'static str {
    match class {
        Class::Authenticated => "proven",
        Class::Familiar => "known",
        Class::Unauthenticated => "stranger",
    }
}

/// What the helper says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPasswordReply {
    /// The password is right, and the account may be entered.
    Right,
    /// It is not, or it may not.
    Wrong,
    /// PAM was not asked: nothing is known of the password.
    Unasked,
}

impl HostPasswordReply {
    /// The word on the wire.
    pub fn word(self) -> &'static [u8] {
        match self {
            HostPasswordReply::Right => b"yes\n",
            HostPasswordReply::Wrong => b"no\n",
            HostPasswordReply::Unasked => b"unasked\n",
        }
    }

    /// Reads a word, whole.
    pub fn read(word: &[u8]) -> Option<HostPasswordReply> {
        [
            HostPasswordReply::Right,
            HostPasswordReply::Wrong,
            HostPasswordReply::Unasked,
        ]
        .into_iter()
        .find(|said| said.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_back_as_it_was_written() {
        for address in [
            None,
            Address::parse("192.0.2.7"),
            Address::parse("2001:db8::1"),
        ] {
            let password = Candidate::typed("pass wörd\n\"".as_bytes()).unwrap();
            for class in CLASSES {
                let password = Candidate::typed(password.bytes()).unwrap();
                let question = HostPasswordRequest {
                    name: "ü@x.org".parse().unwrap(),
                    address,
                    class,
                    password,
                };
                let read = HostPasswordRequest::read(&question.write()).unwrap();
                assert_eq!(
                    (read.name, read.address, read.class),
                    (question.name, address, class)
                );
                assert_eq!(read.password.bytes(), "pass wörd\n\"".as_bytes());
            }
        }
    }

    #[test]
    fn the_longest_question_fits_and_a_longer_one_is_none() {
        let longest = HostPasswordRequest {
            name: "n".repeat(name::LONGEST).parse().unwrap(),
            address: Address::parse("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            class: Class::Unauthenticated,
            password: Candidate::typed(&[b'x'; LONGEST_PASSWORD]).unwrap(),
        };
        let bytes = longest.write();
        assert!(bytes.len() <= LONGEST_QUESTION);
        assert!(HostPasswordRequest::read(&bytes).is_some());
        assert!(
            HostPasswordRequest::read(
                &[b"alice\0\0stranger\0".as_slice(), &[b'x'; 1024], b"\0"].concat()
            )
            .is_none()
        );
        assert!(Candidate::typed(&[b'x'; LONGEST_PASSWORD + 1]).is_none());
    }

    #[test]
    fn what_is_no_question_is_not_read() {
        for bytes in [
            b"".as_slice(),
            b"\0",
            b"\0\0\0",
            b"alice\0\0known\0secret",
            b"alice\0\0known\0\0",
            b"alice\0known\0secret\0",
            b"alice\0\0secret\0",
            b"alice\0\0\0secret\0",
            b"alice\0\0root\0secret\0",
            b"alice\0\0known\0sec\0ret\0",
            b"alice\0nowhere\0known\0secret\0",
            b"alice\x00192.0.2.7\n\0known\0secret\0",
            b"../x\0\0known\0secret\0",
            b"a\nb\0\0known\0secret\0",
            b"\xff\0\0known\0secret\0",
        ] {
            assert!(HostPasswordRequest::read(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn only_whole_words_are_words() {
        for said in [
            HostPasswordReply::Right,
            HostPasswordReply::Wrong,
            HostPasswordReply::Unasked,
        ] {
            assert_eq!(HostPasswordReply::read(said.word()), Some(said));
            assert!(said.word().len() <= LONGEST_WORD);
        }
        for word in [
            b"".as_slice(),
            b"yes",
            b"y",
            b"yes\n\n",
            b"YES\n",
            b"no",
            b"no\nyes\n",
        ] {
            assert_eq!(HostPasswordReply::read(word), None, "{word:?}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let password = Candidate::typed(b"secret").unwrap();
        let question = HostPasswordRequest {
            name: "alice".parse().unwrap(),
            address: None,
            class: Class::Familiar,
            password,
        };
        assert!(!format!("{question:?}").contains("secret"));
    }
}
