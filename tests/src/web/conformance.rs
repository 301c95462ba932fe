//! The conformance suite against Postern behind a proxy: its target file with accounts, its echo
//! application, and the commands by which it stops the gate and sets the clock.

use crate::machine::clock::on_the_clock;
use crate::machine::files::checkout;
use crate::machine::host::Host;
use crate::postern::command::Postern;
use crate::process::processes::{Running, patiently};
use crate::user::phone::Phone;
use crate::web::setup::{PagesAt, Proxy, Web, log, on_test_ports};
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The rules that the target file names.
const RULES: &str = r#"
[[gate.rule]]
paths = ["/open"]
then = "open"
[[gate.rule]]
paths = ["/denied"]
then = "deny"
[[gate.rule]]
paths = ["/near"]
networks = ["127.0.0.9"]
then = "open"
[[gate.rule]]
paths = ["/cheap"]
then = "password"
"#;

const COMMANDS: &str = r#"
[commands]
stop_gate = "curl -fsS http://127.0.0.1:9099/stop"
start_gate = "curl -fsS http://127.0.0.1:9099/start"
restart_gate = "curl -fsS http://127.0.0.1:9099/restart"
hang_gate = "curl -fsS http://127.0.0.1:9099/hang"
resume_gate = "curl -fsS http://127.0.0.1:9099/resume"
advance = "curl -fsS http://127.0.0.1:9099/advance/{seconds}"
revoke_sessions = "postern session revoke {user} --all"
revoke_browsers = "postern browser revoke {user} --all"
use_code = "echo {code} | postern verify {user}"
add_app_password = "postern app-password add {user} conformance --scope web:app.example.test"
revoke_app_password = "postern app-password revoke {user} conformance"
"#;

/// Where a faulty proxy listens.
const FAULTY: &str = "127.0.0.1:9443";
/// Where the story waits for the commands above.
const CONTROL: &str = "127.0.0.1:9099";
const APPLICATION: &str = "127.0.0.1:8080";

const ACCOUNTS: [&str; 8] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi",
];

/// Postern behind a proxy, ready for the suite.
pub struct Conformance {
    host: Host,
    web: Web,
    target: PathBuf,
    _echo: Running,
}

/// How a run of the suite ended.
pub struct ConformanceRun {
    pub status: ExitStatus,
    /// Matrix, failures and skipped cases.
    pub output: String,
}

impl Conformance {
    /// Starts gate, proxy and echo application, and enrolls the accounts.
    #[track_caller]
    pub fn prepare(proxy: Proxy) -> Conformance {
        let host = Host::fresh();
        let mut web = Web::start(&host, proxy, PagesAt::OwnHost, RULES);
        web.stop_application();
        let mut echo = Command::new(conformance_program());
        echo.args(["echo", "--listen", APPLICATION]);
        let echo = Running::start(echo, "echo.log");
        patiently("the echo application listens", || {
            TcpStream::connect(APPLICATION).map(Some)
        });
        let name = format!("{proxy:?}").to_lowercase();
        let example = fs::read_to_string(checkout("tests/conformance/examples/postern.toml"))
            .expect("the example is in the checkout")
            .replace("name = \"nginx\"", &format!("name = \"{name}\""));
        let example = match proxy {
            Proxy::Nginx => {
                add_second_application(&mut web);
                example.replace("# other_url", "other_url")
            }
            _ => example,
        };
        let accounts: String = ACCOUNTS.iter().map(|name| account(name)).collect();
        let target = PathBuf::from(log(&format!("{name}.toml")));
        fs::write(&target, example + COMMANDS + &accounts).expect("the tests' folder");
        Conformance {
            host,
            web,
            target,
            _echo: echo,
        }
    }

    /// Runs the suite, and meanwhile does what its commands ask for.
    #[track_caller]
    pub fn run(&mut self, arguments: &[&str]) -> ConformanceRun {
        let target = self.target.clone();
        self.run_at(&target, arguments)
    }

