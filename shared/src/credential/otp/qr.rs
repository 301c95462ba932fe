//! QR codes: as text for terminals and as SVG for pages. The text has error correction level L, a
//! quiet zone of 2 and two modules per character, so that a URI of 134 bytes fits a terminal of 80
//! × 24.

use qrcode::{EcLevel, QrCode};
use std::fmt::Write;
use zeroize::Zeroizing;

const QUIET: i32 = 2;

/// Draws `text` in half blocks, light on dark: most terminals are dark, and scanners read both.
/// Each line ends with a newline. Returns `None` if the text is too long for any QR code.
pub fn draw_half_blocks(text: &str) -> Option<Zeroizing<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = i32::try_from(code.width()).ok()?;
    let modules = code.to_colors();
    let light = |x: i32, y: i32| {
        let inside = (0..width).contains(&x) && (0..width).contains(&y);
        let at = usize::try_from(y * width + x).unwrap_or(0);
        !inside || modules[at] == qrcode::Color::Light
    };
    let side = -QUIET..width + QUIET;
    let mut drawn = Zeroizing::new(String::new());
    for y in side.clone().step_by(2) {
        for x in side.clone() {
            // The background below the last row counts as dark: the quiet zone above it is
            // complete.
            let below = y + 1 < side.end && light(x, y + 1);
            drawn.push(match (light(x, y), below) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        drawn.push('\n');
    }
    Some(drawn)
}

/// Draws `text` as SVG, dark on light whatever the page's colours, in modules of 1, with the quiet
/// zone of 4 that ISO/IEC 18004 requires. Returns `None` if the text is too long for any QR code.
pub fn draw_svg(text: &str) -> Option<Zeroizing<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let mut path = Zeroizing::new(String::new());
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        if colour == qrcode::Color::Dark {
            let _ = write!(path, "M{} {}h1v1h-1z", at % width + 4, at / width + 4);
        }
    }
    let side = width + 8;
    Some(Zeroizing::new(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
         aria-label=\"QR code\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
         <path d=\"{}\"/></svg>",
        path.as_str()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_of_134_bytes_fits_a_terminal() {
        let drawn = draw_half_blocks(&"x".repeat(134)).unwrap();
        assert_eq!(drawn.lines().count(), 23);
        assert!(drawn.lines().all(|line| line.chars().count() == 45));
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        assert!(draw_half_blocks(&"x".repeat(3000)).is_none());
    }
}
