//! The commands, one file each.

mod account;
mod app_password;
mod authenticator;
mod backup;
mod browser;
mod check;
mod disable;
mod edit;
mod email;
mod host;
mod import;
mod init;
mod key;
mod log;
mod migrate_store;
mod one_time_code;
mod password;
pub(crate) mod print_config;
mod recovery;
mod remote_gate;
mod restore;
mod session;
mod setup;
pub(crate) mod status;
mod unlock;
mod upgrade;
mod verify;

use crate::arguments::app_password::AppPasswordArguments;
use crate::arguments::host::HostArguments;
use crate::arguments::{
    AccountArguments, Arguments, AuthenticatorArguments, BrowserArguments, Command, EmailArguments,
    KeyArguments, List,
};
use crate::backend;
use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use postern_shared::protocol::command_request::AuthenticatorKind;

/// Runs the command of the command line.
pub(crate) fn run(arguments: &Arguments, output: Output) -> CommandResult {
    if let Some(url) = &arguments.afar.gate {
        return remote_gate::run(arguments, output, url);
    }
    if !backend::is_root() && !arguments.command.is_for_everyone() {
        return Err(CommandFailure::new("only root may do this; try sudo"));
    }
    let run = Invocation {
        config_path: &arguments.config,
        output,
    };
    match &arguments.command {
        Command::Init => init::run(run),
        Command::Enroll(what) => setup::enroll(run, what, AuthenticatorKind::First),
        Command::Verify(what) => verify::run(run, &what.user),
        Command::Status(what) if what.metrics => status::metrics::show_metrics(run),
        Command::Status(what) if what.hosts => host::show_status(run),
        Command::Status(what) => status::run(run, what.user.as_ref()),
        Command::Disable(what) => disable::run(run, &what.user),
        Command::Recovery(what) => recovery::run(run, what),
        Command::OneTimeCode(what) => one_time_code::run(run, what),
        Command::Authenticator(AuthenticatorArguments::Add(what)) => {
            setup::enroll(run, what, AuthenticatorKind::Further)
        }
        Command::Authenticator(AuthenticatorArguments::List(what)) => {
            authenticator::list(run, what.user.as_ref())
        }
        Command::Authenticator(AuthenticatorArguments::Rename(what)) => {
            authenticator::rename(run, what)
        }
        Command::Authenticator(AuthenticatorArguments::Remove(what)) => {
            authenticator::remove(run, what)
        }
        Command::Email(EmailArguments::Set(what)) => email::set(run, what),
        Command::Email(EmailArguments::Confirm(what)) => email::confirm(run, &what.user),
        Command::Email(EmailArguments::Remove(what)) => email::remove(run, &what.user),
        Command::Unlock(what) => unlock::run(run, what),
        Command::Account(AccountArguments::Add(what)) => account::add(run, what),
        Command::Account(AccountArguments::Remove(what)) => account::remove(run, &what.user),
        Command::Account(AccountArguments::Rename(what)) => account::rename(run, what),
        Command::Account(AccountArguments::Group(what)) => account::group(run, what),
        Command::Password(what) => password::run(run, &what.user),
        Command::AppPassword(AppPasswordArguments::Add(what)) => app_password::add(run, what),
        Command::AppPassword(AppPasswordArguments::List(what)) => {
            app_password::list(run, what.user.as_ref())
        }
        Command::AppPassword(AppPasswordArguments::Rename(what)) => app_password::rename(run, what),
        Command::AppPassword(AppPasswordArguments::Revoke(what)) => app_password::revoke(run, what),
        Command::Browser(BrowserArguments::List(what)) => browser::list(run, what.user.as_ref()),
        Command::Browser(BrowserArguments::Revoke(what)) => browser::revoke(run, what),
        Command::Session(List::List(what)) => session::list(run, &what.user),
        Command::Session(List::Revoke(what)) => session::revoke(run, what),
        Command::Import(what) => import::run(run, what),
        Command::PrintConfig(what) => print_config::run(run, what),
        Command::Key(KeyArguments::Rotate(what)) => key::rotate(run, what),
        Command::Host(HostArguments::Invite(what)) => host::invite(run, what),
        Command::Host(HostArguments::BreakGlass(what)) => host::break_glass(run, what),
        Command::Host(HostArguments::Join(what)) => host::join(run, what),
        Command::Host(HostArguments::List) => host::list(run),
        Command::Host(HostArguments::Revoke(what)) => host::revoke(run, what),
        Command::Log(what) => log::run(run, what),
        Command::Upgrade => upgrade::run(run),
        Command::Backup(what) => backup::run(run, what),
        Command::Restore(what) => restore::run(run, what),
        Command::MigrateStore(what) => migrate_store::run(run, what),
        Command::Edit => edit::run(run),
        Command::Check(what) => check::run(run, what),
    }
}
