//! The daemon: polling, mailing and the acknowledgement page side by side, none of which waits for another. Here they
//! are started, watched and stopped; what is due and what becomes of it is the verbs' business.

mod logging;
mod loops;
mod news;
mod notify;
mod parts;
mod reload;
mod rounds;
mod serve;
mod strikes;
mod watch;

use std::{
    panic,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use tracing::{error, info, warn};

pub use self::logging::start_logging;
use self::{
    notify::Watchdog,
    parts::Parts,
    serve::Page,
    watch::{LOOK_EVERY, Watch},
};
use crate::{
    cli::{Failure, Place},
    clock::Stopwatch,
    config,
    evidence::event::Event,
    jobs::{Context, checkpoint},
};

/// For how long a poll that is under way may go on after a stop was asked for, so that most feeds still answer.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// After this time from the wish to stop nothing is waited for any more. A reply that is still open by then leaves
/// its attempt as started; the next start settles it as uncertain.
const LAST_WAIT: Duration = Duration::from_secs(9);
/// By this time the last record is written, or the process ends without it: somebody else may hold the database.
const LAST_RECORD: Duration = Duration::from_millis(9_600);

/// What reaches the main thread.
#[derive(Debug)]
enum Message {
    /// Somebody wants the service to end.
    Stop(&'static str),
    /// Somebody changed the configuration.
    Reload,
    /// A part of the service came to its end; with a failure unless it was asked to.
    Ended(Part, Result<(), Failure>),
}

/// The parts that run beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Polling,
    Mailing,
    Page,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Part::Polling => "polling",
            Part::Mailing => "mailing",
            Part::Page => "the acknowledgement page",
        }
    }
}

/// Runs until a signal or a failure ends it; the exit status. Errors of the configuration are for the caller to show;
/// everything else has been logged.
pub fn run(place: &Place) -> Result<u8, Failure> {
    log_panics();
    match serve(place) {
        Ok(()) => Ok(0),
        Err(Failure::Configuration(report)) => Err(Failure::Configuration(report)),
        Err(failure) => {
            error!(target: "run", "{failure}");
            Ok(failure.exit_code())
        }
    }
}

/// Says where a panic was in one line; who catches it says what it means.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        error!(target: "run", thread = thread::current().name().unwrap_or("unnamed"), place, "panic: {what}");
    }));
}

fn serve(place: &Place) -> Result<(), Failure> {
    let (config, warnings) = config::load(&place.root)?;
    warnings.iter().for_each(reload::log);
    let (context, _lock) = place.start(config)?;
    let (sender, inbox) = channel();
    let runtime = serve::runtime()?;
    serve::signals(&runtime, &sender)?;
    let page = Page::open(&runtime, &context, &sender)?;
    let started = Event::Started { version: env!("CARGO_PKG_VERSION").to_owned(), verb: "run".to_owned() };
    let now = context.now();
    context.store.write(|write| {
        write.set_running_since(Some(now))?;
        write.record(started, now)
    })?;
    checkpoint::checkpoint(&context)?;
    let config = Arc::clone(&context.config);
    let version = context.version.0;
    let parts = Arc::new(Parts::new(context));
    let monitoring = page.monitor(&runtime, &parts.context(), &parts.moving)?;
    info!(
        target: "run", version = env!("CARGO_PKG_VERSION"), config = version,
        feeds = config.feeds.iter().filter(|feed| feed.enabled).count(), owners = config.owners.len(),
        listen = %page.address, metrics = monitoring.map(tracing::field::display), "started",
    );
    begin(Part::Polling, &parts, &sender, loops::polling)?;
    begin(Part::Mailing, &parts, &sender, loops::mailing)?;
    notify::ready(&parts.context());
    let service = Service { place, parts, page, runtime };
    let reason = service.watch_over(&inbox);
    service.stop(&inbox, reason)
}

/// Starts a loop on a thread of its own; the main thread hears of its end.
fn begin(
    part: Part,
    parts: &Arc<Parts>,
    sender: &Sender<Message>,
    turns: fn(&Parts) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (parts, sender) = (Arc::clone(parts), sender.clone());
    let run = move || {
        let ended = turns(&parts);
        // The main thread may be gone already.
        let _ = sender.send(Message::Ended(part, ended));
    };
    let thread = thread::Builder::new().name(part.as_str().to_owned()).spawn(run);
    thread.map(drop).map_err(|error| Failure::Service(format!("{} cannot be started: {error}", part.as_str())))
}

/// Why the service ends.
enum Reason {
    /// A signal of this name.
    Signal(&'static str),
    /// A part failed.
    Failed(Part, Failure),
}

/// The running service.
struct Service<'p> {
    place: &'p Place,
    parts: Arc<Parts>,
    page: Page,
    runtime: tokio::runtime::Runtime,
}

