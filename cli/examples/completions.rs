//! Writes what shells complete, packaging/completions, from the one declaration of the command line:
//! `cargo run -p postern-cli --example completions`. Its test sees that the files are what it would write.

#[allow(
    dead_code,
    reason = "only the declaration is read here, not what was typed"
)]
#[path = "../src"]
mod command {
    pub(crate) mod arguments;
}

use clap::CommandFactory;
use clap_complete::{Generator, Shell, generate};
use command::arguments::Arguments;
use std::path::PathBuf;

const NAME: &str = "postern";

/// Each shell's file and what belongs in it.
fn files() -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../packaging/completions"
    ));
    [Shell::Bash, Shell::Zsh, Shell::Fish]
        .into_iter()
        .map(move |shell| {
            let mut text = Vec::new();
            generate(shell, &mut Arguments::command(), NAME, &mut text);
            (folder.join(shell.file_name(NAME)), text)
        })
}

fn main() -> std::io::Result<()> {
    files().try_for_each(|(path, text)| std::fs::write(path, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_completions_are_what_the_declaration_gives() {
        for (path, text) in files() {
            let is = std::fs::read(&path).unwrap_or_default();
            let how = "write it anew: cargo run -p postern-cli --example completions";
            assert!(
                is == text,
                "{}: not what arguments.rs declares; {how}",
                path.display()
            );
        }
    }
}
