//! Assertions that show what they compared when they fail.

use std::time::{Duration, Instant};

/// Panics unless the text contains the part.
#[track_caller]
pub fn assert_contains(text: impl AsRef<str>, part: impl AsRef<str>) {
    let (text, part) = (text.as_ref(), part.as_ref());
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}

/// Panics unless the time since `began` is below the limit.
#[track_caller]
pub fn assert_within(began: Instant, limit: Duration) {
    let elapsed = began.elapsed();
    assert!(elapsed < limit, "{elapsed:?}");
}

/// Panics if the text contains the part.
#[track_caller]
pub fn assert_lacks(text: impl AsRef<str>, part: impl AsRef<str>) {
    let (text, part) = (text.as_ref(), part.as_ref());
    assert!(!text.contains(part), "{part:?} is in:\n{text}");
}
