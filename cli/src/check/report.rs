//! Runs every check, first those that need root, then those of the opened store, which user
//! `posternd` opens. And where the code is asked for, for `postern enroll`.

use crate::check::finding::{Finding, FindingSeverity};
use crate::check::gate::{certificates, proxies};
use crate::check::machine::Machine;
use crate::check::pam::services as pam_services;
use crate::check::sshd::access::AccountNeed;
use crate::check::sshd::facts::SshdFacts;
use crate::check::{clock, configuration, daemons, fleet, mail, passkeys, policy, store};
use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::Config;
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::engine::Engine;
use postern_shared::policy::requirement::Requirement;
use postern_shared::system::clock as system_clock;
use std::path::Path;

/// Checks the machine, prints the findings, and fails if one of them is a fault.
pub(crate) fn check_machine(run: Invocation<'_>) -> CommandResult {
    print_findings(run.output, &all_findings(run.config_path))
}

/// Prints findings, and fails if one of them is a fault.
pub(crate) fn print_findings(output: Output, findings: &[Finding]) -> CommandResult {
    match output.is_json() {
        true => output.json(&findings)?,
        false => {
            for finding in findings {
                // a name with a line end must not look like another finding
                let line = finding.to_string().replace('\n', "\\n");
                output.text(format_args!("{line}\n"))?;
            }
        }
    }
    let has_fault = findings
        .iter()
        .any(|finding| finding.severity == FindingSeverity::Fault);
    match has_fault {
        true => Err(CommandFailure::Reported),
        false => Ok(()),
    }
}

fn all_findings(path: &Path) -> Vec<Finding> {
    let machine = &Machine::real();
    let (config, mut findings) = configuration::load(machine, path);
    let sshd = match SshdFacts::gather(machine) {
        Some(Ok(facts)) => Some(facts),
        Some(Err(finding)) => {
            findings.push(finding);
            None
        }
        None => None,
    };
    match &config {
        Some(config) if config.fleet.is_host() => findings.extend(fleet::findings(machine, config)),
        Some(config) => findings.extend(store::findings(machine, config)),
        None => {}
    }
    findings.extend(pam_services::findings(machine));
    if let Some(sshd) = &sshd {
        findings.extend(sshd.general_findings(machine));
        findings.extend(
            config
                .as_ref()
                .and_then(|config| sshd.security_key_finding(config)),
        );
    }
    findings.extend(policy::way_without_store(machine, sshd.as_ref()));
    if let Some(config) = &config {
        findings.extend(daemons::findings(machine, config));
        findings.extend(proxies::findings(machine, config));
        findings.extend(certificates::findings(machine, path, config));
        findings.extend(mail::findings(machine, config));
    }
    findings.extend(clock::findings(machine));
    let text = machine.read(path).unwrap_or_default();
    let is_readable = |config: &Config| {
        machine.is_root() && !config.fleet.is_host() && store::is_set_up(machine, config)
    };
    if let Some(config) = config.filter(is_readable) {
        findings.extend(with_engine(path, config, &text, sshd.as_ref()));
    }
    findings
}

