//! Header fields that may occur once.

use hyper::HeaderMap;
use hyper::header::{AsHeaderName, HeaderValue};

/// A header field occurs several times. Another parser may take another one of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RepeatedField;

/// Returns the only value of a header field, `None` if there is none.
///
/// A check looks up six fields. Where no field at all is repeated, which the map knows without a
/// search, one look-up is enough.
pub(crate) fn single_value(
    headers: &HeaderMap,
    name: impl AsHeaderName + Copy,
) -> Result<Option<&HeaderValue>, RepeatedField> {
    match is_repeated(headers, name) {
        true => Err(RepeatedField),
        false => Ok(headers.get(name)),
    }
}

/// Whether a header field occurs several times.
pub(crate) fn is_repeated(headers: &HeaderMap, name: impl AsHeaderName) -> bool {
    let has_repeated = headers.len() != headers.keys_len();
    has_repeated && headers.get_all(name).iter().nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::original_request::headers;

    #[test]
    fn one_value_is_returned_and_two_are_refused() {
        let once = headers(&[("host", "a"), ("x-real-ip", "192.0.2.7")]);
        let twice = headers(&[("host", "a"), ("x-real-ip", "b"), ("x-real-ip", "c")]);
        let value = |headers, name| {
            let value = single_value(headers, name)?;
            Ok(value.map(|value| value.to_str().unwrap().to_owned()))
        };
        assert_eq!(value(&once, "x-real-ip"), Ok(Some("192.0.2.7".to_owned())));
        assert_eq!(value(&once, "cookie"), Ok(None));
        assert_eq!(value(&twice, "host"), Ok(Some("a".to_owned())));
        assert_eq!(value(&twice, "x-real-ip"), Err(RepeatedField));
        assert_eq!(value(&twice, "cookie"), Ok(None));
    }
}
