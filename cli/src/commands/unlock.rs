//! `postern unlock`: removes the delays and locks of an account, and corrects the time-step floors
//! that a clock ahead of time left in the store.

use crate::arguments::{Arguments, UnlockArguments};
use crate::context;
use crate::terminal::output::{CommandFailure, Output};
use postern_shared::engine::messages;
use postern_shared::system::clock;

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    what: &UnlockArguments,
) -> Result<(), CommandFailure> {
    let now = clock::now()?;
    let (user, actor) = (&what.user, context::actor());
    let mut door = context::door(arguments, output)?;
    if !what.clock {
        door.accounts().unlock_account(user, &actor, now)?;
        return output.done(messages::unlocked(user));
    }
    let unlocked = door.accounts().lower_floors_to_clock(user, &actor, now)?;
    output.done(messages::clock_unlocked(user, unlocked, now))
}
