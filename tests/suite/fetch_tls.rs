//! The fetch door against publishers whose TLS is in order, and whose TLS is not.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::JoinHandle,
};

use jiff::SignedDuration;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use sigtrail::{
    clock::Clock,
    fetch::{FetchRequest, Fetcher, Resolver},
    model::{
        feed::{FeedState, Validators},
        outcome::FetchOutcome,
        settings::{AddressRange, FetchSettings},
    },
};

use crate::harness::feed_server::{Answer, FeedServer};

const FEED: &[u8] = b"<rss version=\"2.0\"><channel><title>Example</title></channel></rss>";

/// A certificate authority that is made for one test.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        Self::named("Example authority")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A certificate for a name, valid from and to the first day of these years.
    pub fn certify(&self, name: &str, years: (i32, i32)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        Identity { certificate, key }
    }
}

pub struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// A publisher that speaks TLS, each connection answered once; stops when it is dropped.
pub struct TlsServer {
    pub address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
    stopped: Arc<std::sync::atomic::AtomicBool>,
}

impl TlsServer {
    fn start(identity: Identity, answer: String) -> Self {
        let config = Arc::new(server_config(identity));
        Self::answering(move |stream| {
            let mut stream = accept(&config, stream);
            let mut head = [0; 4_096];
            if stream.read(&mut head).is_ok_and(|read| read > 0) {
                let _sent = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _flushed = stream.flush();
            }
        })
    }

    pub fn answering(answer: impl Fn(TcpStream) + Send + 'static) -> Self {
        use std::sync::atomic::{AtomicBool, Ordering};
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let accepting = std::thread::spawn({
            let stopped = Arc::clone(&stopped);
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    answer(stream);
                }
            }
        });
        Self { address, accepting: Some(accepting), stopped }
    }

    fn url(&self) -> String {
        format!("https://feeds.example:{}/a.xml", self.address.port())
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.stopped.store(true, std::sync::atomic::Ordering::SeqCst);
        let _wake = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
    }
}

pub fn server_config(identity: Identity) -> ServerConfig {
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate], key)
        .unwrap()
}

pub fn accept(config: &Arc<ServerConfig>, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream)
}

fn ok() -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", FEED.len(), String::from_utf8_lossy(FEED))
}

/// Asks for a URL with every name leading to the servers of the test.
fn fetch(url: &str, roots: RootCertStore) -> FetchOutcome {
    let settings = FetchSettings {
        contact: None,
        every: SignedDuration::from_hours(1),
        min_interval: SignedDuration::from_mins(30),
        per_host_gap: SignedDuration::ZERO,
        timeout: SignedDuration::from_secs(3),
        max_wire: 1024 * 1024,
        max_decoded: 1024 * 1024,
        allow_addresses: vec![AddressRange { address: "127.0.0.2".parse().unwrap(), prefix: 32 }],
        allow_ports: Vec::new(),
    };
    let here = Resolver::table(|_| vec!["127.0.0.2".parse().unwrap()]);
    let fetcher = Fetcher::with_roots(&settings, Clock::System, here, roots).unwrap();
    fetcher.fetch(FetchRequest { url: url.parse().unwrap(), validators: Validators::default(), a_im: false })
}

fn words(outcome: FetchOutcome) -> String {
    match outcome {
        FetchOutcome::Failed { state: FeedState::Broken, status: None, cause, .. } => cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn h_32_a_certificate_that_is_in_order_is_trusted() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.certify("feeds.example", (2020, 4_000)), ok());
    match fetch(&server.url(), authority.roots()) {
        FetchOutcome::Fetched { document, .. } => assert_eq!(document.bytes, FEED),
        other => panic!("{other:?}"),
    }
}

#[test]
fn h_32_certificates_that_are_not_in_order_are_refused_and_the_reason_is_named() {
    let authority = Authority::new();
    let stranger = Authority::named("Another authority");
    let always = (2020, 4_000);
    for (identity, expected) in [
        (authority.certify("feeds.example", (2020, 2021)), "TLS: the certificate has expired"),
        (authority.certify("feeds.example", (3_999, 4_000)), "TLS: the certificate is not valid yet"),
        (authority.certify("other.example", always), "TLS: the certificate is for another name"),
        (
            stranger.certify("feeds.example", always),
            "TLS: the certificate was issued by nobody that this machine trusts",
        ),
    ] {
        let server = TlsServer::start(identity, ok());
        assert_eq!(words(fetch(&server.url(), authority.roots())), expected);
    }
}

#[test]
fn h_32_a_machine_without_authorities_says_what_it_lacks() {
    let server = TlsServer::start(Authority::new().certify("feeds.example", (2020, 4_000)), ok());
    let said = words(fetch(&server.url(), RootCertStore::empty()));
    assert!(said.contains("ca-certificates"), "{said}");
}

