//! The daemons: whether they run, are those that are installed, and listen where PAM hosts and
//! proxies connect.

use crate::check::finding::Finding;
use crate::check::installation::{DebianPackage, reinstall};
use crate::check::machine::Machine;
use crate::check::pam::stack::service_names;
use postern_shared::config::Config;
use postern_shared::config::gate::ListenAddress;
use postern_shared::system::pam_service::{MODULE, SERVICE_FOLDERS};
use std::path::Path;

const HOST_SOCKET: &str = "/run/postern/host.sock";
const PAM_SOCKET: &str = "/run/postern/pam.sock";
const POSTERND: &str = "/usr/libexec/postern/posternd";
const GATE: &str = "/usr/bin/postern-gate";
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn findings(machine: &Machine, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_used_by_pam(machine) {
        findings.extend(posternd(machine));
    }
    if config.gate.url.is_some() {
        findings.extend(gate(machine, config));
    }
    findings
}

/// Whether a service file names the module.
pub(crate) fn is_used_by_pam(machine: &Machine) -> bool {
    service_names(machine).iter().any(|service| {
        let mut paths = SERVICE_FOLDERS
            .iter()
            .map(|folder| Path::new(folder).join(service));
        paths.any(|path| {
            machine.read(path).is_ok_and(|text| {
                text.lines()
                    .any(|line| !line.trim_start().starts_with('#') && line.contains(MODULE))
            })
        })
    })
}

fn posternd(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    let listening = machine.listening_paths();
    for (socket, unit, who) in [
        (
            HOST_SOCKET,
            "posternd.socket",
            "PAM hosts of root run posternd --stdio at each login",
        ),
        (
            PAM_SOCKET,
            "posternd-pam.socket",
            "screen lockers and commands of users are denied",
        ),
    ] {
        if !listening.contains(Path::new(socket)) {
            findings.push(
                Finding::fault(
                    "posternd",
                    format_args!("nothing listens at {socket}: {who}"),
                )
                .in_file(socket)
                .remedy(format_args!("systemctl enable --now {unit} posternd")),
            );
        }
    }
    findings.extend(program(machine, "posternd", "posternd", POSTERND));
    if findings.is_empty() {
        findings.push(Finding::ok("posternd", "runs, and listens for PAM hosts"));
    }
    findings
}

fn gate(machine: &Machine, config: &Config) -> Vec<Finding> {
    let mut findings = program(machine, "gate", "postern-gate", GATE);
    let (paths, ports) = (machine.listening_paths(), machine.listening_ports());
    let is_running = findings.is_empty();
    for listen in &config.gate.listen.0 {
        let (listens, name) = match listen {
            ListenAddress::Unix(path) => (paths.contains(path), path.display().to_string()),
            ListenAddress::Tcp(address)
            | ListenAddress::Tls(address)
            | ListenAddress::Fastcgi(address) => {
                (ports.contains(&address.port()), address.to_string())
            }
            ListenAddress::Systemd(_) => continue,
        };
        if is_running && !listens {
            findings.push(
                Finding::fault(
                    "gate",
                    format_args!("nothing listens at {name}, an entry of gate.listen"),
                )
                .in_file("/etc/postern/postern.toml")
                .remedy("systemctl restart postern-gate, and see its log"),
            );
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("gate", "runs, and listens for proxies"));
    }
    findings
}

/// Whether posternd runs on this machine.
pub(crate) fn posternd_runs() -> bool {
    !Machine::real().daemons("posternd", POSTERND).is_empty()
}

/// Reports a daemon that does not run, runs an earlier program, or is installed in another version.
fn program(machine: &Machine, subject: &'static str, name: &str, path: &str) -> Vec<Finding> {
    let package = match path {
        GATE => DebianPackage::Gate,
        _ => DebianPackage::Command,
    };
    let mut findings = Vec::new();
    if !machine.exists(path) {
        let what = format!("{path} is not installed");
        return vec![
            Finding::fault(subject, what)
                .in_file(path)
                .remedy(reinstall(machine, package)),
        ];
    }
    let daemons = machine.daemons(name, path);
    if daemons.is_empty() {
        findings.push(
            Finding::fault(subject, format_args!("{name} does not run"))
                .in_file(path)
                .remedy(format_args!(
                    "systemctl enable --now {name}, and see its log with journalctl -u {name}"
                )),
        );
    }
    if daemons.iter().any(|process| process.is_outdated()) {
        findings.push(
            Finding::fault(
                subject,
                format_args!("{name} runs an earlier program than the one that is installed"),
            )
            .in_file(path)
            .remedy(format_args!("systemctl restart {name}")),
        );
    }
    let version = installed_version(machine, path);
    if let Some(version) = version.filter(|version| version != VERSION) {
        findings.push(
            Finding::fault(
                subject,
                format_args!("{name} has version {version}, and this command has {VERSION}"),
            )
            .in_file(path)
            .remedy(format_args!(
                "{}, then systemctl restart {name}",
                reinstall(machine, package)
            )),
        );
    }
    findings
}

/// Returns the version of an installed program: the second word that it prints.
fn installed_version(machine: &Machine, path: &str) -> Option<String> {
    let said = machine.run(path, &["--version"])?;
    let words = said.out + &said.err;
    let version = words.split_whitespace().nth(1).map(str::to_owned);
    version.filter(|_| said.succeeded)
}
