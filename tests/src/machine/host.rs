//! A fresh host for each story: Postern installed, an empty store, the samples in place, sshd and
//! the system log running, the clock frozen.
//!
//! MUST NOT change a machine that is not thrown away: without POSTERN_TEST_HOST=1 every story ends
//! at once.

use crate::machine::clock::Clock;
use crate::machine::files::{CONFIG, STORE_FOLDER, WORK, checkout};
use crate::machine::journal::Journal;
use crate::pam::sshd::{Sshd, put};
use crate::postern::command::Postern;
use crate::postern::daemon::{Posternd, live_by_the_clock};
use crate::process::limit::Limit;
use crate::process::processes::{below, finished};
use crate::user::person::Person;
use crate::user::phone::Phone;
use crate::web::setup::Web;
use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

const SERVICES: &str = "/etc/pam.d";
const SUDOERS: &str = "/etc/sudoers.d/postern-tests";

/// The host of one story.
pub struct Host {
    sshd: Option<Sshd>,
    pub clock: Clock,
    pub journal: Journal,
    /// `None` where posternd does not run.
    pub posternd: Option<Posternd>,
    _limit: Limit,
}

static PREPARED: Once = Once::new();

thread_local! {
    /// Whether the story of this thread runs without posternd.
    static WITHOUT_POSTERND: Cell<bool> = const { Cell::new(false) };
}

/// Runs a story on hosts where no posternd listens: the module runs `posternd --stdio`.
pub fn without_posternd(story: impl FnOnce()) {
    // Each story has a thread of its own.
    WITHOUT_POSTERND.set(true);
    story();
    WITHOUT_POSTERND.set(false);
}

/// POSTERN_TEST_WITHOUT_POSTERND is set for a run of all PAM stories without posternd.
fn runs_without_posternd() -> bool {
    WITHOUT_POSTERND.get() || std::env::var_os("POSTERN_TEST_WITHOUT_POSTERND").is_some()
}

impl Host {
    /// Makes a host with an empty store. posternd runs there, unless the story runs without it.
    #[track_caller]
    pub fn fresh() -> Host {
        match runs_without_posternd() {
            true => Host::without_posternd(),
            false => Host::with_posternd("stories have it"),
        }
    }

    /// Makes a host with an empty store, nginx with a host for the gate's pages, and the gate.
    #[track_caller]
    pub fn with_web() -> (Host, Web) {
        let host = Host::fresh();
        let web = Web::nginx(&host, "");
        (host, web)
    }

    /// Makes a host with posternd, for a story that needs it; `why` is printed where stories run
    /// without posternd.
    #[track_caller]
    pub fn with_posternd(why: &str) -> Host {
        if runs_without_posternd() {
            println!("posternd runs all the same: {why}");
        }
        let mut host = Host::without_posternd();
        host.posternd = Some(Posternd::start());
        host
    }

    /// Makes a host where posternd neither runs nor listens.
    #[track_caller]
    pub fn without_posternd() -> Host {
        assert!(
            std::env::var_os("POSTERN_TEST_HOST").is_some_and(|value| value == "1"),
            "this story changes accounts, /etc and /var: run it with tests/run, on a throwaway copy of the host"
        );
        let limit = Limit::begin();
        PREPARED.call_once(prepare);
        remove("/etc/postern");
        remove(STORE_FOLDER);
        remove(SUDOERS);
        // Without the services of earlier stories.
        remove(SERVICES);
        copy_all(&format!("{WORK}/pam.d"), SERVICES);
        let clock = Clock::start();
        let journal = Journal::start();
        install();
        Postern::call("init").does();
        Sshd::configure();
        put_service("sudo");
        Host {
            sshd: Some(Sshd::start()),
            clock,
            journal,
            posternd: None,
            _limit: limit,
        }
    }

    /// Returns the running posternd. Panics if there is none.
    #[track_caller]
    pub fn posternd(&self) -> &Posternd {
        self.posternd.as_ref().expect("posternd runs")
    }

    /// Returns the running posternd, so that a story can end and restart it.
    #[track_caller]
    pub fn posternd_mut(&mut self) -> &mut Posternd {
        self.posternd.as_mut().expect("posternd runs")
    }

    /// Returns a person with an account, a password and a key.
    pub fn person(&self, name: &str) -> Person {
        Person::called(name)
    }

    /// Returns a person with an authenticator.
    #[track_caller]
    pub fn enrolled_user(&self, name: &str) -> (Person, Phone) {
        let person = self.person(name);
        let phone = person.enrols();
        (person, phone)
    }

    /// Returns a person with an authenticator and recovery codes.
    #[track_caller]
    pub fn enrolled_user_with_recovery_codes(&self, name: &str) -> (Person, Phone, Vec<String>) {
        let person = self.person(name);
        let (phone, recovery) = person.enrols_with_recovery_codes();
        (person, phone, recovery)
    }

