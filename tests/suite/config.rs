//! The configuration as a whole: the shipped files, and everything that can be wrong with four files.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use sigtrail::{
    cli,
    config::{self, Problem, Problems, Severity},
    model::{
        settings::{Config, InboundSource, MailTls, MailTransport, SourceFile},
        stack::{Case, Pattern},
        time::Time,
    },
};

mod absence;
mod faults;

const FEEDS: &str = "feeds.toml";
const OWNERS: &str = "config/owners.toml";
const STACK: &str = "config/stack.toml";
const SETTINGS: &str = "config/sigtrail.toml";

fn now() -> Time {
    "2026-11-20T08:00:00Z".parse().unwrap()
}

fn project(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Four files in a folder of their own.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// The small well configuration of the fixtures.
    fn well() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(files.path("config")).unwrap();
        for name in [FEEDS, OWNERS, STACK, SETTINGS] {
            files.write(name, project(&format!("tests/suite/fixtures/config/{name}")));
        }
        files.write("smtp-password", "not a real one");
        files.protect("smtp-password", 0o600);
        files
    }

    /// The files that are shipped.
    fn shipped() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        config::init(files.folder.path()).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn protect(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Puts something in the place of the first occurrence of a text.
    fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.text(name);
        assert!(text.contains(old), "{name} has no {old:?}");
        self.write(name, text.replacen(old, new, 1));
    }

    fn load(&self) -> Result<(Config, Vec<Problem>), Problems> {
        config::load_at(self.folder.path(), now())
    }

    fn loaded(&self) -> Config {
        match self.load() {
            Ok((config, _)) => config,
            Err(problems) => panic!("{problems}"),
        }
    }

    fn problems(&self) -> (Vec<Problem>, Vec<SourceFile>) {
        match self.load() {
            Ok((config, warnings)) => (warnings, config.files),
            Err(problems) => (problems.problems, problems.files),
        }
    }
}

/// One fault: in a well file, `old` is replaced by `new`, in which « and » stand around what is to be pointed at.
struct Fault {
    file: &'static str,
    old: &'static str,
    new: &'static str,
    message: &'static str,
    hint: &'static str,
}

const fn fault(
    file: &'static str,
    old: &'static str,
    new: &'static str,
    message: &'static str,
    hint: &'static str,
) -> Fault {
    Fault { file, old, new, message, hint }
}

/// Makes the fault and finds exactly one problem: this one, in this place.
fn assert_found(fault: &Fault, severity: Severity) {
    let files = Files::well();
    files.edit(fault.file, fault.old, fault.new);
    let marked = files.text(fault.file);
    let (before, rest) = marked.split_once('«').expect("a mark");
    let (offending, after) = rest.split_once('»').expect("a second mark");
    files.write(fault.file, format!("{before}{offending}{after}"));
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;

    let (problems, sources) = files.problems();
    let shown = config::render(&problems, &sources, false);
    let [problem] = problems.as_slice() else {
        panic!("{} problems instead of one ({}):\n{shown}", problems.len(), fault.message)
    };
    assert_eq!(problem.message, fault.message, "{shown}");
    assert_eq!(problem.severity, severity, "{shown}");
    assert_eq!((problem.file.as_str(), problem.line, problem.column), (fault.file, line, column), "{shown}");
    assert_eq!(problem.offending(&sources), offending, "{shown}");
    let hint = problem.hint.as_deref().unwrap_or_default();
    assert!(hint.contains(fault.hint) && !hint.is_empty(), "hint {hint:?} has no {:?}", fault.hint);
}

