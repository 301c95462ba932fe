//! Line numbers and dotted keys of positions in a TOML text, for messages.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Returns the line, from 1, of a byte position.
pub(in crate::config) fn line_number(text: &str, position: usize) -> usize {
    1 + text.bytes().take(position).filter(|b| *b == b'\n').count()
}

/// Returns the dotted key at a position: the innermost key whose name or value covers it.
pub(in crate::config) fn key_at(text: &str, position: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut path = Vec::new();
    descend(document.get_ref(), position, &mut path);
    (!path.is_empty()).then(|| path.join("."))
}

fn descend(table: &DeTable<'_>, position: usize, path: &mut Vec<String>) {
    let covers =
        |span: Range<usize>| span.start <= position && position < span.end.max(span.start + 1);
    for (key, value) in table {
        let inside = covers(value.span());
        // the span of a table covers its header only, so every table is searched
        let depth = path.len();
        path.push(key.get_ref().to_string());
        if inside && !matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_))
            || covers(key.span())
        {
            return;
        }
        match value.get_ref() {
            DeValue::Table(inner) => descend(inner, position, path),
            DeValue::Array(items) => {
                for item in items.iter() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        descend(inner, position, path);
                    }
                    if path.len() > depth + 1 {
                        break;
                    }
                }
            }
            _ => {}
        }
        if path.len() > depth + 1 || inside {
            return;
        }
        path.truncate(depth);
    }
}

/// Returns the position of the key at `path`, or of the innermost part of the path that exists. An
/// array element is named by its index, from 0.
pub(in crate::config) fn position_of(text: &str, path: &[&str]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    let mut names = path.iter();
    while let Some(name) = names.next() {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            break;
        };
        found = Some(start(key, value));
        let inner = match value.get_ref() {
            DeValue::Array(items) => {
                let index = names.next().and_then(|name| name.parse().ok());
                index
                    .and_then(|index: usize| items.get(index))
                    .map(Spanned::get_ref)
            }
            value => Some(value),
        };
        let Some(DeValue::Table(inner)) = inner else {
            break;
        };
        table = inner;
    }
    found
}

fn start<K>(key: &Spanned<K>, value: &Spanned<DeValue<'_>>) -> usize {
    key.span().start.min(value.span().start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[totp]\nperiod = 5\n\n[pam.service.sshd]\ntries = 3\n\n[[account]]\nname = \"a\"\n\n[[account]]\nnmae = \"b\"\n";

    #[test]
    fn a_position_becomes_a_line_and_a_key() {
        for (what, expected_line, key) in [
            ("5", 2, "totp.period"),
            ("period", 2, "totp.period"),
            ("3", 5, "pam.service.sshd.tries"),
            ("nmae", 11, "account.nmae"),
        ] {
            let position = TEXT.find(what).unwrap();
            assert_eq!(line_number(TEXT, position), expected_line, "{what}");
            assert_eq!(key_at(TEXT, position).as_deref(), Some(key), "{what}");
        }
    }

    #[test]
    fn a_key_or_else_its_table_has_a_position() {
        assert_eq!(
            position_of(TEXT, &["totp", "period"]).map(|p| line_number(TEXT, p)),
            Some(2)
        );
        assert_eq!(
            position_of(TEXT, &["totp", "digits"]).map(|p| line_number(TEXT, p)),
            Some(1)
        );
        assert_eq!(position_of(TEXT, &["recovery"]), None);
        for (index, expected) in [("0", 8), ("1", 11), ("2", 7)] {
            let key = if index == "1" { "nmae" } else { "name" };
            let position =
                position_of(TEXT, &["account", index, key]).map(|p| line_number(TEXT, p));
            assert_eq!(position, Some(expected), "account {index}");
        }
    }
}
