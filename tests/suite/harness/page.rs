//! The acknowledgement page of a world on loopback, and raw HTTP to it.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, RwLock},
    time::Duration,
};

use sigtrail::web::{Desk, router, serve};
use tokio::{runtime::Runtime, sync::oneshot};

use super::world::World;

const FORM: &str = "application/x-www-form-urlencoded";

/// The page, served until it is dropped.
pub struct Page {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
}

impl Page {
    /// Serves the page of this world, with its configuration as it is now.
    pub fn open(world: &mut World) -> Page {
        Self::open_on(TcpListener::bind("127.0.0.1:0").unwrap(), world)
    }

    /// The same on a port that is known before, so that `base_url` can name it.
    pub fn open_on(listener: TcpListener, world: &mut World) -> Page {
        let context = world.context();
        let desk = Desk {
            store: context.store.clone(),
            config: Arc::new(RwLock::new(context.config.clone())),
            key: context.link_key.clone(),
            clock: world.clock.clone(),
        };
        let runtime = Runtime::new().unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = runtime.block_on(async { tokio::net::TcpListener::from_std(listener) }).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        runtime.spawn(serve(listener, router(desk), async {
            let _ = stopped.await;
        }));
        Page { address, stop: Some(stop), runtime: Some(runtime) }
    }

    /// Asks for a path.
    pub fn get(&self, path: &str) -> Reply {
        ask(self.address, "GET", path, &[], "")
    }

    /// Sends a form to a path.
    pub fn post(&self, path: &str, body: &str) -> Reply {
        ask(self.address, "POST", path, &[("Content-Type", FORM)], body)
    }
}

impl Page {
    /// Tells it to stop; what it still does, it does on this runtime.
    pub fn stop(&mut self) -> Runtime {
        drop(self.stop.take());
        self.runtime.take().unwrap()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// An answer of the page.
pub struct Reply {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Reply {
    /// The one value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let value = found.next();
        assert_eq!(found.next(), None, "{name} stands twice");
        value
    }
}

/// Sends one request as it stands, and reads the answer.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request.push_str("Host: sigtrail.example.com\r\n");
    }
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(b"\r\n").unwrap();
    // A server that refuses a long body may close before all of it was sent.
    let _ = stream.write_all(body.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Reply { status: status.unwrap_or(0), headers: headers.collect(), body: body.to_owned() }
}

/// The nonce of the form in a page.
pub fn nonce_of(html: &str) -> String {
    let start = html.find("name=\"nonce\" value=\"").expect("a form") + "name=\"nonce\" value=\"".len();
    html.get(start..).unwrap().split('"').next().unwrap().to_owned()
}
