//! The house rules that a compiler does not enforce: who may import whom, who may read the clock or speak SQL, and what
//! every file owes its reader. Reads the sources as text.
#![expect(clippy::string_slice, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A source file below `src/`.
struct Source {
    /// Its path below the project's folder, with slashes.
    path: String,
    /// As it stands.
    text: String,
    /// Without comments, without what is in quotes, and without its tests.
    code: String,
    /// Without its tests only.
    untested: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder with one of these endings, by its path below the project's folder.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| endings.iter().any(|one| end == *one)) {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has files");
    found
}

fn sources() -> Vec<Source> {
    let not_test = |(path, _): &(String, String)| !path.ends_with("/tests.rs");
    let sources = files("src", &["rs"]).into_iter().filter(not_test).map(|(path, text)| {
        let untested = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        Source { code: bare(&untested), path, text, untested }
    });
    sources.collect()
}

/// The code without comments and without the insides of string literals.
fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kept, length) = if rest.starts_with("//") {
            ("", rest.find('\n').unwrap_or(rest.len()))
        } else if let Some(length) = raw_literal(rest) {
            ("\"\"", length)
        } else if first == '"' {
            ("\"\"", literal(rest))
        } else if rest.starts_with("'\"'") {
            ("' '", 3)
        } else if rest.starts_with("'\\\"'") {
            ("' '", 4)
        } else {
            (&rest[..first.len_utf8()], first.len_utf8())
        };
        bare.push_str(kept);
        rest = &rest[length..];
    }
    bare
}

fn literal(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        is_end
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

fn raw_literal(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?;
    let inside = hashes.trim_start_matches('#');
    let close = format!("\"{}", "#".repeat(hashes.len() - inside.len()));
    let start = text.len() - inside.strip_prefix('"')?.len();
    Some(text[start..].find(&close).map_or(text.len(), |at| start + at + close.len()))
}

/// The rooms of the crate with their floors, as `lib.rs` lists them.
fn floors() -> BTreeMap<String, u32> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let (mut floors, mut floor) = (BTreeMap::new(), None);
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("// Floor ") {
            floor = title.split(':').next().unwrap().parse().ok();
        } else if let Some(room) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            floors.insert(room.to_owned(), floor.expect("every room stands on a floor"));
        }
    }
    floors
}

/// The room that a file belongs to: the module right below the crate.
fn room(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap();
    below.split(['/', '.']).next().unwrap()
}

/// Every room that the code names: `crate::room`, `sigtrail::room`, alone or in a group.
fn named_rooms(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for start in ["crate::", "sigtrail::"] {
        for (at, _) in code.match_indices(start) {
            let rest = &code[at + start.len()..];
            match rest.strip_prefix('{') {
                Some(group) => rooms.extend(first_names(group)),
                None => rooms.extend([name(rest)]),
            }
        }
    }
    rooms.remove("");
    rooms
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names of the members of a group of imports, up to its closing brace.
fn first_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut member) = (Vec::new(), 0, String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(std::mem::take(&mut member).trim())),
            _ if depth == 0 => member.push(c),
            _ => {}
        }
    }
    names.push(name(member.trim()));
    names
}

