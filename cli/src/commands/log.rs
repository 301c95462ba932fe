//! `postern log`: what happened, oldest first.

use crate::arguments::{Arguments, Log};
use crate::context;
use crate::output::{Failure, Output};
use serde_json::json;
use shared::event::Event;
use std::thread::sleep;
use std::time::Duration;

/// How often `--follow` looks.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) fn run(arguments: &Arguments, output: Output, what: &Log) -> Result<(), Failure> {
    let mut door = context::door(arguments, output)?;
    let mut last = 0;
    loop {
        for (number, event) in door.events(what.user.as_ref(), last, what.lines)? {
            print(output, &event)?;
            last = number;
        }
        if !what.follow {
            return Ok(());
        }
        sleep(INTERVAL);
    }
}

fn print(output: Output, event: &Event) -> Result<(), Failure> {
    let Event { at, account, what, door, origin, detail } = event;
    if output.is_json() {
        return output.json(&json!({
            "at": at.to_string(),
            "account": account,
            "event": what,
            "door": door,
            "origin": origin,
            "detail": detail,
        }));
    }
    let line = format!("{at}  {:14} {account}  {door}  {origin}  {detail}", what.name());
    output.text(format_args!("{}\n", line.trim_end()))
}
