//! After the sign-in, a browser goes back to the application and to no other place.

use crate::case::{Case, CaseResult, ensure, skipped};
use crate::net::reply::Reply;
use crate::sign_in::{SignInRun, attribute, encoded};
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "rd",
            "no sign-in page leads a stranger to another site",
            strangers,
        )
        .seen_in(&["CVE-2021-29456", "tinyauth f9fff24c"]),
        Case::new(
            "rd",
            "no sign-in page leads a person who is signed in to another site",
            signed_in,
        )
        .seen_in(&["CVE-2021-29456"]),
        Case::new(
            "rd",
            "password and code lead to no other site",
            after_the_code,
        )
        .seen_in(&["tinyauth f9fff24c"]),
        Case::new("rd", "the sign-out leads to no other site", sign_out),
        Case::new("rd", "the page asked for comes after the code", asked_for),
    ]
}

/// Returns what an attacker asks for instead of a page of the application.
fn foreign(suite: &Suite) -> Vec<String> {
    let (host, app) = (
        &suite.target.application.url.host,
        suite.target.application.url.authority(),
    );
    // A domain whose name ends as the application's does.
    let neighbour = host.replacen('.', ".evil", 1);
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example/",
        "https:\\\\evil.example/",
        "http://{app}/",
        "https://{app}@evil.example/",
        "https://evil.example\\@{app}/",
        "https://user:password@evil.example/",
        "https://{host}.evil.example/",
        "https://{neighbour}/",
        "https://evil.example#.{host}/",
        "https://evil.example?.{host}/",
        "https://evil.example%2f.{host}/",
        "https://evil.example:443/",
        "https://evil.example./",
        "https://\u{430}pp.example.test/",
        " https://evil.example/",
        "\thttps://evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://{app}/\r\nX-Injected: 1",
        "https://{app}/%0d%0aX-Injected: 1",
        "HTTPS://EVIL.EXAMPLE/",
    ]
    .map(|text| {
        text.replace("{app}", &app)
            .replace("{host}", host)
            .replace("{neighbour}", &neighbour)
    })
    .to_vec()
}

/// Returns where a browser goes from a reference (WHATWG URL), if that is neither the application
/// nor the gate.
fn leads_away(suite: &Suite, reference: &str) -> Option<String> {
    let plain: String = reference
        .chars()
        .filter(|c| !c.is_ascii_control())
        .collect::<String>()
        .trim()
        .replace('\\', "/");
    let lower = plain.to_ascii_lowercase();
    let scheme_end = lower.find([':', '/', '?', '#']);
    let scheme = scheme_end.filter(|end| lower[*end..].starts_with(':'));
    let rest = match scheme.map(|end| (&lower[..end], &lower[end + 1..])) {
        Some(("https", rest)) => rest.trim_start_matches('/'),
        Some(_) => return Some(plain),
        None if lower.starts_with("//") => lower.trim_start_matches('/'),
        None => return None,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches('.');
    let target = &suite.target;
    let mut own = vec![&target.application.url.host, &target.gate.url.host];
    own.extend(target.application.other_url.as_ref().map(|url| &url.host));
    (!own.iter().any(|name| *name == host)).then_some(plain)
}

/// Fails if a response leads a browser to another site.
fn stays(suite: &Suite, what: &str, reply: &Reply) -> CaseResult {
    ensure(reply.header("x-injected").is_none(), || {
        format!("{what}: a header is injected")
    })?;
    let mut references: Vec<String> = reply.all("location").map(str::to_owned).collect();
    for refresh in reply.all("refresh") {
        references.extend(refresh.split_once('=').map(|(_, url)| url.to_owned()));
    }
    let text = reply.text();
    for tag in text.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let linked = ["href", "action", "src", "formaction"];
        references.extend(linked.iter().filter_map(|name| attribute(tag, name)));
        if tag.starts_with("meta") {
            let content = attribute(tag, "content").unwrap_or_default();
            let url = content.split_once("url=").map(|(_, url)| url.to_owned());
            references.extend(url);
        }
    }
    for reference in references {
        let away = leads_away(suite, &reference);
        ensure(away.is_none(), || format!("{what} leads to {reference}"))?;
    }
    Ok(())
}

fn strangers(suite: &mut Suite) -> CaseResult {
    let page = suite.target.gate.return_page.clone();
    let page = suite.needs("gate.return_page", page)?;
    for rd in foreign(suite) {
        let url = suite.page(&page.replace("{rd}", &encoded(&rd)));
        let reply = suite.stranger().load(&url)?;
        stays(suite, &format!("the page for {rd:?}"), &reply)?;
    }
    Ok(())
}

fn signed_in(suite: &mut Suite) -> CaseResult {
    let page = suite.target.gate.return_page.clone();
    let page = suite.needs("gate.return_page", page)?;
    let mut browser = suite.signed_in()?;
    for rd in foreign(suite) {
        let url = suite.page(&page.replace("{rd}", &encoded(&rd)));
        let reply = browser.load(&url)?;
        stays(suite, &format!("the page for {rd:?}"), &reply)?;
    }
    Ok(())
}

fn after_the_code(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let foreign = foreign(suite);
    // Each takes a code: without a command to advance the clock, one must do.
    let count = match suite.target.commands.advance {
        Some(_) => foreign.len(),
        None => 1,
    };
    for rd in foreign.into_iter().take(count) {
        let run = SignInRun::new(&suite.target, &account).with_rd(&rd);
        let mut browser = suite.stranger();
        let ended = run.try_password(&mut browser, &account.password)?;
        stays(suite, &format!("the password with {rd:?}"), &ended.reply)?;
        if !ended.as_expected {
            continue;
        }
        let code = suite.fresh_code(&account)?;
        let ended = run.try_code(&mut browser, &code)?;
        stays(suite, &format!("the code with {rd:?}"), &ended.reply)?;
    }
    Ok(())
}

fn sign_out(suite: &mut Suite) -> CaseResult {
    let Some(step) = suite.target.sign_in.sign_out.last().cloned() else {
        return skipped("the target has no sign_in.sign_out");
    };
    let path = step.request.split(' ').nth(1).unwrap_or_default();
    for rd in foreign(suite) {
        let fields = [("rd", rd.as_str())];
        let reply = suite.stranger().send_form(&suite.page(path), &fields)?;
        stays(suite, &format!("the sign-out with {rd:?}"), &reply)?;
    }
    Ok(())
}

fn asked_for(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let asked = suite.app("/notes/7?a=1&b=%2Fx%20y").to_string();
    let run = SignInRun::new(&suite.target, &account).with_rd(&asked);
    let mut browser = suite.stranger();
    run.password(&mut browser)?;
    let reply = run.code(&mut browser, &suite.fresh_code(&account)?)?;
    let location = reply.header("location");
    ensure(location == Some(&asked), || {
        format!("after the code, {asked} became {location:?}")
    })
}
