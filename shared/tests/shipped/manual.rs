//! The lists of the man pages, for the reference in docs: enough of mdoc(7) for these lists.

/// Returns the lines of a section, without its heading.
pub(crate) fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n.Sh {name}\n")).expect(name);
    rest.split("\n.Sh ").next().unwrap_or(rest)
}

/// Splits a line into words. Words may be quoted; `\ ` is a blank inside of a word.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    let line = line
        .replace("\\ ", "\u{a0}")
        .replace("\\&", "")
        .replace("\\(en", "–");
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => all.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    all.push(word);
    all.retain(|word| !word.is_empty());
    all.iter().map(|word| word.replace('\u{a0}', " ")).collect()
}

/// How the words after a macro are set.
#[derive(Clone, Copy, PartialEq)]
enum Setting {
    Plain,
    Code,
    Quoted,
    Option,
    Emphasis,
    Reference,
}

/// Returns one line of mdoc as Markdown.
fn line(source: &str) -> String {
    let Some(source) = source.strip_prefix('.') else {
        return words(source).join(" ");
    };
    let (mut text, mut setting, mut is_joined, mut closes) =
        (String::new(), Setting::Plain, true, "");
    for word in words(source) {
        let new = match word.as_str() {
            "Cm" | "Li" | "Pa" | "Ql" | "Dv" | "Ic" | "Va" => Setting::Code,
            "Qq" => Setting::Quoted,
            "Fl" => Setting::Option,
            "Ar" | "Em" => Setting::Emphasis,
            "Xr" => Setting::Reference,
            "Sx" | "Nm" | "It" | "Pq" | "Po" | "Pc" => Setting::Plain,
            "Ns" => {
                is_joined = true;
                continue;
            }
            word => {
                let is_sign = [",", ".", ";", ":", ")"].contains(&word);
                if setting == Setting::Reference && word.len() == 1 && !is_sign {
                    text += &format!("({word})");
                    continue;
                }
                if !is_joined && !is_sign {
                    text.push(' ');
                }
                is_joined = false;
                text += &match setting {
                    _ if is_sign || word == "|" => word.to_owned(),
                    Setting::Plain | Setting::Reference => word.to_owned(),
                    Setting::Code => format!("`{word}`"),
                    Setting::Quoted => format!("`\"{word}\"`"),
                    Setting::Option => format!("`-{word}`"),
                    Setting::Emphasis => format!("*{word}*"),
                };
                continue;
            }
        };
        if word == "Pq" {
            text += if text.is_empty() { "(" } else { " (" };
            closes = ")";
            is_joined = true;
        }
        setting = new;
    }
    text + closes
}

/// Appends a line to a paragraph. A sign of punctuation follows without a blank.
fn append(paragraph: &mut String, text: &str) {
    let is_sign = text.starts_with([',', '.', ';', ':', ')']);
    if !paragraph.is_empty() && !paragraph.ends_with('(') && !is_sign {
        paragraph.push(' ');
    }
    paragraph.push_str(text);
}

/// Returns the paragraphs and lists of a section as Markdown.
pub(crate) fn markdown(section: &str) -> String {
    let (mut paragraphs, mut current, mut literal) = (Vec::new(), String::new(), None::<Vec<&str>>);
    let finish = |current: &mut String, paragraphs: &mut Vec<String>| {
        let paragraph = std::mem::take(current);
        if !paragraph.is_empty() {
            paragraphs.push(paragraph.replace("` | `", " | ").replace("` `", " "));
        }
    };
    for source in section.lines() {
        match (source, &mut literal) {
            (".Ed", Some(lines)) => {
                paragraphs.push(format!("```text\n{}\n```", lines.join("\n")));
                literal = None;
            }
            (source, Some(lines)) => lines.push(source),
            (source, None) if source.starts_with(".Bd") => {
                finish(&mut current, &mut paragraphs);
                literal = Some(Vec::new());
            }
            (source, None) if source.starts_with(".Bl") || source == ".El" || source == ".Pp" => {
                finish(&mut current, &mut paragraphs);
            }
            (source, None) if source.starts_with(".It ") => {
                finish(&mut current, &mut paragraphs);
                current = format!("- {}:", line(source));
            }
            (".Po", None) => append(&mut current, "("),
            (".Pc .", None) => append(&mut current, ")."),
            (source, None) if source.starts_with(".Po ") => {
                append(
                    &mut current,
                    &format!("({}", source.trim_start_matches(".Po ")),
                );
            }
            (source, None) => append(&mut current, &line(source)),
        }
    }
    finish(&mut current, &mut paragraphs);
    // the items of a list follow one another
    let mut text = String::new();
    let mut was_item = false;
    for paragraph in paragraphs {
        let is_item = paragraph.starts_with("- ");
        if !text.is_empty() {
            text += if was_item && is_item { "\n" } else { "\n\n" };
        }
        text += &paragraph;
        was_item = is_item;
    }
    text
}

#[test]
fn a_list_of_a_man_page_becomes_markdown() {
    let section = "Causes of\n.Ql refused :\n.Bl -tag -compact\n.It Cm behind- Ns Ar n Ns Cm -steps , used\n\
                   it was used, see\n.Xr postern.toml 5 ;\n.Pq Cm a , b\n.It Cm locked\ntoo many\n.El";
    assert_eq!(
        markdown(section),
        "Causes of `refused`:\n\n- `behind-`*n*`-steps`, `used`: it was used, see postern.toml(5); (`a`, `b`)\n\
         - `locked`: too many"
    );
}
