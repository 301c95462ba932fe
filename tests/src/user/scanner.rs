//! A QR scanner: it reads the code on a dark terminal as a phone's camera would.

use crate::machine::files::WORK;
use crate::process::processes::finished;
use std::fs;
use std::process::Command;

/// Pixels for each module of the QR code.
const SCALE: usize = 6;

/// Decodes the QR code that the half blocks on a screen show.
#[track_caller]
pub fn scanned(screen: &str) -> String {
    let drawn: Vec<&str> = screen
        .lines()
        .filter(|line| line.contains(['█', '▀', '▄']))
        .collect();
    let path = format!("{WORK}/qr.pgm");
    fs::write(&path, picture(&drawn)).expect("the tests' folder can be written");
    finished(Command::new("zbarimg").args(["--quiet", "--raw", "--nodbus", &path]))
        .trim()
        .to_owned()
}

/// Draws the terminal's text as a grey picture with a dark margin.
fn picture(drawn: &[&str]) -> Vec<u8> {
    let width = drawn
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0)
        + 4;
    let mut rows = vec![vec![0_u8; width]; 2];
    for line in drawn {
        let (mut upper, mut lower) = (vec![0; width], vec![0; width]);
        for (x, block) in line.chars().enumerate() {
            upper[x + 2] = if matches!(block, '█' | '▀') {
                255
            } else {
                0
            };
            lower[x + 2] = if matches!(block, '█' | '▄') {
                255
            } else {
                0
            };
        }
        rows.extend([upper, lower]);
    }
    rows.extend([vec![0; width], vec![0; width]]);
    let mut picture = format!("P5\n{} {}\n255\n", width * SCALE, rows.len() * SCALE).into_bytes();
    for row in rows {
        let wide: Vec<u8> = row.iter().flat_map(|pixel| [*pixel; SCALE]).collect();
        (0..SCALE).for_each(|_| picture.extend(&wide));
    }
    picture
}
