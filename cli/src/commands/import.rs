//! `postern import`: imports second factors from the files of other systems. It first prints what
//! the import would change. Then, unless this is a dry run, it changes the store.

use crate::arguments::ImportArguments;
use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult, Output, OutputTable, counted};
use crate::terminal::prompt;
use data_encoding::HEXLOWER_PERMISSIVE;
use postern_shared::account::name::UserName;
use postern_shared::config::AppPasswordsOnChange;
use postern_shared::credential::import::{
    self, FoundAuthenticator, ImportFormat, ImportLoss, ImportOwners, ImportedFile, LARGEST, NAMES,
    OmittedEntry, PskcKey, SerialList,
};
use postern_shared::credential::otp::totp::OtpKind;
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
    let import = understand(
        what,
        &files,
        u64::from(engine.config().totp.future_steps.value()),
        now,
    )?;
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
        run.output
            .json(&value(&import, &plan, ImportMode::DryRun))?;
    } else if !run.output.is_json() {
        show(run.output, &import, &plan)?;
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
        return run.output.json(&value(&import, &done, ImportMode::Commit));
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
        "{} active, wherever a code is asked for; postern recovery USER makes recovery codes; {app_passwords}",
        match count {
            1 => "1 authenticator is".to_owned(),
            count => format!("{} are", counted(count as u64, "authenticator")),
        }
    ))
}

/// The content of the files that an import needs.
struct ImportFiles {
    import: Zeroizing<Vec<u8>>,
    key: Option<Zeroizing<Vec<u8>>>,
    user_list: Option<Zeroizing<Vec<u8>>>,
}

impl ImportFiles {
    fn read(what: &ImportArguments) -> CommandResult<ImportFiles> {
        let import = contents(&what.file)?;
        let key = what.key_file.as_ref().or(what.password_file.as_ref());
        Ok(ImportFiles {
            import,
            key: key.map(|file| contents(file)).transpose()?,
            user_list: what
                .user_list
                .as_ref()
                .map(|file| contents(file))
                .transpose()?,
        })
    }
}

fn understand(
    what: &ImportArguments,
    files: &ImportFiles,
    future_steps: u64,
    now: Timestamp,
) -> CommandResult<ImportedFile> {
    refuse_unused_options(what)?;
    let serials =
        match (&files.user_list, &what.user_list) {
            (Some(list), Some(file)) => Some(SerialList::parse(list).map_err(|error| {
                CommandFailure::new(format_args!("{}: {error}", file.display()))
            })?),
            _ => None,
        };
    let owners = ImportOwners {
        user: what.user.as_ref(),
        serials: serials.as_ref(),
    };
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
            now,
            future_steps,
        },
        Some(1) => ImportFormat::Oath { now },
        Some(2) => ImportFormat::Otpauth,
        Some(3) => ImportFormat::OtpauthMigration,
        Some(4) => ImportFormat::Pskc { key, owners, now },
        Some(5) => ImportFormat::Authelia,
        Some(6) => ImportFormat::Aegis { owners },
        Some(7) => ImportFormat::TwoFas { owners },
        _ => ImportFormat::PrivacyIdea { owners },
    };
    import::parse_import_file(format, &files.import)
        .map_err(|error| CommandFailure::new(format_args!("{}: {error}", what.file.display())))
}

/// Refuses options that would have no effect: a format that names every account.
fn refuse_unused_options(what: &ImportArguments) -> CommandResult {
    let format = what.format.as_str();
    if what.user.is_some()
        && matches!(
            format,
            "oath" | "otpauth" | "otpauth-migration" | "authelia"
        )
    {
        let why = "a file of this format names its accounts; leave --user out";
        return Err(CommandFailure::new(why));
    }
    if what.user_list.is_some() && !matches!(format, "pskc" | "privacyidea") {
        let why = "only pskc and privacyidea have serial numbers; leave --user-list out";
        return Err(CommandFailure::new(why));
    }
    Ok(())
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
    // room for all of it: a vector that grows leaves copies of secrets behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + 2));
    let read =
        File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| CommandFailure::new(format_args!("{}: {error}", path.display())))?;
    Ok(bytes)
}

fn show(output: Output, import: &ImportedFile, plan: &[ImportReport]) -> CommandResult {
    let (found, unit) = (&import.found, import.unit.name());
    let mut table = OutputTable::new([unit, "account", "kind", "digits", "used up to", "becomes"]);
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
    for one in &import.omitted {
        let account = one
            .account
            .as_ref()
            .map_or_else(String::new, |account| format!(" ({account})"));
        output.text(format_args!(
            "{unit} {}{account}: {}: {}\n",
            one.line,
            lost(one.loss),
            one.why
        ))?;
    }
    for one in found.iter().filter(|one| !one.recovery.is_empty()) {
        let (account, count) = (&one.account, one.recovery.len());
        output.text(format_args!(
            "{unit} {} ({account}): not imported: {} of eight digits\n",
            one.line,
            counted(count as u64, "scratch code"),
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
        ImportLoss::Strength => "warning",
    }
}

fn value(import: &ImportedFile, taken: &[ImportReport], trial: ImportMode) -> Value {
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
    let is_dropped = |one: &&OmittedEntry| one.loss != ImportLoss::Strength;
    let is_warning = |one: &&OmittedEntry| one.loss == ImportLoss::Strength;
    json!({
        "counted": import.unit.name(),
        "dry_run": trial == ImportMode::DryRun,
        "found": import.found.iter().zip(taken).map(one).collect::<Vec<_>>(),
        "dropped": import.omitted.iter().filter(is_dropped).map(lost).collect::<Vec<_>>(),
        "warnings": import.omitted.iter().filter(is_warning).map(lost).collect::<Vec<_>>(),
    })
}
