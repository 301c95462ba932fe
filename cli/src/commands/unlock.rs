//! `postern unlock`: removes the delays and locks of an account, and corrects the time-step floors
//! that a clock ahead of time left in the store.

use crate::arguments::UnlockArguments;
use crate::context::{self, Invocation};
use crate::terminal::output::CommandResult;
use postern_shared::engine::messages;
use postern_shared::system::clock;

pub(super) fn run(run: Invocation<'_>, what: &UnlockArguments) -> CommandResult {
    let now = clock::now()?;
    let (user, actor) = (&what.user, context::actor());
    let mut engine = run.engine()?;
    if !what.clock {
        engine.accounts().unlock_account(user, &actor, now)?;
        return run.output.done(messages::unlocked(user));
    }
    let unlocked = engine.accounts().lower_floors_to_clock(user, &actor, now)?;
    run.output
        .done(messages::clock_unlocked(user, unlocked, now))
}
