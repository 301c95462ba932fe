//! The faults: one for each group of cases, under the group's name.

use crate::codes::near_codes;
use crate::fault::message::Request;
use crate::net::echoed::Echoed;
use crate::net::reply::Reply;
use crate::target::Target;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All faults; with `none` every request goes through unchanged.
pub(crate) const NAMES: [&str; 34] = [
    "none",
    "64-kib-cookie",
    "absolute-form",
    "app-password",
    "code",
    "cookies",
    "cors-preflight",
    "doubled-headers",
    "expiry",
    "foreign-cookies",
    "forged-identity",
    "gate-down",
    "headers",
    "http2",
    "malformed-url",
    "methods",
    "network-rule",
    "own-api",
    "parallel-guesses",
    "password-only",
    "rd",
    "restart",
    "revocation",
    "rule-evasion",
    "second-application",
    "server-sent-events",
    "signed-out",
    "throttle",
    "trusted-browser",
    "two-tabs",
    "upload",
    "used-code",
    "websocket",
    "xhr",
];

/// What happens to a request.
pub(super) enum Action {
    /// It goes to the real proxy.
    Pass(Request),
    /// It goes to the application; the gate is not asked.
    Bypass(Request),
    /// It goes to the real proxy, and the fault sees the response.
    Ask(Request),
    Answer(Reply),
}

/// What becomes of a response.
pub(super) enum After {
    Answer(Reply),
    /// The request goes to the application too, and its response is the answer.
    Bypass(Request),
}

/// One planted fault, and what it remembers.
pub(super) struct Fault {
    pub(super) name: String,
    target: Target,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The last response that made a session.
    accepted: Option<Reply>,
    /// Cookie lines with which the application was reached.
    allowed: HashSet<String>,
    /// Passwords that were accepted since the last code.
    passwords: usize,
}

