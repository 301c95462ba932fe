//! docs/security-model.md: each promise names tests, and these exist.

use super::generated::checkout;
use super::test_names::names_of_tests;
use std::collections::HashSet;

/// Fewest tests that a promise names.
const FEWEST: usize = 3;
const PROMISES: usize = 10;

/// Returns whether a text between backticks has the form of the name of a test.
pub(crate) fn is_name_of_test(word: &str) -> bool {
    word.len() > 15
        && word.contains('_')
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Returns what is wrong with a page. A promise is a section below `## Promises`.
fn faults(page: &str, tests: &HashSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let (_, promises) = page.split_once("\n## Promises\n").unwrap_or_default();
    let promises = promises.split("\n## ").next().unwrap_or_default();
    let sections: Vec<_> = promises.split("\n### ").skip(1).collect();
    if sections.len() != PROMISES {
        faults.push(format!("{} promises", sections.len()));
    }
    for section in sections {
        let name = section.lines().next().unwrap_or_default();
        let quoted = section.split('`').skip(1).step_by(2);
        let named: HashSet<&str> = quoted.filter(|word| is_name_of_test(word)).collect();
        if named.len() < FEWEST {
            faults.push(format!("{name}: names {} tests", named.len()));
        }
        let missing = named.iter().filter(|test| !tests.contains(**test));
        faults.extend(missing.map(|test| format!("{name}: no test is named {test}")));
    }
    faults
}

#[test]
fn each_promise_of_the_security_model_names_tests_that_exist() {
    let page = std::fs::read_to_string(checkout("docs/security-model.md")).expect("the page");
    let tests = names_of_tests();
    assert_eq!(faults(&page, &tests), Vec::<String>::new());
    // the attack: a test that was renamed, and a promise without tests
    let renamed = page.replacen("`trap_09_", "`trap_99_", 1);
    assert_eq!(faults(&renamed, &tests).len(), 1);
    let without: String = page.split('`').step_by(2).collect();
    assert_eq!(faults(&without, &tests).len(), PROMISES);
}
