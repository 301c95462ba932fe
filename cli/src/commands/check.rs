//! `postern check`: checks the machine, compares it with a standard, saves the valid configuration,
//! or shows what the gate's rules decide about a request.

use crate::arguments::check::CheckArguments;
use crate::arguments::print_config::ProxyArguments;
use crate::check::profile::check_profile;
use crate::check::url::{UrlCheckOptions, check_url};
use crate::check::{check_machine, configuration};
use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use postern_shared::account::name::UserName;
use postern_shared::config::gate::rule::RuleAccess;
use postern_shared::config::{Config, file};
use postern_shared::credential::scope::Method;
use postern_shared::engine::SERVICE;
use postern_shared::policy::requirement::Requirement;
use postern_shared::policy::rule::{RuleDecision, RuleRequest, evaluate_rules};
use postern_shared::system::network::web_address::split_url;
use serde_json::json;

pub(super) fn run(run: Invocation<'_>, what: &CheckArguments) -> CommandResult {
    if what.keep {
        let path = run.config_path;
        let valid = file::save_valid_copy(path)
            .map_err(|error| CommandFailure::new(error.with_remedy()))?;
        // a configuration that the gate would refuse at a reload is an error here
        configuration::verify(path, None, &valid.config)
            .map_err(|error| CommandFailure::new(error.with_remedy()))?;
        let copy = file::copy_path(path);
        return run.output.done(format_args!(
            "{} is valid, and saved as {}",
            path.display(),
            copy.display()
        ));
    }
    if let Some(profile) = what.profile {
        return check_profile(run, profile);
    }
    if let Some(url) = &what.url {
        let options = UrlCheckOptions {
            url,
            proxy: what.proxy.map(ProxyArguments::kind),
            user: what.user.as_ref(),
            listen: what.listen,
            http_port: what.http_port,
            authorities: what.ca_file.as_ref(),
            without_gate: what.gate_stopped,
        };
        return check_url(run, &options);
    }
    match what.rule.as_deref() {
        Some([method, url]) => rule(run.output, run.config()?, method, url, what),
        _ => check_machine(run),
    }
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
    let exempt_all = config.policy.exempts_everyone(SERVICE, what.from, None);
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
            "within": decision.within,
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

fn then(decision: &RuleDecision) -> String {
    let access = match decision.access {
        RuleAccess::Password
            if decision.reason == postern_shared::policy::rule::RuleReason::NotSignedIn =>
        {
            "sign-in is required, see --user"
        }
        access => access.name(),
    };
    match decision.within {
        Some(seconds) => format!("{access}, within {}", duration(seconds)),
        None => access.to_owned(),
    }
}

/// Formats seconds as postern.toml takes them, in the greatest unit that loses none.
fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    match units.iter().find(|(size, _)| seconds % size == 0) {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
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
