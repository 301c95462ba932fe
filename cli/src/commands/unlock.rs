//! `postern unlock`: lifts delays and locks, and mends what a clock that ran ahead left behind.

use crate::arguments::{Arguments, Unlock};
use crate::context;
use crate::output::{Failure, Output};
use shared::clock;

pub(super) fn run(arguments: &Arguments, output: Output, what: &Unlock) -> Result<(), Failure> {
    let now = clock::now()?;
    let (user, actor) = (&what.user, context::actor());
    let mut door = context::door(arguments, output)?;
    if !what.clock {
        door.unlock(user, &actor, now)?;
        return output.done(format_args!("delays and locks of {user} are lifted"));
    }
    match door.mend_clock(user, &actor, now)? {
        0 => output
            .done(format_args!("no used code of {user} lies ahead of the clock ({now}); nothing to mend")),
        _ => output.done(format_args!(
            "codes of {user} count again from the next one on; the clock says {now}, see that it stays right"
        )),
    }
}
