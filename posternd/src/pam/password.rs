//! The `password` hook, after a change of the user's password on this host. It ends what a new
//! password of Postern's ends.
//!
//! MUST NOT change the result of the stack: the password is changed already, and PAM_SUCCESS could
//! override a module that refused.

use super::conversation::{HookResult, PamServiceContext, parse_options};
use super::host::PamHost;
use super::log::LogFields;
use postern_shared::engine::{PamContext, Requester, messages};
use postern_shared::protocol::{Denial, Severity};
use postern_shared::store;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

/// What an administrator does where nothing was ended.
const REMEDY: &str = "end open sessions with postern session revoke USER --all and postern browser revoke USER --all";

/// Runs `password … pam_totp.so`, after the modules above it have changed the password.
pub(super) fn handle_changed_password(host: &dyn PamHost, words: &[String]) {
    match end_for_changed_password(host, words) {
        // no account can have such a name
        Ok(()) | Err(Denial::BadName) => {}
        Err(_) => report_not_ended(host),
    }
}

fn end_for_changed_password(host: &dyn PamHost, words: &[String]) -> HookResult<()> {
    let context = PamServiceContext::open(host, &parse_options(host, words)?)?;
    let conversation = context.identify_user()?;
    let actor = host.runs_as();
    let origin = match &context.origin {
        Origin::Unknown => Origin::Local(actor.clone()),
        known => known.clone(),
    };
    let operation = PamContext {
        requester: conversation.engine.requester_named(Requester::Root(&actor)),
        account: &conversation.user,
        origin: &origin,
        ..conversation.context(Phase::After)
    };
    match conversation.engine.end_for_changed_password(operation) {
        Ok(Some(messages)) => {
            conversation.log_result(Severity::Info, "revoked", "host-password");
            conversation.show_messages(&messages);
        }
        Ok(None) => {}
        Err(error) => {
            let why = format!("{}: {error}; {REMEDY}", store::log_cause(&*error));
            conversation.log_result(Severity::Error, "not revoked", &why);
            host.show_message(messages::NOT_SIGNED_OUT);
        }
    }
    Ok(())
}

/// Reports that nothing was ended: the configuration is invalid, or the user cannot be looked up.
/// The log line before this one names the reason.
fn report_not_ended(host: &dyn PamHost) {
    let fields = LogFields::of_host(host);
    fields.write(
        host,
        Severity::Error,
        "not revoked",
        "misconfigured",
        Some(&format_args!("a password was changed; {REMEDY}")),
    );
    host.show_message(messages::NOT_SIGNED_OUT);
}
