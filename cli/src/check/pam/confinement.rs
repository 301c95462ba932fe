//! AppArmor: whether an enforced profile keeps a PAM host from the sockets of posternd.

use crate::check::finding::Finding;
use crate::check::machine::Machine;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The profiles that the kernel has loaded: a name and a mode in parentheses on each line.
const LOADED: &str = "/sys/kernel/security/apparmor/profiles";
const FOLDER: &str = "/etc/apparmor.d";
/// What permits the module in every profile that includes abstractions/authentication.
const ABSTRACTION: &str = "/etc/apparmor.d/abstractions/authentication.d/postern";
/// Modes that deny what no rule permits.
const ENFORCED: [&str; 2] = ["(enforce)", "(kill)"];

/// Returns the findings for the profiles of PAM services that ask for the code.
pub(crate) fn findings(machine: &Machine, services: &[String]) -> Vec<Finding> {
    if services.is_empty() {
        return Vec::new();
    }
    let loaded = match machine.read(LOADED) {
        Ok(loaded) => loaded,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return vec![Finding::skipped(
                "pam",
                "only root can read which AppArmor profiles are enforced; run postern check as root",
            )];
        }
        // a kernel without AppArmor
        Err(_) => return Vec::new(),
    };
    let enforced = loaded.lines().filter_map(|line| {
        let (name, mode) = line.rsplit_once(' ')?;
        ENFORCED.contains(&mode).then_some(name)
    });
    let findings = enforced.filter_map(|profile| {
        let service = services
            .iter()
            .find(|service| is_profile_of(profile, service))?;
        finding(machine, profile, service)
    });
    findings.collect()
}

/// Whether a profile, such as `/usr/sbin/cupsd` or `sshd`, is that of a service's program.
fn is_profile_of(profile: &str, service: &str) -> bool {
    let program = profile.rsplit('/').next().unwrap_or(profile);
    program == service || program.strip_suffix('d') == Some(service)
}

fn finding(machine: &Machine, profile: &str, service: &str) -> Option<Finding> {
    let Some(file) = file_of(machine, profile) else {
        return Some(Finding::skipped(
            "pam",
            format_args!(
                "{service}: the AppArmor profile {profile} is enforced, and no file in {FOLDER} has that name, so it is not known whether it permits /run/postern"
            ),
        ));
    };
    let name = file.file_name().unwrap_or_default();
    let local = Path::new(FOLDER).join("local").join(name);
    let permits = |path: &Path| {
        let text = machine.read(path).unwrap_or_default();
        text.lines().any(permits_sockets)
    };
    let has_abstraction = machine.exists(Path::new(ABSTRACTION))
        && machine
            .read(&file)
            .unwrap_or_default()
            .lines()
            .any(includes_authentication);
    if permits(&file) || permits(&local) || has_abstraction {
        return None;
    }
    Some(
        Finding::warning(
            "pam",
            format_args!("{service}: no rule of the enforced AppArmor profile {profile} names /run/postern, so pam_totp.so may not reach posternd, and denies access"),
        )
        .in_file(&file)
        .remedy(format_args!(
            "add \"/run/postern/*.sock rw,\" to {}, then apparmor_parser --replace {}",
            local.display(),
            file.display()
        )),
    )
}

/// Returns the file of a profile: named after its path, as the tools of AppArmor name it, or the one
/// that holds its name.
fn file_of(machine: &Machine, profile: &str) -> Option<PathBuf> {
    let by_name = Path::new(FOLDER).join(profile.trim_start_matches('/').replace('/', "."));
    if machine.exists(&by_name) {
        return Some(by_name);
    }
    let mut files = machine.files_in(FOLDER).into_iter();
    files.find(|file| {
        let text = machine.read(file).unwrap_or_default();
        text.lines().any(|line| {
            let line = line.trim_start().trim_start_matches("profile ");
            let rest = line.trim_start_matches('"').strip_prefix(profile);
            rest.is_some_and(|rest| line.contains('{') && rest.starts_with([' ', '"', '{', '/']))
        })
    })
}

