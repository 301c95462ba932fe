//! Host passwords: the request of the gate to `postern-password`, and the reply. Only PAM can
//! verify the password of an account of this host, and only as root. The helper greets. The gate
//! sends one request and closes its half of the connection. The helper replies with one word and
//! closes.
//!
//! The reply says whether the password is right, and MUST NOT say why it is not.

use crate::account::name::{self, UserName};
use crate::system::admission::{AdmissionClass, AdmissionLimits, ClassLimits};
use crate::system::network::address::Address;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Socket of the helper, directly in /run, where only root can create one.
pub const SOCKET: &str = "/run/postern-password.sock";
/// Greeting of the helper: it accepts a request, and names the version of the format.
pub const GREETING: &[u8] = b"postern-password 2\n";
/// Longest password in bytes: PAM_MAX_RESP_SIZE.
pub const LONGEST_PASSWORD: usize = 512;
/// Longest request in bytes: four fields, each with its end.
pub const LONGEST_REQUEST: usize =
    name::LONGEST + LONGEST_ADDRESS + LONGEST_CLASS + LONGEST_PASSWORD + 4;
/// Limits of concurrent requests. After a wrong password most of the time is the pause of pam_unix,
/// 2 s. One origin may have four requests, one account two, and clients with more proof have
/// capacity of their own.
pub const REQUEST_LIMITS: AdmissionLimits = AdmissionLimits {
    shared: 8,
    authenticated: ClassLimits { own: 4, ..ONE_KEY },
    familiar: ClassLimits { own: 4, ..ONE_KEY },
    unauthenticated: ClassLimits { own: 32, ..ONE_KEY },
};
const ONE_KEY: ClassLimits = ClassLimits {
    own: 0,
    per_key: 4,
    waiting_per_key: 16,
    waiting: 512,
};
/// Longest reply in bytes.
pub const LONGEST_WORD: usize = 16;
/// Time limit of PAM for one request.
pub const VERIFY_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit for a request in the queue.
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(3);

const LONGEST_ADDRESS: usize = 64;
const LONGEST_CLASS: usize = 8;

/// A password input: 1 to 512 bytes, none of them NUL.
pub struct Candidate(Zeroizing<Vec<u8>>);

impl Candidate {
    /// Returns `None` if no password can have these bytes.
    pub fn from_input(bytes: &[u8]) -> Option<Candidate> {
        let fits = (1..=LONGEST_PASSWORD).contains(&bytes.len()) && !bytes.contains(&0);
        fits.then(|| Candidate(Zeroizing::new(bytes.to_vec())))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Candidate(…)")
    }
}

#[derive(Debug)]
pub struct HostPasswordRequest {
    pub name: UserName,
    /// Address of the client, if it is known.
    pub address: Option<Address>,
    /// What the client has proven, according to the gate. A client with more proof never waits for
    /// one with less.
    pub class: AdmissionClass,
    pub password: Candidate,
}

impl HostPasswordRequest {
    /// Encodes the request: each field is followed by a NUL, which no field contains.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let address = self
            .address
            .map(|address| address.to_string())
            .unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_REQUEST));
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

    /// Decodes a whole request.
    pub fn decode(bytes: &[u8]) -> Option<HostPasswordRequest> {
        if bytes.len() > LONGEST_REQUEST {
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
            password: Candidate::from_input(password)?,
        })
    }
}

const CLASSES: [AdmissionClass; 3] = [
    AdmissionClass::Authenticated,
    AdmissionClass::Familiar,
    AdmissionClass::Unauthenticated,
];

fn word(class: AdmissionClass) -> &'static str {
    match class {
        AdmissionClass::Authenticated => "proven",
        AdmissionClass::Familiar => "known",
        AdmissionClass::Unauthenticated => "stranger",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPasswordReply {
    /// The password is right, and PAM permits access to the account.
    Right,
    /// The password is wrong, or PAM does not permit access.
    Wrong,
    /// PAM was not called: it is unknown whether the password is right.
    NotVerified,
}

impl HostPasswordReply {
    pub fn word(self) -> &'static [u8] {
        match self {
            HostPasswordReply::Right => b"yes\n",
            HostPasswordReply::Wrong => b"no\n",
            HostPasswordReply::NotVerified => b"unasked\n",
        }
    }

    /// Decodes a whole reply.
    pub fn decode(word: &[u8]) -> Option<HostPasswordReply> {
        [
            HostPasswordReply::Right,
            HostPasswordReply::Wrong,
            HostPasswordReply::NotVerified,
        ]
        .into_iter()
        .find(|reply| reply.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_decoded_to_the_same_values() {
        for address in [
            None,
            Address::parse("192.0.2.7"),
            Address::parse("2001:db8::1"),
        ] {
            let password = Candidate::from_input("pass wörd\n\"".as_bytes()).unwrap();
            for class in CLASSES {
                let password = Candidate::from_input(password.bytes()).unwrap();
                let request = HostPasswordRequest {
                    name: "ü@x.org".parse().unwrap(),
                    address,
                    class,
                    password,
                };
                let read = HostPasswordRequest::decode(&request.encode()).unwrap();
                assert_eq!(
                    (read.name, read.address, read.class),
                    (request.name, address, class)
                );
                assert_eq!(read.password.bytes(), "pass wörd\n\"".as_bytes());
            }
        }
    }

    #[test]
    fn the_longest_request_fits_and_a_longer_one_is_refused() {
        let longest = HostPasswordRequest {
            name: "n".repeat(name::LONGEST).parse().unwrap(),
            address: Address::parse("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            class: AdmissionClass::Unauthenticated,
            password: Candidate::from_input(&[b'x'; LONGEST_PASSWORD]).unwrap(),
        };
        let bytes = longest.encode();
        assert!(bytes.len() <= LONGEST_REQUEST);
        assert!(HostPasswordRequest::decode(&bytes).is_some());
        assert!(
            HostPasswordRequest::decode(
                &[b"alice\0\0stranger\0".as_slice(), &[b'x'; 1024], b"\0"].concat()
            )
            .is_none()
        );
        assert!(Candidate::from_input(&[b'x'; LONGEST_PASSWORD + 1]).is_none());
    }

    #[test]
    fn malformed_requests_are_refused() {
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
            assert!(HostPasswordRequest::decode(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn only_whole_replies_are_decoded() {
        for reply in [
            HostPasswordReply::Right,
            HostPasswordReply::Wrong,
            HostPasswordReply::NotVerified,
        ] {
            assert_eq!(HostPasswordReply::decode(reply.word()), Some(reply));
            assert!(reply.word().len() <= LONGEST_WORD);
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
            assert_eq!(HostPasswordReply::decode(word), None, "{word:?}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let password = Candidate::from_input(b"secret").unwrap();
        let request = HostPasswordRequest {
            name: "alice".parse().unwrap(),
            address: None,
            class: AdmissionClass::Familiar,
            password,
        };
        assert!(!format!("{request:?}").contains("secret"));
    }
}
