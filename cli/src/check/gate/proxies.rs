//! The proxies on this machine: whether they may connect to the gate's socket, and whether
//! they send the secret that the gate expects, and nobody else can read it.
//!
//! MUST NOT print a secret.

use crate::check::finding::{Finding, Place};
use crate::check::installation::{DebianPackage, reinstall};
use crate::check::machine::{Machine, MachineProcess};
use crate::check::store;
use postern_shared::config::Config;
use postern_shared::config::gate::{ListenAddress, ProxyKind, ProxyPeer, TrustedProxy};
use std::collections::BTreeSet;
use std::path::Path;
use zeroize::Zeroizing;

const GROUP: &str = "postern-proxy";
const HEADER: &str = "X-Postern-Proxy";
const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// Least user id of a person (`UID_MIN` of login.defs(5)).
const FIRST_PERSON: u32 = 1000;

pub(crate) fn findings(machine: &Machine, config: &Config) -> Vec<Finding> {
    let gate = &config.gate;
    if gate.url.is_none() {
        return Vec::new();
    }
    if !machine.is_root() {
        return vec![Finding::skipped(
            "proxy",
            "only root can look at the secrets of proxies; run postern check as root",
        )];
    }
    let mut findings = Vec::new();
    for proxy in &gate.trusted_proxies {
        let by_unix = proxy.from.contains(&ProxyPeer::Unix)
            && gate
                .listen
                .0
                .iter()
                .any(|listen| matches!(listen, ListenAddress::Unix(_)));
        if by_unix {
            findings.extend(membership(machine, proxy.proxy));
        }
        findings.extend(secret(machine, proxy));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            "proxy",
            "the trusted proxies of this machine can reach the gate",
        ));
    }
    findings
}

/// Reports a proxy whose user may not connect to the gate's socket.
fn membership(machine: &Machine, kind: ProxyKind) -> Option<Finding> {
    let Some(group) = machine.group(GROUP) else {
        return Some(
            Finding::fault("proxy", format_args!("there is no group {GROUP}"))
                .in_file("/etc/group")
                .remedy(reinstall(machine, DebianPackage::Command)),
        );
    };
    let name = user_name(machine, kind)?;
    let restart = format!("systemctl restart {}", unit(kind));
    if let Some(user) = machine.user(&name) {
        if user.uid != 0 && !machine.reader(&user).gids.contains(&group) {
            return Some(
                Finding::fault("proxy", format_args!("user {name}, as whom {} runs, is not in group {GROUP}, and may not connect to the gate", kind.name()))
                    .in_file("/etc/group")
                    .remedy(format_args!("usermod --append --groups {GROUP} {name}, then {restart}")),
            );
        }
    }
    let uid = machine.user(&name)?.uid;
    let workers = machine.processes(unit(kind));
    // others may have a process of that name, too
    let lacks = |process: &MachineProcess| {
        process.uid == uid && uid != 0 && !process.groups.contains(&group)
    };
    let worker = workers.iter().find(|process| lacks(process))?;
    Some(
        Finding::fault("proxy", format_args!("{} (process {}) started before its user was in group {GROUP}, and may not connect to the gate", kind.name(), worker.id))
            .in_file("/etc/group")
            .remedy(restart),
    )
}

/// Returns the user as whom the proxy runs, if it is on this machine.
fn user_name(machine: &Machine, kind: ProxyKind) -> Option<String> {
    match kind {
        ProxyKind::Nginx => {
            let text = machine.read("/etc/nginx/nginx.conf").ok()?;
            let named = text.lines().find_map(|line| {
                let user = line.trim().strip_prefix("user ")?;
                user.split([';', ' '])
                    .find(|word| !word.is_empty())
                    .map(str::to_owned)
            });
            Some(named.unwrap_or_else(|| "nobody".to_owned()))
        }
        ProxyKind::Apache => {
            let text = machine.read("/etc/apache2/envvars").ok()?;
            let named = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("export APACHE_RUN_USER="));
            Some(named.unwrap_or("www-data").trim_matches('"').to_owned())
        }
        ProxyKind::Traefik | ProxyKind::Caddy | ProxyKind::Haproxy | ProxyKind::Envoy => {
            let unit = machine.run(
                SYSTEMCTL,
                &["show", "--property=User", "--value", kind.name()],
            );
            let of_unit = unit.map(|output| output.out.trim().to_owned());
            if let Some(name) = of_unit.filter(|name| !name.is_empty()) {
                return Some(name);
            }
            // A person can start a process of this name, and must not be named as the proxy's user.
            let processes = machine.processes(kind.name()).into_iter();
            let uids: BTreeSet<u32> = processes.map(|process| process.uid).collect();
            let uid = uids.first().filter(|_| uids.len() == 1)?;
            let mut users = machine.local_users().into_iter();
            let user = users.find(|user| user.uid == *uid)?;
            (user.uid < FIRST_PERSON).then_some(user.name)
        }
        ProxyKind::AutheliaAuthRequest
        | ProxyKind::AutheliaForwardAuth
        | ProxyKind::AutheliaExtAuthz => None,
    }
}

