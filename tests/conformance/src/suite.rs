//! What cases share: the target, browsers, people who sign in, and looks at the application.

use crate::case::{CaseResult, NotPassed, ensure, failed, skipped};
use crate::codes::Codes;
use crate::commands;
use crate::net::browser::Browser;
use crate::net::echoed::{Echoed, MARK};
use crate::net::reply::Reply;
use crate::net::url::Url;
use crate::net::wire::Dialer;
use crate::sign_in::SignInRun;
use crate::target::{Account, Target};
use std::net::IpAddr;

/// A run against one target.
pub(crate) struct Suite {
    pub(crate) target: Target,
    pub(crate) codes: Codes,
    dialer: Dialer,
    /// The first account's browser, once it has signed in.
    signed_in: Option<Browser>,
    /// How many guessers there were, for the next one's address.
    guessers: usize,
}

impl Suite {
    /// Prepares a run. The error says what is wrong with the target file.
    pub(crate) fn new(target: Target) -> Result<Suite, String> {
        Ok(Suite {
            dialer: Dialer::new(&target)?,
            target,
            codes: Codes::default(),
            signed_in: None,
            guessers: 0,
        })
    }

    /// Returns a browser without cookies.
    pub(crate) fn stranger(&self) -> Browser {
        Browser::new(self.dialer.clone())
    }

    /// Returns the browser of the first account, signed in.
    pub(crate) fn signed_in(&mut self) -> CaseResult<Browser> {
        if let Some(mut browser) = self.signed_in.clone() {
            let page = self.app("/");
            let reply = browser.fetch(&page)?;
            if self.arrived(&reply) {
                return Ok(browser);
            }
        }
        let browser = self.sign_in(0)?;
        self.signed_in = Some(browser.clone());
        Ok(browser)
    }

    /// Signs an account in with password and code, and returns its browser.
    pub(crate) fn sign_in(&mut self, number: usize) -> CaseResult<Browser> {
        let account = self.account(number)?;
        let mut browser = self.stranger();
        self.sign_in_with(&mut browser, &account)?;
        Ok(browser)
    }

    /// Signs an account in in this browser.
    pub(crate) fn sign_in_with(&self, browser: &mut Browser, account: &Account) -> CaseResult {
        let run = SignInRun::new(&self.target, account);
        run.password(browser)?;
        run.code(browser, &self.fresh_code(account)?)?;
        let reply = browser.fetch(&self.app("/"))?;
        ensure(self.arrived(&reply), || {
            format!(
                "after the sign-in of {} the application is not reached: {}",
                account.user,
                reply.summary()
            )
        })
    }

    pub(crate) fn fresh_code(&self, account: &Account) -> CaseResult<String> {
        let code = self.codes.fresh(&self.target, account);
        code.map_err(NotPassed::Failed)
    }

    /// Returns an account by its place in the target file.
    pub(crate) fn account(&self, number: usize) -> CaseResult<Account> {
        match self.target.accounts.get(number) {
            Some(account) => Ok(account.clone()),
            None => skipped(format!("the target has no account number {}", number + 1)),
        }
    }

    /// Returns an account whose throttle a case may use up, and the address to guess from.
    pub(crate) fn victim(&mut self) -> CaseResult<(Account, Option<IpAddr>)> {
        self.guessers += 1;
        let Some(number) = self.target.accounts.len().checked_sub(self.guessers) else {
            return skipped("the target has too few accounts");
        };
        if number < 2 {
            return skipped("the target has too few accounts: guesses may lock one of them");
        }
        let from = &self.target.connect.guess_from;
        let from = from.get(self.guessers % from.len().max(1)).copied();
        Ok((self.account(number)?, from))
    }

    /// Returns the URL of a path of the application.
    pub(crate) fn app(&self, path: &str) -> Url {
        let mut url = self.target.application.url.clone();
        url.target = format!("{}{path}", url.target.trim_end_matches('/'));
        url
    }

    /// Returns the URL of a page of the gate.
    pub(crate) fn page(&self, path: &str) -> Url {
        let mut url = self.target.gate.url.clone();
        let path = path.trim_start_matches('/');
        url.target = format!("{}/{path}", url.target.trim_end_matches('/'));
        url
    }

    /// Whether a response comes from the application.
    pub(crate) fn arrived(&self, reply: &Reply) -> bool {
        reply.header(MARK).is_some() || self.read_echo(reply).is_some()
    }

