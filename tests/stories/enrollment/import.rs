//! Import of files that other second factors on this host have just written.

use postern_shared::credential::import::{
    FoundAuthenticator, ImportFormat, ImportOwners, ImportedFile, MovingFactor, PskcKey,
    parse_import_file,
};
use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::{
    Algorithm, OtpKind, OtpParameters, Step, generate_code,
};
use postern_shared::system::clock::Timestamp;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use testhost::{
    Clock, Host, Postern, assert_contains, assert_lacks, finished, handbook_block, on_the_clock,
    wait_for_output,
};

const FOLDER: &str = "/run/postern-tests/import";

#[test]
#[ignore = "needs the test host: tests/run"]
fn files_of_google_authenticator_keep_what_was_used() {
    let host = prepared();
    let time = made_by_google_authenticator(
        "time",
        &["--time-based", "--disallow-reuse", "--minimal-window"],
    );
    let before = google(&time);
    assert_eq!(
        (before.found[0].floor, before.found[0].recovery.len()),
        (None, 5)
    );
    host.pam("google-time", &google_authenticator_line(&time));

    let scratch = before.found[0].recovery[0].plain().to_owned();
    signs_in("google-time", &code_of(&before.found[0], now_step(30)));
    signs_in("google-time", &scratch);

    let after = google(&time);
    assert_eq!(after.found[0].secret, before.found[0].secret);
    assert_eq!(after.found[0].floor, Some(now_step(30)));
    let left: Vec<&str> = after.found[0]
        .recovery
        .iter()
        .map(|code| code.plain())
        .collect();
    assert!(
        left.len() == 4 && !left.contains(&scratch.as_str()),
        "the used scratch code is still there"
    );

    let counter = made_by_google_authenticator("counter", &["--counter-based", "--window-size=5"]);
    let before = google(&counter);
    assert_eq!(before.found[0].moving, MovingFactor::Counter { next: 1 });
    host.pam("google-counter", &google_authenticator_line(&counter));
    signs_in("google-counter", &code_of(&before.found[0], Step(3)));
    assert_eq!(
        google(&counter).found[0].moving,
        MovingFactor::Counter { next: 4 }
    );
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_users_file_of_pam_oath_keeps_what_was_used_in_any_time_zone() {
    let host = prepared();
    let users = format!("{FOLDER}/users.oath");
    let hex = [
        "3132333435363738393031323334353637383930",
        "00112233445566778899aabbccddeeff00112233",
    ];
    fs::write(
        &users,
        format!(
            "HOTP/T30 alice - {}\nHOTP/E/8 alice - {} 4\n",
            hex[0], hex[1]
        ),
    )
    .unwrap();
    fs::set_permissions(&users, PermissionsExt::from_mode(0o600)).unwrap();
    host.pam(
        "oath",
        &format!("auth required pam_oath.so usersfile={users} window=5\n"),
    );

    let before = oath(&users);
    let used = Step(now_step(30).0 + 1);
    signs_in("oath", &code_of(&before.found[0], used));
    signs_in("oath", &code_of(&before.found[1], Step(6)));

    let after = oath(&users);
    assert_eq!(after.found[0].floor, Some(used));
    assert_eq!(after.found[1].moving, MovingFactor::Counter { next: 7 });
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn key_containers_are_read_as_pskctool_reads_them() {
    let _host = prepared();
    let keys = format!("{FOLDER}/keys.csv");
    let kinds = "urn:ietf:params:xml:ns:keyprov:pskc";
    let table = format!(
        "id,secret,counter,time_interval,response_length,response_encoding,algorithm,key_userid\n\
         k1,3132333435363738393031323334353637383930,,60,8,DECIMAL,{kinds}:totp,alice\n\
         k2,00112233445566778899aabbccddeeff00112233,9,,6,DECIMAL,{kinds}:hotp,\"UID=bob,DC=example\"\n"
    );
    fs::write(&keys, table).unwrap();
    let key = "00112233445566778899aabbccddeeff";
    let key_bytes = data_encoding::HEXLOWER.decode(key.as_bytes()).unwrap();
    for (name, option, key) in [
        ("plain", None, PskcKey::None),
        (
            "shared",
            Some(["--secret", key]),
            PskcKey::Shared(&key_bytes),
        ),
        (
            "password",
            Some(["--password", "correct horse"]),
            PskcKey::Password(b"correct horse"),
        ),
    ] {
        let file = format!("{FOLDER}/{name}.xml");
        finished(
            Command::new("csv2pskc")
                .arg(&keys)
                .args(["-o", &file])
                .args(option.into_iter().flatten()),
        );
        let import = parse_import_file(pskc(key), &fs::read(&file).unwrap()).unwrap();
        let told: Vec<_> = import
            .found
            .iter()
            .map(|f| (f.account.as_str(), f.digits, f.moving))
            .collect();
        let expected = [
            ("alice", 8, MovingFactor::Time { period: 60 }),
            ("bob", 6, MovingFactor::Counter { next: 9 }),
        ];
        assert_eq!(told, expected, "{name}");
        // pskctool opens no encrypted file.
        if name == "plain" {
            finished(Command::new("pskctool").args(["--validate", "--strict", &file]));
            let info = finished(Command::new("pskctool").args(["--info", &file]));
            for found in &import.found {
                let secret = data_encoding::BASE64.encode(found.secret.expose());
                assert_contains(&info, format!("Key Secret (base64): {secret}"));
            }
        }
    }

    let (private, certificate) = (
        format!("{FOLDER}/private.pem"),
        format!("{FOLDER}/certificate.pem"),
    );
    let request = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=vendor",
        "-days",
        "2",
    ];
    finished(Command::new("openssl").args(request).args([
        "-keyout",
        &private,
        "-out",
        &certificate,
    ]));
    let sign = [
        "--sign",
        "--sign-key",
        &private,
        "--sign-crt",
        &certificate,
        &format!("{FOLDER}/plain.xml"),
    ];
    let signed = finished(Command::new("pskctool").args(sign));
    let refusal = parse_import_file(pskc(PskcKey::None), signed.as_bytes())
        .unwrap_err()
        .to_string();
    assert_contains(&refusal, "it is signed");
    let begin = signed.find("<Signature").expect("a signature");
    let end = signed.find("</Signature>").expect("its end") + "</Signature>".len();
    let bare = format!("{}{}", &signed[..begin], &signed[end..]);
    assert_eq!(
        parse_import_file(pskc(PskcKey::None), bare.as_bytes())
            .unwrap()
            .found
            .len(),
        2
    );
}

fn prepared() -> Host {
    let host = Host::fresh();
    host.person("alice");
    fs::create_dir_all(FOLDER).expect("the tests' folder can be written");
    host
}

fn made_by_google_authenticator(name: &str, options: &[&str]) -> String {
    let file = format!("{FOLDER}/{name}");
    let common = [
        "--force",
        "--quiet",
        "--no-confirm",
        "--no-rate-limit",
        "--emergency-codes=5",
        "--secret",
    ];
    finished(
        Command::new("google-authenticator")
            .args(options)
            .args(common)
            .arg(&file),
    );
    file
}

fn google_authenticator_line(file: &str) -> String {
    format!("auth required pam_google_authenticator.so secret={file} user=root\n")
}

#[track_caller]
fn google(file: &str) -> ImportedFile {
    let account = &"alice".parse().expect("a name");
    parse_import_file(
        ImportFormat::GoogleAuthenticator {
            account,
            now: Timestamp(Clock.now()),
            future_steps: 1,
        },
        &fs::read(file).expect("a file"),
    )
    .expect("a file that is sound")
}

fn pskc(key: PskcKey<'_>) -> ImportFormat<'_> {
    ImportFormat::Pskc {
        key,
        owners: ImportOwners::default(),
        now: Timestamp(Clock.now()),
    }
}

#[track_caller]
fn oath(file: &str) -> ImportedFile {
    parse_import_file(
        ImportFormat::Oath {
            now: Timestamp(Clock.now()),
        },
        &fs::read(file).expect("a file"),
    )
    .expect("a file that is sound")
}

fn now_step(period: u64) -> Step {
    Step(Clock.now() / period)
}

fn code_of(found: &FoundAuthenticator, step: Step) -> String {
    let moving = found.moving.kind();
    let parameters = OtpParameters {
        algorithm: found.algorithm,
        digits: found.digits,
        moving,
    };
    generate_code(&found.secret, parameters, step).to_string()
}

/// Signs alice in with a code, in the time zone of India.
#[track_caller]
fn signs_in(service: &str, code: &str) {
    let mut tester = on_the_clock(Command::new("pamtester"));
    tester
        .args([service, "alice", "authenticate"])
        .env("TZ", "Asia/Kolkata");
    let tester = tester
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tester = tester.expect("pamtester runs; tests/run installs it");
    writeln!(tester.stdin.take().expect("stdin is a pipe"), "{code}").expect("pamtester reads");
    let output = wait_for_output(tester);
    assert!(
        output.status.success(),
        "{service}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A user of pam_google_authenticator signs in with the same app after the import.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_person_moves_from_google_authenticator_without_a_new_qr() {
    let host = prepared();
    let alice = host.person("alice");
    let file = made_by_google_authenticator(
        "moving",
        &["--time-based", "--disallow-reuse", "--minimal-window"],
    );
    host.pam("google-moving", &google_authenticator_line(&file));
    let found = google(&file);
    signs_in("google-moving", &code_of(&found.found[0], now_step(30)));

    let call = format!("import google-authenticator {file}");
    assert_contains(&Postern::call(&call).refuses().err, "give --user");
    let call = format!("{call} --user alice");
    let output = Postern::call(&format!("{call} --dry-run")).does();
    assert_contains(&output.out, "authenticator app");
    assert_contains(&output.out, "5 scratch codes");
    assert_eq!(Postern::json("status --json"), serde_json::json!([]));
    Postern::call(&call).input("no\n").refuses();
    let output_of_import = Postern::call(&call).input("import\n").does();
    assert_contains(output_of_import.all(), "1 authenticator is active");

    alice
        .with_key()
        .is_refused(&code_of(&found.found[0], now_step(30)), "used already");
    alice
        .with_key()
        .enters_with(&code_of(&found.found[0], Step(now_step(30).0 + 1)));
    assert_contains(
        &Postern::call(&call).input("import\n").refuses().out,
        "has a second factor already",
    );
    let log = Postern::call("log alice --json").does().out;
    assert_contains(&log, "\"imported\"");
    let secret = found.found[0].secret.to_base32();
    assert_lacks(output.all(), secret.as_str());
    assert_lacks(&log, secret.as_str());
}

const HEX: &str = "3132333435363738393031323334353637383930";
const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const BASE64: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=";

/// Returns the code that a device with the secret above shows now.
fn code_of_example() -> String {
    let secret = Secret::from_base32(BASE32).expect("a secret");
    let parameters = OtpParameters {
        algorithm: Algorithm::Sha1,
        digits: 6,
        moving: OtpKind::Time { period: 30 },
    };
    generate_code(&secret, parameters, now_step(30)).to_string()
}

/// The file that docs/guides/moving.md shows for tinyauth.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_line_that_the_page_shows_for_tinyauth_is_imported() {
    let host = prepared();
    let alice = host.person("alice");
    let text = handbook_block("docs/guides/moving.md", "otpauth://");
    let file = format!("{FOLDER}/tinyauth.uris");
    fs::write(&file, &text).expect("/run can be written");
    let commands = handbook_block("docs/guides/moving.md", "sudo postern import otpauth");
    let import = commands.lines().next().expect("the page has it");
    let import = import
        .replace("sudo postern ", "")
        .replace("tinyauth.uris", &file);
    let output = Postern::call(&format!("{import} --yes")).does();
    assert_contains(output.all(), "1 authenticator is active");
    let secret = text
        .split("secret=")
        .nth(1)
        .and_then(|rest| rest.split('&').next());
    let secret = Secret::from_base32(secret.expect("the page has one")).expect("a secret");
    let parameters = OtpParameters {
        algorithm: Algorithm::Sha1,
        digits: 6,
        moving: OtpKind::Time { period: 30 },
    };
    let code = generate_code(&secret, parameters, now_step(30));
    alice.with_key().enters_with(&code);
}

/// Each export goes the whole way: from the file of the app or of the vendor to a login.
#[test]
#[ignore = "needs the test host: tests/run"]
fn exports_of_apps_and_vendors_lead_to_a_login_without_a_new_qr() {
    let host = prepared();
    let list = format!("{FOLDER}/list.csv");
    fs::write(
        &list,
        "serial,user\n2600000000001,carol\n2600000000002,dave\n",
    )
    .unwrap();
    let aegis = format!(
        r#"{{"version":1,"header":{{"slots":null,"params":null}},"db":{{"version":3,"entries":[
        {{"type":"totp","name":"alice","issuer":"Example","info":{{"secret":"{BASE32}","algo":"SHA1","digits":6,"period":30}}}},
        {{"type":"steam","name":"erin","issuer":"Steam","info":{{"secret":"{BASE32}","algo":"SHA1","digits":5,"period":30}}}}]}}}}"#
    );
    let two_fas = format!(
        r#"{{"schemaVersion":4,"services":[{{"name":"Example","secret":"{BASE32}",
        "otp":{{"account":"bob","issuer":"Example","digits":6,"period":30,"algorithm":"SHA1","tokenType":"TOTP"}}}}]}}"#
    );
    let seeds = format!("2600000000001,{HEX},TOTP,6,30\n2600000000009,{HEX},TOTP,6,30\n");
    let container = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"><KeyPackage>
