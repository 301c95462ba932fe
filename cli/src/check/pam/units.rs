//! The systemd units of PAM hosts: whether pam_totp.so can reach the sockets of posternd from
//! inside their sandbox.

use crate::check::finding::Finding;
use crate::check::machine::Machine;

const SYSTEMCTL: &str = "/usr/bin/systemctl";
const SOCKETS: &str = "/run/postern";
/// Properties of a unit, see systemd.exec(5).
const PROPERTIES: &str = "--property=LoadState,RootDirectory,RootImage,PrivateUsers,InaccessiblePaths,TemporaryFileSystem,FragmentPath";

/// Returns the findings for the units of PAM services. Most have the name of the service.
pub(crate) fn findings(machine: &Machine, services: &[String]) -> Vec<Finding> {
    let units = services.iter().map(|service| match service.as_str() {
        "sshd" => "ssh.service".to_owned(),
        service => format!("{service}.service"),
    });
    units.filter_map(|unit| finding(machine, &unit)).collect()
}

fn finding(machine: &Machine, unit: &str) -> Option<Finding> {
    let shown = machine.run(SYSTEMCTL, &["show", PROPERTIES, "--", unit])?;
    let value = |key: &str| {
        let lines = shown.out.lines();
        let mut pairs = lines.filter_map(|line| line.split_once('='));
        pairs
            .find(|(name, _)| *name == key)
            .map_or("", |(_, value)| value.trim())
    };
    if value("LoadState") != "loaded" {
        return None;
    }
    let hides_sockets = |key: &&str| {
        let mut paths = value(key).split_whitespace();
        paths.any(|path| {
            // options follow a colon; "-" and "+" are prefixes
            let path = path.trim_start_matches(['-', '+']);
            let path = path.split(':').next().unwrap_or_default();
            SOCKETS == path || SOCKETS.starts_with(&format!("{}/", path.trim_end_matches('/')))
        })
    };
    let is_set = |key: &&str| !["", "no"].contains(&value(key));
    let other_root = ["RootDirectory", "RootImage"].into_iter().find(is_set);
    let hidden = ["InaccessiblePaths", "TemporaryFileSystem"]
        .into_iter()
        .find(hides_sockets);
    let setting = match (other_root, hidden) {
        (Some(key), _) => format!("{key}={}", value(key)),
        (None, Some(key)) => format!("{key}= hides {SOCKETS}"),
        (None, None) if is_set(&"PrivateUsers") => "PrivateUsers= hides who the user is".to_owned(),
        (None, None) => return None,
    };
    let file = value("FragmentPath").to_owned();
    Some(
        Finding::fault(
            "pam",
            format_args!("{unit}: {setting}, so pam_totp.so cannot reach posternd, and denies access"),
        )
        .in_file(file)
        .remedy(format_args!(
            "with systemctl edit {unit}, remove it, or add BindPaths={SOCKETS}; then restart the unit"
        )),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_that_hides_the_sockets_is_found() {
        let root = tempfile::tempdir().unwrap();
        for (settings, is_found) in [
            ("LoadState=loaded\nPrivateUsers=no\nRootDirectory=\n", false),
            (
                "LoadState=loaded\nInaccessiblePaths=-/run/user /runner\n",
                false,
            ),
            ("LoadState=loaded\nRootDirectory=/srv/jail\n", true),
            ("LoadState=loaded\nInaccessiblePaths=-/run\n", true),
            (
                "LoadState=loaded\nTemporaryFileSystem=/run/postern:ro\n",
                true,
            ),
            ("LoadState=loaded\nPrivateUsers=yes\n", true),
            ("LoadState=not-found\nPrivateUsers=yes\n", false),
            ("=\n==\nLoadState", false),
        ] {
            let line = format!("{SYSTEMCTL} show {PROPERTIES} -- ssh.service");
            let machine = Machine::at(root.path()).record(&line, settings);
            let found = findings(&machine, &["sshd".to_owned()]);
            assert_eq!(!found.is_empty(), is_found, "{settings}: {found:?}");
        }
    }
}
