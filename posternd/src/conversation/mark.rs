//! The mark that a passed `auth` line leaves for the guard: who passed, whose code it was, and what is still to be done
//! once the whole entry is known to have passed.

use shared::errand::Typed;
use shared::name::UserName;
use zeroize::Zeroizing;

/// What the `auth` line leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Who signs in.
    pub(crate) user: UserName,
    /// Whose code was asked for; another's where the line says `user=`.
    pub(crate) account: UserName,
    pub(crate) left: Left,
}

/// What is left to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// Accepted before the first factor: by this ticket its success is booked.
    Book(Typed),
    /// Only to tell what it brought.
    Tell(Vec<String>),
}

impl Mark {
    /// A letter, the user, and below that the account and lines; names have no line break.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (letter, lines) = match &self.left {
            Left::Nothing => ("-", Zeroizing::default()),
            Left::Book(ticket) => ("b", Zeroizing::new((**ticket).to_owned())),
            Left::Tell(told) => ("t", Zeroizing::new(told.join("\n"))),
        };
        [letter, self.user.as_str(), "\n", self.account.as_str(), "\n", &lines].concat().into_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Mark> {
        let (letter, rest) = std::str::from_utf8(bytes).ok()?.split_at_checked(1)?;
        let (user, rest) = rest.split_once('\n')?;
        let (account, lines) = rest.split_once('\n')?;
        let left = match letter {
            "-" => Left::Nothing,
            "b" => Left::Book(lines.to_owned().into()),
            "t" => Left::Tell(lines.lines().map(str::to_owned).collect()),
            _ => return None,
        };
        Some(Mark { user: user.parse().ok()?, account: account.parse().ok()?, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_the_transaction() {
        let ticket = || Typed::from("ticket".to_owned());
        let told = [Vec::new(), vec!["1 recovery code is left".to_owned(), "b".to_owned()]].map(Left::Tell);
        let lefts = [Left::Nothing, Left::Book(ticket())];
        for left in lefts.into_iter().chain(told) {
            let (user, account) = ("alice".parse().unwrap(), "shared".parse().unwrap());
            let mark = Mark { user, account, left };
            assert_eq!(Mark::from_bytes(&mark.to_bytes()), Some(mark));
        }
    }

    #[test]
    fn foreign_bytes_are_no_mark() {
        let not_text = "ü\na\n".as_bytes();
        for bytes in
            [&b""[..], b"-", b"-\n\n", b"-alice", b"-alice\n", b"xalice\nalice\n", b"-\xff\n", not_text]
        {
            assert_eq!(Mark::from_bytes(bytes), None);
        }
    }
}
