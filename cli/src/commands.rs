//! The commands, one file each.

mod account;
mod app_password;
mod authenticator;
mod browser;
mod check;
pub(crate) mod disable;
mod edit;
mod email;
mod enroll;
mod import;
mod init;
mod key;
mod log;
pub(crate) mod one_time_code;
mod password;
mod print_config;
mod recovery;
mod session;
mod setup;
pub(crate) mod status;
mod unlock;
mod upgrade;
mod verify;

use crate::arguments::app_password::AppPasswordArguments;
use crate::arguments::{
    AccountArguments, Arguments, AuthenticatorArguments, BrowserArguments, Command, EmailArguments,
    KeyArguments, List,
};
use crate::terminal::output::{CommandFailure, Output};
use crate::{backend, remote_gate};

/// Runs the command of the command line.
pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), CommandFailure> {
    let output = *output;
    if let Some(url) = &arguments.afar.gate {
        return remote_gate::run(arguments, output, url);
    }
    if !backend::is_root() && !arguments.command.is_for_everyone() {
        return Err(CommandFailure::new("only root may do this; try sudo"));
    }
    match &arguments.command {
        Command::Init => init::run(arguments, output),
        Command::Enroll(what) => enroll::run(arguments, output, what),
        Command::Verify(what) => verify::run(arguments, output, &what.user),
        Command::Status(what) => status::run(arguments, output, what.user.as_ref()),
        Command::Disable(what) => disable::run(arguments, output, &what.user),
        Command::Recovery(what) => recovery::run(arguments, output, what),
        Command::OneTimeCode(what) => one_time_code::run(arguments, output, what),
        Command::Authenticator(AuthenticatorArguments::Add(what)) => {
            authenticator::add(arguments, output, what)
        }
        Command::Authenticator(AuthenticatorArguments::List(what)) => {
            authenticator::list(arguments, output, what.user.as_ref())
        }
        Command::Authenticator(AuthenticatorArguments::Remove(what)) => {
            authenticator::remove(arguments, output, what)
        }
        Command::Email(EmailArguments::Set(what)) => email::set(arguments, output, what),
        Command::Email(EmailArguments::Confirm(what)) => {
            email::confirm(arguments, output, &what.user)
        }
        Command::Email(EmailArguments::Remove(what)) => {
            email::remove(arguments, output, &what.user)
        }
        Command::Unlock(what) => unlock::run(arguments, output, what),
        Command::Account(AccountArguments::Add(what)) => account::add(arguments, output, what),
        Command::Account(AccountArguments::Remove(what)) => {
            account::remove(arguments, output, &what.user)
        }
        Command::Account(AccountArguments::Rename(what)) => {
            account::rename(arguments, output, what)
        }
        Command::Account(AccountArguments::Group(what)) => account::group(arguments, output, what),
        Command::Password(what) => password::run(arguments, output, &what.user),
        Command::AppPassword(AppPasswordArguments::Add(what)) => {
            app_password::add(arguments, output, what)
        }
        Command::AppPassword(AppPasswordArguments::List(what)) => {
            app_password::list(arguments, output, what.user.as_ref())
        }
        Command::AppPassword(AppPasswordArguments::Rename(what)) => {
            app_password::rename(arguments, output, what)
        }
        Command::AppPassword(AppPasswordArguments::Revoke(what)) => {
            app_password::revoke(arguments, output, what)
        }
        Command::Browser(BrowserArguments::List(what)) => {
            browser::list(arguments, output, what.user.as_ref())
        }
        Command::Browser(BrowserArguments::Revoke(what)) => {
            browser::revoke(arguments, output, what)
        }
        Command::Session(List::List(what)) => session::list(arguments, output, &what.user),
        Command::Session(List::Revoke(what)) => session::revoke(arguments, output, what),
        Command::Import(what) => import::run(arguments, output, what),
        Command::PrintConfig(what) => print_config::run(arguments, output, what),
        Command::Key(KeyArguments::Rotate(what)) => key::rotate(arguments, output, what),
        Command::Log(what) => log::run(arguments, output, what),
        Command::Upgrade => upgrade::run(arguments, output),
        Command::Edit => edit::run(arguments, output),
        Command::Check(what) => check::run(arguments, output, what),
    }
}
