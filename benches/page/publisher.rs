//! The publishers of the bench: feeds of a thousand entries, made from their numbers when they are asked for. One entry in
//! a hundred is about the stack, and the feed beside reports the same advisory.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// How many entries a feed has at first.
pub const ENTRIES: usize = 1_000;
/// One entry in so many is about the stack.
pub const MATCHES: usize = 100;
/// How many of the newest entries a feed shows later on.
const WINDOW: usize = 30;

const WORDS: [&str; 24] = [
    "crafted", "cookie", "update", "parser", "length", "header", "remote", "local", "session", "memory", "bounds",
    "token", "archive", "upload", "driver", "kernel", "printer", "router", "console", "firmware", "plugin", "sandbox",
    "proxy", "schema",
];

/// Serves until the process ends; `grown` says how many entries each feed has beyond the first ones.
pub fn serve(listener: TcpListener, grown: Arc<AtomicUsize>) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let grown = Arc::clone(&grown);
            // A connection that ends early is the client's business.
            thread::spawn(move || answer(&stream, &grown));
        }
    });
}

fn answer(mut stream: &TcpStream, grown: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut request, mut line) = (String::new(), String::new());
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let feed = path.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let body = document(feed, grown.load(Ordering::SeqCst));
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    }
}

fn document(feed: usize, grown: usize) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel><title>Publisher {feed}</title>\n\
         <link>https://publisher-{feed}.example/</link><description>Bulletins</description>\n"
    );
    let count = ENTRIES + grown;
    let first = if grown == 0 { 0 } else { count - WINDOW };
    for n in (first..count).rev() {
        item(&mut text, feed, n);
    }
    text + "</channel></rss>\n"
}

fn item(text: &mut String, feed: usize, n: usize) {
    let words = |from: usize, many: usize| -> String {
        let at = |place: usize| {
            WORDS.get((feed * 31 + n * 7 + place * place * 3) % WORDS.len()).copied().unwrap_or_default()
        };
        (from..from + many).map(at).collect::<Vec<_>>().join(" ")
    };
    let advisory = |feed: usize| 1_000_000 + feed * ENTRIES + n / MATCHES;
    let title = match n % MATCHES {
        0 => format!("Quillgate VPN: {} (CVE-2026-{})", words(0, 5), advisory(feed)),
        1 => format!("{} (CVE-2026-{})", words(2, 6), advisory(feed ^ 1)),
        _ => format!("{} {feed}-{n}", words(1, 6)),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "<item><title>{title}</title><link>https://publisher-{feed}.example/{n}</link>\
         <guid isPermaLink=\"false\">{feed}-{n}</guid><description>{}. {}. {}.</description></item>",
        words(3, 12),
        words(9, 20),
        words(4, 24)
    );
}
