//! The PAM services that name pam_totp.so, and those that let people in beside them.

use crate::check::finding::{Finding, Place};
use crate::check::installation::{DebianPackage, reinstall};
use crate::check::machine::Machine;
use crate::check::pam::evaluation::{Bypass, BypassKind, OurResult, StackCaller};
use crate::check::pam::stack::{Stack, load_stack, service_names};
use crate::check::pam::{confinement, units};
use postern_shared::system::pam_service::{MODULE, MODULE_OPTIONS, PamHook, SERVICE_FOLDERS};
use std::path::Path;

/// Services whose program is set-user-ID: pam_rootok.so lets root in only.
const SET_USER_ID: [&str; 8] = [
    "su", "su-l", "sudo", "sudo-i", "chfn", "chsh", "passwd", "runuser",
];
/// Services that are two names of one program.
const PAIRS: [(&str, &str, &str); 2] = [("sudo", "sudo-i", "sudo -i"), ("su", "su-l", "su -")];

/// Whether a service asks for the code, however the line is reached.
pub(crate) fn asks(machine: &Machine, service: &str) -> bool {
    load_stack(machine, service, PamHook::Auth).asks()
}

/// Returns the findings of every service.
pub(crate) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut asking = Vec::new();
    let mut with_key = Vec::new();
    let mut names_us = false;
    for service in service_names(machine) {
        // files that others include
        if service.starts_with("common-") || service == "other" {
            continue;
        }
        let auth = load_stack(machine, &service, PamHook::Auth);
        let account = load_stack(machine, &service, PamHook::Account);
        if auth.our_lines().is_empty() && account.our_lines().is_empty() {
            continue;
        }
        names_us = true;
        let before = findings.len();
        findings.extend(broken(&service, &auth));
        findings.extend(broken(&service, &account));
        findings.extend(unknown_options(&service, &auth));
        findings.extend(unknown_options(&service, &account));
        findings.extend(auth_findings(&service, &auth));
        findings.extend(account_findings(&service, &account));
        if auth.asks() && findings.len() == before {
            if auth.accepts_key() {
                with_key.push(service.clone());
            }
            asking.push(service);
        }
    }
    if names_us {
        findings.extend(module(machine));
    }
    for (first, second, command) in PAIRS {
        findings.extend(pair(machine, first, second, command));
    }
    findings.extend(units::findings(machine, &asking));
    findings.extend(confinement::findings(machine, &asking));
    if !asking.is_empty() {
        let what = format!("asks for the code: {}", asking.join(", "));
        findings.push(Finding::ok("pam", what));
    }
    if !with_key.is_empty() {
        let services = with_key.join(", ");
        let what = format!("accepts a security key of pam_u2f.so in place of the code: {services}");
        findings.push(Finding::ok("pam", what));
    }
    if !names_us {
        findings.push(Finding::ok("pam", "no service names pam_totp.so"));
    }
    findings
}

fn caller(service: &str) -> StackCaller {
    match SET_USER_ID.contains(&service) {
        true => StackCaller::User,
        false => StackCaller::Root,
    }
}

fn broken(service: &str, stack: &Stack) -> Vec<Finding> {
    let fault = |(place, why): &(Place, String)| {
        Finding::fault("pam", format_args!("{service}: {why}; PAM denies access"))
            .at(place)
            .remedy("correct the line as pam.conf(5) describes")
    };
    stack.broken.iter().map(fault).collect()
}

fn unknown_options(service: &str, stack: &Stack) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, rule) in stack.our_lines() {
        let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
        let unknown = rule
            .arguments
            .iter()
            .find(|word| !MODULE_OPTIONS.contains(&name(word).as_str()));
        findings.extend(unknown.map(|word| {
            let name = name(word);
            Finding::fault(
                "pam",
                format_args!("{service}: unknown option {name:?}, so pam_totp.so denies access"),
            )
            .at(place)
            .remedy("correct it; pam_totp(8) lists the options")
        }));
    }
    findings
}

