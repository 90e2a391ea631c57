//! The configuration as a whole: the shipped files, and everything that can be wrong with four files.

use std::path::Path;

use sigtrail::config;

#[test]
fn the_shipped_files_are_well() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match config::load_at(root, "2026-11-20T08:00:00Z".parse().unwrap()) {
        Ok((config, warnings)) => {
            assert!(warnings.is_empty(), "{}", config::render(&warnings, &config.files, false));
        }
        Err(problems) => panic!("{problems}"),
    }
}