/// A configuration that cannot be loaded: its four files by name, the one with the fault, and what is said of it.
pub struct Broken {
    pub texts: Vec<(&'static str, String)>,
    pub file: &'static str,
    pub message: &'static str,
}

/// Every kind of broken configuration that is known here.
pub fn broken_configurations() -> Vec<Broken> {
    let broken = |fault: &Fault| {
        let files = Files::well();
        files.edit(fault.file, fault.old, fault.new);
        files.write(fault.file, files.text(fault.file).replace(['«', '»'], ""));
        let texts = [FEEDS, OWNERS, STACK, SETTINGS].map(|name| (name, files.text(name))).to_vec();
        Broken { texts, file: fault.file, message: fault.message }
    };
    faults::ERRORS.iter().map(broken).collect()
}

#[test]
fn the_fixture_is_well_and_means_what_it_says() {
    let files = Files::well();
    let (config, warnings) = files.load().unwrap();
    assert!(warnings.is_empty(), "{}", config::render(&warnings, &config.files, false));
    assert_eq!(config.feeds[0].id.as_str(), "tarn-advisories");
    assert_eq!(config.feeds[1].every, jiff::SignedDuration::from_hours(1));
    assert_eq!(config.owners[1].digest, "0 8 * * MON-FRI");
    assert_eq!(config.owners[1].timezone, jiff::tz::TimeZone::UTC);
    assert_eq!(config.web.base_url.as_str(), "https://sigtrail.example.com/");
    assert_eq!(config.state, files.path("var"));
    let MailTransport::Smtp { login: Some((user, file)), port: 587, tls: MailTls::Starttls, .. } =
        &config.mail.transport
    else {
        panic!("{:?}", config.mail)
    };
    assert_eq!((user.as_str(), file), ("sigtrail", &files.path("smtp-password")));
    let term = &config.components[0].terms[1];
    assert_eq!(term.pattern, Pattern::Text { text: "MRW".into(), case: Case::Exact });
    assert_eq!((term.near[0].as_str(), term.not[0].as_str()), ("marrow.example", "MRW radio"));
    assert_eq!(config.routes[0].tags, ["marrow", "injection"]);
    assert!(config.routes[0].urgent);
    assert_eq!(config.hash.len(), 64);
    assert_eq!(config.hash, files.loaded().hash);
}

#[test]
fn s_07_every_kind_of_error_is_found_with_its_place_and_a_hint() {
    for fault in faults::ERRORS {
        assert_found(fault, Severity::Error);
    }
}

#[test]
fn s_07_every_kind_of_warning_is_found_and_the_files_are_loaded() {
    for fault in faults::WARNINGS {
        assert_found(fault, Severity::Warning);
    }
}

#[test]
fn s_07_there_are_sixty_kinds_of_faults_at_least() {
    let kinds = faults::ERRORS.len() + faults::WARNINGS.len();
    assert!(kinds >= 60, "{kinds}");
}

#[test]
fn one_run_reports_the_faults_of_all_files_in_order() {
    let files = Files::well();
    files.edit(FEEDS, "owner = \"jon\"", "owner = \"mria\"");
    files.edit(FEEDS, "unmatched = \"list\"", "unmatched = list");
    files.edit(FEEDS, "id = \"marrow\"", "id = \"marrow\"\ncolour = 1\nevery = \"often\"");
    files.edit(OWNERS, "0 8 * * MON-FRI", "0 8 * * 1-5");
    files.edit(OWNERS, "Europe/London", "Europe/Londn");
    files.edit(OWNERS, "jon@example.com", "jon");
    files.edit(STACK, "terms = [\"prompt injection\"]", "terms = [\"PI\", { regex = \"(\" }, 7]");
    files.edit(STACK, "to = [\"maria\"]", "to = [\"mria\", \"jn\"]");
    files.edit(SETTINGS, "port = 587", "prot = 587");
    files.edit(SETTINGS, "entries = \"4y\"", "entries = 4");
    let (problems, sources) = files.problems();
    let found: Vec<(&str, usize, &str)> =
        problems.iter().map(|problem| (problem.file.as_str(), problem.line, problem.message.as_str())).collect();
    assert_eq!(
        found,
        [
            (FEEDS, 20, "not TOML: string values must be quoted, expected literal string"),
            (FEEDS, 28, "unknown key `colour` in [[feed]]"),
            (FEEDS, 29, "invalid duration `often`"),
            (FEEDS, 32, "unknown owner `mria`"),
            (OWNERS, 9, "unknown time zone `Europe/Londn`"),
            (OWNERS, 10, "weekday number in a schedule"),
            (OWNERS, 17, "invalid mail address `jon`"),
            (STACK, 11, "ambiguous term `PI`"),
            (STACK, 11, "invalid regular expression"),
            (STACK, 11, "a term must be a text or a table"),
            (STACK, 15, "unknown owner `mria`"),
            (STACK, 15, "unknown owner `jn`"),
            (SETTINGS, 7, "unknown key `prot` in [mail]"),
            (SETTINGS, 31, "`entries` must be a text in quotes"),
        ]
    );
    let shown = config::render(&problems, &sources, false);
    assert!(shown.ends_with("13 errors, 1 warning in 4 files; nothing was loaded\n"), "{shown}");
}

#[test]
fn a_file_that_cannot_be_understood_does_not_make_the_others_seem_wrong() {
    let files = Files::well();
    files.write(OWNERS, "fallback = maria\n[[owner]]\nid = \"maria\"\nid = \"jon\" x\n");
    let (problems, _) = files.problems();
    assert!(problems.iter().all(|problem| problem.file == OWNERS), "{problems:#?}");
    files.edit(FEEDS, "owner = \"jon\"", "owner = \"zebedee\"");
    let (problems, _) = files.problems();
    let elsewhere: Vec<&str> =
        problems.iter().filter(|problem| problem.file != OWNERS).map(|problem| problem.message.as_str()).collect();
    assert_eq!(elsewhere, ["unknown owner `zebedee`"]);
}

#[test]
fn every_missing_file_is_one_clear_error() {
    let empty = tempfile::tempdir().unwrap();
    let problems = config::load_at(empty.path(), now()).unwrap_err();
    assert_eq!(problems.problems.len(), 4, "{problems}");
    for (problem, name) in problems.problems.iter().zip([FEEDS, OWNERS, STACK, SETTINGS]) {
        assert_eq!((problem.file.as_str(), problem.line), (name, 0));
        assert!(problem.message.starts_with("no file "), "{problems}");
        assert!(problem.hint.as_deref().unwrap().contains("sigtrail init"));
    }
    assert!(problems.to_string().contains("  --> feeds.toml\n"), "{problems}");
}

#[test]
fn a_huge_file_and_one_in_another_encoding_are_refused_by_name() {
    let files = Files::well();
    files.write(FEEDS, "#".repeat((4 << 20) + 1));
    files.write(STACK, b"[[topic]]\nname = \"caf\xe9\"\n");
    let (problems, _) = files.problems();
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].ends_with("feeds.toml is larger than 4 MiB"));
    assert!(messages[1].ends_with("stack.toml is not UTF-8 text: line 2 is not"));
}