impl Service<'_> {
    /// Keeps the supervisor content and reloads, until there is a reason to end.
    fn watch_over(&self, inbox: &Receiver<Message>) -> Reason {
        let watchdog = Watchdog::from_environment();
        let every = watchdog.as_ref().map_or(LOOK_EVERY, |watchdog| watchdog.interval.min(LOOK_EVERY));
        let clock = Stopwatch::start();
        let mut watches = [
            (Part::Polling, Watch::new(&self.parts.polling.pulse)),
            (Part::Mailing, Watch::new(&self.parts.mailing.pulse)),
        ];
        let mut looked = None;
        loop {
            let now = clock.elapsed();
            if looked.is_none_or(|last| now.saturating_sub(last) >= every) {
                looked = Some(now);
                let [polls, mails] = watches.each_mut().map(|(part, watch)| watch.look(now, part.as_str()));
                self.parts.moving.set_polling(polls);
                self.parts.moving.set_mailing(mails);
                if let (true, Some(watchdog)) = (polls && mails, &watchdog) {
                    watchdog.keep_alive();
                }
            }
            match inbox.recv_timeout(every) {
                Ok(Message::Stop(signal)) => return Reason::Signal(signal),
                Ok(Message::Reload) => notify::around_reload(|| reload::reload(self.place, &self.parts, &self.page)),
                Ok(Message::Ended(part, ended)) => {
                    let early = || Failure::Service("it ended without having been asked to".to_owned());
                    return Reason::Failed(part, ended.err().unwrap_or_else(early));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Reason::Failed(Part::Page, Failure::Service("no signal can arrive any more".to_owned()));
                }
            }
        }
    }

    /// Brings everything to its end within ten seconds.
    fn stop(self, inbox: &Receiver<Message>, reason: Reason) -> Result<(), Failure> {
        notify::stopping();
        let clock = Stopwatch::start();
        let (why, failure) = match reason {
            Reason::Signal(signal) => {
                info!(target: "run", signal, "stopping");
                ("signal", None)
            }
            Reason::Failed(part, failure) => {
                warn!(target: "run", "{} ended; stopping", part.as_str());
                if matches!(failure.exit_code(), 3 | 74) {
                    // A broken log or disk: nothing more is written, and nothing is waited for.
                    self.runtime.shutdown_background();
                    return Err(failure);
                }
                ("fault", Some((part, failure)))
            }
        };
        self.page.stop();
        self.parts.stop();
        let failure = self.wait_for_loops(inbox, failure, clock);
        let done = finish(self.parts.context(), why, LAST_RECORD.saturating_sub(clock.elapsed()));
        self.runtime.shutdown_timeout(Duration::from_millis(200));
        match failure.map_or(done, Err) {
            Ok(()) => {
                info!(target: "run", "stopped");
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Waits for both loops, with an end; the failure to exit with, if one of them failed.
    fn wait_for_loops(
        &self,
        inbox: &Receiver<Message>,
        failed: Option<(Part, Failure)>,
        clock: Stopwatch,
    ) -> Option<Failure> {
        let mut open = vec![Part::Polling, Part::Mailing];
        let mut failure = None;
        if let Some((part, first)) = failed {
            open.retain(|one| *one != part);
            failure = Some(first);
        }
        while !open.is_empty() {
            let elapsed = clock.elapsed();
            if elapsed >= LAST_WAIT {
                let names: Vec<&str> = open.iter().map(|part| part.as_str()).collect();
                warn!(target: "run", "{} did not end in time and is left", names.join(" and "));
                break;
            }
            let until = if elapsed < LAST_ANSWERS {
                LAST_ANSWERS
            } else {
                self.parts.polling.stop.ask();
                LAST_WAIT
            };
            if let Ok(Message::Ended(part, ended)) = inbox.recv_timeout(until.saturating_sub(elapsed)) {
                open.retain(|one| *one != part);
                failure = failure.or(ended.err());
            }
        }
        failure
    }
}

/// The last record, and the checkpoint over it, if they can be written within this time.
fn finish(context: Context, why: &'static str, most: Duration) -> Result<(), Failure> {
    let (sender, done) = channel();
    let write = move || -> Result<(), Failure> {
        let stopped = Event::Stopped { reason: why.to_owned() };
        context.store.write(|write| {
            write.set_running_since(None)?;
            write.record(stopped, context.now())
        })?;
        checkpoint::checkpoint(&context)?;
        Ok(())
    };
    let run = move || {
        // Nobody waits any more when it took too long.
        let _ = sender.send(write());
    };
    let thread = thread::Builder::new().name("last record".to_owned()).spawn(run);
    thread.map_err(|error| Failure::Service(format!("the last record cannot be written: {error}")))?;
    done.recv_timeout(most).unwrap_or_else(|_| {
        warn!(target: "run", "the database did not take the last record in time");
        Ok(())
    })
}
