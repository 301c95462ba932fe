//! `postern key`: replaces the master key and the data keys while the store is in use.

use crate::arguments::Rotate;
use crate::context::{self, Invocation};
use crate::key_writer::KeyWriter;
use crate::terminal::output::{CommandFailure, CommandResult, Output, OutputTable, counted};
use crate::terminal::prompt;
use postern_shared::account::name::UserName;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::{EndedByRotation, Engine, RotationReport};
use postern_shared::store::{HostRecord, KeyBound};
use postern_shared::system::clock;
use serde_json::{Value, json};

/// The instruction that is printed after every rotation.
const BACKUP: &str =
    "back up the key file and the store again: earlier backups need the earlier key file";

pub(super) fn rotate(run: Invocation<'_>, what: &Rotate) -> CommandResult {
    let config = run.config()?;
    // The key file is changed before and after the store. Only root can write it, so a process that
    // stays root is started for that.
    let mut writer = KeyWriter::start(config.store.key_file.path())?;
    let mut engine = context::open(config)?;
    let mut rotate = |engine: &mut Engine, renewal| {
        writer.begin()?;
        engine
            .keys()
            .rotate_keys_by(&mut writer, renewal, &context::actor(), clock::now()?)
            .map_err(CommandFailure::from)
    };
    if !what.compromised {
        let rotated = rotate(&mut engine, Renewal::Seal)?;
        tell_damaged(run.output, &rotated)?;
        return run.output.done(format_args!(
            "the master key is new and every secret is sealed with it; {BACKUP}"
        ));
    }
    let hosts = engine.hosts().list_hosts()?.into_iter();
    let hosts: Vec<HostRecord> = hosts.filter(|host| host.revoked.is_none()).collect();
    if !what.yes {
        let ends = engine.keys().list_key_bound(clock::now()?)?;
        confirm(run.output, &ends, &fleet_text(&mut engine, &hosts)?)?;
    }
    let rotated = rotate(&mut engine, Renewal::All)?;
    tell_damaged(run.output, &rotated)?;
    let message = format!("all keys are new; {BACKUP}");
    if run.output.is_json() {
        let accounts: Vec<Value> = rotated
            .ended
            .iter()
            .map(|(name, ended)| value(name, ended))
            .collect();
        return run
            .output
            .json(&json!({"success": true, "message": message, "accounts": accounts, "hosts": names(&hosts)}));
    }
    run.output.text(format_args!("{message}\n"))?;
    if !hosts.is_empty() {
        run.output.text(format_args!(
            "have each host of the fleet join again, with postern host invite NAME: {}\n",
            names(&hosts).join(", ")
        ))?;
    }
    if rotated.ended.is_empty() {
        return Ok(());
    }
    let mut table = OutputTable::new(["account", "ended", "renew with"]);
    for (name, ended) in &rotated.ended {
        let commands: Vec<_> = commands(ended).map(|c| format!("{c} {name}")).collect();
        table.row([name.to_string(), list(ended), commands.join(", ")]);
    }
    run.output.text(table)
}

/// Prints what the rotation ends, and asks for confirmation before anything is changed.
fn confirm(output: Output, ends: &EndedByRotation, fleet: &str) -> CommandResult {
    if !prompt::is_watched(output) {
        return Err(CommandFailure::new(
            "this ends the passwords, recovery codes, app passwords, trusted browsers and sessions of all accounts, and the certificates and break-glass codes of all hosts of the fleet; nothing was changed; give --yes to confirm it without a terminal",
        ));
    }
    let totals = KeyBound::ALL.map(|what| (what, count(ends.values().flatten(), what)));
    output.text(format_args!(
        "New keys end, for {}: {}.\n\
         Authenticators keep working, and used codes remain used. Passkeys stay: the store has only their public \
         keys. But anyone who has had both the key file and the \
         store knows their secrets: in that case, disable each account and enroll it again.\n{fleet}",
        counted(ends.len() as u64, "account"),
        list(&totals)
    ))?;
    match prompt::ask(output, "Type \"renew\" to continue: ")?.trim() {
        "renew" => Ok(()),
        _ => Err(CommandFailure::new("not confirmed; nothing was changed")),
    }
}

