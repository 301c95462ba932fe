//! `postern enroll`: the first authenticator of an account, with recovery codes.

use super::setup;
use crate::arguments::{Arguments, Enroll};
use crate::context;
use crate::output::{Failure, Output};
use shared::enrolment::Pending;

pub(super) fn run(arguments: &Arguments, output: Output, what: &Enroll) -> Result<(), Failure> {
    let mut door = context::door(arguments, output)?;
    let pending = Pending::new(door.config(), &what.user)?;
    setup::run(&mut door, output, what, pending)?;
    match (output.is_json(), what.no_confirm) {
        (true, true) => Ok(()),
        _ => output.done(format_args!("the second factor of {} is on, at every door", what.user)),
    }
}
