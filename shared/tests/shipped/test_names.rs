//! The names of the tests of the checkout, which pages name as evidence.

use super::generated::checkout;
use std::collections::HashSet;

/// Returns the names of all tests of the checkout.
pub(crate) fn names_of_tests() -> HashSet<String> {
    let mut names = HashSet::new();
    let mut folders: Vec<_> = ["shared", "gate", "posternd", "cli", "pam_totp", "tests"]
        .map(checkout)
        .into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the checkout has it") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a text");
                let functions = text.split("#[test]").skip(1).filter_map(|rest| {
                    let (name, _) = rest.split_once("fn ")?.1.split_once('(')?;
                    Some(name.to_owned())
                });
                names.extend(functions);
            }
        }
    }
    names
}