/// Reports a secret that everyone can read in the proxy's folder, or another one than the gate's.
fn secret(machine: &Machine, proxy: &TrustedProxy) -> Vec<Finding> {
    let Some(file) = &proxy.secret_file else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if let Err(what) = store::secret_file(machine, file.path(), "postern-gate") {
        findings.push(
            Finding::fault("proxy", what)
                .in_file(file.path())
                .remedy(format_args!(
                    "chown root:postern {0} && chmod 0640 {0}",
                    file.path().display()
                )),
        );
    }
    let secret = Zeroizing::new(machine.read(file.path()).unwrap_or_default());
    let secret = secret.trim();
    // configuration::verify has reported a short one
    if secret.len() < 16 || proxy.proxy.is_for_authelia() {
        return findings;
    }
    let own_folder = folder(proxy.proxy);
    let mut others = Vec::new();
    let mut is_sent = false;
    let folders = ProxyKind::ALL.map(folder);
    for path in folders
        .iter()
        .flat_map(|folder| machine.files_below(folder))
    {
        let text = Zeroizing::new(machine.read(&path).unwrap_or_default());
        for (number, line) in (1..).zip(text.lines()) {
            if line.contains(secret) {
                is_sent |= path.starts_with(&own_folder);
                if store::is_public(machine, &path) {
                    findings.push(
                        Finding::fault("proxy", "everyone can read the proxy's secret in this file, and pretend to be the proxy")
                            .at(&Place::line(&path, number))
                            .remedy(format_args!("chmod 0640 {}, then make a new secret: remove {} and run postern print-config {}", path.display(), file.path().display(), proxy.proxy.name())),
                    );
                }
            } else if path.starts_with(&own_folder) && sends_a_secret(&path, line) {
                others.push(Place::line(&path, number));
            }
        }
    }
    if let Some(place) = others.first().filter(|_| !is_sent) {
        findings.push(
            Finding::fault(
                "proxy",
                format_args!(
                    "{} sends another secret than {} holds, so the gate refuses its requests",
                    proxy.proxy.name(),
                    file.path().display()
                ),
            )
            .at(place)
            .remedy(format_args!(
                "run postern print-config {} again, then systemctl reload {}",
                proxy.proxy.name(),
                unit(proxy.proxy)
            )),
        );
    }
    findings
}

/// Returns the name of the proxy's unit, which is that of its program and its folder in /etc.
fn unit(kind: ProxyKind) -> &'static str {
    match kind {
        ProxyKind::Apache => "apache2",
        kind => kind.name(),
    }
}

/// Returns the folder of a proxy's configuration.
pub(in crate::check) fn folder(kind: ProxyKind) -> String {
    format!("/etc/{}", unit(kind))
}

/// Whether a line of a proxy's configuration sets a secret, as the samples do.
fn sends_a_secret(path: &Path, line: &str) -> bool {
    let line = line.trim();
    if line.starts_with('#') {
        return false;
    }
    let in_map = path
        .file_name()
        .is_some_and(|name| name == "postern-proof.conf");
    let value = match line.split_once(HEADER) {
        Some((_, value)) => value.trim_start_matches([' ', ':']),
        None if in_map => line.strip_prefix("default ").unwrap_or_default(),
        None => return false,
    };
    let value = value.trim().trim_end_matches(';').trim_matches('"');
    value.len() >= 8 && !value.starts_with(['$', ']', ','])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const USERS: &str = "root:x:0:0::/:/bin/sh\ntraefik:x:990:990::/:/bin/false\nposternd:x:991:991::/:/bin/false\nmallory:x:1001:1001::/:/bin/sh\n";

    fn process(machine: &Machine, root: &Path, id: u32, name: &str, uid: u32, program: &str) {
        machine.write(&format!("/proc/{id}/comm"), &format!("{name}\n"));
        let status = format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\nGroups:\t\n");
        machine.write(&format!("/proc/{id}/status"), &status);
        symlink(program, root.join(format!("proc/{id}/exe"))).unwrap();
    }

    /// Its remedy would let that person into the group of proxies.
    #[test]
    fn a_persons_process_of_the_proxys_name_is_not_the_proxy() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(root.path());
        machine.write("/etc/passwd", USERS);
        machine.write("/etc/group", "postern-proxy:x:995:\n");
        process(
            &machine,
            root.path(),
            7,
            "traefik",
            1001,
            "/usr/bin/traefik",
        );
        assert_eq!(membership(&machine, ProxyKind::Traefik), None);
        // beside the proxy itself it is not certain which one is meant
        process(&machine, root.path(), 8, "traefik", 990, "/usr/bin/traefik");
        assert_eq!(membership(&machine, ProxyKind::Traefik), None);

        let show = "/usr/bin/systemctl show --property=User --value traefik";
        let machine = machine.record(show, "traefik\n");
        let finding = membership(&machine, ProxyKind::Traefik).unwrap();
        assert!(
            finding.what.starts_with("user traefik, as whom"),
            "{finding}"
        );
    }

    #[test]
    fn a_persons_process_of_a_daemons_program_is_not_the_daemon() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(root.path());
        machine.write("/etc/passwd", USERS);
        let program = "/usr/libexec/postern/posternd";
        process(&machine, root.path(), 7, "posternd", 1001, program);
        assert!(machine.daemons("posternd", program).is_empty());
        process(
            &machine,
            root.path(),
            8,
            "posternd",
            991,
            "/usr/libexec/postern/posternd (deleted)",
        );
        let daemons = machine.daemons("posternd", program);
        assert!(daemons.len() == 1 && daemons[0].is_outdated());
    }
}
