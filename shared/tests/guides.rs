//! README and the guides: each block of postern.toml in them is a valid configuration.

use postern_shared::config::Config;
use std::path::Path;

#[test]
fn every_block_of_settings_in_readme_and_guides_is_valid() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let guides = std::fs::read_dir(checkout.join("docs/guides")).unwrap();
    let mut documents: Vec<_> = guides.map(|entry| entry.unwrap().path()).collect();
    documents.push(checkout.join("README.md"));
    let mut count = 0;
    for path in documents {
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            count += 1;
            let read: Result<Config, _> = toml::from_str(block);
            if let Err(error) = read {
                panic!("{}: {error}\n{block}", path.display());
            }
        }
    }
    assert!(count >= 10, "{count}");
}
