//! Repetition of an act whose transaction the database rolled back in favour of another one.
//!
//! # Why an act may be repeated
//!
//! What is repeated here is one transaction, from its beginning to its commit, and the decision in it.
//! [`StoreError::Conflict`] says that the database rolled it back: nothing of it was written, nothing
//! was granted or told to anyone, and nothing outside the store was done, so that the repetition is
//! the first one that counts. It reads the store again, and decides by what the other transaction has
//! committed: a code that was consumed there is refused as used.
//!
//! MUST NOT repeat anything where a commit may have happened: a lost connection, a limit that was
//! exceeded, a lock that was waited for in vain. And MUST NOT hold more than one transaction in an
//! act: what follows a commit is done once, outside.

use crate::store::StoreError;
use std::error::Error;

/// How often an act is begun. Each repetition follows a transaction of another host that was
/// committed, so that a crowd goes on; an act that loses this often is denied.
const ATTEMPTS: u32 = 8;

/// Runs an act of one transaction, and again after a conflict.
pub(in crate::engine) fn repeat_after_conflict<T, E: Error + 'static>(
    mut act: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    for _ in 1..ATTEMPTS {
        match act() {
            Err(error) if is_conflict(&error) => {}
            result => return result,
        }
    }
    act()
}

fn is_conflict(error: &(dyn Error + 'static)) -> bool {
    let mut chain = std::iter::successors(Some(error), |error| (**error).source());
    chain.any(|error| matches!(error.downcast_ref(), Some(StoreError::Conflict)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineError;

    fn begun(result: fn() -> Result<(), EngineError>, conflicts: u32) -> (bool, u32) {
        let mut begun = 0;
        let ended = repeat_after_conflict(|| {
            begun += 1;
            match begun <= conflicts {
                true => Err(StoreError::Conflict.into()),
                false => result(),
            }
        });
        (ended.is_ok(), begun)
    }

    #[test]
    fn a_conflict_is_repeated_a_few_times_and_nothing_else_is() {
        assert_eq!(begun(|| Ok(()), 0), (true, 1));
        assert_eq!(begun(|| Ok(()), 3), (true, 4));
        assert_eq!(begun(|| Ok(()), u32::MAX), (false, ATTEMPTS));
        assert_eq!(begun(|| Err(StoreError::Busy.into()), 0), (false, 1));
        let lost = || Err(StoreError::Engine("connection closed".to_owned()).into());
        assert_eq!(begun(lost, 1), (false, 2));
    }
}
