//! The configuration, as the gate and posternd validate it: the files, what they contradict, and the
//! files that they name.
//!
//! [`verify`] is the one validation that `postern edit`, `postern check --keep` and `postern check`
//! share.

use crate::check::finding::{Finding, FindingSeverity, Place};
use crate::check::gate::certificates;
use crate::check::machine::Machine;
use crate::check::pam::stack::load_stack;
use nix::unistd::geteuid;
use postern_shared::config::file::{self, ConfigError};
use postern_shared::config::gate::rule::{HostPattern, RuleAccess};
use postern_shared::config::gate::{
    FirstFactorSource, GateConfig, GateUrl, ListenAddress, ProxyKind, ProxyPeer,
};
use postern_shared::config::{Config, check_cookie_domain, check_gate, registrable_domain};
use postern_shared::system::pam_service::PamHook;
use std::path::{Path, PathBuf};

/// Users of the daemons, who read the configuration.
const DAEMONS: [&str; 2] = ["posternd", "postern-gate"];

/// Returns an error for what the gate refuses at its start: the domain of its cookies, the secrets
/// of proxies, and its certificate. Only root can read the secrets; for others they are skipped.
/// `text` is the content of the file, if it can differ from the file on disk.
pub(crate) fn verify(path: &Path, text: Option<&str>, config: &Config) -> Result<(), ConfigError> {
    if !geteuid().is_root() {
        return check_cookie_domain(path, text, config);
    }
    check_gate(path, text, config)?;
    certificates::verify(path, text, config)
}

/// Returns the configuration that is in force, if there is one, and the findings about the files.
pub(crate) fn load(machine: &Machine, path: &Path) -> (Option<Config>, Vec<Finding>) {
    let read = match machine.is_root() {
        true => file::save_valid_copy(path),
        false => file::read_config(path),
    };
    let (config, mut findings) = match read {
        Ok(valid) => (Some(valid.config), Vec::new()),
        Err(ConfigError::NotSaved { valid, error }) => {
            let finding = Finding::warning(
                "configuration",
                format_args!("the copy of the valid configuration cannot be saved: {error}"),
            );
            (Some(valid.config), vec![finding])
        }
        Err(error) => {
            let in_force = file::load_config(path).ok().map(|current| current.config);
            let until = match in_force {
                Some(_) => "; until then the last valid copy is in force",
                None => "; there is no valid copy, so access is denied",
            };
            let mut finding = of_error(path, &error);
            finding.remedy = finding.remedy.map(|remedy| remedy + until);
            (in_force, vec![finding])
        }
    };
    if let Some(config) = config.as_ref().filter(|_| findings.is_empty()) {
        findings.extend(
            verify(path, None, config)
                .err()
                .map(|error| of_error(path, &error)),
        );
        findings.extend(contradictions(machine, path, config));
    }
    let is_fault = |finding: &Finding| finding.severity == FindingSeverity::Fault;
    if !findings.iter().any(is_fault) {
        let what = format!("{} is valid", path.display());
        findings.push(Finding::ok("configuration", what));
    }
    findings.extend(unreadable(machine, path));
    findings.extend(not_root(machine, config.as_ref()));
    (config, findings)
}

fn not_root(machine: &Machine, config: Option<&Config>) -> Option<Finding> {
    let proxies = &config?.gate.trusted_proxies;
    let has_secret = proxies.iter().any(|proxy| proxy.secret_file.is_some());
    (has_secret && !machine.is_root()).then(|| {
        Finding::skipped(
            "configuration",
            "the secrets of trusted proxies are not checked; run postern check as root for that",
        )
    })
}

fn of_error(path: &Path, error: &ConfigError) -> Finding {
    match error {
        ConfigError::Content {
            path,
            line,
            key,
            message,
        } => {
            let key = key
                .as_ref()
                .map_or_else(String::new, |key| format!("{key}: "));
            Finding::fault("configuration", format_args!("{key}{message}"))
                .at(&Place::line(path, *line))
                .remedy("correct it with postern edit")
        }
        ConfigError::File(error) if error.is_missing() => Finding::fault("configuration", error)
            .in_file(path)
            .remedy("restore it, or create one with postern init"),
        error => Finding::fault("configuration", error)
            .in_file(path)
            .remedy("correct owner or mode as the message says"),
    }
}

