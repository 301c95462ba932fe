//! The arguments of `postern import`.

use crate::arguments::DistinctName;
use clap::builder::{PossibleValue, PossibleValuesParser, StyledStr, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Args, Command, Error};
use postern_shared::account::name::UserName;
use postern_shared::credential::import::NAMES;
use std::ffi::OsStr;
use std::path::PathBuf;

/// What to do with the export of an app whose format is not supported.
const OTHER_APP: &str =
    "for another app, export as a list of otpauth URIs, and import that as otpauth";

#[derive(Args)]
pub(crate) struct ImportArguments {
    /// The system that the file is from. For another app, export as a list of otpauth URIs
    #[arg(value_name = "FORMAT", value_parser = ImportFormatParser)]
    pub(crate) format: String,
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The account of each authenticator for which the file names none
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<UserName>,
    /// The accounts by serial number, for pskc and privacyidea: lines of serial,user
    #[arg(long, value_name = "FILE")]
    pub(crate) user_list: Option<PathBuf>,
    /// The pre-shared key of a PSKC file: 16 or 32 bytes, as they are or in hexadecimal
    #[arg(long, value_name = "FILE", conflicts_with = "password_file")]
    pub(crate) key_file: Option<PathBuf>,
    /// The password of a PSKC file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) distinct: DistinctName,
    /// Show what would be imported, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Import without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Parses the name of a format. The error says what to do with others.
#[derive(Clone)]
struct ImportFormatParser;

impl TypedValueParser for ImportFormatParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        let parsed = PossibleValuesParser::new(NAMES).parse_ref(command, argument, value);
        parsed.map_err(|mut error| {
            let tip = ContextValue::StyledStrs(vec![StyledStr::from(OTHER_APP)]);
            error.insert(ContextKind::Suggested, tip);
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(NAMES.into_iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use crate::arguments::Arguments;
    use clap::Parser;

    #[test]
    fn an_unknown_format_is_refused_with_what_to_do() {
        let words = ["postern", "import", "bitwarden", "export.json"];
        let refused = Arguments::try_parse_from(words).err().unwrap().to_string();
        assert!(refused.contains("privacyidea"), "{refused}");
        assert!(
            refused.contains("export as a list of otpauth URIs"),
            "{refused}"
        );
    }
}
