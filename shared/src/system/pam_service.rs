//! Reads PAM service files (pam.conf(5)) line by line, as libpam does: comments, continued lines,
//! words in brackets, and controls with the actions they stand for.
//!
//! Reads text only, and follows no include: the caller finds the files and decides whom it trusts.

/// Folders of service files, in libpam's order.
pub const SERVICE_FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
/// Size limit of one service file, in bytes.
pub const MAX_SERVICE_FILE: u64 = 64 * 1024;
/// File name of Postern's PAM module.
pub const MODULE: &str = "pam_totp.so";
/// Names of its options; posternd declares what they mean, and refuses any other.
pub const MODULE_OPTIONS: [&str; 18] = [
    "config",
    "first_factor",
    "proven",
    "unenrolled",
    "nullok",
    "prompt",
    "echo",
    "tries",
    "grace",
    "try_first_pass",
    "use_first_pass",
    "forward_pass",
    "app_password",
    "approval",
    "user",
    "fail_delay",
    "debug",
    "quiet",
];
/// Limit on words in a line; libpam has no use for more.
const MAX_WORDS: usize = 256;

/// One line of a service file; a continued line counts as the first of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PamLine {
    /// Line number, from 1.
    pub number: usize,
    pub content: PamLineContent,
    /// Whether a word of the line names Postern's module, also where the line is invalid.
    pub names_module: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PamLineContent {
    /// `@include FILE`: all lines of the file, whatever their type.
    IncludeFile(String),
    Rule(PamRule),
    /// libpam refuses this line, and the service with it.
    Invalid,
}

/// A line that names a module, or the file of an `include` or a `substack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PamRule {
    pub hook: PamHook,
    pub control: PamControl,
    /// Path or name of the module, or name of the file.
    pub target: String,
    pub arguments: Vec<String>,
}

/// The first word of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamHook {
    Auth,
    Account,
    Password,
    Session,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PamControl {
    /// The lines of one type of a file, as if they were here.
    Include,
    /// The same, but `done`, `die` and jumps act within the file only.
    Substack,
    Actions(PamActions),
}

/// What each result of a module does to the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PamActions {
    named: Vec<(String, PamAction)>,
    default: PamAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamAction {
    Ignore,
    Bad,
    Die,
    Ok,
    Done,
    Reset,
    /// Skips so many lines.
    Jump(usize),
}

impl PamRule {
    /// Whether the line names Postern's module.
    pub fn is_ours(&self) -> bool {
        matches!(self.control, PamControl::Actions(_)) && is_module(&self.target, MODULE)
    }

    pub fn has_argument(&self, word: &str) -> bool {
        self.arguments.iter().any(|argument| argument == word)
    }
}

/// Whether a line's target is the module, by name or by path.
pub fn is_module(target: &str, module: &str) -> bool {
    target.rsplit('/').next() == Some(module)
}

impl PamActions {
    /// Returns the action for a result such as `success` or `auth_err`.
    pub fn action(&self, result: &str) -> PamAction {
        self.named
            .iter()
            .find(|(name, _)| name == result)
            .map_or(self.default, |(_, action)| *action)
    }

    /// Returns the results for which the control names an action.
    pub fn results(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(name, _)| name.as_str())
    }

    fn new(named: &[(&str, PamAction)], default: PamAction) -> PamActions {
        let named = named
            .iter()
            .map(|(name, action)| ((*name).to_owned(), *action));
        PamActions {
            named: named.collect(),
            default,
        }
    }

    fn parse(control: &str) -> Option<PamActions> {
        use PamAction::{Bad, Die, Done, Ignore, Ok};
        let word = control.to_ascii_lowercase();
        let ends = |action| [("success", action), ("new_authtok_reqd", action)];
        let with_ignore = |default| {
            let [success, expired] = ends(Ok);
            PamActions::new(&[success, expired, ("ignore", Ignore)], default)
        };
        match word.as_str() {
            "required" => Some(with_ignore(Bad)),
            "requisite" => Some(with_ignore(Die)),
            "optional" => Some(PamActions::new(&ends(Ok), Ignore)),
            "sufficient" => Some(PamActions::new(&ends(Done), Ignore)),
            _ => PamActions::parse_brackets(word.strip_prefix('[')?.strip_suffix(']')?),
        }
    }

    fn parse_brackets(text: &str) -> Option<PamActions> {
        // libpam treats a result without an action as bad
        let mut actions = PamActions::new(&[], PamAction::Bad);
        // blanks around "=" are allowed
        let text = text.replace('=', " = ");
        let mut words = text.split_ascii_whitespace();
        while let Some(name) = words.next() {
            if words.next() != Some("=") {
                return None;
            }
            let action = parse_action(words.next()?)?;
            match name {
                "default" => actions.default = action,
                _ => actions.named.push((name.to_owned(), action)),
            }
        }
        Some(actions)
    }
}

