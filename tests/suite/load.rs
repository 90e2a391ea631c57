//! The page behind a proxy and under load: who is counted for what, who guesses links, who talks slowly, and that owners
//! and feeds are served meanwhile.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sigtrail::clock::Stopwatch;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
    runtime::Builder,
};

use crate::harness::{
    daemon::{CEILING, Site, feed, wait_until},
    feed_server::{Answer, FeedServer},
    page::{Page, Reply, ask},
    world::{World, rss},
};

const NOW: &str = "2026-11-20T08:00:00Z";
/// How many wrong links an address may ask for at once.
const BUDGET: usize = 120;
/// What is said instead of the page of a wrong link.
const TOO_MANY: &str = "Too many wrong links came from your network address.";

/// A world with one mailed story, its page, and the path of its link.
fn office(web: &str) -> (World, Page, String) {
    let world = World::company(NOW).feed("cert", "").replace_setting("[web]\n", &format!("[web]\n{web}\n"));
    world.publish("cert", &rss(&[("Quillgate: a way in", "a1", "A crafted cookie skips the sign-in.")]));
    let mut world = world;
    world.tick();
    let mail = world.mailbox("maria").remove(0);
    let link = mail.lines().find_map(|line| line.trim().strip_prefix("https://sigtrail.example.com")).unwrap();
    let page = Page::open(&mut world);
    (world, page, link.to_owned())
}

/// Asks for wrong links until one is refused, at most `most` times; how many were answered as wrong.
fn guess(page: &Page, headers: &[(&str, &str)], most: usize) -> usize {
    for asked in 0..most {
        let reply = ask(page.address, "GET", "/a/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", headers, "");
        if reply.status == 429 {
            return asked;
        }
        assert_eq!(reply.status, 404, "{}", reply.body);
    }
    most
}

/// The wrong links that were answered as such: the budget, and what came back of it while they were asked for.
#[track_caller]
fn assert_budget(asked: usize, watch: Stopwatch) {
    let back = usize::try_from(watch.elapsed().as_secs()).unwrap() + 1;
    assert!((BUDGET..=BUDGET + back).contains(&asked), "{asked} wrong links in {:?}", watch.elapsed());
}

#[test]
fn who_guesses_is_told_to_wait_in_plain_words_and_a_right_link_is_still_served() {
    let (_world, page, link) = office("");
    let watch = Stopwatch::start();
    assert_budget(guess(&page, &[], 2_000), watch);
    let refused = page.get("/a/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(refused.status, 429);
    assert!(refused.body.contains(TOO_MANY) && refused.body.contains("Wait a minute"), "{}", refused.body);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    assert!(refused.header("content-security-policy").is_some());
    assert_eq!(page.get(&link).status, 200, "who has a right link is no guesser");
}

#[test]
fn a_spoofed_client_counts_for_nothing_unless_a_proxy_is_believed() {
    let (_world, page, _) = office("trusted_proxies = [\"127.0.0.9/32\", \"10.0.0.0/8\"]");
    let watch = Stopwatch::start();
    let mut asked = 0;
    for n in 0..2_000 {
        // Each one claims to be somebody else.
        let claim = format!("203.0.113.{}, 10.0.0.1", n % 250);
        let forwarded = format!("for=203.0.113.{}", n % 250);
        if guess(&page, &[("X-Forwarded-For", &claim), ("Forwarded", &forwarded)], 1) == 0 {
            break;
        }
        asked += 1;
    }
    assert_budget(asked, watch);
}

#[test]
fn behind_a_proxy_that_is_believed_each_client_has_a_budget_of_its_own() {
    for (web, header) in [
        ("trusted_proxies = [\"127.0.0.1/32\", \"10.0.0.0/8\"]", "X-Forwarded-For"),
        ("trusted_proxies = [\"127.0.0.1/32\", \"10.0.0.0/8\"]\nclient_header = \"forwarded\"", "Forwarded"),
    ] {
        let (_world, page, link) = office(web);
        let named = |client: &str, spoofed: &str| match header {
            "Forwarded" => format!("for={spoofed}, for=\"{client}:4711\", for=10.0.0.7"),
            _ => format!("{spoofed}, {client}, 10.0.0.7"),
        };
        let watch = Stopwatch::start();
        let mut asked = 0;
        // What the client itself writes in front of its address changes nothing.
        for n in 0..2_000 {
            let value = named("203.0.113.1", &format!("198.51.100.{}", n % 250));
            if guess(&page, &[(header, &value)], 1) == 0 {
                break;
            }
            asked += 1;
        }
        assert_budget(asked, watch);
        for other in ["203.0.113.2", "198.51.100.1"] {
            assert_eq!(guess(&page, &[(header, &named(other, "203.0.113.1"))], 1), 1, "{other} by {header}");
        }
        // The header that is not configured says nothing.
        let other = if header == "Forwarded" { "X-Forwarded-For" } else { "Forwarded" };
        let both = [(header, named("203.0.113.1", "192.0.2.1")), (other, "for=192.0.2.77".to_owned())];
        let both: Vec<(&str, &str)> = both.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let spoofed = ask(page.address, "GET", "/a/wrong", &both, "");
        assert_eq!(spoofed.status, 429, "{header}");
        let shown = ask(page.address, "GET", &link, &both, "");
        assert!(shown.status == 200 && !shown.body.contains("203.0.113.1"), "an address is shown nowhere");
    }
}

/// Asks on a connection of its own that comes from this address of loopback; the status, and how long it took.
async fn ask_from(from: Ipv4Addr, to: SocketAddr, path: &str) -> (String, Duration) {
    let watch = Stopwatch::start();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: sigtrail.example.com\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    let status = String::from_utf8_lossy(&text).chars().skip("HTTP/1.1 ".len()).take(3).collect();
    (status, watch.elapsed())
}

/// Asks for `count` wrong links over and over on one connection that is kept; how many answers were 404 and 429.
fn enumerate(to: SocketAddr, count: usize) -> [usize; 2] {
    let mut found = [0; 2];
    let mut asked = 0;
    while asked < count {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(CEILING)).unwrap();
        while asked < count {
            let request = format!("GET /a/{asked:034} HTTP/1.1\r\nHost: sigtrail.example.com\r\n\r\n");
            let Some(head) = stream.write_all(request.as_bytes()).ok().and_then(|()| read_answer(&mut stream)) else {
                break;
            };
            found[usize::from(head.starts_with("HTTP/1.1 429"))] += 1;
            assert!(head.starts_with("HTTP/1.1 429") || head.starts_with("HTTP/1.1 404"), "{head}");
            asked += 1;
        }
    }
    found
}

