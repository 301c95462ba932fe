//! Every page on a phone and a large screen, in light and dark, in English and German, and checked
//! for accessibility. The pictures are saved in target/pictures.

use crate::mail::codes::PLAIN;
use serde_json::{Value, json};
use std::fs;
use testhost::{APP, Chromium, Host, MailServer, Phone, Postern, Web, keep_picture};

/// axe-core, as installed by its Python package.
const AXE: &str = "/usr/local/lib/python3.11/dist-packages/axe_playwright_python/axe.min.js";
/// Width and height in pixels: the narrowest screen, a phone, and a desktop.
const SCREENS: [(u32, u32); 3] = [(320, 640), (390, 844), (1280, 900)];

/// Checks each page for width and accessibility, and saves pictures.
struct Eye<'a> {
    browser: &'a Chromium,
    axe: String,
    seen: Vec<String>,
}

impl Eye<'_> {
    fn of(browser: &Chromium) -> Eye<'_> {
        let axe = fs::read_to_string(AXE).expect("axe-core is installed");
        Eye {
            browser,
            axe,
            seen: Vec::new(),
        }
    }

    /// Checks the current page.
    #[track_caller]
    fn looks_at(&mut self, page: &str) {
        self.seen.push(page.to_owned());
        for scheme in ["light", "dark"] {
            for (width, height) in SCREENS {
                self.browser.emulates_screen(width, height, scheme);
                let wide = self
                    .browser
                    .runs("return document.documentElement.scrollWidth");
                assert!(
                    wide.as_u64().is_some_and(|wide| wide <= u64::from(width)),
                    "{page} is {wide} wide"
                );
                if width > 320 {
                    keep_picture(&format!("{page}-{width}-{scheme}"), &self.browser.picture());
                }
            }
            let found = self.finds_fault();
            assert_eq!(found, json!([]), "{page}, {scheme}");
        }
    }

    /// Returns the violations that axe-core finds: rule and element.
    fn finds_fault(&self) -> Value {
        self.browser.runs(&self.axe);
        self.browser.runs_and_waits(
            "const done = arguments[arguments.length - 1]; \
             axe.run().then((r) => done(r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)])));",
        )
    }
}