#[test]
fn hostile_files_are_judged_quickly_and_without_a_crash() {
    for text in [
        "a = ".to_owned() + &"[".repeat(200_000),
        "x".repeat(1 << 20),
        "[".repeat(1 << 20),
        "\u{0}\u{feff}\r\r[[feed]]".to_owned(),
        "a.".repeat(100_000) + "b = 1",
        "\"".repeat(99_999),
        "[[feed]]\n".repeat(20_000),
        "[[feed]]\nname = x\n".repeat(10_000),
        "[[component]]\nterms = [".to_owned() + &"\"x\", ".repeat(50_000) + "]",
    ] {
        for name in [FEEDS, OWNERS, STACK, SETTINGS] {
            let files = Files::well();
            files.write(name, &text);
            let (problems, sources) = files.problems();
            assert!(!problems.is_empty());
            assert!(!config::render(&problems, &sources, true).is_empty());
        }
    }
}

#[test]
fn h_44_a_regex_that_explodes_or_nests_without_end_is_refused_with_its_reason() {
    for (regex, reason) in [
        ("(?:(?:(?:a{100}){100}){100}){100}".to_owned(), "too large"),
        ("\\\\pL{5000}".to_owned(), "too large"),
        ("(".repeat(400) + &")".repeat(400), "nest"),
        ("a?".repeat(600), "more than 1000 bytes"),
        ("a".repeat(1 << 20), "more than 1000 bytes"),
    ] {
        let files = Files::well();
        files.edit(STACK, "marrow-[0-9.]+", &regex);
        let (problems, sources) = files.problems();
        let shown = config::render(&problems, &sources, false);
        assert_eq!(problems.len(), 1, "{shown}");
        assert!(problems[0].message.contains(reason) || problems[0].label.contains(reason), "{shown}");
    }
}

#[test]
fn s_08_a_password_file_that_others_can_read_is_a_warning_and_an_empty_one_an_error() {
    let files = Files::well();
    files.protect("smtp-password", 0o644);
    let (_, warnings) = files.load().unwrap();
    assert_eq!(warnings[0].message, "password file `smtp-password` is open to others");
    assert_eq!(warnings[0].label, "its mode is 0644");
    files.protect("smtp-password", 0o600);
    files.write("smtp-password", "");
    assert_eq!(files.load().unwrap_err().problems[0].message, "password file `smtp-password` is empty");
}

