//! How quickly owners see their page when the state is large: 1,000,000 entries polled, told and mailed by the program's
//! own verbs, then 50 readers at once while polling goes on; and what else an owner or an operator waits for.
//! `cargo bench --bench page [-- --entries N] [--seconds N]`. Ends with 1 when a limit is broken.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench says what it found and how far it is")]

mod publisher;
mod readers;

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::SignedDuration;
use sigtrail::{
    clock::{Clock, Stopwatch},
    config,
    jobs::{
        self, Context, checkpoint, poll,
        start::{Surroundings, start},
        status::status,
        unanswered::overdue,
        vitals::figures,
    },
    model::id::{DigestNo, FeedId, StoryNo},
    store::Search,
    token::{Scope, mint},
};

use publisher::ENTRIES;
use readers::Server;

const ALL: usize = 1_000_000;
const SECONDS: usize = 30;
/// How many feeds are polled for one digest: it has ten stories of each.
const CHUNK: usize = 4;
/// The most that a page may take, in the 99th percentile.
const PAGE: Duration = Duration::from_millis(50);
/// The most that anybody waits for anything else without hearing of progress.
const ELSE: Duration = Duration::from_secs(1);

/// What the links begin with.
const SITE: &str = "https://sigtrail.example.com";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let feeds = option(&arguments, "--entries", ALL)?.div_ceil(ENTRIES).next_multiple_of(CHUNK);
    let folder = tempfile::tempdir()?;
    let (listener, grown) = (TcpListener::bind("127.0.0.1:0")?, Arc::new(AtomicUsize::new(0)));
    let port = listener.local_addr()?.port();
    publisher::serve(listener, Arc::clone(&grown));
    let clock = Clock::manual("2026-03-02T08:00:00Z".parse()?);
    // An owner's first digest waits for the first poll of every feed, so they have had one before the others are added.
    let begun = begin(folder.path(), port, CHUNK, &clock)?;
    poll::poll(&begun, Some(&chunk(0)), &mut |_| {})?;
    jobs::mail_due(&begun)?;
    drop(begun);
    let context = begin(folder.path(), port, feeds, &clock)?;
    let server = Server::open(&context)?;
    seed(&context, &server, feeds)?;
    let paths = links(&context)?;
    println!("{}", size(folder.path())?);
    let mut is_well = elsewhere(&context)?;
    let seconds = option(&arguments, "--seconds", SECONDS)?;
    let over = AtomicBool::new(false);
    let polls = AtomicUsize::new(0);
    thread::scope(|scope| -> Result<()> {
        scope.spawn(|| keep_polling(&context, feeds, &grown, (&over, &polls)));
        let measured = (|| -> Result<()> {
            for (what, paths, limit) in
                [("one story", &paths.stories, Some(PAGE)), ("a digest of 40 stories", &paths.digests, Some(PAGE))]
            {
                for pause in [Duration::from_secs(1), Duration::ZERO] {
                    let before = polls.load(Ordering::SeqCst);
                    let seen = readers::read(&server, paths, pause, Duration::from_secs(seconds.try_into()?))?;
                    let polled = polls.load(Ordering::SeqCst) - before;
                    // Readers who never pause measure what two processors can do, and not what one waits for.
                    let limit = limit.filter(|_| !pause.is_zero());
                    is_well &= seen.print(what, pause, limit, polled);
                }
            }
            Ok(())
        })();
        over.store(true, Ordering::SeqCst);
        measured
    })?;
    println!("memory {} MiB at most, with the readers in the same process", peak()?);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts on so many feeds.
fn begin(root: &Path, port: u16, feeds: usize, clock: &Clock) -> Result<Context> {
    write_configuration(root, port, feeds)?;
    let (config, _) = config::load_at(root, clock.now())?;
    let around = Surroundings { clock: clock.clone(), ..Surroundings::default() };
    Ok(start(config, &root.join("var"), around)?.0)
}