/// Whether a line of a profile includes abstractions/authentication, in the older form too.
fn includes_authentication(line: &str) -> bool {
    let line = line.trim().trim_start_matches('#');
    line.starts_with("include ") && line.contains("<abstractions/authentication>")
}

/// Whether a line of a profile permits the sockets, or everything around them.
fn permits_sockets(line: &str) -> bool {
    let line = line.trim_start();
    let is_rule = !line.starts_with('#') && !line.starts_with("deny ");
    is_rule
        && (line.contains("/run/postern")
            || line.contains("run/** ") && line.contains('w')
            || line.starts_with("/** ") && line.contains('w')
            || line == "file,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::FindingSeverity;

    #[test]
    fn an_enforced_profile_without_the_sockets_is_reported() {
        let profile = "abi <abi/4.0>,\n/usr/sbin/cupsd {\n  /etc/cups/** r,\n}\n";
        for (loaded, text, severity) in [
            (
                "/usr/sbin/cupsd (enforce)\n",
                profile,
                Some(FindingSeverity::Warning),
            ),
            (
                "/usr/sbin/cupsd (kill)\n",
                profile,
                Some(FindingSeverity::Warning),
            ),
            ("/usr/sbin/cupsd (complain)\n", profile, None),
            ("/usr/sbin/other (enforce)\n", profile, None),
            ("\n(enforce)\n", profile, None),
            (
                "/usr/sbin/cupsd (enforce)\n",
                "/usr/sbin/cupsd {\n  /run/postern/*.sock rw,\n}\n",
                None,
            ),
            (
                "/usr/sbin/cupsd (enforce)\n",
                "/usr/sbin/cupsd {\n # /run/postern/*.sock rw,\n}\n",
                Some(FindingSeverity::Warning),
            ),
            (
                "/usr/sbin/cupsd (enforce)\n",
                "",
                Some(FindingSeverity::Skipped),
            ),
        ] {
            let root = tempfile::tempdir().unwrap();
            let machine = Machine::at(root.path());
            machine.write(LOADED, loaded);
            machine.write("/etc/apparmor.d/cups", text);
            let found = findings(&machine, &["cups".to_owned(), "sshd".to_owned()]);
            let found: Vec<_> = found.iter().map(|one| one.severity).collect();
            assert_eq!(
                found,
                severity.into_iter().collect::<Vec<_>>(),
                "{loaded}{text}"
            );
            // the administrator's addition
            machine.write("/etc/apparmor.d/local/cups", "/run/postern/*.sock rw,\n");
            let found = findings(&machine, &["cups".to_owned()]);
            assert!(
                found
                    .iter()
                    .all(|one| one.severity == FindingSeverity::Skipped)
            );
        }
    }

    #[test]
    fn a_profile_with_the_abstraction_of_postern_is_not_reported() {
        for (line, is_reported) in [
            ("  include <abstractions/authentication>\n", false),
            ("  #include <abstractions/authentication>\n", false),
            ("  # include it: <abstractions/authentication>\n", true),
            ("  include <abstractions/base>\n", true),
        ] {
            let root = tempfile::tempdir().unwrap();
            let machine = Machine::at(root.path());
            machine.write(LOADED, "/usr/sbin/cupsd (enforce)\n");
            let text = format!("/usr/sbin/cupsd {{\n{line}}}\n");
            machine.write("/etc/apparmor.d/usr.sbin.cupsd", &text);
            let services = ["cups".to_owned()];
            assert_eq!(findings(&machine, &services).len(), 1, "{line}");
            machine.write(ABSTRACTION, "/run/postern/host.sock rw,\n");
            let found = findings(&machine, &services);
            assert_eq!(!found.is_empty(), is_reported, "{line}");
        }
    }

    #[test]
    fn without_apparmor_there_is_nothing_to_report() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            findings(&Machine::at(root.path()), &["sshd".to_owned()]),
            []
        );
    }
}