#[test]
fn whoever_has_left_is_no_living_owner_of_anything() {
    let files = Files::well();
    files.edit(OWNERS, "until = 2027-06-30", "until = 2026-11-20");
    let (problems, _) = files.problems();
    let left: Vec<(&str, usize)> = problems
        .iter()
        .filter(|problem| problem.message == "owner `maria` has left" && problem.label == "left on 2026-11-20")
        .map(|problem| (problem.file.as_str(), problem.line))
        .collect();
    assert_eq!(left.len(), problems.len());
    assert_eq!(left, [(FEEDS, 8), (FEEDS, 17), (OWNERS, 1), (STACK, 10), (STACK, 15)]);

    let files = Files::well();
    files.edit(OWNERS, "until = 2027-06-30", "until = 2026-11-21");
    assert!(files.load().is_ok());
}

#[test]
fn a_circle_of_deputies_is_shown_once_with_its_way() {
    let files = Files::well();
    files.edit(OWNERS, "address = \"jon@example.com\"", "address = \"jon@example.com\"\ndeputy = \"maria\"");
    let (problems, _) = files.problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0].message, "a circle of deputies");
    assert_eq!(problems[0].label, "maria -> jon -> maria");
    assert_eq!((problems[0].file.as_str(), problems[0].line), (OWNERS, 8));
}

#[test]
fn a_stack_can_be_loaded_alone_without_asking_for_owners() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stack.toml");
    fs::write(&file, "[[component]]\nid = \"a\"\nname = \"A\"\nterms = [\"alpha\"]\n[[topic]]\nid = \"b\"\nname = \"B\"\nowner = \"nobody\"\nterms = [\"beta\"]\n").unwrap();
    let (components, topics) = config::load_stack(&file).unwrap();
    assert_eq!((components[0].id.as_str(), topics[0].id.as_str()), ("a", "b"));
    fs::write(&file, "[[component]]\nid = \"a\"\nname = \"A\"\ntrems = [\"alpha\"]\n").unwrap();
    let problems = config::load_stack(&file).unwrap_err();
    assert_eq!(problems.problems[0].hint.as_deref(), Some("did you mean `terms`?"));
}

