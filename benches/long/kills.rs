//! M-01 at length: a run that composes and sends digests is ended at ten thousand points. Most of them are failures on
//! purpose before or after a commit, each with another misbehaviour of the mail server; the others are SIGKILLs of a real
//! `sigtrail tick` at moments spread over its whole life. Each time the run then goes on to its end, and every digest must
//! have been sent, every copy of one must be the same, and the log must verify against the mails.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use jiff::SignedDuration;
use rusqlite::Connection;
use sigtrail::{
    clock::{Clock, Stopwatch},
    jobs::{self, Fault},
    pack,
    store::{DATABASE, Faults},
};

use crate::{
    Options, Outcome,
    harness::{
        smtp_server::{Act, Mail, Stage},
        world::{World, rss},
    },
    seed::Seed,
    service::SIGTRAIL,
};

/// How many owners get a digest in a run.
const OWNERS: usize = 5;
/// The stages at which the server may misbehave, and how often it may behave before.
const STAGES: [Stage; 7] =
    [Stage::Greeting, Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot, Stage::Quit];

type Error = Box<dyn std::error::Error>;

/// What the points came to, over all threads.
#[derive(Default)]
struct Tally {
    points: AtomicUsize,
    struck: AtomicUsize,
    kills: AtomicUsize,
    killed: AtomicUsize,
    duplicates: AtomicUsize,
    broken: AtomicBool,
}

/// Runs the points.
pub fn run(options: &Options) -> Outcome {
    let (points, kills) = (options.value("--points", 10_000_usize)?, options.value("--kills", 1_000_usize)?);
    let seed = options.value("--seed", 1_u64)?;
    let (watch, tally) = (Stopwatch::start(), Tally::default());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let tally = &tally;
        let running: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let done = work((worker, workers), (points.saturating_sub(kills), kills), seed, tally);
                    if let Err(error) = done {
                        println!("{error}");
                        tally.broken.store(true, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for one in running {
            if one.join().is_err() {
                tally.broken.store(true, Ordering::SeqCst);
            }
        }
    });
    let count = |number: &AtomicUsize| number.load(Ordering::SeqCst);
    let whole = !tally.broken.load(Ordering::SeqCst);
    let killed = count(&tally.killed);
    println!(
        "M-01: {} points in {:.0} s: {} failures on purpose ({} of them met a commit) and {} children, {killed} of them \
         ended by SIGKILL; {} digests each, none lost; {} duplicates, each byte for byte the same; every log verifies: {whole}",
        count(&tally.points),
        watch.elapsed().as_secs_f64(),
        count(&tally.points) - count(&tally.kills),
        count(&tally.struck),
        count(&tally.kills),
        OWNERS,
        count(&tally.duplicates),
    );
    Ok(whole && count(&tally.points) >= points && killed * 2 >= kills && count(&tally.duplicates) > 0)
}

/// One worker's share: a world of its own, and every `workers`-th point.
fn work(
    (worker, workers): (usize, usize),
    (failures, kills): (usize, usize),
    seed: u64,
    tally: &Tally,
) -> Result<(), Error> {
    let mut site = Site::new()?;
    let share = |number: usize| number / workers + usize::from(worker < number % workers);
    let mut seed = Seed::of(&[seed, worker as u64]);
    site.kill_at_every_moment(share(kills), &mut seed, tally)?;
    let mut left = share(failures);
    // Every misbehaviour with every point of a commit until a run meets no failure; the workers take them in turn.
    for (number, misbehaviour) in Misbehaviour::all().enumerate().cycle() {
        if number % workers != worker {
            continue;
        }
        for point in 1.. {
            if left == 0 || tally.broken.load(Ordering::SeqCst) {
                return Ok(());
            }
            left -= 1;
            if !site.fail_at(point, &misbehaviour, tally)? {
                break;
            }
        }
    }
    Ok(())
}

/// What the mail server does once, after it behaved so often at this stage.
#[derive(Debug, Clone)]
struct Misbehaviour {
    stage: Stage,
    after: usize,
    act: Act,
}

