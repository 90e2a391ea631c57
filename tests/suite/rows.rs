//! The table of docs/rows.md, the names in ARCHITECTURE.md and the kinds of docs/evidence-format.md against the tests, the
//! files, the tables and the records that there are; and the one row that is shown by what the sources do not hold.
//! Nothing of the program runs here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// What stands where a row has no test yet.
const NOT_YET: &str = "not yet";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn sources_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The texts of all sources and tests.
fn sources() -> Vec<String> {
    let mut paths = Vec::new();
    sources_below(&root().join("src"), &mut paths);
    sources_below(&root().join("tests"), &mut paths);
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The names of all functions that stand right below a line that makes a test of them, attributes between allowed.
fn tests_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")) {
            if is_test {
                names.extend(rest.split(['(', '<']).next().map(str::to_owned));
            }
            is_test = false;
        }
    }
    names
}

/// The rows that a test's name begins with: `h_21_h_22_...` names two, `p_04_to_p_07_...` four.
fn rows_of(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split('_').collect();
    let id = |at: usize| -> Option<(char, u8)> {
        let letter = words.get(at).filter(|word| word.len() == 1)?.chars().next()?;
        let number = words.get(at + 1).filter(|word| word.len() == 2)?.parse().ok()?;
        Some((letter.to_ascii_uppercase(), number))
    };
    let (mut rows, mut at) = (Vec::new(), 0);
    while let Some((letter, number)) = id(at) {
        at += 2;
        let mut last = number;
        if words.get(at) == Some(&"to")
            && let Some((_, end)) = id(at + 1)
        {
            last = end;
            at += 3;
        }
        rows.extend((number..=last).map(|number| format!("{letter}-{number:02}")));
    }
    rows
}

/// The names of the long checks, as `.ci/long` calls them.
fn long_checks(script: &str) -> Vec<String> {
    let calls = script.lines().filter_map(|line| line.strip_prefix("check "));
    calls.filter_map(|call| call.split(' ').next()).map(str::to_owned).collect()
}

fn tests_by_row() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let tests: Vec<String> = sources().iter().flat_map(|source| tests_in(source)).collect();
    for name in tests.into_iter().chain(long_checks(&read(".ci/long"))) {
        for row in rows_of(&name) {
            found.entry(row).or_default().insert(name.clone());
        }
    }
    found
}

/// The page with the names of its last column put in anew, and the rows that it has.
fn written(page: &str, tests: &BTreeMap<String, BTreeSet<String>>) -> (String, BTreeSet<String>) {
    let (mut text, mut rows) = (String::new(), BTreeSet::new());
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let row = cells.get(1).filter(|cell| rows_of(&cell.to_lowercase().replace('-', "_")).len() == 1);
        if let (Some(row), [_, id, fault, class, ..]) = (row, cells.as_slice()) {
            assert!(rows.insert((*row).to_owned()), "{row} stands twice in docs/rows.md");
            assert!(!fault.is_empty() && ["U", "I", "N"].contains(class), "{row}: a fault and a class are needed");
            let shown = tests.get(*row).map_or_else(
                || NOT_YET.to_owned(),
                |names| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            );
            writeln!(text, "| {id} | {fault} | {class} | {shown} |").unwrap();
        } else {
            writeln!(text, "{line}").unwrap();
        }
    }
    (text, rows)
}

#[test]
fn every_row_names_the_tests_that_show_it_and_no_others() {
    let page = read("docs/rows.md");
    let tests = tests_by_row();
    let (text, rows) = written(&page, &tests);
    let missing: Vec<&String> = tests.keys().filter(|row| !rows.contains(*row)).collect();
    assert!(missing.is_empty(), "tests show rows that docs/rows.md does not have: {missing:?}");
    if std::env::var_os("SIGTRAIL_WRITE_ROWS").is_some() {
        fs::write(root().join("docs/rows.md"), text).unwrap();
        return;
    }
    let stale: Vec<&str> = page.lines().zip(text.lines()).filter(|(is, ought)| is != ought).map(|(is, _)| is).collect();
    assert!(stale.is_empty(), "write the table anew with SIGTRAIL_WRITE_ROWS=1; these lines are stale: {stale:#?}");
}

