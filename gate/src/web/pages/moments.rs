//! Moments on pages, as HTML: how long ago, or a day and a time. The server knows no time zone of a
//! browser, so what it writes is in UTC and says so; times.js shows the browser's own time.

use super::PageFrame;
use crate::web::language::Language;
use fluent_bundle::FluentValue;
use postern_shared::system::clock::Timestamp;
use std::fmt::Write;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// From this age on, a day is shown in place of how long ago it was.
const OLD: u64 = 30 * DAY;

/// Stand in for moments while a text is formatted and escaped. No other argument may contain one.
const PLACEHOLDERS: [char; 2] = ['\u{e000}', '\u{e001}'];

#[derive(Clone, Copy)]
enum MomentStyle {
    /// Such as "2 minutes ago".
    Ago,
    /// Such as "tomorrow 14:05 UTC".
    Calendar,
}

impl PageFrame<'_> {
    /// Returns a text that says how long ago something was, as HTML.
    pub(crate) fn ago(&self, text: &str, argument: &str, at: &Timestamp) -> String {
        let moment = (argument, MomentStyle::Ago, *at);
        self.text_with_moments(text, &[moment], &[])
    }

    /// Returns a text that says when something was or will be, as HTML.
    pub(crate) fn at(&self, text: &str, argument: &str, at: &Timestamp) -> String {
        let moment = (argument, MomentStyle::Calendar, *at);
        self.text_with_moments(text, &[moment], &[])
    }

    /// Returns from where and since when a session or a browser is known, as HTML.
    pub(crate) fn since_and_seen(
        &self,
        text: &str,
        from: &str,
        created: &Timestamp,
        seen: &Timestamp,
    ) -> String {
        let moments = [
            ("created", MomentStyle::Calendar, *created),
            ("seen", MomentStyle::Ago, *seen),
        ];
        self.text_with_moments(text, &moments, &[("from", from)])
    }

    /// Returns when, where and by whom something was done, as HTML.
    pub(crate) fn at_by(
        &self,
        text: &str,
        at: &Timestamp,
        service: &str,
        from: &str,
        by: &str,
    ) -> String {
        let moment = ("at", MomentStyle::Calendar, *at);
        let values = [("service", service), ("from", from), ("by", by)];
        self.text_with_moments(text, &[moment], &values)
    }

    fn text_with_moments(
        &self,
        text: &str,
        moments: &[(&str, MomentStyle, Timestamp)],
        values: &[(&str, &str)],
    ) -> String {
        let placeholders = moments.iter().zip(PLACEHOLDERS);
        let placeholders = placeholders
            .map(|((name, ..), placeholder)| (*name, FluentValue::from(placeholder.to_string())));
        let values = values.iter().map(|(name, value)| {
            let value = value.replace(PLACEHOLDERS, "");
            (*name, FluentValue::from(value))
        });
        let arguments: Vec<_> = placeholders.chain(values).collect();
        let mut html = escape_html(&self.language.text_with_all(text, &arguments));
        for ((_, style, at), placeholder) in moments.iter().zip(PLACEHOLDERS) {
            html = html.replace(placeholder, &self.time_element(*style, *at));
        }
        html
    }

    fn time_element(&self, style: MomentStyle, at: Timestamp) -> String {
        let (text, kind) = match style {
            MomentStyle::Ago => (self.how_long_ago(at), " class=\"ago\""),
            MomentStyle::Calendar => (self.day_and_time(at), ""),
        };
        let (text, full) = (escape_html(&text), in_full(at));
        format!("<time datetime=\"{at}\" title=\"{full}\"{kind}>{text}</time>")
    }

    fn how_long_ago(&self, at: Timestamp) -> String {
        let count =
            |text: &str, unit: u64, age: u64| self.language.text_with(text, "count", age / unit);
        match self.now.map(|now| now.since(at)) {
            None => in_full(at),
            Some(OLD..) => self.day_and_time(at),
            Some(age @ DAY..) => count("time-days", DAY, age),
            Some(age @ HOUR..) => count("time-hours", HOUR, age),
            Some(age @ MINUTE..) => count("time-minutes", MINUTE, age),
            Some(_) => self.language.text("time-now"),
        }
    }

    fn day_and_time(&self, at: Timestamp) -> String {
        let named = self.now.and_then(|now| name_of_day(self.language, at, now));
        named.unwrap_or_else(|| in_full(at))
    }
}