impl Misbehaviour {
    fn all() -> impl Iterator<Item = Misbehaviour> + Clone {
        (0..OWNERS).flat_map(|after| {
            STAGES.into_iter().flat_map(move |stage| {
                let acts = [Act::Good, Act::Drop, Act::LoseReply, Act::ReplyThenDrop, Act::reply(451, "4.3.0 later")];
                acts.into_iter().map(move |act| Misbehaviour { stage, after, act })
            })
        })
    }
}

/// A world whose stories wait to be composed and sent, and that state kept, to begin from again and again.
struct Site {
    world: World,
    kept: tempfile::TempDir,
}

impl Site {
    fn new() -> Result<Site, Error> {
        let mut world = World::at(&Clock::System.now().to_string()).owner("maria", "Maria Lopez", "");
        for n in 0..OWNERS {
            world = world.owner(&owner(n), &format!("Owner {n}"), "");
            world = world.component(&format!("part-{n}"), &format!("Part {n}"), &owner(n), &[&term(n)]);
        }
        let mut world = world.feed("cert", "unmatched = \"none\"\nbaseline = 100");
        let titles: Vec<String> = (0..OWNERS).map(|n| format!("{} notice", term(n))).collect();
        let paths: Vec<String> = (0..OWNERS).map(|n| format!("notice-{n}")).collect();
        let items: Vec<(&str, &str, &str)> = titles
            .iter()
            .zip(&paths)
            .map(|(title, path)| (title.as_str(), path.as_str(), "A crafted archive."))
            .collect();
        world.publish("cert", &rss(&items));
        jobs::poll::poll(&world.context(), None, &mut |_| {})?;
        world.stop();
        let kept = tempfile::tempdir()?;
        copy(&world.state(), kept.path())?;
        Ok(Site { world, kept })
    }

    /// Back to the kept state, at this moment.
    fn begin_again(&mut self) -> Result<(), Error> {
        self.world.stop();
        self.world.smtp.forget();
        fs::remove_dir_all(self.world.state())?;
        copy(self.kept.path(), &self.world.state())?;
        self.world.wait(Clock::System.now().duration_since(self.world.clock.now()));
        Ok(())
    }

    /// Plays the run with one misbehaviour of the server, failing at this point of a commit, and to its end; whether
    /// there was such a point.
    fn fail_at(&mut self, point: i64, misbehaviour: &Misbehaviour, tally: &Tally) -> Result<bool, Error> {
        self.begin_again()?;
        let Misbehaviour { stage, after, act } = misbehaviour;
        self.world.smtp.script_times(*stage, *after, Act::Good);
        self.world.smtp.script(*stage, act.clone());
        let faults = Faults::at(point);
        let started = self.world.restart_with(faults.clone()).map(|_| ());
        let ended = started.and_then(|()| jobs::mail_due(&self.world.context()).map(|_| ()));
        if let Err(fault) = ended {
            on_purpose(fault)?;
        }
        let struck = faults.struck();
        self.finish(&format!("failing at point {point}, {misbehaviour:?}"), tally)?;
        tally.struck.fetch_add(usize::from(struck), Ordering::SeqCst);
        Ok(struck)
    }

