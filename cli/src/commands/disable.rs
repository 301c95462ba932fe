//! `postern disable`: turns a second factor off, and says so in a table.

use crate::arguments::Arguments;
use crate::context;
use crate::output::{Failure, Output, Table};
use serde_json::json;
use shared::clock;
use shared::name::UserName;
use shared::words;

pub(super) fn run(arguments: &Arguments, output: Output, user: &UserName) -> Result<(), Failure> {
    let now = clock::now()?;
    let mut door = context::door(arguments, output)?;
    let result = door.disable(user, &context::actor(), now);
    let (success, message) = match &result {
        Ok(after) => {
            let more = words::app_passwords(*after).map_or_else(String::new, |more| format!("; {more}"));
            let message =
                format!("the second factor of {user} is off; its secret and recovery codes are gone{more}");
            (true, message)
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
    result.map(drop).map_err(|_| Failure::Said)
}
