//! H-49: the real daemon for an hour on feeds of which half are hostile. The good half must be on
//! time: the 99th percentile of what lies between the moment that a feed is due and its request at the publisher is under
//! five seconds. The most memory that it took is told beside it; a bound for that is another row (S-13).
//!
//! When a feed is due is read from the state four times a second. Every second answer of a hostile feed is a good one,
//! so that it is asked again after its interval and stays hostile for the whole hour.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use rcgen::generate_simple_self_signed;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use sigtrail::clock::{Clock, Stopwatch};

use crate::{
    Options, Outcome,
    publisher::{Publishers, Request, Step, answer, rss},
    seed::Seed,
    service::{Service, Source, due, memory_of, verify, write_site},
};

/// The interval of every feed.
const EVERY: &str = "1m";
/// The most lateness of 99 in 100 requests, in milliseconds.
const LATEST: i64 = 5_000;
const LOOK: Duration = Duration::from_millis(250);
/// The items of a good feed.
const ITEMS: usize = 20;

/// Runs the soak.
pub fn run(options: &Options) -> Outcome {
    let (feeds, minutes) = (options.value("--feeds", 200_usize)?, options.value("--minutes", 60_u64)?);
    let number = options.value("--seed", 1_u64)?;
    let packed = Arc::new(Packed::new()?);
    let publishers = Publishers::start(Box::new(move |request| script(request, number, &packed)))?;
    let (wrong_tls, silent_tls) = (wrong_tls()?, silent_tls()?);
    let folder = tempfile::tempdir()?;
    let sources: Vec<Source> = (0..feeds)
        .map(|feed| {
            let url = match hostile(feed) {
                Some("wrong TLS") => format!("https://{}:{wrong_tls}/feed/{feed}", Publishers::host(feed)),
                Some("silent TLS") => format!("https://{}:{silent_tls}/feed/{feed}", Publishers::host(feed)),
                _ => publishers.url(feed),
            };
            Source { id: format!("feed-{feed}"), url }
        })
        .collect();
    write_site(folder.path(), &sources, EVERY, "")?;
    println!("{feeds} feeds, every second of them hostile in one of {} ways, for {minutes} min", HOSTILE.len());
    let began = Clock::System.now().as_millisecond();
    let mut service = Service::start(folder.path())?;
    let dues = watch_for(folder.path(), &mut service, Duration::from_secs(60 * minutes))?;
    let memory = memory_of(&service.id().to_string(), "VmHWM")?;
    let ended = Clock::System.now().as_millisecond();
    let (status, took) = service.stop()?;
    let verified = verify(folder.path())?;
    let good: BTreeSet<usize> = (0..feeds).filter(|feed| hostile(*feed).is_none()).collect();
    let seen = Lateness::of(&publishers, &dues, &good, began);
    let kept = seen.report((ended - began) / 60_000);
    println!(
        "memory: {} MiB at its most; stopped in {:.1} s with {status}; the log verifies: {}",
        memory / 1024,
        took.as_secs_f64(),
        verified
    );
    Ok(kept && status.success() && took < Duration::from_secs(10) && verified)
}

/// Every moment at which each feed was seen to be due.
type Dues = BTreeMap<usize, BTreeSet<i64>>;

/// Looks at the state until the time is over.
fn watch_for(root: &Path, service: &mut Service, time: Duration) -> Result<Dues, Box<dyn std::error::Error>> {
    let (watch, mut dues) = (Stopwatch::start(), Dues::new());
    while watch.elapsed() < time {
        if let Some(status) = service.ended()? {
            return Err(format!(
                "the daemon ended after {:.0?} with {status}: {}",
                watch.elapsed(),
                service.last_words()
            )
            .into());
        }
        // There may be no tables yet.
        for (id, at) in due(root).unwrap_or_default() {
            if let Some(feed) = id.strip_prefix("feed-").and_then(|number| number.parse().ok()) {
                dues.entry(feed).or_default().insert(at);
            }
        }
        thread::sleep(LOOK);
    }
    Ok(dues)
}

/// How late the requests of the good half were, in milliseconds, in order.
struct Lateness {
    first: Vec<i64>,
    later: Vec<i64>,
    fewest: usize,
    /// The latest of each minute.
    minutes: BTreeMap<i64, i64>,
}