fn option(arguments: &[String], name: &str, default: usize) -> Result<usize> {
    Ok(match arguments.iter().skip_while(|argument| *argument != name).nth(1) {
        Some(value) => value.parse()?,
        None => default,
    })
}

fn write_configuration(root: &Path, port: u16, feeds: usize) -> Result<()> {
    let mut register = String::new();
    for feed in 0..feeds {
        let unmatched = if feed % 2 == 0 { "none" } else { "list" };
        writeln!(
            register,
            "[[feed]]\nid = \"feed-{feed}\"\nname = \"Publisher {feed}\"\nurl = \"http://127.0.0.1:{port}/feed/{feed}\"\n\
             owner = \"jon\"\nbaseline = {ENTRIES}\nunmatched = \"{unmatched}\"\n"
        )?;
    }
    fs::create_dir_all(root.join("config"))?;
    fs::write(root.join("feeds.toml"), register)?;
    fs::write(
        root.join("config/owners.toml"),
        "fallback = \"jon\"\n[[owner]]\nid = \"maria\"\nname = \"Maria Lopez\"\naddress = \"maria@example.com\"\ndeputy = \"jon\"\n\
         digest = \"0 * * * *\"\n[[owner]]\nid = \"jon\"\nname = \"Jon Bright\"\naddress = \"jon@example.com\"\ndigest = \"0 * * * *\"\n",
    )?;
    fs::write(
        root.join("config/stack.toml"),
        "[[component]]\nid = \"quillgate\"\nname = \"Quillgate VPN\"\nowner = \"maria\"\nterms = [\"quillgate\"]\n",
    )?;
    let settings = "[mail]\nfrom = \"sigtrail <sigtrail@example.com>\"\n[web]\nbase_url = \"https://sigtrail.example.com\"\n\
         [fetch]\nper_host_gap = \"0s\"\nmin_interval = \"0s\"\nallow_addresses = [\"127.0.0.1/32\"]\nallow_ports = []\n";
    Ok(fs::write(root.join("config/sigtrail.toml"), settings)?)
}

fn chunk(first: usize) -> Vec<FeedId> {
    (first..first + CHUNK).map(|feed| FeedId::new(format!("feed-{feed}"))).collect()
}

/// Polls, tells and mails everything, a digest of forty stories an hour; nine in ten are answered.
fn seed(context: &Context, server: &Server, feeds: usize) -> Result<()> {
    let watch = Stopwatch::start();
    for first in (CHUNK..feeds).step_by(CHUNK) {
        let report = poll::poll(context, Some(&chunk(first)), &mut |_| {})?;
        if report.failed() > 0 {
            return Err(format!("{:?}", report.feeds.first()).into());
        }
        context.clock.advance(SignedDuration::from_mins(40));
        let (digests, _) = jobs::mail_due(context)?;
        // Nobody answers in the minute in which a mail arrives.
        context.clock.advance(SignedDuration::from_mins(20));
        for digest in digests.digests.iter().filter(|digest| digest.stories > 0 && !(first / CHUNK).is_multiple_of(10))
        {
            server.answer(digest.answer_all_url.strip_prefix(SITE).unwrap_or_default())?;
        }
        if first % 100 == 0 {
            eprint!("\rseeding: {first} of {feeds} feeds, {:.0?}   ", watch.elapsed());
        }
    }
    checkpoint::checkpoint(context)?;
    println!("\rseeded {feeds} feeds of {ENTRIES} entries in {:.0?}", watch.elapsed());
    Ok(())
}

/// The pages that readers ask for.
struct Paths {
    digests: Vec<String>,
    stories: Vec<String>,
}

