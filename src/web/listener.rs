//! The listener: who is let in, for how long, and who has to go when it is full. What is answered is the routes'
//! business.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    http::Request,
    serve::Listener,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    select,
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// How many connections more than its places a listener holds while it shows somebody out.
const SPARE: usize = 16;
/// How often a full listener looks whether somebody can be shown out by now.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest that requests under way may take after the word to stop.
const GRACE: Duration = Duration::from_secs(5);
/// The most bytes of a request's line and headers.
const MAX_HEAD: usize = 16 * 1024;

/// What a listener puts up with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most connections at once. For another one, whoever waits on nothing of ours has to go.
    pub places: usize,
    /// The longest that a request's line and headers may take, and that a connection may say nothing.
    pub head: Duration,
    /// The longest that a connection may last, however many requests it brings.
    pub stay: Duration,
}

/// How many arrivals the system holds until they are let in: a crowd at the door is no reason to wait for seconds.
const BACKLOG: u32 = 1_024;

/// Listens at an address; to be called inside a runtime. Errors: nobody can listen there.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A service that starts anew finds its port free, whatever its predecessor's connections do.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Where a request comes from: the other end of its connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub IpAddr);

/// Serves until `stop` is ready, then finishes the requests that are under way, for at most five seconds.
pub(super) async fn serve(
    mut listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (tell, told) = watch::channel(false);
    let (guests, mut connections, mut stop) = (Arc::new(Guests::default()), JoinSet::new(), pin!(stop));
    loop {
        let is_full = connections.len() >= limits.places + SPARE;
        select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            // What goes wrong with one arrival is waited out in there, a want of file descriptors too.
            (stream, address) = Listener::accept(&mut listener), if !is_full => {
                let guest = guests.enter(address.ip().to_canonical());
                connections.spawn(receive(stream, router.clone(), limits, guest, told.clone()));
                if connections.len() > limits.places {
                    guests.show_one_out();
                }
            }
            () = sleep(LOOK_EVERY), if is_full => guests.show_one_out(),
        }
    }
    drop(listener);
    // Nobody listens where nobody is inside.
    let _ = tell.send(true);
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

