//! `postern disable`: turns a second factor off, and says so in a table.

use crate::arguments::Arguments;
use crate::context;
use crate::output::{Failure, Output, Table};
use serde_json::json;
use shared::clock;
use shared::name::UserName;

pub(super) fn run(arguments: &Arguments, output: Output, user: &UserName) -> Result<(), Failure> {
    let now = clock::now()?;
    let mut door = context::door(arguments, output)?;
    let result = door.disable(user, context::actor().as_str(), now);
    let (success, message) = match &result {
        Ok(()) => {
            let off = format!("the second factor of {user} is off; its secret and recovery codes are gone");
            (true, if door.is_required(user)? { format!("{off}; {}", required(user)) } else { off })
        }
        Err(error) => (false, error.to_string()),
    };
    if output.is_json() {
        output.json(&json!({"success": success, "message": message}))?;
    } else {
        let mut table = Table::new(["success", "message"]);
        table.row([success.to_string(), message]);
        output.text(table)?;
    }
    result.map_err(|_| Failure::Said)
}

fn required(user: &UserName) -> String {
    format!("the policy requires one: postern one-time-code {user} lets them set up the next")
}