fn parse_action(word: &str) -> Option<PamAction> {
    Some(match word {
        "ignore" => PamAction::Ignore,
        "bad" => PamAction::Bad,
        "die" => PamAction::Die,
        "ok" => PamAction::Ok,
        "done" => PamAction::Done,
        "reset" => PamAction::Reset,
        number => PamAction::Jump(number.parse().ok().filter(|jump| *jump > 0)?),
    })
}

/// Returns the lines of a service file that are not blank.
pub fn parse_service_file(text: &str) -> Vec<PamLine> {
    let lines = join_lines(text).into_iter();
    lines
        .filter_map(|(number, line)| {
            let content = parse_line(&line)?;
            let names_module = split_words(&line)
                .iter()
                .any(|word| is_module(unbracket(word), MODULE));
            Some(PamLine {
                number,
                content,
                names_module,
            })
        })
        .collect()
}

fn parse_line(line: &str) -> Option<PamLineContent> {
    let mut words = split_words(line).into_iter();
    let first = words.next()?;
    if first.eq_ignore_ascii_case("@include") {
        let file = words.next();
        return Some(file.map_or(PamLineContent::Invalid, PamLineContent::IncludeFile));
    }
    let rule = parse_rule(&first, words);
    Some(rule.map_or(PamLineContent::Invalid, PamLineContent::Rule))
}

fn parse_rule(first: &str, mut words: impl Iterator<Item = String>) -> Option<PamRule> {
    // "-": a module that is missing is no error
    let hook = first.strip_prefix('-').unwrap_or(first);
    let hook = match hook.to_ascii_lowercase().as_str() {
        "auth" => PamHook::Auth,
        "account" => PamHook::Account,
        "password" => PamHook::Password,
        "session" => PamHook::Session,
        _ => return None,
    };
    let control = words.next()?;
    let control = match control.to_ascii_lowercase().as_str() {
        "include" => PamControl::Include,
        "substack" => PamControl::Substack,
        _ => PamControl::Actions(PamActions::parse(&control)?),
    };
    let mut words = words.map(|word| unbracket(&word).to_owned());
    Some(PamRule {
        hook,
        control,
        target: words.next()?,
        arguments: words.collect(),
    })
}

fn unbracket(word: &str) -> &str {
    match word.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').unwrap_or(inner),
        None => word,
    }
}

