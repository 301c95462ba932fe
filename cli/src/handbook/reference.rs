//! The parts of the handbook about the command: its commands and options, and what it prints for
//! each proxy.

use super::generated::{block, compare_parts};
use crate::arguments::{Arguments, Command};
use crate::commands::print_config;
use clap::{CommandFactory, Parser};
use postern_shared::config::Config;
use std::fmt::Write as _;

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// Returns a row of a table of arguments.
fn row(argument: &clap::Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    let name = match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => {
            format!("--{long} {}", values.join(" "))
        }
        Some(long) => format!("--{long}"),
        None => values.join(" "),
    };
    let mut text = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let possible = argument.get_possible_values();
    let takes_values = argument.get_action().takes_values();
    if takes_values && !possible.is_empty() {
        let names: Vec<_> = possible
            .iter()
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let _ = write!(text, ": {}", names.join(", "));
    }
    if let (true, [default]) = (takes_values, argument.get_default_values()) {
        let _ = write!(text, "; default `{}`", default.to_string_lossy());
    }
    format!("| `{name}` | {} |\n", cell(&text))
}

fn table<'a>(arguments: impl Iterator<Item = &'a clap::Arg>) -> String {
    let rows: String = arguments.map(row).collect();
    match rows.is_empty() {
        true => rows,
        false => format!("| argument | description |\n|---|---|\n{rows}\n"),
    }
}

/// Describes a command, or its subcommands.
fn describe(command: &clap::Command, name: &str, text: &mut String) {
    for sub in command.get_subcommands() {
        describe(sub, &format!("{name} {}", sub.get_name()), text);
    }
    if command.has_subcommands() {
        return;
    }
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let usage = command.clone().bin_name(name).render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = write!(
        text,
        "## {name}\n\n{about}.\n\n{}\n\n",
        block("text", usage)
    );
    let arguments = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set());
    *text += &table(arguments);
}

fn commands() -> String {
    let command = Arguments::command();
    let mut text = "## Options of every command\n\n".to_owned();
    text += &table(command.get_arguments());
    describe(&command, "postern", &mut text);
    text
}

#[test]
fn generated_reference_of_the_commands_is_that_of_the_declaration() {
    assert_eq!(compare_parts("commands", &|_| commands()), 1);
}

/// Returns what `print-config` prints for a proxy, with options where it needs some.
fn print(words: &[&str]) -> String {
    let mut line = vec!["postern", "print-config"];
    line.extend(words);
    line.extend([
        "--url",
        "https://auth.example.com/",
        "--app",
        "app.example.com",
    ]);
    let arguments = Arguments::try_parse_from(line).expect("the part names valid arguments");
    let Command::PrintConfig(what) = arguments.command else {
        unreachable!("the line names the command");
    };
    match print_config::printed(&what) {
        Ok(text) => text,
        Err(error) => panic!("{words:?}: {error:?}"),
    }
}

fn configuration(words: &[&str]) -> String {
    let language = match words[0] {
        "nginx" | "nginx-proxy-manager" => "nginx",
        "apache" => "apache",
        "caddy" | "haproxy" => "text",
        _ => "yaml",
    };
    block(language, &print(words))
}

#[test]
fn generated_configurations_of_the_proxies_are_what_print_config_prints() {
    assert_eq!(compare_parts("print-config", &configuration), 10);
}

/// Returns the lines of postern.toml that the head of a configuration lists.
fn settings(words: &[&str]) -> String {
    let text = print(words);
    let (_, lines) = text
        .split_once("# postern.toml needs:\n")
        .expect("the head has it");
    let lines = lines.lines().map_while(|line| line.strip_prefix("#     "));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\n[", "\n\n[");
    if let Err(error) = toml::from_str::<Config>(&text) {
        panic!("{words:?}: {error}\n{text}");
    }
    block("toml", &text)
}

#[test]
fn generated_settings_of_the_proxies_are_valid_and_those_of_the_samples() {
    assert_eq!(compare_parts("proxy-settings", &settings), 10);
}
