//! `sigtrail demo`: the whole job on loopback with invented feeds, from the first poll to the verified log.

mod answering;
mod feeds;
mod mailbox;

use std::{
    fs,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use super::{args::DemoArgs, failure::Failure, table::count};
use crate::{
    clock::{Clock, Stopwatch},
    config,
    hex::hex,
    jobs::{
        self, Context, Fault, TickReport, checkpoint,
        start::{self, Surroundings},
    },
    lock::InstanceLock,
    pack,
    web::{self, Desk},
};

/// What marks a folder as an earlier demo's, which may be replaced.
const MARK: &str = ".sigtrail-demo";
const FILES: [(&str, &str); 4] = [
    ("feeds.toml", include_str!("config/feeds.toml")),
    ("config/owners.toml", include_str!("config/owners.toml")),
    ("config/stack.toml", include_str!("config/stack.toml")),
    ("config/sigtrail.toml", include_str!("config/sigtrail.toml")),
];
/// Where the page listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8090";

/// Runs the demo; unless `once`, it stays up until Ctrl-C.
pub fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let watch = Stopwatch::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Mistake(format!("no runtime: {error}")))?;
    writeln!(out, "sample data, loopback only: nothing leaves this machine")?;
    let dir = fresh_folder(&args.dir)?;
    let page = listener(args.listen)?;
    let page_at = page.local_addr().map_err(in_folder(&dir))?;
    let feeds_at = runtime.block_on(feeds::serve()).map_err(in_folder(&dir))?;
    let outbox = dir.join("outbox");
    fs::create_dir(&outbox).map_err(in_folder(&outbox))?;
    let smtp_at = runtime.block_on(mailbox::serve(outbox)).map_err(in_folder(&dir))?;
    write_configuration(&dir, feeds_at, smtp_at, page_at)?;

    let (context, _lock) = open(&dir)?;
    let report = jobs::tick(&context, &mut |_| {})?;
    serve_page(&runtime, &context, page).map_err(in_folder(&dir))?;
    tell_work(&report, out)?;
    tell_answer(&runtime, &report, out)?;
    tell_verdict(&context, &dir, &watch, out)?;
    tell_places(&report, &dir, args.once, out)?;
    out.flush()?;
    if !args.once {
        runtime.block_on(tokio::signal::ctrl_c()).map_err(in_folder(&dir))?;
        writeln!(out, "stopped")?;
    }
    checkpoint::checkpoint(&context)?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(0)
}

fn in_folder(path: &Path) -> impl Fn(io::Error) -> Failure + '_ {
    move |error| Failure::File { path: path.to_owned(), error }
}

/// The demo's folder, empty: a new one, or an earlier demo's made empty. Anybody else's files stay.
fn fresh_folder(dir: &Path) -> Result<PathBuf, Failure> {
    let here = in_folder(dir);
    if dir.join(MARK).is_file() {
        if InstanceLock::is_taken(&dir.join("var")) {
            return Err(Failure::Running(format!("another demo is at work in {}; --dir names another", dir.display())));
        }
        fs::remove_dir_all(dir).map_err(&here)?;
    } else if dir.exists() && fs::read_dir(dir).map_err(&here)?.next().is_some() {
        return Err(Failure::Mistake(format!(
            "{} exists and is not a demo's; --dir names another folder",
            dir.display()
        )));
    }
    fs::create_dir_all(dir.join("config")).map_err(&here)?;
    fs::write(dir.join(MARK), "made by `sigtrail demo`; replaced by the next one\n").map_err(&here)?;
    Ok(dir.to_owned())
}

fn listener(wanted: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    if let Some(address) = wanted {
        return TcpListener::bind(address).map_err(|error| Failure::Mistake(format!("--listen {address}: {error}")));
    }
    TcpListener::bind(LISTEN)
        .or_else(|_| TcpListener::bind("127.0.0.1:0"))
        .map_err(|error| Failure::Mistake(format!("no port to listen on: {error}")))
}

fn write_configuration(dir: &Path, feeds: SocketAddr, smtp: SocketAddr, page: SocketAddr) -> Result<(), Failure> {
    for (name, text) in FILES {
        let text = text
            .replace("{feeds}", &format!("http://{feeds}"))
            .replace("{smtp}", &smtp.port().to_string())
            .replace("{listen}", &page.to_string());
        let path = dir.join(name);
        fs::write(&path, text).map_err(in_folder(&path))?;
    }
    Ok(())
}

fn open(dir: &Path) -> Result<(Context, InstanceLock), Failure> {
    let (config, _) = config::load(dir)?;
    let state = dir.join("var");
    fs::create_dir_all(&state).map_err(in_folder(&state))?;
    let lock = InstanceLock::take(&state)?;
    let (context, _) = start::start(config, &state, Surroundings::default())?;
    Ok((context, lock))
}

