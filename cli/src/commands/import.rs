//! `postern import`: imports second factors from the files of other systems. It first prints what
//! the import would change. Then, unless this is a dry run, it changes the store.

use crate::arguments::ImportArguments;
use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult, Output, Table};
use crate::terminal::prompt;
use data_encoding::HEXLOWER_PERMISSIVE;
use postern_shared::account::name::UserName;
use postern_shared::config::AppPasswordsOnChange;
use postern_shared::credential::import::{
    self, FoundAuthenticator, ImportFormat, ImportLoss, LARGEST, NAMES, OmittedEntry, PskcKey,
};
use postern_shared::credential::totp::OtpKind;
use postern_shared::engine::{ImportMode, ImportReport};
use postern_shared::system::clock::{self, Timestamp};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

pub(super) fn run(run: Invocation<'_>, what: &ImportArguments) -> CommandResult {
    let (now, actor, distinct) = (clock::now()?, context::actor(), what.distinct.word());
    // Root opens the files, which may lie in a user's home folder. Their content is parsed after
    // this process has given up root.
    let files = ImportFiles::read(what)?;
    let mut engine = run.engine()?;
    let import = understand(what, &files, now)?;
    let plan = engine.accounts().import_authenticators(
        &import.found,
        ImportMode::DryRun,
        distinct,
        &actor,
        now,
    )?;
    let nothing = !plan
        .iter()
        .any(|taken| matches!(taken, ImportReport::Imported(_)));
    if run.output.is_json() && (what.dry_run || nothing) {
        run.output.json(&value(
            &import.found,
            &plan,
            &import.omitted,
            ImportMode::DryRun,
        ))?;
    } else if !run.output.is_json() {
        show(run.output, &import.found, &plan, &import.omitted)?;
    }
    if what.dry_run {
        return Ok(());
    }
    if nothing {
        return Err(CommandFailure::new(
            "nothing in it can be imported; nothing was changed",
        ));
    }
    if !what.yes {
        let typed = prompt::ask(run.output, "Type \"import\" to do this: ")?;
        if !typed.trim().eq_ignore_ascii_case("import") {
            return Err(CommandFailure::new("not confirmed; nothing was changed"));
        }
    }
    let done = engine.accounts().import_authenticators(
        &import.found,
        ImportMode::Commit,
        distinct,
        &actor,
        now,
    )?;
    if run.output.is_json() {
        return run.output.json(&value(
            &import.found,
            &done,
            &import.omitted,
            ImportMode::Commit,
        ));
    }
    let count = done
        .iter()
        .filter(|taken| matches!(taken, ImportReport::Imported(_)))
        .count();
    let app_passwords = match engine.config().app_passwords.on_change {
        AppPasswordsOnChange::Keep => "existing app passwords of these accounts keep working",
        AppPasswordsOnChange::Revoke => "existing app passwords of these accounts are revoked",
    };
    run.output.done(format_args!(
        "{count} authenticators are active, for every service; postern recovery USER makes recovery codes; {app_passwords}"
    ))
}

/// The content of the files that an import needs.
struct ImportFiles {
    import: Zeroizing<Vec<u8>>,
    key: Option<Zeroizing<Vec<u8>>>,
}

impl ImportFiles {
    fn read(what: &ImportArguments) -> CommandResult<ImportFiles> {
        let import = contents(&what.file)?;
        let key = what.key_file.as_ref().or(what.password_file.as_ref());
        Ok(ImportFiles {
            import,
            key: key.map(|file| contents(file)).transpose()?,
        })
    }
}

fn understand(
    what: &ImportArguments,
    files: &ImportFiles,
    now: Timestamp,
) -> CommandResult<import::ImportedFile> {
    let key = match (&files.key, &what.key_file) {
        (Some(key), Some(_)) => Some(bytes_or_hex(key.clone())),
        (key, _) => key.clone(),
    };
    let key = match &key {
        None => PskcKey::None,
        Some(key) if what.key_file.is_some() => PskcKey::Shared(key),
        Some(password) => PskcKey::Password(password.trim_ascii_end()),
    };
    let format = match NAMES.iter().position(|name| *name == what.format) {
        Some(0) => ImportFormat::GoogleAuthenticator {
            account: owner(what)?,
        },
        Some(1) => ImportFormat::Oath { now },
        Some(2) => ImportFormat::Otpauth,
        Some(3) => ImportFormat::OtpauthMigration,
        Some(4) => ImportFormat::Pskc { key },
        _ => ImportFormat::Authelia,
    };
    import::parse_import_file(format, &files.import)
        .map_err(|error| CommandFailure::new(format_args!("{}: {error}", what.file.display())))
}

