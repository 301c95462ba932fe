//! Scanning of Cookie lines: every valid value of ours is found, and every foreign cookie passes on
//! byte for byte.

use super::*;

const NAME: &str = "__Secure-postern";
/// A value of valid form that is valid.
const GOOD: &str = "good-good-good-good";
/// A value of valid form that is not valid.
const BAD: &str = "bad-bad-bad-bad-bad";

/// Returns the values, and the line that the application receives.
#[track_caller]
fn scanned(line: &[u8]) -> (Vec<&str>, Vec<u8>) {
    let scanned = scan_cookies(line, NAME);
    let others = scanned.foreign_cookies(|value| value == GOOD).into_owned();
    (scanned.values.to_vec(), others)
}

#[test]
fn our_cookies_are_removed_and_foreign_ones_stay() {
    for (line, values, others) in [
        ("a=1; __Secure-postern=G; b=2", vec![GOOD], "a=1; b=2"),
        ("__Secure-postern=G; b=2", vec![GOOD], "b=2"),
        ("a=1;__Secure-postern=G;b=2", vec![GOOD], "a=1;b=2"),
        ("__Secure-postern=G", vec![GOOD], ""),
        ("__Secure-postern=", vec![], ""),
        ("__Secure-postern", vec![], ""),
        (" \t__Secure-postern=\t G ", vec![GOOD], ""),
        ("a=1; __Secure-postern \t=G", vec![], "a=1"),
        (
            "__Host-postern-browser=y;__Secure-postern=G;",
            vec![GOOD],
            "",
        ),
        ("__Host-postern-browser=G; a=1", vec![], "a=1"),
        ("a=1;b=2", vec![], "a=1;b=2"),
        (" a=1;; b=2; ", vec![], " a=1;; b=2; "),
        (" a=1;; __Secure-postern=G", vec![GOOD], " a=1;"),
        ("", vec![], ""),
        (
            "postern_theme=dark; c=\"q=1\"",
            vec![],
            "postern_theme=dark; c=\"q=1\"",
        ),
        // Values of invalid form: too short, quoted, or with other bytes.
        ("__Secure-postern=short; a=1", vec![], "a=1"),
        ("__Secure-postern=\"G\"; a=1", vec![], "a=1"),
        ("__Secure-postern=G=G; a=1", vec![], "a=1"),
        // Names of other cookies.
        ("__secure-postern=G", vec![], "__secure-postern=G"),
        ("__Secure-posterna=G", vec![], "__Secure-posterna=G"),
        ("postern=G", vec![], "postern=G"),
    ] {
        let line = line.replace('G', GOOD);
        assert_eq!(
            scanned(line.as_bytes()),
            (values, others.replace('G', GOOD).into_bytes()),
            "{line}"
        );
    }
}

/// Our name twice, once valid: neither value hides the other, and the application receives none.
#[test]
fn each_distinct_value_under_our_name_is_found_once() {
    let line = format!("{NAME}={BAD}; a=1; {NAME}={GOOD}; {NAME}=x; {NAME}={GOOD}; {NAME}={BAD}");
    assert_eq!(scanned(line.as_bytes()), (vec![BAD, GOOD], b"a=1".to_vec()));
    let planted: String = (0..200)
        .map(|n| format!("{NAME}=planted-planted-{n}; "))
        .collect();
    assert_eq!(scanned(planted.as_bytes()).0.len(), 200);
}

/// A foreign cookie in any encoding, or with our name in its value, causes no conflict.
#[test]
fn foreign_cookies_go_on_byte_for_byte() {
    let foreign: [&[u8]; 9] = [
        b"n=Zo\xeb",
        b"n=\xff\xfe; m=\"\xc0\xaf",
        b"last=__Secure-postern=bad-bad-bad-bad-bad",
        b"x__Secure-postern=1",
        b"q=\"__Secure-postern=x",
        b"a=1, __Secure-postern=bad-bad-bad-bad-bad",
        b"a=1,__Secure-postern=x, b=2",
        b"a=1, __Host-postern-browser=good-good-good-good",
        b"=,=;=,;__Secure-poster",
    ];
    for foreign in foreign {
        assert_eq!(scanned(foreign).1, foreign, "{foreign:?}");
        let ours = format!("{NAME}={GOOD}");
        let (before, after) = (
            [ours.as_bytes(), b"; ", foreign].concat(),
            [foreign, b"; ", ours.as_bytes()].concat(),
        );
        for line in [before, after] {
            let (values, others) = scanned(&line);
            assert!(values.contains(&GOOD), "{line:?}");
            assert_eq!(others, foreign, "{line:?}");
        }
    }
}

