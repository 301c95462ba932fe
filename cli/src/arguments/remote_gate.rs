//! The arguments of `postern --gate`: the same commands for a gate on another host.

use clap::{Args, ValueHint};
use postern_shared::config::gate::GateUrl;
use std::path::PathBuf;

/// Heading in the help.
const ANOTHER_HOST: &str = "A gate on another host (status, disable, unlock, one-time-code)";

#[derive(Args)]
pub(crate) struct RemoteGateArguments {
    /// Run the command at this gate
    #[arg(long, global = true, help_heading = ANOTHER_HOST, value_name = "URL", value_parser = gate_url, requires = "admin_secret_file")]
    pub(crate) gate: Option<GateUrl>,
    /// The file with that gate's secret for administration
    #[arg(long, global = true, help_heading = ANOTHER_HOST, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "gate")]
    pub(crate) admin_secret_file: Option<PathBuf>,
    /// The authority of that gate's certificate (PEM), instead of those of this host
    #[arg(long, global = true, help_heading = ANOTHER_HOST, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "gate")]
    pub(crate) gate_ca: Option<PathBuf>,
}

fn gate_url(text: &str) -> Result<GateUrl, &'static str> {
    GateUrl::try_from(text.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::arguments::Arguments;
    use clap::Parser;

    #[test]
    fn a_gate_is_reached_over_tls_alone_and_with_its_secret() {
        let read = |words: &str| Arguments::try_parse_from(words.split(' ')).is_ok();
        assert!(read(
            "postern --gate https://auth.example.com --admin-secret-file f status"
        ));
        assert!(read(
            "postern disable alice --gate https://auth.example.com:8443/ --admin-secret-file f --gate-ca c"
        ));
        for words in [
            "postern --gate http://auth.example.com --admin-secret-file f status",
            "postern --gate https://a:b@auth.example.com --admin-secret-file f status",
            "postern --gate auth.example.com --admin-secret-file f status",
            "postern --gate https://auth.example.com status",
            "postern --admin-secret-file f status",
            "postern --gate-ca c status",
        ] {
            assert!(!read(words), "{words}");
        }
    }
}