/// Splits a line at blanks. A word that begins with `[` ends with `]`, and holds blanks.
fn split_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && words.len() < MAX_WORDS {
        let end = match rest.starts_with('[') {
            true => rest
                .char_indices()
                .find(|(at, c)| *c == ']' && !rest[..*at].ends_with('\\'))
                .map(|(at, _)| at + 1),
            false => rest.find(|c: char| c.is_ascii_whitespace()),
        };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// Returns numbered lines without comments, which begin with `#` anywhere. A line that ends in a
/// backslash is joined with the next that is not blank or only a comment; a line with a comment is
/// not joined with the next.
fn join_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, is_whole) = match line.split_once('#') {
            Some((before, _)) => (before, true),
            None => (line, false),
        };
        if open.is_some() && line.trim().is_empty() {
            continue;
        }
        let (from, mut whole) = open.take().unwrap_or((number, String::new()));
        match line.trim_end().strip_suffix('\\') {
            Some(begun) if !is_whole => {
                whole.push_str(begun);
                whole.push(' ');
                open = Some((from, whole));
            }
            _ => {
                whole.push_str(line);
                lines.push((from, whole));
            }
        }
    }
    lines.extend(open);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(line: &str) -> PamRule {
        match parse_service_file(line).remove(0).content {
            PamLineContent::Rule(rule) => rule,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_line_is_read_as_libpam_reads_it() {
        let read = rule(
            "-AUTH [success=1 Default = ignore] /lib/security/pam_totp.so proven [prompt=The code: ] # x",
        );
        assert_eq!(read.hook, PamHook::Auth);
        assert!(read.is_ours());
        assert_eq!(read.arguments, ["proven", "prompt=The code: "]);
        let PamControl::Actions(actions) = read.control else {
            panic!()
        };
        assert_eq!(actions.action("success"), PamAction::Jump(1));
        assert_eq!(actions.action("auth_err"), PamAction::Ignore);

        let PamControl::Actions(actions) = rule("account requisite pam_unix.so").control else {
            panic!()
        };
        assert_eq!(actions.action("perm_denied"), PamAction::Die);
        assert_eq!(actions.action("ignore"), PamAction::Ignore);
    }

    #[test]
    fn continued_lines_keep_the_number_of_their_first() {
        let lines =
            parse_service_file("\n# c\nauth required \\\n  pam_unix.so \\\n nullok\n@include x\n");
        assert_eq!(
            lines.iter().map(|line| line.number).collect::<Vec<_>>(),
            [3, 6]
        );
        assert!(
            matches!(&lines[0].content, PamLineContent::Rule(rule) if rule.arguments == ["nullok"])
        );
        assert_eq!(
            lines[1].content,
            PamLineContent::IncludeFile("x".to_owned())
        );
        // libpam skips what is blank or a comment between joined lines
        let lines = parse_service_file("auth required \\\n# c\n\n pam_totp.so\n");
        assert!(matches!(&lines[0].content, PamLineContent::Rule(rule) if rule.is_ours()));
        // the comment ends the line, so libpam does not join the next one
        assert_eq!(
            parse_service_file("auth required a.so # \\\nauth required b.so\n").len(),
            2
        );
    }

    #[test]
    fn lines_that_libpam_refuses_are_invalid() {
        for line in [
            "auth",
            "auth required",
            "auht required pam_unix.so",
            "auth requird pam_unix.so",
            "auth [success=maybe] pam_unix.so",
            "auth [success=0] pam_unix.so",
            "auth [success pam_unix.so",
            "@include",
            "auth [success=99999999999999999999999999] pam_unix.so",
        ] {
            assert_eq!(
                parse_service_file(line)[0].content,
                PamLineContent::Invalid,
                "{line}"
            );
        }
    }

    /// libpam calls the module of a line with an unknown control, and takes its result as bad.
    #[test]
    fn a_line_names_the_module_in_brackets_and_behind_an_unknown_control() {
        assert!(rule("auth required [/lib/security/pam_totp.so] proven").is_ours());
        for (line, names) in [
            ("auth requird pam_totp.so", true),
            ("auth requird [pam_totp.so]", true),
            ("auth requird pam_unix.so # pam_totp.so", false),
        ] {
            assert_eq!(parse_service_file(line)[0].names_module, names, "{line}");
        }
    }

    #[test]
    fn hostile_text_is_read_without_a_panic() {
        for text in [
            "\\",
            "\\\n\\\n\\",
            "[",
            "[]]",
            "auth [é=ok default=ié] ü",
            "\u{0}\u{2028} auth",
            "auth [default=\\]] x",
            "auth required [",
            "@include [a b] c",
            "#",
            "auth\u{a0}required x",
            "]\\]",
        ] {
            parse_service_file(text);
            parse_service_file(&text.repeat(500));
        }
        let many = format!("auth required x.so {}", "a ".repeat(100_000));
        assert!(rule(&many).arguments.len() < MAX_WORDS);
    }
}