fn serve_page(runtime: &tokio::runtime::Runtime, context: &Context, page: TcpListener) -> io::Result<()> {
    page.set_nonblocking(true)?;
    let desk = Desk {
        store: context.store.clone(),
        config: Arc::new(RwLock::new(Arc::clone(&context.config))),
        key: Arc::clone(&context.link_key),
        clock: Clock::System,
    };
    let _on_runtime = runtime.enter();
    let page = tokio::net::TcpListener::from_std(page)?;
    runtime.spawn(async move { web::serve(page, web::router(desk), std::future::pending()).await });
    Ok(())
}

fn tell_work(report: &TickReport, out: &mut dyn Write) -> Result<(), Failure> {
    let poll = &report.poll;
    let entries = poll.sum(|applied| applied.new);
    let repaired = poll.feeds.iter().filter(|feed| !feed.warnings.is_empty()).count();
    writeln!(
        out,
        "    polled  {} (Atom, RSS, JSON, RDF), {}, {repaired} repaired",
        count(poll.feeds.len(), "feed", "feeds"),
        count(entries, "entry", "entries")
    )?;
    writeln!(
        out,
        "    routed  {} to owners, {} listed, {} not for us, {} older than the baseline",
        poll.sum(|applied| applied.assigned),
        poll.sum(|applied| applied.listed),
        poll.sum(|applied| applied.not_for_us),
        poll.sum(|applied| applied.baseline),
    )?;
    let sent: Vec<String> = report
        .deliveries
        .deliveries
        .iter()
        .filter_map(|one| one.outcome.as_ref())
        .map(|outcome| format!("{}: {} {}", outcome.as_str(), outcome.code().unwrap_or_default(), outcome.text()))
        .collect();
    let said = sent.first().cloned().unwrap_or_else(|| "nothing sent".to_owned());
    writeln!(out, "    mailed  {}, {said}", count(sent.len(), "digest", "digests"))?;
    Ok(())
}

/// Answers the first digest's first story over HTTP, as an owner's browser would.
fn tell_answer(runtime: &tokio::runtime::Runtime, report: &TickReport, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(digest) = report.digests.digests.first() else { return Ok(()) };
    let stories: usize = report.digests.digests.iter().map(|digest| digest.stories).sum();
    let Some(link) = digest.answer_urls.first() else { return Ok(()) };
    runtime
        .block_on(answering::answer(link, "watching", "looked at in the demo"))
        .map_err(|error| Failure::Mistake(format!("the acknowledgement page: {error}")))?;
    writeln!(out, "  answered  1 of {stories} ({}: watching)", digest.owner_name)?;
    Ok(())
}

fn tell_verdict(context: &Context, dir: &Path, watch: &Stopwatch, out: &mut dyn Write) -> Result<(), Failure> {
    checkpoint::checkpoint(context)?;
    let pack_dir = dir.join("pack");
    let verifier = &context.evidence_key.verifier;
    context
        .store
        .with_connection(|connection| Ok::<_, Fault>(pack::export(connection, verifier, &pack_dir)))?
        .map_err(|error| Failure::Mistake(error.to_string()))?;
    let mails = mails(&dir.join("outbox"))?;
    let report = pack::verify(&pack_dir, None, &mails).map_err(|error| Failure::Mistake(error.to_string()))?;
    if !report.is_good() {
        return Err(Failure::Broken(crate::evidence::report::render(&report)));
    }
    let root: String = hex(&report.root).chars().take(12).collect();
    let records = usize::try_from(report.records).unwrap_or(usize::MAX);
    let seconds = jiff::SignedDuration::try_from(watch.elapsed()).unwrap_or_default();
    writeln!(
        out,
        "  verified  {}, {} from mail, root {root}      {}",
        count(records, "record", "records"),
        count(usize::try_from(report.from_mail).unwrap_or(0), "checkpoint", "checkpoints"),
        super::table::stretch(seconds)
    )?;
    Ok(())
}

fn mails(outbox: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(outbox).map_err(in_folder(outbox))?;
    let mut mails: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    mails.sort();
    Ok(mails)
}

fn tell_places(report: &TickReport, dir: &Path, once: bool, out: &mut dyn Write) -> Result<(), Failure> {
    for mail in mails(&dir.join("outbox"))? {
        writeln!(out, "read    {}", mail.display())?;
    }
    if let Some(digest) = report.digests.digests.first().filter(|_| !once) {
        writeln!(out, "answer  {}   Ctrl-C stops", digest.answer_all_url)?;
    }
    let (dir, pack) = (dir.display(), dir.join("pack"));
    writeln!(out, "look    sigtrail --root {dir} stories")?;
    writeln!(out, "verify  sigtrail evidence verify {} --mail {dir}/outbox/*.eml", pack.display())?;
    Ok(())
}
