//! `postern enroll`: activates the first authenticator of an account and shows its recovery codes.

use super::setup;
use crate::arguments::{Arguments, Enroll};
use crate::backend::Backend;
use crate::check::AskedServices;
use crate::terminal::output::{CommandFailure, Output};
use postern_shared::protocol::command_request::AuthenticatorKind;

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    what: &Enroll,
) -> Result<(), CommandFailure> {
    let seed = setup::seed_of_file(&what.token)?;
    // only root, who is given up when the backend opens, sees what sshd does
    let asked = AskedServices::look_up(arguments);
    let mut backend = Backend::open(arguments, output, what.user.as_ref())?;
    setup::run(&mut backend, output, what, seed, AuthenticatorKind::First)?;
    match (output.is_json(), what.no_confirm) {
        (true, true) => Ok(()),
        _ => output.done(format_args!(
            "the second factor of {} is on; {}",
            backend.account(),
            asked.describe()
        )),
    }
}
