//! The publishers: an HTTP server in a process of its own, on every loopback address, with an ETag for each document.
//! Its first line of output is its port; a line on its input lets the publishers add their news or take them back.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::corpus::Corpus;

/// Serves until the input ends.
pub fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    println!("{}", listener.local_addr()?.port());
    let corpus = Arc::new(Corpus::new());
    let grown = Arc::new(AtomicBool::new(false));
    let shared = (Arc::clone(&corpus), Arc::clone(&grown));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The wildcard stands for hundreds of loopback addresses, and for nothing else.
            if !stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) {
                continue;
            }
            let (corpus, grown) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
            let answering = thread::Builder::new().stack_size(256 * 1024);
            // A connection that ends early is the client's business, and so is one that finds no thread.
            let _ = answering.spawn(move || answer(&stream, &corpus, &grown));
        }
    });
    for line in std::io::stdin().lines() {
        grown.store(line? == "grown", Ordering::SeqCst);
        println!("ok");
    }
    Ok(())
}

fn answer(mut stream: &TcpStream, corpus: &Corpus, grown: &AtomicBool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut request, mut line, mut condition) = (String::new(), String::new(), None);
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("if-none-match") => condition = Some(value.to_owned()),
                Some(_) => {}
                None => break,
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let feed = path.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let is_grown = grown.load(Ordering::SeqCst);
        let edition = u8::from(is_grown && Corpus::has_news(feed));
        let etag = format!("\"{feed}-{edition}\"");
        if condition.as_ref() == Some(&etag) {
            write!(stream, "HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n")?;
            continue;
        }
        let (kind, body) = corpus.document(feed, is_grown);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}; charset=utf-8\r\nETag: {etag}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    }
}
