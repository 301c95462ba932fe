//! Accounts that are declared in the configuration instead of enrolled by command.

use std::fs;
use testhost::{Host, Phone, Postern, assert_contains, give_to_daemons, set_mode};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const FILE: &str = "/etc/postern/bob.secret";

fn declare(host: &Host) {
    fs::write(FILE, SECRET).expect("a secret file can be written");
    give_to_daemons(FILE, 0o640);
    host.write_configuration(&format!(
        "[[account]]\nname = \"bob\"\nsecret_file = \"{FILE}\"\n"
    ));
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_declared_account_works_from_the_next_prompt_and_disappears_with_its_declaration() {
    let host = Host::fresh();
    let (bob, phone) = (host.person("bob"), Phone::scans(SECRET));
    bob.with_key().enters();

    declare(&host);
    bob.with_key().enters_with(&phone.code());
    bob.with_password()
        .is_refused(&phone.code(), "used already");
    assert_eq!(Postern::json("status bob --json")["state"], "declared");

    host.write_configuration("# defaults\n");
    bob.with_key().enters();

    declare(&host);
    bob.with_key().is_refused(&phone.code(), "used already");
    bob.with_key().enters_with(&phone.code_in(1));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn an_account_declared_in_accounts_d_is_read_only_to_commands() {
    let host = Host::fresh();
    let (bob, phone) = (host.person("bob"), Phone::scans(SECRET));
    declare(&host);
    let table = fs::read_to_string(testhost::CONFIG).expect("the declaration");
    host.write_configuration("# defaults\n");
    fs::create_dir_all("/etc/postern/accounts.d").expect("a folder can be made");
    fs::write("/etc/postern/accounts.d/bob.toml", table).expect("a declaration can be written");

    bob.with_key().enters_with(&phone.code());
    for call in ["disable bob", "enroll bob"] {
        let output = Postern::call(call).refuses();
        assert_contains(output.all(), "declared in postern.toml or accounts.d");
    }
    bob.with_key().enters_with(&phone.code_in(1));
}

/// Tools such as Nix install a link. The checks of owner and mode apply to its target.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_secret_file_that_others_can_read_denies() {
    let host = Host::fresh();
    let (bob, phone) = (host.person("bob"), Phone::scans(SECRET));
    declare(&host);

    set_mode(FILE, 0o644);
    bob.with_key().is_turned_away();
    host.journal
        .says(&format!("{FILE}: has mode 0644, too open"));
    fs::remove_file(FILE).expect("a file can be removed");
    bob.with_key().is_turned_away();
    host.journal.says(FILE);
    host.person("carol").with_key().enters();
    declare(&host);
    bob.with_key().enters_with(&phone.code());
}
