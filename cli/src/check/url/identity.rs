//! What the application receives in a session (`--user`, `--listen`): the identity from the gate
//! alone, no cookie of the gate, no secret of the proxy, and nothing that a client claims.

use super::UrlCheck;
use super::access::Passage;
use super::advice::ProxyMistake;
use super::application::ArrivedRequest;
use super::claims::FORGED_ADDRESS;
use super::http::{ProbeAnswer, ProbeRequest};
use super::sign_in::{CookieJar, at};
use crate::check::finding::Finding;
use crate::terminal::output::{CommandResult, Output};
use postern_shared::account::name::UserName;
use postern_shared::config::gate::ProxyKind;

/// Headers that name the user.
pub(super) const IDENTITY: [&str; 4] = [
    "Remote-User",
    "Remote-Groups",
    "Remote-Email",
    "Remote-Name",
];

/// Headers in which applications read a client's address, the requested URL, or another identity.
pub(super) const CLIENT_HEADERS: [&str; 13] = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Original-URI",
    "X-Original-URL",
    "X-Real-IP",
    "X-Rewrite-URL",
];

/// Headers in which applications read a client's address.
const ADDRESSES: [&str; 2] = ["X-Forwarded-For", "X-Real-IP"];

const FORGED: &str = "postern-check-forged";

