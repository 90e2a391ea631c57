//! The real program on a root folder of its own: started, told things by signals, listened to, and ended whatever
//! happens to the test. Every wait has an end.

use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
    os::unix::{fs::MetadataExt as _, net::UnixDatagram, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::Duration,
};

use sigtrail::clock::Stopwatch;
use tempfile::TempDir;

/// A hang ceiling: far longer than anything that a test waits for takes.
pub const CEILING: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// The files of a small company on loopback: Maria, a component of hers, and what a test adds.
pub struct Site {
    /// Holds `feeds.toml`, `config/` and the state folder `var`.
    pub root: TempDir,
}

impl Site {
    /// The files, with these lines in `feeds.toml` and under `[mail]`.
    pub fn new(feeds: &str, mail: &str) -> Site {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("config")).unwrap();
        let site = Site { root };
        site.write("feeds.toml", feeds);
        site.write(
            "config/owners.toml",
            "fallback = \"maria\"\n\n[[owner]]\nid = \"maria\"\nname = \"Maria Lopez\"\naddress = \"maria@example.com\"\n",
        );
        site.write(
            "config/stack.toml",
            "[[component]]\nid = \"quillgate\"\nname = \"Quillgate VPN\"\nowner = \"maria\"\nterms = [\"quillgate\"]\n",
        );
        site.write(
            "config/sigtrail.toml",
            &format!(
                "[mail]\nfrom = \"sigtrail <sigtrail@example.com>\"\n{mail}\n[web]\nlisten = \"127.0.0.1:0\"\n\
                 base_url = \"https://sigtrail.example.com\"\n[fetch]\nper_host_gap = \"0s\"\n\
                 allow_addresses = [\"127.0.0.2/32\"]\nallow_ports = []\n"
            ),
        );
        site
    }

    /// A file below the root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file below the root.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// What stands in a file below the root.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.path("var")
    }

    /// Starts the daemon and waits until it is ready.
    pub fn run(&self) -> Daemon {
        let mut daemon = self.start(&[]);
        daemon.wait_for("READY=1");
        daemon
    }

    /// Starts the daemon with these variables.
    pub fn start(&self, variables: &[(&str, &str)]) -> Daemon {
        Daemon::start(self.root.path(), variables)
    }

    /// Runs another command to its end.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = program(self.root.path());
        command.args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What a query of one number says of the state.
    pub fn number(&self, sql: &str) -> i64 {
        let database = rusqlite::Connection::open(self.state().join("sigtrail.db")).unwrap();
        database.busy_timeout(CEILING).unwrap();
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// A feed in three lines.
pub fn feed(name: &str, url: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\nowner = \"maria\"\n\n")
}

#[expect(clippy::disallowed_methods, reason = "the program does not start others; its tests start it")]
fn program(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigtrail"));
    command.arg("--root").arg(root);
    for variable in
        ["SIGTRAIL_LOG", "STATE_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"]
    {
        command.env_remove(variable);
    }
    command
}

/// A command of the machine, such as `systemd-analyze`; `None` where the machine has no such command.
#[expect(clippy::disallowed_methods, reason = "the program does not start others; its tests do")]
pub fn machine(name: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(name).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// The running daemon with the supervisor that it believes in; ends when it is dropped.
pub struct Daemon {
    child: Child,
    log: PathBuf,
    supervisor: UnixDatagram,
    told: Vec<(Duration, String)>,
    clock: Stopwatch,
    _folder: TempDir,
}

impl Daemon {
    fn start(root: &Path, variables: &[(&str, &str)]) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let (socket, log) = (folder.path().join("notify"), folder.path().join("log"));
        let supervisor = UnixDatagram::bind(&socket).unwrap();
        supervisor.set_nonblocking(true).unwrap();
        let file = File::create(&log).unwrap();
        let meta = file.metadata().unwrap();
        let mut command = program(root);
        command.arg("run").env("NOTIFY_SOCKET", &socket).stdin(Stdio::null()).stdout(Stdio::null());
        for (name, value) in variables {
            // `JOURNAL_STREAM` names the very file that the log goes to.
            let stream = format!("{}:{}", meta.dev(), meta.ino());
            command.env(name, if *name == "JOURNAL_STREAM" { stream.as_str() } else { *value });
        }
        let child = command.stderr(file).spawn().unwrap();
        Daemon { child, log, supervisor, told: Vec::new(), clock: Stopwatch::start(), _folder: folder }
    }

    /// Everything that it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What it logged after so many bytes of its log.
    pub fn log_from(&self, bytes: usize) -> String {
        self.log().get(bytes..).unwrap_or_default().to_owned()
    }

    /// Everything that the supervisor was told so far, one `NAME=value` each.
    pub fn told(&mut self) -> Vec<String> {
        self.listen();
        self.told.iter().map(|(_, line)| line.clone()).collect()
    }

    /// How often the supervisor was told exactly this.
    pub fn count(&mut self, line: &str) -> usize {
        self.told().iter().filter(|told| *told == line).count()
    }

    fn listen(&mut self) {
        let mut buffer = [0; 4_096];
        while let Ok(length) = self.supervisor.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let at = self.clock.elapsed();
            self.told.extend(text.lines().map(|line| (at, line.to_owned())));
        }
    }

    /// Waits until the supervisor is told this.
    #[track_caller]
    pub fn wait_for(&mut self, line: &str) {
        self.wait_for_times(line, 1);
    }

    /// Waits until the supervisor was told this so many times.
    #[track_caller]
    pub fn wait_for_times(&mut self, line: &str, times: usize) {
        let watch = Stopwatch::start();
        while self.count(line) < times {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended before {line}: {}", self.log());
            assert!(watch.elapsed() < CEILING, "never {line} x {times}: {:?}\n{}", self.told, self.log());
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the log holds this text, and gives the line.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        let watch = Stopwatch::start();
        loop {
            if let Some(line) = self.log().lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(watch.elapsed() < CEILING, "never {text:?} in the log:\n{}", self.log());
            thread::sleep(PAUSE);
        }
    }

    /// Where the acknowledgement page listens, as the log says.
    pub fn page(&self) -> SocketAddr {
        let line = self.wait_for_line("listen=");
        line.split("listen=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = machine("sh", &["-c", &format!("kill -{name} {}", self.child.id())]).unwrap();
        assert!(sent.status.success(), "{sent:?}");
    }

    /// Reloads and waits for the end of it.
    #[track_caller]
    pub fn reload(&mut self) {
        let before = self.count("READY=1");
        self.signal("HUP");
        self.wait_for_times("READY=1", before + 1);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let watch = Stopwatch::start();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(watch.elapsed() < CEILING, "it does not end: {}", self.log());
            thread::sleep(PAUSE);
        }
    }

    /// Sends SIGTERM; the exit status and how long it took.
    #[track_caller]
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        let watch = Stopwatch::start();
        self.signal("TERM");
        let status = self.wait();
        (status.code(), watch.elapsed())
    }

    /// Sends SIGKILL.
    #[track_caller]
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.wait().signal(), Some(9));
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let watch = Stopwatch::start();
    while !is_so() {
        assert!(watch.elapsed() < CEILING, "never: {what}");
        thread::sleep(PAUSE);
    }
}
