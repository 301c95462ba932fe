//! A prompt of sshd and of sudo that a passkey approves in a real browser; refused there; out of reach of
//! another account.

use testhost::{
    APP, Chromium, Host, PagesAt, Person, Phone, Postern, Proxy, Terminal, VirtualAuthenticator,
    Web, assert_contains, assert_lacks, keep_picture,
};

/// The offer, which is above the prompt for a code.
const OFFER: &str = "Press Enter to approve with your passkey.";
const PROMPT: &str = "Approve it there, then press Enter (or type a code): ";
const APPROVE: &str = "form[data-get] button";

/// A host whose prompts offer an approval, and alice, whose browser is signed in and has a passkey.
struct Scene {
    host: Host,
    web: Web,
    alice: Person,
    phone: Phone,
    browser: Chromium,
}

impl Scene {
    #[track_caller]
    fn begins() -> Scene {
        let host = Host::fresh();
        let approval = "[pam]\napproval = true\n";
        let web = Web::start(&host, Proxy::Nginx, PagesAt::OwnHost, approval);
        let (alice, phone) = host.web_user("alice");
        let browser = Chromium::start();
        Scene {
            host,
            web,
            alice,
            phone,
            browser,
        }
    }

    /// Adds a passkey in the browser, which is signed in then.
    #[track_caller]
    fn adds_passkey(&self) -> VirtualAuthenticator<'_> {
        let authenticator = self.browser.with_authenticator();
        self.browser
            .opens(APP)
            .enters_password("alice", &self.alice.password)
            .arrives_at("Verification code");
        self.browser
            .enters_code(&self.phone.code())
            .arrives_at("The application");
        self.browser
            .opens(&format!("{}passkeys", self.web.pages))
            .arrives_at("Passkeys");
        self.host.clock.forward(30);
        self.browser
            .types("[name=name]", "phone")
            .types_proof(&self.alice, &self.phone.code())
            .submits_to("Add a passkey");
        self.browser.submits_to("Passkeys");
        self.host.clock.forward(30);
        authenticator
    }
}

/// Asks for an approval at a prompt. Returns its address and its number.
#[track_caller]
fn asks(terminal: &mut Terminal) -> (String, String) {
    terminal.types("").expect("https://");
    let screen = terminal.expect(PROMPT).screen();
    let address = screen
        .split_whitespace()
        .rfind(|word| word.contains("/approve/"));
    let number = screen.rsplit("Number: ").next().expect("a number");
    let number: String = number.chars().take(2).collect();
    (address.expect("an address").to_owned(), number)
}

#[track_caller]
fn approves(browser: &Chromium, address: &str, number: &str) {
    browser.opens(address).arrives_at("Approve a sign-in");
    browser
        .types("[name=number]", number)
        .clicks_to(APPROVE, "Approved");
}

