//! Failing before and after every commit, losing any reply of the mail server, being killed: whatever happens, nothing
//! is lost, nothing is told twice but byte for byte, and the log verifies. Every run plays one story on a state of its
//! own to its end; what must then be true of it is in `trail`.
#![expect(clippy::redundant_closure_for_method_calls, reason = "the method itself has one lifetime, a closure any")]

mod trail;
mod unanswered;

use std::{fs, process::Stdio, time::Duration};

use jiff::SignedDuration;
use sigtrail::{
    clock::{Clock, Stopwatch},
    jobs::{self, Fault, checkpoint},
    model::{
        acknowledgement::{Answer, Disposition, Haste, Recorded, Reference, ReferenceKind, Via},
        id::{DigestNo, OwnerId, StoryNo},
    },
    store::Faults,
};

use self::trail::{Promise, Trail};
use crate::harness::{
    smtp_server::{Act, Stage},
    world::{World, rss},
};

type Item = (&'static str, &'static str, &'static str);

const CERT: [Item; 5] = [
    ("CVE-2099-10007 in Quillgate", "c1", "A crafted cookie skips the sign-in."),
    ("libmarrow 2.8.1 fixes a crash", "c2", "An archive with long names."),
    ("Advice on accounts of leavers", "c3", "Close them."),
    ("CVE-2099-10008 in libmarrow", "c4", "An archive with no names."),
    ("Advice on backups", "c5", "Keep one elsewhere."),
];
const CHANGED: Item = ("libmarrow 2.8.1 fixes a crash", "c2", "An archive with long names ends the reader.");
const VENDOR: [Item; 4] = [
    ("Quillgate 9.1.4 fixes CVE-2099-10007", "v1", "Update now."),
    ("Hidden instructions in invitations", "v2", "A prompt injection."),
    ("libmarrow 2.8.2 fixes CVE-2099-10008", "v3", "Update now."),
    ("Fernwald newsletter", "v4", "Nothing of the stack."),
];

const PROMISE: Promise = Promise {
    entries: &[
        ("cert", "c1", 1),
        ("cert", "c2", 2),
        ("cert", "c3", 1),
        ("cert", "c4", 1),
        ("cert", "c5", 1),
        ("vendor", "v1", 1),
        ("vendor", "v2", 1),
        ("vendor", "v3", 1),
        ("vendor", "v4", 1),
    ],
    told: &[
        ("maria", "CVE-2099-10007"),
        ("maria", "Hidden instructions in invitations"),
        ("maria", "Advice on accounts of leavers"),
        ("maria", "Advice on backups"),
        ("jon", "libmarrow 2.8.1 fixes a crash"),
        ("jon", "CVE-2099-10008"),
        ("jon", "Fernwald newsletter"),
    ],
    recorded: &[
        ("entry-received", "revision"),
        ("entry-routed", "assignment"),
        ("digest-composed", "digest"),
        ("delivery-started", "attempt"),
        ("delivery-finished", "receipt"),
        ("acknowledged", "acknowledgement"),
    ],
};

/// The feeds as they stand before the weekend, and after it.
const BEFORE: u8 = 1;
const AFTER: u8 = 2;

fn publish(world: &World, state: u8) {
    if state == BEFORE {
        world.publish("cert", &rss(&CERT[..3]));
        world.publish("vendor", &rss(&VENDOR[..2]));
    } else {
        world.publish("cert", &rss(&[CERT[0], CHANGED, CERT[2], CERT[3], CERT[4]]));
        world.publish("vendor", &rss(&VENDOR));
    }
}

fn world_at(moment: &str) -> World {
    let world = World::company(moment).feed("cert", "").feed("vendor", "unmatched = \"owner\"\nowner = \"jon\"");
    publish(&world, BEFORE);
    world
}

/// A step of the story: what the world does, then what sigtrail has to do, again and again until it is done.
enum Step {
    /// A tick at this moment.
    Tick(&'static str),
    /// Ticks until no delivery waits any more.
    Settle,
    /// Maria answers with this form.
    Answer(&'static str, Disposition),
    /// The feeds change.
    Publish(u8),
}

const STORY: &[Step] = &[
    Step::Tick("2026-11-20T07:00:00Z"),
    Step::Tick("2026-11-20T09:00:00Z"),
    Step::Settle,
    Step::Answer("form-1", Disposition::Discuss),
    Step::Publish(AFTER),
    Step::Tick("2026-11-23T06:00:00Z"),
    Step::Tick("2026-11-23T08:05:00Z"),
    Step::Settle,
    Step::Answer("form-2", Disposition::Acted),
];
const CONFIRMED: &[&str] = &["form-1", "form-2"];

/// One run of the story.
struct Run {
    world: World,
    notes: Vec<String>,
    confirmed: Vec<&'static str>,
}

impl Run {
    fn new(world: World) -> Run {
        Run { world, notes: Vec::new(), confirmed: Vec::new() }
    }

    /// Plays the story; a failure on purpose is a crash, after which everything starts anew on the same state.
    fn play(&mut self, story: &[Step], faults: &Faults) {
        let started = self.world.restart_with(faults.clone()).map(|_| ());
        self.see(started.as_ref().err(), faults);
        for step in story {
            match step {
                Step::Tick(moment) => {
                    self.world.wait_until(moment);
                    self.insist(faults, |run| run.world.try_tick().map(|_| ()));
                }
                Step::Settle => self.settle(faults),
                Step::Answer(nonce, disposition) => {
                    self.insist(faults, |run| run.answer(nonce, *disposition));
                    self.confirmed.push(nonce);
                }
                Step::Publish(state) => publish(&self.world, *state),
            }
        }
    }

    fn insist(&mut self, faults: &Faults, act: impl Fn(&mut Run) -> Result<(), Fault>) {
        for _ in 0..2 {
            let done = act(self);
            self.see(done.as_ref().err(), faults);
            if done.is_ok() {
                return;
            }
            self.world.restart();
        }
        panic!("it fails again without a failure on purpose");
    }

    /// Keeps the checkpoint that lies beside the database, as somebody who watches the folder.
    fn see(&mut self, fault: Option<&Fault>, faults: &Faults) {
        if let Some(fault) = fault {
            assert!(faults.struck() && fault.to_string().contains("on purpose"), "{fault}");
        }
        self.notes.extend(fs::read_to_string(self.world.state().join(checkpoint::FILE)));
    }

    fn settle(&mut self, faults: &Faults) {
        for _ in 0..12 {
            self.insist(faults, |run| run.world.try_tick().map(|_| ()));
            let context = self.world.context();
            if context.store.read(|read| read.next_attempt_at()).unwrap().is_none() {
                return;
            }
            self.world.wait(SignedDuration::from_mins(20));
        }
        panic!("a delivery never ends");
    }

    fn answer(&mut self, nonce: &str, disposition: Disposition) -> Result<(), Fault> {
        let context = self.world.context();
        let answer = Answer {
            owner: OwnerId::new("maria"),
            digest: Some(DigestNo(1)),
            stories: vec![StoryNo(1)],
            disposition,
            note: Some("Raised at the Monday meeting.".to_owned()),
            references: vec![Reference { kind: ReferenceKind::Ticket, text: "SEC-17".to_owned() }],
            corrects: None,
            happened: None,
            nonce: nonce.to_owned(),
            via: Via::Link,
            haste: Haste::None,
        };
        let recorded = jobs::acknowledge::record(&context.store, &answer, context.now())?;
        assert!(matches!(recorded, Recorded::New { .. } | Recorded::Already { .. }));
        Ok(())
    }

    fn trail(&mut self) -> Trail {
        Trail::of(&mut self.world, &PROMISE, &self.notes)
    }

    #[track_caller]
    fn check(&mut self, how: &str) -> Trail {
        let trail = self.trail();
        let problems = trail.problems(&PROMISE, &self.confirmed);
        assert!(problems.is_empty(), "{how}:\n{}", problems.join("\n"));
        assert_eq!(self.confirmed, CONFIRMED);
        trail
    }
}

/// Plays the story once for every point of a commit, before it and after it, or for every nth of them, until a run
/// meets no failure; how many runs that took.
fn fail_everywhere(every: usize, arrange: impl Fn(&World)) -> i64 {
    for (runs, point) in (1..).zip((1..).step_by(every)) {
        let faults = Faults::at(point);
        let mut run = Run::new(world_at("2026-11-20T07:00:00Z"));
        arrange(&run.world);
        run.play(STORY, &faults);
        run.check(&format!("failing at point {point}"));
        if !faults.struck() {
            return runs;
        }
        assert!(point < 1_000, "the story has no end");
    }
    0
}

#[test]
fn m_01_failing_before_and_after_every_commit_loses_nothing_and_changes_no_message() {
    let runs = fail_everywhere(1, |_| {});
    println!("{runs} runs, each with one failure");
    assert!(runs > 60, "{runs} points are not the whole story");
}

#[test]
fn m_01_every_first_reply_is_lost_and_any_commit_fails_and_nothing_is_lost() {
    // Every third point: before and after commits in turn.
    // The first attempts of the four digests are accepted, and nobody is told.
    let runs = fail_everywhere(3, |world| world.smtp.script_times(Stage::Dot, 4, Act::LoseReply));
    println!("{runs} runs, each with lost replies and one failure");
    assert!(runs > 30, "a third of {runs} points is not the whole story");
}

#[test]
fn m_03_any_reply_of_the_mail_server_may_be_lost_and_duplicates_are_byte_identical() {
    let stages = [Stage::Greeting, Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot, Stage::Quit];
    let (mut runs, mut duplicates) = (0, 0);
    for stage in stages {
        for act in [Act::Drop, Act::LoseReply] {
            if matches!(act, Act::LoseReply) && stage != Stage::Dot {
                continue;
            }
            for before in 0..4 {
                let mut run = Run::new(world_at("2026-11-20T07:00:00Z"));
                run.world.smtp.script_times(stage, before, Act::Good);
                run.world.smtp.script(stage, act.clone());
                run.play(STORY, &Faults::default());
                let trail = run.check(&format!("{act:?} at {stage:?} after {before}"));
                let copies = trail.mails.len() - trail.by_message_id().len();
                assert_eq!(copies == 1, matches!(act, Act::LoseReply), "{copies} copies after {act:?} at {stage:?}");
                duplicates += copies;
                runs += 1;
            }
        }
    }
    println!("{runs} runs, {duplicates} duplicates");
    assert_eq!(duplicates, 4, "each digest once");
}

#[test]
fn the_check_finds_what_is_lost_changed_doubled_or_forked() {
    let mut run = Run::new(world_at("2026-11-20T07:00:00Z"));
    run.world.smtp.script(Stage::Dot, Act::LoseReply);
    run.play(STORY, &Faults::default());
    let good = run.check("without a failure");
    let spoilt = |what: &str, spoil: &dyn Fn(&mut Trail)| {
        let mut trail = good.clone();
        spoil(&mut trail);
        let problems = trail.problems(&PROMISE, CONFIRMED).join("\n");
        assert!(problems.contains(what), "{what} is not in: {problems}");
    };
    spoilt("never mailed", &|trail| {
        trail.mails.pop();
    });
    spoilt("differ", &|trail| {
        let mut copy = trail.mails[0].clone();
        copy.raw.extend_from_slice(b"composed anew\r\n");
        trail.mails.push(copy);
    });
    spoilt("is no digest", &|trail| trail.mails[0].raw.extend_from_slice(b"x"));
    spoilt("was never mailed", &|trail| trail.mails.iter_mut().for_each(|mail| mail.to.clear()));
    spoilt("by 2 messages", &|trail| {
        let digest = trail.digests[0].clone();
        let text = String::from_utf8(digest.bytes).unwrap().replacen("Message-ID: <", "Message-ID: <1", 1);
        let mut again = trail.mails[0].clone();
        again.raw = text.into_bytes();
        trail.mails.push(again);
    });
    spoilt("stored once", &|trail| {
        trail.entries.pop();
    });
    spoilt("a digest for", &|trail| "queued".clone_into(&mut trail.digests[1].state));
    spoilt("confirmed answer", &|trail| trail.answers.push("form-2".to_owned()));
    spoilt("confirmed answer", &|trail| trail.answers.clear());
    spoilt("records of kind", &|trail| {
        trail.records.remove("digest-composed");
    });
    spoilt("one signed note", &|trail| {
        // The same size under another root.
        let mut lines: Vec<&str> = trail.notes[0].lines().collect();
        lines[2] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let other = lines.join("\n") + "\n";
        trail.notes.push(other);
    });
}

/// Runs `sigtrail tick` on the world's files and kills it after this time; the time it took when it was quicker.
#[expect(clippy::disallowed_methods, reason = "only another process can be killed")]
fn tick_and_kill(world: &World, after: Duration) -> Option<Duration> {
    let watch = Stopwatch::start();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_sigtrail"))
        .arg("--root")
        .arg(world.root.path())
        .arg("tick")
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while watch.elapsed() < after {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return Some(watch.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// What is left of the story after a tick by another process has been killed: the clock of this process goes on where
/// that of the machine stands.
const AFTER_A_KILL: &[Step] = &[Step::Settle, Step::Answer("form-1", Disposition::Discuss)];
const LATER: &[Step] = &[Step::Settle, Step::Answer("form-2", Disposition::Acted)];

#[test]
fn m_01_d_03_e_19_a_process_that_is_killed_loses_nothing_and_signs_one_history() {
    let (mut killed, mut whole) = (0, Duration::from_millis(400));
    for i in 0..24_u32 {
        let mut run = Run::new(world_at(&Clock::System.now().to_string()));
        // Replies that take a moment make the moments between commits long enough to be hit.
        run.world.smtp.always(Stage::Dot, Act::Delay(Duration::from_millis(15)));
        run.world.config();
        let after = if i == 0 { Duration::from_secs(30) } else { whole * i / 22 };
        match tick_and_kill(&run.world, after) {
            // What was quicker than expected says how long a tick takes on this machine now.
            Some(took) if i == 0 => whole = took,
            Some(took) => whole = whole.min(took),
            None => killed += 1,
        }
        run.notes.extend(fs::read_to_string(run.world.state().join(checkpoint::FILE)));
        // Whatever was claimed and not fetched is due again after its interval, not before.
        run.world.wait(Clock::System.now().duration_since(run.world.clock.now()) + SignedDuration::from_hours(2));
        run.play(AFTER_A_KILL, &Faults::default());
        publish(&run.world, AFTER);
        for _ in 0..4 {
            run.world.wait(SignedDuration::from_hours(24));
            run.insist(&Faults::default(), |run| run.world.try_tick().map(|_| ()));
        }
        run.play(LATER, &Faults::default());
        run.check(&format!("killed after {after:?}"));
    }
    println!("a whole tick takes {whole:?}; {killed} of 23 were killed in it");
    assert!(killed >= 3, "only {killed} were killed");
}
