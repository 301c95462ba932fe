//! Compares the man page with the declaration of the command line. postern(1) is written by hand,
//! because a list of options does not explain a command. Its synopsis lines must equal those of the
//! declaration, so that neither has an option that the other lacks.

use crate::arguments::Arguments;
use clap::CommandFactory;

const MANUAL: &str = include_str!("../../../packaging/man/postern.1");

/// Returns the value of an argument in the notation of the man page.
fn value(argument: &clap::Arg) -> String {
    let possible = argument.get_possible_values();
    match argument.get_value_names() {
        _ if argument.is_positional() && !possible.is_empty() => {
            let names: Vec<_> = possible
                .iter()
                .map(|value| value.get_name().to_owned())
                .collect();
            format!("Cm {}", names.join(" | "))
        }
        Some(names) => {
            let names: Vec<_> = names.iter().map(|name| name.to_lowercase()).collect();
            format!("Ar {}", names.join(" Ar "))
        }
        None => format!("Ar {}", argument.get_id()),
    }
}

/// Returns an option in the notation of the man page.
fn option(argument: &clap::Arg) -> Option<String> {
    let long = argument.get_long()?;
    match argument.get_action().takes_values() {
        true => Some(format!("Fl -{long} {}", value(argument))),
        false => Some(format!("Fl -{long}")),
    }
}

/// Collects the man page's items for a command and its subcommands. An option that replaces a
/// positional argument is written beside that argument.
fn items(command: &clap::Command, name: &str, found: &mut Vec<String>) {
    for sub in command.get_subcommands() {
        items(
            sub,
            format!("{name} {}", sub.get_name()).trim_start(),
            found,
        );
    }
    if command.has_subcommands() {
        return;
    }
    let mut line = format!(".It Cm {name}");
    let beside = |argument| {
        command
            .get_arg_conflicts_with(argument)
            .into_iter()
            .find_map(option)
    };
    let positional: Vec<_> = command.get_positionals().collect();
    let alternatives: Vec<_> = positional
        .iter()
        .filter_map(|argument| beside(argument))
        .collect();
    for argument in command.get_arguments() {
        let written = option(argument).filter(|written| !alternatives.contains(written));
        line.push_str(&match written {
            Some(written) if !argument.is_required_set() => format!(" Oo {written} Oc"),
            Some(written) if matches!(argument.get_action(), clap::ArgAction::Append) => {
                format!(" {written} ...")
            }
            Some(written) => format!(" {written}"),
            None => continue,
        });
    }
    for argument in positional {
        let mut value = value(argument);
        if matches!(argument.get_action(), clap::ArgAction::Append) {
            value.push_str(" ...");
        }
        line.push_str(&match beside(argument) {
            Some(other) => format!(" {value} | {other}"),
            None if argument.is_required_set() => format!(" {value}"),
            None => format!(" Op {value}"),
        });
    }
    found.push(line);
}

fn sorted<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<_> = lines.map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn the_man_page_lists_every_command_and_option_and_no_other() {
    let command = Arguments::command();
    let mut items_of_commands = vec![".It Cm help Op Ar command".to_owned()];
    items(&command, "", &mut items_of_commands);
    assert!(items_of_commands.len() > 12, "{items_of_commands:?}");
    let options = command
        .get_arguments()
        .filter_map(option)
        .map(|option| format!(".It {option}"));
    let mut expected: Vec<_> = options.chain(items_of_commands).collect();
    expected.extend([".It Fl h , Fl -help", ".It Fl V , Fl -version"].map(str::to_owned));
    let written = MANUAL
        .lines()
        .filter(|line| line.starts_with(".It Cm") || line.starts_with(".It Fl"));
    assert_eq!(sorted(written), sorted(expected.iter().map(String::as_str)));
}

#[test]
fn the_man_page_names_every_event() {
    for name in postern_shared::account::event::EventKind::ALL
        .map(postern_shared::account::event::EventKind::name)
    {
        assert!(
            MANUAL.contains(&format!("\n.Ql {name}")),
            "postern(1) lacks {name}"
        );
    }
}
