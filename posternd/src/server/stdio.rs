//! `posternd --stdio` runs one conversation with the PAM module that started it, at its standard
//! input, where no daemon listens. It starts as root, reads what only root can read, and runs the
//! conversation as user `posternd`.
//!
//! MUST drop root before it opens key or store, and before it reads anything of the module's.

use super::relayed_hook::{self, PATIENCE, greet};
use crate::fleet::{FleetServers, RelayedModule, relay, relay_here};
use crate::pam::hooks::{EngineAccess, LogFields};
use crate::pam::remote_host::RemoteHost;
use crate::workers::engines::Engines;
use crate::workers::origin::ClientOrigin;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::getresuid;
use postern_shared::config::file::{self, ConfigError, CurrentConfig};
use postern_shared::engine::privileges::{PrivilegesError, drop_root};
use postern_shared::protocol::{
    DecodeError, Denial, Frame, FrameError, GreetingState, Instruction, Opening, PamFunctionResult,
    Severity, receive, send,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::name_service::NameService;
use postern_shared::system::process::HostProcess;
use std::fmt;
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

pub fn serve(config: &Path) -> Result<(), StdioError> {
    let stream = accept_root_stream()?;
    // The module made both ends of the socket, so the peer is the host process. Root sees it also
    // where /proc hides it.
    let peer = getsockopt(&stream, PeerCredentials).map_err(io::Error::from)?;
    let process = HostProcess::find(peer.pid());
    // root saves a copy of the configuration in force, as root's commands do
    let mut configuration = file::load_config(config);
    let in_force = configuration.as_mut().ok();
    let unprivileged = drop_root(in_force.map(|in_force| &mut in_force.config));
    stream.set_read_timeout(Some(PATIENCE))?;
    greet(&stream, GreetingState::Ready)?;
    match unprivileged {
        Ok(()) => converse(&Arc::new(stream), process, configuration),
        Err(error) => {
            deny_before_request(&stream, &error)?;
            Err(error.into())
        }
    }
}

/// Denies access without evaluating the opening.
fn deny_before_request(mut stream: &UnixStream, error: &PrivilegesError) -> Result<(), FrameError> {
    let fields = LogFields::unknown();
    let line = fields.format_line(
        "refused",
        "unavailable",
        Some(&format_args!("posternd --stdio: {error}")),
    );
    let severity = Severity::Error;
    let denied = PamFunctionResult::Denied(Denial::Unavailable);
    send(&mut stream, &Instruction::Log { severity, line })?;
    send(&mut stream, &Instruction::End(denied))?;
    // the opening must be received before the module reads the result
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream.take(Opening::LIMIT as u64), &mut io::sink())?;
    Ok(())
}

/// Returns standard input, if it is a socket of root's and root started this process: no other use
/// is served.
fn accept_root_stream() -> Result<UnixStream, StdioError> {
    let ids = getresuid().map_err(io::Error::from)?;
    if ![ids.real, ids.effective, ids.saved]
        .iter()
        .all(|id| id.is_root())
    {
        return Err(StdioError::NotRoot);
    }
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    match getsockopt(&stream, PeerCredentials) {
        Ok(peer) if peer.uid() == 0 => Ok(stream),
        Ok(_) | Err(_) => Err(StdioError::NotRoot),
    }
}

fn converse(
    stream: &Arc<UnixStream>,
    process: HostProcess,
    configuration: Result<CurrentConfig, ConfigError>,
) -> Result<(), StdioError> {
    let Opening::Host {
        transaction, id, ..
    } = receive(&mut stream.as_ref())?
    else {
        return Err(FrameError::from(DecodeError("kind")).into());
    };
    let fleet = configuration.as_ref().ok().map(|read| &read.config.fleet);
    if let Some(fleet) = fleet.filter(|fleet| relay_here(fleet, &transaction)) {
        let servers = FleetServers::default();
        let module = RelayedModule {
            stream,
            id,
            user_log: None,
        };
        relay(module, *transaction, fleet, &servers)?;
        // no daemon may be there to do it
        servers.synchronize(fleet);
        return Ok(());
    }
    let options = transaction.options.clone();
    // the only conversation waits behind no other
    let _entered =
        NameService::default().attach_thread(AdmissionClass::Authenticated, String::new());
    let worker = Engines::new().worker(
        ClientOrigin::Service(Vec::new()),
        AdmissionClass::Authenticated,
    );
    let process = process.in_transaction(id);
    let access = EngineAccess::Worker(worker);
    let host = RemoteHost::new(stream.as_ref(), *transaction, process, access)
        .with_configuration(configuration);
    relayed_hook::run(stream, host, &options, |host| {
        let detail = "internal error of posternd --stdio; please report it";
        LogFields::of_host(host).write(host, Severity::Error, "refused", "panic", Some(&detail));
    })?;
    Ok(())
}

/// Why there was no conversation, or no result.
#[derive(Debug)]
pub enum StdioError {
    /// This process was not started by root, or not by the module.
    NotRoot,
    /// Root was not dropped.
    Privileges(PrivilegesError),
    /// The module has gone, or has sent an invalid frame.
    Stream(FrameError),
}

impl From<PrivilegesError> for StdioError {
    fn from(error: PrivilegesError) -> StdioError {
        StdioError::Privileges(error)
    }
}

impl From<FrameError> for StdioError {
    fn from(error: FrameError) -> StdioError {
        StdioError::Stream(error)
    }
}

impl From<io::Error> for StdioError {
    fn from(error: io::Error) -> StdioError {
        StdioError::Stream(error.into())
    }
}

impl fmt::Display for StdioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StdioError::NotRoot => {
                f.write_str("--stdio is for pam_totp.so, which starts it as root")
            }
            StdioError::Privileges(error) => error.fmt(f),
            StdioError::Stream(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StdioError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StdioError::NotRoot => None,
            StdioError::Privileges(error) => Some(error),
            StdioError::Stream(error) => Some(error),
        }
    }
}
