//! Encoding of the commands' requests and replies: JSON inside one frame of [`crate::protocol`],
//! which limits the size of both.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Bytes that are allocated for a message. A longer message may remain in memory in part after it
/// is wiped.
const ROOM: usize = 16 * 1024;

/// Encodes a message, which is wiped when dropped.
pub fn encode(message: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *bytes, message).ok()?;
    Some(bytes)
}

/// Decodes a message; `None` if the bytes are none.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::command_request::{
        ChangeOperation, CommandRequest, FinishOperation, Operation, ReadOperation,
    };

    #[test]
    fn a_request_is_decoded_again_and_not_printed() {
        let request = CommandRequest {
            account: "ü@x.org".parse().unwrap(),
            operation: Operation::Finish(FinishOperation::Activate {
                token: "a\nb".to_owned().into(),
            }),
        };
        let Operation::Finish(FinishOperation::Activate { token }) =
            decode::<CommandRequest>(&encode(&request).unwrap())
                .unwrap()
                .operation
        else {
            panic!("another request")
        };
        assert_eq!(&*token, "a\nb");
        assert!(
            !format!("{request:?}").contains("a\\nb"),
            "a token must not be printed"
        );
    }

    #[test]
    fn malformed_requests_are_refused() {
        for line in [
            "",
            "null",
            "{}",
            r#"{"account":"alice"}"#,
            r#"{"account":"a\nb","task":{"look":"status"}}"#,
            r#"{"account":"../x","task":{"look":"status"}}"#,
            r#"{"account":"alice","task":{"look":"everything"}}"#,
            r#"{"account":"alice","task":{"look":"status"},"uid":0}"#,
            r#"{"account":"alice","task":{"judge":{"service":"x","origin":"unknown","stage":"after","question":"need"}}}"#,
            r#"{"account":"alice","task":{"change":{"change":"begin-recovery-codes"}}}x"#,
            r#"{"account":"alice","task":{"change":{"code":1,"change":"begin-recovery-codes"}}}"#,
        ] {
            assert!(
                decode::<CommandRequest>(line.as_bytes()).is_none(),
                "{line}"
            );
        }
        let deep = "[".repeat(ROOM - 1);
        assert!(decode::<CommandRequest>(deep.as_bytes()).is_none());
        let look =
            decode::<CommandRequest>(br#"{"account":"alice","task":{"look":"status"}}"#).unwrap();
        assert!(matches!(
            look.operation,
            Operation::Read(ReadOperation::Status)
        ));
        let no_code =
            br#"{"account":"alice","task":{"change":{"change":{"revoke-browsers":null}}}}"#;
        let Operation::Change {
            code: None,
            change: ChangeOperation::RevokeBrowsers(None),
        } = decode::<CommandRequest>(no_code).unwrap().operation
        else {
            panic!("another request")
        };
    }
}
