//! Links postern-password with libpam, and lists the catalogue's languages for the gate.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // The linker is told the library's own name, so that no development package is needed to build.
    std::fs::write(folder.join("libpam.so"), "INPUT(-l:libpam.so.0)\n")?;
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rerun-if-changed=build.rs");
    list_languages(&folder.join("languages.rs"))
}

/// Every file of texts/, by its language's tag.
fn list_languages(to: &Path) -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=texts");
    let texts = std::env::current_dir()?.join("texts");
    let mut files: Vec<PathBuf> = std::fs::read_dir(texts)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut list = String::from("&[");
    for file in files {
        let tag = file.file_stem().unwrap_or_default();
        write!(
            list,
            "({:?}, include_str!({:?})),",
            tag.to_string_lossy(),
            file
        )
        .expect("memory takes it");
    }
    std::fs::write(to, list + "]")
}
