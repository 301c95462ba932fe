//! The QR code on an 80 × 24 terminal, decoded by a real scanner.

use testhost::{Host, Postern, Terminal, scanned};

/// E3: the QR code holds the otpauth URI that is printed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_qr_fits_the_terminal_and_scans() {
    let host = Host::fresh();
    host.person("alice");
    host.configure("[totp]\nissuer = \"server-01\"\n");

    let mut terminal = Terminal::run(Postern::call("enroll alice").command());
    let screen = terminal
        .expect("Scan it, then enter the code that your app shows: ")
        .screen();
    terminal.presses_ctrl_c();

    let drawn: Vec<&str> = screen
        .lines()
        .filter(|line| line.contains(['█', '▀', '▄']))
        .collect();
    assert!(drawn.len() <= 23, "{} rows", drawn.len());
    assert!(drawn.iter().all(|line| line.chars().count() <= 80));
    let below = screen
        .lines()
        .rev()
        .take_while(|line| !line.contains(['█', '▀', '▄']))
        .count();
    assert!(
        drawn.len() + below <= 24,
        "the prompt scrolls the QR away: {screen}"
    );

    let url = screen
        .lines()
        .find_map(|line| line.strip_prefix("URL: "))
        .expect("a URL");
    assert_eq!(scanned(&screen), url.trim());
}