/// At sshd, by keyboard-interactive after a key; the wrong number and a code beside it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_prompt_of_sshd_is_approved_in_the_browser() {
    let scene = Scene::begins();
    let (host, browser) = (&scene.host, &scene.browser);
    let mut terminal = scene.alice.with_key().connects();
    terminal.expect("Verification code: ");
    assert_lacks(terminal.screen(), OFFER);
    terminal.closes();

    let _authenticator = scene.adds_passkey();
    host.journal.forget();
    let mut terminal = scene.alice.with_key().connects();
    terminal.expect(OFFER).expect("Verification code: ");
    let (address, number) = asks(&mut terminal);
    browser.opens(&address).arrives_at("Approve a sign-in");
    for text in ["sshd", "127.0.0.1", "alice"] {
        assert_contains(browser.reads("dl"), text);
    }
    keep_picture("approve", &browser.picture());
    for (name, width, height, scheme) in [
        ("approve-phone", 390, 844, "light"),
        ("approve-phone-dark", 390, 844, "dark"),
    ] {
        browser.emulates_screen(width, height, scheme);
        keep_picture(name, &browser.picture());
    }
    browser.emulates_screen(1280, 800, "light");
    approves(browser, &address, &number);
    keep_picture("approved", &browser.picture());
    terminal.types("");
    assert!(terminal.ends().entered());
    host.journal
        .says("accepted cause=approval address=127.0.0.1 service=sshd user=\"alice\"");
    let log = Postern::call("log alice").does().out;
    assert_contains(&log, "approval");
    // It is used up.
    browser.opens(&address).arrives_at("No such request");
    keep_picture("approval-unknown", &browser.picture());

    // The user waits at the prompt, and approves meanwhile; the session alone approves nothing.
    let mut terminal = scene.alice.with_key().connects();
    terminal.expect("Verification code: ");
    let (address, number) = asks(&mut terminal);
    terminal.types("");
    approves(browser, &address, &number);
    assert!(terminal.ends().entered());

    // A wrong number ends the request, which counts as a wrong code; then a code.
    let mut terminal = scene.alice.with_key().connects();
    terminal.expect("Verification code: ");
    let (address, number) = asks(&mut terminal);
    let wrong = if number == "42" { "43" } else { "42" };
    browser.opens(&address).arrives_at("Approve a sign-in");
    browser.types("[name=number]", wrong).clicks(APPROVE);
    assert_contains(browser.reads("main"), "The number was wrong");
    terminal.types("").expect("The request was refused");
    terminal
        .expect("Verification code: ")
        .types(&scene.phone.code());
    assert!(terminal.ends().entered());
    host.journal.says("refused cause=approval-wrong-number");

    // A code in the place of the approval ends the request.
    host.clock.forward(30);
    let mut terminal = scene.alice.with_key().connects();
    terminal.expect("Verification code: ");
    let (address, _) = asks(&mut terminal);
    terminal.types(&scene.phone.code());
    assert!(terminal.ends().entered());
    browser.opens(&address).arrives_at("No such request");

    // It expires.
    host.clock.forward(600);
    let mut terminal = scene.alice.with_key().connects();
    terminal.expect("Verification code: ");
    let (address, _) = asks(&mut terminal);
    host.clock.forward(90);
    terminal.types("").expect("ended without an approval");
    terminal.closes();
    browser.opens(&address).arrives_at("No such request");
    assert_lacks(scene.web.gate.log(), "panicked");
}

/// Refused: "This was not me"; sign-in leads back to the page; another account finds nothing there.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_request_is_refused_by_its_owner_and_unknown_to_others() {
    let scene = Scene::begins();
    let (host, browser) = (&scene.host, &scene.browser);
    let _authenticator = scene.adds_passkey();
    let (mallory, her_phone) = host.web_user("mallory");
    let mut terminal = scene.alice.with_key().connects();
    terminal.expect("Verification code: ");
    let (address, _) = asks(&mut terminal);

    let hers = Chromium::start();
    hers.opens(&address)
        .enters_password("mallory", &mallory.password)
        .arrives_at("Verification code");
    hers.enters_code(&her_phone.code())
        .arrives_at("No such request");
    assert_lacks(hers.reads("main"), "sshd");
    assert_contains(scene.web.gate.log(), "approval-unknown");

    browser.opens(&address).arrives_at("Approve a sign-in");
    browser.clicks_to("form[action$=refuse] button", "Refused");
    keep_picture("approval-refused", &browser.picture());
    terminal.types("").expect("The request was refused");
    terminal.closes();
    host.journal.says("refused cause=approval-refused");
    let log = Postern::call("log alice").does().out;
    assert_contains(&log, "approval-refused");
    assert_contains(&log, "sshd at ");
}

/// sudo, by a browser that is not signed in before: the page leads to the sign-in, and back.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_prompt_of_sudo_is_approved_in_the_browser() {
    let scene = Scene::begins();
    let (host, browser) = (&scene.host, &scene.browser);
    host.sample("sudo-i");
    host.sudoers("alice ALL=(ALL) ALL");
    let _authenticator = scene.adds_passkey();
    browser
        .opens(&scene.web.pages)
        .arrives_at("Your account")
        .clicks("form[action$=sign-out] button")
        .arrives_at("Signed out");
    let mut terminal = Terminal::run(scene.alice.on_this_host("sudo id -un"));
    terminal
        .expect("password for alice: ")
        .types(&scene.alice.password);
    terminal.expect(OFFER).expect("Verification code: ");
    let (address, number) = asks(&mut terminal);
    browser
        .opens(&address)
        .enters_password("alice", &scene.alice.password)
        .arrives_at("Verification code");
    browser.clicks_to(APPROVE, "Approve a sign-in");
    assert_contains(browser.reads("dl"), "sudo");
    browser
        .types("[name=number]", &number)
        .clicks_to(APPROVE, "Approved");
    terminal.types("").expect("root");
    host.journal
        .says("accepted cause=approval address=- service=sudo user=\"alice\"");
}