impl Lateness {
    fn of(publishers: &Publishers, dues: &Dues, good: &BTreeSet<usize>, began: i64) -> Lateness {
        let asked = publishers.asked();
        let (mut first, mut later, mut minutes) = (Vec::new(), Vec::new(), BTreeMap::new());
        for feed in good {
            let times = asked.get(feed).map(Vec::as_slice).unwrap_or_default();
            first.extend(times.first().map(|at| at - began));
            // The last moment at which it was due before it was asked.
            let due = |at: i64| dues.get(feed).and_then(|dues| dues.range(..=at).next_back().copied());
            for at in times.iter().skip(1) {
                let late = due(*at).map_or(i64::MAX, |due| at - due);
                later.push(late);
                let latest = minutes.entry((at - began) / 60_000).or_insert(0_i64);
                *latest = late.max(*latest);
            }
        }
        first.sort_unstable();
        later.sort_unstable();
        let fewest = good.iter().map(|feed| asked.get(feed).map_or(0, Vec::len)).min().unwrap_or(0);
        Lateness { first, later, fewest, minutes }
    }

    fn report(&self, minutes: i64) -> bool {
        let share =
            |all: &[i64], of: usize| all.get(all.len().saturating_sub(1) * of / 100).copied().unwrap_or_default();
        let seconds = |millis: i64| millis as f64 / 1e3;
        println!(
            "first requests of {} good feeds: half within {:.1} s of the start, the last after {:.1} s",
            self.first.len(),
            seconds(share(&self.first, 50)),
            seconds(share(&self.first, 100))
        );
        println!(
            "{} later requests: late by {:.1} s (median), {:.1} s (99th percentile, limit {:.0} s), {:.1} s (the latest); at least {} for each feed",
            self.later.len(),
            seconds(share(&self.later, 50)),
            seconds(share(&self.later, 99)),
            seconds(LATEST),
            seconds(share(&self.later, 100)),
            self.fewest
        );
        let mut worst: Vec<(i64, i64)> = self.minutes.iter().map(|(minute, late)| (*late, *minute)).collect();
        worst.sort_unstable_by(|a, b| b.cmp(a));
        let worst: Vec<String> =
            worst.iter().take(8).map(|(late, minute)| format!("{:.1} s in minute {minute}", seconds(*late))).collect();
        println!("the worst minutes: {}", worst.join(", "));
        // With its interval and spread, a feed is asked every 66 seconds at the most.
        let enough = usize::try_from(minutes * 60 / 66 - 1).unwrap_or_default();
        !self.later.is_empty() && share(&self.later, 99) < LATEST && self.fewest >= enough.max(1)
    }
}

/// The ways in which a feed may be hostile.
const HOSTILE: [&str; 24] = [
    "drips its head",
    "drips its body",
    "stalls in its head",
    "stalls in its body",
    "silent",
    "brotli bomb",
    "gzip bomb",
    "endless",
    "promises too much",
    "promises too little",
    "429",
    "503 until some day",
    "redirects in a circle",
    "redirects inside",
    "redirects nowhere",
    "huge head",
    "bad chunk",
    "cut",
    "no feed",
    "deep",
    "many items",
    "other ids each time",
    "wrong TLS",
    "silent TLS",
];

/// How a feed is hostile, where it is.
fn hostile(feed: usize) -> Option<&'static str> {
    (feed % 2 == 1).then(|| HOSTILE.get(feed / 2 % HOSTILE.len()).copied()).flatten()
}

/// Bodies that are made once.
struct Packed {
    brotli: Vec<u8>,
    gzip: Vec<u8>,
    deep: Vec<u8>,
    many: Vec<u8>,
}

impl Packed {
    fn new() -> std::io::Result<Packed> {
        let zeros = vec![b' '; 1 << 20];
        let (mut brotli, mut gzip) = (Vec::new(), Vec::new());
        {
            let mut packer = brotli::CompressorWriter::new(&mut brotli, 1 << 16, 5, 22);
            let mut other = flate2::write::GzEncoder::new(&mut gzip, flate2::Compression::fast());
            for _ in 0..256 {
                packer.write_all(&zeros)?;
                other.write_all(&zeros)?;
            }
            other.finish()?;
        }
        let deep = format!("<rss><channel>{}", "<item><a>".repeat(100_000)).into_bytes();
        let many = rss("Many", (0..25_000).map(|n| (format!("Item {n}"), format!("{n}")))).into_bytes();
        Ok(Packed { brotli, gzip, deep, many })
    }
}

/// What a feed answers.
fn script(request: &Request, seed: u64, packed: &Packed) -> Vec<Step> {
    match hostile(request.feed).filter(|_| request.before.is_multiple_of(2)) {
        Some(way) => attack(way, request, seed, packed),
        None => good(request),
    }
}