/// The text with every key at its default taken out of its comment.
fn uncommented(text: &str) -> String {
    let is_default = |line: &str| {
        line.strip_prefix('#')
            .and_then(|rest| rest.split_once(" = "))
            .is_some_and(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let take_out = |line: &str| if is_default(line) { line.split_at(1).1.to_owned() } else { line.to_owned() };
    text.lines().map(|line| take_out(line) + "\n").collect()
}

/// Everything that the files mean, apart from their texts and where they lie.
fn meaning(config: &Config, files: &Files) -> String {
    let mut bare = Config { files: Vec::new(), hash: String::new(), ..config.clone() };
    // That an interval was written down counts by itself, also where it is that of the default.
    bare.feeds.iter_mut().for_each(|feed| feed.every_stated = false);
    format!("{bare:#?}").replace(files.folder.path().to_str().unwrap(), "ROOT")
}

#[test]
fn the_shipped_files_are_well_and_nothing_about_them_is_worth_a_warning() {
    let (config, warnings) = Files::shipped().load().unwrap();
    assert!(warnings.is_empty(), "{}", config::render(&warnings, &config.files, false));
    assert!((8..=12).contains(&config.feeds.iter().filter(|feed| feed.enabled).count()));
    assert!(config.feeds.iter().all(|feed| feed.group.is_some()));
    assert!(config.groups.iter().all(|group| group.reason.is_some() && group.kind.is_some()));
}

#[test]
fn every_commented_key_of_the_shipped_files_stands_at_its_default() {
    let files = Files::shipped();
    let before = meaning(&files.loaded(), &files);
    let mut taken_out = 0;
    for name in [FEEDS, OWNERS, STACK, SETTINGS] {
        let text = files.text(name);
        let all = uncommented(&text);
        taken_out += text.lines().zip(all.lines()).filter(|(old, new)| old != new).count();
        files.write(name, all);
    }
    assert!(taken_out >= 24, "{taken_out}");
    assert_eq!(meaning(&files.loaded(), &files), before);
}

#[test]
fn every_key_of_a_mail_server_stands_in_the_shipped_files_and_the_ports_are_as_they_say() {
    let files = Files::shipped();
    let port = |files: &Files| match files.loaded().mail.transport {
        MailTransport::Smtp { port, .. } => port,
        MailTransport::Directory => panic!("no server"),
    };
    files.edit(SETTINGS, "#transport = \"directory\"", "transport = \"smtp\"");
    for key in ["host", "tls", "port"] {
        files.edit(SETTINGS, &format!("# {key} = "), &format!("{key} = "));
    }
    let spelled_out = meaning(&files.loaded(), &files);
    files.edit(SETTINGS, "\ntls = \"starttls\"\nport = 587\n", "\n");
    assert_eq!(meaning(&files.loaded(), &files), spelled_out);
    files.edit(SETTINGS, "\nhost = \"smtp.example.com\"", "\nhost = \"127.0.0.1\"\ntls = \"none\"");
    assert_eq!(port(&files), 25);
    files.edit(SETTINGS, "tls = \"none\"", "tls = \"tls\"");
    assert_eq!(port(&files), 465);
}

#[test]
fn the_mailbox_in_the_shipped_file_is_read_and_its_ports_and_defaults_are_as_it_says() {
    let files = Files::shipped();
    let source = |files: &Files| files.loaded().inbound.unwrap().source;
    let port = |files: &Files| match source(files) {
        InboundSource::Imap { port, .. } => port,
        InboundSource::Maildir(path) => panic!("{}", path.display()),
    };
    let text = files.text(SETTINGS);
    for key in ["[inbound]", "host = \"imap", "tls = \"tls\"", "port = 993", "mailbox = ", "every = \"5m"] {
        files.edit(SETTINGS, &format!("# {key}"), key);
    }
    files.write("imap-password", "not a real one");
    files.protect("imap-password", 0o600);
    files.edit(
        SETTINGS,
        "# username = \"sigtrail\"\n# password_file = \"/run/credentials/sigtrail.service/imap-password\"",
        "username = \"sigtrail\"\npassword_file = \"imap-password\"",
    );
    let spelled_out = files.loaded().inbound;
    for line in ["port = 993\n", "mailbox = \"INBOX\"\n", "tls = \"tls\"\n"] {
        files.edit(SETTINGS, line, "");
    }
    assert_eq!(files.loaded().inbound, spelled_out);
    files.edit(SETTINGS, "\nhost = \"imap.example.com\"\n", "\nhost = \"imap.example.com\"\ntls = \"starttls\"\n");
    assert_eq!(port(&files), 143);
    files.protect("imap-password", 0o644);
    assert_eq!(files.load().unwrap().1[0].message, "password file `imap-password` is open to others");
    files.write(SETTINGS, text);
    files.edit(
        SETTINGS,
        "# [inbound]\n# maildir = \"/var/lib/sigtrail/returned\"",
        "[inbound]\nmaildir = \"returned\"",
    );
    for part in ["new", "cur", "tmp"] {
        fs::create_dir_all(files.path("returned").join(part)).unwrap();
    }
    let maildir = files.loaded().inbound.unwrap();
    assert_eq!(maildir.source, InboundSource::Maildir(files.path("returned")));
    assert_eq!(maildir.every, jiff::SignedDuration::from_mins(5));
    files.edit(SETTINGS, "maildir = \"returned\"", "maildir = \"returned\"\nport = 993");
    assert_eq!(files.load().unwrap_err().problems[0].message, "`port` has no effect with a maildir");
}

#[test]
fn every_key_there_is_stands_in_the_shipped_files() {
    let keys = [
        (FEEDS, "name url owner group id every a_im expect unmatched baseline tlp topics enabled"),
        (FEEDS, "kind membership reason deputy controls joined review_by"),
        (OWNERS, "fallback id name address role deputy timezone digest tlp until"),
        (STACK, "id name owner terms when to urgent text case near not regex feed group tag severity"),
        (SETTINGS, "state from transport host port tls username password_file ca_file listen base_url contact every"),
        (
            SETTINGS,
            "maildir mailbox fast_answer min_interval per_host_gap timeout max_wire max_decoded allow_addresses allow_ports origin entries",
        ),
    ];
    for (name, keys) in keys {
        let text = project(name);
        for key in keys.split(' ') {
            assert!(text.contains(&format!("{key} = ")), "{name} has no `{key}`");
        }
    }
}

#[test]
fn init_writes_four_files_and_never_touches_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    assert_eq!(cli::init::run(folder.path(), false, &mut out, &mut talk).unwrap(), 0);
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 4);
    fs::write(folder.path().join(FEEDS), "mine").unwrap();
    fs::remove_file(folder.path().join(STACK)).unwrap();
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    assert_eq!(cli::init::run(folder.path(), false, &mut out, &mut talk).unwrap(), 2);
    let talk = String::from_utf8(talk).unwrap();
    assert!(talk.contains("feeds.toml") && talk.contains("are already there; nothing was written"), "{talk}");
    assert_eq!(fs::read_to_string(folder.path().join(FEEDS)).unwrap(), "mine");
    assert!(!folder.path().join(STACK).exists());
}

