//! What a request without a session is answered: a page load leads to the sign-in page and back,
//! scripts and programs get a 401 with a challenge that suits them, and nothing is cached.

use super::access::describe;
use super::advice::ProxyMistake;
use super::http::{ProbeAnswer, ProbeRequest};
use super::origin::CheckedUrl;
use super::{UrlCheck, shortened};
use crate::check::finding::Finding;

impl UrlCheck<'_> {
    pub(super) fn check_answers(&mut self, first: &ProbeAnswer) {
        let begin = self.findings.len();
        self.check_redirect(first);
        self.check_script();
        self.check_preflight();
        self.check_program();
        if self.findings.len() == begin {
            self.ok(
                "answers",
                "page loads lead to the sign-in page and back; scripts and programs get their 401",
            );
        }
        self.check_sign_in_page(first);
    }

    fn check_redirect(&mut self, first: &ProbeAnswer) {
        if !self.leads_to_gate(first) {
            return self.fault(
                "answers",
                format_args!(
                    "a page load is answered {} and does not lead to the sign-in page, so no one can sign in",
                    describe(first)
                ),
                ProxyMistake::NoRedirect,
            );
        }
        let to = first.header("location").and_then(|to| self.url.join(to));
        let back = to.and_then(|to| to.query_value("rd"));
        let leads_back = back
            .as_deref()
            .is_some_and(|back| CheckedUrl::parse(back).as_ref() == Ok(self.url));
        if !leads_back {
            let url = self.url;
            self.warning(
                "answers",
                format_args!(
                    "after the sign-in, the browser is led to {} instead of {url}",
                    shortened(back.as_deref().unwrap_or("no page"))
                ),
                ProxyMistake::OriginalFromClient,
            );
        }
        let cached = first.header("cache-control").unwrap_or_default();
        if cached.contains("public") || cached.contains("max-age") && !cached.contains("max-age=0")
        {
            self.warning(
                "answers",
                format_args!(
                    "the redirect to the sign-in page may be cached: Cache-Control: {}",
                    shortened(cached)
                ),
                ProxyMistake::NoRedirect,
            );
        }
    }

    fn check_script(&mut self) {
        let request = ProbeRequest::script("GET", &self.url.target);
        let Ok(answer) = self.send(&request) else {
            return self.unanswered("a request of a script");
        };
        self.check_challenge("a request of a script", &answer, false);
    }

    fn check_preflight(&mut self) {
        let request = ProbeRequest::script("OPTIONS", &self.url.target)
            .line("Origin: https://other.example")
            .line("Access-Control-Request-Method: PUT")
            .line("Access-Control-Request-Headers: authorization");
        let Ok(answer) = self.send(&request) else {
            return self.unanswered("a CORS preflight");
        };
        if (300..400).contains(&answer.status) || answer.status >= 500 {
            self.warning(
                "answers",
                format_args!(
                    "a CORS preflight is answered {} instead of 401",
                    describe(&answer)
                ),
                ProxyMistake::HeadersNotSent,
            );
        }
    }

    fn check_program(&mut self) {
        let request = ProbeRequest::program("GET", &self.url.target);
        let Ok(answer) = self.send(&request) else {
            return self.unanswered("a request of a program");
        };
        self.check_challenge("a request of a program", &answer, true);
    }

    /// Checks a 401: programs wait for Basic before they send an app password, and a browser opens
    /// a dialog for it.
    fn check_challenge(&mut self, what: &str, answer: &ProbeAnswer, is_program: bool) {
        if answer.status != 401 {
            return self.warning(
                "answers",
                format_args!("{what} is answered {} instead of 401", describe(answer)),
                ProxyMistake::HeadersNotSent,
            );
        }
        let has_basic = |challenge: &str| challenge.to_ascii_lowercase().starts_with("basic");
        let mut challenges = answer.headers_of("www-authenticate").peekable();
        if challenges.peek().is_none() {
            let what = format!("the 401 to {what} has no challenge");
            return self.warning("answers", what, ProxyMistake::NoChallenge);
        }
        let is_basic = challenges.any(has_basic);
        match (is_program, is_basic) {
            (true, false) => self.warning(
                "answers",
                format_args!(
                    "{what} gets no Basic challenge, so that it never sends an app password"
                ),
                ProxyMistake::NoChallenge,
            ),
            (false, true) => self.warning(
                "answers",
                format_args!("{what} gets a Basic challenge, for which the browser opens a dialog"),
                ProxyMistake::HeadersNotSent,
            ),
            _ => {}
        }
    }

    /// Loads the sign-in page.
    fn check_sign_in_page(&mut self, first: &ProbeAnswer) {
        let to = first.header("location").and_then(|to| self.url.join(to));
        let Some(to) = to.filter(|_| self.leads_to_gate(first)) else {
            return;
        };
        let answer = match self
            .client
            .send(&to.origin, &ProbeRequest::page(&to.target))
        {
            Ok(answer) => answer,
            Err(error) => {
                let what = format!("the sign-in page at {} is not reached: {error}", to.origin);
                return self.findings.push(Finding::fault("pages", what));
            }
        };
        if answer.status != 200 {
            let what = format!(
                "the sign-in page at {} is answered {}",
                to.origin,
                describe(&answer)
            );
            return self.findings.push(Finding::fault("pages", what).remedy(
                "compare gate.url in postern.toml, and the proxy's part for the pages of the gate",
            ));
        }
        let begin = self.findings.len();
        self.check_cookies(&answer);
        if !answer
            .header("cache-control")
            .is_some_and(|value| value.contains("no-store"))
        {
            self.page_warning(
                "may be cached: the proxy removes or changes Cache-Control: no-store",
            );
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        if !policy.contains("frame-ancestors 'none'") {
            self.page_warning("may be framed by other sites: the proxy removes or changes Content-Security-Policy");
        }
        if self.findings.len() == begin {
            self.ok(
                "pages",
                format_args!("the sign-in page is at {}", to.origin),
            );
        }
    }

    fn page_warning(&mut self, what: &str) {
        let finding = Finding::warning("pages", format_args!("the sign-in page {what}"));
        self.findings
            .push(finding.remedy("pass on the headers of the gate unchanged"));
    }

    /// Checks the cookies that the gate sets.
    pub(super) fn check_cookies(&mut self, answer: &ProbeAnswer) {
        for cookie in answer.headers_of("set-cookie") {
            let name = cookie.split('=').next().unwrap_or_default();
            let mut attributes = cookie
                .split(';')
                .skip(1)
                .map(|part| part.trim().to_ascii_lowercase());
            let all: Vec<_> = attributes.by_ref().collect();
            let lacks = ["secure", "httponly", "samesite"]
                .into_iter()
                .find(|wanted| {
                    !all.iter()
                        .any(|part| part.split('=').next() == Some(wanted))
                });
            if let Some(lacks) = lacks.filter(|_| name.contains("postern")) {
                let what = format!("the cookie {} arrives without {lacks}", shortened(name));
                self.findings.push(
                    Finding::fault("pages", what)
                        .remedy("the proxy must not change Set-Cookie of the gate"),
                );
            }
        }
    }

    fn unanswered(&mut self, what: &str) {
        self.warning(
            "answers",
            format_args!("{what} gets no answer"),
            ProxyMistake::HeadersNotSent,
        );
    }
}
