//! Several authenticators of an account, over ssh and on the web: apps, and TOTP and HOTP tokens,
//! which oathtool plays.

use std::fs;
use std::process::Command;
use testhost::{
    APP, Host, Phone, Postern, WebClient, assert_contains, assert_lacks, finished, set_mode,
};

const SEED: &str = "3132333435363738393031323334353637383930";
const SEED_FILE: &str = "/etc/postern/token.seed";

/// Writes the seed of a token to a file of root.
fn seed_arrives() {
    fs::write(SEED_FILE, SEED).expect("a file can be written");
    set_mode(SEED_FILE, 0o600);
}

/// Returns the token's code at a counter.
fn by_counter(counter: u64) -> String {
    let counter = format!("--counter={counter}");
    finished(Command::new("oathtool").args(["--hotp", &counter, SEED]))
        .trim()
        .to_owned()
}

/// Returns the current code of a token of 8 digits and 60 seconds with SHA-256.
fn by_time(host: &Host) -> String {
    let now = format!("--now=@{}", host.clock.now());
    let mut oathtool = Command::new("oathtool");
    oathtool.args([
        "--totp=sha256",
        "--digits=8",
        "--time-step-size=60s",
        &now,
        SEED,
    ]);
    finished(&mut oathtool).trim().to_owned()
}

/// An HOTP token and an app of the same account are both accepted, over ssh and on the web.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_token_by_counter_is_accepted_by_ssh_and_web_beside_the_app() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    seed_arrives();

    let add = format!("authenticator add alice --name token --seed-file {SEED_FILE} --counter 0");
    let output = Postern::call(&add)
        .input(&format!("000000\n{}\n", by_counter(2)))
        .does();
    assert_contains(&output.out, "That code is wrong");
    assert_contains(&output.out, "an additional authenticator");
    assert_lacks(&output.out, "Secret");
    assert_lacks(&output.out, "otpauth");
    Postern::call(&add).refuses();

    alice.with_key().is_refused(&by_counter(2), "used already");
    alice.with_key().enters_with(&by_counter(3));
    let client = WebClient::new();
    assert_eq!(client.password(&web, &alice).status, 303);
    let used = client.code(&web, &by_counter(3));
    assert!(
        used.status == 401 && used.body.contains("used already"),
        "{used:?}"
    );
    assert_eq!(client.code(&web, &by_counter(13)).status, 303);
    alice.with_key().enters_with(&phone.code());

    // The token's button was pressed in a pocket: two codes in a row synchronize the counter again.
    alice.with_key().is_refused(&by_counter(400), "wrong");
    host.clock.forward(120);
    alice
        .with_key()
        .enters_with(&format!("{} {}", by_counter(400), by_counter(401)));
    alice.with_key().enters_with(&by_counter(402));

    // The token is lost: its next code is refused, and the app's code is accepted.
    Postern::call("authenticator remove alice token").does();
    assert_eq!(
        client.loads(&format!("{APP}/")).status,
        302,
        "the session is over"
    );
    alice.with_key().is_refused(&by_counter(403), "wrong");
    alice.with_key().enters_with(&phone.code());
    let output = Postern::call("authenticator remove alice app").refuses();
    assert_contains(&output.err, "only authenticator");
    // The token is found and added again: its used codes stay refused.
    Postern::call(&format!("{add} --no-confirm")).does();
    alice
        .with_key()
        .is_refused(&by_counter(402), "used already");
    alice.with_key().enters_with(&by_counter(403));
    drop(web);
}

/// The first authenticator may be a token.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_token_of_eight_digits_is_the_only_authenticator() {
    let (host, web) = Host::with_web();
    let alice = host.person("alice");
    alice.has_a_password();
    let enroll =
        "enroll alice --name token --seed-file - --algorithm sha256 --digits 8 --period 60";
    let output = Postern::call(enroll)
        .input(&format!("{SEED}\n{}\nsaved\n", by_time(&host)))
        .does();
    assert_contains(&output.out, "Recovery codes:");
    assert_lacks(&output.out, SEED);

    alice.with_key().is_refused(&by_time(&host), "used already");
    host.clock.forward(60);
    alice.with_key().enters_with(&by_time(&host));
    host.clock.forward(60);
    let client = WebClient::new();
    assert_eq!(client.password(&web, &alice).status, 303);
    let page = client.loads(&web.page("code"));
    assert_contains(&page.body, "data-digits=\"8\"");
    assert_eq!(client.code(&web, &by_time(&host)).status, 303);

    let listed = Postern::json("authenticator list alice --json");
    assert_eq!(
        (
            &listed[0]["name"],
            &listed[0]["kind"],
            &listed[0]["digits"],
            &listed[0]["period"]
        ),
        (&"token".into(), &"totp".into(), &8.into(), &60.into())
    );
}

/// The old app works until the new one is confirmed. A cancelled setup changes nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_new_phone_takes_over_when_it_is_confirmed() {
    let host = Host::fresh();
    let (alice, old) = host.enrolled_user("alice");
    let cancelled = Postern::call("authenticator add alice --name new").refuses();
    assert_contains(&cancelled.err, "nothing was changed");
    alice.with_key().enters_with(&old.code());
    let output = Postern::json("authenticator add alice --name new --no-confirm --json");
    let new = Phone::scans(output["otpauth_url"].as_str().expect("an otpauth_url"));
    assert_eq!(output["recovery_codes"], serde_json::json!([]));
    alice.with_key().enters_with(&new.code());
    host.clock.forward(30);
    alice.with_key().enters_with(&old.code());
    Postern::call("authenticator remove alice app").does();
    host.clock.forward(30);
    alice.with_key().is_refused(&old.code(), "wrong");
    alice.with_key().enters_with(&new.code());
}

/// A person who lost the phone gets one sign-in from the administrator, over ssh or on the web.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_administrators_one_time_code_opens_once() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let issue = || Postern::one_time_code("alice");
    let first = issue();
    alice.with_key().enters_with(&first.to_lowercase());
    alice.with_key().is_refused(&first, "used already");
    host.journal.says("accepted cause=one-time-code");

    let second = issue();
    let client = WebClient::new();
    assert_eq!(client.password(&web, &alice).status, 303);
    assert_eq!(client.code(&web, &second).status, 303);
    let late = issue();
    host.clock.forward(48 * 3600);
    alice.with_key().is_refused(&late, "has expired");
    Postern::call("one-time-code alice").does();
    Postern::call("one-time-code alice --cancel").does();
    Postern::call("one-time-code alice --cancel").refuses();
    alice.with_key().enters_with(&phone.code());
}

/// The use of a recovery code ends every session and every trusted browser. A new set of codes
/// replaces the old one.
#[test]
#[ignore = "needs the test host: tests/run"]
fn recovery_ends_what_was_trusted() {
    let (host, web) = Host::with_web();
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    let lost = WebClient::new();
    lost.signs_in_and_trusts(&web, &alice, &phone.code());
    alice.with_key().enters_with(&recovery[0]);
    assert_eq!(lost.loads(&format!("{APP}/")).status, 302);
    assert_contains(lost.password(&web, &alice).header("location"), "/code?rd=");

    let output = Postern::call("recovery alice").input("saved\n").does();
    let new: Vec<&str> = output.out.lines().filter(|line| line.len() == 11).collect();
    assert_eq!(new.len(), 6, "{output:?}");
    alice.with_key().is_refused(&recovery[1], "wrong");
    alice.with_key().enters_with(new[0]);
    let unsaved = Postern::call("recovery alice").refuses();
    assert_contains(&unsaved.err, "nothing was changed");
    alice.with_key().enters_with(new[1]);
}
