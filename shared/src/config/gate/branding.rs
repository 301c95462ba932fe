//! `[gate.branding]`: name, logo and colour of the gate's pages, and where users get help.
//! Refuses a colour on which white text is not readable, and a link that a browser would run.

use crate::account::email::EmailAddress;
use crate::config::AbsolutePath;
use crate::config::value::SingleLine;
use crate::system::network::web_address::is_host;
use serde::{Deserialize, Serialize};

/// The table `[gate.branding]` of postern.toml.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrandingConfig {
    /// Heading of every page; `totp.issuer` if it is not set.
    pub name: Option<SingleLine>,
    /// Picture beside the name: PNG, SVG or WebP.
    pub logo_file: Option<AbsolutePath>,
    /// Colour of buttons and links.
    pub color: Color,
    /// Sentence at the foot of every page: where users get help.
    pub help: Option<HelpText>,
    /// Link after that sentence.
    pub contact: Option<ContactLink>,
}

/// One line of visible text, 1 to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct HelpText(String);

impl HelpText {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HelpText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<HelpText, Self::Error> {
        let visible = !text.trim().is_empty() && !text.chars().any(char::is_control);
        match visible && text.chars().count() <= 200 {
            true => Ok(HelpText(text)),
            false => Err("must be 1 to 200 characters on one line, not all blank"),
        }
    }
}

/// A URL of at most 256 bytes: `https://` with a host, or `mailto:` with one address. No other
/// scheme is accepted, since a browser runs some of them as script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContactLink(String);

impl ContactLink {
    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the URL without its scheme: the address, or host and path.
    pub fn shown(&self) -> &str {
        let rest = self.0.strip_prefix("https://");
        let rest = rest.or_else(|| self.0.strip_prefix("mailto:"));
        rest.unwrap_or(&self.0).trim_end_matches('/')
    }
}

impl TryFrom<String> for ContactLink {
    type Error = &'static str;

    fn try_from(url: String) -> Result<ContactLink, Self::Error> {
        const EXPECTED: &str =
            "must be https://HOST/PATH or mailto:ADDRESS, at most 256 visible ASCII characters";
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&byte);
        let is_valid = match url.split_once(':') {
            Some(("https", rest)) => rest.strip_prefix("//").is_some_and(is_web_address),
            // RFC 6068: what follows a question mark are further recipients and a text
            Some(("mailto", address)) => {
                address.parse::<EmailAddress>().is_ok() && !address.contains(['?', '&', '%'])
            }
            _ => false,
        };
        match is_valid && url.len() <= 256 && url.bytes().all(is_plain) {
            true => Ok(ContactLink(url)),
            false => Err(EXPECTED),
        }
    }
}

/// Whether a URL without its scheme begins with a host, and a port if it has one. User names are
/// refused with that.
fn is_web_address(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    is_host(host) && port.parse::<u16>().is_ok()
}

impl From<ContactLink> for String {
    fn from(link: ContactLink) -> String {
        link.0
    }
}

/// An sRGB colour on which white text is readable: a contrast of at least 4.5 (WCAG 2.2, 1.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color([u8; 3]);

/// Minimum contrast of text (WCAG 2.2, 1.4.3).
const READABLE: f64 = 4.5;
/// Number of steps from a colour to white.
const STEPS: u8 = 20;

impl Color {
    pub const WHITE: Color = Color([255; 3]);

    /// Builds a colour from red, green and blue.
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Color {
        Color([red, green, blue])
    }

    /// Returns the shade closest to this colour that is readable on `ground`, a dark colour.
    pub fn readable_on(self, ground: Color) -> Color {
        let shades = (0..STEPS).map(|step| self.whitened(step));
        shades
            .into_iter()
            .find(|shade| shade.contrast(ground) >= READABLE)
            .unwrap_or(Color::WHITE)
    }

    fn whitened(self, step: u8) -> Color {
        let whiten = |part: u8| {
            let missing = u16::from(255 - part) * u16::from(step) / u16::from(STEPS);
            part + u8::try_from(missing).unwrap_or(0)
        };
        Color(self.0.map(whiten))
    }