/// One answer with a length; its head.
fn read_answer(stream: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let lines = head.to_ascii_lowercase();
            let length = lines.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.unwrap().parse().unwrap();
            if bytes.len() >= end + 4 + length {
                return Some(head);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

#[test]
fn a_08_who_enumerates_links_is_limited_and_owners_are_served_meanwhile() {
    const GUESSES: usize = 20_000;
    const GUESSERS: usize = 8;
    let (_world, page, link) = office("");
    let (is_over, to) = (AtomicBool::new(false), page.address);
    let watch = Stopwatch::start();
    let (found, slowest, served) = thread::scope(|scope| {
        let guessers: Vec<_> = (0..GUESSERS).map(|_| scope.spawn(move || enumerate(to, GUESSES / GUESSERS))).collect();
        let owner = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let (mut slowest, mut served) = (Duration::ZERO, 0);
            while !is_over.load(Ordering::SeqCst) || served == 0 {
                let (status, took) = runtime.block_on(ask_from(Ipv4Addr::new(127, 0, 0, 3), to, &link));
                assert_eq!(status, "200");
                (slowest, served) = (slowest.max(took), served + 1);
            }
            (slowest, served)
        });
        let found = guessers.into_iter().map(|one| one.join().unwrap()).fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
        is_over.store(true, Ordering::SeqCst);
        let (slowest, served) = owner.join().unwrap();
        (found, slowest, served)
    });
    let [wrong, refused] = found;
    println!(
        "a_08: {GUESSES} guesses in {:?}: {wrong} wrong, {refused} refused; {served} pages meanwhile, slowest {slowest:?}",
        watch.elapsed()
    );
    assert_eq!(wrong + refused, GUESSES);
    assert_budget(wrong, watch);
    assert!(slowest < Duration::from_secs(20), "the hang ceiling of one second: {slowest:?}");
    assert_eq!(guess(&page, &[], 1), 0, "the guesser is limited");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (status, _) = runtime.block_on(ask_from(Ipv4Addr::new(127, 0, 0, 3), to, "/a/wrong"));
    assert_eq!(status, "404", "nobody else is");
}

/// A number of `/proc/PID/status`.
fn proc_status(id: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
}

/// Whether this process may open so many files; says so aloud where it may not.
fn may_open(files: u64) -> bool {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if hard < files {
        println!("skipped: a_13_slow_clients_and_ten_thousand_connections may open {hard} files, and needs {files}");
        return false;
    }
    if soft < files {
        setrlimit(Resource::RLIMIT_NOFILE, files, hard).unwrap();
    }
    true
}

