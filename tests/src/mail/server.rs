//! Mail on the test host: a real mail server on loopback, with TLS by its own authority; a webhook;
//! and servers that hang.

use crate::machine::clock::on_the_clock;
use crate::machine::files::{WORK, checkout, give_to_daemons};
use crate::process::processes::{Running, finished, patiently};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The certificate of the mail server's authority, readable for everyone.
pub const MAIL_CA: &str = "/etc/ssl/mail-ca.crt";
/// File with the password that posternd sends to the mail server.
pub const MAIL_PASSWORD: &str = "/etc/postern/smtp.password";

const SECRET: &str = "the password of the gate";

/// A running mail server: ports 2525 (plain), 2587 (STARTTLS) and 2465 (TLS) of mail.example.test.
pub struct MailServer {
    _running: Running,
    folder: String,
}

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Head and body, preceded by how it arrived and its recipient.
    pub text: String,
}

/// What a mail contains.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MailKind {
    Code,
    Notification,
}

impl MailServer {
    /// Starts it with empty mailboxes.
    #[track_caller]
    pub fn start() -> MailServer {
        let folder = format!("{WORK}/mail");
        // Mail of the last story is removed.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the tests' folder can be written");
        certificates();
        fs::write(MAIL_PASSWORD, format!("{SECRET}\n")).expect("/etc can be written");
        give_to_daemons(MAIL_PASSWORD, 0o640);
        let mut server = Command::new("/usr/bin/python3");
        server.arg(checkout("tests/mail_server.py"));
        server.args([
            &folder,
            "/etc/ssl/private/mail.crt",
            "/etc/ssl/private/mail.key",
            "postern",
            SECRET,
        ]);
        let mut running = Running::start(server, "mail.log");
        patiently("the mail server listens", || {
            assert!(running.is_running(), "{}", running.output());
            Ok(running.output().contains("listens").then_some(()))
        });
        MailServer {
            _running: running,
            folder,
        }
    }

    /// Waits for a mail with a code, and removes it from the mailbox.
    #[track_caller]
    pub fn got(&self) -> Mail {
        patiently("a mail with a code arrives", || {
            Ok(self.arrived(MailKind::Code))
        })
    }

    /// Waits for a notification, and removes it from the mailbox.
    #[track_caller]
    pub fn told(&self) -> Mail {
        patiently("a notice arrives", || {
            Ok(self.arrived(MailKind::Notification))
        })
    }

    /// Panics if the mailbox holds a mail with a code.
    #[track_caller]
    pub fn got_nothing(&self) {
        let mail = self.arrived(MailKind::Code);
        assert!(mail.is_none(), "{mail:?}");
    }

    /// Removes and returns the oldest mail, with a code or without.
    fn arrived(&self, kind: MailKind) -> Option<Mail> {
        let files = fs::read_dir(&self.folder)
            .expect("the tests' folder")
            .flatten()
            .map(|file| file.path());
        let mut files: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|e| e == "eml"))
            .collect();
        files.sort();
        files.into_iter().find_map(|path| {
            let mail = Mail {
                text: fs::read_to_string(&path).expect("a mail is text"),
            };
            (mail.kind() == kind).then(|| {
                fs::remove_file(&path).expect("the tests' folder can be written");
                mail
            })
        })
    }
}

impl Mail {
    /// Returns the value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let mut values = head
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        values
            .next()
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// Returns the code. It must be on a line of its own in the body, and nowhere in the head.
    #[track_caller]
    pub fn code(&self) -> String {
        let code = self
            .find_code()
            .unwrap_or_else(|| panic!("no code in {self:?}"));
        let (head, _) = self.text.split_once("\r\n\r\n").expect("a body");
        assert!(!head.contains(code), "{self:?}");
        code.to_owned()
    }

    fn kind(&self) -> MailKind {
        match self.find_code() {
            Some(_) => MailKind::Code,
            None => MailKind::Notification,
        }
    }

    fn find_code(&self) -> Option<&str> {
        let (_, body) = self.text.split_once("\r\n\r\n")?;
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit());
        body.lines().map(str::trim).find(is_code)
    }
}

/// Makes an authority and the server's certificate, valid by the story's clock.
fn certificates() {
    let at = |name: &str| format!("/etc/ssl/private/{name}");
    if Path::new(MAIL_CA).exists() {
        return;
    }
    let hosts = fs::read_to_string("/etc/hosts").expect("there is an /etc/hosts");
    fs::write("/etc/hosts", hosts + "127.0.0.1 mail.example.test\n").expect("/etc can be written");
    let openssl = |words: &str| {
        let mut command = on_the_clock(Command::new("openssl"));
        finished(command.args(words.split(' ')));
    };
    let (ca_key, key, request, certificate, names) = (
        at("mail-ca.key"),
        at("mail.key"),
        at("mail.csr"),
        at("mail.crt"),
        at("mail.names"),
    );
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {new} -days 400 -subj /CN=mail-ca -addext basicConstraints=critical,CA:TRUE \
         -keyout {ca_key} -out {MAIL_CA}"
    ));
    openssl(&format!(
        "req {new} -subj /CN=mail.example.test -keyout {key} -out {request}"
    ));
    fs::write(&names, "subjectAltName=DNS:mail.example.test\n").expect("/etc can be written");
    openssl(&format!(
        "x509 -req -in {request} -CA {MAIL_CA} -CAkey {ca_key} -CAcreateserial -days 400 -extfile {names} \
         -out {certificate}"
    ));
}

/// A webhook on a port of loopback. It answers every request with the same status.
pub struct Webhook {
    arrived: Receiver<(String, String)>,
}

impl Webhook {
    #[track_caller]
    pub fn start(port: u16, status: &'static str) -> Webhook {
        Webhook::start_slow(port, status, |_| Duration::ZERO)
    }

    /// Starts a webhook that answers each request after the time that `delay` returns for its body.
    /// The request has arrived before that.
    #[track_caller]
    pub fn start_slow(
        port: u16,
        status: &'static str,
        delay: impl Fn(&str) -> Duration + Copy + Send + 'static,
    ) -> Webhook {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let (tell, arrived) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tell = tell.clone();
                std::thread::spawn(move || {
                    // A client that disconnects is not an error.
                    let Ok((mut stream, head, body)) = read_request(stream) else {
                        return;
                    };
                    let wait = delay(&body);
                    if tell.send((head, body)).is_err() {
                        return;
                    }
                    std::thread::sleep(wait);
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all(head.as_bytes());
                });
            }
        });
        Webhook { arrived }
    }

    /// Waits for a request, and returns its head and its body.
    #[track_caller]
    pub fn got(&self) -> (String, String) {
        self.arrived
            .recv_timeout(Duration::from_secs(30))
            .expect("the webhook is called")
    }
}

/// Reads the head and the body of a request.
fn read_request(stream: TcpStream) -> io::Result<(TcpStream, String, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        head.push_str(&line);
        line.clear();
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok((
        reader.into_inner(),
        head,
        String::from_utf8_lossy(&body).into_owned(),
    ))
}

/// Starts a server that accepts connections and never sends a byte.
#[track_caller]
pub fn hanging_server(port: u16) -> TcpListener {
    // The kernel completes connections that no process accepts.
    TcpListener::bind(("127.0.0.1", port)).expect("the port is free")
}