impl Fault {
    pub(super) fn new(name: &str, target: Target) -> Fault {
        Fault {
            name: name.to_owned(),
            target,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_for_application(&self, request: &Request) -> bool {
        request
            .value("Host")
            .eq_ignore_ascii_case(&self.target.application.url.authority())
    }

    fn has_session(&self, request: &Request) -> bool {
        let name = format!("{}=", self.target.gate.session_cookie);
        request.value("Cookie").contains(&name)
    }

    /// Whether the request gives a code that some account's authenticator shows about now.
    fn is_right_code(&self, code: &str) -> bool {
        let accounts = self.target.accounts.iter();
        accounts
            .flat_map(|account| near_codes(account, 1))
            .any(|right| right == code)
    }

    /// Decides what happens to a request.
    pub(super) fn on_request(&self, mut request: Request) -> Action {
        let for_application = self.is_for_application(&request);
        let (code, password) = (request.field("code"), request.field("password"));
        let bypass = match self.name.as_str() {
            "signed-out" => request.value("User-Agent").contains("kube-probe"),
            "password-only" => {
                for_application && !self.has_session(&request) && self.memory().passwords > 0
            }
            "64-kib-cookie" => for_application && request.value("Cookie").len() > 60_000,
            "methods" => request.method == "HEAD",
            "cors-preflight" => {
                request.method == "OPTIONS" && request.count("Access-Control-Request-Method") > 0
            }
            "malformed-url" => request.target.contains("%zz"),
            "absolute-form" => request.target.starts_with("https://"),
            "doubled-headers" => request.count("Host") > 1,
            "websocket" => request.count("Sec-WebSocket-Key") > 0,
            "server-sent-events" => request.value("Accept") == "text/event-stream",
            "upload" => request.method == "PUT",
            "second-application" => {
                let other = self.target.application.other_url.as_ref();
                other.is_some_and(|url| request.value("Host") == url.authority())
            }
            "network-rule" => {
                let rule = self.target.paths.network.as_ref();
                rule.is_some_and(|rule| {
                    let forged = request.value("X-Forwarded-For");
                    request.target == rule.path && forged.contains(&rule.from.to_string())
                })
            }
            "rule-evasion" => {
                let open = self.target.paths.open.as_ref();
                open.is_some_and(|open| request.target.starts_with(open.as_str()))
            }
            "revocation" | "expiry" => {
                let cookies = request.value("Cookie");
                for_application && self.memory().allowed.contains(&cookies)
            }
            _ => false,
        };
        if bypass {
            return Action::Bypass(request);
        }
        match self.name.as_str() {
            "none" => return Action::Pass(request),
            "foreign-cookies" if !request.value("Cookie").is_ascii() => {
                return Action::Answer(plain(400));
            }
            "rd" => {
                let query = request
                    .target
                    .split_once('?')
                    .map_or("", |(_, query)| query);
                let mut fields = form_urlencoded::parse(query.as_bytes());
                let rd = fields
                    .find(|(name, _)| name == "rd")
                    .map(|(_, rd)| rd.into_owned());
                if rd.as_ref().is_some_and(|rd| rd.starts_with("//")) {
                    let location = rd.unwrap_or_default();
                    let mut reply = plain(302);
                    reply.headers.push(("location".to_owned(), location));
                    return Action::Answer(reply);
                }
            }
            "own-api" if request.count("Origin") > 0 && !for_application => {
                let own = format!("https://{}", self.target.gate.url.authority());
                request.set("Origin", &own);
                request.set("Sec-Fetch-Site", "same-origin");
            }
            "throttle" if code.as_ref().is_some_and(|code| !self.is_right_code(code)) => {
                return Action::Answer(plain(401));
            }
            "two-tabs" if code.is_some() && self.memory().passwords > 1 => {
                self.memory().passwords = 0;
                return Action::Answer(plain(400));
            }
            _ => {}
        }
        let is_watched = code.is_some() || password.is_some() || for_application;
        let is_stream = request.count("Upgrade") > 0
            || request.value("Accept") == "text/event-stream"
            || request.value("Content-Type") == "application/octet-stream";
        match is_watched && !is_stream {
            true => Action::Ask(request),
            false => Action::Pass(request),
        }
    }

    /// Decides what becomes of the real proxy's response.
    pub(super) fn on_reply(&self, request: &Request, mut reply: Reply) -> After {
        let echoed = Echoed::read(&reply, &self.target.application.echo);
        let made_session = self.makes_session(&reply);
        let code = request.field("code");
        let mut memory = self.memory();
        if made_session {
            memory.accepted = Some(reply.clone());
            memory.passwords = 0;
        } else if request.field("password").is_some() && reply.status < 400 {
            memory.passwords += 1;
        }
        if echoed.is_some() && self.has_session(request) {
            memory.allowed.insert(request.value("Cookie"));
        }
        let right = code.as_ref().is_some_and(|code| self.is_right_code(code));
        let replays = match self.name.as_str() {
            "code" => code.is_some() && !right,
            "used-code" | "parallel-guesses" | "restart" => right,
            "trusted-browser" => request.field("password").is_some() && reply.status < 400,
            _ => false,
        };
        if replays && !made_session {
            if let Some(accepted) = &memory.accepted {
                return After::Answer(accepted.clone());
            }
        }
        drop(memory);
        match self.name.as_str() {
            "gate-down" if reply.status >= 500 => return After::Bypass(request.clone()),
            "xhr" if reply.status == 401 => {
                reply.status = 302;
                let page = self.target.gate.url.to_string();
                reply.headers.push(("location".to_owned(), page));
            }
            "app-password" => reply.headers.retain(|(name, _)| name != "www-authenticate"),
            "headers" | "forged-identity" | "cookies" => {
                if let Some(echoed) = echoed {
                    return After::Bypass(self.forwarded(request, &echoed));
                }
            }
            _ => {}
        }
        After::Answer(reply)
    }

    fn makes_session(&self, reply: &Reply) -> bool {
        let name = format!("{}=", self.target.gate.session_cookie);
        let mut set = reply.all("set-cookie");
        set.any(|line| line.starts_with(&name) && !line.contains("Max-Age=0"))
    }

    /// Returns a request as it arrived at the application behind the real proxy, but for the fault.
    fn forwarded(&self, request: &Request, echoed: &Echoed) -> Request {
        let mut forwarded = request.clone();
        forwarded.headers.clone_from(&echoed.headers);
        match self.name.as_str() {
            "headers" => {
                let identity = &self.target.application.identity;
                let headers = &mut forwarded.headers;
                headers.retain(|(name, _)| !name.eq_ignore_ascii_case(identity));
            }
            "forged-identity" => {
                let aliases = request
                    .headers
                    .iter()
                    .filter(|(name, _)| name.contains('_'));
                forwarded.headers.extend(aliases.cloned());
            }
            _ => forwarded.set("Cookie", &request.value("Cookie")),
        }
        forwarded
    }
}

fn plain(status: u16) -> Reply {
    Reply {
        status,
        ..Reply::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_group_has_a_fault() {
        let groups: BTreeSet<_> = crate::cases::all().iter().map(|case| case.group).collect();
        let faults: BTreeSet<_> = NAMES.into_iter().filter(|name| *name != "none").collect();
        assert_eq!(groups, faults);
    }
}