/// Some proxies join Cookie lines with a comma, which RFC 9110, section 5.3, and RFC 6265 do not
/// allow.
#[test]
fn a_comma_before_a_valid_value_of_ours_begins_a_cookie_and_one_after_it_ends_it() {
    for (line, values, others) in [
        ("a=1, __Secure-postern=G", vec![GOOD], "a=1"),
        (
            "a=1,__Secure-postern=G, b=2; c=3",
            vec![GOOD],
            "a=1, b=2; c=3",
        ),
        (
            "a=1, __Secure-postern=B",
            vec![BAD],
            "a=1, __Secure-postern=B",
        ),
        (
            "a=1, __Secure-postern=B, __Secure-postern=G",
            vec![BAD, GOOD],
            "a=1, __Secure-postern=B",
        ),
        ("__Secure-postern=G, a=1", vec![GOOD], "a=1"),
        (
            "__Secure-postern=B, __Secure-postern=G, a=1; b=2",
            vec![BAD, GOOD],
            "a=1; b=2",
        ),
        (
            "__Secure-postern=G, __Host-postern-browser=y",
            vec![GOOD],
            "",
        ),
    ] {
        let fill = |text: &str| text.replace('G', GOOD).replace('B', BAD);
        let line = fill(line);
        assert_eq!(
            scanned(line.as_bytes()),
            (values, fill(others).into_bytes()),
            "{line}"
        );
    }
}

/// Random lines of fragments with and without a meaning: nothing panics, no valid cookie of ours
/// passes on, and no foreign cookie is lost.
#[test]
fn random_lines_keep_foreign_cookies_and_lose_ours() {
    let parts: [&[u8]; 16] = [
        b";",
        b";",
        b"; ",
        b",",
        b", ",
        b"=",
        b" ",
        b"\t",
        b"a=1",
        b"\xff",
        b"\"",
        b"__Secure-postern",
        b"__Host-postern-browser",
        b"__Secure-postern=good-good-good-good",
        b"=bad-bad-bad-bad-bad",
        b"postern",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..50_000 {
        let mut line = Vec::new();
        for _ in 0..random(24) {
            match random(8) {
                0 => line.push(u8::try_from(random(256)).unwrap()),
                _ => line.extend_from_slice(parts[usize::try_from(random(16)).unwrap()]),
            }
        }
        let (_, others) = scanned(&line);
        let again = scanned(&others);
        assert!(
            !again.0.contains(&GOOD),
            "{:?} left {:?}",
            line.escape_ascii(),
            others.escape_ascii()
        );
        assert_eq!(
            again.1,
            others,
            "what goes on is foreign: {}",
            line.escape_ascii()
        );
        for cookie in line
            .split(|byte| *byte == b';')
            .filter(|cookie| !contains(cookie, b"postern"))
        {
            assert!(
                contains(&others, trim_blanks(cookie)),
                "{:?} lost {cookie:?}",
                line.escape_ascii()
            );
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || memchr::memmem::find(text, part).is_some()
}

/// A token that is cleared, issued twice, or without its attributes would stay, or go to an
/// application.
#[test]
fn issued_and_cleared_tokens_have_the_attributes_of_their_cookies() {
    let domain = GateConfig {
        cookie_domain: Some("example.com".to_owned().try_into().unwrap()),
        ..GateConfig::default()
    };
    let issued = |text: &str| Some(TokenChange::Issued(text.to_owned().into(), 60));
    let changes = TokenChanges {
        session: issued("a"),
        trusted_browser: issued("b"),
        login: Some(TokenChange::Cleared),
        enrollment: None,
        step_up: issued("c"),
    };
    assert_eq!(
        CookieBuilder::new(&domain, "/").render(&changes),
        [
            "__Secure-postern=a; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com; Max-Age=60",
            "__Host-postern-login=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
            "__Host-postern-browser=b; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60",
            "__Host-postern-step-up=c; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=60",
        ]
    );
    assert_eq!(
        CookieBuilder::new(&domain, "/_postern/").render(&TokenChanges::signed_out()),
        [
            "__Host-postern=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0",
            "__Secure-postern-login=; HttpOnly; SameSite=Lax; Secure; Path=/_postern/; Max-Age=0",
            "__Secure-postern-step-up=; HttpOnly; SameSite=Strict; Secure; Path=/_postern/; Max-Age=0",
            "__Secure-postern-enrollment=; HttpOnly; SameSite=Strict; Secure; Path=/_postern/; Max-Age=0",
        ]
    );
}

#[test]
fn the_language_is_found_beside_other_cookies() {
    let name = "__Host-postern-language";
    for (line, value) in [
        ("__Host-postern-language=de", Some("de")),
        ("a=1; __Host-postern-language=de; b=2", Some("de")),
        (
            "__Host-postern-language=fr; __Host-postern-language=de",
            Some("fr"),
        ),
        ("__Host-postern-language=", Some("")),
        ("__Host-postern-languages=de", None),
        ("x__Host-postern-language=de", None),
        ("a=__Host-postern-language=de", None),
        ("", None),
    ] {
        assert_eq!(find_plain_cookie(line.as_bytes(), name), value, "{line}");
    }
    let unreadable = b"__Host-postern-language=\xff";
    assert_eq!(find_plain_cookie(unreadable, name), None);
}