/// A calm document: one more item at every tenth request, else nothing new.
fn good(request: &Request) -> Vec<Step> {
    let edition = request.before / 10;
    let etag = format!("\"{}-{edition}\"", request.feed);
    if request.condition.as_deref() == Some(&etag) {
        return vec![Step::Send(format!("HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n").into_bytes())];
    }
    let items = (0..ITEMS + edition)
        .rev()
        .map(|n| (format!("Quillgate VPN notice {n} of publisher {}", request.feed), format!("n-{n}")));
    let body = rss(&format!("Publisher {}", request.feed), items);
    vec![Step::Send(answer(
        "200 OK",
        &format!("ETag: {etag}\r\nContent-Type: application/rss+xml\r\n"),
        body.as_bytes(),
    ))]
}

fn attack(way: &str, request: &Request, seed: u64, packed: &Packed) -> Vec<Step> {
    let feed = request.feed;
    let body = rss("Hostile", [("Quillgate VPN: a way in".to_owned(), "1".to_owned())]).into_bytes();
    let whole = answer("200 OK", "Content-Type: text/xml\r\n", &body);
    let head_of =
        |length: usize, more: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{more}\r\n").into_bytes();
    let redirect = |to: &str| vec![Step::Send(answer("302 Found", &format!("Location: {to}\r\n"), b""))];
    let part = |bytes: &[u8]| bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec();
    match way {
        "drips its head" => vec![Step::Drip(whole)],
        "drips its body" => vec![Step::Send(head_of(body.len(), "")), Step::Drip(body)],
        "stalls in its head" => vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), Step::Stall],
        "stalls in its body" => vec![Step::Send(head_of(body.len(), "")), Step::Send(part(&body)), Step::Stall],
        "silent" => vec![Step::Stall],
        "brotli bomb" => vec![Step::Send(answer("200 OK", "Content-Encoding: br\r\n", &packed.brotli))],
        "gzip bomb" => vec![Step::Send(answer("200 OK", "Content-Encoding: gzip\r\n", &packed.gzip))],
        "endless" => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec()),
            Step::Endless(b"<item>x</item>".repeat(1_000)),
        ],
        "promises too much" => vec![Step::Send(head_of(body.len() + 500, "")), Step::Send(body), Step::Close],
        "promises too little" => vec![Step::Send(head_of(body.len() / 2, "")), Step::Send(body), Step::Close],
        "429" => vec![Step::Send(answer("429 Too Many Requests", "Retry-After: 60\r\n", b""))],
        "503 until some day" => vec![
            Step::Send(answer("503 No", "Retry-After: Someday, 99 Xyz 2099\r\nConnection: close\r\n", b"")),
            Step::Close,
        ],
        "redirects in a circle" => redirect(&format!("/feed/{feed}/{}", if request.path == "a" { "b" } else { "a" })),
        "redirects inside" => redirect("http://169.254.169.254/latest/meta-data/"),
        "redirects nowhere" => vec![Step::Send(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n".to_vec())],
        "huge head" => vec![Step::Send(head_of(0, &format!("X-A: {}\r\n", "a".repeat(900_000)))), Step::Close],
        "bad chunk" => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<rss>\r\n".to_vec()),
            Step::Close,
        ],
        "cut" => vec![Step::Send(part(&whole)), Step::Close],
        "no feed" => {
            vec![Step::Send(answer("200 OK", "Content-Type: text/html\r\n", b"<html><body>Log in</body></html>"))]
        }
        "deep" => vec![Step::Send(answer("200 OK", "", &packed.deep))],
        "many items" => vec![Step::Send(answer("200 OK", "", &packed.many))],
        _ => {
            let mut noise = Seed::of(&[seed, feed as u64, request.before as u64]);
            let items = (0..100).map(|n| (format!("Item {n}"), format!("{:x}", noise.next()))).collect::<Vec<_>>();
            vec![Step::Send(answer("200 OK", "", rss("Other ids", items).as_bytes()))]
        }
    }
}

/// A server whose certificate nobody vouches for; its port.
fn wrong_tls() -> Result<u16, Box<dyn std::error::Error>> {
    let issued = generate_simple_self_signed(vec!["publisher.example".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)?;
    let config = Arc::new(config);
    listening(move |stream| {
        if let Ok(connection) = ServerConnection::new(Arc::clone(&config)) {
            let _refused = StreamOwned::new(connection, stream).write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        }
    })
}

/// A server that takes connections and says nothing; its port.
fn silent_tls() -> Result<u16, Box<dyn std::error::Error>> {
    listening(|mut stream| {
        let _ended = std::io::copy(&mut stream, &mut std::io::sink());
    })
}

fn listening(
    converse: impl Fn(std::net::TcpStream) + Send + Sync + 'static,
) -> Result<u16, Box<dyn std::error::Error>> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
    let (port, converse) = (listener.local_addr()?.port(), Arc::new(converse));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) {
                let converse = Arc::clone(&converse);
                thread::spawn(move || converse(stream));
            }
        }
    });
    Ok(port)
}