#[test]
fn check_shows_the_next_three_runs_of_every_owner_and_the_counts() {
    let files = Files::well();
    let mut out = Vec::new();
    assert_eq!(cli::check::run(files.folder.path(), now(), false, false, &mut out).unwrap(), 0);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "OWNER  ROLE           DIGEST           ZONE           NEXT\n\
         maria  Security lead  0 8 * * MON-FRI  Europe/London  Mon 23 Nov 08:00  Tue 24 Nov 08:00  Wed 25 Nov 08:00\n\
         jon                   0 8 * * MON-FRI  UTC            Mon 23 Nov 08:00  Tue 24 Nov 08:00  Wed 25 Nov 08:00\n\
         GROUP  KIND        MEMBERSHIP  FEEDS  OWNER  DEPUTY  REVIEW BY\n\
         tarn   government  open        1      maria  jon     2027-02-03\n\
         2 feeds, 1 group, 2 owners, 1 component, 1 topic, 4 terms, 1 route\n"
    );
}

#[test]
fn check_exits_0_with_warnings_alone_and_2_with_errors_and_speaks_json_lines() {
    let files = Files::well();
    files.edit(STACK, "\"libmarrow\", ", "\"libmarrow\", \"MRQ\", ");
    let mut out = Vec::new();
    assert_eq!(cli::check::run(files.folder.path(), now(), true, false, &mut out).unwrap(), 0);
    let lines: Vec<serde_json::Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!((&lines[0]["severity"], &lines[0]["text"]), (&"warning".into(), &"\"MRQ\"".into()));
    assert_eq!(lines[1]["next"][0], "2026-11-23T08:00:00Z");
    let group = serde_json::json!({
        "group": "tarn", "name": "Tarn CERT", "url": "https://tarn.example/", "kind": "government",
        "membership": "open", "reason": "First word on what is exploited", "owner": "maria", "deputy": "jon",
        "controls": ["A.5.6"], "joined": "2025-02-03", "review_by": "2027-02-03", "review_overdue": false, "feeds": 1,
    });
    assert_eq!(lines[3], group, "every key of a group is shown");
    let later = "2027-02-04T00:00:00Z".parse().unwrap();
    let mut out = Vec::new();
    assert_eq!(cli::check::run(files.folder.path(), later, false, false, &mut out).unwrap(), 0);
    assert!(String::from_utf8(out).unwrap().contains("2027-02-03, overdue\n"));

    files.edit(FEEDS, "owner = \"jon\"", "owner = \"jhon\"");
    let mut out = Vec::new();
    assert_eq!(cli::check::run(files.folder.path(), now(), false, false, &mut out).unwrap(), 2);
    let shown = String::from_utf8(out).unwrap();
    assert!(shown.ends_with("1 error, 1 warning in 4 files; nothing was loaded\n"), "{shown}");
    assert!(!shown.contains("OWNER"), "{shown}");
}

#[test]
fn s_09_a_secret_in_a_file_is_refused_and_never_shown() {
    let files = Files::well();
    files.edit(FEEDS, "https://marrow.example/feed", "https://me:hunter2@marrow.example/feed");
    files.edit(FEEDS, "https://tarn.example/all.xml", "ftp://hunter2@tarn.example/all.xml");
    files.edit(SETTINGS, "password_file = \"smtp-password\"", "password = \"hunter2\"");
    files.edit(SETTINGS, "host = ", "pass = hunter2\nhost = ");
    let (problems, sources) = files.problems();
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(!config::render(&problems, &sources, true).contains("hunter2"));
    let mut out = Vec::new();
    cli::check::run(files.folder.path(), now(), true, false, &mut out).unwrap();
    assert!(!String::from_utf8(out).unwrap().contains("hunter2"));
}

