//! The lines of HAProxy's samples.

use super::{Line, ProxyMistake, at};

pub(super) fn line_to_change(mistake: ProxyMistake) -> Line {
    const BACKEND: &str = "in the backend of the application";
    const FRONTEND: &str = "in frontend https";
    const LUA: &str = "in postern.lua, as postern print-config haproxy writes it";
    const SENT: &str = "local SENT = { \"accept\", \"authorization\", \"cookie\", \"sec-fetch-mode\", \"x-requested-with\" }";
    const RECEIVED: &str = "local RECEIVED = { \"remote-user\", \"remote-groups\", \"remote-email\", \"remote-name\", \"cookie\", \"authorization\" }";
    match mistake {
        ProxyMistake::NoCheck | ProxyMistake::CachedCheck | ProxyMistake::ProofNotRemoved => {
            at(BACKEND, "http-request lua.postern_check")
        }
        ProxyMistake::NoRedirect | ProxyMistake::HeadersNotSent | ProxyMistake::CookieNotSent => {
            at(LUA, SENT)
        }
        ProxyMistake::OpenWithoutGate => at(LUA, "reply(txn, 503, FAILED, {})"),
        ProxyMistake::NoChallenge => at(
            LUA,
            "reply(txn, 401, \"\", { [\"www-authenticate\"] = values(response.headers, \"www-authenticate\") })",
        ),
        ProxyMistake::OriginalFromClient => at(LUA, "[\"x-forwarded-uri\"] = { txn.f:pathq() },"),
        ProxyMistake::AddressFromClient => at(LUA, "[\"x-forwarded-for\"] = { txn.f:src() },"),
        ProxyMistake::IdentityNotCopied(_) | ProxyMistake::CookieNotCopied => at(LUA, RECEIVED),
        ProxyMistake::AliasWithUnderscore | ProxyMistake::AliasWithDot => {
            at(FRONTEND, "http-request del-header ^remote -m reg")
        }
        ProxyMistake::ClientHeaderPasses("Forwarded") => {
            at(FRONTEND, "http-request del-header ^forwarded$ -m reg")
        }
        ProxyMistake::ClientHeaderPasses(_)
        | ProxyMistake::ClientAliasWithUnderscore
        | ProxyMistake::ClientAliasWithDot => at(
            FRONTEND,
            "http-request del-header ^x[-_.](forwarded|original|real|rewrite|postern) -m reg",
        ),
        ProxyMistake::ConnectionRemoves => at(
            FRONTEND,
            "http-request deny deny_status 400 if { req.hdr(connection) -m reg -i remote|cookie|authorization|postern|forwarded|x- }",
        ),
        ProxyMistake::SmallBuffers => at("in global", "tune.bufsize 65536"),
        ProxyMistake::PlainHttp => at(
            "in frontend http",
            "http-request redirect scheme https code 301",
        ),
        ProxyMistake::NoHttp2 => at("in each bind of frontend https", "alpn h2,http/1.1"),
        ProxyMistake::Certificate => at(
            "in each bind of frontend https",
            "crt /etc/ssl/private/@APP_HOST@.crt",
        ),
        ProxyMistake::CheckIsPublic => at(
            "in backend postern_gate",
            "http-request deny deny_status 404 if { path_beg /check/ }",
        ),
        ProxyMistake::NoKeepAlive => None,
    }
}
