//! `postern check`: validates postern.toml, and shows what the gate's rules decide about a request.

use crate::arguments::check::CheckArguments;
use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use nix::unistd::geteuid;
use postern_shared::account::name::UserName;
use postern_shared::config::email::COMMAND_SOCKET;
use postern_shared::config::gate::rule::{HostPattern, RuleAccess};
use postern_shared::config::gate::{GateConfig, GateUrl};
use postern_shared::config::{Config, check_cookie_domain, check_gate, file, registrable_domain};
use postern_shared::credential::scope::Method;
use postern_shared::engine::{Engine, SERVICE};
use postern_shared::network::web_address::split_url;
use postern_shared::policy::requirement::Requirement;
use postern_shared::policy::rule::{RuleDecision, RuleRequest, evaluate_rules};
use postern_shared::system::clock;
use serde_json::json;
use std::path::Path;

pub(super) fn run(run: Invocation<'_>, what: &CheckArguments) -> CommandResult {
    if what.keep {
        let path = run.config_path;
        let valid = file::save_valid_copy(path)
            .map_err(|error| CommandFailure::new(error.with_remedy()))?;
        // a configuration that the gate would refuse at a reload is an error here
        gate(run, &valid.config)?;
        let copy = file::copy_path(path);
        return run.output.done(format_args!(
            "{} is valid, and saved as {}",
            path.display(),
            copy.display()
        ));
    }
    let config = run.config()?;
    match what.rule.as_deref() {
        Some([method, url]) => rule(run.output, config, method, url, what),
        _ => {
            gate(run, &config)?;
            for warning in beyond_sessions(&config.gate) {
                run.output.warn(warning)?;
            }
            mail(run.output, config)?;
            run.output
                .done(format_args!("{} is valid", run.config_path.display()))
        }
    }
}

/// Returns an error for what the gate would refuse at its start: the domain of its cookies, and the
/// secrets of proxies, which only root can read.
fn gate(run: Invocation<'_>, config: &Config) -> CommandResult {
    let path = run.config_path;
    let mend = |error| CommandFailure::new(format_args!("{error}; correct it with postern edit"));
    if geteuid().is_root() {
        return check_gate(path, None, config).map(|_| ()).map_err(mend);
    }
    check_cookie_domain(path, None, config).map_err(mend)?;
    match config
        .gate
        .trusted_proxies
        .iter()
        .any(|proxy| proxy.secret_file.is_some())
    {
        true => Ok(run.output.warn(
            "the secrets of trusted proxies are not checked; run postern check as root for that",
        )?),
        false => Ok(()),
    }
}

/// Warns about mail that waits because posternd does not run, or because no process listens at the
/// socket for `email.command`. Only root learns whether queued mail is overdue. There is no warning
/// if the store cannot be opened.
fn mail(output: Output, mut config: Config) -> CommandResult {
    let socket = Path::new(COMMAND_SOCKET);
    if config.email.uses_command() && socket.symlink_metadata().is_err() {
        output.warn(format_args!(
            "email.command: nothing listens at {COMMAND_SOCKET}, where it is run, and mail waits; systemctl enable --now postern-mail.socket"
        ))?;
    }
    if !config.email.is_enabled() || !geteuid().is_root() {
        return Ok(());
    }
    context::give_root_up(&mut config)?;
    let Ok(mut engine) = Engine::open(config) else {
        return Ok(());
    };
    match engine.mail().mail_is_overdue(clock::now()?)? {
        true => Ok(output.warn("mail waits: start posternd, which sends it, or see its log")?),
        false => Ok(()),
    }
}

