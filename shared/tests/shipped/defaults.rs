//! docs/defaults.md: each key has the default of the code.

use postern_shared::config::Config;
use std::collections::BTreeMap;
use std::path::Path;

/// Returns the keys with their defaults, without tables and lists of tables.
fn defaults() -> BTreeMap<String, toml::Value> {
    let table = toml::Table::try_from(Config::default()).expect("a table");
    let mut found = BTreeMap::new();
    for (section, keys) in &table {
        for (key, value) in keys.as_table().into_iter().flatten() {
            let is_table =
                value.is_table() || ["exempt", "rule", "trusted_proxies"].contains(&key.as_str());
            if !is_table {
                found.insert(format!("{section}.{key}"), value.clone());
            }
        }
    }
    found
}

/// Returns the keys of a page with their defaults; `None` for the default "none".
pub(crate) fn stated(text: &str) -> BTreeMap<String, Option<toml::Value>> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.splitn(3, " | ");
        let (key, value) = (cells.next()?.strip_suffix('`')?, cells.next()?);
        let value = value.strip_prefix('`').map(|value| {
            let text = format!("value = {}", value.trim_end_matches('`'));
            let table: toml::Table = text.parse().expect(&text);
            table["value"].clone()
        });
        Some((key.to_owned(), value))
    });
    rows.collect()
}

#[test]
fn the_page_of_defaults_states_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/defaults.md");
    let text = std::fs::read_to_string(path).expect("the page");
    let mut stated = stated(&text);
    for (key, value) in defaults() {
        assert_eq!(stated.remove(&key).flatten(), Some(value), "{key}");
    }
    // What is left is a key that has no default there. Those of [pam] have one in posternd, which
    // compares them itself.
    for (key, value) in stated {
        let (section, name) = key.split_once('.').expect(&key);
        assert!(value.is_none() || section == "pam", "{key}");
        let unknown = toml::from_str::<Config>(&format!("[{section}]\n{name} = {{}}\n"));
        let error = unknown.expect_err("no key has a table").to_string();
        assert!(!error.contains("unknown field"), "{error}");
    }
}
