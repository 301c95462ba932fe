//! A real headless Chromium, controlled through chromedriver by the WebDriver protocol (W3C), which
//! is JSON over HTTP.

use crate::process::processes::{Running, patiently};
use crate::user::person::Person;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

const PORT: u16 = 9515;
/// Key of an element reference in JSON (WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Script that returns whether a click on an element loads another page.
const LOADS_A_PAGE: &str = "
    const hit = arguments[0].closest('a[href], button, input, summary');
    if (!hit || hit.matches('summary, [type=button], [type=reset]')) return false;
    if (hit.matches('a')) {
        const same = hit.href.split('#')[0] === location.href.split('#')[0] && hit.hash !== '';
        return hit.protocol.startsWith('http') && hit.target !== '_blank' && !hit.download && !same;
    }
    if (!hit.matches('button, [type=submit], [type=image]') || !hit.form || hit.disabled) return false;
    return hit.formNoValidate || hit.form.noValidate || hit.form.checkValidity();
";

/// A browser with an empty profile. It ends when this value is dropped.
pub struct Chromium {
    _driver: Running,
    session: String,
}

impl Chromium {
    #[track_caller]
    pub fn start() -> Chromium {
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={PORT}"));
        let running = Running::start(driver, "chromedriver.log");
        patiently("chromedriver listens", || {
            TcpStream::connect(("127.0.0.1", PORT)).map(Some)
        });
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--ignore-certificate-errors",
            "--window-size=1280,900",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": {"args": arguments},
        }}});
        let begun = call("POST", "/session", &wanted);
        let session = begun["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("no session: {begun}"))
            .to_owned();
        Chromium {
            _driver: running,
            session,
        }
    }

    #[track_caller]
    pub fn opens(&self, url: &str) -> &Chromium {
        self.does("url", &json!({"url": url}));
        self
    }

    /// Returns the address of the page shown.
    #[track_caller]
    pub fn url(&self) -> String {
        text(&self.says("url"))
    }

    /// Returns the heading of the page.
    #[track_caller]
    pub fn heading(&self) -> String {
        self.reads("h1")
    }

    /// Returns the text of an element.
    #[track_caller]
    pub fn reads(&self, selector: &str) -> String {
        let element = self.finds(selector);
        text(&self.says(&format!("element/{element}/text")))
    }

    /// Types into a field, and replaces its earlier text.
    #[track_caller]
    pub fn types(&self, selector: &str, words: &str) -> &Chromium {
        let element = self.finds(selector);
        self.does(&format!("element/{element}/clear"), &json!({}));
        self.does(&format!("element/{element}/value"), &json!({"text": words}));
        self
    }

    /// Clicks an element, and waits until the page has gone if the click loads another.
    /// chromedriver may return before the navigation begins, and the next page may have the same
    /// heading and the same fields.
    #[track_caller]
    pub fn clicks(&self, selector: &str) -> &Chromium {
        let element = self.finds(selector);
        let page = self.finds(":root");
        let arguments = json!([{ELEMENT: element}]);
        let loads = self.does(
            "execute/sync",
            &json!({"script": LOADS_A_PAGE, "args": arguments}),
        );
        self.does(&format!("element/{element}/click"), &json!({}));
        if loads == Value::Bool(true) {
            self.waits_until_gone(&page, &format!("the page is left by a click on {selector}"));
        }
        self
    }

    /// Clicks an element, and waits for a page with this heading.
    #[track_caller]
    pub fn clicks_to(&self, selector: &str, heading: &str) -> &Chromium {
        self.clicks(selector).arrives_at(heading)
    }

    /// Submits the form of the page, and waits for a page with this heading.
    #[track_caller]
    pub fn submits_to(&self, heading: &str) -> &Chromium {
        self.clicks_to("form > button", heading)
    }

    /// Types the password and a code that an act requires.
    #[track_caller]
    pub fn types_proof(&self, person: &Person, code: &str) -> &Chromium {
        self.types("[name=password]", &person.password)
            .types("[name=code]", code)
    }

    /// Waits for a page with this heading.
    #[track_caller]
    pub fn arrives_at(&self, heading: &str) -> &Chromium {
        patiently(&format!("the browser shows {heading:?}"), || {
            let found = self.look("h1").filter(|shown| shown == heading);
            Ok(found.map(|_| ()))
        });
        self
    }

    /// Signs in with name and password, beginning on the sign-in page.
    #[track_caller]
    pub fn enters_password(&self, name: &str, password: &str) -> &Chromium {
        self.arrives_at("Sign in")
            .types("[name=user]", name)
            .types("[name=password]", password)
            .clicks("button")
    }

    /// Types a code on the code page, which submits itself at the last digit.
    #[track_caller]
    pub fn enters_code(&self, code: &str) -> &Chromium {
        self.arrives_at("Verification code")
            .types_the_last_digit(code)
    }

    /// Types a code into a page that submits itself.
    #[track_caller]
    pub fn types_the_last_digit(&self, code: &str) -> &Chromium {
        let field = self.finds("[name=code]");
        self.types("[name=code]", code);
        self.waits_until_gone(&field, "the page has submitted itself");
        self
    }

    /// Types any other input on the code page.
    #[track_caller]
    pub fn enters_answer(&self, reply: &str) -> &Chromium {
        self.arrives_at("Verification code")
            .types("[name=code]", reply)
            .clicks("button")
    }

    /// Returns names and values of the cookies that scripts and forms of the page shown would send.
    #[track_caller]
    pub fn cookies(&self) -> Vec<(String, String)> {
        let cookies = self.says("cookie");
        let all = cookies.as_array().expect("a list of cookies");
        all.iter()
            .map(|cookie| (text(&cookie["name"]), text(&cookie["value"])))
            .collect()
    }

    /// Sets a cookie for the page shown.
    #[track_caller]
    pub fn sets_cookie(&self, name: &str, value: &str) {
        let cookie =
            json!({"name": name, "value": value, "path": "/", "secure": true, "httpOnly": true});
        self.does("cookie", &json!({"cookie": cookie}));
    }

    /// Returns the handle of the tab that is shown.
    #[track_caller]
    pub fn tab(&self) -> String {
        text(&self.says("window"))
    }

    /// Opens another tab, shows it, and returns its handle.
    #[track_caller]
    pub fn opens_a_tab(&self) -> String {
        let opened = self.does("window/new", &json!({"type": "tab"}));
        let tab = text(&opened["handle"]);
        self.shows_tab(&tab);
        tab
    }

    #[track_caller]
    pub fn shows_tab(&self, tab: &str) -> &Chromium {
        self.does("window", &json!({"handle": tab}));
        self
    }

    /// Runs a script in the page, and returns the script's result.
    #[track_caller]
    pub fn runs(&self, script: &str) -> Value {
        self.does("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Sends a command of the Chrome DevTools Protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.does(
            "goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// Emulates a screen of this size, with a light or dark colour scheme.
    #[track_caller]
    pub fn emulates_screen(&self, width: u32, height: u32, scheme: &str) -> &Chromium {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &media);
        self
    }

    /// Returns the whole page as a PNG, in Base64.
    #[track_caller]
    pub fn picture(&self) -> String {
        let picture = self.devtools(
            "Page.captureScreenshot",
            &json!({"captureBeyondViewport": true}),
        );
        text(&picture["data"])
    }

    /// Sets `Accept-Language` for all later requests.
    #[track_caller]
    pub fn asks_for_language(&self, accept: &str) {
        let agent = self.runs("return navigator.userAgent");
        let what = json!({"userAgent": agent, "acceptLanguage": accept});
        self.devtools("Emulation.setUserAgentOverride", &what);
    }

    /// Runs a script that calls its last argument when it is done, and returns what it passes
    /// there.
    #[track_caller]
    pub fn runs_and_waits(&self, script: &str) -> Value {
        self.does("execute/async", &json!({"script": script, "args": []}))
    }

    fn look(&self, selector: &str) -> Option<String> {
        let found = call(
            "POST",
            &self.at("element"),
            &json!({"using": "css selector", "value": selector}),
        );
        let element = found[ELEMENT].as_str()?;
        call(
            "GET",
            &self.at(&format!("element/{element}/text")),
            &Value::Null,
        )
        .as_str()
        .map(str::to_owned)
    }

    /// Waits until the page of an element is no longer the one shown.
    #[track_caller]
    fn waits_until_gone(&self, element: &str, what: &str) {
        patiently(what, || {
            let seen = call(
                "GET",
                &self.at(&format!("element/{element}/name")),
                &Value::Null,
            );
            Ok((!seen["error"].is_null()).then_some(()))
        });
    }

    #[track_caller]
    fn finds(&self, selector: &str) -> String {
        let found = self.does(
            "element",
            &json!({"using": "css selector", "value": selector}),
        );
        text(&found[ELEMENT])
    }

    #[track_caller]
    pub(super) fn does(&self, what: &str, parameters: &Value) -> Value {
        sound(what, call("POST", &self.at(what), parameters))
    }

    #[track_caller]
    pub(super) fn says(&self, what: &str) -> Value {
        sound(what, call("GET", &self.at(what), &Value::Null))
    }

    #[track_caller]
    pub(super) fn deletes(&self, what: &str) {
        sound(what, call("DELETE", &self.at(what), &Value::Null));
    }

    fn at(&self, what: &str) -> String {
        format!("/session/{}/{what}", self.session)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browser also ends when the driver ends.
        let _ = call(
            "DELETE",
            &format!("/session/{}", self.session),
            &Value::Null,
        );
    }
}

