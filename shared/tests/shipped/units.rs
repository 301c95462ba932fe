//! The systemd units: each line that restricts a program has its reason above it.

use std::path::Path;

/// The beginnings of the keys of systemd.exec(5) that restrict a program.
const RESTRICTIONS: [&str; 14] = [
    "AppArmorProfile",
    "CapabilityBoundingSet",
    "InaccessiblePaths",
    "KeyringMode",
    "LimitCORE",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "Private",
    "Protect",
    "ReadWritePaths",
    "Restrict",
    "SystemCall",
    "UMask",
];

/// Returns the restrictions of a unit that have no comment above them.
fn without_reason(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let is_restriction = |line: &str| {
        let begins = |key: &&str| line.starts_with(*key);
        RESTRICTIONS.iter().any(begins)
    };
    let pairs = lines.windows(2).filter(|pair| is_restriction(pair[1]));
    let without = pairs.filter(|pair| !pair[0].starts_with('#'));
    without.map(|pair| pair[1]).collect()
}

#[test]
fn each_restriction_of_a_unit_has_its_reason_above_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let without = without_reason(&text);
        assert!(without.is_empty(), "{}: {without:?}", path.display());
        count += text.matches("\nProtect").count();
    }
    assert!(count > 30, "{count}");
    assert_eq!(
        without_reason("[Service]\nProtectHome=yes\n# why\nPrivateTmp=yes\nUMask=0077"),
        ["ProtectHome=yes", "UMask=0077"]
    );
}