    /// Kills a real tick at moments spread over the time that a whole one takes.
    fn kill_at_every_moment(&mut self, kills: usize, seed: &mut Seed, tally: &Tally) -> Result<(), Error> {
        let mut whole = Duration::from_secs(5);
        for n in 0..=kills {
            if tally.broken.load(Ordering::SeqCst) {
                return Ok(());
            }
            self.begin_again()?;
            self.world.config();
            // The first one lives to its end and shows how long that takes.
            let spread =
                u32::try_from(n * 1_000 / kills.max(1)).unwrap_or(0) + u32::try_from(seed.below(20)).unwrap_or(0);
            let after = if n == 0 { Duration::from_mins(1) } else { whole * spread / 1_050 };
            // Replies that take a moment make room between the commits.
            self.world.smtp.always(Stage::Dot, Act::Delay(Duration::from_millis(4)));
            if let Some(took) = tick_and_kill(self.world.root.path(), after)? {
                whole = if n == 0 { took } else { whole.min(took) };
            } else {
                // What was quick when the machine had nothing else to do may be slow now.
                whole += whole / 100;
                tally.killed.fetch_add(1, Ordering::SeqCst);
            }
            self.finish(&format!("killed after {after:?}"), tally)?;
            tally.kills.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Starts anew without any failure, goes on until nothing waits, and looks at what is there.
    fn finish(&mut self, how: &str, tally: &Tally) -> Result<(), Error> {
        self.world.smtp.behave();
        self.world.wait(Clock::System.now().duration_since(self.world.clock.now()).max(SignedDuration::ZERO));
        self.world.restart();
        let context = self.world.context();
        for _ in 0..12 {
            jobs::mail_due(&context)?;
            if context.store.read(|read| read.next_attempt_at())?.is_none() {
                break;
            }
            self.world.wait(SignedDuration::from_mins(20));
        }
        let mails = self.world.smtp.mails();
        let (problems, duplicates) = look(&self.world.state().join(DATABASE), &mails)?;
        tally.duplicates.fetch_add(duplicates, Ordering::SeqCst);
        let points = tally.points.fetch_add(1, Ordering::SeqCst) + 1;
        if points.is_multiple_of(1_000) {
            println!("{points} points");
        }
        if problems.is_empty() { Ok(()) } else { Err(format!("{how}: {}", problems.join("; ")).into()) }
    }
}

fn owner(n: usize) -> String {
    format!("owner-{n}")
}

fn term(n: usize) -> String {
    format!("quill{n}gate")
}

fn on_purpose(fault: Fault) -> Result<(), Error> {
    if fault.to_string().contains("on purpose") { Ok(()) } else { Err(fault.into()) }
}

/// Copies the files of a folder; there are no folders in it that matter.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Runs `sigtrail tick` and kills it after this time; the time it took when it was quicker.
fn tick_and_kill(root: &Path, after: Duration) -> Result<Option<Duration>, Error> {
    let watch = Stopwatch::start();
    let mut child = Command::new(SIGTRAIL)
        .arg("--root")
        .arg(root)
        .arg("tick")
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    while watch.elapsed() < after {
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(Some(watch.elapsed())) } else { Err(format!("tick: {status}").into()) };
        }
        thread::sleep(Duration::from_micros(200));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Everything that is not as it was promised, and how many copies there were beyond the first ones.
fn look(database: &Path, mails: &[Mail]) -> Result<(Vec<String>, usize), Error> {
    let mut problems = Vec::new();
    let connection = Connection::open(database)?;
    let mut query = connection.prepare(
        "SELECT address, bytes, state FROM digest JOIN delivery ON delivery.digest = digest.no
         LEFT JOIN delivery_state ON delivery_state.delivery = delivery.no",
    )?;
    let digests: Vec<(String, Vec<u8>, String)> =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    let untold: usize = connection.query_row("SELECT count(*) FROM waiting_state", [], |row| row.get(0))?;
    if untold > 0 || digests.len() != OWNERS {
        problems.push(format!("{} digests, and {untold} stories in none", digests.len()));
    }
    let is_copy = |mail: &Mail, address: &str, bytes: &[u8]| mail.raw == bytes && mail.to == [address];
    for (address, bytes, state) in &digests {
        let copies = mails.iter().filter(|mail| is_copy(mail, address, bytes)).count();
        if state != "accepted" || copies == 0 {
            problems.push(format!("the digest for {address} is {state} and arrived {copies} times"));
        }
    }
    // What is no copy of a digest is a duplicate that is not the same.
    let strange = mails.iter().filter(|mail| !digests.iter().any(|(to, bytes, _)| is_copy(mail, to, bytes))).count();
    if strange > 0 {
        problems.push(format!("{strange} mails are no digest"));
    }
    let folder = tempfile::tempdir()?;
    let mut files: Vec<PathBuf> = Vec::new();
    for (n, mail) in mails.iter().enumerate() {
        let file = folder.path().join(format!("{n}.eml"));
        fs::write(&file, &mail.raw)?;
        files.push(file);
    }
    let verdict = pack::verify(database, None, &files)?;
    if !(verdict.is_good() && verdict.is_anchored()) {
        problems.push("the log does not verify against the mails".to_owned());
    }
    Ok((problems, mails.len().saturating_sub(digests.len())))
}