#[test]
fn a_file_imports_only_from_lower_floors_or_from_its_own() {
    let floors = floors();
    let mut wrong = Vec::new();
    for source in sources() {
        let own = room(&source.path);
        if own == "lib" || own == "main" {
            continue;
        }
        let Some(floor) = floors.get(own) else {
            wrong.push(format!("{} stands on no floor of lib.rs", source.path));
            continue;
        };
        for other in named_rooms(&source.code) {
            match floors.get(&other) {
                Some(of) if of <= floor => {}
                Some(of) => wrong.push(format!("{} (floor {floor}) imports {other} (floor {of})", source.path)),
                None => wrong.push(format!("{} imports {other}, which is no room", source.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rooms of one floor that a room names.
fn neighbours(floors: &BTreeMap<String, u32>) -> BTreeMap<String, BTreeSet<String>> {
    let mut neighbours: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let own = room(&source.path).to_owned();
        let same = named_rooms(&source.code).into_iter().filter(|other| floors.get(other) == floors.get(&own));
        neighbours.entry(own.clone()).or_default().extend(same.filter(|other| *other != own));
    }
    neighbours
}

#[test]
fn rooms_of_one_floor_never_import_each_other_in_a_circle() {
    let floors = floors();
    let mut open = neighbours(&floors);
    // The faces are one entrance: `cli` opens the door to `daemon`, which fails and finds its place as commands do.
    open.retain(|room, _| floors.get(room).is_some_and(|floor| *floor < 4));
    while let Some(done) = open.iter().find(|(_, on)| on.is_empty()).map(|(room, _)| room.clone()) {
        open.remove(&done);
        for on in open.values_mut() {
            on.remove(&done);
        }
    }
    assert!(open.is_empty(), "these depend on each other: {open:?}");
}

#[test]
fn every_file_says_first_what_lives_in_it() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for (path, text) in files(folder, &["rs"]) {
            let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
            if head.concat().len() < 30 {
                wrong.push(path);
            }
        }
    }
    assert!(wrong.is_empty(), "without a head: {wrong:?}");
}

/// Fails for every source outside `allowed` that has one of these texts.
#[track_caller]
fn nowhere_but(allowed: &[&str], words: &[&str], text_of: impl Fn(&Source) -> &str) {
    let mut wrong = Vec::new();
    for source in sources() {
        if allowed.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        let found = words.iter().filter(|word| text_of(&source).contains(**word));
        wrong.extend(found.map(|word| format!("{}: {word}", source.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_file_reads_the_clock() {
    let clocks = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];
    nowhere_but(&["src/clock.rs"], &clocks, |source| &source.code);
}

#[test]
fn no_other_program_is_started() {
    nowhere_but(&[], &["Command::new", "process::Command", "posix_spawn", "execv"], |source| &source.code);
}

#[test]
fn words_and_arithmetic_touch_no_disk_no_network_and_no_environment() {
    let floors = floors();
    let doors = [
        "std::fs",
        "fs::",
        "std::env",
        "env::var",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "tokio::",
        "reqwest::",
        "rusqlite",
        "lettre::transport",
        "thread::spawn",
        "getrandom",
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        if floors.get(room(&source.path)).is_some_and(|floor| *floor < 2) {
            let found = doors.iter().filter(|door| source.code.contains(**door));
            wrong.extend(found.map(|door| format!("{}: {door}", source.path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_store_and_the_pack_speak_sql() {
    let words = ["SELECT ", "INSERT INTO ", "INSERT OR ", "DELETE FROM ", "UPDATE OR ", "PRAGMA ", "CREATE TABLE "];
    nowhere_but(&["src/store/", "src/pack/"], &words, |source| &source.untested);
    // A verb may name the connection that the store lends it, and nothing else.
    nowhere_but(&["src/store/", "src/pack", "src/jobs/"], &["rusqlite"], |source| &source.code);
}

#[test]
fn nothing_is_left_for_later_or_silenced() {
    let sketches = ["todo!", "unimplemented!", "dbg!", "#[allow(", "#![allow("];
    nowhere_but(&[], &sketches, |source| &source.text);
    let mut wrong = Vec::new();
    for (path, text) in files("src", &["rs"]).into_iter().chain(files("tests", &["rs"])) {
        let left = ["TODO", "FIXME", "XXX", "Not written yet"].iter().filter(|word| text.contains(**word));
        let ignored = ["#[ignore", "#[allow("].iter().filter(|word| text.contains(**word));
        wrong.extend(left.chain(ignored).map(|word| format!("{path}: {word}")));
    }
    wrong.retain(|line| !line.starts_with("tests/suite/tidy.rs"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_names_a_place_on_the_machine_that_it_was_written_on() {
    let folders = ["src", "tests", "benches", "config", "docs", "systemd", "templates"];
    let endings = ["rs", "toml", "md", "html", "css", "sql", "txt", "service", "conf", "xml", "json"];
    let mut wrong = Vec::new();
    for (path, text) in folders.iter().flat_map(|folder| files(folder, &endings)) {
        let named = ["/work/", "/home/", "/Users/", "/root/"].into_iter().filter(|place| text.contains(place));
        wrong.extend(named.map(|place| format!("{path}: {place}")));
    }
    wrong.retain(|line| !line.starts_with("tests/suite/tidy.rs"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_files_that_are_shipped_are_there() {
    let shipped = [
        "Cargo.toml",
        "Cargo.lock",
        "clippy.toml",
        "rustfmt.toml",
        "feeds.toml",
        "config/sigtrail.toml",
        "config/stack.toml",
        "config/owners.toml",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
        ".ci/run",
        ".ci/long",
        "docs/decisions.md",
        "docs/evidence-format.md",
        "docs/performance.md",
        "docs/rows.md",
        "docs/operations.md",
        "systemd/sigtrail.service",
        "systemd/sigtrail.sysusers.conf",
        "systemd/sigtrail.tmpfiles.conf",
    ];
    let missing: Vec<_> = shipped.into_iter().filter(|path| !root().join(path).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_reader_of_the_sources_sees_imports_and_not_words() {
    let code = bare(
        "use crate::{a::{b, c}, d};\nlet s = \"crate::e \\\" crate::f\"; // crate::g\nr#\"crate::h\"#; '\"'; x::i",
    );
    assert_eq!(named_rooms(&code), ["a", "d"].map(str::to_owned).into());
    assert_eq!(room("src/mail/line.rs"), "mail");
    assert_eq!(room("src/mail.rs"), "mail");
    assert_eq!(floors()["model"], 0);
    assert_eq!(floors()["web"], 4);
}
