//! What `postern migrate-store` does, by what it finds at both places.

use super::mark::{INCOMPLETE, MOVED, StoreState, TransferId};
use crate::config::StoreUrl;
use crate::store::{StoreError, StoreResult};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferPlan {
    /// Copy the store, and replace what an interrupted transfer or an earlier one left behind.
    Copy,
    /// Complete a transfer that was interrupted after the old store was marked.
    Finish(TransferId),
}

pub(super) fn decide(
    (from, source): (&StoreUrl, StoreState),
    (to, target): (&StoreUrl, StoreState),
) -> StoreResult<TransferPlan> {
    let occupied = |what: &str| Err(StoreError::NotEmpty(format!("{to} {what}")));
    match (source, target) {
        _ if from == to => occupied("is the place of this store"),
        (StoreState::Missing, _) => Err(StoreError::Engine(format!("there is no store at {from}"))),
        (StoreState::Incomplete(mark), _) => Err(mark.error(INCOMPLETE)),
        (StoreState::Moved(mark), StoreState::Incomplete(copy))
            if mark.id == copy.id && mark.url == *to =>
        {
            Ok(TransferPlan::Finish(mark.id))
        }
        (StoreState::Moved(mark), _) => Err(mark.error(MOVED)),
        (StoreState::InForce, StoreState::Missing) => Ok(TransferPlan::Copy),
        // the copy of another store may be the only one that is left of it
        (StoreState::InForce, StoreState::Incomplete(copy)) if copy.url == *from => {
            Ok(TransferPlan::Copy)
        }
        (StoreState::InForce, StoreState::Incomplete(copy)) => {
            occupied(&format!("holds an incomplete copy of {}", copy.url))
        }
        // a file is kept under another name
        (StoreState::InForce, StoreState::Moved(_)) if to.sqlite_path().is_some() => {
            Ok(TransferPlan::Copy)
        }
        (StoreState::InForce, StoreState::Moved(mark)) => occupied(&format!(
            "holds a store that was moved to {}; make a new database, or drop this one and make it again",
            mark.url
        )),
        (StoreState::InForce, StoreState::InForce) => occupied("holds a store"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::mark::TransferMark;
    use super::*;
    use crate::system::clock::Timestamp;

    fn url(text: &str) -> StoreUrl {
        StoreUrl::try_from(text.to_owned()).unwrap()
    }

    fn mark(id: u8, other: &str) -> TransferMark {
        TransferMark {
            id: TransferId([id; 16]),
            url: url(other),
            at: Timestamp(1),
        }
    }

    const FILE: &str = "sqlite:/a/db";
    const SERVER: &str = "postgres://a@b/c";
    const OTHER: &str = "postgres://a@b/d";

    fn decided(source: StoreState, target: StoreState) -> Result<TransferPlan, String> {
        decide((&url(FILE), source), (&url(SERVER), target)).map_err(|error| error.to_string())
    }

    #[test]
    fn only_an_empty_place_or_the_rest_of_the_same_transfer_is_filled() {
        let (force, missing) = (StoreState::InForce, StoreState::Missing);
        let copy = |id, from| StoreState::Incomplete(mark(id, from));
        let moved = |id, to| StoreState::Moved(mark(id, to));
        let is_copied = |target| decided(force.clone(), target) == Ok(TransferPlan::Copy);
        assert!(is_copied(missing.clone()));
        assert!(is_copied(copy(1, FILE)));
        assert!(!is_copied(copy(1, "sqlite:/other/db")));
        assert!(!is_copied(force.clone()));
        assert!(!is_copied(moved(1, OTHER)));
        assert_eq!(
            decided(moved(1, SERVER), copy(1, FILE)),
            Ok(TransferPlan::Finish(TransferId([1; 16])))
        );
        for target in [copy(2, FILE), missing.clone(), force.clone()] {
            let refused = decided(moved(1, SERVER), target).unwrap_err();
            assert!(
                refused.contains("was moved to postgres://a@b/c"),
                "{refused}"
            );
        }
        assert!(decided(moved(1, OTHER), copy(1, FILE)).is_err());
        assert!(decided(copy(1, SERVER), missing.clone()).is_err());
        assert!(decided(missing, force).is_err());
    }

    #[test]
    fn a_file_that_was_moved_before_takes_the_store_back() {
        let back = |target| {
            let (from, to) = (url(SERVER), url(FILE));
            decide((&from, StoreState::InForce), (&to, target))
        };
        let moved = StoreState::Moved(mark(1, SERVER));
        assert_eq!(back(moved).unwrap(), TransferPlan::Copy);
        assert!(back(StoreState::InForce).is_err());
    }

    #[test]
    fn a_store_is_not_moved_to_its_own_place() {
        let place = url(FILE);
        for target in [StoreState::InForce, StoreState::Missing] {
            let decided = decide((&place, StoreState::InForce), (&place, target));
            assert!(matches!(decided, Err(StoreError::NotEmpty(_))));
        }
    }
}