    /// Runs the suite through a proxy with this fault.
    #[track_caller]
    pub fn run_with_fault(&mut self, fault: &str, arguments: &[&str]) -> ConformanceRun {
        let text = fs::read_to_string(&self.target).expect("the target file is written");
        let target = self.target.with_extension("faulty.toml");
        let (from, to) = (
            "address = \"127.0.0.1:8443\"",
            format!("address = \"{FAULTY}\""),
        );
        fs::write(&target, text.replace(from, &to)).expect("the tests' folder");
        let mut proxy = on_the_clock(Command::new(conformance_program()));
        proxy.args(["fault", fault]).arg(&self.target);
        proxy.args(["--listen", FAULTY, "--application", APPLICATION]);
        let pair = "/etc/ssl/private/app.example.test";
        proxy.args(["--certificate", &format!("{pair}.crt")]);
        proxy.args(["--key", &format!("{pair}.key")]);
        let mut proxy = Running::start(proxy, "fault.log");
        patiently("the faulty proxy listens", || {
            assert!(proxy.is_running(), "{}", proxy.output());
            TcpStream::connect(FAULTY).map(Some)
        });
        self.run_at(&target, arguments)
    }

    #[track_caller]
    fn run_at(&mut self, target: &Path, arguments: &[&str]) -> ConformanceRun {
        let output = log("conformance.log");
        let file = File::create(&output).expect("the tests' folder can be written");
        let mut suite = on_the_clock(Command::new(conformance_program()));
        suite.arg(target).args(arguments);
        let errors = file.try_clone().expect("a descriptor");
        let mut suite = suite
            .stdout(file)
            .stderr(errors)
            .spawn()
            .expect("tests/run builds the suite");
        let control = TcpListener::bind(CONTROL).expect("port 9099 is free");
        control.set_nonblocking(true).expect("a socket");
        let status = loop {
            if let Ok((stream, _)) = control.accept() {
                self.obey(stream);
            }
            if let Some(status) = suite.try_wait().expect("a child") {
                break status;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        let output = fs::read(&output).expect("the tests' folder");
        ConformanceRun {
            status,
            output: String::from_utf8_lossy(&output).into_owned(),
        }
    }

    /// Does what a request asks for, and answers once it is done.
    fn obey(&mut self, stream: TcpStream) {
        stream.set_nonblocking(false).expect("a socket");
        let mut line = String::new();
        let mut reader = BufReader::new(stream);
        reader.read_line(&mut line).expect("curl sends a request");
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let gate = &mut self.web.gate;
        match path.as_str() {
            "/stop" => drop(gate.stop()),
            "/start" => gate.restart(),
            "/restart" => {
                gate.stop();
                gate.restart();
            }
            "/hang" => gate.signal(Signal::SIGSTOP),
            "/resume" => gate.signal(Signal::SIGCONT),
            other => {
                let seconds = other.strip_prefix("/advance/").map(str::parse);
                let seconds = seconds.expect("a command of the target file");
                self.host.clock.forward(seconds.expect("seconds"));
            }
        }
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line).expect("curl sends a head");
        }
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        // curl may have given up.
        let _ = reader.get_mut().write_all(answer.as_bytes());
    }
}

/// Puts a second application behind nginx, as the sample says.
#[track_caller]
fn add_second_application(web: &mut Web) {
    let printed = Postern::call("print-config nginx --app other.example.test")
        .does()
        .out;
    let (_, server) = printed
        .split_once("# An application.")
        .expect("the sample has an application");
    let server = format!("# An application.{}", on_test_ports(server));
    web.change_nginx(|text| format!("{text}\n{server}"));
}

/// Adds an account to the store, and returns its table for the target file.
#[track_caller]
fn account(name: &str) -> String {
    let password = format!("the password of {name}");
    Postern::call(&format!("account add {name}")).does();
    let typed = format!("{password}\n");
    Postern::call(&format!("password {name}"))
        .input(&typed)
        .does();
    let output = Postern::json(&format!("enroll {name} --no-confirm --json"));
    let url = output["otpauth_url"].as_str().expect("an otpauth_url");
    let secret = Phone::scans(url).secret();
    format!("\n[[account]]\nuser = \"{name}\"\npassword = \"{password}\"\nsecret = \"{secret}\"\n")
}

/// Returns the program of the suite, as tests/run builds it.
pub fn conformance_program() -> PathBuf {
    target_folder().join("release/conformance")
}

/// Returns the file for the results behind a proxy, which outlives the story.
pub fn conformance_results(proxy: Proxy) -> PathBuf {
    let folder = target_folder().join("conformance");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder.join(format!("{proxy:?}.xml").to_lowercase())
}

fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout("target"), PathBuf::from)
}