/// Gives root up, opens the store, and returns what only it can tell.
fn with_engine(
    path: &Path,
    mut config: Config,
    text: &str,
    sshd: Option<&SshdFacts>,
) -> Vec<Finding> {
    if let Err(failure) = context::give_root_up(&mut config) {
        return match failure {
            CommandFailure::Message(message) => vec![store::not_opened(message)],
            _ => Vec::new(),
        };
    }
    let mut engine = match Engine::open(config.clone()) {
        Ok(engine) => engine,
        Err(error) => return vec![store::not_opened(error)],
    };
    let mut findings = vec![Finding::ok("store", "opens with the key")];
    match engine.store_risks() {
        Ok(risks) => findings.extend(risks.into_iter().map(store::risk)),
        Err(error) => findings.push(store::not_opened(error)),
    }
    let mut decided = || {
        let mut found = policy::unknown_groups(&mut engine, text, path, &config)?;
        found.extend(policy::locked_out(&mut engine, text, path, &config, sshd)?);
        found.extend(policy::required_hosts(&mut engine, text, path, &config)?);
        Ok::<_, postern_shared::engine::PolicyError>(found)
    };
    match decided() {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(store::not_opened(error)),
    }
    match passkeys::relying_party(&mut engine, text, path) {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(store::not_opened(error)),
    }
    if let Some(sshd) = sshd {
        findings.extend(sshd.account_findings(|account| {
            let name = account.user.name.parse().ok()?;
            let methods = CompletedMethods::parse_ssh_auth_info(account.auth_info().as_bytes());
            let (requirement, enrolled) = engine
                .policy()
                .requirement_at_service(&name, "sshd", &methods)
                .ok()?;
            Some(AccountNeed {
                enrolled: enrolled == Enrolled::Yes,
                after_key: matches!(requirement, Requirement::Code | Requirement::Enrollment),
            })
        }));
    }
    let Ok(now) = system_clock::now() else {
        return findings;
    };
    let statuses = engine.accounts().account_statuses().unwrap_or_default();
    if let Some(sshd) = sshd {
        let names = statuses.iter().map(|one| one.tally.name.as_str());
        findings.extend(sshd.unlisted(&Machine::real(), names));
    }
    let last = statuses.iter().filter_map(|one| one.tally.last_sign_in);
    findings.extend(clock::before_sign_in(now, last.max()));
    if let Ok(Some(suspicion)) = engine.audit_log().suspect_clock(now) {
        let period = engine.config().totp.period.seconds();
        findings.push(clock::suspected(&suspicion, period));
    }
    if engine.mail().mail_is_overdue(now).unwrap_or(false) {
        findings.push(mail::overdue());
    }
    findings
}

/// Whether the name service of this machine knows a user.
pub(crate) fn is_known_to_host(name: &UserName) -> bool {
    Machine::real().user(name.as_str()).is_some()
}

/// Where a person is asked for the code on this machine, and where not.
pub(crate) struct AskedServices {
    asked: Vec<&'static str>,
    not_asked: Vec<&'static str>,
}

impl AskedServices {
    /// Looks at sshd, sudo, su, the console and the gate.
    pub(crate) fn look_up(path: &Path) -> AskedServices {
        let machine = &Machine::real();
        let (mut asked, mut not_asked) = (Vec::new(), Vec::new());
        let mut sort = |name, is_asked: bool| match is_asked {
            true => asked.push(name),
            false => not_asked.push(name),
        };
        let sshd = match SshdFacts::gather(machine) {
            Some(Ok(facts)) => Some(facts.asks()),
            Some(Err(_)) => Some(pam_services::asks(machine, "sshd")),
            None => None,
        };
        if let Some(sshd) = sshd {
            sort("sshd", sshd);
        }
        for (service, program) in [
            ("sudo", "/usr/bin/sudo"),
            ("su", "/usr/bin/su"),
            ("login", "/usr/bin/login"),
        ] {
            if machine.exists(program) {
                sort(service, pam_services::asks(machine, service));
            }
        }
        let config = postern_shared::config::file::load_config(path);
        sort(
            "web",
            config.is_ok_and(|current| current.config.gate.url.is_some()),
        );
        AskedServices { asked, not_asked }
    }

    /// Returns a sentence, such as `asked for the code: sshd; not asked: sudo, su, login, web`.
    pub(crate) fn describe(&self) -> String {
        let list = |names: &[&str]| match names.is_empty() {
            true => "nowhere".to_owned(),
            false => names.join(", "),
        };
        match self.not_asked.is_empty() {
            true => format!("asked for the code at: {}", list(&self.asked)),
            false => format!(
                "asked for the code at: {}; not at: {}",
                list(&self.asked),
                list(&self.not_asked)
            ),
        }
    }
}