/// Saves a picture under cargo's target folder.
#[track_caller]
pub fn keep_picture(name: &str, base64: &str) {
    let bytes = data_encoding::BASE64
        .decode(base64.as_bytes())
        .expect("Base64");
    // This folder outlives the tests' copy of the host.
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let pictures = format!("{target}/pictures");
    std::fs::create_dir_all(&pictures).expect("the folder of builds can be written");
    std::fs::write(format!("{pictures}/{name}.png"), bytes)
        .expect("the folder of builds can be written");
}

#[track_caller]
fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

#[track_caller]
fn sound(what: &str, value: Value) -> Value {
    assert!(
        value["error"].is_null() || value["message"].is_null(),
        "{what}: {} {}",
        value["error"],
        value["message"]
    );
    value
}

/// Calls chromedriver, and returns the `value` of its reply.
fn call(method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let reply = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let (mut text, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        // The driver may leave the connection open: Content-Length says where the reply ends.
        loop {
            if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
                if text.len() >= end + 4 + length.unwrap_or(0) {
                    return Ok(String::from_utf8_lossy(&text[end + 4..]).into_owned());
                }
            }
            match stream.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => text.extend(&buffer[..count]),
            }
        }
    };
    let reply = reply().unwrap_or_else(|error| panic!("chromedriver: {method} {path}: {error}"));
    let value: Value =
        serde_json::from_str(&reply).unwrap_or_else(|_| panic!("chromedriver said {reply}"));
    value["value"].clone()
}
