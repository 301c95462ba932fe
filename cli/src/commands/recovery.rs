//! `postern recovery`: shows a new set of recovery codes once; when they are saved, the old ones end.

use super::enroll::{show_recovery_codes, wait_until_saved};
use crate::arguments::Arguments;
use crate::context;
use crate::output::{Failure, Output};
use serde_json::json;
use shared::clock;
use shared::name::UserName;
use shared::recovery::RecoveryCode;

pub(super) fn run(arguments: &Arguments, output: Output, user: &UserName) -> Result<(), Failure> {
    let mut door = context::door(arguments, output)?;
    door.refuse_without_second_factor(user)?;
    let codes = RecoveryCode::random_set(&door.config().recovery)?;
    if output.is_json() {
        door.replace_recovery_codes(user, &codes, &context::actor(), clock::now()?)?;
        let codes: Vec<_> = codes.iter().map(|code| code.grouped().to_string()).collect();
        return output.json(&json!({"account": user, "recovery_codes": codes}));
    }
    show_recovery_codes(output, &codes)?;
    wait_until_saved(output)?;
    door.replace_recovery_codes(user, &codes, &context::actor(), clock::now()?)?;
    output.done(format_args!("these are the recovery codes of {user} from now on; older ones open nothing"))
}
