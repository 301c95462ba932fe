//! The policy: groups that nobody knows, who is locked out by `required`, and whether root has a
//! way in without the store.

use crate::check::finding::{Finding, Place};
use crate::check::machine::Machine;
use crate::check::pam::services as pam_services;
use crate::check::sshd::access::list_names;
use crate::check::sshd::facts::SshdFacts;
use postern_shared::account::host::HostName;
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::file;
use postern_shared::config::{Config, RequiredAccounts};
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::engine::{Engine, PolicyError};
use postern_shared::policy::groups::NamedGroups;
use postern_shared::policy::requirement::Requirement;
use postern_shared::protocol::status::SecondFactorState;
use std::path::Path;

/// Returns the lines of postern.toml that name a group unknown to host and store.
pub(crate) fn unknown_groups(
    engine: &mut Engine,
    text: &str,
    path: &Path,
    config: &Config,
) -> Result<Vec<Finding>, PolicyError> {
    let named = NamedGroups::look_up_groups(config.named_groups());
    let Ok(root) = "root".parse::<UserName>() else {
        return Ok(Vec::new());
    };
    let memberships = named.find_memberships(&root);
    // the engine reports the groups of the policy that no account of Postern is in, either
    engine
        .policy()
        .requirement_at_service(&root, "sshd", &CompletedMethods::EMPTY)?;
    let reported = engine.take_warnings();
    let is_policys = |group: &str| config.policy.named_groups().contains(group);
    let mut findings = Vec::new();
    for (group, why) in memberships.unresolved() {
        let quoted = format!("{group:?}");
        if is_policys(group)
            && !reported
                .iter()
                .any(|warning| warning.text.contains(&quoted))
        {
            continue;
        }
        let keys = config.keys_naming_group(group).join(", ");
        let line = text.lines().position(|line| {
            !line.trim_start().starts_with('#')
                && (line.contains(&quoted) || line.contains(&format!("%{group}\"")))
        });
        let place = match line {
            Some(line) => Place::line(path, line + 1),
            None => Place::file(path),
        };
        let finding = match is_policys(group) {
            true => Finding::fault(
                "policy",
                format_args!(
                    "the group {group} in {keys}: {why}; the stricter policy applies to everyone"
                ),
            ),
            false => Finding::warning("policy", format_args!("the group {group} in {keys}: {why}")),
        };
        findings.push(
            finding
                .at(&place)
                .remedy("correct the name, or create the group; see getent group"),
        );
    }
    Ok(findings)
}

/// Returns which accounts of this machine the policy requires to enroll, who have not done so.
pub(crate) fn locked_out(
    engine: &mut Engine,
    text: &str,
    path: &Path,
    config: &Config,
    sshd: Option<&SshdFacts>,
) -> Result<Vec<Finding>, PolicyError> {
    if config.policy.required == RequiredAccounts::Enrolled {
        return Ok(Vec::new());
    }
    let statuses = engine.accounts().account_statuses();
    let mut names: Vec<UserName> = statuses
        .unwrap_or_default()
        .into_iter()
        .map(|status| status.tally.name)
        .collect();
    let local = sshd.iter().flat_map(|sshd| &sshd.accounts);
    names.extend(local.filter_map(|account| account.user.name.parse().ok()));
    names.sort();
    names.dedup();
    let mut missing = Vec::new();
    for name in names {
        let (requirement, enrolled) =
            engine
                .policy()
                .requirement_at_service(&name, "sshd", &CompletedMethods::PASSWORD)?;
        if requirement == Requirement::Enrollment && enrolled == Enrolled::No {
            missing.push(name.to_string());
        }
    }
    let names: Vec<&str> = missing.iter().map(String::as_str).collect();
    if names.is_empty() {
        return Ok(vec![Finding::ok(
            "policy",
            "everyone who needs a second factor has one",
        )]);
    }
    let place = file::line_of_key(text, &["policy", "required"])
        .map_or(Place::file(path), |line| Place::line(path, line));
    let until = match config.policy.enroll_within.seconds() {
        0 => "denied",
        _ => "denied once enroll_within is over",
    };
    Ok(vec![
        Finding::warning(
            "policy",
            format_args!(
                "policy.required includes accounts without a second factor, which are {until}: {}",
                list_names(&names)
            ),
        )
        .at(&place)
        .remedy("enroll them with postern enroll, or except them: \"!NAME\" in required"),
    ])
}

