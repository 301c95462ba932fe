//! The lines of Apache's samples.

use super::{Line, ProxyMistake, at};

pub(super) fn line_to_change(mistake: ProxyMistake) -> Line {
    const CHECK: &str = "in postern-check.conf, which the <Location> of the application includes";
    const HEADERS: &str = "in postern-headers.conf, which every virtual host includes";
    const APPLICATION: &str = "in the virtual host of the application";
    match mistake {
        ProxyMistake::NoCheck | ProxyMistake::CachedCheck | ProxyMistake::OpenWithoutGate => at(
            "in a <Location> of the application, and in every section below it that has a Require",
            "Include @FOLDER@/postern-check.conf",
        ),
        ProxyMistake::IdentityNotCopied("Remote-Groups") => at(
            CHECK,
            "RequestHeader set Remote-Groups \"expr=%{reqenv:POSTERN_GROUPS}%{reqenv:POSTERN_GROUPS_2}%{reqenv:POSTERN_GROUPS_3}\"",
        ),
        ProxyMistake::IdentityNotCopied(name) => {
            let short = name.strip_prefix("Remote-").unwrap_or(name);
            let variable = short.to_ascii_uppercase();
            at(
                CHECK,
                format!("RequestHeader set {{header}} \"expr=%{{reqenv:POSTERN_{variable}}}\""),
            )
        }
        ProxyMistake::AliasWithUnderscore => at(HEADERS, "RequestHeader unset Remote_User early"),
        ProxyMistake::AliasWithDot => at(HEADERS, "RequestHeader unset Remote.User early"),
        ProxyMistake::ClientAliasWithUnderscore => {
            at(HEADERS, "RequestHeader unset X_Forwarded_For early")
        }
        ProxyMistake::ClientAliasWithDot => {
            at(HEADERS, "RequestHeader unset X.Forwarded.For early")
        }
        ProxyMistake::CookieNotCopied => at(CHECK, "RequestHeader unset Cookie"),
        ProxyMistake::ProofNotRemoved => at(CHECK, "RequestHeader unset X-Postern-Proxy"),
        ProxyMistake::ClientHeaderPasses("X-Forwarded-Proto") => {
            at(HEADERS, "RequestHeader set X-Forwarded-Proto https early")
        }
        ProxyMistake::ClientHeaderPasses(_) => at(HEADERS, "RequestHeader unset {header} early"),
        ProxyMistake::ConnectionRemoves => at(
            HEADERS,
            "SetEnvIfNoCase Connection \"remote|cookie|authorization|postern|forwarded|x-\" postern_drops=yes",
        ),
        ProxyMistake::PlainHttp => at(
            "in the virtual host of the application for port 80",
            "Redirect permanent \"/\" \"https://@APP_HOST@/\"",
        ),
        ProxyMistake::NoHttp2 => at(APPLICATION, "Protocols h2 http/1.1"),
        ProxyMistake::Certificate => at(
            APPLICATION,
            "SSLCertificateFile /etc/ssl/private/@APP_HOST@.crt",
        ),
        ProxyMistake::CheckIsPublic => at(
            "in the virtual host of the gate",
            "RewriteRule \"^/check/\" \"-\" [R=404,L]",
        ),
        // Apache sends its parameters and passes the reply on by itself.
        ProxyMistake::NoRedirect
        | ProxyMistake::HeadersNotSent
        | ProxyMistake::NoChallenge
        | ProxyMistake::CookieNotSent
        | ProxyMistake::OriginalFromClient
        | ProxyMistake::AddressFromClient
        | ProxyMistake::SmallBuffers
        | ProxyMistake::NoKeepAlive => None,
    }
}
