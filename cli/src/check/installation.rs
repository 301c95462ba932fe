//! How Postern was installed on this host: as Debian packages, or by `packaging/install`.

use crate::check::machine::Machine;

/// Files of the package `postern`, as dpkg lists them. What stays after a removal is configuration.
const LIST: &str = "/var/lib/dpkg/info/postern.list";
const COMMAND: &str = "/usr/bin/postern";

/// A Debian package of Postern.
#[derive(Clone, Copy)]
pub(crate) enum DebianPackage {
    Module,
    Command,
    Gate,
}

impl DebianPackage {
    fn name(self) -> &'static str {
        match self {
            DebianPackage::Module => "libpam-totp",
            DebianPackage::Command => "postern",
            DebianPackage::Gate => "postern-gate",
        }
    }
}

/// Returns what installs a part of Postern again, in the way in which the command was installed.
pub(crate) fn reinstall(machine: &Machine, package: DebianPackage) -> String {
    let list = machine.read(LIST).unwrap_or_default();
    match list.lines().any(|line| line == COMMAND) {
        true => format!("apt-get install --reinstall {}", package.name()),
        false => "run packaging/install again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_packages_is_told_to_install_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::at(folder.path());
        let by_script = "run packaging/install again";
        assert_eq!(reinstall(&machine, DebianPackage::Gate), by_script);
        // a removed package leaves its configuration in the list
        machine.write(LIST, "/.\n/etc/apparmor.d\n/etc/apparmor.d/posternd\n");
        assert_eq!(reinstall(&machine, DebianPackage::Gate), by_script);
        machine.write(LIST, "/.\n/usr/bin\n/usr/bin/postern\n");
        for (package, name) in [
            (DebianPackage::Module, "libpam-totp"),
            (DebianPackage::Command, "postern"),
            (DebianPackage::Gate, "postern-gate"),
        ] {
            assert_eq!(
                reinstall(&machine, package),
                format!("apt-get install --reinstall {name}")
            );
        }
    }

    /// The names are those of the packages that are built.
    #[test]
    fn the_packages_and_the_command_are_those_of_the_control_file() {
        let control = include_str!("../../../packaging/debian/control");
        for package in [
            DebianPackage::Module,
            DebianPackage::Command,
            DebianPackage::Gate,
        ] {
            let line = format!("Package: {}", package.name());
            assert!(control.lines().any(|one| one == line), "{line}");
        }
        let files = include_str!("../../../packaging/debian/postern.install");
        assert!(files.lines().any(|line| line == "built/postern usr/bin"));
    }
}