/// Returns warnings about rules that require a sign-in at a host which the session cookie does not
/// reach, and about applications in the gate's registrable domain, which can set cookies for all of
/// it.
fn beyond_sessions(gate: &GateConfig) -> Vec<String> {
    let Some(url) = &gate.url else {
        return Vec::new();
    };
    let reaches = |hosts: &HostPattern| {
        let below = gate.cookie_domain.as_ref().filter(|_| url.has_own_host());
        let by_domain = below.is_some_and(|domain| domain.covers(hosts.base().as_str()));
        by_domain
            || hosts.matches_host(url.host())
            || gate
                .application_urls
                .iter()
                .any(|own| hosts.matches_host(own.host()))
    };
    let mut warnings = Vec::new();
    let shares = |own: &&GateUrl| registrable_domain(own.host()) == registrable_domain(url.host());
    warnings.extend(gate.application_urls.iter().filter(shares).map(|own| {
        format!(
            "gate.application_urls: {} is in the gate's registrable domain and can set cookies for all of it: an \
             application that is not trusted needs another registrable domain, see postern-gate(8)",
            own.host()
        )
    }));
    for (rule, position) in gate.rule.iter().zip(1..) {
        let asks = matches!(rule.then, RuleAccess::Password | RuleAccess::Code);
        for hosts in rule.hosts.iter().filter(|hosts| asks && !reaches(hosts)) {
            warnings.push(format!(
                "gate.rule-{position}: sign-in is not possible for {hosts}, for which no session is valid; \
                 see gate.cookie_domain"
            ));
        }
    }
    warnings
}

fn rule(
    output: Output,
    config: Config,
    method: &str,
    url: &str,
    what: &CheckArguments,
) -> CommandResult {
    const URL: CommandFailure =
        CommandFailure::Usage("the request is a method, such as GET, and https://HOST/PATH");
    let method = Method::try_from(method.to_owned()).map_err(CommandFailure::Usage)?;
    let (host, target) = split_url(url).ok_or(URL)?;
    let request = RuleRequest {
        host: &host,
        target: &target,
        method: method.as_str(),
        address: what.from,
    };
    let exempt_all = config.policy.exempts_everyone(SERVICE, what.from);
    let (groups, decision, code) = match &what.user {
        Some(name) => {
            let rehearsed = context::open(config)?.policy().test_rules(name, &request)?;
            (
                Some(rehearsed.groups),
                rehearsed.decision,
                rehearsed.requirement.map(|need| of_need(need, name)),
            )
        }
        None => {
            let decision = evaluate_rules(&config.gate.rule, &request, None);
            let asked = (decision.access == RuleAccess::Code).then(|| match exempt_all {
                Some(position) => format!("not needed for anyone, by policy.exempt-{position}"),
                None => "required, see --user".to_owned(),
            });
            (None, decision, asked)
        }
    };
    if output.is_json() {
        return output.json(&json!({
            "method": method.as_str(),
            "host": host,
            "target": target,
            "from": what.from,
            "user": what.user,
            "groups": groups,
            "access": decision.access,
            "rule": decision.rule,
            "reason": decision.reason.text(),
            "code": code,
        }));
    }
    let who = match (&what.user, groups.unwrap_or_default()) {
        (None, _) => "a user who has not signed in".to_owned(),
        (Some(name), groups) if groups.is_empty() => {
            format!("{name}, in no group that a rule or the policy names")
        }
        (Some(name), groups) => format!("{name}, in {}", groups.join(", ")),
    };
    let from = what
        .from
        .map_or_else(String::new, |address| format!(" from {address}"));
    output.text(format_args!(
        "request: {} https://{host}{target}{from}\nby:      {who}\n",
        method.as_str()
    ))?;
    output.text(format_args!(
        "rule:    {}\nthen:    {}\n",
        of_decision(&decision),
        then(&decision)
    ))?;
    code.map_or(Ok(()), |code| {
        output.text(format_args!("code:    {code}\n"))
    })
}

fn of_decision(decision: &RuleDecision) -> String {
    match decision.rule {
        Some(_) => format!("{}, {}", decision.name(), decision.reason.text()),
        None => "no stricter rule matches, so the default".to_owned(),
    }
}

fn then(decision: &RuleDecision) -> &'static str {
    match decision.access {
        RuleAccess::Password
            if decision.reason == postern_shared::policy::rule::RuleReason::NotSignedIn =>
        {
            "sign-in is required, see --user"
        }
        access => access.name(),
    }
}

fn of_need(need: Requirement, name: &UserName) -> String {
    match need {
        Requirement::Code => format!("required, {name} has a second factor"),
        Requirement::Enrollment => {
            format!("only enrollment, {name} must have a second factor and has none")
        }
        Requirement::Nothing => format!("none, {name} has no second factor and needs none"),
        Requirement::Exempt(position) => format!("not needed, by policy.exempt-{position}"),
    }
}
