//! The command line. No argument holds a secret: secrets are read from a terminal, from standard
//! input or from a file.

pub(crate) mod app_password;
pub(crate) mod authenticator;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod email;
pub(crate) mod host;
pub(crate) mod import;
#[cfg(test)]
mod manual;
pub(crate) mod migrate_store;
pub(crate) mod print_config;
pub(crate) mod remote_gate;

use app_password::AppPasswordArguments;
pub(crate) use authenticator::{AuthenticatorArguments, Enroll};
use backup::{BackupArguments, RestoreArguments};
use check::CheckArguments;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueHint};
pub(crate) use email::EmailArguments;
use host::HostArguments;
pub(crate) use import::ImportArguments;
use migrate_store::MigrateStoreArguments;
use postern_shared::account::event::{EventKind, MAX_EVENTS};
use postern_shared::account::name::{Distinct, Group, UserName};
use postern_shared::config::DEFAULT_PATH;
use postern_shared::system::clock::Timestamp;
pub(crate) use print_config::PrintConfig;
use remote_gate::RemoteGateArguments;
use std::path::PathBuf;
use std::str::FromStr;

/// Heading in the help for the options that are not of one command.
const EVERY_COMMAND: &str = "Options of every command";

/// A second factor for every way into a server: ssh, sudo, the console and the web.
#[derive(Parser)]
#[command(name = "postern", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Use another postern.toml
    #[arg(long, global = true, value_name = "PATH", default_value = DEFAULT_PATH, help_heading = EVERY_COMMAND)]
    pub(crate) config: PathBuf,
    /// Print JSON instead of text
    #[arg(long, global = true, help_heading = EVERY_COMMAND)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) afar: RemoteGateArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create the configuration, the master key and the store
    Init,
    /// Set up a second factor: QR, a code to confirm, recovery codes
    Enroll(Enroll),
    /// Read a code, consume it, and print the verification result
    Verify(OneAccount),
    /// Show who has a second factor, or which hosts there are
    Status(StatusArguments),
    /// Turn a second factor off
    Disable(OneAccount),
    /// Make a new set of recovery codes; earlier ones are no longer valid
    Recovery(RecoveryArguments),
    /// Issue a code that is valid once, for someone who cannot sign in
    OneTimeCode(OneTimeCodeArguments),
    /// The authenticators of an account
    #[command(subcommand)]
    Authenticator(AuthenticatorArguments),
    /// The address that codes are mailed to
    #[command(subcommand)]
    Email(EmailArguments),
    /// Remove delays and locks
    Unlock(UnlockArguments),
    /// Accounts
    #[command(subcommand)]
    Account(AccountArguments),
    /// Set the password for the web, read from the terminal or stdin
    Password(OneAccount),
    /// App passwords, for clients that cannot show a web page
    #[command(subcommand)]
    AppPassword(AppPasswordArguments),
    /// Trusted browsers
    #[command(subcommand)]
    Browser(BrowserArguments),
    /// Sessions of the web
    #[command(subcommand)]
    Session(List),
    /// Import second factors from files of other systems
    Import(ImportArguments),
    /// Print the configuration of a proxy, with its secret filled in
    PrintConfig(PrintConfig),
    /// The master key and the keys that it wraps
    #[command(subcommand)]
    Key(KeyArguments),
    /// Hosts that hold no secrets, and their servers (experimental)
    #[command(subcommand)]
    Host(HostArguments),
    /// Upgrade the store to the version of this program, after making a copy of it
    Upgrade,
    /// Write a backup of the store to one sealed file, while services run
    Backup(BackupArguments),
    /// Put a backup in the place of the store; services are stopped
    Restore(RestoreArguments),
    /// Move the store to another place: from a file to PostgreSQL, or back
    MigrateStore(MigrateStoreArguments),
    /// Show audit events
    Log(LogArguments),
    /// Edit postern.toml and check it before it comes into force
    Edit,
    /// Check this machine: configuration, sshd, PAM, store, daemons; or attack an application behind its proxy; or show what a request at the gate requires
    Check(CheckArguments),
}