    fn read_echo(&self, reply: &Reply) -> Option<Echoed> {
        Echoed::read(reply, &self.target.application.echo)
    }

    /// Returns what the application received. Fails if the response is not the application's.
    pub(crate) fn echoed(&self, what: &str, reply: &Reply) -> CaseResult<Echoed> {
        let message = || {
            format!(
                "{what}: the application is not reached: {}",
                reply.summary()
            )
        };
        self.read_echo(reply)
            .ok_or_else(|| NotPassed::Failed(message()))
    }

    /// Fails if the response comes from the application, or is an error of a server.
    pub(crate) fn denied(&self, what: &str, reply: &Reply) -> CaseResult {
        self.closed(what, reply)?;
        ensure(reply.status >= 300 && reply.status < 500, || {
            format!("{what}: answered with {}", reply.summary())
        })
    }

    /// Fails if the response comes from the application, or could be taken for access.
    pub(crate) fn closed(&self, what: &str, reply: &Reply) -> CaseResult {
        self.not_reached(what, reply)?;
        ensure(reply.status >= 300, || {
            format!("{what}: answered with {}", reply.summary())
        })
    }

    /// Fails if the response comes from the application. Some proxies answer a host that they do not
    /// know with an empty 200.
    pub(crate) fn not_reached(&self, what: &str, reply: &Reply) -> CaseResult {
        ensure(!self.arrived(reply), || {
            format!("{what}: the application is reached")
        })
    }

    /// Whether the application receives requests as this account.
    pub(crate) fn is_identity(&self, echoed: &Echoed, user: &str) -> CaseResult {
        let name = &self.target.application.identity;
        let values = echoed.values(name);
        ensure(values == [user], || {
            format!("{name} at the application is {values:?}, not {user:?}")
        })
    }

    /// Fails if a cookie or a secret of the gate has reached the application.
    pub(crate) fn is_clean(&self, what: &str, echoed: &Echoed) -> CaseResult {
        let cookies = echoed.value("Cookie");
        for pair in cookies.split(';') {
            let own = &self.target.gate.own_cookies;
            let is_own = own.iter().any(|name| pair.trim().starts_with(name));
            ensure(!is_own, || {
                format!(
                    "{what}: the gate's {} has reached the application",
                    pair.trim()
                )
            })?;
        }
        for name in &self.target.application.secret_headers {
            let value = echoed.value(name);
            ensure(value.is_empty(), || {
                format!("{what}: {name} has reached the application")
            })?;
        }
        Ok(())
    }

    /// Runs a command of the target. Skips the case if it is missing.
    pub(crate) fn command(&self, name: &str, values: &[(&str, &str)]) -> CaseResult<String> {
        let ended = self.try_command(name, values)?;
        ended.map_err(NotPassed::Failed)
    }

    /// Runs a command of the target that may fail, and returns its output.
    pub(crate) fn try_command(
        &self,
        name: &str,
        values: &[(&str, &str)],
    ) -> CaseResult<Result<String, String>> {
        let commands = &self.target.commands;
        let command = match name {
            "stop_gate" => &commands.stop_gate,
            "start_gate" => &commands.start_gate,
            "restart_gate" => &commands.restart_gate,
            "hang_gate" => &commands.hang_gate,
            "resume_gate" => &commands.resume_gate,
            "revoke_sessions" => &commands.revoke_sessions,
            "revoke_browsers" => &commands.revoke_browsers,
            "use_code" => &commands.use_code,
            "advance" => &commands.advance,
            "add_app_password" => &commands.add_app_password,
            "revoke_app_password" => &commands.revoke_app_password,
            other => return failed(format!("no command is called {other}")),
        };
        let Some(command) = command else {
            return skipped(format!("the target has no command {name}"));
        };
        let ended = commands::run(command, values).map_err(NotPassed::Failed)?;
        Ok(ended.out)
    }

    /// Skips the case if the target file lacks what it needs.
    pub(crate) fn needs<T>(&self, what: &str, value: Option<T>) -> CaseResult<T> {
        match value {
            Some(value) => Ok(value),
            None => skipped(format!("the target has no {what}")),
        }
    }

    /// Sets the clocks ahead.
    pub(crate) fn advance(&self, seconds: u64) -> CaseResult {
        self.command("advance", &[("seconds", &seconds.to_string())])
            .map(drop)
    }
}
