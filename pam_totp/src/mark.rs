//! The mark that a passed `auth` line leaves for the guard: which user passed, and what is still to be done
//! once the first factor is known to have passed too.

use shared::door::Means;
use shared::errand::Typed;
use shared::name::UserName;
use zeroize::Zeroizing;

/// What the `auth` line leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) user: UserName,
    pub(crate) left: Left,
}

/// What is left of an answer that opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// Accepted before the first factor: its success is still to be booked.
    Book(Means),
    /// The same, by this ticket of the gate's.
    AtGate(Typed),
    /// Only to tell what it brought.
    Tell(Vec<String>),
}

impl Mark {
    /// A letter, the user, and below that lines; a name has no line break.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (letter, lines) = match &self.left {
            Left::Nothing => ("-", Zeroizing::default()),
            Left::AtGate(ticket) => ("g", Zeroizing::new((**ticket).to_owned())),
            Left::Tell(told) => ("t", Zeroizing::new(told.join("\n"))),
            Left::Book(means) => {
                let letter = match means {
                    Means::Code => "c",
                    Means::RecoveryCode => "r",
                    Means::MailedCode => "m",
                    Means::OneTimeCode => "o",
                    Means::TrustedBrowser => "b",
                    Means::Password => "p",
                };
                (letter, Zeroizing::default())
            }
        };
        [letter, self.user.as_str(), "\n", &lines].concat().into_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Mark> {
        let (letter, rest) = std::str::from_utf8(bytes).ok()?.split_at_checked(1)?;
        let (user, lines) = rest.split_once('\n')?;
        let left = match letter {
            "-" => Left::Nothing,
            "c" => Left::Book(Means::Code),
            "r" => Left::Book(Means::RecoveryCode),
            "m" => Left::Book(Means::MailedCode),
            "o" => Left::Book(Means::OneTimeCode),
            "g" => Left::AtGate(lines.to_owned().into()),
            "t" => Left::Tell(lines.lines().map(str::to_owned).collect()),
            _ => return None,
        };
        Some(Mark { user: user.parse().ok()?, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_the_transaction() {
        let means = [Means::Code, Means::MailedCode, Means::RecoveryCode, Means::OneTimeCode].map(Left::Book);
        let at_gate = [Left::AtGate("ticket".to_owned().into()), Left::Nothing];
        let told = [Vec::new(), vec!["1 recovery code is left".to_owned(), "b".to_owned()]].map(Left::Tell);
        for left in means.into_iter().chain(at_gate).chain(told) {
            let mark = Mark { user: "alice".parse().unwrap(), left };
            assert_eq!(Mark::from_bytes(&mark.to_bytes()), Some(mark));
        }
    }

    #[test]
    fn foreign_bytes_are_no_mark() {
        for bytes in [&b""[..], b"-", b"-\n", b"-alice", b"xalice\n", b"-\xff\n", "ü\n".as_bytes()] {
            assert_eq!(Mark::from_bytes(bytes), None);
        }
    }
}