    /// Returns a person with a password for the web and an authenticator.
    #[track_caller]
    pub fn web_user(&self, name: &str) -> (Person, Phone) {
        self.person(name).has_a_password();
        self.enrolled_user(name)
    }

    /// Returns a person with a password for the web, an authenticator and recovery codes.
    #[track_caller]
    pub fn web_user_with_recovery_codes(&self, name: &str) -> (Person, Phone, Vec<String>) {
        self.person(name).has_a_password();
        self.enrolled_user_with_recovery_codes(name)
    }

    /// Writes postern.toml, and checks with a command of root's that it is valid.
    #[track_caller]
    pub fn configure(&self, text: &str) {
        self.write_configuration(text);
        Postern::call("status").does();
    }

    /// Writes postern.toml, valid or invalid.
    #[track_caller]
    pub fn write_configuration(&self, text: &str) {
        fs::write(CONFIG, text).expect("postern.toml can be written");
    }

    /// Writes a PAM service file.
    #[track_caller]
    pub fn pam(&self, service: &str, text: &str) {
        fs::write(format!("{SERVICES}/{service}"), text).expect("a service file can be written");
    }

    /// Writes a PAM service file in which `pam_totp.so` with these options decides alone.
    #[track_caller]
    pub fn requires_totp(&self, service: &str, options: &str) {
        let auth = format!("auth required pam_totp.so {options}\n");
        self.pam(service, &(auth + "account required pam_totp.so\n"));
    }

    /// Installs the sample of a PAM service, unchanged.
    #[track_caller]
    pub fn sample(&self, service: &str) {
        put_service(service);
    }

    /// Adds sudo rules to those of the host.
    #[track_caller]
    pub fn sudoers(&self, text: &str) {
        fs::write(SUDOERS, format!("{text}\n")).expect("a drop-in can be written");
    }

    /// Returns the service file that the host's packages installed.
    #[track_caller]
    pub fn shipped(&self, service: &str) -> String {
        fs::read_to_string(format!("{WORK}/pam.d/{service}"))
            .expect("a package of the host brings it")
    }

    /// Ends sshd with every session, and starts it again.
    pub fn restart_sshd(&mut self) {
        self.sshd = None;
        self.sshd = Some(Sshd::start());
    }

    /// Replaces a text of the sample for sshd, and starts sshd again.
    #[track_caller]
    pub fn change_sshd(&mut self, from: &str, to: &str) {
        let path = "/etc/ssh/sshd_config.d/postern.conf";
        let text = fs::read_to_string(path).expect("the sample is in place");
        assert!(text.contains(from), "{path} has no {from:?}");
        fs::write(path, text.replace(from, to)).expect("a drop-in can be written");
        self.restart_sshd();
    }

    /// Installs one more sample for sshd, unchanged, and starts sshd again.
    #[track_caller]
    pub fn sshd_sample(&mut self, name: &str) {
        put(
            &format!("config/sshd_config.d/{name}"),
            &format!("/etc/ssh/sshd_config.d/{name}"),
        );
        self.restart_sshd();
    }

    /// Returns the processes that serve sign-ins and sessions now.
    pub fn sessions(&self) -> Vec<u32> {
        below(self.sshd())
    }

    /// Returns the sshd process that listens; 0 if there is none.
    pub fn sshd(&self) -> u32 {
        self.sshd.as_ref().map_or(0, Sshd::process)
    }
}

/// Prepares the machine once for all stories.
fn prepare() {
    fs::create_dir_all(WORK).expect("/run can be written");
    let key = fs::read_to_string("/etc/ssh/ssh_host_ed25519_key.pub")
        .expect("openssh-server is installed");
    fs::write(
        format!("{WORK}/known_hosts"),
        format!("[127.0.0.1]:{} {key}", crate::pam::sshd::PORT),
    )
    .expect("the tests' folder can be written");
    // After an earlier run these folders may hold files of its stories.
    if !Path::new(WORK).join("pam.d").exists() {
        copy_all(SERVICES, &format!("{WORK}/pam.d"));
    }
}

/// Copies the content of a folder over that of another.
fn copy_all(from: &str, to: &str) {
    fs::create_dir_all(to).expect("the host can be changed");
    finished(Command::new("cp").args(["-a", &format!("{from}/."), to]));
}

fn put_service(service: &str) {
    put(
        &format!("config/pam.d/{service}"),
        &format!("{SERVICES}/{service}"),
    );
}

/// Installs command, module and configuration with packaging/install.
fn install() {
    finished(Command::new(checkout("packaging/install")).current_dir(checkout("")));
    live_by_the_clock();
}

fn remove(path: &str) {
    if Path::new(path).exists() {
        finished(Command::new("rm").args(["-rf", "--one-file-system", path]));
    }
}