#[test]
fn files_of_other_editors_with_a_mark_in_front_and_other_line_ends_are_read() {
    let files = Files::well();
    for name in [FEEDS, OWNERS, STACK, SETTINGS] {
        let text = files.text(name).replace('\n', "\r\n");
        files.write(name, format!("\u{feff}{text}"));
    }
    assert!(files.load().unwrap().1.is_empty());
    files.edit(FEEDS, "owner = \"jon\"", "owner = \"jhon\"");
    let (problems, sources) = files.problems();
    assert_eq!((problems[0].line, problems[0].column, problems[0].offending(&sources)), (30, 9, "\"jhon\""));
    assert!(
        config::render(&problems, &sources, false).contains("\n30 | owner = \"jhon\"\n   |         ^^^^^^ no such")
    );
}

#[test]
fn s_07_no_damage_to_a_file_ever_crashes_the_check() {
    let files = Files::well();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let pieces = [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "\"",
        "'''",
        "=",
        ".",
        ",",
        "#",
        "\n",
        "\r",
        "é",
        "[[owner]]\n",
        "[mail]\n",
        "a.b = 1\n",
        "feed = 1\n",
    ];
    for round in 0..300 {
        let name = [FEEDS, OWNERS, STACK, SETTINGS][round % 4];
        let well = files.text(name);
        let mut text: Vec<char> = well.chars().collect();
        for _ in 0..=random(3) {
            let at = random(text.len());
            match random(4) {
                0 => text.truncate(at),
                1 => drop(text.drain(at..(at + random(40)).min(text.len()))),
                2 => drop(text.splice(at..at, pieces[random(pieces.len())].chars())),
                _ => {
                    let piece: Vec<char> = text[at..(at + random(200)).min(text.len())].to_vec();
                    let to = random(text.len());
                    drop(text.splice(to..to, piece));
                }
            }
        }
        files.write(name, text.into_iter().collect::<String>());
        let (problems, sources) = files.problems();
        let shown = config::render(&problems, &sources, false);
        assert_eq!(shown.is_empty(), problems.is_empty());
        files.write(name, well);
    }
}

#[test]
fn h_19_a_configuration_with_a_million_feeds_is_refused_within_its_budgets() {
    let watch = sigtrail::clock::Stopwatch::start();
    let files = Files::well();
    // More bytes than are read.
    files.write(FEEDS, "[[feed]]\nname = \"a\"\n".repeat(1_000_000));
    let (problems, _) = files.problems();
    assert_eq!(problems[0].message.split(" is larger").count(), 2, "{}", problems[0].message);
    // As many tables as fit into the bytes that are read, each of them wrong, and lists of everything else.
    files.write(FEEDS, "[[feed]]\n".repeat(400_000));
    let (problems, _) = files.problems();
    assert!(problems.len() <= 1_001, "{}", problems.len());
    assert!(problems.iter().any(|problem| problem.message == "more than 20000 tables [[feed]]"), "{:?}", problems[0]);
    // Each with an owner that is nearly one.
    let near = |n| format!("[[feed]]\nname = \"f{n}\"\nurl = \"https://a.example/{n}\"\nowner = \"mara\"\n");
    files.write(FEEDS, (0..40_000).map(near).collect::<Vec<String>>().concat());
    assert!(files.problems().0.len() <= 1_001);
    // What nests as deep as the file is long.
    files.write(FEEDS, format!("a = {}", "[".repeat(2_000_000)));
    assert!(files.load().is_err());
    files.write(FEEDS, format!("a = {}", "{a=".repeat(1_000_000)));
    assert!(files.load().is_err());
    assert!(watch.elapsed() < std::time::Duration::from_mins(3), "{:?}", watch.elapsed());
}

#[test]
fn h_19_commands_and_entities_in_a_configuration_are_texts() {
    let files = Files::well();
    let name = "$(touch pwned); `touch pwned` & &xxe; %s ${HOME} ../../etc | sh";
    files.edit(FEEDS, "libmarrow releases", name);
    assert_eq!(files.loaded().feeds[1].name, name);
    assert!(!files.path("pwned").exists());
}