#[test]
fn a_name_is_read_as_the_rows_that_it_begins_with() {
    for (name, rows) in [
        ("h_05_a_bomb_is_stopped", vec!["H-05"]),
        ("h_21_h_22_no_address", vec!["H-21", "H-22"]),
        ("p_04_to_p_07_wishes", vec!["P-04", "P-05", "P-06", "P-07"]),
        ("a_name_without_a_row", vec![]),
        ("h_5_is_no_row", vec![]),
    ] {
        assert_eq!(rows_of(name), rows, "{name}");
    }
    let source =
        "#[test]\n#[cold]\nfn one() {\n}\nfn two() {}\n#[tokio::test(start_paused = true)]\nasync fn three() {}";
    assert_eq!(tests_in(source), ["one", "three"]);
    assert_eq!(long_checks("check() {\ncheck h_49_one long soak\n  check not_this"), ["h_49_one"]);
}

#[test]
fn the_map_names_only_what_there_is() {
    let map = read("ARCHITECTURE.md");
    let sources = sources();
    let tests: BTreeSet<String> = sources.iter().flat_map(|source| tests_in(source)).collect();
    let mut unknown = Vec::new();
    for name in map.split('`').skip(1).step_by(2) {
        let is_path = ["src/", "tests/", "docs/", "templates/"].iter().any(|start| name.starts_with(start));
        let is_sentence = name.matches('_').count() > 3 && !name.contains(' ');
        let is_function = name.contains("::") && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
        let is_there = if is_path {
            root().join(name).exists()
        } else if is_sentence {
            tests.contains(name)
        } else if is_function {
            let last = name.rsplit("::").next().unwrap_or(name);
            sources.iter().any(|source| source.contains(&format!("fn {last}")))
        } else {
            true
        };
        if !is_there {
            unknown.push(name);
        }
    }
    assert!(unknown.is_empty(), "ARCHITECTURE.md names what is not there: {unknown:?}");
}

#[test]
fn every_table_of_the_store_stands_on_the_map() {
    let (map, mut tables) = (read("ARCHITECTURE.md"), 0);
    for entry in fs::read_dir(root().join("src/store/migrations")).unwrap() {
        let sql = fs::read_to_string(entry.unwrap().path()).unwrap();
        for made in sql.split("CREATE TABLE ").skip(1) {
            let table = made.split([' ', '(']).next().unwrap();
            assert!(map.contains(&format!("`{table}`")), "ARCHITECTURE.md lacks the table {table}");
            tables += 1;
        }
    }
    assert!(tables > 30, "{tables} tables");
}

#[test]
fn every_kind_of_record_stands_in_the_evidence_format_and_no_other() {
    let event = read("src/evidence/draft.rs");
    let drafts = event.split("Draft::new(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    let kinds: BTreeSet<&str> = drafts.filter_map(|rest| rest.split('"').next()).collect();
    assert!(kinds.len() > 25, "{kinds:?}");
    let page = read("docs/evidence-format.md");
    let table = page.split("| kind | fields |").nth(1).unwrap().split("\n\n").next().unwrap();
    let told = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(told.collect::<BTreeSet<_>>(), kinds);
}

#[test]
fn m_08_no_header_goes_around_its_encoding() {
    // In two parts, so that this file does not find itself.
    let forbidden = concat!("new_pre_", "encoded");
    let rules = read("clippy.toml");
    assert!(rules.lines().any(|line| line.contains(forbidden) && line.contains("path =")), "clippy does not refuse it");
    assert!(sources().iter().all(|source| !source.contains(forbidden)), "somebody goes around it");
}
