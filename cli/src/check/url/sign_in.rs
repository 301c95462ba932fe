//! A session, opened with the pages of the gate as a browser opens it, and its cookies. The command
//! ends the session afterwards.

use super::UrlCheck;
use super::http::{ProbeAnswer, ProbeRequest};
use super::origin::{CheckedUrl, Origin};
use crate::check::finding::Finding;
use crate::terminal::output::{CommandResult, Output};
use crate::terminal::prompt::ask_hidden;
use postern_shared::account::name::UserName;
use postern_shared::config::gate::registrable_domain;
use std::io;

/// Cookies that are kept at most.
const MOST_COOKIES: usize = 20;

/// The cookies of the gate.
#[derive(Default)]
pub(super) struct CookieJar {
    cookies: Vec<KeptCookie>,
}

struct KeptCookie {
    name: String,
    value: String,
    /// The host that set it, or the Domain that it named.
    domain: String,
    is_host_only: bool,
    path: String,
}

impl CookieJar {
    /// Keeps what an answer of this origin sets, as far as RFC 6265 lets it.
    fn keep(&mut self, origin: &Origin, answer: &ProbeAnswer) {
        for line in answer.headers_of("set-cookie") {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (mut domain, mut path) = (None, "/");
            for (key, value) in parts.filter_map(|part| part.split_once('=')) {
                match key.to_ascii_lowercase().as_str() {
                    "domain" => domain = Some(value.trim_start_matches('.').to_ascii_lowercase()),
                    "path" => path = value,
                    _ => {}
                }
            }
            let is_host_only = domain.is_none();
            let domain = domain.unwrap_or_else(|| origin.host.clone());
            if !is_below(&origin.host, &domain) {
                continue;
            }
            self.cookies.retain(|kept| kept.name != name);
            if !value.is_empty() && self.cookies.len() < MOST_COOKIES {
                self.cookies.push(KeptCookie {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    domain,
                    is_host_only,
                    path: path.to_owned(),
                });
            }
        }
    }

    /// Returns the value of the Cookie header for a request.
    pub(super) fn value_for(&self, origin: &Origin, target: &str) -> String {
        let fits = |kept: &&KeptCookie| {
            let host = match kept.is_host_only {
                true => origin.host == kept.domain,
                false => is_below(&origin.host, &kept.domain),
            };
            host && target.starts_with(&kept.path)
        };
        let pairs = self.cookies.iter().filter(fits);
        let pairs: Vec<_> = pairs
            .map(|kept| format!("{}={}", kept.name, kept.value))
            .collect();
        pairs.join("; ")
    }

    /// Whether a cookie of the gate has this ending; the session's has none.
    fn has(&self, ending: &str) -> bool {
        let name = format!("postern{ending}");
        self.cookies.iter().any(|kept| {
            let plain = kept.name.strip_prefix("__Host-");
            plain.or(kept.name.strip_prefix("__Secure-")) == Some(&name)
        })
    }
}

/// Whether a host is the domain or below it.
fn is_below(host: &str, domain: &str) -> bool {
    host == domain
        || host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.') && !domain.is_empty())
}

