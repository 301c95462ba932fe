//! Tests of reading, refusing and saving configurations.

use super::*;
use std::fs;

#[track_caller]
fn assert_refused(text: &str, expected: &str) {
    let text = format!("{text}\n");
    let error = validate(Path::new("/etc/postern/postern.toml"), &text)
        .unwrap_err()
        .to_string();
    assert_eq!(error, format!("/etc/postern/postern.toml:{expected}"));
}

#[test]
fn a_refusal_names_file_line_key_and_range() {
    assert_refused(
        "\n[totp]\nperiod = 5\n",
        "3: totp.period: must be a duration from 15s to 2m",
    );
    assert_refused(
        "[totp]\nfuture_steps = 3",
        "2: totp.future_steps: must be a whole number from 0 to 2",
    );
    assert_refused(
        "[totp]\nissuer = \"a: b\"",
        "2: totp.issuer: must have no colon: authenticator apps split the name there",
    );
    assert_refused("[totp]\ndigits = 7", "2: totp.digits: must be 6 or 8");
    assert_refused(
        "[recovery]\n\ncount = 12",
        "3: recovery.count: 12 codes of 10 characters leave 46.4 bits per guess, at least 47 are required; set a lower count or a greater length",
    );
    assert_refused(
        "[throttle]\nlock_after = 101",
        "2: throttle.lock_after: must be a whole number from 10 to 100",
    );
    assert_refused(
        "[store]\nurl = \"mysql://x\"",
        "2: store.url: must be \"sqlite:\" and an absolute path, or \"postgres://USER@HOST[:PORT]/DATABASE\" without a password: \
         that is in store.password_file",
    );
    assert_refused(
        "[[policy.exempt]]\n",
        "1: policy.exempt: an exemption needs at least one of groups, services, networks, completed_methods, hosts",
    );
    assert_refused(
        "[policy]\nrequired = \"some\"",
        "2: policy.required: must be \"enrolled\", \"all\", or a list of names, \"%groups\" and exceptions with \"!\"",
    );
    for (key, message) in [
        ("required_hosts", "2: policy.required_hosts"),
        ("enroll_hosts", "2: policy.enroll_hosts"),
    ] {
        assert_refused(
            &format!(
                "[policy]\n{key} = [\"db1\", \"%prod\"]\n[host_group]\nproduction = [\"db1\"]"
            ),
            &format!(
                "{message}: names the group of hosts \"prod\", which [host_group] does not have"
            ),
        );
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_known_ones_and_broken_toml_with_its_line() {
    for (text, expected) in [
        (
            "[totp]\nperoid = 30\n",
            "2: totp.peroid: unknown field `peroid`, expected one of `issuer`",
        ),
        // an old name counts in its own table only
        (
            "[totp]\ntime_limit = 30\n",
            "2: totp.time_limit: unknown field",
        ),
        ("[totp]\n[mail]\n", "2: mail: unknown field `mail`"),
        // broken TOML
        ("[totp]\nperiod = \n", "2: "),
    ] {
        let error = validate(Path::new("p.toml"), text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("p.toml:{expected}")), "{error}");
    }
}

/// The lines that a sample lists were added to a file that had their table: the message named no
/// key.
#[test]
fn a_second_table_or_key_is_named() {
    for (text, words) in [
        (
            "[gate]\n[totp]\n[gate]",
            "3: the table [gate] is in line 1 already: put its keys there",
        ),
        (
            "[totp]\ndigits = 6\ndigits = 8",
            "3: totp.digits: is set in line 2 already",
        ),
    ] {
        assert_refused(text, words);
    }
}

#[test]
fn wrong_types_and_repeated_keys_are_refused_in_plain_words_with_key_and_line() {
    for (text, expected) in [
        (
            "[totp]\ndigits = \"six\"\n",
            "2: totp.digits: must be 6 or 8, not the text \"six\"",
        ),
        (
            "[throttle]\nfree = \"many\"\n",
            "2: throttle.free: must be a whole number from 1 to 10, not the text \"many\"",
        ),
        (
            "[recovery]\ncount = 100000000000000000000\n",
            "2: recovery.count: must be a whole number from 1 to 20, not 100000000000000000000",
        ),
        (
            "[gate]\nurl = 5\n",
            "2: gate.url: must be text in quotes, not 5",
        ),
        (
            "[[gate.rule]]\nhosts = 5\n",
            "2: gate.rule.hosts: must be a list in brackets, not 5",
        ),
        (
            "[totp]\nperiod = 30\ndigits = 6\nperiod = 60\n",
            "4: totp.period: is set in line 2 already",
        ),
        (
            "# a\n[totp] # b\n[store]\n[totp]\n",
            "4: the table [totp] is in line 2 already: put its keys there",
        ),
    ] {
        let error = validate(Path::new("p.toml"), text).unwrap_err().to_string();
        assert_eq!(error, format!("p.toml:{expected}"));
    }
}

#[test]
fn a_typo_falls_back_to_the_last_valid_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postern.toml");
    fs::write(&path, "[totp]\nperiod = 60\n").unwrap();
    fs::create_dir(folder.path().join("accounts.d")).unwrap();
    let declared = "[[account]]\nname = \"bob\"\nsecret_file = \"/run/bob\"\n";
    fs::write(folder.path().join("accounts.d/bob.toml"), declared).unwrap();
    save_valid_copy(&path).unwrap();

    fs::write(&path, "[totp]\nperiod = 6\n").unwrap();
    let in_force = load_config(&path).unwrap();
    assert_eq!(in_force.config.totp.period.seconds(), 60);
    let bob = &"bob".parse().unwrap();
    assert!(in_force.config.find_declared_account(bob).is_some());
    let fallback = in_force.fallback.unwrap().to_string();
    assert!(
        fallback.contains("postern.toml:2: totp.period"),
        "{fallback}"
    );
}