/// Returns the hosts in `policy.required_hosts` that have not joined, and the accounts without a second
/// factor, which are denied at the others.
pub(crate) fn required_hosts(
    engine: &mut Engine,
    text: &str,
    path: &Path,
    config: &Config,
) -> Result<Vec<Finding>, PolicyError> {
    if !config.policy.requires_at_some_host() {
        return Ok(Vec::new());
    }
    let place = file::line_of_key(text, &["policy", "required_hosts"])
        .map_or(Place::file(path), |line| Place::line(path, line));
    let joined = engine.hosts().list_hosts()?;
    let has_joined = |name: &HostName| {
        let mut hosts = joined.iter().filter(|host| host.revoked.is_none());
        hosts.any(|host| host.name == *name)
    };
    let named = config.policy.required_hosts.hosts();
    let absent = named.filter(|name| !has_joined(name));
    let absent: Vec<&str> = absent.map(HostName::as_str).collect();
    let mut findings = Vec::new();
    if !absent.is_empty() || config.policy.required_hosts.hosts().next().is_none() {
        let names = match absent.is_empty() {
            true => "policy.required_hosts names groups without hosts".to_owned(),
            false => format!(
                "policy.required_hosts names hosts that have not joined: {}",
                list_names(&absent)
            ),
        };
        let finding =
            Finding::warning("policy", format_args!("{names}; nothing is required there"));
        let remedy = "name each host as postern host list shows it";
        findings.push(finding.at(&place).remedy(remedy));
    }
    let statuses = engine.accounts().account_statuses().unwrap_or_default();
    let without = statuses
        .iter()
        .filter(|status| status.state == SecondFactorState::Off);
    let without: Vec<String> = without
        .map(|status| status.tally.name.to_string())
        .collect();
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(String::as_str).collect();
        let text = format_args!(
            "these accounts have no second factor, and are denied at the hosts of policy.required_hosts: {}",
            list_names(&names)
        );
        let remedy = "enroll them with postern enroll";
        findings.push(Finding::warning("policy", text).at(&place).remedy(remedy));
    }
    Ok(findings)
}

/// Reports a machine where root needs the store at every way in.
pub(crate) fn way_without_store(machine: &Machine, sshd: Option<&SshdFacts>) -> Option<Finding> {
    let asks = |service: &str| pam_services::asks(machine, service);
    let at_sshd = sshd.is_some_and(SshdFacts::asks);
    let in_by = !asks("login") || sshd.is_some() && !at_sshd;
    let root_by = !asks("sudo") || !asks("su");
    let console = !asks("login") && root_has_password(machine);
    if in_by && (root_by || console) || !daemons_matter(&asks) {
        return None;
    }
    Some(
        Finding::warning("policy", "every way to root asks for the code: if the store cannot be read, nobody can repair it without a rescue system")
            .in_file("/etc/pam.d/login")
            .remedy("leave the console (pam.d/login) without pam_totp.so, with a password for root; or keep a rescue system at hand"),
    )
}

/// Whether the question arises: some way in asks for the code.
fn daemons_matter(asks: &dyn Fn(&str) -> bool) -> bool {
    ["login", "sshd", "su", "sudo"]
        .iter()
        .any(|service| asks(service))
}

fn root_has_password(machine: &Machine) -> bool {
    let text = zeroize::Zeroizing::new(machine.read("/etc/shadow").unwrap_or_default());
    text.lines().any(|line| {
        let hash = line
            .strip_prefix("root:")
            .and_then(|rest| rest.split(':').next());
        hash.is_some_and(|hash| hash.starts_with('$'))
    })
}
