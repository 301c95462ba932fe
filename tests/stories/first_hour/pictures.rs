//! The pictures of README, taken from the real command and the real page. `docs/pictures/make`
//! copies them from the folder of builds.

use testhost::{APP, Chromium, Host, Postern, Terminal, Web, keep_picture};

/// A terminal as a page. The rows of half blocks must touch, or the QR code has gaps.
const TERMINAL: &str = "<!doctype html><title>terminal</title><meta name=viewport content=\"width=device-width\"><body style=\"margin:0;background:#16181d;color:#e6e6e6;\
     padding:14px\"><pre style=\"margin:0;font:13px/15px 'DejaVu Sans Mono'\">";

/// The command, as a person types it, and what the terminal shows until the prompt.
fn enrolls() -> String {
    let mut terminal = Terminal::run(Postern::call("enroll alice").command());
    terminal.expect("your app shows: ");
    let shown = terminal.screen();
    terminal.presses_ctrl_c();
    // The secret is in the QR code. The long address in text would be wider than the picture.
    let lines = shown.lines().filter(|line| !line.starts_with("URL: "));
    let shown: Vec<_> = lines.map(str::trim_end).collect();
    format!("$ sudo postern enroll alice\n{}", shown.join("\n"))
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_pictures_of_readme_are_taken() {
    let host = Host::fresh();
    let web = Web::nginx(&host, "[gate.branding]\nname = \"Example Ltd\"\n");
    let browser = Chromium::start();
    let shown = enrolls();
    assert!(shown.contains('▀'), "{shown}");
    let page: String = (TERMINAL.to_owned() + &shown)
        .chars()
        .map(|c| match c {
            '#' => "%23".to_owned(),
            '%' => "%25".to_owned(),
            '\n' => "%0A".to_owned(),
            c => c.to_string(),
        })
        .collect();
    browser.emulates_screen(440, 400, "light");
    browser.opens(&format!("data:text/html;charset=utf-8,{page}"));
    keep_picture("readme-enroll", &browser.picture());

    let (alice, _) = host.web_user("alice");
    browser.emulates_screen(480, 520, "light");
    browser.opens(APP);
    browser
        .enters_password("alice", &alice.password)
        .arrives_at("Verification code");
    keep_picture("readme-code", &browser.picture());
    drop(web);
}
