//! `postern recovery`: a new set of recovery codes, shown once, and good once they are saved.

use super::setup;
use crate::arguments::{Arguments, Recovery};
use crate::context;
use crate::output::{Failure, Output};
use serde_json::json;
use shared::clock;
use shared::recovery::RecoveryCode;

pub(super) fn run(arguments: &Arguments, output: Output, what: &Recovery) -> Result<(), Failure> {
    let mut door = context::door(arguments, output)?;
    let user = &what.user;
    door.refuse_recovery_codes(user)?;
    let codes = RecoveryCode::random_set(&door.config().recovery)?;
    if output.is_json() {
        output.json(&json!({"account": user, "recovery_codes": setup::grouped(&codes)}))?;
    } else {
        setup::show_recovery_codes(output, &codes)?;
    }
    if !what.no_confirm {
        setup::wait_until_saved(output)?;
    }
    door.replace_recovery_codes(user, &codes, &context::actor(), clock::now()?)?;
    match (output.is_json(), what.no_confirm) {
        (true, true) => Ok(()),
        _ => output.done(format_args!("the new recovery codes of {user} are good; older ones open no more")),
    }
}
