//! One call of the program.

use crate::arguments::{Arguments, Command, Reports, RunArguments};
use crate::case::{Case, NotPassed};
use crate::report::results::{CaseEnd, Column, Verdict};
use crate::report::{junit, markdown, matrix};
use crate::suite::Suite;
use crate::target::Target;
use crate::{cases, echo, fault};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
}

/// Does what the command line asks for. The error is a wrong usage.
pub(crate) fn run(arguments: Arguments) -> Result<Outcome, String> {
    match arguments.command {
        None => run_targets(&arguments.run),
        Some(Command::Echo { listen }) => {
            echo::serve(listen).map_err(|error| format!("{listen}: {error}"))?;
            Ok(Outcome::Passed)
        }
        Some(Command::Fault {
            name,
            target,
            server,
        }) => {
            fault::serve(&name, Target::read(&target)?, &server)?;
            Ok(Outcome::Passed)
        }
        Some(Command::List) => {
            for case in cases::all() {
                let advisories = case.advisories.join(" ");
                println!("{}\t{}\t{advisories}", case.group, case.name);
            }
            Ok(Outcome::Passed)
        }
        Some(Command::Report { files, reports }) => {
            let columns: Result<Vec<_>, _> = files.iter().map(junit::read).collect();
            let columns = columns?.into_iter().flatten().collect();
            finish(columns, &reports)
        }
    }
}

fn run_targets(arguments: &RunArguments) -> Result<Outcome, String> {
    if arguments.targets.is_empty() {
        return Err("no target file; conformance --help says how to call it".to_owned());
    }
    let chosen = choose(&arguments.only)?;
    // Every file is read before the first case runs.
    let read = |path: &PathBuf| Suite::new(Target::read(path)?);
    let suites: Result<Vec<_>, String> = arguments.targets.iter().map(read).collect();
    let mut columns = Vec::new();
    for mut suite in suites? {
        let ended = chosen.iter().map(|case| run_case(case, &mut suite));
        columns.push(Column {
            ends: ended.collect(),
            target: suite.target.name.clone(),
        });
    }
    finish(columns, &arguments.reports)
}

fn choose(groups: &[String]) -> Result<Vec<Case>, String> {
    let mut all = cases::all();
    for group in groups {
        if !all.iter().any(|case| case.group == group) {
            return Err(format!(
                "no group is called {group}; `conformance list` prints them"
            ));
        }
    }
    if !groups.is_empty() {
        all.retain(|case| groups.iter().any(|group| case.group == group));
    }
    Ok(all)
}

fn run_case(case: &Case, suite: &mut Suite) -> CaseEnd {
    let began = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| (case.run)(suite)));
    let verdict = match ended {
        Ok(Ok(())) => Verdict::Passed,
        Ok(Err(NotPassed::Failed(message))) => Verdict::Failed(message),
        Ok(Err(NotPassed::Skipped(reason))) => Verdict::Skipped(reason),
        Err(_) => Verdict::Failed("the case panicked: this is a fault of the suite".to_owned()),
    };
    let end = CaseEnd {
        group: case.group.to_owned(),
        name: case.name.to_owned(),
        verdict,
        seconds: began.elapsed().as_secs_f64(),
    };
    eprintln!("{}: {}", suite.target.name, matrix::line(&end));
    end
}

fn finish(columns: Vec<Column>, reports: &Reports) -> Result<Outcome, String> {
    print!("{}", matrix::render(&columns));
    for (path, render) in [
        (&reports.junit, junit::render as fn(&[Column]) -> String),
        (&reports.markdown, markdown::render),
    ] {
        if let Some(path) = path {
            std::fs::write(path, render(&columns))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    let failed = columns.iter().flat_map(|column| &column.ends);
    let failed = failed.filter(|end| matches!(end.verdict, Verdict::Failed(_)));
    Ok(match failed.count() {
        0 => Outcome::Passed,
        _ => Outcome::Failed,
    })
}
