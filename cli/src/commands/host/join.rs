//! `postern host join`: makes the key of this host, which never leaves it, and has a server issue a
//! certificate for it. It runs as root until all files are written.
//!
//! MUST NOT send the one-time code to a server that does not have the authority that it names.

use crate::arguments::host::JoinHost;
use crate::context::Invocation;
use crate::fleet::{PATIENCE, ask_standing};
use crate::terminal::output::{CommandFailure, CommandResult};
use crate::terminal::prompt;
use postern_shared::config::{FleetConfig, ServerUrl};
use postern_shared::credential::invitation::Invitation;
use postern_shared::crypto::fleet::authority::{HostKey, certificate_fingerprint};
use postern_shared::engine::privileges;
use postern_shared::protocol::fleet::connection::FleetConnection;
use postern_shared::protocol::fleet::files::{self, HostFiles, RENEWED};
use postern_shared::protocol::fleet::tls;
use postern_shared::protocol::fleet::{HostGreeting, HostRequest, HostStanding, ServerReply};
use postern_shared::protocol::{receive, send};
use postern_shared::store::sealed_file::{OFFLINE_STATE, OfflineFile};
use postern_shared::system::trusted_file::{self, Existing};
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// Longest file with a one-time code, in bytes.
const LONGEST: u64 = 4096;

/// What the server has issued.
struct IssuedFiles {
    name: String,
    certificate: String,
    authority: String,
}

pub(crate) fn join(run: Invocation<'_>, what: &JoinHost) -> CommandResult {
    let (user, group) = privileges::user_and_group()?;
    let group = group.as_raw();
    let fleet = match run.config_path.symlink_metadata() {
        Ok(_) => run.config()?.fleet,
        Err(_) => FleetConfig::default(),
    };
    let invitation = read_invitation(run, what.invitation_file.as_deref())?;
    let key = HostKey::generate()?;
    let issued = request_certificate(&what.servers, &invitation, &key)?;
    let replace = Existing::Replace;
    let (key_file, cert_file) = (fleet.key_file.path(), fleet.cert_file.path());
    // another group may not read the key, whatever the umask is
    trusted_file::write_atomically(
        key_file,
        key.to_pem().as_bytes(),
        0o640,
        Some(group),
        replace,
    )?;
    trusted_file::write_atomically(
        cert_file,
        issued.certificate.as_bytes(),
        0o644,
        None,
        replace,
    )?;
    trusted_file::write_atomically(
        fleet.ca_file.path(),
        issued.authority.as_bytes(),
        0o644,
        None,
        replace,
    )?;
    // posternd can write into this file, and can make none there
    trusted_file::write_atomically(Path::new(RENEWED), b"", 0o660, Some(group), replace)?;
    OfflineFile::at(Path::new(OFFLINE_STATE)).create(user)?;
    confirm(&fleet, &what.servers)?;
    let lines = configuration(&what.servers);
    let name = &issued.name;
    if run.config_path.symlink_metadata().is_err() {
        let text =
            format!("# This host of a fleet asks its servers: see postern.toml(5).\n{lines}");
        trusted_file::write_atomically(
            run.config_path,
            text.as_bytes(),
            0o644,
            None,
            Existing::Refuse,
        )?;
        run.config()?;
        return run.output.done(format_args!(
            "this host has joined as {name}; created {} and {}",
            key_file.display(),
            run.config_path.display()
        ));
    }
    if fleet.servers == what.servers {
        return run
            .output
            .done(format_args!("this host has joined as {name}"));
    }
    run.output.done(format_args!(
        "this host has joined as {name}; created {}; now set in {}, with postern edit:\n{lines}",
        key_file.display(),
        run.config_path.display()
    ))
}

fn configuration(servers: &[ServerUrl]) -> String {
    let mut lines = "[fleet]\nservers = [".to_owned();
    for (number, server) in servers.iter().enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        let _ = write!(lines, "{comma}\"{server}\"");
    }
    lines.push_str("]\n");
    lines
}

fn read_invitation(run: Invocation<'_>, file: Option<&Path>) -> CommandResult<Invitation> {
    let text = match file {
        None => prompt::ask_hidden(run.output, "One-time code of postern host invite: ")?,
        Some(path) => {
            let mut text = Zeroizing::new(String::new());
            let read = std::fs::File::open(path)
                .and_then(|file| file.take(LONGEST).read_to_string(&mut text));
            read.map_err(|error| CommandFailure::new(format_args!("{}: {error}", path.display())))?;
            text
        }
    };
    Invitation::parse(&text).ok_or(CommandFailure::new(
        "this is not a one-time code of postern host invite, which begins with PH-; nothing was changed",
    ))
}

/// Has the first server that answers issue a certificate.
fn request_certificate(
    servers: &[ServerUrl],
    invitation: &Invitation,
    key: &HostKey,
) -> CommandResult<IssuedFiles> {
    let mut last = String::new();
    for server in servers {
        let tls = tls::joining_config(invitation.authority).map_err(CommandFailure::new)?;
        let connection = match FleetConnection::connect(&server.authority(), tls, PATIENCE) {
            Ok(connection) => connection,
            Err(error) => {
                last = format!("{server}: {error}");
                continue;
            }
        };
        return request_over(&connection, invitation, key).map_err(|error| {
            CommandFailure::new(format_args!("{server}: {error}; nothing was changed"))
        });
    }
    Err(CommandFailure::new(format_args!(
        "no server of the fleet answers, or none has the authority that the one-time code names; the last was {last}; nothing was changed"
    )))
}

fn request_over(
    connection: &FleetConnection,
    invitation: &Invitation,
    key: &HostKey,
) -> Result<IssuedFiles, String> {
    connection
        .set_timeout(Some(PATIENCE))
        .map_err(|error| error.to_string())?;
    let greeting: HostGreeting = receive(&mut &*connection).map_err(|error| error.to_string())?;
    if greeting.standing != HostStanding::Unknown {
        return Err("the server cannot have a host join now; see its log".to_owned());
    }
    let request = HostRequest::Join {
        secret: Zeroizing::new(invitation.secret().to_vec()),
        public_key: key.public_key(),
    };
    send(&mut &*connection, &request).map_err(|error| error.to_string())?;
    match receive(&mut &*connection).map_err(|error| error.to_string())? {
        ServerReply::Joined {
            name,
            certificate,
            authority,
        } => {
            let authority = authority.into();
            if certificate_fingerprint(&authority) != invitation.authority {
                return Err("the server has sent another authority".to_owned());
            }
            Ok(IssuedFiles {
                name,
                certificate: files::to_pem(&certificate.into()),
                authority: files::to_pem(&authority),
            })
        }
        ServerReply::Refused(why) => Err(why),
        _ => Err("an unexpected reply (another version?)".to_owned()),
    }
}

/// Connects as posternd will, with the files that were written.
fn confirm(fleet: &FleetConfig, servers: &[ServerUrl]) -> CommandResult {
    let files = HostFiles::read(fleet, None)?;
    let tls = tls::host_config(files.identity, &files.authority).map_err(CommandFailure::new)?;
    let accepts = |server| ask_standing(server, tls.clone()) == Ok(HostStanding::Joined);
    match servers.iter().any(accepts) {
        true => Ok(()),
        false => Err(CommandFailure::new(
            "the files are written, but no server accepts this host with them; see the logs of the servers",
        )),
    }
}
