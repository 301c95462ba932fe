//! How Postern was installed on this host: as Debian packages, or by `packaging/install`.

use crate::check::machine::Machine;

/// The licences of the package `postern`, which every Debian package has here (Debian Policy, section
/// 12.5), which no other installation has, and which go with a removal.
const LICENCES: &str = "/usr/share/doc/postern/copyright";

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
    match machine.exists(LICENCES) {
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
        // what packaging/install installs there
        machine.write("/usr/share/doc/postern/examples/pam.d/sshd", "");
        assert_eq!(reinstall(&machine, DebianPackage::Gate), by_script);
        machine.write(LICENCES, "");
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
    fn the_packages_are_those_of_the_control_file() {
        let control = include_str!("../../../packaging/debian/control");
        for package in [
            DebianPackage::Module,
            DebianPackage::Command,
            DebianPackage::Gate,
        ] {
            let line = format!("Package: {}", package.name());
            assert!(control.lines().any(|one| one == line), "{line}");
        }
    }
}
