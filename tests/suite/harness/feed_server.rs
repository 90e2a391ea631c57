//! A publisher on loopback that answers as it is told: feeds, conditions, faults. And a canary, that must never
//! be called.
//!
//! It listens on 127.0.0.2, the stand-in for a public address (`allow_addresses = ["127.0.0.2/32"]`), and keeps
//! every request it got, byte for byte.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use sigtrail::clock::Stopwatch;

/// What the server says to one request.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Arc<[u8]>,
    etag: Option<Vec<u8>>,
    last_modified: Option<Vec<u8>>,
    raw: bool,
    chunked: bool,
    length: Option<u64>,
    delay: Duration,
    drip: Option<(usize, Duration)>,
    stall_after: Option<usize>,
    close_after: Option<usize>,
    endless: bool,
}

impl Answer {
    /// 200 with a document.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::status(200).body(body).header("Content-Type", "application/xml")
    }

    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Arc::from([]),
            etag: None,
            last_modified: None,
            raw: false,
            chunked: false,
            length: None,
            delay: Duration::ZERO,
            drip: None,
            stall_after: None,
            close_after: None,
            endless: false,
        }
    }

    /// A redirect.
    pub fn redirect(status: u16, location: impl AsRef<[u8]>) -> Self {
        Self::status(status).header("Location", location)
    }

    /// Exactly these bytes, head and all; then the connection is closed.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { raw: true, ..Self::status(200).body(bytes) }
    }

    /// No byte of an answer, ever.
    pub fn silence() -> Self {
        Self::raw("").stall_after(0)
    }

    /// With this body.
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        Self { body: body.as_ref().into(), ..self }
    }

    /// With one more header field; nothing is checked.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// With this Content-Type in place of any other.
    pub fn content_type(mut self, value: &str) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        self.header("Content-Type", value)
    }

    /// With this `ETag`; a request with the same bytes in `If-None-Match` gets a 304.
    pub fn etag(self, etag: impl AsRef<[u8]>) -> Self {
        Self { etag: Some(etag.as_ref().to_vec()), ..self }
    }

    /// With this `Last-Modified`; a request with the same bytes in `If-Modified-Since` gets a 304.
    pub fn last_modified(self, date: impl AsRef<[u8]>) -> Self {
        Self { last_modified: Some(date.as_ref().to_vec()), ..self }
    }

    /// The body packed with gzip, and said so.
    pub fn gzip(self) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&self.body).unwrap();
        let packed = encoder.finish().unwrap();
        self.body(packed).header("Content-Encoding", "gzip")
    }

    /// The body packed with brotli, and said so.
    pub fn brotli(self) -> Self {
        let mut packed = Vec::new();
        brotli::BrotliCompress(&mut &*self.body, &mut packed, &brotli::enc::BrotliEncoderParams::default()).unwrap();
        self.body(packed).header("Content-Encoding", "br")
    }

    /// The body packed with zlib, and said to be `deflate`.
    pub fn deflate(self) -> Self {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&self.body).unwrap();
        let packed = encoder.finish().unwrap();
        self.body(packed).header("Content-Encoding", "deflate")
    }

    /// The body in chunks instead of with a length.
    pub fn chunked(self) -> Self {
        Self { chunked: true, ..self }
    }

    /// With this Content-Length, true or not.
    pub fn length(self, length: u64) -> Self {
        Self { length: Some(length), ..self }
    }

    /// Begins only after this time.
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Sends everything, the head too, in pieces of `bytes` with a pause after each.
    pub fn drip(self, bytes: usize, pause: Duration) -> Self {
        Self { drip: Some((bytes, pause)), ..self }
    }

    /// Sends so many bytes of head and body together, and then nothing more, until the server stops.
    pub fn stall_after(self, bytes: usize) -> Self {
        Self { stall_after: Some(bytes), ..self }
    }

    /// Sends so many bytes of head and body together and closes.
    pub fn close_after(self, bytes: usize) -> Self {
        Self { close_after: Some(bytes), ..self }
    }

    /// Sends the body again and again, without a length.
    pub fn endless(self) -> Self {
        Self { endless: true, ..self }
    }

    fn is_current(&self, request: &Received) -> bool {
        match (request.header("if-none-match"), &self.etag) {
            (Some(sent), _) => self.etag.as_deref() == Some(sent),
            (None, _) => {
                self.last_modified.is_some() && self.last_modified.as_deref() == request.header("if-modified-since")
            }
        }
    }

    fn head(&self, current: bool) -> Vec<u8> {
        let status = if current { 304 } else { self.status };
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n").into_bytes();
        let mut field = |name: &str, value: &[u8]| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        };
        for (name, value) in &self.headers {
            field(name, value);
        }
        for (name, value) in [("ETag", &self.etag), ("Last-Modified", &self.last_modified)] {
            if let Some(value) = value {
                field(name, value);
            }
        }
        if self.endless {
            field("Connection", b"close");
        } else if self.chunked && !current {
            field("Transfer-Encoding", b"chunked");
        } else if !current && !matches!(self.status, 204 | 304) {
            let length = self.length.unwrap_or(self.body.len() as u64);
            field("Content-Length", length.to_string().as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Everything that goes over the wire once.
    fn wire(&self, request: &Received) -> Vec<u8> {
        if self.raw {
            return self.body.to_vec();
        }
        let current = self.status == 200 && self.is_current(request);
        let mut wire = self.head(current);
        if current {
            return wire;
        }
        if self.chunked {
            for chunk in self.body.chunks(1_000) {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
        } else {
            wire.extend_from_slice(&self.body);
        }
        wire
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The head, byte for byte, with the empty line at its end.
    pub head: Vec<u8>,
    /// When the head was complete, since the server started.
    pub at: Duration,
    /// How many requests for the same `Host` were being answered then, this one included.
    pub at_once: usize,
}

impl Received {
    /// The value of a header field, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.fields().into_iter().find_map(|(field, value)| field.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The names of all header fields in lower case, in the order of sending.
    pub fn header_names(&self) -> Vec<String> {
        self.fields().into_iter().map(|(name, _)| name.to_ascii_lowercase()).collect()
    }

    /// The path and query that were asked for.
    pub fn target(&self) -> String {
        let line = self.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        String::from_utf8_lossy(line).split(' ').nth(1).unwrap_or_default().to_owned()
    }

    fn fields(&self) -> Vec<(String, &[u8])> {
        self.head
            .split(|byte| *byte == b'\n')
            .skip(1)
            .filter_map(|line| {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let colon = line.iter().position(|byte| *byte == b':')?;
                Some((String::from_utf8_lossy(&line[..colon]).into_owned(), line[colon + 1..].trim_ascii()))
            })
            .collect()
    }
}

/// A script for one path: the first request gets the first answer, and so on; the last answer stays.
#[derive(Default)]
struct Script {
    answers: Vec<Answer>,
    given: usize,
}

#[derive(Default)]
struct Log {
    requests: Vec<Received>,
    answering: HashMap<Vec<u8>, usize>,
}

struct Shared {
    scripts: Mutex<HashMap<String, Script>>,
    log: Mutex<Log>,
    /// Every connection so far, to be cut at the end.
    streams: Mutex<Vec<TcpStream>>,
    stopped: Mutex<bool>,
    stop: Condvar,
    started: Stopwatch,
}

/// A publisher on loopback; stops when it is dropped.
pub struct FeedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl FeedServer {
    /// Starts on 127.0.0.2 and a free port.
    pub fn start() -> Self {
        Self::start_at(Ipv4Addr::new(127, 0, 0, 2))
    }

    /// Starts on another loopback address and a free port.
    pub fn start_at(ip: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            scripts: Mutex::default(),
            log: Mutex::default(),
            streams: Mutex::default(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
            started: Stopwatch::start(),
        });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if *shared.stopped.lock().unwrap() {
                        return;
                    }
                    shared.streams.lock().unwrap().push(stream.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || shared.converse(stream));
                }
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Starts with a canary on the same port of 127.0.0.1.
    pub fn with_canary() -> (Self, Canary) {
        // Somebody else may listen on that port already.
        for _ in 0..50 {
            let server = Self::start();
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, server.port())) {
                return (server, Canary::listen(listener));
            }
        }
        panic!("no port is free on both addresses");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of a path by the server's address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL of a path by a host name, for a resolver that knows it.
    pub fn url_at(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port())
    }

    /// Answers every request for a path (with its query) in this way, from now on.
    pub fn serve(&self, path: &str, answer: Answer) {
        self.script(path, [answer]);
    }

    /// Answers the first request for a path from now on with the first answer, the next with the next; the last
    /// one stays.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let script = Script { answers: answers.into_iter().collect(), given: 0 };
        self.shared.scripts.lock().unwrap().insert(path.to_owned(), script);
    }

    /// The requests for a path so far.
    pub fn requests(&self, path: &str) -> Vec<Received> {
        self.all_requests().into_iter().filter(|request| request.target() == path).collect()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.shared.streams.lock().unwrap().len()
    }

    /// All requests so far, in the order of coming.
    pub fn all_requests(&self) -> Vec<Received> {
        self.shared.log.lock().unwrap().requests.clone()
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        *self.shared.stopped.lock().unwrap() = true;
        self.shared.stop.notify_all();
        let _wake = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    /// Answers the requests of one connection until somebody has enough.
    fn converse(&self, mut stream: TcpStream) {
        while let Some(head) = read_head(&mut stream) {
            let mut request = Received { head, at: self.started.elapsed(), at_once: 0 };
            let host = request.header("host").unwrap_or_default().to_vec();
            {
                let mut log = self.log.lock().unwrap();
                let answering = log.answering.entry(host.clone()).or_default();
                *answering += 1;
                request.at_once = *answering;
                log.requests.push(request.clone());
            }
            let answer = self.next_answer(&request.target());
            let goes_on = self.give(&mut stream, &answer, &request, &host);
            if !goes_on {
                break;
            }
        }
        let _closed = stream.shutdown(Shutdown::Both);
    }

    fn next_answer(&self, path: &str) -> Answer {
        let mut scripts = self.scripts.lock().unwrap();
        let Some(script) = scripts.get_mut(path) else {
            return Answer::status(404);
        };
        let answer = script.answers.get(script.given.min(script.answers.len() - 1)).cloned();
        script.given += 1;
        answer.unwrap_or_else(|| Answer::status(404))
    }

    /// Sends an answer; whether the connection stays open.
    fn give(&self, stream: &mut TcpStream, answer: &Answer, request: &Received, host: &[u8]) -> bool {
        self.pause(answer.delay);
        let mut wire = answer.wire(request);
        let whole = wire.len();
        wire.truncate(answer.close_after.or(answer.stall_after).unwrap_or(whole));
        // Once the last byte is out, the other side may already be at its next request.
        let last = if answer.endless || answer.stall_after.is_some() { 0 } else { 1.min(wire.len()) };
        let (most, rest) = wire.split_at(wire.len() - last);
        let mut sent = self.send(stream, most, answer.drip);
        if last > 0 {
            self.answered(host);
            sent = sent && self.send(stream, rest, answer.drip);
        }
        while sent && answer.endless && !answer.body.is_empty() {
            sent = self.send(stream, &answer.body, answer.drip);
        }
        if answer.stall_after.is_some() {
            self.pause(Duration::from_mins(10));
        }
        if last == 0 {
            self.answered(host);
        }
        sent && !answer.raw && !answer.endless && answer.close_after.is_none() && answer.stall_after.is_none()
    }

    fn answered(&self, host: &[u8]) {
        if let Some(answering) = self.log.lock().unwrap().answering.get_mut(host) {
            *answering -= 1;
        }
    }

    fn send(&self, stream: &mut TcpStream, bytes: &[u8], drip: Option<(usize, Duration)>) -> bool {
        let Some((piece, pause)) = drip else {
            return stream.write_all(bytes).is_ok();
        };
        bytes.chunks(piece.max(1)).all(|part| {
            let sent = stream.write_all(part).is_ok();
            self.pause(pause);
            sent && !*self.stopped.lock().unwrap()
        })
    }

    /// Waits, but not beyond the server's end.
    fn pause(&self, time: Duration) {
        if !time.is_zero() {
            let stopped = self.stopped.lock().unwrap();
            let _waited = self.stop.wait_timeout_while(stopped, time, |stopped| !*stopped).unwrap();
        }
    }
}

/// Reads one request head, with the empty line at its end.
fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 4_096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => head.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
    Some(head)
}

/// An address that nobody may call: counts who does.
pub struct Canary {
    address: SocketAddr,
    hits: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Canary {
    /// Listens on 127.0.0.1 and this port (0: a free one).
    pub fn start(port: u16) -> Self {
        Self::listen(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap())
    }

    fn listen(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let (hits, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let accepting = std::thread::spawn({
            let (hits, stopped) = (Arc::clone(&hits), Arc::clone(&stopped));
            move || {
                for _caller in listener.incoming() {
                    if stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    hits.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { address, hits, stopped, accepting: Some(accepting) }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How often it was called.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _wake = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
    }
}
