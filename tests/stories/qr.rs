//! The QR code on an 80 × 24 terminal, read by a real scanner.

use std::fs;
use std::process::Command;
use testhost::{Host, Postern, Terminal, finished};

/// Pixels a module: what a phone's camera sees is no finer.
const SCALE: usize = 6;

/// E3
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_qr_fits_the_terminal_and_scans() {
    let host = Host::fresh();
    host.person("alice");
    host.configure("[totp]\nissuer = \"server-01\"\n");

    let mut terminal = Terminal::run(Postern::call("enroll alice").command());
    let screen = terminal.expect("Scan it, then enter the code that your app shows: ").screen();
    terminal.presses_ctrl_c();

    let drawn: Vec<&str> = screen.lines().filter(|line| line.contains(['█', '▀', '▄'])).collect();
    assert!(drawn.len() <= 23, "{} rows", drawn.len());
    assert!(drawn.iter().all(|line| line.chars().count() <= 80));
    let below = screen.lines().rev().take_while(|line| !line.contains(['█', '▀', '▄'])).count();
    assert!(drawn.len() + below <= 24, "the prompt scrolls the QR away: {screen}");

    fs::write("/run/postern-tests/qr.pgm", picture(&drawn)).expect("the tests' folder can be written");
    let scanned =
        finished(Command::new("zbarimg").args(["--quiet", "--raw", "--nodbus", "/run/postern-tests/qr.pgm"]));
    let url = screen.lines().find_map(|line| line.strip_prefix("URL: ")).expect("a URL");
    assert_eq!(scanned.trim(), url.trim());
}

/// What a dark terminal shows, as a grey picture with a dark margin.
fn picture(drawn: &[&str]) -> Vec<u8> {
    let width = drawn.iter().map(|line| line.chars().count()).max().unwrap_or(0) + 4;
    let mut rows = vec![vec![0_u8; width]; 2];
    for line in drawn {
        let (mut upper, mut lower) = (vec![0; width], vec![0; width]);
        for (x, block) in line.chars().enumerate() {
            upper[x + 2] = if matches!(block, '█' | '▀') { 255 } else { 0 };
            lower[x + 2] = if matches!(block, '█' | '▄') { 255 } else { 0 };
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
