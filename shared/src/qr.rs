//! A QR code as text: level L, a quiet zone of 2, two modules a character, so that a URL of 134 bytes fits
//! a terminal of 80 × 24.

use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

/// Light modules around the symbol.
const QUIET: i32 = 2;

/// Draws `text` in half blocks, light on dark: most terminals are dark, and scanners take both. Each line ends
/// with a newline. `None` if the text is too long for any QR code.
pub fn half_blocks(text: &str) -> Option<Zeroizing<String>> {
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
            // Below the last row stands the background, which counts as dark: the quiet zone above it is whole.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_134_bytes_fits_a_terminal() {
        let drawn = half_blocks(&"x".repeat(134)).unwrap();
        assert_eq!(drawn.lines().count(), 23);
        assert!(drawn.lines().all(|line| line.chars().count() == 45));
    }

    #[test]
    fn what_no_qr_code_holds_is_refused() {
        assert!(half_blocks(&"x".repeat(3000)).is_none());
    }
}
