//! The report of `postern restore`. A store may have a million accounts: people are shown some of
//! them, and JSON, which lists all, is written from the report itself.

use super::{Restored, store_processes};
use crate::terminal::output::{CommandResult, Output, OutputTable, counted};
use postern_shared::account::name::UserName;
use postern_shared::config::Config;
use postern_shared::crypto::backup_file::BackupHeader;
use postern_shared::engine::{RestoreReport, ToRenew};
use postern_shared::store::STORE_VERSION;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Accounts that are shown to people; JSON lists all.
const MOST_SHOWN: usize = 200;

#[derive(Serialize)]
struct RestoredAsJson<'a> {
    success: bool,
    backup: String,
    store_version: i64,
    kept: Option<&'a str>,
    uses_are_known: bool,
    damaged: &'a BTreeSet<UserName>,
    removed: &'a BTreeSet<UserName>,
    accounts: AccountsToRenew<'a>,
}

struct AccountsToRenew<'a>(&'a BTreeMap<UserName, ToRenew>);

#[derive(Serialize)]
struct AccountToRenew<'a> {
    account: &'a UserName,
    recovery_codes: u64,
    app_passwords: u64,
    passkeys: u64,
    refused_counters: u64,
}

impl Serialize for AccountsToRenew<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(account, renew)| AccountToRenew {
            account,
            recovery_codes: renew.recovery_codes,
            app_passwords: renew.app_passwords,
            passkeys: renew.passkeys,
            refused_counters: renew.refused_counters,
        }))
    }
}

/// Prints what was restored, and what an administrator has to renew.
pub(super) fn tell(
    output: Output,
    config: &Config,
    header: &BackupHeader,
    restored: &Restored,
) -> CommandResult {
    let report = &restored.report;
    if output.is_json() {
        return output.json(&RestoredAsJson {
            success: true,
            backup: header.created.to_string(),
            store_version: restored.found_version,
            kept: restored.kept.as_deref(),
            uses_are_known: report.uses_are_known,
            damaged: &report.damaged,
            removed: &report.removed,
            accounts: AccountsToRenew(&report.renew),
        });
    }
    output.text(format_args!(
        "restored the store of {}; sessions, trusted browsers, grace periods, one-time codes and mailed codes have ended, and no code of before now is accepted\n",
        header.created
    ))?;
    if i64::from(STORE_VERSION) != restored.found_version {
        output.text(format_args!(
            "it had version {} and has version {STORE_VERSION} now\n",
            restored.found_version
        ))?;
    }
    if let Some(kept) = &restored.kept {
        output.text(format_args!(
            "the earlier store is {kept}: remove it once everything works\n"
        ))?;
    }
    warn_of_each(output, &report.damaged, |name| {
        match config.find_declared_account(name) {
            Some(_) => format!(
                "a secret of {name} in the store cannot be opened; the one that the configuration declares is used"
            ),
            None => {
                format!("a secret of {name} cannot be opened; disable {name} and enroll it again")
            }
        }
    })?;
    warn_of_each(output, &report.removed, |name| {
        format!("{name} was removed after the backup and is back: postern account remove {name}")
    })?;
    tell_what_to_renew(output, report)?;
    output.text(format_args!(
        "start the services again: {}\n",
        store_processes::START
    ))
}

/// Warns of as many accounts as are shown to people.
fn warn_of_each(
    output: Output,
    names: &BTreeSet<UserName>,
    warning: impl Fn(&UserName) -> String,
) -> CommandResult {
    for name in names.iter().take(MOST_SHOWN) {
        output.warn(warning(name))?;
    }
    match names.len().saturating_sub(MOST_SHOWN) {
        0 => Ok(()),
        more => Ok(output.warn(format_args!("the same is true of {more} more accounts"))?),
    }
}

/// Prints what cannot be known: what may have been used, revoked or changed since the backup.
fn tell_what_to_renew(output: Output, report: &RestoreReport) -> CommandResult {
    output.text(
        "What was changed after the backup is as it was before: accounts and second factors that were \
         removed, passwords, groups and mail addresses that were changed. Do it again.\n",
    )?;
    if report.renew.is_empty() {
        return Ok(());
    }
    output.text(match report.uses_are_known {
        true => {
            "Recovery codes that were used or replaced, and app passwords that were revoked, after the backup stay so. Valid are:\n"
        }
        false => {
            "Valid again are a recovery code that was used or replaced, and an app password that was revoked, after the backup. Renew them where that may be:\n"
        }
    })?;
    let mut table = OutputTable::new(["account", "has", "renew with"]);
    for (name, renew) in report.renew.iter().take(MOST_SHOWN) {
        table.row([
            name.to_string(),
            has(renew),
            commands(renew)
                .map(|command| format!("{command} {name}"))
                .collect::<Vec<_>>()
                .join(", "),
        ]);
    }
    output.text(table)?;
    match report.renew.len().saturating_sub(MOST_SHOWN) {
        0 => Ok(()),
        more => output.text(format_args!("and {more} more: postern status shows them\n")),
    }
}

fn has(renew: &ToRenew) -> String {
    let counts = [
        (renew.recovery_codes, "recovery code"),
        (renew.app_passwords, "app password"),
        (renew.passkeys, "passkey"),
        (renew.refused_counters, "refused authenticator by counter"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let texts: Vec<String> = counts
        .map(
            |(count, noun)| match noun.strip_prefix("refused authenticator") {
                // the plural is in the middle
                Some(rest) => format!("{}{rest}", counted(count, "refused authenticator")),
                None => counted(count, noun),
            },
        )
        .collect();
    texts.join(", ")
}

fn commands(renew: &ToRenew) -> impl Iterator<Item = &'static str> {
    let commands = [
        (renew.recovery_codes, "postern recovery"),
        (renew.app_passwords, "postern app-password revoke"),
        (renew.passkeys, "postern disable"),
        (renew.refused_counters, "postern authenticator add"),
    ];
    commands
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, command)| command)
}