/// L12, E9: at a width of 320 px no page scrolls sideways, and axe-core finds no violation.
#[test]
#[ignore = "needs the test host: tests/run"]
fn every_page_fits_every_screen_and_a_screen_reader() {
    let host = Host::fresh();
    let _server = MailServer::start();
    let extra = format!(
        "[policy]\nrequired = [\"bob\"]\nadministrators = [\"alice\"]\n{PLAIN}[gate.administration]\npages = true\n[gate.scope.webdav]\ntitle = \"Files and calendar\"\nhosts = [\"app.example.test\"]\npaths = [\"/dav\"]\n\
         [gate.scope.git]\nhosts = [\"app.example.test\"]\npaths = [\"/git\", \"/api\"]\n\
         [gate.branding]\nhelp = \"Lost your phone? Help desk, room 12.\"\ncontact = \"mailto:help@example.test\"\n"
    );
    let web = Web::nginx(&host, &extra);
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    let bob = host.person("bob");
    bob.has_a_password();
    let browser = Chromium::start();
    let mut eye = Eye::of(&browser);
    let at = |page: &str| format!("{}{page}", web.pages);

    browser.opens(&web.pages).arrives_at("Signed out");
    eye.looks_at("signed-out");
    browser.opens(APP).arrives_at("Sign in");
    eye.looks_at("sign-in");
    browser
        .enters_password("alice", "not the password")
        .arrives_at("Sign in")
        .clicks("summary");
    eye.looks_at("sign-in-refused");
    browser
        .enters_password("alice", &alice.password)
        .enters_code(&phone.wrong());
    browser.arrives_at("Verification code");
    eye.looks_at("code-refused");
    browser.clicks_to("a[href*=other]", "Verification code");
    eye.looks_at("recovery");
    browser.enters_answer(&recovery[0]).arrives_at("Signed in");
    eye.looks_at("told");
    Postern::call("app-password add alice calendar --scope web:app.example.test/dav --json").does();
    browser.opens(&web.pages).arrives_at("Your account");
    eye.looks_at("account");
    for (page, heading) in [
        ("turn-off", "Turn the second factor off"),
        ("replace", "Replace the authenticator"),
        ("authenticators/add", "Add an authenticator"),
        ("recovery-codes", "Make new recovery codes"),
        ("app-passwords", "App passwords"),
        ("email", "Codes by mail"),
        ("email/remove", "Stop mailing codes"),
        ("sign-ins", "Sessions and browsers"),
        ("password", "Change your password"),
    ] {
        browser.opens(&at(page)).arrives_at(heading);
        eye.looks_at(&page.replace('/', "-"));
    }
    browser
        .opens(&at("app-passwords"))
        .types("[name=name]:not([type=hidden])", "notes");
    browser.clicks_to("main > form > button", "App passwords");
    eye.looks_at("app-passwords-refused");
    browser
        .clicks("[value=webdav]")
        .clicks_to("main > form > button", "notes");
    eye.looks_at("new-app-password");
    browser
        .opens(&at("email"))
        .types("[name=address]", "alice@example.test")
        .clicks("form[action$=email] button");
    browser.arrives_at("Codes by mail");
    eye.looks_at("email-pending");
    browser
        .opens(&at("recovery-codes"))
        .submits_to("Save your recovery codes");
    eye.looks_at("new-recovery-codes");
    browser
        .opens(&at("authenticators/add"))
        .types("[name=name]", "tablet")
        .clicks("summary");
    eye.looks_at("hardware-token");
    browser.submits_to("Add an authenticator");
    eye.looks_at("new-authenticator");
    for (page, heading) in [
        ("administration", "Administration"),
        ("administration?find=o", "Administration"),
        ("administration/account?name=bob", "bob"),
        ("administration/log?account=alice", "Events"),
        (
            "administration/act?account=bob&action=issue-code",
            "Issue a one-time code",
        ),
    ] {
        browser.opens(&at(page)).arrives_at(heading);
        eye.looks_at(&page.replace(['/', '?', '&', '='], "-"));
    }
    browser.submits_to("Issue a one-time code");
    eye.looks_at("administration-one-time-code");
    // The step-up has expired.
    host.clock.forward(1000);
    browser
        .opens(&at("turn-off"))
        .arrives_at("Turn the second factor off")
        .types("[name=password]", "x");
    browser
        .types("[name=code]", "000000")
        .submits_to("Turn the second factor off");
    eye.looks_at("turn-off-refused");

    browser
        .opens(&web.pages)
        .clicks_to("form[action$=sign-out] button", "Signed out");
    browser
        .opens(&at("sign-in"))
        .enters_password("bob", &bob.password)
        .arrives_at("Second factor required");
    eye.looks_at("setup-one-time-code");
    let code = Postern::one_time_code("bob");
    browser
        .types("[name=code]", &code)
        .clicks_to("button", "Set up your second factor");
    browser.clicks("summary");
    eye.looks_at("setup");
    let url = browser.runs("return document.querySelector('a[href^=\"otpauth:\"]').href");
    let phone = Phone::scans(url.as_str().expect("a link"));
    browser
        .types_the_last_digit(&phone.code())
        .arrives_at("Save your recovery codes");
    eye.looks_at("setup-recovery-codes");
    assert!(eye.seen.len() > 20, "{:?}", eye.seen);
}