impl UrlCheck<'_> {
    /// Signs in with password and code. `None` if that failed, which is reported.
    pub(super) fn sign_in(
        &mut self,
        output: Output,
        user: &UserName,
        first: &ProbeAnswer,
    ) -> CommandResult<Option<CookieJar>> {
        let to = first.header("location").and_then(|to| self.url.join(to));
        let pages = self.pages.clone();
        let (Some(page), Some(pages)) = (to.filter(|_| self.leads_to_gate(first)), pages) else {
            self.not_signed_in("there is no sign-in page");
            return Ok(None);
        };
        let site = |origin: &Origin| registrable_domain(&origin.host).map(str::to_owned);
        if site(&pages.origin) != site(&self.url.origin) {
            self.not_signed_in(
                "the sign-in page is at a host of another site, to which no password is sent",
            );
            return Ok(None);
        }
        let mut jar = CookieJar::default();
        let rd = self.url.to_string();
        let password = ask_hidden(output, &format!("Password of {user} at {}: ", pages.origin))?;
        let fields = [
            ("rd", rd.as_str()),
            ("user", user.as_str()),
            ("password", &password),
            ("recovery", ""),
        ];
        let _ = self.visit(&mut jar, &page, None);
        if let Err(error) = self.visit(&mut jar, &at(&pages, "sign-in"), Some(&fields)) {
            self.not_signed_in(&error.to_string());
            return Ok(None);
        }
        if jar.has("-login") {
            let code = ask_hidden(output, "Verification code: ")?;
            let fields = [("code", code.as_str()), ("rd", &rd), ("trust", "")];
            if let Err(error) = self.visit(&mut jar, &at(&pages, "code"), Some(&fields)) {
                self.not_signed_in(&error.to_string());
                return Ok(None);
            }
        }
        if !jar.has("") {
            self.not_signed_in("the gate refused the password or the code");
            return Ok(None);
        }
        Ok(Some(jar))
    }

    /// Ends the session.
    pub(super) fn sign_out(&mut self, jar: &mut CookieJar) -> io::Result<ProbeAnswer> {
        let pages = self.pages.clone();
        let pages = pages.ok_or_else(|| io::Error::other("there is no sign-out page"))?;
        self.visit(jar, &at(&pages, "sign-out"), Some(&[]))
    }

    /// Loads a page of the gate, or sends a form. The headers claim another address, which must
    /// not be trusted.
    pub(super) fn visit(
        &mut self,
        jar: &mut CookieJar,
        page: &CheckedUrl,
        fields: Option<&[(&str, &str)]>,
    ) -> io::Result<ProbeAnswer> {
        let mut request = ProbeRequest::page(&page.target);
        if let Some(fields) = fields {
            let address = super::claims::FORGED_ADDRESS;
            request = request
                .form(&page.origin.to_string(), fields)
                .line(format!("X-Forwarded-For: {address}"))
                .line(format!("X-Real-IP: {address}"));
        }
        let cookies = jar.value_for(&page.origin, &page.target);
        if !cookies.is_empty() {
            request = request.line(format!("Cookie: {cookies}"));
        }
        let answer = self.client.send(&page.origin, &request)?;
        jar.keep(&page.origin, &answer);
        self.check_cookies(&answer);
        Ok(answer)
    }

    fn not_signed_in(&mut self, why: &str) {
        self.findings.push(
            Finding::skipped("identity", format_args!("not signed in: {why}"))
                .remedy("see postern log, and try again with the next code"),
        );
    }
}

/// Returns the URL of a page of the gate.
pub(super) fn at(pages: &CheckedUrl, page: &str) -> CheckedUrl {
    CheckedUrl {
        target: format!("{}{page}", pages.target),
        ..pages.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[&str]) -> ProbeAnswer {
        let pair = |line: &&str| ("set-cookie".to_owned(), (*line).to_owned());
        ProbeAnswer {
            headers: lines.iter().map(pair).collect(),
            ..ProbeAnswer::default()
        }
    }

    #[test]
    fn a_cookie_is_sent_to_its_hosts_and_paths_alone() {
        let origin = |host: &str| {
            CheckedUrl::parse(&format!("https://{host}/"))
                .unwrap()
                .origin
        };
        let (auth, app) = (origin("auth.example.com"), origin("app.example.com"));
        let mut jar = CookieJar::default();
        jar.keep(
            &auth,
            &answer(&[
                "__Secure-postern=s; Domain=example.com; Path=/; Secure",
                "__Host-postern-login=l; Path=/",
                "evil=e; Domain=other.com",
                "deep=d; Path=/x/",
            ]),
        );
        assert_eq!(jar.value_for(&app, "/"), "__Secure-postern=s");
        assert_eq!(jar.value_for(&origin("notexample.com"), "/"), "");
        let all = "__Secure-postern=s; __Host-postern-login=l; deep=d";
        assert_eq!(jar.value_for(&auth, "/x/y"), all);
        assert!(jar.has("") && jar.has("-login") && !jar.has("-browser"));
        jar.keep(&auth, &answer(&["__Secure-postern=; Max-Age=0"]));
        assert!(!jar.has(""));
    }
}