fn auth_findings(service: &str, stack: &Stack) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, rule) in stack.our_lines() {
        if rule.has_argument("nullok") || rule.has_argument("unenrolled=allow") {
            findings.push(
                Finding::warning("pam", format_args!("{service}: an account without a second factor gets in, also where [policy] requires one"))
                    .at(place)
                    .remedy("remove nullok or unenrolled=allow: the policy decides then"),
            );
        }
    }
    if !stack.asks() {
        return findings;
    }
    if let Some(bypass) = stack.bypass(caller(service)) {
        findings.push(describe(service, &bypass, "gets in without the code"));
    } else if !stack.can_grant(OurResult::Success, caller(service)) {
        findings.extend(stack.our_lines().first().map(|(place, _)| {
            Finding::fault(
                "pam",
                format_args!("{service}: nobody gets in, also with the right code"),
            )
            .at(place)
            .remedy("see the sample of the service, and pam.conf(5)")
        }));
    } else if !stack.can_grant(OurResult::Ignore, caller(service)) {
        findings.extend(stack.our_lines().last().map(|(place, _)| {
            Finding::fault("pam", format_args!("{service}: an account that needs no code is denied, because no other line of the stack succeeds"))
                .at(place)
                .remedy("add \"auth required pam_permit.so\" after this line")
        }));
    }
    findings
}

fn account_findings(service: &str, stack: &Stack) -> Vec<Finding> {
    if !stack.asks() {
        return Vec::new();
    }
    let bypass = stack.bypass(caller(service));
    let bypass = bypass.map(|bypass| {
        describe(
            service,
            &bypass,
            "is not denied, though no code was verified",
        )
    });
    bypass.into_iter().collect()
}

fn describe(service: &str, bypass: &Bypass, result: &str) -> Finding {
    let (why, remedy) = match bypass.kind {
        BypassKind::EndsBefore => (
            "this line ends the stack with success before pam_totp.so is reached",
            "make it \"requisite\" or \"required\", or move it below pam_totp.so",
        ),
        BypassKind::JumpsOver => (
            "this line jumps over pam_totp.so",
            "make it jump fewer lines, or move pam_totp.so above it",
        ),
        BypassKind::KeyUnproven => (
            "pam_u2f.so skips pam_totp.so here without a proof of a second factor",
            "put it below the password, with authfile= outside /home, and without nouserok and alwaysok",
        ),
        BypassKind::FailureIgnored => (
            "the stack can succeed although pam_totp.so has failed",
            "make this line \"required\"",
        ),
        BypassKind::Forgets => (
            "this line forgets that pam_totp.so has failed",
            "remove \"reset\" from its control",
        ),
    };
    Finding::fault("pam", format_args!("{service}: someone {result}: {why}"))
        .at(&bypass.place)
        .remedy(remedy)
}

/// Reports a module that is named and not installed: libpam then denies access.
fn module(machine: &Machine) -> Option<Finding> {
    let mut folders = machine.files_in("/usr/lib");
    folders.extend(["/usr/lib", "/usr/lib64", "/lib"].map(Into::into));
    let is_installed = folders
        .iter()
        .any(|folder| machine.exists(folder.join("security").join(MODULE)));
    (!is_installed).then(|| {
        Finding::fault(
            "pam",
            "pam_totp.so is named in /etc/pam.d and not installed, so PAM denies access",
        )
        .in_file(Path::new("/usr/lib/security").join(MODULE))
        .remedy(reinstall(machine, DebianPackage::Module))
    })
}

/// Reports a program that asks for the code under one name only.
fn pair(machine: &Machine, first: &str, second: &str, command: &str) -> Option<Finding> {
    let has_file = |name: &str| {
        SERVICE_FOLDERS
            .iter()
            .any(|folder| machine.exists(Path::new(folder).join(name)))
    };
    if !has_file(first) {
        return None;
    }
    let lacks = match (asks(machine, first), asks(machine, second)) {
        (true, false) => second,
        (false, true) => first,
        _ => return None,
    };
    let (asked, free) = match lacks == second {
        true => (first, command),
        false => (command, first),
    };
    Some(
        Finding::fault(
            "pam",
            format_args!("{asked} asks for the code, and {free} does not"),
        )
        .in_file(Path::new(SERVICE_FOLDERS[0]).join(lacks))
        .remedy(format_args!(
            "copy pam.d/{lacks} of the samples to /etc/pam.d, or include {asked} in it"
        )),
    )
}
