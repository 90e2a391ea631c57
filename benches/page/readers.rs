//! Readers of pages: each on a connection of its own, one page after another, with a pause between or without.

use std::{
    net::SocketAddr,
    sync::{Arc, RwLock},
    time::Duration,
};

use sigtrail::{
    clock::Stopwatch,
    jobs::Context,
    web::{Desk, listen, router, serve},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::sleep,
};

/// How many read at once.
const READERS: usize = 50;

/// How long the pages took, sorted.
pub struct Seen(Vec<Duration>);

impl Seen {
    fn at(&self, share: usize) -> Duration {
        let place = (self.0.len() * share / 100).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or_default()
    }

    /// Prints the figures; whether they are within the limit.
    pub fn print(&self, what: &str, pause: Duration, limit: Option<Duration>, polls: usize) -> bool {
        let (half, last, worst) = (self.at(50), self.at(99), self.at(100));
        let is_well = limit.is_none_or(|limit| last <= limit);
        println!(
            "{what:<24} {READERS} readers, {:>3.0?} between: {:>6} pages, p50 {half:>8.1?}, p99 {last:>8.1?}, max {worst:>8.1?}; \
             {polls} polls meanwhile{}",
            pause,
            self.0.len(),
            if is_well { "" } else { "  TOO SLOW" }
        );
        is_well
    }
}

/// The page as the service has it.
pub struct Server {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    /// Opens the page of this state.
    pub fn open(context: &Context) -> Result<Server, Box<dyn std::error::Error>> {
        let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(16).enable_all().build()?;
        let listener = runtime.block_on(async { listen("127.0.0.1:0".parse().map_err(std::io::Error::other)?) })?;
        let address = listener.local_addr()?;
        let desk = Desk {
            store: context.store.clone(),
            config: Arc::new(RwLock::new(Arc::clone(&context.config))),
            key: Arc::clone(&context.link_key),
            clock: context.clock.clone(),
        };
        runtime.spawn(serve(listener, router(desk), std::future::pending()));
        Ok(Server { address, _runtime: runtime })
    }

    /// Answers everything behind a link, as a browser does.
    pub fn answer(&self, path: &str) -> Result<(), Box<dyn std::error::Error>> {
        let clients = Builder::new_current_thread().enable_all().build()?;
        clients.block_on(async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: sigtrail.example.com\r\n\r\n").as_bytes()).await?;
            let page = String::from_utf8(whole_answer(&mut stream).await?)?;
            let nonce = page.split("name=\"nonce\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
            let body = format!("disposition=watching&note=looked+at&nonce={}", nonce.unwrap_or_default());
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: sigtrail.example.com\r\nContent-Length: {}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await?;
            let answer = whole_answer(&mut stream).await?;
            if answer.starts_with(b"HTTP/1.1 303") { Ok(()) } else { Err(String::from_utf8_lossy(&answer).into()) }
        })
    }
}

/// Lets them read for so long.
pub fn read(
    server: &Server,
    paths: &[String],
    pause: Duration,
    time: Duration,
) -> Result<Seen, Box<dyn std::error::Error>> {
    let address = server.address;
    let clients = Builder::new_current_thread().enable_all().build()?;
    let mut all = clients.block_on(async {
        let mut readers = Vec::new();
        for reader in 0..READERS {
            let paths = paths.to_vec();
            readers.push(tokio::spawn(async move {
                // Readers do not come all at once.
                sleep(pause * u32::try_from(reader).unwrap_or_default() / 50).await;
                pages(address, &paths, reader, (pause, time)).await
            }));
        }
        let mut all = Vec::new();
        for reader in readers {
            all.extend(reader.await.map_err(std::io::Error::other)??);
        }
        Ok::<_, std::io::Error>(all)
    })?;
    all.sort_unstable();
    Ok(Seen(all))
}

async fn pages(
    address: SocketAddr,
    paths: &[String],
    reader: usize,
    (pause, time): (Duration, Duration),
) -> std::io::Result<Vec<Duration>> {
    let whole = Stopwatch::start();
    let (mut took, mut stream, mut asked) = (Vec::new(), None, Stopwatch::start());
    for turn in 0.. {
        if whole.elapsed() >= time {
            break;
        }
        // A connection may last a minute.
        if stream.is_none() || asked.elapsed() > Duration::from_secs(40) {
            (stream, asked) = (Some(TcpStream::connect(address).await?), Stopwatch::start());
        }
        let Some(open) = &mut stream else { continue };
        let path = paths.get((reader * 7_919 + turn * 104_729) % paths.len().max(1)).map_or("", String::as_str);
        let watch = Stopwatch::start();
        open.write_all(format!("GET {path} HTTP/1.1\r\nHost: sigtrail.example.com\r\n\r\n").as_bytes()).await?;
        let answer = whole_answer(open).await?;
        took.push(watch.elapsed());
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(std::io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    Ok(took)
}

async fn whole_answer(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
            if bytes.len() >= end + 4 + length {
                return Ok(bytes);
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
}
