//! The command line. Secrets never stand in it: they come from a terminal, stdin or a file.

use clap::{Args, Parser, Subcommand, ValueEnum};
use shared::config::DEFAULT_PATH;
use shared::name::UserName;
use std::path::PathBuf;

/// A second factor for every door: ssh, sudo, the console and the web.
#[derive(Parser)]
#[command(name = "postern", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Another postern.toml
    #[arg(long, global = true, value_name = "PATH", default_value = DEFAULT_PATH)]
    pub(crate) config: PathBuf,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make the master key and the store
    Init,
    /// Set up a second factor: QR, a code to confirm, recovery codes
    Enroll(Enroll),
    /// Read a code, spend it, and say the verdict
    Verify(One),
    /// Show who has a second factor
    Status(Some),
    /// Turn a second factor off
    Disable(One),
    /// Make new recovery codes in place of the old ones
    Recovery(One),
    /// Lift delays and locks
    Unlock(Unlock),
    /// Accounts
    #[command(subcommand)]
    Account(Account),
    /// Set the password for the web, read from the terminal or stdin
    Password(One),
    /// Trusted browsers
    #[command(subcommand)]
    Browser(List),
    /// Sessions of the web
    #[command(subcommand)]
    Session(List),
    /// Print a proxy's configuration, with its proof filled in
    PrintConfig(PrintConfig),
    /// The master key and the keys that it wraps
    #[command(subcommand)]
    Key(Key),
    /// Show what happened
    Log(Log),
    /// Edit postern.toml and check it before it counts
    Edit,
}

#[derive(Args)]
pub(crate) struct One {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
}

#[derive(Args)]
pub(crate) struct Some {
    /// The account; all if not given
    #[arg(value_name = "USER")]
    pub(crate) user: Option<UserName>,
}

#[derive(Args)]
pub(crate) struct Enroll {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
    /// Make it active at once, without a code and without asking whether the recovery codes are saved
    #[arg(long)]
    pub(crate) no_confirm: bool,
}

#[derive(Args)]
pub(crate) struct Unlock {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
    /// Also accept codes again after the host's clock was set back
    #[arg(long)]
    pub(crate) clock: bool,
}

#[derive(Subcommand)]
pub(crate) enum Account {
    /// Make an account
    Add(One),
}

#[derive(Subcommand)]
pub(crate) enum List {
    /// Show them
    List(One),
    /// End one, or all
    Revoke(Revoke),
}

#[derive(Args)]
pub(crate) struct Revoke {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
    /// The one to end, as the list shows it
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) id: Option<String>,
    /// End all of the account's
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args)]
pub(crate) struct PrintConfig {
    /// The proxy
    #[arg(value_enum)]
    pub(crate) proxy: Proxy,
    /// The host of the application; a likely one if not given
    #[arg(long, value_name = "HOST")]
    pub(crate) app: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Proxy {
    /// auth_request
    Nginx,
    /// ForwardAuth
    Traefik,
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Make a new master key and seal every secret anew, while doors are open
    Rotate(Rotate),
}

#[derive(Args)]
pub(crate) struct Rotate {
    /// Renew all keys: passwords, recovery codes, trusted browsers and sessions end
    #[arg(long)]
    pub(crate) compromised: bool,
    /// Do not ask whether they may end
    #[arg(long, requires = "compromised")]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Log {
    /// The account; all if not given
    #[arg(value_name = "USER")]
    pub(crate) user: Option<UserName>,
    /// Go on printing what happens
    #[arg(long)]
    pub(crate) follow: bool,
    /// How many past events, newest last
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) lines: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    const MANUAL: &str = include_str!("../../packaging/man/postern.1");

    /// Every command and option, as the man page writes them.
    fn words(command: &clap::Command, found: &mut Vec<String>) {
        for argument in command.get_arguments().filter_map(|argument| argument.get_long()) {
            found.push(format!("Fl -{argument}"));
        }
        for sub in command.get_subcommands() {
            if sub.has_subcommands() {
                for below in sub.get_subcommands() {
                    found.push(format!("Cm {} {}", sub.get_name(), below.get_name()));
                    words(below, found);
                }
            } else {
                found.push(format!("Cm {}", sub.get_name()));
                words(sub, found);
            }
        }
    }

    #[test]
    fn every_command_and_option_stands_in_the_man_page() {
        let mut found = Vec::new();
        words(&Arguments::command(), &mut found);
        assert!(found.len() > 12, "{found:?}");
        for word in found {
            assert!(MANUAL.contains(&word), "postern(1) lacks {word:?}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
