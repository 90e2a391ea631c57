//! Publishers on loopback, good and hostile: one server for all of them, each at an address of its own (127.0.x.y), in
//! the process of the check. It notes when which feed was asked for.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use sigtrail::clock::Clock;

/// How many feeds share the third part of an address.
const PER_NET: usize = 200;
/// A client that stays silent for longer is left.
const PATIENCE: Duration = Duration::from_secs(45);
/// The stack of a thread that answers, in bytes.
const STACK: usize = 256 * 1024;

/// What is sent, in order.
pub enum Step {
    /// These bytes, head and all.
    Send(Vec<u8>),
    /// One byte of these a second.
    Drip(Vec<u8>),
    /// These bytes again and again.
    Endless(Vec<u8>),
    /// Nothing, until the client goes away.
    Stall,
    /// The end of the connection.
    Close,
}

/// A request as far as answers depend on it.
pub struct Request {
    /// The feed that is asked for.
    pub feed: usize,
    /// The path behind the feed.
    pub path: String,
    /// How often this feed was asked for before.
    pub before: usize,
    /// The validator that was sent along.
    pub condition: Option<String>,
}

/// Says what a request gets.
pub type Script = dyn Fn(&Request) -> Vec<Step> + Send + Sync;

/// When each feed was asked for, in milliseconds since 1970.
type Asked = BTreeMap<usize, Vec<i64>>;

/// The publishers; they stop listening when this is dropped.
pub struct Publishers {
    port: u16,
    asked: Arc<Mutex<Asked>>,
    stopped: Arc<AtomicBool>,
}

impl Publishers {
    /// Starts to answer as the script says, on every loopback address.
    pub fn start(script: Box<Script>) -> std::io::Result<Publishers> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let port = listener.local_addr()?.port();
        let publishers = Publishers { port, asked: Arc::default(), stopped: Arc::default() };
        let (asked, stopped) = (Arc::clone(&publishers.asked), Arc::clone(&publishers.stopped));
        let script: Arc<Script> = Arc::from(script);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // The wildcard stands for hundreds of loopback addresses, and for nothing else.
                if !stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) {
                    continue;
                }
                let (asked, script) = (Arc::clone(&asked), Arc::clone(&script));
                // A connection that ends early is the client's business, and so is one that finds no thread.
                let _ =
                    thread::Builder::new().stack_size(STACK).spawn(move || converse(&stream, &asked, script.as_ref()));
            }
        });
        Ok(publishers)
    }

    /// The address of a feed's publisher.
    pub fn host(feed: usize) -> Ipv4Addr {
        let part = |number: usize| u8::try_from(number).unwrap_or_default();
        Ipv4Addr::new(127, 0, part(1 + feed / PER_NET), part(2 + feed % PER_NET))
    }

    /// Where a feed is.
    pub fn url(&self, feed: usize) -> String {
        format!("http://{}:{}/feed/{feed}", Self::host(feed), self.port)
    }

    /// The port that all of them listen on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// When each feed was asked for so far, in milliseconds since 1970.
    pub fn asked(&self) -> Asked {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Publishers {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _wake = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Answers the requests of one connection.
fn converse(mut stream: &TcpStream, asked: &Mutex<Asked>, script: &Script) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut condition) = (String::new(), None);
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let now = Clock::System.now().as_millisecond();
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line)?;
            if let Some((name, value)) = line.trim_end().split_once(": ") {
                condition = condition.or_else(|| name.eq_ignore_ascii_case("if-none-match").then(|| value.to_owned()));
            }
        }
        let rest = target.strip_prefix("/feed/").unwrap_or_default();
        let (number, path) = rest.split_once('/').unwrap_or((rest, ""));
        let Ok(feed) = number.parse::<usize>() else { return Ok(()) };
        let before = {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let times = asked.entry(feed).or_default();
            // What a redirect leads to is part of the same request.
            if path.is_empty() {
                times.push(now);
            }
            times.len().saturating_sub(1)
        };
        let steps = script(&Request { feed, path: path.to_owned(), before, condition });
        for step in steps {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes)?,
                Step::Drip(bytes) => {
                    for byte in bytes {
                        stream.write_all(&[byte])?;
                        thread::sleep(Duration::from_secs(1));
                    }
                }
                Step::Endless(bytes) => loop {
                    stream.write_all(&bytes)?;
                },
                Step::Stall => {
                    let _gone = stream.read(&mut [0])?;
                    return Ok(());
                }
                Step::Close => return Ok(()),
            }
        }
    }
}

/// A whole answer: status, further header lines (each with its line end), body.
pub fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// An RSS document of these items: title and identifier.
pub fn rss(title: &str, items: impl IntoIterator<Item = (String, String)>) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\"><channel><title>{}</title>\n\
         <link>https://publisher.example/</link><description>Invented</description>\n",
        escaped(title)
    );
    for (title, id) in items {
        let (title, id) = (escaped(&title), escaped(&id));
        let _ = writeln!(
            out,
            "<item><title>{title}</title><guid isPermaLink=\"false\">{id}</guid>\
             <description>What is said about it: {title}</description></item>"
        );
    }
    out + "</channel></rss>\n"
}