/// Says a byte of a request every second until the connection is closed; what it was answered.
fn talk_slowly(to: SocketAddr) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    let watch = Stopwatch::start();
    for byte in
        b"GET /a/wrong HTTP/1.1\r\nHost: sigtrail.example.com\r\nX-Pad: aaaaaaaaaaaaaaaaaaaaaaaaaaa".iter().cycle()
    {
        assert!(watch.elapsed() < CEILING, "a request of one byte a second is listened to for ever");
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut answer = [0; 512];
        match stream.read(&mut answer) {
            Ok(read) => return String::from_utf8_lossy(&answer[..read]).into_owned(),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    String::new()
}

#[test]
fn a_13_slow_clients_and_ten_thousand_connections_cost_neither_pages_nor_polls() {
    const CONNECTIONS: usize = 10_000;
    if !may_open(11_000) {
        return;
    }
    let server = FeedServer::start();
    let document = |n: usize| rss(&[("Quillgate VPN: a way in", &format!("a{n}"), "Update quillgate.")]);
    server.serve("/cert", Answer::ok(document(0)));
    let site = Site::new(&feed("Cert", &server.url("/cert")), "");
    let daemon = site.run();
    let (page, opened, is_over) = (daemon.page(), AtomicUsize::new(0), AtomicBool::new(false));
    wait_until("the first poll is stored", || site.number("SELECT count(*) FROM entry") == 1);
    let slowest = thread::scope(|scope| {
        let slow = scope.spawn(move || talk_slowly(page));
        let crowd = scope.spawn(|| {
            let mut crowd = Vec::with_capacity(CONNECTIONS);
            for n in 0..CONNECTIONS {
                let mut stream = TcpStream::connect(page).unwrap();
                // Some say nothing, some begin a head, some begin a form.
                let words: &[u8] = match n % 3 {
                    0 => b"",
                    1 => b"GET /a/x HTTP/1.1\r\nHost: ",
                    _ => b"POST /a/x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\ndisposition=",
                };
                let _ = stream.write_all(words);
                crowd.push(stream);
                opened.store(n + 1, Ordering::SeqCst);
            }
            while !is_over.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let mut slowest = Duration::ZERO;
        let mut served = 0;
        while served < 20 || opened.load(Ordering::SeqCst) < CONNECTIONS {
            let watch = Stopwatch::start();
            let reply = ask(page, "GET", "/a/wrong", &[], "");
            // From the address of ten thousand idle ones one may be shown out before it said anything.
            if reply.status != 0 {
                assert!(matches!(reply.status, 404 | 429), "{}", reply.status);
                (slowest, served) = (slowest.max(watch.elapsed()), served + 1);
            }
            assert!(watch.elapsed() < CEILING);
        }
        poll_meanwhile(&site, &server, &document(1));
        let files = fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap().count();
        assert!(files < 700, "{files} files are open");
        long_bodies(page);
        is_over.store(true, Ordering::SeqCst);
        crowd.join().unwrap();
        assert!(!slow.join().unwrap().contains("200 OK"));
        slowest
    });
    let memory = proc_status(daemon.id(), "VmHWM:") / 1_024;
    println!("a_13: {CONNECTIONS} connections: slowest page {slowest:?}, at most {memory} MiB of memory");
    assert!(memory < 300, "{memory} MiB");
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

/// A new entry arrives while the crowd stands there.
fn poll_meanwhile(site: &Site, server: &FeedServer, document: &str) {
    server.serve("/cert", Answer::ok(document));
    let polled = site.command(&["poll", "--force", "cert"]);
    assert!(polled.status.success(), "{polled:?}");
    wait_until("the entry of the second poll is stored", || site.number("SELECT count(*) FROM entry") == 2);
}

/// Bodies of a megabyte are refused; one whose end never comes is given up.
fn long_bodies(page: SocketAddr) {
    let body = "x".repeat(1 << 20);
    let refused: Vec<Reply> = (0..50).map(|_| ask(page, "POST", "/a/wrong", &[], &body)).collect();
    assert!(refused.iter().all(|reply| reply.status != 200));
    let answered: Vec<u16> = refused.iter().map(|reply| reply.status).filter(|status| *status != 0).collect();
    assert!(answered.iter().all(|status| matches!(status, 404 | 413 | 429)), "{answered:?}");
    let local: IpAddr = Ipv4Addr::LOCALHOST.into();
    assert_eq!(page.ip(), local, "nothing of this test leaves the machine");
}
