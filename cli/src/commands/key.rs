//! `postern key`: replaces the master key and the data keys while the store is in use.

use crate::arguments::{Arguments, Rotate};
use crate::context;
use crate::key_writer::KeyWriter;
use crate::terminal::output::{CommandFailure, Output, Table};
use crate::terminal::prompt;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::{EndedByRotation, Engine, RotationReport};
use postern_shared::store::KeyBound;
use postern_shared::system::clock;
use serde_json::{Value, json};

/// The instruction that is printed after every rotation.
const BACKUP: &str =
    "back up the key file and the store again: earlier backups need the earlier key file";

pub(super) fn rotate(
    arguments: &Arguments,
    output: Output,
    what: &Rotate,
) -> Result<(), CommandFailure> {
    let config = context::config(arguments, output)?;
    // The key file is changed before and after the store. Only root can write it, so a process that
    // stays root is started for that.
    let mut writer = KeyWriter::start(config.store.key_file.path())?;
    let mut door = context::open(config)?;
    let mut rotate = |door: &mut Engine, renewal| {
        writer.begin()?;
        door.keys()
            .rotate_keys_by(&mut writer, renewal, &context::actor(), clock::now()?)
            .map_err(CommandFailure::from)
    };
    if !what.compromised {
        let rotated = rotate(&mut door, Renewal::Seal)?;
        tell_damaged(output, &rotated)?;
        return output.done(format_args!(
            "the master key is new and every secret is sealed with it; {BACKUP}"
        ));
    }
    if !what.yes {
        confirm(output, &door.keys().list_key_bound(clock::now()?)?)?;
    }
    let rotated = rotate(&mut door, Renewal::All)?;
    tell_damaged(output, &rotated)?;
    let message = format!("all keys are new; {BACKUP}");
    if output.is_json() {
        let accounts: Vec<Value> = rotated
            .ended
            .iter()
            .map(|(name, ended)| value(name, ended))
            .collect();
        return output.json(&json!({"success": true, "message": message, "accounts": accounts}));
    }
    output.text(format_args!("{message}\n"))?;
    if rotated.ended.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(["account", "ended", "renew with"]);
    for (name, ended) in &rotated.ended {
        let commands: Vec<_> = ended
            .iter()
            .filter_map(|(what, _)| command(*what))
            .map(|c| format!("{c} {name}"))
            .collect();
        table.row([name.to_string(), list(ended), commands.join(", ")]);
    }
    output.text(table)
}

/// Prints what the rotation ends, and asks for confirmation before anything is changed.
fn confirm(output: Output, ends: &EndedByRotation) -> Result<(), CommandFailure> {
    if !prompt::is_watched(output) {
        return Err(CommandFailure::new(
            "this ends the passwords, recovery codes, app passwords, trusted browsers and sessions of all accounts; nothing was changed; give --yes to confirm it without a terminal",
        ));
    }
    let total = |wanted: KeyBound| -> u64 {
        ends.values()
            .flatten()
            .filter(|(what, _)| *what == wanted)
            .map(|(_, count)| count)
            .sum()
    };
    let totals: Vec<_> = KeyBound::ALL
        .iter()
        .map(|what| (*what, total(*what)))
        .collect();
    output.text(format_args!(
        "New keys end, for {} accounts: {}.\n\
         Authenticators keep working, and used codes remain used. But anyone who has had both the key file and the \
         store knows their secrets: in that case, disable each account and enroll it again.\n",
        ends.len(),
        list(&totals)
    ))?;
    match prompt::ask(output, "Type \"renew\" to continue: ")?.trim() {
        "renew" => Ok(()),
        _ => Err(CommandFailure::new("not confirmed; nothing was changed")),
    }
}

fn list(ended: &[(KeyBound, u64)]) -> String {
    let one = |(what, count): &(KeyBound, u64)| format!("{count} {}", words(*what, *count));
    ended.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn words(what: KeyBound, count: u64) -> &'static str {
    match (what, count) {
        (KeyBound::Password, 1) => "password",
        (KeyBound::Password, _) => "passwords",
        (KeyBound::RecoveryCodes, 1) => "recovery code",
        (KeyBound::RecoveryCodes, _) => "recovery codes",
        (KeyBound::OneTimeCodes, 1) => "one-time code",
        (KeyBound::OneTimeCodes, _) => "one-time codes",
        (KeyBound::AppPasswords, 1) => "app password",
        (KeyBound::AppPasswords, _) => "app passwords",
        (KeyBound::MailedCodes, 1) => "mailed code",
        (KeyBound::MailedCodes, _) => "mailed codes",
        (KeyBound::Browsers, 1) => "trusted browser",
        (KeyBound::Browsers, _) => "trusted browsers",
        (KeyBound::Sessions, 1) => "session",
        (KeyBound::Sessions, _) => "sessions",
    }
}

/// Returns the command by which an administrator renews what the rotation ended. `None` where the
/// person renews it by the next sign-in.
fn command(what: KeyBound) -> Option<&'static str> {
    match what {
        KeyBound::Password => Some("postern password"),
        KeyBound::RecoveryCodes => Some("postern recovery"),
        KeyBound::OneTimeCodes => Some("postern one-time-code"),
        KeyBound::AppPasswords => Some("postern app-password add"),
        // a person requests another mailed code
        KeyBound::MailedCodes | KeyBound::Browsers | KeyBound::Sessions => None,
    }
}

fn value(name: &postern_shared::account::name::UserName, ended: &[(KeyBound, u64)]) -> Value {
    let count = |wanted: KeyBound| -> u64 {
        ended
            .iter()
            .filter(|(what, _)| *what == wanted)
            .map(|(_, count)| count)
            .sum()
    };
    json!({
        "account": name,
        "password": count(KeyBound::Password) > 0,
        "recovery_codes": count(KeyBound::RecoveryCodes),
        "one_time_codes": count(KeyBound::OneTimeCodes),
        "app_passwords": count(KeyBound::AppPasswords),
        "mailed_codes": count(KeyBound::MailedCodes),
        "trusted_browsers": count(KeyBound::Browsers),
        "sessions": count(KeyBound::Sessions),
        "renew": ended.iter().filter_map(|(what, _)| command(*what)).collect::<Vec<_>>(),
    })
}

fn tell_damaged(output: Output, rotated: &RotationReport) -> Result<(), CommandFailure> {
    for name in &rotated.damaged {
        output.warn(format_args!(
            "a sealed secret of {name} was altered or moved in the store and could not be sealed again; disable {name} and enroll it again"
        ))?;
    }
    Ok(())
}
