//! Programs that look through mail before people do: what they were seen to do with links and forms, again and again.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
};

use super::{FORM, Office};
use crate::harness::page::{ask, nonce_of};

/// How often each behaviour comes.
const TIMES: usize = 500;

/// One request of a behaviour: method, path, headers, body.
type Request = (&'static str, String, Vec<(&'static str, &'static str)>, String);

/// A behaviour by name: what it sends at its nth visit, and the statuses that it may be answered with.
struct Behaviour {
    name: &'static str,
    request: fn(&Links, usize) -> Request,
    statuses: &'static [u16],
}

/// The addresses of a mail, as a program finds them.
#[derive(Clone)]
struct Links(Vec<String>);

impl Links {
    fn nth(&self, n: usize) -> String {
        self.0[n % self.0.len()].clone()
    }
}

fn get(path: String, headers: Vec<(&'static str, &'static str)>) -> Request {
    ("GET", path, headers, String::new())
}

fn post(path: String, body: &str) -> Request {
    ("POST", path, vec![("Content-Type", FORM)], body.to_owned())
}

/// What was recorded of such programs, one line each: a first look by HEAD, browsers without a window, prefetching, reading a
/// part, forms sent empty, filled at random or with every field, methods that only programs use.
const BEHAVIOURS: [Behaviour; 20] = [
    Behaviour {
        name: "a link checker asks by HEAD",
        request: |l, n| ("HEAD", l.nth(n), vec![], String::new()),
        statuses: &[200],
    },
    Behaviour {
        name: "a gateway opens it as Outlook",
        request: |l, n| get(l.nth(n), vec![("User-Agent", "OneOutlook")]),
        statuses: &[200],
    },
    Behaviour {
        name: "a browser without a window opens it",
        request: |l, n| {
            get(
                l.nth(n),
                vec![
                    ("User-Agent", "Mozilla/5.0 HeadlessChrome/140.0"),
                    ("Sec-Fetch-Site", "none"),
                    ("Sec-Fetch-Mode", "navigate"),
                ],
            )
        },
        statuses: &[200],
    },
    Behaviour {
        name: "a script opens it",
        request: |l, n| get(l.nth(n), vec![("User-Agent", "python-requests/2.32"), ("Accept", "*/*")]),
        statuses: &[200],
    },
    Behaviour {
        name: "a client fetches it ahead",
        request: |l, n| get(l.nth(n), vec![("Purpose", "prefetch"), ("Sec-Purpose", "prefetch;prerender")]),
        statuses: &[200],
    },
    Behaviour {
        name: "a proxy opens it for somebody",
        request: |l, n| get(l.nth(n), vec![("X-Forwarded-For", "203.0.113.9"), ("Via", "1.1 gateway")]),
        statuses: &[200],
    },
    Behaviour {
        name: "a preview reads the beginning",
        request: |l, n| get(l.nth(n), vec![("Range", "bytes=0-1023")]),
        statuses: &[200],
    },
    Behaviour {
        name: "a cache asks whether it changed",
        request: |l, n| {
            get(l.nth(n), vec![("If-Modified-Since", "Fri, 20 Nov 2026 08:00:00 GMT"), ("If-None-Match", "*")])
        },
        statuses: &[200],
    },
    Behaviour {
        name: "a browser comes with cookies",
        request: |l, n| get(l.nth(n), vec![("Cookie", "session=1; consent=all")]),
        statuses: &[200],
    },
    Behaviour {
        name: "a sandbox opens each choice",
        request: |l, n| {
            get(
                format!(
                    "{}?as={}",
                    l.nth(n),
                    ["acted", "covered", "not-relevant", "watching", "discuss", "closed"][n % 6]
                ),
                vec![],
            )
        },
        statuses: &[200],
    },
    Behaviour {
        name: "a rewriter adds its own parameters",
        request: |l, n| get(format!("{}?as=acted&disposition=acted&nonce=x&utm_source=mail", l.nth(n)), vec![]),
        statuses: &[200],
    },
    Behaviour {
        name: "a script overrides the method",
        request: |l, n| {
            (
                "GET",
                l.nth(n),
                vec![("X-HTTP-Method-Override", "POST"), ("Content-Type", FORM)],
                "disposition=acted".to_owned(),
            )
        },
        statuses: &[200],
    },
    Behaviour {
        name: "a scanner asks what is allowed",
        request: |l, n| ("OPTIONS", l.nth(n), vec![("Access-Control-Request-Method", "POST")], String::new()),
        statuses: &[405],
    },
    Behaviour {
        name: "a scanner tries other methods",
        request: |l, n| {
            (
                ["PUT", "PATCH", "DELETE", "PROPFIND"][n % 4],
                l.nth(n),
                vec![("Content-Type", FORM)],
                "disposition=acted".to_owned(),
            )
        },
        statuses: &[405],
    },
    Behaviour { name: "a scanner sends the form empty", request: |l, n| post(l.nth(n), ""), statuses: &[403] },
    Behaviour {
        name: "a scanner presses the first choice",
        request: |l, n| post(l.nth(n), "disposition=acted"),
        statuses: &[403],
    },
    Behaviour {
        name: "a scanner fills every field",
        request: |l, n| {
            post(l.nth(n), "disposition=acted&note=test&reference_kind=ticket&reference=test&corrects=&nonce=test")
        },
        statuses: &[403],
    },
    Behaviour {
        name: "a scanner posts JSON",
        request: |l, n| {
            ("POST", l.nth(n), vec![("Content-Type", "application/json")], "{\"disposition\":\"acted\"}".to_owned())
        },
        statuses: &[403],
    },
    Behaviour {
        name: "a scanner guesses what lies beside it",
        request: |l, n| get(format!("{}{}", l.nth(n), ["/rest", "/wrong", "/4", "/anew", "/confirm"][n % 5]), vec![]),
        statuses: &[200, 404, 405],
    },
    Behaviour {
        name: "a scanner cuts the link",
        request: |l, n| {
            let link = l.nth(n);
            let cut = link.len() - 3 - n % 9;
            get(link[..cut].to_owned(), vec![])
        },
        statuses: &[404],
    },
];

/// Sends requests over one connection after the other, each kept open as long as the page keeps it.
fn visit(address: SocketAddr, behaviour: &Behaviour, links: &Links) {
    let mut stream = None;
    for n in 0..TIMES {
        let (method, path, headers, body) = (behaviour.request)(links, n);
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.extend(["\r\n", &body]);
        let mut open = stream.take().unwrap_or_else(|| TcpStream::connect(address).unwrap());
        let status = exchange(&mut open, &request, method == "HEAD").or_else(|| {
            // It was shut while nothing was said.
            open = TcpStream::connect(address).unwrap();
            exchange(&mut open, &request, method == "HEAD")
        });
        let status = status.unwrap_or_else(|| panic!("{}: no answer", behaviour.name));
        // Who asks for many wrong links is slowed down.
        let expected = if status == 429 { 404 } else { status };
        assert!(behaviour.statuses.contains(&expected), "{}: {status} for {path}", behaviour.name);
        stream = Some(open);
    }
}

/// Sends one request and reads the whole answer; its status.
fn exchange(stream: &mut TcpStream, request: &str, is_head: bool) -> Option<u16> {
    stream.write_all(request.as_bytes()).ok()?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16_384]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            if is_head || bytes.len() >= end + 4 + length {
                return head.split(' ').nth(1)?.parse().ok();
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
        }
    }
}

