//! Refuses an option, or a part of one, that a sample has no use for: what is printed would look as if
//! it had been taken into account.

use super::ProxySample;
use crate::arguments::PrintConfig;
use crate::terminal::output::{CommandFailure, CommandResult};
use clap::ValueEnum;
use postern_shared::config::gate::GateUrl;

/// Path of the pages in every sample for a path of the protected host.
const PAGES: &str = "/_postern/";
/// Placeholders that `--address` fills in.
const ADDRESS: [&str; 4] = [
    "@GATE_ADDRESS@",
    "@GATE_IP@",
    "@GATE_PORT@",
    "@GATE_FAMILY@",
];

pub(super) fn refuse_ignored(
    what: &PrintConfig,
    url: &GateUrl,
    sample: &ProxySample,
) -> CommandResult<()> {
    let name = what.proxy.to_possible_value();
    let proxy = name.as_ref().map_or("", |name| name.get_name());
    let has_any = |marks: &[&str]| {
        let mut texts = sample.includes.iter().map(|include| include.text);
        let printed = sample.printed_text(url);
        let is_in = |text: &str| marks.iter().any(|mark| text.contains(mark));
        is_in(printed) || texts.any(is_in)
    };
    let refusal = if what.address.is_some() && !has_any(&ADDRESS) {
        format!(
            "--address is for a proxy in a container or a cluster, and the sample for {proxy} is for a proxy on this host; \
             omit it, and change the gate's address in what is printed if the proxy is elsewhere"
        )
    } else if what.folder.is_some() && sample.includes.is_empty() && !has_any(&["@FOLDER@"]) {
        format!("the configuration for {proxy} includes no file, so none is written; omit --folder")
    } else if !url.has_own_host() && url.path != PAGES {
        format!(
            "the samples have the pages of the gate at {PAGES}, and not at {}; use https://{}{PAGES}, or change the path in \
             a sample that is printed for this URL",
            url.path,
            url.host()
        )
    } else {
        match (&what.url, &what.app) {
            (Some(given), _) if given.authority != given.host() => format!(
                "the samples use port 443; omit the port in --url, and change the port in what is printed to that of {}",
                given.authority
            ),
            (Some(given), Some(app)) if !given.has_own_host() && given.host() != app => format!(
                "with pages on a path, the host of --url is that of the application: {} is not {app}; omit --app, or \
                 use https://{app}{PAGES}",
                given.host()
            ),
            _ => return Ok(()),
        }
    };
    Err(CommandFailure::new(refusal))
}

#[cfg(test)]
mod tests {
    use super::super::{ProxyArguments, sample};
    use super::*;
    use crate::arguments::{Arguments, Command};
    use clap::Parser;

    /// Returns what is refused of a line, or an empty text.
    fn refusal(words: &str) -> String {
        let words = format!("postern print-config {words}");
        let arguments = Arguments::try_parse_from(words.split(' ')).expect("a valid line");
        let Command::PrintConfig(what) = arguments.command else {
            unreachable!("the line names the command");
        };
        let url = what.url.clone().expect("the line has it");
        match refuse_ignored(&what, &url, &sample(what.proxy)) {
            Ok(()) => String::new(),
            Err(error) => format!("{error:?}"),
        }
    }

    /// Every option of every proxy is in what is printed or written, or is refused.
    #[test]
    fn an_option_that_a_sample_ignores_is_refused() {
        const OWN: &str = "--url https://auth.example.com/";
        const PATH: &str = "--url https://app.example.com/_postern/";
        let mut refused = Vec::new();
        for proxy in ProxyArguments::value_variants() {
            let name = proxy.to_possible_value().expect("each has a name");
            let name = name.get_name();
            for url in [OWN, PATH] {
                assert_eq!(refusal(&format!("{name} {url}")), "");
                for (option, marks) in [
                    ("--address 192.0.2.1:9091", ADDRESS.as_slice()),
                    ("--app app.example.com", &["@APP_HOST@"]),
                    ("--folder /etc/elsewhere", &["@FOLDER@"]),
                ] {
                    let found = refusal(&format!("{name} {url} {option}"));
                    let sample = sample(*proxy);
                    let printed = match url {
                        OWN => sample.own_host,
                        _ => sample.path,
                    };
                    let is_used = marks.iter().any(|mark| printed.contains(mark));
                    // ingress-nginx has no sample for a path, which is refused elsewhere
                    assert!(
                        is_used == found.is_empty() || printed.is_empty(),
                        "{name} {url} {option}: {found}"
                    );
                    if !found.is_empty() && url == OWN {
                        refused.push(format!("{name} {}", option.split(' ').next().unwrap()));
                    }
                }
            }
        }
        assert_eq!(
            refused,
            ["nginx", "traefik", "caddy", "haproxy", "envoy", "apache"]
                .map(|name| format!("{name} --address"))
                .into_iter()
                .chain(["gateway-api --folder".to_owned()])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_part_of_the_url_that_a_sample_ignores_is_refused() {
        for (words, expected) in [
            (
                "nginx --url https://auth.example.com:8443/",
                "omit the port",
            ),
            (
                "nginx --url https://app.example.com/auth/",
                "and not at /auth/",
            ),
            (
                "caddy --url https://app.example.com/_postern/ --app other.example.com",
                "is not other.example.com",
            ),
            ("nginx --url https://auth.example.com:443/", ""),
            (
                "caddy --url https://app.example.com/_postern/ --app app.example.com",
                "",
            ),
        ] {
            let found = refusal(words);
            assert!(
                found.contains(expected) && found.is_empty() == expected.is_empty(),
                "{words}: {found}"
            );
        }
    }
}
