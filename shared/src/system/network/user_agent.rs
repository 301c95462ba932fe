//! A readable name for a User-Agent: browser and system. It is shown and decides nothing. An
//! unknown User-Agent is shown as it is.

/// Word in the User-Agent, and name. A browser that also sends the words of others comes before
/// them.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Word in the User-Agent, and name of the system.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows NT", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// Returns the browser and the system, such as "Firefox 128, Linux"; of an unknown browser what it
/// sent.
pub fn name(agent: &str) -> String {
    recognize(agent).unwrap_or_else(|| agent.to_owned())
}

/// Returns the browser and the system, if they are known. No other text of the client is in it.
pub fn recognize(agent: &str) -> Option<String> {
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find_map(|(word, name)| {
            agent
                .split_once(word)
                .map(|(_, rest)| (*name, rest.to_owned()))
        })
    };
    let (browser, rest) = find(&BROWSERS).filter(|_| agent.starts_with("Mozilla/5.0 ("))?;
    let version: String = rest
        .chars()
        .take_while(char::is_ascii_digit)
        .take(4)
        .collect();
    // Safari's version follows another word
    let version = if browser == "Safari" || version.is_empty() {
        String::new()
    } else {
        format!(" {version}")
    };
    let system = find(&SYSTEMS).map_or_else(String::new, |(system, _)| format!(", {system}"));
    Some(format!("{browser}{version}{system}"))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn browsers_have_names_and_an_unknown_one_is_shown_as_it_is() {
        for (agent, shown) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                "Firefox 128, Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
                "Edge 130, Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari, iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
                "Chrome 130, Android",
            ),
            ("curl/8.5.0", "curl/8.5.0"),
            ("Chrome/<script>", "Chrome/<script>"),
            ("-", "-"),
        ] {
            assert_eq!(name(agent), shown);
        }
    }
}
