//! The arguments of `postern app-password`.

use super::When;
use clap::{Args, Subcommand, ValueHint};
use postern_shared::account::name::{Label, UserName};
use postern_shared::credential::scope::ScopeTerm;
use postern_shared::system::clock::Timestamp;
use std::str::FromStr;

#[derive(Subcommand)]
pub(crate) enum AppPasswordArguments {
    /// Make one for a client that cannot show a web page; it is shown once
    Add(Add),
    /// Show them
    List(ListAppPasswords),
    /// Rename one
    Rename(RenameAppPassword),
    /// End one, or all
    Revoke(RevokeAppPassword),
}

#[derive(Args)]
pub(crate) struct Add {
    /// The account
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: UserName,
    /// What the person calls it
    #[arg(value_name = "NAME")]
    pub(crate) name: Label,
    /// Where it is valid: pam:SERVICE, "web:HOST/PATH METHOD,METHOD", or the name of a declared scope; may be given
    /// more than once
    #[arg(long, value_name = "SCOPE", required = true)]
    pub(crate) scope: Vec<ScopeTerm>,
    /// When it expires: after a duration such as 90d, at a date or time (UTC), or never
    #[arg(long, value_name = "TIME", default_value = "365d")]
    pub(crate) expires: Expires,
}

#[derive(Args)]
pub(crate) struct ListAppPasswords {
    /// The account; all accounts if not given
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: Option<UserName>,
}

#[derive(Args)]
pub(crate) struct RenameAppPassword {
    /// The account
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: UserName,
    /// Which one, as the list shows it
    #[arg(value_name = "NAME")]
    pub(crate) name: Label,
    /// Its new name
    #[arg(value_name = "NEW")]
    pub(crate) new: Label,
}

#[derive(Args)]
pub(crate) struct RevokeAppPassword {
    /// The account
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: UserName,
    /// The one to end, as the list shows it
    #[arg(
        value_name = "NAME",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub(crate) name: Option<Label>,
    /// End all of the account's
    #[arg(long)]
    pub(crate) all: bool,
}

/// When something ends, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expires {
    After(u64),
    At(Timestamp),
    Never,
}

impl Expires {
    /// The time that is meant, if it is `now`.
    pub(crate) fn seen_from(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Expires::After(seconds) => Some(now.plus(seconds)),
            Expires::At(time) => Some(time),
            Expires::Never => None,
        }
    }
}

impl FromStr for Expires {
    type Err = String;

    fn from_str(text: &str) -> Result<Expires, String> {
        match text.parse::<When>() {
            _ if text == "never" => Ok(Expires::Never),
            Ok(When::Ago(seconds)) => Ok(Expires::After(seconds)),
            Ok(When::At(time)) => Ok(Expires::At(time)),
            Err(_) => {
                Err("must be a duration such as 12h or 90d, a date, a time, or never".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_so_long_from_now_a_time_or_never() {
        let now = Timestamp(1_800_000_000);
        for (text, expected) in [
            ("90d", Some(now.plus(90 * 86_400))),
            ("2027-01-15T08:00:01Z", Some(now.plus(1))),
            ("2028-01-01", Some(Timestamp(1_830_297_600))),
            ("never", None),
        ] {
            assert_eq!(
                text.parse::<Expires>().map(|end| end.seen_from(now)),
                Ok(expected),
                "{text}"
            );
        }
        for text in ["", "90", "-1d", "NEVER", "1w", "tomorrow"] {
            assert!(text.parse::<Expires>().is_err(), "{text}");
        }
    }
}
