//! Branding of the pages: the style sheet in the configured colour, the name, the logo, and where
//! users get help.
//!
//! Refuses a logo that is not PNG, SVG or WebP by its first bytes.

use data_encoding::HEXLOWER;
use postern_shared::config::Config;
use postern_shared::config::gate::branding::{Color, ContactLink, HelpText};
use postern_shared::engine::enrollment::pending;
use postern_shared::system::trusted_file::{self, Follow, Privacy};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The style sheet, without its colour variables.
const STYLE: &str = include_str!("../../templates/style.css");
/// The scripts of pages with a code field, with something to copy or to keep, with times,
/// and with passkeys.
pub(crate) const SCRIPTS: [&str; 4] = [
    include_str!("../../templates/code.js"),
    include_str!("../../templates/keep.js"),
    include_str!("../../templates/times.js"),
    include_str!("../../templates/passkey.js"),
];

/// Background of cards on a dark page, as in the style sheet.
const DARK_CARD: Color = Color::rgb(0x1c, 0x21, 0x29);
/// Size limit of the logo, in bytes.
const MAX_LOGO: u64 = 64 * 1024;

pub(crate) struct Branding {
    /// Heading of every page.
    pub(crate) name: String,
    pub(crate) logo: Option<Logo>,
    pub(crate) style: String,
    /// Where users get help.
    pub(crate) help: Option<HelpText>,
    pub(crate) contact: Option<ContactLink>,
    /// Differs where the style sheet, the logo or a script differs, so that browsers load them
    /// again.
    pub(crate) stamp: String,
}

#[derive(Hash)]
pub(crate) struct Logo {
    pub(crate) kind: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Branding {
    /// Reads the branding that the configuration names.
    pub(crate) fn read(config: &Config) -> Result<Branding, String> {
        let branding = &config.gate.branding;
        let logo = match &branding.logo_file {
            None => None,
            Some(file) => {
                let path = file.path();
                let bytes =
                    trusted_file::read_trusted(path, Privacy::Public, Follow::Yes, MAX_LOGO)
                        .map_err(|error| error.to_string())?;
                let kind = media_type(&bytes).ok_or_else(|| {
                    format!(
                        "{}: gate.branding.logo_file is neither PNG, nor SVG, nor WebP",
                        path.display()
                    )
                })?;
                Some(Logo {
                    kind,
                    bytes: bytes.to_vec(),
                })
            }
        };
        let (light, dark) = (branding.color, branding.color.readable_on(DARK_CARD));
        let style = format!(
            ":root {{ --mark: {light}; }}\n@media (prefers-color-scheme: dark) {{ :root {{ --mark: {dark}; }} }}\n{STYLE}"
        );
        let name = branding
            .name
            .as_ref()
            .map_or_else(|| pending::issuer(config), |name| name.as_str().to_owned());
        let mut hasher = DefaultHasher::new();
        (&style, &logo, SCRIPTS).hash(&mut hasher);
        let stamp = HEXLOWER.encode(&hasher.finish().to_be_bytes());
        Ok(Branding {
            name,
            logo,
            style,
            help: branding.help.clone(),
            contact: branding.contact.clone(),
            stamp,
        })
    }
}

/// Returns the media type of a picture, by its first bytes.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim_start();
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else if (text.starts_with("<svg") || text.starts_with("<?xml")) && text.contains("<svg") {
        Some("image/svg+xml")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_recognized_by_their_first_bytes() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(media_type(b"RIFF....WEBPVP8 "), Some("image/webp"));
        assert_eq!(
            media_type(b"<?xml version=\"1.0\"?>\n<svg/>"),
            Some("image/svg+xml")
        );
        for other in [
            &b""[..],
            b"GIF89a",
            b"<html>",
            b"<?xml version=\"1.0\"?><html/>",
            b"RIFF....WAVE",
        ] {
            assert_eq!(media_type(other), None);
        }
    }

    #[test]
    fn the_style_sheet_uses_the_dark_background_that_colours_are_adjusted_to() {
        assert!(STYLE.contains(&DARK_CARD.to_string()));
    }

    #[test]
    fn another_colour_changes_the_stamp() {
        let mut config = Config::default();
        let one = Branding::read(&config).unwrap();
        config.gate.branding.color = Color::rgb(0x60, 0, 0);
        let other = Branding::read(&config).unwrap();
        assert!(other.style.contains("--mark: #600000") && one.stamp != other.stamp);
    }
}