#[test]
fn a_01_ten_thousand_fetches_of_twenty_behaviours_acknowledge_nothing() {
    let mut office = Office::open();
    let mut links = office.stories.clone();
    links.push(office.all.clone());
    let (links, address) = (Links(links), office.page.address);
    let halves: Vec<_> = (0..2)
        .map(|half| {
            let links = links.clone();
            thread::spawn(move || {
                for behaviour in BEHAVIOURS.iter().skip(half).step_by(2) {
                    visit(address, behaviour, &links);
                }
            })
        })
        .collect();
    for half in halves {
        half.join().unwrap();
    }
    assert_eq!(BEHAVIOURS.len() * TIMES, 10_000);
    assert_eq!(office.acknowledged(), 0);
    assert_eq!(office.world.records_of("disowned").len() + office.world.records_of("links-asked").len(), 0);
    let all = office.all.clone();
    office.said(&all, "disposition=covered");
    assert_eq!(office.acknowledged(), 1, "a person is heard all the same");
}

#[test]
fn a_01_who_follows_every_link_of_every_page_acknowledges_nothing() {
    let mut office = Office::open();
    let mut seen: Vec<String> = office.stories.clone();
    seen.push(office.all.clone());
    let mut n = 0;
    while n < seen.len() {
        let page = office.get(&seen[n]);
        assert_eq!(page.status, 200, "{}", seen[n]);
        for link in page.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if link.starts_with('/') && !seen.iter().any(|known| known == link) {
                seen.push(link.to_owned());
            }
        }
        n += 1;
    }
    assert!(seen.iter().any(|path| path.ends_with("/rest")), "{seen:?}");
    assert_eq!(office.acknowledged(), 0);
}

#[test]
fn a_06_a_form_serves_the_link_and_the_story_that_it_was_made_for_and_no_other() {
    let mut office = Office::open();
    office.world.publish(
        "cert",
        &crate::harness::world::rss(&[
            ("libmarrow: a hole", "b1", "Text."),
            ("Quillgate: a fourth hole", "a4", "Text."),
        ]),
    );
    office.world.wait_until("2026-11-23T08:00:00Z");
    office.world.tick();
    let paths = |mail: &str| -> Vec<String> {
        mail.lines()
            .filter_map(|line| line.trim().strip_prefix("https://sigtrail.example.com"))
            .filter(|path| path.starts_with("/a/"))
            .map(ToOwned::to_owned)
            .collect()
    };
    let (jons, second) = (office.world.mailbox("jon"), office.world.mailbox("maria"));
    let (jons, second) = (
        paths(&jons[0])[0].clone(),
        paths(second.iter().find(|mail| mail.contains("a fourth hole")).unwrap())[0].clone(),
    );
    let first = office.all.clone();
    for (of, at) in [
        (&first, &second),
        (&second, &first),
        (&first, &jons),
        (&jons, &first),
        (&format!("{first}/1"), &format!("{first}/2")),
        (&format!("{first}/1"), &first),
        (&format!("{first}/rest"), &first),
        (&first, &format!("{first}/rest")),
        (&format!("{first}/rest"), &format!("{second}/rest")),
        (&format!("{first}/wrong"), &first),
        (&first, &format!("{first}/wrong")),
    ] {
        let nonce = nonce_of(&office.get(of).body);
        let body = format!("disposition=acted&note=x&what=component:quillgate&nonce={nonce}");
        let reply = ask(office.page.address, "POST", at, &[("Content-Type", FORM)], &body);
        assert_eq!(reply.status, 403, "a form of {of} at {at}");
    }
    assert_eq!(office.get(&format!("{second}/2")).status, 404, "the second digest has one story");
    assert_eq!(office.acknowledged() + office.world.records_of("disowned").len(), 0);
}
