//! What a poll costs: 1,000 feeds with 35,000 entries (53 MB) on loopback, polled by the real binary into a fresh state,
//! once more when nothing is new, and once more when one feed in ten has three new entries. Processor seconds and peak
//! memory of that one process, as the system counts them. Ends with 1 when a limit is broken.
//! `cargo bench --bench poll [-- --feeds N] [--rounds N]`; limits hold for 1,000 feeds.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench starts what it measures and says what it found"
)]

mod bare;
mod corpus;
mod measure;
mod server;

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
};

use corpus::{Corpus, FEEDS_PER_HOST, NEWS, OWNERS, STACK};
use measure::{Cost, cost_of, measure};

const SIGTRAIL: &str = env!("CARGO_BIN_EXE_sigtrail");
const FEEDS: usize = 1_000;
const ROUNDS: usize = 3;

/// A scenario with the most it may cost.
struct Scenario {
    name: &'static str,
    is_grown: bool,
    cpu: f64,
    peak: f64,
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "first poll", is_grown: false, cpu: 3.0, peak: 96.0 },
    Scenario { name: "nothing new", is_grown: false, cpu: 0.3, peak: 96.0 },
    Scenario { name: "3 new in 10 %", is_grown: true, cpu: 0.5, peak: 96.0 },
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((role, _)) if role == "serve" => server::serve()?,
        Some((role, command)) if role == "measure" => measure(command)?,
        Some((role, rest)) if role == "bare" => match rest {
            [path, port, feeds] => bare::poll(path, port.parse()?, feeds.parse()?)?,
            _ => return Err("bare PATH PORT FEEDS".into()),
        },
        _ => return compare(option(&arguments, "--feeds", FEEDS)?, option(&arguments, "--rounds", ROUNDS)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn option(arguments: &[String], name: &str, default: usize) -> Result<usize, Box<dyn Error>> {
    match arguments.iter().skip_while(|argument| *argument != name).nth(1) {
        Some(value) => Ok(value.parse()?),
        None => Ok(default),
    }
}

/// Where a feed is.
fn address(feed: usize, port: u16) -> String {
    let host = feed / FEEDS_PER_HOST;
    format!("http://127.0.{}.{}:{port}/feed/{feed}", host / 250, 2 + host % 250)
}

/// The publishers' process.
struct Publishers {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Publishers {
    fn start() -> Result<Publishers, Box<dyn Error>> {
        let mut child =
            Command::new(std::env::current_exe()?).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().ok_or("no output of the server")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        Ok(Publishers { child, input, output, port: line.trim().parse()? })
    }

    fn publish(&mut self, is_grown: bool) -> std::io::Result<()> {
        if let Some(input) = &mut self.input {
            writeln!(input, "{}", if is_grown { "grown" } else { "first" })?;
            self.output.read_line(&mut String::new())?;
        }
        Ok(())
    }
}

impl Drop for Publishers {
    fn drop(&mut self) {
        // The end of its input ends it; where that fails, it ends with us.
        self.input = None;
        let _ = self.child.wait();
    }
}

fn write_configuration(root: &Path, port: u16, feeds: usize) -> std::io::Result<()> {
    let mut register = String::new();
    for feed in 0..feeds {
        let owner = OWNERS.get(feed % OWNERS.len()).copied().unwrap_or_default();
        let unmatched = ["list", "none", "owner"].get(feed % 3).copied().unwrap_or_default();
        let _ = writeln!(
            register,
            "[[feed]]\nid = \"feed-{feed}\"\nname = \"Publisher {feed}\"\nurl = \"{}\"\nowner = \"{owner}\"\n\
             unmatched = \"{unmatched}\"\n",
            address(feed, port)
        );
    }
    let mut stack = String::new();
    for (id, owner, terms) in STACK {
        let _ =
            writeln!(stack, "[[component]]\nid = \"{id}\"\nname = \"{id}\"\nowner = \"{owner}\"\nterms = {terms:?}\n");
    }
    let mut owners = "fallback = \"maria\"\n".to_owned();
    for owner in OWNERS {
        let _ =
            writeln!(owners, "[[owner]]\nid = \"{owner}\"\nname = \"{owner}\"\naddress = \"{owner}@example.com\"\n");
    }
    let settings = "[mail]\nfrom = \"sigtrail <sigtrail@example.com>\"\n[fetch]\nper_host_gap = \"0s\"\n\
                    allow_addresses = [\"127.0.0.0/8\"]\nallow_ports = []\n";
    fs::create_dir_all(root.join("config"))?;
    fs::write(root.join("feeds.toml"), register)?;
    fs::write(root.join("config/stack.toml"), stack)?;
    fs::write(root.join("config/owners.toml"), owners)?;
    fs::write(root.join("config/sigtrail.toml"), settings)
}

/// Runs all rounds and prints the table.
fn compare(feeds: usize, rounds: usize) -> Result<ExitCode, Box<dyn Error>> {
    let corpus = Corpus::new();
    let entries: usize = (0..feeds).map(Corpus::entries).sum();
    let bytes: usize = (0..feeds).map(|feed| corpus.document(feed, false).1.len()).sum();
    println!("{feeds} feeds, {entries} entries, {:.1} MB; the middle of {rounds} rounds", bytes as f64 / 1e6);
    let mut publishers = Publishers::start()?;
    let mut costs: Vec<(Vec<Cost>, Vec<Cost>)> = SCENARIOS.iter().map(|_| (Vec::new(), Vec::new())).collect();
    for _ in 0..rounds {
        let folder = tempfile::tempdir()?;
        write_configuration(folder.path(), publishers.port, feeds)?;
        for (scenario, (ours, bare)) in SCENARIOS.iter().zip(&mut costs) {
            publishers.publish(scenario.is_grown)?;
            let root = folder.path().to_string_lossy();
            let ran = cost_of(&[SIGTRAIL, "--root", &root, "poll", "--force", "--json"])?;
            check(scenario, &ran.output, feeds)?;
            ours.push(ran);
            let program = std::env::current_exe()?;
            let (program, database) = (program.to_string_lossy(), folder.path().join("bare.db"));
            let (port, feeds) = (publishers.port.to_string(), feeds.to_string());
            bare.push(cost_of(&[&program, "bare", &database.to_string_lossy(), &port, &feeds])?);
        }
    }
    let kept = print_table(&mut costs, feeds == FEEDS)?;
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A run that did not do the work is no measurement.
fn check(scenario: &Scenario, output: &str, feeds: usize) -> Result<(), Box<dyn Error>> {
    let (mut polled, mut new, mut same) = (0, 0, 0);
    for line in output.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let number = |name: &str| line.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
        polled += usize::from(line.get("state").and_then(|state| state.as_str()) == Some("ok"));
        new += usize::try_from(number("new"))?;
        same += usize::from(line.get("not_modified") == Some(&true.into()));
    }
    let with_news = (0..feeds).filter(|feed| Corpus::has_news(*feed)).count();
    let expected = match scenario.name {
        "first poll" => (feeds, (0..feeds).map(Corpus::entries).sum(), 0),
        "nothing new" => (feeds, 0, feeds),
        _ => (feeds, with_news * NEWS, feeds - with_news),
    };
    if (polled, new, same) == expected {
        return Ok(());
    }
    Err(format!("{}: polled, new and same are {:?} and not {expected:?}", scenario.name, (polled, new, same)).into())
}

fn middle(costs: &mut [Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    costs.sort_by(|a, b| of(a).total_cmp(&of(b)));
    costs.get(costs.len() / 2).map_or(0.0, of)
}

fn print_table(costs: &mut [(Vec<Cost>, Vec<Cost>)], has_limits: bool) -> Result<bool, Box<dyn Error>> {
    println!(
        "{:<15} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8}",
        "", "CPU s", "limit", "kernel", "MiB", "limit", "bare s", "ratio"
    );
    let mut kept = true;
    for (scenario, (ours, bare)) in SCENARIOS.iter().zip(costs) {
        let (cpu, system) = (middle(ours, |cost| cost.cpu), middle(ours, |cost| cost.system));
        let (peak, floor) = (middle(ours, |cost| cost.peak), middle(bare, |cost| cost.cpu));
        let is_kept = !has_limits || (cpu <= scenario.cpu && peak <= scenario.peak);
        let limit = |number: f64| if has_limits { format!("{number:.1}") } else { "-".to_owned() };
        println!(
            "{:<15} {cpu:>8.2} {:>8} {system:>8.2} {peak:>8.1} {:>8} {floor:>9.2} {:>8.1}{}",
            scenario.name,
            limit(scenario.cpu),
            limit(scenario.peak),
            cpu / floor.max(0.001),
            if is_kept { "" } else { "   over the limit" }
        );
        kept &= is_kept;
    }
    std::io::stdout().flush()?;
    Ok(kept)
}
