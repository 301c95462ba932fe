//! The line to change, in the words of each proxy: what is wrong, and the line of the sample in
//! config/ that prevents it. A test checks that each line is part of its sample.

mod apache;
mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod traefik;

use postern_shared::config::gate::ProxyKind;

/// What is wrong with the configuration of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyMistake {
    /// Requests reach the application without a check.
    NoCheck,
    /// The reply of the gate to a check is kept for later requests.
    CachedCheck,
    /// Page loads are not redirected to the sign-in page.
    NoRedirect,
    /// The gate does not see what tells a page load from a script.
    HeadersNotSent,
    /// A 401 has no challenge.
    NoChallenge,
    /// The gate does not receive the session cookie.
    CookieNotSent,
    /// The gate trusts the client's headers for the requested URL and method.
    OriginalFromClient,
    /// The gate trusts the client's headers for its address.
    AddressFromClient,
    /// The application receives an identity that the gate did not send; by header.
    IdentityNotCopied(&'static str),
    /// Names with `_` pass.
    AliasWithUnderscore,
    /// Names with `.` pass.
    AliasWithDot,
    /// Names with `_` pass that CGI applications take for X-Forwarded-For and X-Real-IP.
    ClientAliasWithUnderscore,
    /// Such names with `.` pass.
    ClientAliasWithDot,
    /// The application receives the cookies of the gate.
    CookieNotCopied,
    /// The application receives the proxy's secret.
    ProofNotRemoved,
    /// The application receives what a client says of itself; by header.
    ClientHeaderPasses(&'static str),
    /// A Connection header removes what the gate sends.
    ConnectionRemoves,
    /// Many cookies lead to an error.
    SmallBuffers,
    /// Plain HTTP is not redirected.
    PlainHttp,
    NoHttp2,
    Certificate,
    /// Clients can send checks.
    CheckIsPublic,
    /// Each check has a connection of its own.
    NoKeepAlive,
    /// Access is granted while the gate does not answer.
    OpenWithoutGate,
}

/// Returns the line of the sample that is missing or was changed, and where it belongs.
pub(super) fn line_to_change(
    mistake: ProxyMistake,
    proxy: ProxyKind,
) -> Option<(&'static str, String)> {
    let (place, line) = match proxy {
        ProxyKind::Nginx => nginx::line_to_change(mistake)?,
        ProxyKind::Traefik => traefik::line_to_change(mistake)?,
        ProxyKind::Caddy => caddy::line_to_change(mistake)?,
        ProxyKind::Haproxy => haproxy::line_to_change(mistake)?,
        ProxyKind::Envoy => envoy::line_to_change(mistake)?,
        ProxyKind::Apache => apache::line_to_change(mistake)?,
        ProxyKind::AutheliaAuthRequest
        | ProxyKind::AutheliaForwardAuth
        | ProxyKind::AutheliaExtAuthz => return None,
    };
    Some((place, line.replace("{header}", header_of(mistake))))
}

/// Returns the header that a mistake is about.
fn header_of(mistake: ProxyMistake) -> &'static str {
    match mistake {
        ProxyMistake::IdentityNotCopied(name) | ProxyMistake::ClientHeaderPasses(name) => name,
        _ => "",
    }
}

type Line = Option<(&'static str, String)>;

fn at(place: &'static str, line: impl Into<String>) -> Line {
    Some((place, line.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::url::identity::{CLIENT_HEADERS, IDENTITY};
    use std::path::Path;

    /// Returns the samples of a proxy, all files as one text.
    fn samples(proxy: ProxyKind) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
        let files = std::fs::read_dir(folder.join(proxy.name())).unwrap();
        let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Lines to change differed from the samples after a sample had changed.
    #[test]
    fn each_line_to_change_is_part_of_the_sample() {
        let mut mistakes = vec![
            ProxyMistake::NoCheck,
            ProxyMistake::CachedCheck,
            ProxyMistake::NoRedirect,
            ProxyMistake::HeadersNotSent,
            ProxyMistake::NoChallenge,
            ProxyMistake::CookieNotSent,
            ProxyMistake::OriginalFromClient,
            ProxyMistake::AddressFromClient,
            ProxyMistake::AliasWithUnderscore,
            ProxyMistake::AliasWithDot,
            ProxyMistake::ClientAliasWithUnderscore,
            ProxyMistake::ClientAliasWithDot,
            ProxyMistake::CookieNotCopied,
            ProxyMistake::ProofNotRemoved,
            ProxyMistake::ConnectionRemoves,
            ProxyMistake::SmallBuffers,
            ProxyMistake::PlainHttp,
            ProxyMistake::NoHttp2,
            ProxyMistake::Certificate,
            ProxyMistake::CheckIsPublic,
            ProxyMistake::NoKeepAlive,
            ProxyMistake::OpenWithoutGate,
        ];
        mistakes.extend(IDENTITY.map(ProxyMistake::IdentityNotCopied));
        mistakes.extend(CLIENT_HEADERS.map(ProxyMistake::ClientHeaderPasses));
        for proxy in ProxyKind::ALL {
            if proxy.is_for_authelia() {
                continue;
            }
            let samples = samples(proxy);
            for mistake in &mistakes {
                let Some((_, line)) = line_to_change(*mistake, proxy) else {
                    continue;
                };
                assert!(
                    samples.contains(&line),
                    "{mistake:?}: the samples of {} have no {line}",
                    proxy.name()
                );
            }
        }
    }
}