    /// Returns the contrast ratio (WCAG 2.2).
    fn contrast(self, other: Color) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Returns the relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl Default for Color {
    fn default() -> Color {
        Color([0x1f, 0x5f, 0xbf])
    }
}

impl TryFrom<String> for Color {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Color, Self::Error> {
        const EXPECTED: &str = "must be a colour such as \"#1f5fbf\"";
        let is_hex = |digits: &&str| {
            digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let digits = text.strip_prefix('#').filter(is_hex).ok_or(EXPECTED)?;
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| EXPECTED);
        let color = Color([part(0)?, part(2)?, part(4)?]);
        match color.contrast(Color::WHITE) >= READABLE {
            true => Ok(color),
            false => {
                Err("must have a contrast of at least 4.5 with white text; choose a darker colour")
            }
        }
    }
}

impl From<Color> for String {
    fn from(color: Color) -> String {
        color.to_string()
    }
}

impl std::fmt::Display for Color {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Color, &'static str> {
        Color::try_from(text.to_owned())
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let black = Color([0; 3]);
        assert!((black.contrast(Color::WHITE) - 21.0).abs() < 1e-9);
        // the greys just above and just below a contrast of 4.5 on white
        assert!(parse("#767676").is_ok() && parse("#777777").is_err());
    }

    #[test]
    fn a_colour_that_is_not_readable_is_refused() {
        for text in [
            "",
            "#",
            "1f5fbf",
            "#1f5fb",
            "#1f5fbfaa",
            "#1f5fbg",
            "blue",
            "#+f5fbf",
            "#ffff00",
            "#ü1fbf",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("#1F5FBF").unwrap().to_string(), "#1f5fbf");
        assert_eq!(parse("#1f5fbf"), Ok(Color::default()));
    }

    #[test]
    fn a_colour_can_be_read_on_a_dark_ground() {
        let ground = Color::rgb(0x1d, 0x23, 0x2d);
        for text in ["#000000", "#1f5fbf", "#8b0000", "#767676", "#0000ff"] {
            assert!(
                parse(text).unwrap().readable_on(ground).contrast(ground) >= READABLE,
                "{text}"
            );
        }
        assert_eq!(
            Color::rgb(0xee, 0xee, 0xee).readable_on(ground),
            Color::rgb(0xee, 0xee, 0xee)
        );
    }

    #[test]
    fn a_contact_is_a_web_page_or_a_mail_address() {
        for (url, shown) in [
            ("https://help.example.com", "help.example.com"),
            (
                "https://help.example.com:8443/2fa?lang=de#top",
                "help.example.com:8443/2fa?lang=de#top",
            ),
            ("https://help.example.com/", "help.example.com"),
            ("mailto:help@example.com", "help@example.com"),
        ] {
            let link = ContactLink::try_from(url.to_owned()).unwrap();
            assert_eq!((link.as_str(), link.shown()), (url, shown));
        }
        for url in [
            "",
            "help.example.com",
            "http://help.example.com",
            "javascript:alert(1)",
            "JAVASCRIPT:alert(1)",
            "data:text/html,x",
            "https:help.example.com",
            "https://",
            "https:///x",
            "https://help.example.com@evil.example",
            "https://help.example.com:x",
            "https://help.example.com/\"onclick=x",
            "https://help.example.com/<script>",
            "https://help.example.com/a b",
            "https://help.example.com/ä",
            "https://help.example.com/\n",
            "mailto:",
            "mailto:help",
            "mailto:help@example.com?bcc=all@example.com",
            "mailto:help?bcc=all@example.com",
            "mailto:help@example.com,other@example.com",
        ] {
            assert!(ContactLink::try_from(url.to_owned()).is_err(), "{url}");
        }
        let long = format!("https://help.example.com/{}", "a".repeat(256));
        assert!(ContactLink::try_from(long).is_err());
    }

    #[test]
    fn a_help_line_is_one_line() {
        for text in ["", "  ", "a\nb", "a\u{1b}[31m", &"a".repeat(201)] {
            assert!(HelpText::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert!(HelpText::try_from("Room 12, phone <b>1234</b>".to_owned()).is_ok());
    }
}
