//! A browser without scripts: curl with a cookie jar, which loads pages and sends forms as the
//! story orders.

use crate::user::person::Person;
use crate::web::gate::Reply;
use crate::web::setup::{APP, Web};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

static VISITORS: AtomicUsize = AtomicUsize::new(0);

/// The status if there was no response: the server ended the connection or the stream.
const CUT: u16 = 0;

/// A browser without scripts.
#[derive(Clone)]
pub struct WebClient {
    jar: String,
    from: String,
    /// Address of the server; that of the name if there is none.
    server: Option<String>,
    headers: Vec<String>,
    options: Vec<String>,
}

impl WebClient {
    /// Returns a browser with an empty cookie jar.
    #[allow(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> WebClient {
        let number = VISITORS.fetch_add(1, Ordering::SeqCst);
        let jar = crate::web::setup::log(&format!("client-{number}.cookies"));
        std::fs::write(&jar, "").expect("the tests' folder can be written");
        WebClient {
            jar,
            from: "127.0.0.1".to_owned(),
            server: None,
            headers: Vec::new(),
            options: Vec::new(),
        }
    }

    /// Sets the client's address.
    pub fn from(mut self, address: &str) -> WebClient {
        self.from = address.to_owned();
        self
    }

    /// Returns the same browser, with the server at this address whatever its name.
    pub fn to(&self, address: &str) -> WebClient {
        let mut other = self.clone();
        other.server = Some(address.to_owned());
        other
    }

    /// Returns the same browser with one more header.
    pub fn with(&self, header: &str) -> WebClient {
        let mut other = self.clone();
        other.headers.push(header.to_owned());
        other
    }

    /// Returns the same browser with an option of curl(1).
    pub fn option(&self, option: &str) -> WebClient {
        let mut other = self.clone();
        other.options.push(option.to_owned());
        other
    }

    /// Loads a page, as browsers do.
    #[track_caller]
    pub fn loads(&self, url: &str) -> Reply {
        self.curl(&[
            "-H",
            "Accept: text/html,*/*;q=0.8",
            "-H",
            "Sec-Fetch-Mode: navigate",
            url,
        ])
    }

    /// Requests data, as scripts do.
    #[track_caller]
    pub fn fetches(&self, url: &str) -> Reply {
        self.curl(&["-H", "Accept: */*", "-H", "Sec-Fetch-Mode: cors", url])
    }

    /// Sends a form, with the origin of its page.
    #[track_caller]
    pub fn sends(&self, url: &str, fields: &[(&str, &str)]) -> Reply {
        let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let mut arguments = Vec::new();
        if !self
            .headers
            .iter()
            .any(|header| header.starts_with("Origin:"))
        {
            arguments.extend(["-H".to_owned(), format!("Origin: {origin}")]);
        }
        for (name, value) in fields {
            arguments.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
        }
        if fields.is_empty() {
            arguments.extend(["--data".to_owned(), String::new()]);
        }
        arguments.push(url.to_owned());
        self.curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Calls the gate's API, with JSON or without a body.
    #[track_caller]
    pub fn calls(&self, method: &str, url: &str, body: &str) -> Reply {
        let mut arguments = vec!["-X", method, "-H", "Accept: application/json"];
        if !body.is_empty() {
            arguments.extend(["-H", "Content-Type: application/json", "--data-raw", body]);
        }
        arguments.push(url);
        self.curl(&arguments)
    }

    /// Follows the redirect of a response.
    #[track_caller]
    pub fn follows(&self, reply: &Reply) -> Reply {
        self.loads(reply.header("location"))
    }

    /// Sends a person's name and password, and returns the gate's response.
    #[track_caller]
    pub fn password(&self, web: &Web, person: &Person) -> Reply {
        self.sends_password(&web.pages, &person.name, &person.password)
    }

    /// Sends any name and password, and returns the gate's response.
    #[track_caller]
    pub fn sends_password(&self, pages: &str, name: &str, password: &str) -> Reply {
        let rd = format!("{APP}/");
        let fields = [
            ("rd", rd.as_str()),
            ("user", name),
            ("password", password),
            ("recovery", ""),
        ];
        self.sends(&format!("{pages}sign-in"), &fields)
    }

    /// Sends a code on the code page, and returns the gate's response.
    #[track_caller]
    pub fn code(&self, web: &Web, code: &str) -> Reply {
        self.sends_code(&web.pages, code, "")
    }

    /// Sends a code and the request to trust this browser, and returns the gate's response.
    #[track_caller]
    pub fn code_and_trust(&self, web: &Web, code: &str) -> Reply {
        self.sends_code(&web.pages, code, "yes")
    }

    #[track_caller]
    pub fn sends_code(&self, pages: &str, code: &str, trust: &str) -> Reply {
        self.sends(&format!("{pages}code"), &[("code", code), ("trust", trust)])
    }

    /// Signs in with password and code.
    #[track_caller]
    pub fn signs_in(&self, web: &Web, person: &Person, code: &str) -> Reply {
        self.password(web, person).expect_status(303);
        self.code(web, code).expect_status(303)
    }

    /// Signs in with password and code, and requests to trust this browser.
    #[track_caller]
    pub fn signs_in_and_trusts(&self, web: &Web, person: &Person, code: &str) -> Reply {
        self.password(web, person).expect_status(303);
        self.code_and_trust(web, code).expect_status(303)
    }

    /// Returns name and value of each cookie in the jar.
    pub fn cookies(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(&self.jar).unwrap_or_default();
        let fields = text
            .lines()
            .map(|line| line.strip_prefix("#HttpOnly_").unwrap_or(line));
        let fields = fields
            .filter(|line| !line.starts_with("# "))
            .map(|line| line.split('\t').collect::<Vec<_>>());
        fields
            .filter(|fields| fields.len() == 7)
            .map(|f| (f[5].to_owned(), f[6].to_owned()))
            .collect()
    }

    /// Returns the value of a cookie.
    #[track_caller]
    pub fn cookie(&self, name: &str) -> String {
        let cookies = self.cookies();
        let found = cookies.iter().find(|(key, _)| key == name);
        found
            .unwrap_or_else(|| panic!("no {name} among {cookies:?}"))
            .1
            .clone()
    }

    /// Returns a header line with a cookie of the jar.
    #[track_caller]
    pub fn cookie_header(&self, name: &str) -> String {
        format!("Cookie: {name}={}", self.cookie(name))
    }

    /// Returns a browser with a copy of the cookie jar, as a thief would have it.
    pub fn copy_of_cookies(&self) -> WebClient {
        let thief = WebClient::new();
        std::fs::copy(&self.jar, &thief.jar).expect("the tests' folder can be written");
        thief
    }

    /// Deletes cookies whose name contains a text.
    pub fn deletes_cookies(&self, words: &str) {
        let text = std::fs::read_to_string(&self.jar).unwrap_or_default();
        let kept: Vec<_> = text.lines().filter(|line| !line.contains(words)).collect();
        std::fs::write(&self.jar, kept.join("\n") + "\n")
            .expect("the tests' folder can be written");
    }

    /// Sends bytes to the proxy over TLS. `{cookies}` is replaced by the jar's cookies, and the
    /// bytes after `{answer}` are sent after the head of a response. Reads until a text has
    /// arrived, the connection ends, or nothing arrives for 10 s.
    #[track_caller]
    pub fn sends_raw(&self, to: &str, bytes: &str, until: &str) -> String {
        const SPEAK: &str = "import socket, ssl, sys
to, bytes, until = sys.argv[1], sys.argv[2].encode('latin-1'), sys.argv[3].encode('latin-1')
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
wire = context.wrap_socket(socket.create_connection((to, 8443), 10), server_hostname='app.example.test')
first, _, second = bytes.partition(b'{answer}')
wire.sendall(first)
got = b''
try:
    while second and b'\\r\\n\\r\\n' not in got and (more := wire.recv(65536)):
        got += more
    wire.sendall(second)
    while until not in got and (more := wire.recv(65536)):
        got += more
except TimeoutError:
    got += b'\\n(nothing more in time)'
sys.stdout.buffer.write(got)";
        let pairs = self
            .cookies()
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"));
        let bytes = bytes.replace("{cookies}", &pairs.collect::<Vec<_>>().join("; "));
        crate::process::processes::finished(
            Command::new("python3").args(["-c", SPEAK, to, &bytes, until]),
        )
    }

    #[track_caller]
    fn curl(&self, arguments: &[&str]) -> Reply {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "-i",
            "-k",
            "--path-as-is",
            "--globoff",
            "-m",
            "40",
            "--interface",
            &self.from,
        ]);
        curl.args(["-b", &self.jar, "-c", &self.jar]);
        if let Some(server) = &self.server {
            curl.args(["--connect-to", &format!("::{server}:")]);
        }
        for header in &self.headers {
            curl.args(["-H", header]);
        }
        curl.args(&self.options).args(arguments);
        let output = curl.output().expect("curl runs; tests/run installs it");
        // There is no response, or it is incomplete.
        if output
            .status
            .code()
            .is_some_and(|code| [18, 35, 52, 55, 56, 92].contains(&code))
        {
            return Reply {
                status: CUT,
                headers: Vec::new(),
                body: String::new(),
            };
        }
        assert!(
            output.status.success(),
            "{curl:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        Reply {
            status: status.unwrap_or_else(|| panic!("no answer: {text}")),
            headers: headers
                .map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }
}