/// Returns what a rotation ends at the hosts of the fleet: empty where none has joined. A host cannot be
/// told, since the servers are no servers of its fleet any more.
fn fleet_text(engine: &mut Engine, hosts: &[HostRecord]) -> Result<String, CommandFailure> {
    let Some(until) = hosts.iter().map(|host| host.expires).max() else {
        return Ok(String::new());
    };
    let mut codes = 0;
    for host in hosts {
        codes += engine.hosts().count_break_glass(host.number)?.left as u64;
    }
    Ok(format!(
        "The fleet gets a new authority. {} cut off at once, and denies every sign-in until it joins again: {}. Their \
         certificates, and {} of theirs, are removed from the store. But no server can tell them: while it has not \
         joined again, such a host finds that no server answers, and accepts what it holds for that case, its \
         break-glass codes and security keys, until its certificate expires, at the latest {until}.\n",
        match hosts.len() {
            1 => "1 host is".to_owned(),
            more => format!("Each of {more} hosts is"),
        },
        names(hosts).join(", "),
        counted(codes, "break-glass code"),
    ))
}

fn names(hosts: &[HostRecord]) -> Vec<&str> {
    hosts.iter().map(|host| host.name.as_str()).collect()
}

fn list(ended: &[(KeyBound, u64)]) -> String {
    let one = |(what, count): &(KeyBound, u64)| counted(*count, describe(*what).noun);
    ended.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What a rotation ends, and how it is renewed.
struct Renewed {
    /// The noun, to which an "s" is added for the plural.
    noun: &'static str,
    /// The key in JSON.
    key: &'static str,
    /// The command by which an administrator renews it; `None` where the person renews it by the
    /// next sign-in, or by requesting another mailed code.
    command: Option<&'static str>,
}

fn describe(what: KeyBound) -> Renewed {
    let (noun, key, command) = match what {
        KeyBound::Password => ("password", "password", Some("postern password")),
        KeyBound::RecoveryCodes => ("recovery code", "recovery_codes", Some("postern recovery")),
        KeyBound::OneTimeCodes => (
            "one-time code",
            "one_time_codes",
            Some("postern one-time-code"),
        ),
        KeyBound::PasskeyCodes => ("passkey code", "passkey_codes", None),
        KeyBound::AppPasswords => (
            "app password",
            "app_passwords",
            Some("postern app-password add"),
        ),
        KeyBound::MailedCodes => ("mailed code", "mailed_codes", None),
        KeyBound::Browsers => ("trusted browser", "trusted_browsers", None),
        KeyBound::Sessions => ("session", "sessions", None),
    };
    Renewed { noun, key, command }
}

fn count<'a>(ended: impl IntoIterator<Item = &'a (KeyBound, u64)>, wanted: KeyBound) -> u64 {
    let of_it = ended.into_iter().filter(|(what, _)| *what == wanted);
    of_it.map(|(_, count)| count).sum()
}

fn commands(ended: &[(KeyBound, u64)]) -> impl Iterator<Item = &'static str> {
    ended.iter().filter_map(|(what, _)| describe(*what).command)
}

fn value(name: &UserName, ended: &[(KeyBound, u64)]) -> Value {
    let mut value = json!({"account": name});
    for what in KeyBound::ALL {
        let count = count(ended, what);
        value[describe(what).key] = match what {
            KeyBound::Password => (count > 0).into(),
            _ => count.into(),
        };
    }
    value["renew"] = commands(ended).collect();
    value
}

fn tell_damaged(output: Output, rotated: &RotationReport) -> CommandResult {
    for name in &rotated.damaged {
        output.warn(format_args!(
            "a sealed secret of {name} was altered or moved in the store and could not be sealed again; disable {name} and enroll it again"
        ))?;
    }
    Ok(())
}