<DeviceInfo><Manufacturer>Example</Manufacturer><SerialNo>2600000000002</SerialNo></DeviceInfo>
<Key Id="2" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp">
<AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters>
<Data><Secret><PlainValue>{BASE64}</PlainValue></Secret></Data></Key>
</KeyPackage></KeyContainer>
"#
    );
    for (format, text, options, name, left_out) in [
        ("aegis", aegis, "", "alice", "entry 2"),
        ("2fas", two_fas, "", "bob", ""),
        ("privacyidea", seeds, "--user-list", "carol", "line 2"),
        ("pskc", container, "--user-list", "dave", ""),
    ] {
        let person = host.person(name);
        let file = format!("{FOLDER}/{format}");
        fs::write(&file, text).unwrap();
        let list = match options {
            "" => String::new(),
            option => format!(" {option} {list}"),
        };
        let output = Postern::call(&format!("import {format} {file}{list} --yes")).does();
        assert_contains(output.all(), "1 authenticator is active");
        assert_contains(output.all(), left_out);
        assert_lacks(output.all(), BASE32);
        let code = code_of_example();
        person.with_key().enters_with(&code);
        person.with_key().is_refused(&code, "used already");
        // the step of this secret is used, whosever it is
        host.clock.forward(30);
    }
    // an encrypted export says what to do
    let encrypted = r#"{"version":1,"header":{"slots":[{"type":1}],"params":{}},"db":"AAAA"}"#;
    let file = format!("{FOLDER}/encrypted");
    fs::write(&file, encrypted).unwrap();
    let output = Postern::call(&format!("import aegis {file} --yes")).refuses();
    assert_contains(
        &output.err,
        "it is encrypted; in Aegis, export again without \"Encrypt the vault\"",
    );
}
