//! The subset of YAML in Authelia's exports: one key, and below it a list of flat maps of scalars.
//! Anchors, tags, block scalars, flow collections and nesting are refused, so that no document can
//! have an unexpected effect.

use super::{ImportError, lines};
use zeroize::Zeroizing;

pub(super) struct YamlRecord {
    /// First line of the map.
    pub(super) line: usize,
    pub(super) pairs: Vec<YamlPair>,
}

/// One key of a map with its value, `None` for null.
pub(super) struct YamlPair {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: Option<Zeroizing<String>>,
}

/// More keys than such a map has.
const MOST_KEYS: usize = 50;

/// Parses the maps below `title`, which must be the only key of the document.
pub(super) fn parse_records(text: &str, title: &str) -> Result<Vec<YamlRecord>, ImportError> {
    let mut records: Vec<YamlRecord> = Vec::new();
    let mut indent = None;
    let mut begun = false;
    let mut titled = false;
    for numbered in lines(text) {
        let (line, text) = numbered?;
        let content = text.trim_start_matches(' ');
        if content.trim_end().is_empty() || content.starts_with('#') {
            continue;
        }
        if !titled {
            match text.trim_end() {
                "---" if !begun => begun = true,
                title_line if title_line.strip_suffix(':') == Some(title) => titled = true,
                _ => {
                    return Err(ImportError::Line(
                        line,
                        "it is not an export of Authelia's TOTP configurations",
                    ));
                }
            }
            continue;
        }
        let depth = text.len() - content.len();
        let unknown = ImportError::Position(line, depth + 1, UNKNOWN);
        match content.strip_prefix("- ") {
            Some(pair) if *indent.get_or_insert(depth) == depth => {
                records.push(YamlRecord {
                    line,
                    pairs: vec![parse_pair(line, depth + 2, pair)?],
                });
            }
            None if indent.is_some_and(|indent| depth == indent + 2) => {
                let pair = parse_pair(line, depth, content)?;
                let pairs = records.last_mut().map(|record| &mut record.pairs);
                add_pair(pairs.ok_or(unknown)?, pair)?;
            }
            _ => return Err(unknown),
        }
    }
    Ok(records)
}

const UNKNOWN: &str = "unexpected YAML: only a list of maps, indented with blanks, is supported";

fn add_pair(pairs: &mut Vec<YamlPair>, pair: YamlPair) -> Result<(), ImportError> {
    if let Some(earlier) = pairs.iter().find(|earlier| earlier.key == pair.key) {
        return Err(ImportError::Lines(
            pair.line,
            earlier.line,
            "it gives the same key",
        ));
    }
    if pairs.len() == MOST_KEYS {
        return Err(ImportError::Line(pair.line, "more than 50 keys in one map"));
    }
    pairs.push(pair);
    Ok(())
}

/// Parses a key with its value. `before` is the number of characters before `text`.
fn parse_pair(line: usize, before: usize, text: &str) -> Result<YamlPair, ImportError> {
    let unknown = || ImportError::Position(line, before + 1, UNKNOWN);
    let (key, value) = match text.split_once(": ") {
        Some((key, value)) => (key, value.trim()),
        None => (text.trim_end().strip_suffix(':').ok_or_else(unknown)?, ""),
    };
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return Err(unknown());
    }
    let value = parse_scalar(value).ok_or_else(|| {
        // the key is ASCII, and only blanks stand before the value
        let rest = &text[key.len() + 1..];
        let blanks = rest.chars().take_while(|c| c.is_whitespace()).count();
        ImportError::Position(line, before + key.len() + 1 + blanks + 1, SCALAR)
    })?;
    Ok(YamlPair {
        line,
        key: key.to_owned(),
        value,
    })
}

const SCALAR: &str = "an unsupported value: write it without quotes, or in single quotes";

/// Parses a plain, single-quoted or simple double-quoted scalar. The outer `None` is an error, the
/// inner one is null.
#[allow(
    clippy::option_option,
    reason = "a value that is refused, and one that is null"
)]
fn parse_scalar(text: &str) -> Option<Option<Zeroizing<String>>> {
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    if let Some(rest) = text.strip_prefix('\'') {
        for (index, piece) in rest.strip_suffix('\'')?.split("''").enumerate() {
            if piece.contains('\'') {
                return None;
            }
            if index > 0 {
                value.push('\'');
            }
            value.push_str(piece);
        }
        return Some(Some(value));
    }
    if let Some(rest) = text.strip_prefix('"') {
        let mut characters = rest.strip_suffix('"')?.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => return None,
                '\\' => value.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
                _ => value.push(character),
            }
        }
        return Some(Some(value));
    }
    if matches!(text, "" | "~" | "null") {
        return Some(None);
    }
    let plain = !text.starts_with(|c: char| "-?:,[]{}#&*!|>%@`".contains(c))
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains('\t');
    value.push_str(text);
    plain.then_some(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_parsed_in_each_style() {
        for (text, value) in [
            ("john", Some("john")),
            ("2026-11-21T17:34:54Z", Some("2026-11-21T17:34:54Z")),
            ("'@it''s'", Some("@it's")),
            (r#""12\"3\\""#, Some(r#"12"3\"#)),
            ("''", Some("")),
            ("null", None),
            ("~", None),
            ("", None),
        ] {
            let parsed = parse_scalar(text).unwrap();
            assert_eq!(
                parsed.as_ref().map(|parsed| parsed.as_str()),
                value,
                "{text}"
            );
        }
        for text in [
            "&a x",
            "*a",
            "!!str x",
            "|",
            "{a: b}",
            "[x]",
            "a: b",
            "a #b",
            "'a'b'",
            r#""\x41""#,
            "'",
            "\"",
            "@x",
        ] {
            assert!(parse_scalar(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_a_list_of_flat_maps_is_parsed() {
        let records = parse_records(
            "# schema\n\n---\ntitle:\n- a: 1\n  b: x\n\n- a: 2\n",
            "title",
        )
        .unwrap();
        let shape: Vec<_> = records
            .iter()
            .map(|record| (record.line, record.pairs.len()))
            .collect();
        assert_eq!(shape, [(5, 2), (8, 1)]);
        for (text, line) in [
            ("other:\n", 1),
            ("title: &a\n", 1),
            ("title:\n  a: 1\n", 2),
            ("title:\n  - a: 1\n   b: 1\n", 3),
            ("title:\n  - a: 1\n    b:\n      c: 1\n", 4),
            ("title:\n  - a: 1\n- b: 1\n", 3),
            ("title:\n  - a: 1\nnext:\n", 3),
            ("title:\n  - <<: *a\n", 2),
            ("title:\n\t- a: 1\n", 2),
        ] {
            match parse_records(text, "title") {
                Err(ImportError::Line(refused, _) | ImportError::Position(refused, ..)) => {
                    assert_eq!(refused, line, "{text}");
                }
                _ => panic!("{text}"),
            }
        }
        let position = parse_records("title:\n  - a:  *x\n", "title")
            .err()
            .unwrap();
        assert_eq!(position, ImportError::Position(2, 9, SCALAR));
        let position = parse_records("title:\n  - a: 1\n   b: 1\n", "title")
            .err()
            .unwrap();
        assert_eq!(position, ImportError::Position(3, 4, UNKNOWN));
        let twice = parse_records("title:\n  - a: 1\n    a: 2\n", "title")
            .err()
            .unwrap();
        assert_eq!(twice.to_string(), "line 3: it gives the same key as line 2");
    }
}