impl Command {
    /// Whether it changes nothing: the reader of its output may stop at any line.
    pub(crate) fn only_shows(&self) -> bool {
        matches!(
            self,
            Command::Status(_)
                | Command::Log(_)
                | Command::Check(_)
                | Command::PrintConfig(_)
                | Command::Authenticator(AuthenticatorArguments::List(_))
                | Command::AppPassword(AppPasswordArguments::List(_))
                | Command::Browser(BrowserArguments::List(_))
                | Command::Session(List::List(_))
                | Command::Host(HostArguments::List)
        )
    }

    /// Whether it is one that people run without root: for their own account, or to check what
    /// everyone can see.
    pub(crate) fn is_for_everyone(&self) -> bool {
        matches!(
            self,
            Command::Check(CheckArguments {
                keep: false,
                rule: Option::None,
                ..
            }) | Command::Status(_)
                | Command::Enroll(_)
                | Command::Recovery(_)
                | Command::Authenticator(_)
                | Command::Browser(_)
        )
    }
}

#[derive(Args)]
pub(crate) struct OneAccount {
    /// The account
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: UserName,
}

#[derive(Args)]
pub(crate) struct Some {
    /// The account; without it root sees all accounts, other users their own
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: Option<UserName>,
}

#[derive(Args)]
pub(crate) struct StatusArguments {
    /// The account; without it root sees all accounts, other users their own
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: Option<UserName>,
    /// On a server: show the hosts of the fleet instead
    #[arg(long, conflicts_with = "user")]
    pub(crate) hosts: bool,
    /// Print metrics for the textfile collector of Prometheus' node exporter instead; root only
    #[arg(long, conflicts_with_all = ["user", "hosts"])]
    pub(crate) metrics: bool,
}

#[derive(Args)]
pub(crate) struct Own {
    /// The account; your own if not given
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: Option<UserName>,
}

#[derive(Args)]
pub(crate) struct RecoveryArguments {
    /// The account; your own if not given
    #[arg(value_name = "USER")]
    pub(crate) user: Option<UserName>,
    /// Make them valid at once, without asking whether they are saved
    #[arg(long)]
    pub(crate) no_confirm: bool,
}

#[derive(Args)]
pub(crate) struct OneTimeCodeArguments {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
    /// Cancel the last one instead
    #[arg(long)]
    pub(crate) cancel: bool,
}

#[derive(Args)]
pub(crate) struct UnlockArguments {
    /// The account
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: UserName,
    /// Instead, accept codes again after the host's clock was ahead and was set back
    #[arg(long)]
    pub(crate) clock: bool,
}

#[derive(Subcommand)]
pub(crate) enum AccountArguments {
    /// Create an account
    Add(AddAccount),
    /// Remove an account and all its data
    Remove(OneAccount),
    /// Rename an account
    Rename(RenameArguments),
    /// Show the groups of an account, or change them
    Group(Groups),
}

#[derive(Args)]
pub(crate) struct AddAccount {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
    #[command(flatten)]
    pub(crate) distinct: DistinctName,
}

/// Whether root says that a name is one of its own.
#[derive(Args)]
pub(crate) struct DistinctName {
    /// Accept the name even if it is another spelling of an existing account
    #[arg(long)]
    distinct_name: bool,
}

impl DistinctName {
    pub(crate) fn word(&self) -> Distinct {
        if self.distinct_name {
            Distinct::Yes
        } else {
            Distinct::No
        }
    }
}

#[derive(Args)]
pub(crate) struct RenameArguments {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
    /// Its new name
    #[arg(value_name = "NEW")]
    pub(crate) new: UserName,
    #[command(flatten)]
    pub(crate) distinct: DistinctName,
}

#[derive(Args)]
pub(crate) struct Groups {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
    /// Add it to this group; may be given more than once
    #[arg(long, value_name = "GROUP")]
    pub(crate) add: Vec<Group>,
    /// Remove it from this group; may be given more than once
    #[arg(long, value_name = "GROUP")]
    pub(crate) remove: Vec<Group>,
}