/// Returns today, yesterday or tomorrow in UTC, with the time of day.
fn name_of_day(language: &Language, at: Timestamp, now: Timestamp) -> Option<String> {
    let (day, today) = (at.0 / DAY, now.0 / DAY);
    let full = in_full(at);
    let time = full.get(11..)?.to_owned();
    if day == today {
        Some(language.text_with("time-today", "time", time))
    } else if day == today + 1 {
        Some(language.text_with("time-tomorrow", "time", time))
    } else if day + 1 == today {
        Some(language.text_with("time-yesterday", "time", time))
    } else {
        None
    }
}

/// Formats a timestamp to the minute, in UTC.
fn in_full(at: Timestamp) -> String {
    let text = at.to_string();
    format!(
        "{} {} UTC",
        text.get(..10).unwrap_or_default(),
        text.get(11..16).unwrap_or_default()
    )
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '"' | '\'' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::branding::Branding;
    use postern_shared::config::Config;

    /// Calls `check` with a frame whose time is 2026-11-29T14:05:00Z.
    fn with_frame(tag: &str, check: impl Fn(&PageFrame<'_>, Timestamp)) {
        let now: Timestamp = "2026-11-29T14:05:00Z".parse().unwrap();
        let frame = PageFrame {
            base: "/",
            language: Language::find(tag).unwrap(),
            branding: &Branding::read(&Config::default()).unwrap(),
            user: None,
            now: Some(now),
            message: None,
        };
        check(&frame, now);
    }

    #[test]
    fn moments_are_words_and_the_element_has_the_exact_time() {
        with_frame("en", |frame, now| {
            for (age, text) in [
                (0, "just now"),
                (59, "just now"),
                (60, "1 minute ago"),
                (3599, "59 minutes ago"),
                (3600, "1 hour ago"),
                (86_399, "23 hours ago"),
                (86_400, "1 day ago"),
                (29 * 86_400, "29 days ago"),
                (30 * 86_400, "2026-10-30 14:05 UTC"),
            ] {
                assert_eq!(frame.how_long_ago(now.minus(age)), text, "{age}");
            }
            // a clock that was set back
            assert_eq!(frame.how_long_ago(now.plus(90)), "just now");
            for (at, text) in [
                ("2026-11-29T00:00:00Z", "today 00:00 UTC"),
                ("2026-11-28T23:59:59Z", "yesterday 23:59 UTC"),
                ("2026-11-30T14:05:00Z", "tomorrow 14:05 UTC"),
                ("2026-12-01T00:00:00Z", "2026-12-01 00:00 UTC"),
                ("2026-11-27T23:59:59Z", "2026-11-27 23:59 UTC"),
            ] {
                assert_eq!(frame.day_and_time(at.parse().unwrap()), text);
            }
            assert_eq!(
                frame.ago("last-used", "at", &now.minus(120)),
                "last used <time datetime=\"2026-11-29T14:03:00Z\" title=\"2026-11-29 14:03 UTC\" class=\"ago\">2 minutes ago</time>"
            );
        });
    }

    #[test]
    fn moments_are_in_the_language_of_the_page() {
        with_frame("de", |frame, now| {
            assert_eq!(frame.how_long_ago(now.minus(120)), "vor 2 Minuten");
            assert_eq!(frame.day_and_time(now.plus(86_400)), "morgen 14:05 UTC");
        });
        with_frame("fr", |frame, now| {
            assert_eq!(frame.how_long_ago(now.minus(3600)), "il y a 1 heure");
        });
    }

    #[test]
    fn what_clients_sent_is_escaped_and_cannot_stand_for_a_moment() {
        with_frame("en", |frame, now| {
            let from = "<script>'\"&\u{e000}\u{e001}";
            let html = frame.since_and_seen("session-details", from, &now, &now);
            assert!(
                html.starts_with("&#60;script&#62;&#39;&#34;&#38;; since <time"),
                "{html}"
            );
            assert_eq!(html.matches("<time").count(), 2, "{html}");
            assert!(!html.contains('\u{e000}') && !html.contains('\u{e001}'));
        });
    }
}
