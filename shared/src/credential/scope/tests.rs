//! Tests of scopes: which terms are accepted, and which requests each covers.

use super::*;

fn named() -> NamedScopes {
    #[derive(Deserialize)]
    struct Doc {
        scope: NamedScopes,
    }
    let text = "[scope.webdav]\nhosts = [\"Cloud.example.com\", \"files.example.com\"]\n\
                paths = [\"/dav\", \"/remote.php/dav/\"]\nmethods = [\"GET\", \"PROPFIND\"]\n\
                [scope.all-of-app]\nhosts = [\"app.example.com\"]\n";
    toml::from_str::<Doc>(text).unwrap().scope
}

#[track_caller]
fn covers(scope: &str, method: &str, host: &str, target: &str) -> bool {
    let scope: AppPasswordScope = scope.parse().unwrap();
    let request = WebRequest {
        host,
        target,
        method,
    };
    scope.covers_request(&named(), &request)
}

#[test]
fn a_scope_is_formatted_as_it_was_parsed() {
    for text in [
        "pam:dovecot",
        "web:app.example.com",
        "web:app.example.com/",
        "web:app.example.com/dav/%20x",
        "web:app.example.com/dav GET,M-SEARCH",
        "web:app.example.com GET",
        "webdav",
        "webdav\npam:dovecot\nweb:app.example.com/x",
    ] {
        assert_eq!(text.parse::<AppPasswordScope>().unwrap().to_string(), text);
    }
    let parsed: AppPasswordScope = "web:APP.Example.com/dav/".parse().unwrap();
    assert_eq!(parsed.to_string(), "web:app.example.com/dav");
}

#[test]
fn malformed_scopes_are_refused() {
    let many = vec!["webdav"; MOST + 1].join("\n");
    for text in [
        "",
        "pam:",
        "pam:a b",
        "pam:../x",
        "web:",
        "web:/dav",
        "web:app.example.com:443",
        "web:app..com",
        "web:*.example.com",
        "web:app.example.com/a/../b",
        "web:app.example.com/%2f",
        "web:app.example.com?x",
        "web:app.example.com/dav?x",
        "web:app.example.com get",
        "web:app.example.com GET, PUT",
        "web:app.example.com ",
        "https://app.example.com/",
        "WebDAV",
        "web dav",
        "smtp:x",
        "webdav\n\nx",
        &many,
        &"a".repeat(600),
    ] {
        assert!(text.parse::<AppPasswordScope>().is_err(), "{text}");
    }
}

/// Such a scope was stored, and then no app password of the account could be read.
#[test]
fn a_scope_that_is_longer_once_it_is_escaped_is_refused() {
    let scope = |length: usize| {
        format!("web:app.example.com/{}", "\u{fc}".repeat(length)).parse::<AppPasswordScope>()
    };
    // six bytes each
    let kept = scope(82).unwrap();
    assert_eq!(kept.to_string().parse(), Ok(kept));
    assert!(scope(83).is_err());
}

#[test]
fn a_service_is_covered_by_its_own_name_alone() {
    let scope: AppPasswordScope = "pam:dovecot\nwebdav\nweb:app.example.com".parse().unwrap();
    assert!(scope.covers_service("dovecot"));
    for other in [
        "sshd", "Dovecot", "dovecot2", "webdav", "web", "pam", "-", "",
    ] {
        assert!(!scope.covers_service(other), "{other}");
    }
    let scope = "pam:app.example.com";
    assert!(!covers(scope, "GET", "app.example.com", "/"));
}

#[test]
fn host_path_and_method_must_all_match() {
    let (app, dav) = ("web:app.example.com", "web:app.example.com/dav");
    let root = "web:app.example.com/ GET";
    for (scope, request, expected) in [
        (app, "DELETE app.example.com/x?y", true),
        (app, "GET other.example.com/x", false),
        (app, "GET app.example.com.evil.test/x", false),
        (app, "GET sub.app.example.com/x", false),
        (app, "GET /x", false),
        (dav, "GET app.example.com/dav", true),
        (dav, "GET app.example.com/dav/a%20b?c=/../", true),
        (dav, "GET app.example.com/%64av/", true),
        (dav, "GET app.example.com/davx", false),
        (dav, "GET app.example.com/", false),
        (root, "GET app.example.com/x", true),
        (root, "HEAD app.example.com/x", false),
        (
            "webdav",
            "PROPFIND cloud.example.com/remote.php/dav/x",
            true,
        ),
        ("webdav", "GET files.example.com/dav", true),
        ("webdav", "GET files.example.com/remote.php/davx", false),
        ("webdav", "PUT files.example.com/dav", false),
        ("webdav", "GET app.example.com/dav", false),
        ("unknown", "GET app.example.com/dav", false),
        ("unknown\nall-of-app", "GET app.example.com/dav", true),
    ] {
        let (method, url) = request.split_once(' ').unwrap();
        let (host, target) = url.split_at(url.find('/').unwrap());
        let covered = covers(scope, method, host, target);
        assert_eq!(covered, expected, "{scope} {request}");
    }
}

#[test]
fn an_ambiguous_path_is_covered_by_no_path() {
    for target in [
        "/dav/../admin",
        "/dav/..",
        "/dav/%2e%2e/admin",
        "/dav/.%2e/admin",
        "/dav/./x",
        "/dav//x",
        "//dav/x",
        "/dav;/x",
        "/dav/..;/admin",
        "/dav/%3b/x",
        "/dav%2fx",
        "/dav/%2F../admin",
        "/dav/%5c..%5cadmin",
        "/dav\\..\\admin",
        "/dav/%00",
        "/dav/%0d%0aX",
        "/dav/%ff",
        "/dav/%c0%ae%c0%ae/admin",
        "/dav/%252e%252e/admin",
        "/dav/%",
        "/dav#",
        "https://app.example.com/dav/x",
        "*",
        "",
    ] {
        for (scope, expected) in [
            ("web:app.example.com/dav", false),
            ("web:app.example.com/", false),
            // every interpretation of the path is a path of this host
            ("web:app.example.com", true),
        ] {
            let covered = covers(scope, "GET", "app.example.com", target);
            assert_eq!(covered, expected, "{scope} {target}");
        }
    }
}

#[test]
fn a_declared_scope_needs_a_host_and_knows_no_other_key() {
    for text in [
        "",
        "hosts = []",
        "hosts = [\"a\"]\nuser = 1",
        "hosts = [\"a:1\"]",
        "hosts = [\"a\"]\npaths = [\"x\"]",
    ] {
        assert!(toml::from_str::<WebScope>(text).is_err(), "{text}");
    }
}