/// Decodes a key file, which holds the key either as raw bytes or in hexadecimal.
fn bytes_or_hex(bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    match HEXLOWER_PERMISSIVE.decode(bytes.trim_ascii()) {
        Ok(decoded) => Zeroizing::new(decoded),
        Err(_) => bytes,
    }
}

fn owner(what: &ImportArguments) -> CommandResult<&UserName> {
    let missing = "a file of google-authenticator does not name its account; give --user";
    what.user
        .as_ref()
        .ok_or_else(|| CommandFailure::new(missing))
}

fn contents(path: &Path) -> CommandResult<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read =
        File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| CommandFailure::new(format_args!("{}: {error}", path.display())))?;
    Ok(bytes)
}

fn show(
    output: Output,
    found: &[FoundAuthenticator],
    plan: &[ImportReport],
    dropped: &[OmittedEntry],
) -> CommandResult {
    let mut table = Table::new(["line", "account", "kind", "digits", "used up to", "becomes"]);
    for (one, taken) in found.iter().zip(plan) {
        table.row([
            one.line.to_string(),
            one.account.to_string(),
            match one.moving.kind() {
                OtpKind::Time { period } => format!("TOTP, {period} s"),
                OtpKind::Counter => "HOTP".to_owned(),
            },
            one.digits.to_string(),
            one.used_up_to()
                .map_or_else(|| "-".to_owned(), |step| step.0.to_string()),
            becomes(taken),
        ]);
    }
    output.text(&table)?;
    for one in dropped {
        let account = one
            .account
            .as_ref()
            .map_or_else(String::new, |account| format!(" ({account})"));
        output.text(format_args!(
            "line {}{account}: {}: {}\n",
            one.line,
            lost(one.loss),
            one.why
        ))?;
    }
    for one in found.iter().filter(|one| !one.recovery.is_empty()) {
        let (account, count) = (&one.account, one.recovery.len());
        output.text(format_args!(
            "line {} ({account}): not imported: {count} scratch codes of eight digits\n",
            one.line
        ))?;
    }
    Ok(())
}

fn becomes(taken: &ImportReport) -> String {
    match taken {
        ImportReport::Imported(label) => format!("authenticator {label}"),
        ImportReport::AlreadyEnrolled => {
            "nothing: the account has a second factor already".to_owned()
        }
        ImportReport::Declared => {
            "nothing: the account is declared in the configuration".to_owned()
        }
        ImportReport::TooMany => "nothing: the account would have too many".to_owned(),
        ImportReport::OtherSpelling(of) => {
            format!(
                "nothing: another spelling of the account {:?}; --distinct-name makes a second one",
                of.as_str()
            )
        }
    }
}

fn lost(loss: ImportLoss) -> &'static str {
    match loss {
        ImportLoss::Authenticator => "left out",
        ImportLoss::Detail => "not imported",
    }
}

fn value(
    found: &[FoundAuthenticator],
    taken: &[ImportReport],
    dropped: &[OmittedEntry],
    trial: ImportMode,
) -> Value {
    let one = |(one, taken): (&FoundAuthenticator, &ImportReport)| {
        let label = if let ImportReport::Imported(label) = taken {
            Some(label)
        } else {
            None
        };
        json!({
            "line": one.line,
            "account": one.account,
            "imported": label.is_some(),
            "authenticator": label,
            "used_up_to": one.used_up_to().map(|step| step.0),
            "scratch_codes_dropped": one.recovery.len(),
            "message": becomes(taken),
        })
    };
    let lost = |one: &OmittedEntry| json!({"line": one.line, "account": one.account, "reason": lost(one.loss), "message": one.why});
    json!({
        "dry_run": trial == ImportMode::DryRun,
        "found": found.iter().zip(taken).map(one).collect::<Vec<_>>(),
        "dropped": dropped.iter().map(lost).collect::<Vec<_>>(),
    })
}
