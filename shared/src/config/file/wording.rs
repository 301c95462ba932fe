//! The TOML parser's messages in the words of postern.toml(5): which key, what it is, what it must be.

use std::ops::Range;

/// Returns the key, if the parser's message itself says which one, and the message in plain words.
pub(super) fn reword(
    message: &str,
    text: &str,
    span: Option<Range<usize>>,
) -> (Option<String>, String) {
    if let Some(span) = span.filter(|_| message == "duplicate key") {
        if let Some(reworded) = reword_duplicate(text, span) {
            return reworded;
        }
    }
    let typed = message.strip_prefix("invalid type: ");
    if let Some((found, expected)) = typed.and_then(|rest| rest.split_once(", expected ")) {
        let message = format!("must be {}, not {}", expectation(expected), value(found));
        return (None, message);
    }
    (None, message.replace('\n', ", "))
}

/// Names a key or table that stands twice, and where it stands before.
fn reword_duplicate(text: &str, span: Range<usize>) -> Option<(Option<String>, String)> {
    let name = text.get(span.clone())?.trim_matches(['"', '\'']).to_owned();
    let before = text.get(..span.start)?;
    let current = before.rsplit('\n').next()?.trim_start();
    if current.starts_with('[') {
        let rest = text.get(before.len() - current.len()..)?;
        let header = rest.lines().next()?.split('#').next()?.trim_end();
        let is_same = |line: &str| line.split('#').next().unwrap_or_default().trim() == header;
        let line = 1 + text.lines().position(is_same)?;
        let message = format!("the table {header} is in line {line} already: put its keys there");
        return Some((None, message));
    }
    // the table of the key begins at the last header before it
    let headers = before.lines().enumerate();
    let header = headers
        .filter(|(_, line)| line.trim_start().starts_with('['))
        .last();
    let begin = header.map_or(0, |(index, _)| index + 1);
    let table = header.map(|(_, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        line.trim_matches(['[', ']']).to_owned()
    });
    let is_same = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        line.contains('=') && key.trim_matches(['"', '\'']) == name
    };
    let first = before.lines().skip(begin).position(is_same);
    let key = table.map_or(name.clone(), |table| format!("{table}.{name}"));
    let message = match first {
        Some(index) => format!("is set in line {} already", begin + index + 1),
        None => "is set twice".to_owned(),
    };
    Some((Some(key), message))
}

/// What serde calls the type that a key needs.
fn expectation(expected: &str) -> &str {
    match expected {
        "a string" | "string or table" => "text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        "i64" | "u64" | "u32" | "u16" | "usize" => "a whole number",
        expected if expected.starts_with("struct ") => "a table",
        expected => expected,
    }
}

/// What serde calls the value that was found.
fn value(found: &str) -> String {
    match found.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer" | "boolean", number)) => quoted(number).to_owned(),
        Some(("floating", point)) => quoted(point).to_owned(),
        _ => match found {
            "sequence" => "a list".to_owned(),
            "map" => "a table".to_owned(),
            found => found.to_owned(),
        },
    }
}

/// Returns what stands between backquotes.
fn quoted(text: &str) -> &str {
    text.split('`').nth(1).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_people_name_them() {
        for (message, plain) in [
            (
                "invalid type: string \"six\", expected a whole number from 1 to 10",
                "must be a whole number from 1 to 10, not the text \"six\"",
            ),
            (
                "invalid type: integer `5`, expected a string",
                "must be text in quotes, not 5",
            ),
            (
                "invalid type: integer `1` as i128, expected i64",
                "must be a whole number, not 1",
            ),
            (
                "invalid type: floating point `1.5`, expected a sequence",
                "must be a list in brackets, not 1.5",
            ),
            (
                "invalid type: map, expected a boolean",
                "must be true or false, not a table",
            ),
            (
                "invalid type: sequence, expected struct TotpConfig",
                "must be a table, not a list",
            ),
            ("unclosed\nstring", "unclosed, string"),
        ] {
            assert_eq!(reword(message, "", None), (None, plain.to_owned()));
        }
    }

    #[test]
    fn hostile_positions_are_survived() {
        let text = "é = 1\n[[a]]\n'b' = 1\n";
        for start in 0..text.len() + 2 {
            for end in start..text.len() + 3 {
                reword("duplicate key", text, Some(start..end));
            }
        }
    }
}
