//! A prompt of sshd at a host of a fleet that a passkey approves in a real browser, at the server. The
//! test host is the server, with the gate.

use testhost::{
    APP, CLIENT, Chromium, Fleet, JoinedHost, PagesAt, Postern, Posternd, Proxy, Terminal,
    UnusedCodes, Web, assert_contains, assert_lacks, keep_picture,
};

/// The name in the certificate of the host; the machine calls itself web1.
const NAME: &str = "bastion";
const PROMPT: &str = "Approve it there, then press Enter (or type a code): ";
const APPROVE: &str = "form[data-get] button";

/// Asks for an approval at a prompt. Returns its address and its number.
#[track_caller]
fn asks(terminal: &mut Terminal) -> (String, String) {
    terminal
        .expect("Press Enter to approve with your passkey.")
        .expect("Verification code: ")
        .types("");
    let screen = terminal.expect(PROMPT).screen();
    let mut words = screen.split_whitespace();
    let address = words.rfind(|word| word.contains("/approve/"));
    let (_, number) = screen.rsplit_once("Number: ").expect("a number");
    let number = number.chars().take(2).collect();
    (address.expect("an address").to_owned(), number)
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_prompt_at_a_host_of_a_fleet_is_approved_in_the_browser() {
    let fleet = Fleet::start();
    // no spaces at the one `listen`: that of the gate would have them
    let settings = format!(
        "[pam]\napproval = true\n\n[totp]\npast_steps = 10\n\n[fleet]\nlisten=\"tcp:{CLIENT}:7443\"\n"
    );
    let web = Web::start(&fleet.host, Proxy::Nginx, PagesAt::OwnHost, &settings);
    let mut server = Posternd::start();
    server.says("hosts of the fleet connect to");
    let (alice, phone) = fleet.host.web_user("alice");
    let mut codes = UnusedCodes::of(phone);
    let invited = Postern::json(&format!("host invite {NAME} --json"));
    let invitation = invited["invitation"].as_str().expect("a one-time code");
    let url = format!("https://{CLIENT}:7443");
    let host = JoinedHost::start(fleet.machine("web1"), &url, invitation);

    let browser = Chromium::start();
    let _authenticator = browser.with_authenticator();
    browser
        .opens(APP)
        .enters_password("alice", &alice.password)
        .arrives_at("Verification code");
    browser
        .enters_code(&codes.next_code())
        .arrives_at("The application");
    browser.opens(&web.page("passkeys")).arrives_at("Passkeys");
    browser
        .types("[name=name]", "phone")
        .types_proof(&alice, &codes.next_code())
        .submits_to("Add a passkey");
    browser.submits_to("Passkeys");

    // the whole wait of the server is within what the host waits for; the approval is in the second
    let mut terminal = host.ssh(&alice).connects();
    let (address, number) = asks(&mut terminal);
    terminal
        .types("")
        .expect("It is not approved yet.")
        .expect(PROMPT)
        .types("");
    browser.opens(&address).arrives_at("Approve a sign-in");
    for text in [NAME, "sshd", CLIENT, "alice"] {
        assert_contains(browser.reads("dl"), text);
    }
    browser.emulates_screen(390, 844, "light");
    keep_picture("approve-host-of-fleet", &browser.picture());
    browser
        .types("[name=number]", &number)
        .clicks_to(APPROVE, "Approved");
    let ended = terminal.ends();
    assert!(ended.entered(), "{}", ended.transcript);
    fleet
        .host
        .journal
        .says("accepted cause=approval address=192.0.2.1 service=sshd user=\"alice\"");
    let log = Postern::call("log alice").does().out;
    assert_contains(&log, format!("{CLIENT} on {NAME}"));

    // refused at the web
    let mut terminal = host.ssh(&alice).connects();
    let (address, _) = asks(&mut terminal);
    browser.opens(&address).arrives_at("Approve a sign-in");
    browser.clicks_to("form[action$=refuse] button", "Refused");
    terminal.types("").expect("The request was refused");
    terminal.closes();

    // a server that goes while a request waits: access is denied, also where it is approved later
    let mut terminal = host.ssh(&alice).connects();
    let (address, number) = asks(&mut terminal);
    terminal.types("");
    server.crash();
    browser
        .opens(&address)
        .arrives_at("Approve a sign-in")
        .types("[name=number]", &number)
        .clicks_to(APPROVE, "Approved");
    terminal.expect("has ended the connection");
    assert_lacks(terminal.closes(), "entered as");
}