#[test]
fn a_truncated_file_is_refused() {
    let empty = "1: is empty; to keep every default, write a comment";
    let truncated = "2: does not end with a newline (truncated?)";
    for (text, expected) in [("", empty), (" \n\n", empty), ("[store]\n[poli", truncated)] {
        let error = validate(Path::new("p.toml"), text).unwrap_err().to_string();
        assert_eq!(error, format!("p.toml:{expected}"));
    }
}

#[test]
fn inline_accounts_and_those_of_accounts_d_make_one_valid_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postern.toml");
    let inline = "account = [{ name = \"a\", secret_file = \"/run/a\" }]\n";
    fs::write(&path, inline).unwrap();
    fs::create_dir(folder.path().join("accounts.d")).unwrap();
    let extra = "account = [{ name = \"b\", secret_file = \"/run/b\" }]\n";
    fs::write(folder.path().join("accounts.d/b.toml"), extra).unwrap();
    save_valid_copy(&path).unwrap();
    fs::write(&path, "typo\n").unwrap();
    assert_eq!(load_config(&path).unwrap().config.account.len(), 2);
}

#[test]
fn a_typo_without_a_copy_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postern.toml");
    fs::write(&path, "[totp]\nperiod = 6\n").unwrap();
    assert!(load_config(&path).is_err());
}

#[test]
fn accounts_d_declares_accounts_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postern.toml");
    fs::write(&path, "# defaults\n").unwrap();
    fs::create_dir(folder.path().join("accounts.d")).unwrap();
    let extra = folder.path().join("accounts.d/x.toml");
    let twice = "[[account]]\nname = \"bob\"\nsecret_file = \"/run/bob\"\n".repeat(2);
    for (text, words) in [
        ("[totp]\nperiod = 60\n", "[[account]] tables only"),
        (&twice, "declared twice"),
    ] {
        fs::write(&extra, text).unwrap();
        let error = read_config(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
