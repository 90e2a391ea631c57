//! H-31: names are looked up by the system, and no packet of DNS is read or written by the program itself. A poll by name
//! under strace opens no socket to port 53 where the system knows the name without asking anybody (`localhost`); the
//! programs's own dependencies hold no resolver. Nothing here asks a real name server.

use std::fs;

use crate::{
    Outcome,
    publisher::{Publishers, Step, answer, rss},
    service::{Source, command, write_site},
    trace::{is_there, traced},
};

/// Crates that speak DNS by themselves.
const RESOLVERS: [&str; 6] =
    ["hickory-resolver", "hickory-proto", "trust-dns-resolver", "trust-dns-proto", "c-ares", "domain"];

/// Polls by name under strace.
pub fn run() -> Outcome {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"))?;
    let found: Vec<_> = RESOLVERS.iter().filter(|name| lock.contains(&format!("name = \"{name}\"\n"))).collect();
    println!("H-31: resolvers among the dependencies: {found:?}");
    if !is_there() {
        println!("skipped: H-31: no strace on this machine");
        return Ok(found.is_empty());
    }
    let publishers = Publishers::start(Box::new(|_| {
        vec![Step::Send(answer("200 OK", "", rss("Publisher", [("Notice".to_owned(), "1".to_owned())]).as_bytes()))]
    }))?;
    let (folder, traces) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let url = format!("http://localhost:{}/feed/0", publishers.port());
    write_site(folder.path(), &[Source { id: "named".to_owned(), url }], "1h", "")?;
    let calls = traced(&command(folder.path(), &["poll", "--json"]), "%network", traces.path())?;
    let to_dns: Vec<_> = calls.iter().filter(|call| call.arguments.contains("htons(53)")).collect();
    let asked = publishers.asked().values().map(Vec::len).sum::<usize>();
    let datagrams = calls.iter().filter(|call| call.name == "socket" && call.arguments.contains("SOCK_DGRAM")).count();
    println!(
        "H-31: {asked} request by name, {} calls of the network, {datagrams} datagram sockets, {} to port 53",
        calls.len(),
        to_dns.len()
    );
    for call in &to_dns {
        println!("{call:?}");
    }
    Ok(found.is_empty() && to_dns.is_empty() && asked == 1)
}
