//! Invisible characters: control and format characters, and characters without a glyph. A name with
//! one of them can look like another name, and a character that changes the writing direction can
//! make a log line read differently. New names therefore contain none.

/// Ranges of code points in ascending order: general categories Cf, Zl and Zp, the property
/// Default_Ignorable_Code_Point (Unicode 17, DerivedGeneralCategory.txt and
/// DerivedCoreProperties.txt), and U+2800, a Braille pattern without dots.
const INVISIBLE: [(char, char); 26] = [
    ('\u{AD}', '\u{AD}'),
    ('\u{34F}', '\u{34F}'),
    ('\u{600}', '\u{605}'),
    ('\u{61C}', '\u{61C}'),
    ('\u{6DD}', '\u{6DD}'),
    ('\u{70F}', '\u{70F}'),
    ('\u{890}', '\u{891}'),
    ('\u{8E2}', '\u{8E2}'),
    ('\u{115F}', '\u{1160}'),
    ('\u{17B4}', '\u{17B5}'),
    ('\u{180B}', '\u{180F}'),
    ('\u{200B}', '\u{200F}'),
    ('\u{2028}', '\u{202E}'),
    ('\u{2060}', '\u{206F}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{FFA0}', '\u{FFA0}'),
    ('\u{FFF0}', '\u{FFFB}'),
    ('\u{110BD}', '\u{110BD}'),
    ('\u{110CD}', '\u{110CD}'),
    ('\u{13430}', '\u{1343F}'),
    ('\u{1BCA0}', '\u{1BCA3}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0000}', '\u{E0FFF}'),
];

/// Checks whether a character has no glyph of its own: a control or format character, a character
/// that is drawn as nothing, or a noncharacter.
pub fn is_invisible(character: char) -> bool {
    let number = u32::from(character);
    let is_noncharacter = number & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&number);
    let after = INVISIBLE.partition_point(|(first, _)| *first <= character);
    let is_listed = after
        .checked_sub(1)
        .is_some_and(|at| character <= INVISIBLE[at].1);
    character.is_control() || is_noncharacter || is_listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_are_in_order() {
        assert!(INVISIBLE.iter().all(|(first, last)| first <= last));
        assert!(INVISIBLE.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn characters_without_a_glyph_are_invisible_and_letters_are_not() {
        for character in [
            '\0',
            '\n',
            '\u{7F}',
            '\u{9B}',
            '\u{AD}',
            '\u{34F}',
            '\u{61C}',
            '\u{115F}',
            '\u{180E}',
            '\u{200B}',
            '\u{200D}',
            '\u{200F}',
            '\u{2028}',
            '\u{202E}',
            '\u{2060}',
            '\u{2066}',
            '\u{206F}',
            '\u{2800}',
            '\u{3164}',
            '\u{FDD0}',
            '\u{FE0F}',
            '\u{FEFF}',
            '\u{FFA0}',
            '\u{FFFE}',
            '\u{E0001}',
            '\u{E0100}',
            '\u{10FFFF}',
        ] {
            assert!(is_invisible(character), "{character:?}");
        }
        for character in "aZ0 .-_@ÄßıİΣあ漢字\u{E9}\u{301}\u{A0}\u{3000}\u{FF41}\u{FFFD}👩".chars()
        {
            assert!(!is_invisible(character), "{character:?}");
        }
    }
}
