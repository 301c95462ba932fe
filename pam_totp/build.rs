//! Links the module so that it can be loaded into, and never unloaded from, other programs.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    // The linker script names the library itself, so that no development package is needed to build.
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::write(folder.join("libpam.so"), "INPUT(-l:libpam.so.0)\n")?;
    println!("cargo:rustc-link-search=native={}", folder.display());
    // nodelete: a Rust library that is unloaded by pam_end crashes hosts with threads.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete,-z,relro,-z,now");
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
