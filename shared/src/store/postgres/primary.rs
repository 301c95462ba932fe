//! Proof that a server is still the primary.
//!
//! A primary that is cut off while its standby is promoted can be read, and nothing in what it says
//! shows that accounts were enrolled, or sessions revoked, at the new one meanwhile. But it commits
//! nothing: its synchronous standby, without which a commit is not acknowledged, is gone. So a
//! transaction begins only where a commit was acknowledged shortly before.
//!
//! MUST NOT count what is no commit: the answer to a read, or a commit of a transaction that has
//! changed nothing, which waits for no standby.

use super::WRITING;
use super::connection::ServerConnection;
use crate::store::StoreResult;
use crate::system::clock;
use std::cell::Cell;
use std::time::Duration;

/// For how long a commit proves that the server is the primary.
const PROVEN: Duration = Duration::from_secs(1);
/// A commit that changes nothing. Where the server waits for no standby it is none, and costs
/// nothing: then nothing is proven by it either.
const COMMIT: &str = "BEGIN; SELECT CASE WHEN current_setting('synchronous_standby_names') <> '' \
    THEN pg_logical_emit_message(true, 'postern', '') END; COMMIT";

/// When the last transaction began, since boot, whose commit the server of a connection has
/// acknowledged.
#[derive(Default)]
pub(super) struct LastCommit(Cell<Option<Duration>>);

impl LastCommit {
    /// Notes that the commit of a transaction with changes was acknowledged.
    pub(super) fn note(&self, began: Duration) {
        self.0.set(Some(began));
    }

    fn proves_primary(&self) -> bool {
        let age = self
            .0
            .get()
            .map(|at| clock::since_boot().saturating_sub(at));
        age.is_some_and(|age| age < PROVEN)
    }
}

/// Has the server commit, unless it did so less than a second ago.
///
/// # Errors
/// The server acknowledges no commit within the time limit: its standby is gone, or is the primary.
pub(super) fn prove_primary(connection: &ServerConnection) -> StoreResult<()> {
    if !connection.last_commit.proves_primary() {
        let began = clock::since_boot();
        connection.run(COMMIT, WRITING)?;
        connection.last_commit.note(began);
    }
    Ok(())
}
