//! How the pages look: the style sheet in the configured colour, and the name and logo above every page.

use data_encoding::HEXLOWER;
use shared::config::Config;
use shared::config::gate::branding::Color;
use shared::engine::enrollment::pending;
use shared::system::trusted_file::{self, Follow, Privacy};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The style sheet, but for the colours that it goes by.
const STYLE: &str = include_str!("../../templates/style.css");
/// The scripts: of pages that take digits, and of those that show recovery codes.
pub(crate) const SCRIPTS: [&str; 2] = [
    include_str!("../../templates/code.js"),
    include_str!("../../templates/keep.js"),
];

/// The ground of cards on a dark page, as the style sheet has it.
const DARK: Color = Color::rgb(0x1c, 0x21, 0x29);
/// The largest logo, in bytes.
const LARGEST: u64 = 64 * 1024;

/// A look.
pub(crate) struct Branding {
    /// Above every page.
    pub(crate) name: String,
    /// Beside it.
    pub(crate) logo: Option<Logo>,
    pub(crate) style: String,
    /// Differs where any of it differs, so that browsers fetch it anew.
    pub(crate) stamp: String,
}

/// A picture.
#[derive(Hash)]
pub(crate) struct Logo {
    pub(crate) kind: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Branding {
    /// The one that the configuration names.
    pub(crate) fn read(config: &Config) -> Result<Branding, String> {
        let look = &config.gate.branding;
        let logo = match &look.logo_file {
            None => None,
            Some(file) => {
                let path = file.path();
                let bytes = trusted_file::read_trusted(path, Privacy::Public, Follow::Yes, LARGEST)
                    .map_err(|error| error.to_string())?;
                let kind = kind(&bytes).ok_or_else(|| {
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
        let (light, dark) = (look.color, look.color.readable_on(DARK));
        let style = format!(
            ":root {{ --mark: {light}; }}\n@media (prefers-color-scheme: dark) {{ :root {{ --mark: {dark}; }} }}\n{STYLE}"
        );
        let name = look
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
            stamp,
        })
    }
}

/// What browsers are told that a picture is, by its first bytes.
fn kind(bytes: &[u8]) -> Option<&'static str> {
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
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(kind(b"RIFF....WEBPVP8 "), Some("image/webp"));
        assert_eq!(
            kind(b"<?xml version=\"1.0\"?>\n<svg/>"),
            Some("image/svg+xml")
        );
        for other in [
            &b""[..],
            b"GIF89a",
            b"<html>",
            b"<?xml version=\"1.0\"?><html/>",
            b"RIFF....WAVE",
        ] {
            assert_eq!(kind(other), None);
        }
    }

    #[test]
    fn the_style_sheet_goes_by_the_dark_ground_that_colours_are_made_for() {
        assert!(STYLE.contains(&DARK.to_string()));
    }

    #[test]
    fn another_colour_is_another_stamp() {
        let mut config = Config::default();
        let one = Branding::read(&config).unwrap();
        config.gate.branding.color = Color::rgb(0x60, 0, 0);
        let other = Branding::read(&config).unwrap();
        assert!(other.style.contains("--mark: #600000") && one.stamp != other.stamp);
    }
}