#[derive(Subcommand)]
pub(crate) enum BrowserArguments {
    /// Show them
    List(Own),
    /// End one, or all
    Revoke(RevokeArguments),
}

#[derive(Subcommand)]
pub(crate) enum List {
    /// Show them
    List(OneAccount),
    /// End one, or all
    Revoke(RevokeArguments),
}

#[derive(Args)]
pub(crate) struct RevokeArguments {
    /// The account
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: UserName,
    /// The one to end, as the list shows it
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub(crate) id: Option<String>,
    /// End all of the account's
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Subcommand)]
pub(crate) enum KeyArguments {
    /// Make a new master key and seal every secret again, while services run
    Rotate(Rotate),
}

#[derive(Args)]
pub(crate) struct Rotate {
    /// Renew all keys: passwords, recovery codes, app passwords, trusted browsers and sessions end
    #[arg(long)]
    pub(crate) compromised: bool,
    /// Do not ask for confirmation
    #[arg(long, requires = "compromised")]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct LogArguments {
    /// The account; all if not given
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: Option<UserName>,
    /// Only events of this kind
    #[arg(long, value_name = "NAME", value_parser = events())]
    pub(crate) event: Option<EventKind>,
    /// Only events at this service: a PAM service, web, or postern
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Not before: a date, a time (UTC), or a duration before now such as 2h or 30d
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<When>,
    /// Not after
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub(crate) until: Option<When>,
    /// How many past events, newest first; 100 if no time is given, else all
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_EVENTS)))]
    pub(crate) lines: Option<u32>,
    /// Keep printing new events
    #[arg(long)]
    pub(crate) follow: bool,
}

fn events() -> impl TypedValueParser<Value = EventKind> {
    PossibleValuesParser::new(EventKind::ALL.map(EventKind::name))
        .map(|name| EventKind::from_name(&name).expect("a possible value is a name"))
}

/// A point of time, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    At(Timestamp),
    Ago(u64),
}

impl When {
    /// The time that is meant, if it is `now`.
    pub(crate) fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            When::At(time) => time,
            When::Ago(seconds) => now.minus(seconds),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<When, String> {
        const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
        let ago = UNITS.iter().find_map(|(unit, length)| {
            let number = text
                .strip_suffix(*unit)
                .filter(|number| number.bytes().all(|b| b.is_ascii_digit()))?;
            number.parse::<u64>().ok()?.checked_mul(*length)
        });
        match ago {
            Some(seconds) => Ok(When::Ago(seconds)),
            None => text
                .parse()
                .map(When::At)
                .map_err(|error| format!("{error}, or a duration before now such as 2h or 30d")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Arguments are seen by every user of the host, and kept by shells.
    #[test]
    fn no_argument_takes_a_secret() {
        fn names(command: &clap::Command, found: &mut Vec<String>) {
            for argument in command
                .get_arguments()
                .filter(|argument| argument.get_action().takes_values())
            {
                found.push(argument.get_id().to_string());
            }
            command.get_subcommands().for_each(|sub| names(sub, found));
        }
        let mut found = Vec::new();
        names(&Arguments::command(), &mut found);
        assert!(found.len() > 10, "{found:?}");
        for name in found {
            let is_file = name.ends_with("_file");
            let is_secret = ["secret", "password", "code", "key", "token"]
                .iter()
                .any(|word| name.contains(word));
            assert!(
                is_file || !is_secret,
                "{name}: read it from the terminal, stdin or a file"
            );
        }
    }

    #[test]
    fn a_time_is_a_date_a_time_or_so_long_ago() {
        assert_eq!("90m".parse(), Ok(When::Ago(5400)));
        assert_eq!(
            "2027-01-15T08:00:00Z".parse(),
            Ok(When::At(Timestamp(1_800_000_000)))
        );
        for text in [
            "",
            "d",
            "-2h",
            "2 h",
            "2w",
            "99999999999999999999s",
            "yesterday",
        ] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