impl UrlCheck<'_> {
    /// Signs in, attacks as a user with a session, and signs out.
    pub(super) fn check_session(
        &mut self,
        output: Output,
        user: &UserName,
        first: &ProbeAnswer,
    ) -> CommandResult {
        let begin = self.findings.len();
        let Some(mut jar) = self.sign_in(output, user, first)? else {
            return Ok(());
        };
        self.check_own_address(&mut jar);
        let cookies = jar.value_for(&self.url.origin, &self.url.target);
        let cookies = format!("Cookie: postern-check=1; {cookies}");
        if self.opens_with(&cookies) {
            self.check_arrivals(&cookies, user);
            self.check_many_cookies(&cookies);
            self.check_no_cache();
        }
        match self.sign_out(&mut jar) {
            Ok(answer) if answer.status < 400 => self.check_signed_out(&cookies),
            _ => self.findings.push(
                Finding::warning("identity", "the session of this check was not ended")
                    .remedy(format_args!("postern session revoke {user} --all")),
            ),
        }
        if self.findings.len() == begin {
            self.ok(
                "identity",
                "the application receives the identity from the gate alone, and no secret",
            );
        }
        Ok(())
    }

    /// Returns a page load with more lines.
    fn page_with(&self, lines: &[String]) -> ProbeRequest {
        let request = ProbeRequest::page(&self.url.target);
        lines
            .iter()
            .fold(request, |request, line| request.line(line.clone()))
    }

    /// Whether the page opens in the session.
    fn opens_with(&mut self, cookies: &str) -> bool {
        let request = self.page_with(&[cookies.to_owned()]);
        let Ok(answer) = self.send(&request) else {
            return self.does_not_open("it is not answered");
        };
        let page = self.gate_page(&answer);
        match (answer.status, page.as_deref()) {
            (401, _) | (_, Some("sign-in")) => {
                self.fault(
                    "identity",
                    "the page does not open after the sign-in: the gate does not see the session",
                    ProxyMistake::CookieNotSent,
                );
                return false;
            }
            (403, _) | (_, Some(_)) => {
                return self.does_not_open("it needs more, or this account may not open it");
            }
            _ => {}
        }
        let Some(application) = &self.application else {
            return true;
        };
        let has_arrived = application.arrived(answer.number).is_some();
        if !has_arrived {
            self.findings.push(
                Finding::skipped(
                    "identity",
                    "the page opened, and the request did not arrive at --listen",
                )
                .remedy("lead the proxy to the address of --listen for the length of the check"),
            );
        }
        has_arrived
    }

    fn does_not_open(&mut self, why: &str) -> bool {
        let what = format!("the page does not open after the sign-in: {why}");
        self.findings.push(Finding::skipped("identity", what));
        false
    }

    /// Sends a request in the session, and returns it as it arrived.
    fn arrival(&self, lines: &[String]) -> Option<ArrivedRequest> {
        let answer = self.send(&self.page_with(lines)).ok()?;
        self.application.as_ref()?.arrived(answer.number)
    }

    fn check_arrivals(&mut self, cookies: &str, user: &UserName) {
        if self.application.is_none() {
            return self.findings.push(Finding::skipped(
                "identity",
                "what the application receives is seen with --listen only",
            ));
        }
        let with = |lines: &[String]| [&[cookies.to_owned()], lines].concat();
        let plain = self.arrival(&with(&[])).unwrap_or_default();
        self.check_user(&plain, user, "");
        self.check_secrets(&plain);
        let forged: Vec<_> = IDENTITY.map(|name| format!("{name}: {FORGED}")).into();
        self.check_forged_identity(self.arrival(&with(&forged)).as_ref(), user);
        let again = ["Remote-User:".to_owned(), format!("remote-user: {FORGED}")];
        self.check_forged_identity(self.arrival(&with(&again)).as_ref(), user);
        for (names, separator, mistake) in [
            (&IDENTITY[..], "_", ProxyMistake::AliasWithUnderscore),
            (&IDENTITY, ".", ProxyMistake::AliasWithDot),
            (&ADDRESSES, "_", ProxyMistake::ClientAliasWithUnderscore),
            (&ADDRESSES, ".", ProxyMistake::ClientAliasWithDot),
        ] {
            let aliases: Vec<_> = names
                .iter()
                .map(|name| name.replace('-', separator))
                .collect();
            let lines: Vec<_> = aliases
                .iter()
                .map(|alias| format!("{alias}: {FORGED}"))
                .collect();
            let arrived = self.arrival(&with(&lines)).unwrap_or_default();
            self.check_aliases(&arrived, &aliases, mistake);
        }
        self.check_client_headers(&with(&[]));
        self.check_connection(cookies, user);
        self.check_two_cookie_lines(cookies);
    }

    /// Checks that the application receives the user's name, once.
    fn check_user(&mut self, arrived: &ArrivedRequest, user: &UserName, when: &str) {
        let names: Vec<_> = arrived.values("Remote-User").collect();
        if names != [user.as_str()] {
            let seen = match names.len() {
                0 => "no Remote-User".to_owned(),
                1 => "another Remote-User".to_owned(),
                count => format!("{count} times Remote-User"),
            };
            self.fault(
                "identity",
                format_args!("the application receives {seen}{when}"),
                ProxyMistake::IdentityNotCopied("Remote-User"),
            );
        }
    }

    fn check_secrets(&mut self, arrived: &ArrivedRequest) {
        let line = arrived.values("Cookie").collect::<Vec<_>>().join("; ");
        if line.contains("__Secure-postern") || line.contains("__Host-postern") {
            self.fault(
                "identity",
                "the application receives the session cookie of the gate, and can use it elsewhere",
                ProxyMistake::CookieNotCopied,
            );
        } else if !line.contains("postern-check=1") {
            self.warning(
                "identity",
                "the application does not receive its own cookies",
                ProxyMistake::CookieNotCopied,
            );
        }
        if arrived
            .values("X-Postern-Proxy")
            .any(|value| !value.is_empty())
        {
            self.fault(
                "identity",
                "the application receives the secret with which the proxy proves itself to the gate",
                ProxyMistake::ProofNotRemoved,
            );
        }
    }

    /// Checks what arrives of a forged identity; a proxy may refuse the request instead.
    fn check_forged_identity(&mut self, arrived: Option<&ArrivedRequest>, user: &UserName) {
        let Some(arrived) = arrived else {
            return;
        };
        let forged = IDENTITY
            .into_iter()
            .find(|name| arrived.values(name).any(|value| value.contains(FORGED)));
        match forged {
            Some(name) => self.fault(
                "identity",
                format_args!("a client can forge {name}: the application receives the client's"),
                ProxyMistake::IdentityNotCopied(name),
            ),
            None => self.check_user(arrived, user, " when a client sends one too"),
        }
    }

    fn check_aliases(
        &mut self,
        arrived: &ArrivedRequest,
        aliases: &[String],
        mistake: ProxyMistake,
    ) {
        let passes = |alias: &&String| {
            let mut headers = arrived.headers.iter();
            headers.any(|(name, value)| name.eq_ignore_ascii_case(alias) && value.contains(FORGED))
        };
        if let Some(alias) = aliases.iter().find(passes) {
            self.fault(
                "identity",
                format_args!(
                    "{alias} of a client passes, and CGI applications cannot tell it from {}",
                    alias.replace(['_', '.'], "-")
                ),
                mistake,
            );
        }
    }

    fn check_client_headers(&mut self, lines: &[String]) {
        let forged = CLIENT_HEADERS.map(|name| match name {
            "Forwarded" => format!("{name}: for={FORGED_ADDRESS}"),
            "X-Forwarded-For" | "X-Real-IP" => format!("{name}: {FORGED_ADDRESS}"),
            "X-Forwarded-Proto" => format!("{name}: {FORGED}"),
            name => format!("{name}: /{FORGED}"),
        });
        let Some(arrived) = self.arrival(&[lines, &forged].concat()) else {
            return;
        };
        let is_forged = |value: &str| value.contains(FORGED) || value.contains(FORGED_ADDRESS);
        let passed = CLIENT_HEADERS
            .into_iter()
            .filter(|name| arrived.values(name).any(is_forged));
        let passed: Vec<_> = passed.collect();
        if let Some(first) = passed.first() {
            self.fault(
                "identity",
                format_args!(
                    "the application receives what a client claims in {}",
                    passed.join(", ")
                ),
                ProxyMistake::ClientHeaderPasses(first),
            );
        }
    }

    /// In Connection, a client names headers that a proxy removes.
    fn check_connection(&mut self, cookies: &str, user: &UserName) {
        let named = "Connection: close, Remote-User";
        let lines = [cookies.to_owned(), named.to_owned()];
        if let Some(arrived) = self.arrival(&lines) {
            if !arrived.values("Remote-User").eq([user.as_str()]) {
                self.fault(
                    "identity",
                    "a client removes the identity with Connection: Remote-User, and the application sees no user",
                    ProxyMistake::ConnectionRemoves,
                );
            }
        }
    }

    fn check_two_cookie_lines(&mut self, cookies: &str) {
        let lines = [
            "Cookie: a=1".to_owned(),
            cookies.to_owned(),
            "Cookie: b=2".to_owned(),
        ];
        if let Some(arrived) = self.arrival(&lines) {
            self.check_secrets(&arrived);
        }
    }

    /// Sends 21 kB of cookies, in lines that every proxy accepts.
    fn check_many_cookies(&mut self, cookies: &str) {
        let large = |name: &str| format!("Cookie: {name}={}", "x".repeat(7000));
        let lines = [cookies.to_owned(), large("a"), large("b"), large("c")];
        let Ok(answer) = self.send(&self.page_with(&lines)) else {
            return;
        };
        let what = format!("cookies of 21 kB lead to {}", answer.status);
        match answer.status {
            500.. => self.fault("identity", what, ProxyMistake::SmallBuffers),
            // Apache takes 8 kB of cookies in all, unless LimitRequestFieldSize is raised
            400 if self.proxy == Some(ProxyKind::Apache) => {}
            400..=499 => self.warning("identity", what, ProxyMistake::SmallBuffers),
            _ => {}
        }
    }

    /// Loads the page without a session once more: a proxy may have kept the gate's reply.
    fn check_no_cache(&mut self) {
        let Ok(answer) = self.get_page() else {
            return;
        };
        if self.passage(&answer) != Passage::Denied {
            self.fault(
                "identity",
                "after somebody has opened the page, it opens without a session: the proxy keeps replies of the gate",
                ProxyMistake::CachedCheck,
            );
        }
    }

    fn check_signed_out(&mut self, cookies: &str) {
        let request = self.page_with(&[cookies.to_owned()]);
        let Ok(answer) = self.send(&request) else {
            return;
        };
        if self.passage(&answer) != Passage::Denied {
            self.fault(
                "identity",
                "the page still opens after the sign-out: the proxy keeps replies of the gate",
                ProxyMistake::CachedCheck,
            );
        }
    }

    /// Looks at the address that the gate shows for this session. The sign-in claimed another one.
    fn check_own_address(&mut self, jar: &mut CookieJar) {
        let Some(pages) = self.pages.clone() else {
            return;
        };
        let Ok(answer) = self.visit(jar, &at(&pages, "sign-ins"), None) else {
            return;
        };
        if answer.body.contains(FORGED_ADDRESS) {
            self.fault(
                "claims",
                "the gate trusts the address that a client claims at the sign-in",
                ProxyMistake::AddressFromClient,
            );
        }
    }
}
