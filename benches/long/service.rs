//! The real program as a child: its configuration, its start and end, what it has stored and how much memory it took.

use std::{
    error::Error,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use sigtrail::clock::Stopwatch;

/// The program under test.
pub const SIGTRAIL: &str = env!("CARGO_BIN_EXE_sigtrail");
/// What the tests' environment must not bring along.
const VARIABLES: [&str; 7] = [
    "SIGTRAIL_ROOT",
    "SIGTRAIL_LOG",
    "STATE_DIRECTORY",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "JOURNAL_STREAM",
];
const PAUSE: Duration = Duration::from_millis(20);

/// A feed of the site: its id and address.
pub struct Source {
    /// The feed's id, which is also its name.
    pub id: String,
    /// Where it is.
    pub url: String,
}

/// Writes the four files for these feeds, asked for at this interval.
pub fn write_site(root: &Path, feeds: &[Source], every: &str, fetch: &str) -> std::io::Result<()> {
    let mut register = String::new();
    for Source { id, url } in feeds {
        let _ = writeln!(register, "[[feed]]\nid = \"{id}\"\nname = \"{id}\"\nurl = \"{url}\"\nowner = \"maria\"\n");
    }
    fs::create_dir_all(root.join("config"))?;
    fs::write(root.join("feeds.toml"), register)?;
    fs::write(
        root.join("config/owners.toml"),
        "fallback = \"maria\"\n\n[[owner]]\nid = \"maria\"\nname = \"Maria Lopez\"\naddress = \"maria@example.com\"\n",
    )?;
    fs::write(
        root.join("config/stack.toml"),
        "[[component]]\nid = \"quillgate\"\nname = \"Quillgate VPN\"\nowner = \"maria\"\nterms = [\"quillgate\"]\n",
    )?;
    let settings = format!(
        "[mail]\nfrom = \"sigtrail <sigtrail@example.com>\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         base_url = \"https://sigtrail.example.com\"\n[fetch]\nevery = \"{every}\"\nmin_interval = \"1s\"\n\
         allow_addresses = [\"127.0.0.0/8\"]\nallow_ports = []\n{fetch}\n"
    );
    fs::write(root.join("config/sigtrail.toml"), settings)
}

/// A command of the program on this root.
pub fn command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(SIGTRAIL);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.arg("--root").arg(root).args(arguments).stdin(Stdio::null());
    command
}

/// Whether the evidence of the root's state verifies.
pub fn verify(root: &Path) -> std::io::Result<bool> {
    let done = command(root, &["evidence", "verify"]).arg(root.join("var/sigtrail.db")).output()?;
    if !done.status.success() {
        println!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    }
    Ok(done.status.success())
}

/// The running daemon; ends when it is dropped.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it; what it logs is added to `log`.
    pub fn start(root: &Path) -> Result<Service, Box<dyn Error>> {
        let log = root.join("log");
        let file = File::options().create(true).append(true).open(&log)?;
        let child = command(root, &["run"]).stdout(Stdio::null()).stderr(file).spawn()?;
        Ok(Service { child, log })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines that it logged.
    pub fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = text.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// How it ended, where it has.
    pub fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends SIGTERM and waits for the end; how long that took.
    pub fn stop(&mut self) -> Result<(ExitStatus, Duration), Box<dyn Error>> {
        let watch = Stopwatch::start();
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        while watch.elapsed() < Duration::from_mins(1) {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, watch.elapsed()));
            }
            thread::sleep(PAUSE);
        }
        Err(format!("it does not end: {}", self.last_words()).into())
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}

/// When each feed is due, in milliseconds since 1970, by its id; nothing where there is no state yet.
pub fn due(root: &Path) -> Result<Vec<(String, i64)>, rusqlite::Error> {
    let path = root.join("var/sigtrail.db");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    database.busy_timeout(Duration::from_secs(30))?;
    let mut query =
        database.prepare("SELECT id, next_poll_at FROM feed_state JOIN feed ON feed.no = feed_state.feed")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// A number of a process's memory in KiB: `VmRSS`, `VmHWM`.
pub fn memory_of(process: &str, name: &str) -> std::io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default())
}
