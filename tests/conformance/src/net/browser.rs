//! A browser without scripts: it keeps cookies, loads pages, fetches data and sends forms.

use crate::net::jar::Jar;
use crate::net::reply::Reply;
use crate::net::url::Url;
use crate::net::wire::Dialer;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Header lines of a page load.
pub(crate) const NAVIGATE: &str =
    "Accept: text/html,*/*;q=0.8\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
/// Header lines of a request by a script.
pub(crate) const FETCH: &str = "Accept: */*\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";

#[derive(Clone, Debug)]
pub(crate) struct Browser {
    dialer: Dialer,
    pub(crate) jar: Jar,
    /// Address of this machine from which it connects.
    pub(crate) from: Option<IpAddr>,
}

impl Browser {
    /// Returns a browser without cookies.
    pub(crate) fn new(dialer: Dialer) -> Browser {
        Browser {
            dialer,
            jar: Jar::default(),
            from: None,
        }
    }

    pub(crate) fn from(mut self, address: Option<IpAddr>) -> Browser {
        self.from = address;
        self
    }

    /// Sets the longest wait for a response.
    pub(crate) fn waiting(mut self, longest: Duration) -> Browser {
        self.dialer.patience = longest;
        self
    }

    /// Loads a page as a browser does.
    pub(crate) fn load(&mut self, url: &Url) -> io::Result<Reply> {
        self.request("GET", url, NAVIGATE, b"")
    }

    /// Requests data as a script does.
    pub(crate) fn fetch(&mut self, url: &Url) -> io::Result<Reply> {
        self.request("GET", url, FETCH, b"")
    }

    /// Sends a form, with the origin of its page.
    pub(crate) fn send_form(&mut self, url: &Url, fields: &[(&str, &str)]) -> io::Result<Reply> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let lines = format!(
            "Origin: https://{}\r\nContent-Type: application/x-www-form-urlencoded\r\n",
            url.authority()
        );
        self.request("POST", url, &lines, body.as_bytes())
    }

    /// Sends a request with the jar's cookies and these header lines, each with its line end.
    pub(crate) fn request(
        &mut self,
        method: &str,
        url: &Url,
        lines: &str,
        body: &[u8],
    ) -> io::Result<Reply> {
        let lines = format!("{}{lines}", self.cookie_line(url));
        self.request_without_jar(method, url, &lines, body)
    }

    /// Sends a request with exactly these header lines beside Host, Connection and the length.
    pub(crate) fn request_without_jar(
        &mut self,
        method: &str,
        url: &Url,
        lines: &str,
        body: &[u8],
    ) -> io::Result<Reply> {
        let mut head = format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\n{lines}",
            url.target,
            url.authority()
        );
        if !lines.to_ascii_lowercase().contains("connection:") {
            head.push_str("Connection: close\r\n");
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = to_latin_1(&head);
        bytes.extend(body);
        let reply = self.exchange(url, method, &bytes)?;
        self.jar.keep(url, &reply);
        Ok(reply)
    }

    /// Sends a head as it is, but for the empty line at its end, and reads the response.
    pub(crate) fn send_head(&self, url: &Url, method: &str, head: &str) -> io::Result<Reply> {
        self.exchange(url, method, &to_latin_1(&format!("{head}\r\n")))
    }

    /// Sends bytes as they are to the host of a URL, and reads the response.
    pub(crate) fn exchange(&self, url: &Url, method: &str, bytes: &[u8]) -> io::Result<Reply> {
        let mut wire = self.dialer.open(url, self.from)?;
        // A server may answer, and close, before it has read everything.
        let sent = wire.send(bytes);
        wire.read_reply(method)
            .or_else(|error| sent.and(Err(error)))
    }

    /// Opens a connection to the host of a URL.
    pub(crate) fn open(&self, url: &Url) -> io::Result<crate::net::wire::Wire> {
        self.dialer.open(url, self.from)
    }

    /// Returns the Cookie line for a URL, with its line end; empty without cookies.
    pub(crate) fn cookie_line(&self, url: &Url) -> String {
        match self.jar.header(url) {
            cookies if cookies.is_empty() => cookies,
            cookies => format!("Cookie: {cookies}\r\n"),
        }
    }
}

/// Writes the characters U+0000 to U+00FF as bytes, and all others as UTF-8.
pub(crate) fn to_latin_1(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for c in text.chars() {
        match u8::try_from(u32::from(c)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(c.to_string().as_bytes()),
        }
    }
    bytes
}