fn links(context: &Context) -> Result<Paths> {
    let expires = context.now().checked_add(SignedDuration::from_hours(24 * 30))?;
    let rows = context.store.read(|read| {
        let mut rows = Vec::new();
        for no in read.digests(usize::MAX >> 1)? {
            rows.extend(read.digest(no)?.filter(|row| row.stories.len() >= 30));
        }
        Ok(rows)
    })?;
    let link = |digest: DigestNo, story| format!("/a/{}", mint(&context.link_key, &Scope { digest, story, expires }));
    let digests: Vec<String> = rows.iter().map(|row| link(row.no, None)).collect();
    let stories = rows.iter().flat_map(|row| (1..=30).map(|number| link(row.no, Some(number)))).collect();
    let told: usize = rows.iter().map(|row| row.stories.len()).sum();
    println!("{} digests with {told} stories", digests.len());
    Ok(Paths { digests, stories })
}

/// Polls chunk after chunk, ten feeds a second, each of which has something new.
fn keep_polling(context: &Context, feeds: usize, grown: &AtomicUsize, (over, polls): (&AtomicBool, &AtomicUsize)) {
    for first in (0..feeds).step_by(CHUNK).cycle() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        if first == 0 {
            grown.fetch_add(3, Ordering::SeqCst);
        }
        match poll::poll(context, Some(&chunk(first)), &mut |_| {}) {
            Ok(report) if report.failed() == 0 => polls.fetch_add(report.feeds.len(), Ordering::SeqCst),
            other => {
                eprintln!("a poll failed: {:?}", other.err());
                return;
            }
        };
        thread::sleep(Duration::from_millis(400));
    }
}

/// Everything else that somebody waits for.
fn elsewhere(context: &Context) -> Result<bool> {
    let (store, config, now) = (&context.store, &context.config, context.now());
    let mut is_well = true;
    let mut time = |what: &str, work: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        let watch = Stopwatch::start();
        work()?;
        let took = watch.elapsed();
        let verdict = if took <= ELSE { "" } else { "  TOO SLOW" };
        is_well &= took <= ELSE;
        println!("{what:<46} {:>9.1} ms{verdict}", took.as_secs_f64() * 1e3);
        Ok(())
    };
    time("the whole page of status", &mut || Ok(store.read(|read| status(read, config, now)).map(drop)?))?;
    time("the figures of monitoring", &mut || Ok(store.read(|read| figures(read, config, now)).map(drop)?))?;
    time("a glance at the log", &mut || Ok(store.read(|read| read.glance_at_log())?))?;
    time("feeds list: entries of each feed", &mut || Ok(store.read(|read| read.entries_by_feed()).map(drop)?))?;
    let rare = Search { text: Some("nothing has this".to_owned()), ..Search::default() };
    for (what, search) in [
        ("stories: the newest", Search::default()),
        ("stories: one stretch for a word that is nowhere", rare),
        ("stories: one stretch for a component", Search { component: Some("quillgate".into()), ..Search::default() }),
    ] {
        time(what, &mut || Ok(store.read(|read| read.stories(&search, None, 50)).map(drop)?))?;
    }
    time("stories: overdue", &mut || {
        let among = store.read(|read| overdue(read, config, now))?.into_iter().map(|row| row.story).collect();
        let search = Search { among: Some(among), ..Search::default() };
        Ok(store.read(|read| read.stories(&search, None, 50)).map(drop)?)
    })?;
    time("a turn of the mailing loop, nothing due", &mut || Ok(jobs::mail_due(context).map(drop)?))?;
    poll::poll(context, Some(&chunk(0)), &mut |_| {})?;
    context.clock.advance(SignedDuration::from_hours(1));
    time("a turn of the mailing loop, two digests due", &mut || Ok(jobs::mail_due(context).map(drop)?))?;
    let newest = store.read(|read| read.newest_story())?;
    time("one story with everything", &mut || Ok(store.read(|read| read.story(StoryNo(newest.0 / 2))).map(drop)?))?;
    Ok(is_well)
}

fn size(root: &Path) -> Result<String> {
    let bytes = fs::metadata(root.join("var/sigtrail.db"))?.len();
    Ok(format!("the database has {} MiB", bytes >> 20))
}

/// The largest resident set of this process, in MiB.
fn peak() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    let kib: u64 = line.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or_default();
    Ok(kib / 1_024)
}
