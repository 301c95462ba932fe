//! `postern one-time-code`: a way in for someone who has lost theirs, shown once.

use crate::arguments::{Arguments, OneTimeCode};
use crate::context;
use crate::output::{Failure, Output};
use serde_json::json;
use shared::clock;

pub(super) fn run(arguments: &Arguments, output: Output, what: &OneTimeCode) -> Result<(), Failure> {
    let (user, actor, now) = (&what.user, context::actor(), clock::now()?);
    let mut door = context::door(arguments, output)?;
    if what.cancel {
        door.cancel_one_time_code(user, &actor, now)?;
        return output.done(format_args!("the one-time code of {user} opens nothing any more"));
    }
    let (code, expires) = door.issue_one_time_code(user, &actor, now)?;
    let code = code.grouped();
    if output.is_json() {
        let expires = expires.to_string();
        return output.json(&json!({"account": user, "one_time_code": code.as_str(), "expires": expires}));
    }
    output.text(format_args!(
        "{}\nGood once, until {expires}, wherever {user} is asked for a code. It is not shown again.\n",
        code.as_str()
    ))
}