/// Reports configuration files that the daemons cannot read.
fn unreadable(machine: &Machine, path: &Path) -> Vec<Finding> {
    let folder = path.with_file_name("accounts.d");
    let mut files = vec![path.to_owned()];
    if machine.exists(&folder) {
        let listed = machine.files_in(&folder).into_iter();
        files.extend(listed.filter(|file| file.extension().is_some_and(|end| end == "toml")));
    }
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| machine.exists(file)) {
        let blocked = DAEMONS.iter().find_map(|name| {
            let user = machine.user(name)?;
            let at = machine.blocking_path(file, &machine.reader(&user))?;
            Some((*name, at))
        });
        if let Some((name, at)) = blocked {
            let mode = if at == *file { "0644" } else { "0755" };
            findings.push(
                Finding::fault(
                    "configuration",
                    format_args!("user {name} cannot read {}", file.display()),
                )
                .in_file(&at)
                .remedy(format_args!("chmod {mode} {}", at.display())),
            );
        }
    }
    findings
}

/// Returns what contradicts itself, without being refused by the gate.
fn contradictions(machine: &Machine, path: &Path, config: &Config) -> Vec<Finding> {
    let gate = &config.gate;
    if gate.url.is_none() {
        return Vec::new();
    }
    let text = machine.read(path).unwrap_or_default();
    let at = |keys: &[&str]| match file::line_of_key(&text, keys) {
        Some(line) => Place::line(path, line),
        None => Place::file(path),
    };
    let mut findings = Vec::new();
    findings.extend(unreachable_proxies(gate, &at));
    findings.extend(listeners(gate, &at));
    findings.extend(first_factor(machine, gate, &at));
    for (warning, rule) in beyond_sessions(gate) {
        let index = rule.map(|position| (position - 1).to_string());
        let place = match &index {
            Some(index) => at(&["gate", "rule", index]),
            None => at(&["gate", "application_urls"]),
        };
        findings.push(
            Finding::warning("configuration", warning)
                .at(&place)
                .remedy("see postern-gate(8)"),
        );
    }
    findings
}

/// Reports proxies that cannot reach any listener from where they are trusted.
fn unreachable_proxies(gate: &GateConfig, at: &dyn Fn(&[&str]) -> Place) -> Vec<Finding> {
    let is_unix = |listen: &ListenAddress| matches!(listen, ListenAddress::Unix(_));
    let is_known = |listen: &ListenAddress| !matches!(listen, ListenAddress::Systemd(_));
    if !gate.listen.0.iter().all(is_known) {
        return Vec::new();
    }
    let has_unix = gate.listen.0.iter().any(is_unix);
    let is_fastcgi = |listen: &ListenAddress| matches!(listen, ListenAddress::Fastcgi(_));
    let has_fastcgi = gate.listen.0.iter().any(is_fastcgi);
    let is_tcp = |listen: &ListenAddress| !is_unix(listen) && !is_fastcgi(listen);
    let has_tcp = gate.listen.0.iter().any(is_tcp);
    let mut findings = Vec::new();
    for (proxy, index) in gate.trusted_proxies.iter().zip(0usize..) {
        let from_unix = |peer: &ProxyPeer| matches!(peer, ProxyPeer::Unix);
        let comes_by_unix = proxy.from.iter().any(from_unix);
        let comes_by_tcp = !proxy.from.iter().all(from_unix);
        let is_apache = proxy.proxy == ProxyKind::Apache;
        let (what, remedy) = match (comes_by_unix && has_unix, comes_by_tcp && has_tcp) {
            _ if is_apache && !has_fastcgi => (
                "Apache sends its checks by FastCGI, and gate.listen has no fastcgi: entry, so Apache denies every request",
                "add \"fastcgi:127.0.0.1:9092\" to gate.listen, as postern print-config apache describes",
            ),
            _ if is_apache && !comes_by_tcp => (
                "from names no address, and FastCGI uses TCP, so the checks of this proxy are never trusted",
                "add \"127.0.0.1\" to from, or the address that Apache connects from",
            ),
            (false, false) if is_apache => continue,
            (false, false) if comes_by_tcp => (
                "from names addresses, and the gate listens on Unix sockets only, so this proxy is never trusted",
                "set from = [\"unix\"], or add a tcp: or tls: entry to gate.listen",
            ),
            (false, false) => (
                "from names no peer that can connect to gate.listen, so this proxy is never trusted",
                "set from to the addresses of the proxy, or add a unix: entry to gate.listen",
            ),
            _ => continue,
        };
        let index = index.to_string();
        findings.push(
            Finding::fault(
                "configuration",
                format_args!("gate.trusted_proxies: {what}"),
            )
            .at(&at(&["gate", "trusted_proxies", &index, "from"]))
            .remedy(remedy),
        );
    }
    if gate.trusted_proxies.is_empty() {
        findings.push(
            Finding::fault(
                "configuration",
                "gate.trusted_proxies is missing, so the gate refuses every check",
            )
            .at(&at(&["gate"]))
            .remedy("add [[gate.trusted_proxies]] as postern print-config describes"),
        );
    }
    findings
}

