//! New keys while people sign in, after a crash, and after a compromise.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};
use testhost::{
    APP, Host, KEY, Person, Phone, Postern, STORE, Store, Terminal, Web, WebClient,
    assert_contains, assert_lacks, give_to_daemons, killed_at, killed_at_store_or_key, wait_until,
    was_killed,
};

const BROWSER: &str = "__Host-postern-browser";

/// Returns the number of master keys in the key file.
#[track_caller]
fn master_keys() -> usize {
    let text = fs::read_to_string(KEY).expect("the key file");
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// Starts the web, and signs a person in with a trusted browser.
#[track_caller]
fn signed_in(host: &Host) -> (Web, WebClient, Person, Phone, Vec<String>) {
    let web = Web::nginx(host, "");
    let (alice, phone, recovery) = host.web_user_with_recovery_codes("alice");
    let client = WebClient::new();
    client.signs_in_and_trusts(&web, &alice, &phone.code());
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    (web, client, alice, phone, recovery)
}

/// The sessions wait at the prompt, so that all of them open the store while keys are rotated.
#[test]
#[ignore = "needs the test host: tests/run"]
fn twenty_people_enter_again_and_again_while_keys_are_rotated() {
    let host = Host::fresh();
    let people: Vec<Person> = (0..20)
        .map(|number| host.person(&format!("person{number}")))
        .collect();
    let phones: Vec<Phone> = people.iter().map(Person::enrols).collect();
    let rotations = AtomicUsize::new(0);
    for _ in 0..4 {
        host.clock.forward(30);
        let held: Vec<Terminal> = people
            .iter()
            .map(|person| person.with_key().up_to_the_code())
            .collect();
        let (inside, before) = (AtomicUsize::new(0), rotations.load(Ordering::SeqCst));
        thread::scope(|scope| {
            for (number, (mut terminal, phone)) in held.into_iter().zip(&phones).enumerate() {
                let (inside, rotations) = (&inside, &rotations);
                scope.spawn(move || {
                    // A few sessions continue at each rotation, so that every rotation meets some
                    // of them.
                    wait_until("the next rotation begins", || {
                        Ok(rotations.load(Ordering::SeqCst) - before >= number / 5)
                    });
                    terminal.types(&phone.code()).expect("entered as person");
                    inside.fetch_add(1, Ordering::SeqCst);
                });
            }
            let began = Instant::now();
            while inside.load(Ordering::SeqCst) < people.len() {
                assert!(
                    began.elapsed() < Duration::from_secs(300),
                    "somebody never enters"
                );
                Postern::call("key rotate").does();
                rotations.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let rotations = rotations.into_inner();
    assert!(rotations >= 8, "{rotations}");
    assert_eq!(
        (
            master_keys(),
            Store::open().number("SELECT count(*) FROM data_key")
        ),
        (1, 9)
    );
    Store::open().is_sound();
}

/// Everything that was issued stays valid, at a gate that did not stop.
#[test]
#[ignore = "needs the test host: tests/run"]
fn recovery_codes_browser_session_and_password_survive_a_rotation() {
    let host = Host::fresh();
    let (web, client, alice, phone, recovery) = signed_in(&host);
    let sealed = Store::open().bytes("SELECT sealed FROM secret");
    let key = fs::read(KEY).expect("the key file");
    for _ in 0..2 {
        let output = Postern::call("key rotate").does();
        assert_contains(&output.out, "back up the key file and the store again");
    }
    assert!(fs::read(KEY).expect("the key file") != key && !Store::holds(&sealed));
    assert_eq!(
        fs::metadata(KEY)
            .expect("the key file")
            .permissions()
            .mode()
            & 0o777,
        0o640
    );

    assert_eq!(client.loads(&format!("{APP}/")).status, 200, "the session");
    let again = client.password(&web, &alice);
    assert_eq!(again.status, 303, "{again:?}");
    assert!(
        !again.header("location").contains("/code"),
        "the trusted browser: {again:?}"
    );
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    alice.with_key().enters_with(&recovery[0]);
    host.clock.forward(30);
    WebClient::new().signs_in(&web, &alice, &phone.code());
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    web.gate.says("accepted");
    assert_lacks(web.gate.log(), "unavailable");
    assert_contains(&Postern::call("log").does().out, "keys-rotated");
}

/// The attack: a thief of the disk searches for a disabled secret. The gate keeps the store open
/// meanwhile, and another secret stays.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_disabled_secret_is_gone_from_the_bytes_also_after_a_rotation() {
    let host = Host::fresh();
    let (_web, _, alice, phone, _) = signed_in(&host);
    host.person("bob").enrols();
    let sealed = || Store::open().bytes("SELECT sealed FROM secret WHERE authenticator = 1");
    let first = sealed();
    Postern::call("key rotate").does();
    let second = sealed();
    assert!(first != second && !Store::holds(&first) && Store::holds(&second));
    let bobs = Store::open().bytes("SELECT sealed FROM secret WHERE authenticator = 2");

    Postern::call("disable alice").does();
    assert!(!Store::holds(&second) && !Store::holds(&first) && Store::holds(&bobs));
    let plain = data_encoding::HEXUPPER
        .decode(phone.secret_in_hex().as_bytes())
        .expect("hexadecimal digits");
    assert!(!Store::holds(&plain));
    alice.with_key().enters();
}

/// Kills a rotation at its first write, at its second, and so on. After each everyone signs in, and
/// the next rotation completes.
#[track_caller]
fn killed_at_every_write(host: &Host, call: &str) -> u32 {
    let people = ["alice", "bob", "carol"].map(|name| host.person(name));
    let phones = people.each_ref().map(Person::enrols);
    // Two processes write: one has the store open, and the other one writes the key file. Each is
    // killed at its own writes.
    let of_key = killed_at_each(host, call, &people, &phones, killed_at_store_or_key);
    of_key.max(killed_at_each(host, call, &people, &phones, killed_at))
}

#[track_caller]
fn killed_at_each(
    host: &Host,
    call: &str,
    people: &[Person; 3],
    phones: &[Phone; 3],
    killed_at: fn(u32, Command) -> Command,
) -> u32 {
    let mut at = 0;
    loop {
        at += 1;
        assert!(at < 1000, "no rotation comes to its end");
        host.clock.forward(30);
        let output = Postern::under(killed_at(at, Postern::call(call).command())).run();
        let killed = was_killed();
        assert!(
            killed || output.exit == Some(0),
            "write {at}: {}",
            output.all()
        );
        let used = phones.each_ref().map(Phone::code);
        let verify = |person: &Person, code: &str| {
            Postern::call(&format!("verify {} --json", person.name))
                .input(code)
                .run()
                .json()["verdict"]
                .clone()
        };
        for (person, code) in people.iter().zip(&used) {
            assert_eq!(verify(person, code), "accepted", "write {at}");
            assert_eq!(verify(person, code), "used", "write {at}");
        }
        if at % 8 == 0 {
            host.clock.forward(30);
            people[0].with_key().enters_with(&phones[0].code());
        }
        Postern::call("key rotate").does();
        let store = Store::open();
        store.is_sound();
        let left = fs::read_dir("/etc/postern").expect("a folder").flatten();
        let left: Vec<_> = left
            .filter(|entry| entry.file_name().to_string_lossy().contains(".new"))
            .collect();
        assert!(left.is_empty(), "write {at}: {left:?}");
        assert_eq!(master_keys(), 1, "write {at}");
        assert_eq!(
            store.number("SELECT count(*) FROM data_key WHERE purpose = 'seal-before'"),
            0
        );
        for (person, code) in people.iter().zip(&used) {
            assert_eq!(verify(person, code), "used", "write {at}");
        }
        if !killed {
            return at;
        }
    }
}

/// The fault: a rotation is killed at one of its writes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_rotation_killed_at_any_write_locks_no_user_out_and_the_next_one_completes() {
    let host = Host::fresh();
    let writes = killed_at_every_write(&host, "key rotate");
    assert!(writes > 12, "{writes}");
}

/// The fault: a renewal of all keys is killed at one of its writes. The used codes must stay
/// refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_renewal_of_all_keys_killed_at_any_write_locks_no_user_out_and_opens_no_used_code() {
    let host = Host::fresh();
    let writes = killed_at_every_write(&host, "key rotate --compromised --yes");
    assert!(writes > 12, "{writes}");
}

/// What the command reports as revoked is refused from then on, at a gate that did not stop.
/// Everything else stays valid.
#[test]
#[ignore = "needs the test host: tests/run"]
fn after_a_compromise_only_authenticators_open() {
    let host = Host::fresh();
    let (web, client, alice, phone, recovery) = signed_in(&host);
    let page = format!("{APP}/");
    let waiting = WebClient::new();
    waiting.password(&web, &alice);

    let output = Postern::call("key rotate --compromised --yes --json").does();
    assert_eq!(
        client.loads(&page).status,
        302,
        "the session is over once it is reported done"
    );
    let output = output.json();
    assert_eq!(output["success"], true);
    let ended = &output["accounts"][0];
    assert_eq!(
        (&ended["account"], &ended["password"]),
        (&"alice".into(), &true.into())
    );
    assert_eq!(
        (&ended["recovery_codes"], &ended["trusted_browsers"]),
        (&6.into(), &1.into())
    );
    assert_eq!(
        ended["renew"],
        serde_json::json!(["postern password", "postern recovery"])
    );

    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    alice
        .with_key()
        .is_refused(&recovery[0], "That is not a code");
    host.clock.forward(30);
    assert_eq!(
        waiting.code(&web, &phone.code()).status,
        401,
        "a sign-in under way is over"
    );
    assert_eq!(client.password(&web, &alice).status, 401, "the password");
    alice.with_key().enters_with(&phone.code());

    alice.has_a_password();
    let asked = client.password(&web, &alice);
    assert!(
        asked.header("location").contains("/code"),
        "the browser is asked again: {asked:?}"
    );
    assert!(client.cookies().iter().any(|(name, _)| name == BROWSER));
    host.clock.forward(30);
    assert_eq!(client.code(&web, &phone.code()).status, 303);
    assert_eq!(client.loads(&page).status, 200);
    let new = Postern::json("recovery alice --no-confirm --json");
    let new = new["recovery_codes"][0]
        .as_str()
        .expect("a code")
        .to_owned();
    alice.with_key().enters_with(&new);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn renewing_all_keys_says_first_what_ends_and_asks() {
    let host = Host::fresh();
    let (alice, _, recovery) = host.web_user_with_recovery_codes("alice");
    let before = Store::open().dump();

    let output = Postern::call("key rotate --compromised").refuses();
    assert_contains(&output.err, "--yes");
    let mut terminal = Terminal::run(Postern::call("key rotate --compromised").command());
    terminal.expect(
        "for 1 account: 1 password, 6 recovery codes, 0 one-time codes, 0 passkey codes, 0 app passwords, 0 mailed codes, 0 trusted browsers, 0 sessions",
    );
    terminal
        .expect("Authenticators keep working")
        .expect("Type \"renew\" to continue: ");
    terminal.types("no").expect("nothing was changed");
    assert!(!terminal.ends().status.success());
    assert!(Store::open().dump() == before && master_keys() == 1);
    assert_eq!(Postern::call("key rotate --yes").run().exit, Some(2));

    let mut terminal = Terminal::run(Postern::call("key rotate --compromised").command());
    terminal
        .expect("Type \"renew\" to continue: ")
        .types("renew");
    terminal
        .expect("all keys are new")
        .expect("postern password alice, postern recovery alice");
    terminal.ends();
    alice
        .with_key()
        .is_refused(&recovery[0], "That is not a code");
}

/// The fault: the key file is missing, or belongs to another store. Access is denied, and the log
/// names the file.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_missing_or_foreign_key_denies_all_access_and_the_log_names_the_file() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let kept = fs::read(KEY).expect("the key file");

    fs::write(KEY, "ab".repeat(32) + "\n").expect("root may do it");
    alice.with_key().is_turned_away();
    host.journal.says(&format!(
        "{KEY}: contains no master key that opens the store {STORE}; restore the key file"
    ));
    assert_contains(
        &Postern::call("key rotate").refuses().err,
        "contains no master key that opens the store",
    );
    fs::remove_file(KEY).expect("root may do it");
    alice.with_key().is_turned_away();
    host.journal.says(&format!("{KEY}: No such file"));
    fs::write(KEY, kept).expect("root may do it");
    give_to_daemons(KEY, 0o640);
    alice.with_key().enters_with(&phone.code());
}