/// The pages in German, as Accept-Language requests, with the site's branding.
#[test]
#[ignore = "needs the test host: tests/run"]
fn pages_speak_german_to_who_asks_for_it_and_wear_the_sites_name() {
    let host = Host::fresh();
    fs::write("/etc/postern/logo.svg", LOGO).expect("a logo can be written");
    let look = "[gate.branding]\nname = \"Beispiel & Söhne\"\nlogo_file = \"/etc/postern/logo.svg\"\ncolor = \"#7a1f5c\"\n";
    let web = Web::nginx(&host, look);
    let (alice, phone) = host.web_user("alice");
    let browser = Chromium::start();
    browser.asks_for_language("de-AT,de;q=0.9,en;q=0.5");
    let mut eye = Eye::of(&browser);
    browser.opens(APP).arrives_at("Anmelden");
    assert_eq!(browser.runs("return document.documentElement.lang"), "de");
    assert_eq!(browser.reads("header"), "Beispiel & Söhne");
    assert_eq!(
        browser.runs("return document.querySelector('header img').naturalWidth > 0"),
        true
    );
    let painted =
        browser.runs("return getComputedStyle(document.querySelector('button')).backgroundColor");
    assert_eq!(painted, "rgb(122, 31, 92)");
    eye.looks_at("de-sign-in");
    browser
        .types("[name=user]", "alice")
        .types("[name=password]", &alice.password)
        .clicks("form > button");
    browser.arrives_at("Bestätigungscode");
    eye.looks_at("de-code");
    browser
        .types_the_last_digit(&phone.wrong())
        .arrives_at("Bestätigungscode");
    assert_eq!(browser.reads("[role=alert]"), "Dieser Code ist falsch");
    browser
        .types_the_last_digit(&phone.code())
        .opens(&web.pages)
        .arrives_at("Ihr Konto");
    eye.looks_at("de-account");
    for (page, heading) in [
        ("authenticators/add", "Authenticator hinzufügen"),
        ("app-passwords", "App-Passwörter"),
        ("sign-ins", "Sitzungen und Browser"),
        ("password", "Passwort ändern"),
    ] {
        browser
            .opens(&format!("{}{page}", web.pages))
            .arrives_at(heading);
        eye.looks_at(&format!("de-{}", page.replace('/', "-")));
    }
}

/// The pages in French and Spanish. Their longest texts fit a phone's screen too.
#[test]
#[ignore = "needs the test host: tests/run"]
fn pages_speak_french_and_spanish() {
    let host = Host::fresh();
    let web = Web::nginx(&host, "");
    let french = ["Se connecter", "Code de vérification", "Votre compte"];
    let spanish = ["Iniciar sesión", "Código de verificación", "Su cuenta"];
    for (name, accepts, tag, [sign_in, code, account]) in [
        ("alice", "fr-CA,fr;q=0.9", "fr", french),
        ("bob", "es-MX,es;q=0.9", "es", spanish),
    ] {
        let (person, phone) = host.web_user(name);
        let browser = Chromium::start();
        browser.asks_for_language(accepts);
        let mut eye = Eye::of(&browser);
        browser.opens(APP).arrives_at(sign_in);
        assert_eq!(browser.runs("return document.documentElement.lang"), tag);
        eye.looks_at(&format!("{tag}-sign-in"));
        browser
            .types("[name=user]", name)
            .types("[name=password]", &person.password)
            .clicks("form > button");
        browser.arrives_at(code);
        eye.looks_at(&format!("{tag}-code"));
        browser
            .types_the_last_digit(&phone.code())
            .opens(&web.pages)
            .arrives_at(account);
        eye.looks_at(&format!("{tag}-account"));
        for page in [
            "authenticators/add",
            "app-passwords",
            "sign-ins",
            "password",
        ] {
            browser.opens(&format!("{}{page}", web.pages));
            eye.looks_at(&format!("{tag}-{}", page.replace('/', "-")));
        }
    }
}

const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"32\" height=\"32\" viewBox=\"0 0 32 32\">\
    <rect width=\"32\" height=\"32\" rx=\"6\" fill=\"#7a1f5c\"/><path d=\"M10 26V14a6 6 0 0 1 12 0v12z\" fill=\"#fff\"/></svg>\n";
