//! `postern check --profile`: compares this host with what a standard needs of postern.toml, and of
//! the lines of pam_totp.so in /etc/pam.d.
//!
//! - `requirements`: the table of requirements, which docs/standards.md has too.
//! - `settings`: compares one setting each.
//!
//! It says nothing about lines of a standard that no setting decides.

pub(crate) mod requirements;
mod settings;

use crate::check::configuration;
use crate::check::finding::{Finding, FindingSeverity, Place};
use crate::check::machine::Machine;
use crate::check::pam::stack::{load_stack, service_names};
use crate::check::report::print_findings;
use crate::context::Invocation;
use crate::terminal::output::CommandResult;
use clap::ValueEnum;
use postern_shared::config::{Config, GracePeriod, file};
use postern_shared::system::pam_service::{PamHook, PamRule};
use requirements::{PROFILE_REQUIREMENTS, ProfileRequirement};
use std::path::Path;

/// A standard that docs/standards.md describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// SP 800-63B-4, AAL2
    Nist,
    /// OWASP ASVS 5.0, V6 and V7
    Asvs,
    /// PCI DSS 4.0.1, requirement 8.5.1
    Pci,
}

impl Profile {
    /// Returns the name on the command line, which is the subject of the findings too.
    fn name(self) -> &'static str {
        match self {
            Profile::Nist => "nist",
            Profile::Asvs => "asvs",
            Profile::Pci => "pci",
        }
    }

    fn requirements(self) -> impl Iterator<Item = &'static ProfileRequirement> {
        PROFILE_REQUIREMENTS
            .iter()
            .filter(move |one| one.profile == self)
    }
}

/// Compares this host with a profile, prints the findings, and fails if a setting differs.
pub(crate) fn check_profile(run: Invocation<'_>, profile: Profile) -> CommandResult {
    let machine = &Machine::real();
    let (config, mut findings) = configuration::load(machine, run.config_path);
    // what is not about the profile is of interest only where the configuration is in doubt
    findings.retain(|finding| finding.severity == FindingSeverity::Fault);
    if let Some(config) = &config {
        findings.extend(profile_findings(machine, run.config_path, config, profile));
    }
    print_findings(run.output, &findings)
}

fn profile_findings(
    machine: &Machine,
    path: &Path,
    config: &Config,
    profile: Profile,
) -> Vec<Finding> {
    let subject = profile.name();
    let mut findings = Vec::new();
    if config.fleet.is_host() {
        let what = "the servers of [fleet] decide for this host, with their postern.toml; run postern check --profile there";
        findings.push(Finding::skipped(subject, what).in_file(path));
    } else {
        findings.extend(of_configuration(machine, path, config, profile));
    }
    findings.extend(of_services(machine, profile));
    findings
}

fn of_configuration(
    machine: &Machine,
    path: &Path,
    config: &Config,
    profile: Profile,
) -> Vec<Finding> {
    let subject = profile.name();
    let text = machine.read(path).unwrap_or_default();
    let at = |keys: &[String]| {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        file::line_of_key(&text, &keys)
            .map_or_else(|| Place::file(path), |line| Place::line(path, line))
    };
    let has_gate = config.gate.url.is_some();
    let mut findings = Vec::new();
    for requirement in profile.requirements() {
        let ProfileRequirement { section, asks, .. } = requirement;
        if requirement.is_of_gate && !has_gate {
            let what = format!("{section}: {asks}: gate.url is not set, so there is no gate");
            findings.push(Finding::skipped(subject, what));
            continue;
        }
        let differences = (requirement.differences)(config);
        if differences.is_empty() {
            findings.push(Finding::ok(subject, format_args!("{section}: {asks}")));
        }
        findings.extend(differences.into_iter().map(|difference| {
            let what = format!("{section}: {asks}: {}", difference.found);
            Finding::fault(subject, what)
                .at(&at(&difference.keys))
                .remedy(format_args!("set {}", difference.setting))
        }));
    }
    for position in 1..=config.policy.exempt.len() {
        let keys = ["policy", "exempt", &(position - 1).to_string()].map(str::to_owned);
        let what = format!("policy.exempt-{position} grants access without a code");
        findings.push(
            Finding::warning(subject, what)
                .at(&at(&keys))
                .remedy("document the exception and its end, or remove it"),
        );
    }
    findings
}

/// Reports options in /etc/pam.d, which override postern.toml, that grant access without a second
/// factor.
fn of_services(machine: &Machine, profile: Profile) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let section = profile
        .requirements()
        .find(|one| one.is_about_options())
        .map_or("", |one| one.section);
    for service in service_names(machine) {
        let stack = load_stack(machine, &service, PamHook::Auth);
        for (place, rule) in stack.our_lines() {
            let found = weakening_options(rule).into_iter().map(|option| {
                let what = format!("{section}: two different factors: the option {option} grants access without a second factor");
                Finding::fault(profile.name(), what)
                    .at(place)
                    .remedy("remove the option")
            });
            // several services can include one file
            for finding in found {
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
    }
    findings
}

/// Returns the options of a line with which someone enters without a second factor.
fn weakening_options(rule: &PamRule) -> Vec<&str> {
    let has_grace = |word: &str| {
        let value = word.strip_prefix("grace=");
        value.is_some_and(|value| {
            let period = value.parse::<GracePeriod>();
            period.map_or(true, |period| period.seconds() > 0)
        })
    };
    let words = rule.arguments.iter().map(String::as_str);
    words
        .filter(|word| {
            ["nullok", "unenrolled=allow", "app_password"].contains(word) || has_grace(word)
        })
        .collect()
}

#[cfg(test)]
mod tests;
