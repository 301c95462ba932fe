//! `postern account`: accounts come and go.

use crate::arguments::Arguments;
use crate::context;
use crate::output::{Failure, Output};
use shared::clock;
use shared::name::UserName;

/// `postern account add USER`
pub(super) fn add(arguments: &Arguments, output: Output, user: &UserName) -> Result<(), Failure> {
    let now = clock::now()?;
    context::door(arguments, output)?.add_account(user, &context::actor(), now)?;
    output.done(format_args!("account {user} made; postern enroll {user} sets up its second factor"))
}