fn listeners(gate: &GateConfig, at: &dyn Fn(&[&str]) -> Place) -> Vec<Finding> {
    let has_tls = gate
        .listen
        .0
        .iter()
        .any(|listen| matches!(listen, ListenAddress::Tls(_)));
    match has_tls && gate.tls.is_none() {
        true => vec![
            Finding::fault("configuration", "gate.listen has a tls: entry, and [gate.tls] is missing, so the gate does not start")
                .at(&at(&["gate", "listen"]))
                .remedy("add [gate.tls] with cert_file and key_file"),
        ],
        false => Vec::new(),
    }
}

/// Reports `first_factor = "pam"` without the helper or its service.
fn first_factor(
    machine: &Machine,
    gate: &GateConfig,
    at: &dyn Fn(&[&str]) -> Place,
) -> Vec<Finding> {
    if gate.first_factor != FirstFactorSource::Pam {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let service = PathBuf::from("/etc/pam.d").join(gate.pam_service.as_str());
    if !machine.exists(&service) {
        findings.push(
            Finding::fault(
                "configuration",
                format_args!(
                    "gate.first_factor is \"pam\", and {} is missing",
                    service.display()
                ),
            )
            .at(&at(&["gate", "first_factor"]))
            .remedy("copy pam.d/postern-gate of the samples to /etc/pam.d"),
        );
    }
    for hook in [PamHook::Auth, PamHook::Account] {
        let stack = load_stack(machine, gate.pam_service.as_str(), hook);
        findings.extend(stack.our_lines().first().map(|(place, _)| {
            let what = "pam_totp.so would ask here for a code that cannot be entered, so passwords of this machine are refused at the web";
            Finding::fault("configuration", what)
                .at(place)
                .remedy(format_args!(
                    "list other modules in {} than those of this file",
                    service.display()
                ))
        }));
    }
    let socket = Path::new("/run/postern-password.sock");
    if !machine.listening_paths().contains(socket) {
        findings.push(
            Finding::fault(
                "configuration",
                format_args!(
                    "gate.first_factor is \"pam\", and nothing listens at {}",
                    socket.display()
                ),
            )
            .at(&at(&["gate", "first_factor"]))
            .remedy("systemctl enable --now postern-password.socket"),
        );
    }
    findings
}

/// Returns warnings about rules that require a sign-in at a host which the session cookie does not
/// reach, with the rule's position, and about applications in the gate's registrable domain, which
/// can set cookies for all of it.
fn beyond_sessions(gate: &GateConfig) -> Vec<(String, Option<usize>)> {
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
        let warning = format!(
            "gate.application_urls: {} is in the gate's registrable domain and can set cookies for all of it: an \
             application that is not trusted needs another registrable domain",
            own.host()
        );
        (warning, None)
    }));
    for (rule, position) in gate.rule.iter().zip(1..) {
        let asks = matches!(
            rule.then,
            RuleAccess::Password | RuleAccess::Code | RuleAccess::Passkey
        );
        for hosts in rule.hosts.iter().filter(|hosts| asks && !reaches(hosts)) {
            let warning = format!(
                "gate.rule-{position}: sign-in is not possible for {hosts}, for which no session is valid; see gate.cookie_domain"
            );
            warnings.push((warning, Some(position)));
        }
    }
    warnings
}
