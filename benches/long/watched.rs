//! H-48: the real job under strace, on feeds whose every text is a shell command or a path that leads out. Nothing is
//! started, no file is named after anything in a feed, and files are changed only below the root and the state.

use std::{
    error::Error,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder};

use crate::{
    Outcome,
    publisher::{Publishers, Step, answer, rss},
    service::{SIGTRAIL, Source, command, write_site},
    trace::{Call, is_there, traced},
};

/// A word that stands in every hostile text, and in no path of ours.
const MARK: &str = "planted";
/// What is looked at: everything that names a file, and everything that starts something.
const KINDS: &str = "%file,%process";
/// Where the system keeps what every program reads: libraries, certificates, zones, and what it tells of itself.
const SYSTEM: [&str; 8] = ["/usr/", "/lib", "/etc/", "/proc/", "/sys/", "/dev/", "/run/", "/var/lib/ca-certificates"];
/// What the system lets everybody write to.
const SINKS: [&str; 3] = ["/dev/null", "/dev/tty", "/proc/self/"];

/// Texts that would do something in a shell, or lead somewhere as a name.
const TEXTS: [&str; 16] = [
    "$(touch /tmp/planted-1) quillgate",
    "`touch /tmp/planted-2`",
    "; touch /tmp/planted-3 #",
    "| sh -c 'touch /tmp/planted-4'",
    "&& touch planted-5 &",
    "../../../../../../tmp/planted-6",
    "..\\..\\planted-7.exe",
    "/tmp/planted-8",
    "file:///tmp/planted-9",
    "%2e%2e%2fplanted-10",
    "-o/tmp/planted-11",
    "planted-12\u{0}.txt",
    "~/planted-13",
    "planted-14\nrm -rf planted\r\n",
    "quillgate \"; ATTACH DATABASE '/tmp/planted-15.db' AS x; --",
    "<!ENTITY x SYSTEM \"file:///tmp/planted-16\">",
];

/// Runs the job under strace and looks at every call.
pub fn run() -> Outcome {
    if !is_there() {
        println!("skipped: H-48: no strace on this machine");
        return Ok(true);
    }
    let publishers = Publishers::start(Box::new(|request| {
        let items = TEXTS.iter().map(|text| ((*text).to_owned(), format!("{text} {}", request.feed)));
        let document = rss(TEXTS.get(request.feed).copied().unwrap_or_default(), items);
        match packed(document.as_bytes()) {
            // An archive may carry a name; this one leads out.
            Ok(packed) if request.feed % 2 == 1 => {
                let fields = format!(
                    "Content-Encoding: gzip\r\nContent-Disposition: attachment; filename=\"../../{MARK}-name\"\r\n"
                );
                vec![Step::Send(answer("200 OK", &fields, &packed))]
            }
            _ => vec![Step::Send(answer("200 OK", "", document.as_bytes()))],
        }
    }))?;
    let (folder, traces) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let sources: Vec<Source> = (0..TEXTS.len())
        .map(|feed| Source {
            id: format!("feed-{feed}"),
            url: format!("{}/../../{MARK}", publishers.url(feed)).replace("/../../", "/%2e%2e%2f"),
        })
        .collect();
    write_site(folder.path(), &sources, "1h", "per_host_gap = \"0s\"")?;
    let (mut wrong, mut calls) = (Vec::new(), 0);
    for arguments in [
        ["tick", "--json"].as_slice(),
        &["stories", "--json"],
        &["digest", "maria", "--preview"],
        &["evidence", "export", "pack"],
        &["demo", "--once", "--dir", "demo"],
    ] {
        let mut run = command(folder.path(), arguments);
        run.current_dir(folder.path());
        let seen = traced(&run, KINDS, traces.path())?;
        calls += seen.len();
        wrong.extend(
            complaints(&seen, folder.path()).into_iter().map(|line| format!("{}: {line}", arguments.join(" "))),
        );
    }
    let told = told(folder.path())?;
    for line in &wrong {
        println!("{line}");
    }
    println!(
        "H-48: {calls} calls that name files or start something, {} out of order; {told} hostile texts were told as text",
        wrong.len()
    );
    Ok(wrong.is_empty() && told > 0)
}

fn packed(document: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer =
        GzBuilder::new().filename(format!("../../tmp/{MARK}-archive")).write(Vec::new(), Compression::fast());
    packer.write_all(document)?;
    packer.finish()
}

/// What is wrong with the calls of one command.
fn complaints(calls: &[Call], root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let starts = calls.iter().filter(|call| call.starts()).count();
    // strace itself starts the command.
    let is_first = calls.first().is_some_and(|call| call.name == "execve" && call.arguments.contains(SIGTRAIL));
    if starts != 1 || !is_first {
        wrong.push(format!("{starts} programs or processes were started"));
    }
    for call in calls {
        let paths = call.paths();
        if call.name != "execve" && paths.iter().any(|path| path.to_string_lossy().contains(MARK)) {
            wrong.push(format!("a name from a feed: {call:?}"));
        }
        let is_open = call.name.starts_with("open");
        let stray = |path: &&PathBuf| !is_allowed(path, root, call.changes());
        if is_open || call.changes() {
            wrong.extend(paths.iter().filter(stray).map(|path| format!("{} of {}", call.name, path.display())));
        }
    }
    wrong
}

fn is_allowed(path: &Path, root: &Path, changes: bool) -> bool {
    // A command stands in the root, and so do its relative paths.
    let path = root.join(path);
    let text = path.to_string_lossy();
    let leads_up = path.components().any(|part| part.as_os_str() == "..");
    let is_system = !changes && SYSTEM.iter().any(|place| text.starts_with(place));
    !leads_up && (path.starts_with(root) || is_system || SINKS.iter().any(|sink| text.starts_with(sink)))
}

/// How many of the hostile texts stand in the stories, as text.
fn told(root: &Path) -> Result<usize, Box<dyn Error>> {
    let said = command(root, &["stories", "--json", "--limit", "1000"]).output()?;
    Ok(String::from_utf8_lossy(&said.stdout).matches(MARK).count())
}