#[test]
fn h_32_a_server_that_knows_only_old_versions_is_refused() {
    let roots = || Authority::new().roots();
    // The alert protocol_version in a record of TLS 1.0 (RFC 5246 section 7.2).
    let alert = TlsServer::answering(|mut stream| {
        let mut hello = [0; 4_096];
        let _read = stream.read(&mut hello);
        let _sent = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]);
    });
    assert_eq!(words(fetch(&alert.url(), roots())), "TLS: the server refused the handshake");
    // A ServerHello that chooses TLS 1.0.
    let old = TlsServer::answering(|mut stream| {
        let mut hello = [0; 4_096];
        let _read = stream.read(&mut hello);
        let mut answer = vec![0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
        answer.extend_from_slice(&[7; 32]);
        answer.extend_from_slice(&[0, 0xc0, 0x2f, 0]);
        let _sent = stream.write_all(&answer);
    });
    let said = words(fetch(&old.url(), roots()));
    assert!(said.starts_with("TLS: "), "{said}");
}

#[test]
fn h_06_a_server_that_stalls_or_babbles_in_the_handshake_is_given_up() {
    let authority = Authority::new();
    let server = FeedServer::start();
    server.serve("/a.xml", Answer::ok(FEED));
    let said = words(fetch(&format!("https://feeds.example:{}/a.xml", server.port()), authority.roots()));
    assert!(said.ends_with("within 3 s"), "{said}");
    let babbling = TlsServer::answering(|mut stream| {
        let _sent = stream.write_all(b"HTTP/1.1 400 this is not TLS\r\n\r\n");
    });
    let said = words(fetch(&babbling.url(), authority.roots()));
    assert_eq!(said, "TLS: the handshake failed");
}

#[test]
fn h_27_a_redirect_from_https_to_http_is_refused_and_the_other_way_is_followed() {
    let authority = Authority::new();
    let plain = FeedServer::start();
    plain.serve("/a.xml", Answer::ok(FEED));
    let down = format!("HTTP/1.1 301 Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", plain.url("/a.xml"));
    let server = TlsServer::start(authority.certify("feeds.example", (2020, 4_000)), down);
    match fetch(&server.url(), authority.roots()) {
        FetchOutcome::Failed { state: FeedState::Refused, status: Some(301), cause, .. } => {
            assert_eq!(cause, "refused: a redirect from https to http is not followed");
        }
        other => panic!("{other:?}"),
    }
    assert!(plain.all_requests().is_empty());

    let server = TlsServer::start(authority.certify("feeds.example", (2020, 4_000)), ok());
    plain.serve("/up", Answer::redirect(301, server.url()));
    match fetch(&plain.url("/up"), authority.roots()) {
        FetchOutcome::Fetched { document, .. } => {
            assert_eq!(document.final_url.as_str(), server.url());
            assert!(document.moved_permanently);
        }
        other => panic!("{other:?}"),
    }
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Reads the next frame: its kind and stream.
fn read_frame(from: &mut impl Read) -> std::io::Result<(u8, u32)> {
    let mut head = [0; 9];
    from.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    from.read_exact(&mut payload)?;
    Ok((head[3], u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]])))
}

/// A publisher that speaks HTTP/2 and answers the first request of each connection with this block of header
/// fields (RFC 7541) and these frames of a body.
fn http2_server(identity: Identity, fields: Vec<u8>, body: Vec<Vec<u8>>) -> TlsServer {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    let mut config = server_config(identity);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    TlsServer::answering(move |stream| {
        let mut stream = accept(&config, stream);
        let mut preface = [0; 24];
        let mut converse = || -> std::io::Result<()> {
            stream.read_exact(&mut preface)?;
            stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
            stream.write_all(&frame(SETTINGS, 1, 0, &[]))?;
            let asked = loop {
                if let (HEADERS, asked) = read_frame(&mut stream)? {
                    break asked;
                }
            };
            stream.write_all(&frame(HEADERS, if body.is_empty() { 5 } else { 4 }, asked, &fields))?;
            for (number, part) in body.iter().enumerate() {
                stream.write_all(&frame(DATA, u8::from(number + 1 == body.len()), asked, part))?;
            }
            stream.flush()?;
            // The other side hangs up.
            while read_frame(&mut stream).is_ok() {}
            Ok(())
        };
        let _ended = converse();
    })
}

#[test]
fn a_publisher_that_speaks_http_2_is_read_like_any_other() {
    let authority = Authority::new();
    let identity = || authority.certify("feeds.example", (2020, 4_000));
    // `:status: 200` and `etag: "1"`, by their numbers in the static table.
    let head = [&[0x88, 0x0f, 34 - 15, 3][..], b"\"1\""].concat();
    let server = http2_server(identity(), head, vec![FEED[..20].to_vec(), FEED[20..].to_vec()]);
    match fetch(&server.url(), authority.roots()) {
        FetchOutcome::Fetched { document, .. } => {
            assert_eq!((document.bytes.as_slice(), document.cut), (FEED, None));
            assert_eq!(document.validators.etag.as_deref(), Some(&b"\"1\""[..]));
            assert_eq!(document.remote, Some(server.address));
        }
        other => panic!("{other:?}"),
    }
    let server = http2_server(identity(), vec![0x8d], Vec::new());
    match fetch(&server.url(), authority.roots()) {
        FetchOutcome::Failed { state: FeedState::Gone, status: Some(404), .. } => {}
        other => panic!("{other:?}"),
    }
}
