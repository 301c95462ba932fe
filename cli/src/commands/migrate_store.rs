//! `postern migrate-store`: moves the store to another place. What reads the store runs as user
//! posternd; where the new place is a file, a process that stays root puts that in its place.

use super::restore::lock_folder;
use crate::arguments::migrate_store::MigrateStoreArguments;
use crate::context::{self, Invocation};
use crate::store_files::{FileTask, StoreFiles};
use crate::terminal::output::{CommandFailure, CommandResult, Output, OutputTable};
use postern_shared::config::{AbsolutePath, Config, StoreConfig, StoreUrl};
use postern_shared::engine::{Engine, privileges};
use postern_shared::store::{self, CountedTable, Intent, StoreTransfer, TransferPlan};
use postern_shared::system::clock;
use serde_json::json;
use std::path::{Path, PathBuf};

pub(super) fn run(run: Invocation<'_>, what: &MigrateStoreArguments) -> CommandResult {
    let mut config = run.config()?;
    let target = target(what, &config.store)?;
    let mut file = match target.url.sqlite_path() {
        Some(path) if !what.dry_run => Some(TargetFile::create(path, &target)?),
        _ => None,
    };
    // the store that was moved here before may be a single file
    store::make_missing_files(&target.url)?;
    context::give_root_up(&mut config)?;
    let plan = store::plan(&config.store, &target)?;
    let mut moved = Moved {
        from: config.store.url.clone(),
        tables: Vec::new(),
        kept: None,
    };
    match plan {
        TransferPlan::Copy => {
            // the key opens the store, and the password is readable by the daemons' users
            drop(Engine::open(config.clone())?);
            if what.dry_run {
                moved.tables = count_rows(&config.store)?;
                return moved.show(run.output, "would be moved", &target);
            }
            moved.copy(&config.store, &target, file.as_mut())?;
        }
        TransferPlan::Finish(_) if what.dry_run => {
            return run.output.done(format_args!(
                "the store was copied to {}, and the old one is marked as moved; run this again without --dry-run to complete it",
                target.url
            ));
        }
        TransferPlan::Finish(id) => store::put_in_force(&target, id)?,
    }
    let mut engine = Engine::open(Config {
        store: target.clone(),
        ..config
    })?;
    log(run.output, &mut engine, &moved.from)?;
    moved.tables.retain(|table| table.rows > 0);
    moved.show(run.output, "moved", &target)?;
    match run.output.is_json() {
        true => Ok(()),
        false => moved.advise(run, &target),
    }
}

/// Returns `[store]` as it will be.
fn target(what: &MigrateStoreArguments, source: &StoreConfig) -> CommandResult<StoreConfig> {
    let is_file = what.to.sqlite_path().is_some();
    if is_file && (what.password_file.is_some() || what.ca_file.is_some()) {
        return Err(CommandFailure::Usage(
            "--password-file and --ca-file are of PostgreSQL, not of a file",
        ));
    }
    let absolute = |path: &Option<PathBuf>| -> CommandResult<Option<AbsolutePath>> {
        let Some(path) = path else { return Ok(None) };
        let path = AbsolutePath::try_from(std::path::absolute(path)?);
        path.map(Some).map_err(CommandFailure::new)
    };
    Ok(StoreConfig {
        url: what.to.clone(),
        password_file: absolute(&what.password_file)?,
        ca_file: absolute(&what.ca_file)?,
        key_file: source.key_file.clone(),
    })
}

/// A file that becomes the store, and the process that puts it in its place.
struct TargetFile {
    /// `[store]` with the temporary path.
    settings: StoreConfig,
    files: StoreFiles,
}

