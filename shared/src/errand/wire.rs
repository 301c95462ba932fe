//! The wire between a command and the gate: the gate greets, the command sends one line of JSON, the gate answers with
//! one line and closes. Lines have a most; what is longer, or is no errand, is refused unread.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// What the gate says first: that it is there, and which wire it speaks.
pub const GREETING: &[u8] = b"postern 1\n";
/// The longest errand, in bytes with its end: tickets are the longest part, some 3 KiB.
pub const LONGEST_ERRAND: usize = 16 * 1024;
/// The longest answer, in bytes with its end.
pub const LONGEST_ANSWER: usize = 256 * 1024;

/// A message as a line. Nothing of it is left in memory when it is dropped, unless it is longer than what was set
/// aside for it.
pub fn write(message: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST_ERRAND));
    serde_json::to_writer(&mut *line, message).ok()?;
    line.push(b'\n');
    Some(line)
}

/// A message from a line.
pub fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errand::{Change, Errand, Finish, Look, Task};

    #[test]
    fn an_errand_is_one_line_and_is_read_back() {
        let errand = Errand {
            account: "ü@x.org".parse().unwrap(),
            task: Task::Finish(Finish::Activate { ticket: "a\nb".to_owned().into() }),
        };
        let line = write(&errand).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let Task::Finish(Finish::Activate { ticket }) = read::<Errand>(&line).unwrap().task else {
            panic!("another errand")
        };
        assert_eq!(&*ticket, "a\nb");
        assert!(!format!("{errand:?}").contains("a\\nb"), "a ticket must not be printed");
    }

    #[test]
    fn what_is_no_errand_is_not_read() {
        for line in [
            "",
            "null",
            "{}",
            r#"{"account":"alice"}"#,
            r#"{"account":"a\nb","task":{"look":"status"}}"#,
            r#"{"account":"../x","task":{"look":"status"}}"#,
            r#"{"account":"alice","task":{"look":"everything"}}"#,
            r#"{"account":"alice","task":{"look":"status"},"uid":0}"#,
            r#"{"account":"alice","task":{"change":{"change":"begin-recovery-codes"}}}x"#,
            r#"{"account":"alice","task":{"change":{"code":1,"change":"begin-recovery-codes"}}}"#,
        ] {
            assert!(read::<Errand>(line.as_bytes()).is_none(), "{line}");
        }
        let deep = "[".repeat(LONGEST_ERRAND - 1);
        assert!(read::<Errand>(deep.as_bytes()).is_none());
        let look = read::<Errand>(br#"{"account":"alice","task":{"look":"status"}}"#).unwrap();
        assert!(matches!(look.task, Task::Look(Look::Status)));
        let no_code = br#"{"account":"alice","task":{"change":{"change":{"revoke-browsers":null}}}}"#;
        let Task::Change { code: None, change: Change::RevokeBrowsers(None) } =
            read::<Errand>(no_code).unwrap().task
        else {
            panic!("another errand")
        };
    }
}
