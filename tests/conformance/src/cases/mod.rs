//! The cases, by group. Groups that stop the gate, change the clock or use up a throttle come last.

use crate::case::Case;

mod app_passwords;
mod browsers;
mod codes;
mod cookies;
mod denied;
mod ends;
mod gate_down;
mod guesses;
mod identity;
mod methods;
mod network;
mod own_pages;
mod paths;
mod requests;
mod return_page;
mod second_application;
mod streams;

/// Returns all cases in the order in which they run.
pub(crate) fn all() -> Vec<Case> {
    [
        denied::cases(),
        identity::cases(),
        cookies::cases(),
        methods::cases(),
        paths::cases(),
        requests::cases(),
        network::cases(),
        streams::cases(),
        own_pages::cases(),
        return_page::cases(),
        second_application::cases(),
        app_passwords::cases(),
        codes::cases(),
        browsers::cases(),
        gate_down::cases(),
        ends::cases(),
        guesses::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_name_is_there_once_and_needs_no_escape_in_a_table() {
        let all = all();
        let names: BTreeSet<_> = all.iter().map(|case| (case.group, case.name)).collect();
        assert_eq!(names.len(), all.len());
        for case in &all {
            assert!(!case.name.contains(['|', '\n', '\t']), "{}", case.name);
        }
    }
}