impl TargetFile {
    fn create(path: &Path, target: &StoreConfig) -> CommandResult<TargetFile> {
        let user = privileges::user_and_group()?.0.as_raw();
        let folder = lock_folder(path)?;
        let temporary = store::create_temporary(&target.url, user)?;
        let ending = format!(
            ".before-migration-{}",
            clock::now()?.to_string().replace(':', "")
        );
        let task = FileTask::ReplaceStore(path, &ending, &folder);
        let url = format!("sqlite:{}", temporary.path().display());
        Ok(TargetFile {
            settings: StoreConfig {
                url: StoreUrl::try_from(url).map_err(CommandFailure::new)?,
                ..target.clone()
            },
            files: StoreFiles::start(temporary.path(), &task)?,
        })
    }
}

fn count_rows(settings: &StoreConfig) -> CommandResult<Vec<CountedTable>> {
    let mut store = store::open(settings)?;
    let mut transaction = store.begin(Intent::Read)?;
    Ok(transaction.count_rows()?)
}

/// Records the transfer in the audit log. A log that cannot be written does not undo it.
fn log(output: Output, engine: &mut Engine, from: &StoreUrl) -> CommandResult {
    let now = clock::now()?;
    let logged = engine.backups().log_transfer(from, &context::actor(), now);
    match logged {
        Ok(()) => Ok(()),
        Err(error) => Ok(output.warn(format_args!(
            "the audit log does not name this transfer: {error}"
        ))?),
    }
}

/// A transfer that has begun: its source, and the tables that were copied.
struct Moved {
    from: StoreUrl,
    tables: Vec<CountedTable>,
    /// Where a store is kept that was in the place of the new one.
    kept: Option<String>,
}

impl Moved {
    fn copy(
        &mut self,
        source: &StoreConfig,
        target: &StoreConfig,
        file: Option<&mut TargetFile>,
    ) -> CommandResult {
        let mut transfer = StoreTransfer::begin(source)?;
        let now = clock::now()?;
        match file {
            None => self.tables = transfer.copy(target, now)?,
            Some(file) => {
                self.tables = transfer.copy(&file.settings, now)?;
                self.kept = Some(file.files.finish()?).filter(|kept| !kept.is_empty());
            }
        }
        let id = transfer.id();
        transfer.mark_moved(&target.url, now)?;
        Ok(store::put_in_force(target, id)?)
    }

    fn show(&self, output: Output, done: &str, target: &StoreConfig) -> CommandResult {
        let rows: u64 = self.tables.iter().map(|table| table.rows).sum();
        if output.is_json() {
            let tables: serde_json::Map<_, _> = self
                .tables
                .iter()
                .map(|table| (table.name.clone(), json!(table.rows)))
                .collect();
            return output.json(&json!({
                "success": true,
                "moved": done == "moved",
                "from": self.from,
                "to": target.url,
                "rows": rows,
                "tables": tables,
                "kept": self.kept,
            }));
        }
        let mut table = OutputTable::new(["table", "rows"]);
        for one in self.tables.iter().filter(|table| table.rows > 0) {
            table.row([one.name.clone(), one.rows.to_string()]);
        }
        output.text(table)?;
        output.text(format_args!(
            "{done}: {rows} rows from {} to {}\n",
            self.from, target.url
        ))
    }

    /// Says what is left to do.
    fn advise(&self, run: Invocation<'_>, target: &StoreConfig) -> CommandResult {
        let mut lines = format!("[store]\nurl = \"{}\"\n", target.url);
        for (key, file) in [
            ("password_file", &target.password_file),
            ("ca_file", &target.ca_file),
        ] {
            if let Some(file) = file {
                lines.push_str(&format!("{key} = {:?}\n", file.path()));
            }
        }
        run.output.text(format_args!(
            "\nNo program opens the old store any more: access is denied until {} names the new place,\non each host that used the old one:\n\n{lines}\nThen: systemctl restart posternd postern-gate\n\nTo move it back: postern migrate-store --to {}\n",
            run.config_path.display(),
            self.from
        ))?;
        match &self.kept {
            Some(kept) => run.output.text(format_args!(
                "{kept} was in the new place, and holds secrets: remove it once everything works\n"
            )),
            None => Ok(()),
        }
    }
}
