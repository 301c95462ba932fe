//! The blocks of the pages. Each is generated, or is a valid configuration, or has only commands that
//! are checked here; any other is in the list below, which names the test that runs it. A block that is
//! in none of these classes is an error.

use super::command_lines::{parse, split, without_runner};
use super::generated::checkout;
use super::test_names::names_of_tests;
use super::{Page, pages};
use postern_shared::config::Config;

/// How a block that is not checked here is known to be right.
#[derive(Clone, Copy, Debug)]
enum Evidence {
    /// This test reads the page, and does what it says to the letter.
    Followed(&'static str),
    /// This test does the same, with names and paths of its own.
    Alike(&'static str),
    /// It is no command: a picture, or what a program prints.
    Shown,
    /// No test runs it, for this reason.
    NotRun(&'static str),
}

use Evidence::{Alike, Followed, NotRun, Shown};

const HOUR: Evidence = Followed("on_debian_12");
const PACKAGES: Evidence = Followed("packages_on_debian_12");
const FLEET: Evidence = Followed("several_hosts_with_one_store");
const NO_ENGINE: Evidence = NotRun("no container engine runs in the tests");
const SELINUX: Evidence = Alike("the_policy_module_compiles");
const APPARMOR: Evidence = Alike("people_sign_in_under_enforced_profiles");

/// The page, the beginning of the first line of the block, and the evidence.
const LISTED: &[(&str, &str, Evidence)] = &[
    ("README.md", "sshd  sudo", Shown),
    (
        "README.md",
        "packaging/try",
        NotRun("tests/run has a step for it: the demonstration"),
    ),
    ("README.md", "cargo build", HOUR),
    ("README.md", "sudo groupadd", HOUR),
    ("README.md", "sudo cp /etc/pam.d/sshd", HOUR),
    ("README.md", "sudo sshd -t", HOUR),
    ("README.md", "sudo postern print-config", HOUR),
    ("README.md", "sudo nginx -t", HOUR),
    (
        "CONTRIBUTING.md",
        "cargo build",
        NotRun("tests/run begins with it"),
    ),
    ("CONTRIBUTING.md", "tests/run", NotRun("it runs the tests")),
    ("CONTRIBUTING.md", "gate: reject", Shown),
    (
        "CONTRIBUTING.md",
        "git config",
        NotRun("a setting of the checkout of a developer"),
    ),
    ("ARCHITECTURE.md", "sshd, sudo", Shown),
    (
        "pam_totp/BESIDE.md",
        "tests/beside",
        Alike("beside_the_other_modules_ours_has_no_fault_and_is_as_the_page_says"),
    ),
    (
        "docs/guides/backup-and-upgrade.md",
        "sudo postern backup --replace",
        Followed("a_lost_host_is_restored_as_the_page_says"),
    ),
    (
        "docs/guides/backup-and-upgrade.md",
        "sudo install -o root",
        Followed("a_lost_host_is_restored_as_the_page_says"),
    ),
    ("docs/guides/backup-and-upgrade.md", "cargo build", HOUR),
    (
        "docs/guides/confinement.md",
        "sudo cp -r packaging/apparmor",
        APPARMOR,
    ),
    (
        "docs/guides/confinement.md",
        "sudo journalctl --dmesg",
        NotRun("no test has a kernel log of AppArmor"),
    ),
    (
        "docs/guides/confinement.md",
        "echo '/etc/letsencrypt",
        Followed("apparmor_understands_the_profiles"),
    ),
    ("docs/guides/confinement.md", "sudo aa-enforce", APPARMOR),
    ("docs/guides/confinement.md", "make -f", SELINUX),
    (
        "docs/guides/confinement.md",
        "policy_module",
        Followed("the_policy_module_compiles"),
    ),
    (
        "docs/guides/containers.md",
        "sudo packaging/container/build",
        Alike("the_image_runs_as_a_user_and_has_a_health_check_and_no_shell"),
    ),
    (
        "docs/guides/containers.md",
        "cp CHECKOUT",
        Alike("the_programs_of_the_image_serve_on_a_read_only_root"),
    ),
    ("docs/guides/containers.md", "docker compose up", NO_ENGINE),
    ("docs/guides/many-hosts.md", "sudo -u postgres", FLEET),
    ("docs/guides/many-hosts.md", "hostssl", FLEET),
    ("docs/guides/many-hosts.md", "sudo install -o root", FLEET),
    ("docs/guides/many-hosts.md", "sshd, sudo", Shown),
    (
        "docs/guides/many-hosts.md",
        "defaults",
        Followed("sessions_go_on_when_one_of_two_gates_behind_the_balancer_stops"),
    ),
    (
        "docs/guides/many-hosts.md",
        "server {",
        Alike("sessions_go_on_when_one_of_two_gates_behind_the_balancer_stops"),
    ),
    (
        "docs/guides/many-hosts.md",
        "ansible-playbook",
        Alike("one_run_has_two_hosts_join_and_the_second_changes_nothing"),
    ),
    (
        "docs/guides/monitoring.md",
        "sudo systemctl restart postern-gate",
        Alike("metrics_count_what_happened_and_name_no_user"),
    ),
    (
        "docs/guides/monitoring.md",
        "sudo cp docs/monitoring/alerts.yml",
        Followed("promtool_accepts_the_alerts_and_their_tests_pass"),
    ),
    (
        "docs/guides/monitoring.md",
        "*/5 * * * * root postern status --metrics",
        Followed("the_metrics_of_a_host_are_read_by_prometheus"),
    ),
    (
        "docs/guides/monitoring.md",
        "sudo cp docs/monitoring/host-alerts.yml",
        Followed("promtool_accepts_the_alerts_and_their_tests_pass"),
    ),
    (
        "docs/guides/monitoring.md",
        "# /etc/prometheus",
        NotRun("no Prometheus runs in the tests"),
    ),
    (
        "docs/guides/moving.md",
        "grep -r",
        Alike("a_person_moves_from_google_authenticator_without_a_new_qr"),
    ),
    (
        "docs/guides/moving.md",
        "otpauth://",
        Followed("the_line_that_the_page_shows_for_tinyauth_is_imported"),
    ),
    ("docs/guides/packages.md", "packaging/build-deb", PACKAGES),
    (
        "docs/guides/packages.md",
        "packaging/apt-repository",
        PACKAGES,
    ),
    ("docs/guides/packages.md", "sudo install", PACKAGES),
    ("docs/guides/packages.md", "sudo apt-get", PACKAGES),
    (
        "docs/guides/robots.md",
        "sudo cp config/sshd_config.d",
        Alike("the_exceptions_let_root_and_programs_in_by_key_and_no_other_user"),
    ),
    (
        "docs/guides/sudo-and-console.md",
        "auth       requisite",
        Alike("password_then_code"),
    ),
    (
        "docs/guides/uninstall.md",
        "sudo rm /etc/pam.d/sshd",
        Alike("packages_on_debian_12"),
    ),
    (
        "docs/guides/uninstall.md",
        "sudo packaging/uninstall",
        Followed("what_was_installed_is_removed_and_enrollments_are_kept"),
    ),
    (
        "docs/proxies/apache.md",
        "sudo usermod",
        Alike("a_day_behind_apache_on_a_path"),
    ),
    (
        "docs/proxies/caddy.md",
        "sudo usermod",
        Alike("it_finds_the_mistakes_in_caddy"),
    ),
    (
        "docs/proxies/envoy.md",
        "sudo mkdir",
        Alike("it_finds_the_mistakes_in_envoy"),
    ),
    (
        "docs/proxies/gateway-api.md",
        "sudo postern print-config",
        Alike("the_manifests_of_the_gateway_api_name_the_headers_of_envoys_sample"),
    ),
    (
        "docs/proxies/haproxy.md",
        "sudo postern print-config",
        Alike("it_finds_the_mistakes_in_haproxy"),
    ),
    (
        "docs/proxies/ingress-nginx.md",
        "sudo postern print-config",
        Alike("the_annotations_of_ingress_nginx_ask_as_nginx_does"),
    ),
    (
        "docs/proxies/nginx-proxy-manager.md",
        "sudo postern print-config",
        Followed("the_files_of_nginx_proxy_manager_are_where_its_page_puts_them"),
    ),
    (
        "docs/proxies/nginx.md",
        "sudo usermod",
        Alike("a_day_behind_nginx"),
    ),
    (
        "docs/proxies/traefik-labels.md",
        "sudo mkdir",
        Alike("a_proxy_in_a_container_protects_as_one_on_the_host"),
    ),
    (
        "docs/proxies/traefik.md",
        "sudo postern print-config",
        Alike("a_day_behind_traefik"),
    ),
    (
        "docs/hosts/sshd.md",
        "PubkeyAuthOptions",
        Alike("a_security_key_that_has_verified_its_user_is_the_second_factor"),
    ),
    (
        "docs/hosts/sudo.md",
        "sudo apt-get install libpam-u2f",
        NotRun("a key at USB makes its line"),
    ),
    (
        "docs/hosts/sudo.md",
        "auth       requisite",
        Followed("beside_pam_u2f_a_code_is_asked_for_where_no_key_is"),
    ),
];

/// Services of others that commands of the pages control.
const OTHER_UNITS: [&str; 10] = [
    "apache2",
    "apparmor",
    "caddy",
    "envoy",
    "fail2ban",
    "haproxy",
    "nginx",
    "prometheus",
    "ssh",
    "traefik",
];

/// A block, without its fences.
struct Block<'a> {
    language: &'a str,
    lines: Vec<&'a str>,
    is_generated: bool,
}

fn blocks(page: &Page) -> Vec<Block<'_>> {
    let (mut found, mut open, mut is_generated) = (Vec::new(), None::<Block>, false);
    for line in page.text.lines() {
        let trimmed = line.trim();
        match (trimmed.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                let lines = Vec::new();
                open = Some(Block {
                    language,
                    lines,
                    is_generated,
                });
            }
            (Some(_), Some(block)) => found.push(block),
            (None, Some(mut block)) => {
                block.lines.push(trimmed);
                open = Some(block);
            }
            (None, None) if trimmed.starts_with("<!-- generated:") => is_generated = true,
            (None, None) if trimmed == "<!-- end -->" => is_generated = false,
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block does not end", page.name);
    found
}

fn listed(page: &str, block: &Block) -> Option<Evidence> {
    let first = block.lines.first()?;
    let entry = LISTED
        .iter()
        .find(|(name, start, _)| *name == page && first.starts_with(start));
    entry.map(|(_, _, evidence)| *evidence)
}

fn is_unit(name: &str) -> bool {
    let ours = checkout("packaging/systemd");
    OTHER_UNITS.contains(&name)
        || ours.join(name).exists()
        || ours.join(format!("{name}.service")).exists()
        || name == "postern-mail@*"
}

/// Whether a simple command is one that is checked here: postern's own, units that exist, and files of
/// the checkout, whose existence another test checks.
fn is_checked(words: &[String], place: &str) -> bool {
    let plain: Vec<&str> = words[1..]
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-') && !word.starts_with('>'))
        .collect();
    match words[0].as_str() {
        "postern" => parse(words, place),
        "systemctl" | "systemd-analyze" => {
            plain.len() > 1 && plain[1..].iter().all(|unit| is_unit(unit))
        }
        "journalctl" => words
            .windows(2)
            .filter(|pair| pair[0] == "--unit")
            .all(|pair| is_unit(&pair[1])),
        "cp" => plain
            .iter()
            .rev()
            .skip(1)
            .all(|source| source.starts_with("config/")),
        "sshd" | "tee" | "logger" => true,
        _ => false,
    }
}

/// Returns what is wrong with a page.
fn faults(page: &Page) -> Vec<String> {
    let mut faults = Vec::new();
    for block in blocks(page) {
        let first = block.lines.first().copied().unwrap_or_default();
        let place = format!("{}: {first}", page.name);
        if block.is_generated {
            continue;
        }
        if block.language == "toml" {
            if let Err(error) = toml::from_str::<Config>(&block.lines.join("\n")) {
                faults.push(format!("{place}: {error}"));
            }
            continue;
        }
        let evidence = listed(&page.name, &block);
        if evidence.is_none() && !block.language.is_empty() {
            faults.push(format!(
                "{place}: a block of {} in no class",
                block.language
            ));
        }
        for line in block.lines {
            // a line of cron names the user before the command
            let line = line
                .split_once("* * * root ")
                .map_or(line, |(_, command)| command);
            for words in split(line) {
                let words = without_runner(words);
                if !is_checked(&words, &place) && evidence.is_none() {
                    faults.push(format!("{place}: nothing checks {}", words.join(" ")));
                }
            }
        }
    }
    faults
}

#[test]
fn every_block_of_the_pages_is_generated_checked_or_run_by_a_test() {
    let mut pages = pages();
    // the target file of that suite is not Postern's
    pages.retain(|page| page.name != "tests/conformance/README.md");
    let count: usize = pages.iter().map(|page| blocks(page).len()).sum();
    assert!(count > 150, "{count}");
    let found: Vec<String> = pages.iter().flat_map(faults).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_list_of_blocks_names_tests_and_blocks_that_exist() {
    let (tests, pages) = (names_of_tests(), pages());
    for (name, start, evidence) in LISTED {
        let page = pages.iter().find(|page| page.name == *name).expect(name);
        let is_there = |block: &Block| {
            block
                .lines
                .first()
                .is_some_and(|line| line.starts_with(start))
        };
        assert!(blocks(page).iter().any(is_there), "{name}: {start}");
        match evidence {
            Followed(test) | Alike(test) => assert!(tests.contains(*test), "{test}"),
            Shown => {}
            NotRun(reason) => assert!(reason.len() > 10, "{reason}"),
        }
    }
}

#[test]
fn a_block_in_no_class_is_found() {
    for (text, fault) in [
        ("```\nrm -r /\n```", "nothing checks rm"),
        (
            "```\nsudo systemctl restart posternd postfix\n```",
            "nothing checks systemctl",
        ),
        ("```\nsudo postern check | sh\n```", "nothing checks sh"),
        ("```nginx\nserver {}\n```", "in no class"),
        (
            "```toml\n[gate]\nurl = \"http://auth.example.com/\"\n```",
            "https",
        ),
        ("```toml\n[gate]\nno_key = 1\n```", "no_key"),
    ] {
        let page = Page {
            name: "new.md".to_owned(),
            path: checkout("new.md"),
            text: text.to_owned(),
        };
        let found = faults(&page);
        assert!(
            !found.is_empty() && found[0].contains(fault),
            "{text}: {found:?}"
        );
    }
}
