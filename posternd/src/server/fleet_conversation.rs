//! One PAM conversation that a host of a fleet relays.
//!
//! MUST send a result also where the hook panics.

use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::drain::CONNECTIONS;
use crate::pam::hooks::{self, EngineAccess, FleetHost, User};
use crate::pam::remote_host::RemoteHost;
use crate::server::host_activity::SeenConnection;
use crate::server::peer::class_of;
use crate::workers::engines::Engines;
use crate::workers::origin::ClientOrigin;
use postern_shared::account::host::JoinedHost;
use postern_shared::account::name::UserName;
use postern_shared::engine::set_wait_callback;
use postern_shared::protocol::fleet::connection::FleetConnection;
use postern_shared::protocol::fleet::{LookedUpUser, RelayedConversation};
use postern_shared::protocol::{
    DecodeError, Denial, FrameError, Instruction, PamFunctionResult, PamTransaction, send,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::process::{HostProcess, UnidentifiedProcess};
use std::net::Shutdown;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

/// Who serves a conversation, and for which host.
pub(super) struct Served<'a> {
    pub(super) config: &'a Path,
    pub(super) engines: &'a Arc<Engines>,
    pub(super) host: &'a JoinedHost,
}

/// Runs a conversation to its end.
pub(super) fn run(
    connection: &Arc<FleetConnection>,
    relayed: RelayedConversation,
    served: &Served<'_>,
    seen: &SeenConnection<'_>,
) -> Result<(), FrameError> {
    let RelayedConversation {
        transaction,
        id,
        facts,
        is_users,
        ..
    } = relayed;
    let owner = match is_users {
        true => Some(owner_of(&transaction, &facts.real_user)?),
        false => None,
    };
    let socket = connection.socket()?;
    let _open = CONNECTIONS.enter_with(move || drop(socket.shutdown(Shutdown::Read)));
    // a user may take any time at a prompt; a host that is gone is noticed by TCP's keepalive
    connection.set_timeout(None)?;
    let number = served.host.number;
    let (origin, class) = match is_users {
        // as on pam.sock: the users of a host never make a PAM host of its root's wait
        true => (ClientOrigin::HostUsers(number), AdmissionClass::Familiar),
        false => (
            ClientOrigin::Host(Some(number)),
            CONFIGURATION.with_pam_config(|pam| class_of(&transaction, pam)),
        ),
    };
    let worker = served.engines.worker(origin, class);
    let fleet_host = Arc::new(FleetHost {
        host: served.host.clone(),
        user: named_user(&transaction, &facts.user),
        groups: facts.groups.clone(),
        owner,
    });
    // what the processes of another machine are called says nothing here
    let process = HostProcess::unidentified(UnidentifiedProcess::OtherNamespace).in_transaction(id);
    let hook = transaction.hook;
    let mut options = transaction.options.clone();
    let names_file = options.iter().any(|option| option.starts_with("config="));
    options.insert(0, format!("config={}", served.config.display()));
    let access = EngineAccess::Host(worker, fleet_host);
    let host = RemoteHost::new(connection.as_ref(), transaction, process, access).with_facts(facts);
    if names_file {
        let denied = hooks::refuse_config(&host, hook);
        seen.count(hook, denied);
        return host.end(denied);
    }
    let waiting = Arc::clone(connection);
    let _waiting = set_wait_callback(move || {
        // a host that has gone is noticed at the next instruction
        let _ = send(&mut waiting.as_ref(), &Instruction::StillWorking);
    });
    let ran = panic::catch_unwind(AssertUnwindSafe(|| hooks::run_hook(hook, &host, &options)));
    let result = ran.unwrap_or(PamFunctionResult::Denied(Denial::Unavailable));
    seen.count(hook, result);
    host.end(result)
}

/// Returns the user whose own process the PAM host is.
fn owner_of(transaction: &PamTransaction, found: &LookedUpUser) -> Result<User, FrameError> {
    let LookedUpUser::Found(name) = found else {
        return Err(DecodeError("process").into());
    };
    let name = UserName::parse(name).map_err(|_| DecodeError("process"))?;
    Ok(User {
        uid: transaction.real_uid,
        name,
        is_service: false,
    })
}

/// Returns the user whose groups the host states.
fn named_user(transaction: &PamTransaction, found: &LookedUpUser) -> Option<UserName> {
    let name = match found {
        LookedUpUser::Found(name) => name,
        LookedUpUser::Absent => transaction.user.as_ref()?,
        LookedUpUser::Failed => return None,
    };
    UserName::parse(name).ok()
}