/// One connection from its beginning to its end.
async fn receive(stream: TcpStream, router: Router, limits: Limits, guest: Entered, mut told: watch::Receiver<bool>) {
    let (inner, inside) = (TowerToHyperService::new(router), Arc::clone(&guest.guest));
    let service = service_fn(move |request: Request<Incoming>| {
        let guest = Arc::clone(&inside);
        let mut request = request.map(|body| Body::new(Arriving::new(body, Arc::clone(&guest))));
        request.extensions_mut().insert(Peer(guest.peer));
        let answer = inner.call(request);
        async move {
            let answer = answer.await;
            guest.waits_on_us.store(false, Ordering::SeqCst);
            answer
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(MAX_HEAD);
    let mut talk = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut end = pin!(sleep(limits.stay));
    let mut is_stopping = false;
    loop {
        select! {
            // A connection that broke is nobody's concern but its other end's.
            _ = talk.as_mut() => return,
            () = guest.guest.leave.notified() => return,
            () = &mut end => return,
            _ = told.changed(), if !is_stopping => {
                is_stopping = true;
                talk.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Who is inside.
#[derive(Debug, Default)]
struct Guests(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    entered: u64,
    guests: BTreeMap<u64, Arc<Guest>>,
}

/// One connection, as the others see it.
#[derive(Debug)]
struct Guest {
    peer: IpAddr,
    /// Whether a whole request is here and its answer is not made yet.
    waits_on_us: AtomicBool,
    /// Whether it has been told to go.
    is_leaving: AtomicBool,
    leave: Notify,
}

/// A place that is free again when this is dropped.
struct Entered {
    number: u64,
    guest: Arc<Guest>,
    guests: Arc<Guests>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.guests.lock().guests.remove(&self.number);
    }
}

impl Guests {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, peer: IpAddr) -> Entered {
        let guest = Arc::new(Guest {
            peer,
            waits_on_us: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            leave: Notify::new(),
        });
        let mut inside = self.lock();
        inside.entered += 1;
        let number = inside.entered;
        inside.guests.insert(number, Arc::clone(&guest));
        Entered { number, guest, guests: Arc::clone(self) }
    }

    /// Ends the connection that is missed least; none where everybody waits on us.
    fn show_one_out(&self) {
        let inside = self.lock();
        let staying = inside.guests.iter().filter(|(_, guest)| !guest.is_leaving.load(Ordering::SeqCst));
        let seen: Vec<(u64, IpAddr, bool)> =
            staying.map(|(number, guest)| (*number, guest.peer, guest.waits_on_us.load(Ordering::SeqCst))).collect();
        if let Some(guest) = missed_least(&seen).and_then(|number| inside.guests.get(&number)) {
            guest.is_leaving.store(true, Ordering::SeqCst);
            guest.leave.notify_one();
        }
    }
}

/// Of the connections that wait on nothing of ours, the oldest one from the address that holds the most.
fn missed_least(guests: &[(u64, IpAddr, bool)]) -> Option<u64> {
    let mut held: HashMap<IpAddr, usize> = HashMap::new();
    for (_, peer, _) in guests {
        *held.entry(*peer).or_default() += 1;
    }
    let idle = guests.iter().filter(|(_, _, waits_on_us)| !waits_on_us);
    let of = |peer: &IpAddr| held.get(peer).copied().unwrap_or_default();
    idle.min_by_key(|(number, peer, _)| (usize::MAX - of(peer), *number)).map(|(number, ..)| *number)
}

/// A request's body on its way in; when all of it is here, its connection waits on us.
struct Arriving {
    body: Incoming,
    guest: Arc<Guest>,
}

impl Arriving {
    fn new(body: Incoming, guest: Arc<Guest>) -> Arriving {
        guest.waits_on_us.store(body.is_end_stream(), Ordering::SeqCst);
        Arriving { body, guest }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.guest.waits_on_us.store(true, Ordering::SeqCst);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LIMITS: Limits = Limits { places: 4, head: Duration::from_millis(300), stay: Duration::from_secs(2) };

    async fn open(limits: Limits) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let router = Router::new()
            .route("/", get(|| async { "inside" }))
            .route(
                "/slow",
                get(|| async {
                    sleep(Duration::from_millis(600)).await;
                    "at last"
                }),
            )
            .route("/form", post(|body: String| async move { body.len().to_string() }));
        tokio::spawn(async move {
            serve(listener, router, limits, async {
                let _ = stopped.await;
            })
            .await
        });
        (address, stop)
    }

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    async fn rest(stream: &mut TcpStream) -> String {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        String::from_utf8_lossy(&rest).into_owned()
    }

    #[tokio::test]
    async fn who_never_ends_a_head_is_shown_out() {
        let (address, _stop) = open(LIMITS).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
        assert!(!rest(&mut slow).await.contains("inside"));
    }

    #[tokio::test]
    async fn a_full_house_shows_out_the_oldest_who_waits_on_nothing() {
        let (address, _stop) = open(Limits { head: Duration::from_mins(1), ..LIMITS }).await;
        let waiting = tokio::spawn(async move { ask(address, "/slow").await });
        sleep(Duration::from_millis(100)).await;
        let mut oldest = TcpStream::connect(address).await.unwrap();
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(TcpStream::connect(address).await.unwrap());
        }
        // The fifth of four places: the oldest idle one goes, and who waits for an answer gets it.
        assert_eq!(rest(&mut oldest).await, "");
        assert!(ask(address, "/").await.ends_with("inside"));
        assert!(waiting.await.unwrap().ends_with("at last"));
    }

    #[tokio::test]
    async fn a_form_that_arrives_drop_by_drop_keeps_nobody_out() {
        let (address, _stop) = open(Limits { head: Duration::from_mins(1), ..LIMITS }).await;
        let mut drops = Vec::new();
        for _ in 0..40 {
            let mut one = TcpStream::connect(address).await.unwrap();
            one.write_all(b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na").await.unwrap();
            drops.push(one);
        }
        assert!(ask(address, "/").await.ends_with("inside"));
    }

    #[tokio::test]
    async fn a_stop_ends_who_waits_on_nothing_and_answers_who_waits_on_us() {
        let (address, stop) = open(Limits { head: Duration::from_mins(1), ..LIMITS }).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        let waiting = tokio::spawn(async move { ask(address, "/slow").await });
        sleep(Duration::from_millis(200)).await;
        stop.send(()).unwrap();
        assert!(waiting.await.unwrap().ends_with("at last"));
        assert_eq!(rest(&mut idle).await, "");
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[test]
    fn the_address_that_holds_the_most_loses_its_oldest() {
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert_eq!(missed_least(&[(1, a, false), (2, b, false), (3, b, false)]), Some(2));
        assert_eq!(missed_least(&[(1, a, false), (2, b, true), (3, b, true)]), Some(1));
        assert_eq!(missed_least(&[(1, a, true)]), None);
    }
}
