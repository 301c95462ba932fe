//! docs/standards.md: the tests and settings that it names exist.

use super::generated::checkout;
use super::promises::is_name_of_test;
use super::test_names::names_of_tests;
use postern_shared::config::Config;
use std::collections::HashSet;

const RESULTS: [&str; 5] = ["met", "setting", "partly", "not met", "yours"];

/// A line of a table.
struct Row<'a> {
    section: &'a str,
    result: &'a str,
    /// Text between backticks in the last column.
    quoted: Vec<&'a str>,
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let cells = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line
            .strip_prefix("| ")?
            .strip_suffix(" |")?
            .split(" | ")
            .collect();
        <[&str; 4]>::try_from(cells).ok()
    });
    let rows = cells.filter(|cells| cells[0] != "section");
    rows.map(|[section, _, result, remarks]| Row {
        section,
        result,
        quoted: remarks.split('`').skip(1).step_by(2).collect(),
    })
    .collect()
}

/// Returns what is wrong with a page.
fn faults(text: &str, tests: &HashSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for Row {
        section,
        result,
        quoted,
    } in rows(text)
    {
        let mut fault = |what: String| faults.push(format!("{section}: {what}"));
        if !RESULTS.contains(&result) {
            fault(format!("the result {result}"));
        }
        let (names, others): (Vec<&str>, Vec<&str>) =
            quoted.iter().partition(|word| is_name_of_test(word));
        for name in &names {
            if !tests.contains(*name) {
                fault(format!("no test is named {name}"));
            }
        }
        let settings = others
            .iter()
            .filter(|word| word.contains('.') && word.contains(" = "));
        let settings: Vec<_> = settings.collect();
        for setting in &settings {
            if let Err(error) = toml::from_str::<Config>(setting) {
                fault(format!("{setting}: {error}"));
            }
        }
        if result == "met" && names.is_empty() || result == "setting" && settings.is_empty() {
            fault(format!("{result}, and nothing shows it"));
        }
    }
    faults
}

#[test]
fn the_page_of_standards_names_tests_and_settings_that_exist() {
    let text = std::fs::read_to_string(checkout("docs/standards.md")).expect("the page");
    let tests = names_of_tests();
    assert!(
        tests.len() > 1000 && rows(&text).len() > 80,
        "{}",
        tests.len()
    );
    assert_eq!(faults(&text, &tests), Vec::<String>::new());
    // the attack: each kind of fault is found
    for (row, fault) in [
        (
            "| 1 | a | met | `a_test_that_does_not_exist` |",
            "no test is named",
        ),
        ("| 1 | a | met | words alone |", "nothing shows it"),
        (
            "| 1 | a | fulfilled | `password_then_code` |",
            "the result fulfilled",
        ),
        (
            "| 1 | a | setting | `gate.idle_timeout = \"1s\"` |",
            "idle_timeout",
        ),
    ] {
        let found = faults(row, &tests);
        assert!(found.len() == 1 && found[0].contains(fault), "{found:?}");
    }
}
