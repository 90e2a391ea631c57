//! H-50: six readers of foreign bytes, each with a million damaged inputs from a fixed seed. A panic is a broken promise,
//! and so is an output that is not what its reader promises of every input.

use std::{
    any::Any,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
};

use sigtrail::{
    address, cadence,
    clock::Stopwatch,
    date,
    fetch::heard,
    link,
    model::time::Time,
    parse::{Hint, parse},
    text,
};
use url::Url;

use crate::{Options, Outcome, damage::damaged, seed::Seed};

const RUNS: usize = 1_000_000;
/// The stack of a reading thread in production.
const STACK: usize = 8 * 1024 * 1024;
/// The longest input, so that a million of them end.
const LONGEST: usize = 4 * 1024;
/// The longest text that the cleaner is asked for.
const MOST_TEXT: usize = 512;

/// A reader under test: its name, what it is fed to begin with, and the check that says what went wrong.
struct Target {
    name: &'static str,
    seeds: fn() -> Vec<Vec<u8>>,
    check: fn(&[u8]) -> Result<(), String>,
}

const TARGETS: [Target; 6] = [
    Target { name: "xml", seeds: xml_seeds, check: document },
    Target { name: "json", seeds: json_seeds, check: document },
    Target { name: "cleaner", seeds: text_seeds, check: cleaner },
    Target { name: "date", seeds: date_seeds, check: date },
    Target { name: "url", seeds: url_seeds, check: url },
    Target { name: "header", seeds: header_seeds, check: header },
];

/// Runs the target that the options name, or all six.
pub fn run(options: &Options) -> Outcome {
    let (runs, number) = (options.value("--runs", RUNS)?, options.value("--seed", 1_u64)?);
    let only = options.text("--target");
    let chosen: Vec<&'static Target> =
        TARGETS.iter().filter(|target| only.is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        return Err("--target: xml, json, cleaner, date, url or header".into());
    }
    std::panic::set_hook(Box::new(|_| {}));
    let mut kept = true;
    for target in chosen {
        let loops = thread::Builder::new().stack_size(STACK).spawn(move || target.run(runs, number))?;
        kept &= loops.join().unwrap_or(false);
    }
    let _the_default = std::panic::take_hook();
    Ok(kept)
}

impl Target {
    fn run(&self, runs: usize, number: u64) -> bool {
        let (seeds, watch) = ((self.seeds)(), Stopwatch::start());
        let mut wrong = 0;
        for k in 0..runs {
            let mut seed = Seed::of(&[number, self.name.len() as u64, k as u64]);
            let document = seed.pick(&seeds).cloned().unwrap_or_default();
            let other = seed.pick(&seeds).cloned().unwrap_or_default();
            let mut input = damaged(&document, &other, &mut seed);
            input.truncate(LONGEST);
            let outcome = catch_unwind(AssertUnwindSafe(|| (self.check)(&input)));
            let complaint = outcome.unwrap_or_else(|panic| Err(words(panic.as_ref())));
            if let Err(complaint) = complaint {
                wrong += 1;
                if wrong <= 10 {
                    println!("{} run {k}: {complaint}: {:?}", self.name, String::from_utf8_lossy(&input));
                }
            }
        }
        println!("{}: {runs} runs in {:.0} s, {wrong} wrong", self.name, watch.elapsed().as_secs_f64());
        wrong == 0
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a panic: {}", text.unwrap_or("without words"))
}

/// Our own fixtures with this ending, cut to what an input may be.
fn fixtures(ending: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/fixtures/feeds");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries
        .filter(|path| {
            path.extension().is_some_and(|end| end == ending) && !path.to_string_lossy().contains(".expected.")
        })
        .collect();
    files.sort();
    let read = files.iter().filter_map(|path| fs::read(path).ok());
    read.map(|mut bytes| {
        bytes.truncate(LONGEST - LONGEST / 4);
        bytes
    })
    .collect()
}

fn owned(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn xml_seeds() -> Vec<Vec<u8>> {
    let mut seeds = fixtures("xml");
    seeds.extend(owned(&[
        "<rss version=\"2.0\"><channel><title>a</title><item><title>b &amp; c</title><link>https://example.com/1</link></item></channel></rss>",
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><id>a</id><title type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><b>x</b></div></title></entry></feed>",
    ]));
    seeds
}

fn json_seeds() -> Vec<Vec<u8>> {
    let mut seeds = fixtures("json");
    seeds.extend(owned(&[
        "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{\"id\":1,\"title\":\"\\ud83d\\ude00\"}]}",
    ]));
    seeds
}

/// Whatever was read is within its bounds and free of what must not come out.
fn document(input: &[u8]) -> Result<(), String> {
    let base = Url::parse("https://publisher.example/feed").ok();
    let Ok(document) = parse(input, &Hint { charset: None, base: base.as_ref() }) else { return Ok(()) };
    for entry in &document.entries {
        let texts = [&entry.guid, &entry.title, &entry.summary, &entry.body].into_iter().flatten();
        texts.chain(&entry.authors).chain(&entry.categories).try_for_each(|text| is_clean(text))?;
        if let Some(link) =
            entry.link.as_deref().filter(|link| !link.starts_with("http://") && !link.starts_with("https://"))
        {
            return Err(format!("an odd link came out: {link:?}"));
        }
    }
    Ok(())
}

/// No control character but line ends, nothing that hides or reorders.
fn is_clean(text: &str) -> Result<(), String> {
    let is_odd = |one: char| {
        (one.is_control() && one != '\n')
            || matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0001}'..='\u{e007f}')
    };
    match text.chars().find(|one| is_odd(*one)) {
        Some(one) => Err(format!("{one:?} came out")),
        None => Ok(()),
    }
}

fn text_seeds() -> Vec<Vec<u8>> {
    owned(&[
        "<p>One &amp; <b>two</b>&nbsp;<a href=\"https://example.com/\">three</a></p><ul><li>four</li></ul>",
        "<script>alert(1)</script><style>a{}</style><!-- c --><img src=x onerror=y>text",
        "Cafe\u{301} \u{202e}txt.exe\u{202c} \u{200b}zero\u{feff} \u{1f468}\u{200d}\u{1f469} \u{5e2}\u{5d1}",
        "&lt;b&gt; &#60;i&#62; &#x3c;u&#x3e; &notanentity; &amp;amp; &#0; &#xD800; &hellip;",
        "<table><tr><td>a</td><td>b</td></tr></table><pre>  keep\n  this </pre><br/><hr>",
    ])
}

fn cleaner(input: &[u8]) -> Result<(), String> {
    let input = String::from_utf8_lossy(input);
    for out in [text::clean(&input, MOST_TEXT), text::from_html(&input, MOST_TEXT)] {
        is_clean(&out)?;
        if out.len() > MOST_TEXT {
            return Err(format!("{} bytes came out", out.len()));
        }
        if text::clean(&out, MOST_TEXT) != out {
            return Err(format!("what is clean is not left alone: {out:?}"));
        }
    }
    Ok(())
}

fn date_seeds() -> Vec<Vec<u8>> {
    owned(&[
        "Tue, 10 Nov 2026 08:30:00 +0000",
        "2026-11-10T08:30:00.123456Z",
        "2026-11-10 08:30:00+05:30",
        "November 10, 2026 8:30 am",
        "Tue Nov 10 08:30:00 2026",
        "10 Nov 26 08:30 EST",
        "2026-W46-2",
        "2026-314",
        "20261110T083000Z",
        "1794299400",
        "Di, 10. November 2026",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:60+14:00",
    ])
}

fn date(input: &[u8]) -> Result<(), String> {
    let read = date::parse(&String::from_utf8_lossy(input));
    // It can be printed and read back.
    match read {
        Some(time) if date::parse(&time.to_string()) != Some(time) => Err(format!("{time} is not read back")),
        _ => Ok(()),
    }
}

fn url_seeds() -> Vec<Vec<u8>> {
    owned(&[
        "https://example.com/a?b=c#d",
        "http://user:pass@example.com:8080/../x",
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "https://xn--pple-43d.com/",
        "//example.com/x",
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "\\\\example.com\\x",
        "http:/\\example.com",
        "https://\u{ff45}xample.com/\u{202e}",
        "https://example.com./a/./b/../c/?utm_source=x&a=%zz",
    ])
}

fn url(input: &[u8]) -> Result<(), String> {
    let input = String::from_utf8_lossy(input);
    let base = Url::parse("https://publisher.example/feeds/").ok();
    for base in [None, base.as_ref()] {
        let Some(out) = link::http_link(&input, base) else { continue };
        let parsed = Url::parse(&out).map_err(|error| format!("a link that is none, {error}: {out:?}"))?;
        if !["http", "https"].contains(&parsed.scheme()) || parsed.host_str().is_none() {
            return Err(format!("an odd link came out: {out:?}"));
        }
        is_clean(&out)?;
        let _compared = (link::canonical(&out), link::domain(&out));
    }
    let _written = link::relative(&input);
    if let Ok(url) = Url::parse(&input) {
        let allowed = address::check_url(&url, &[80, 443]).is_ok();
        let is_plain =
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        if allowed && !is_plain {
            return Err("a URL with another scheme or a user name was let through".to_owned());
        }
        if let Some(ip) = address::literal(&url) {
            let is_here = ip.is_loopback() || ip.is_unspecified() || ip.is_multicast();
            if is_here && address::may_dial(ip, &[]) {
                return Err(format!("{ip} may be dialled"));
            }
        }
    }
    Ok(())
}

fn header_seeds() -> Vec<Vec<u8>> {
    owned(&[
        "ETag: W/\"a,b \"\nLast-Modified: Tue, 10 Nov 2026 08:30:00 GMT\nCache-Control: max-age=3600, public",
        "Retry-After: 120\nContent-Type: application/rss+xml; charset=\"utf-8\"\nContent-Encoding: gzip, br",
        "Retry-After: Tuesday, 10-Nov-26 08:30:00 GMT\nExpires: 0\nDate: Tue, 10 Nov 2026 08:30:00 GMT",
        "Location: ../other?x#y\nLocation: //example.com\nCache-Control: max-age=\"99999999999999999999\"",
        "Content-Type: text/html;;;charset= ;charset=x\nAge: -1\nIM: feed\ncf-mitigated: challenge",
    ])
}

fn header(input: &[u8]) -> Result<(), String> {
    let now: Time = "2026-11-22T08:00:00Z".parse().map_err(|_| "no time")?;
    let from = Url::parse("https://publisher.example/feeds/a.xml").map_err(|_| "no URL")?;
    let fields: Vec<(&[u8], &[u8])> = input
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((line.get(..colon)?, line.get(colon + 1..)?.trim_ascii()))
        })
        .collect();
    let status = 100 + u16::from(input.first().copied().unwrap_or_default()) * 2;
    let heard = heard(status, &fields, &from, now);
    if heard.retry_after.is_some_and(|wait| !wait.is_positive()) || heard.max_age.is_some_and(|age| age.is_negative()) {
        return Err("a wait that is none".to_owned());
    }
    if heard.target.is_some_and(|target| target.scheme() == "http") {
        return Err("a step down from https was followed".to_owned());
    }
    for (_, value) in fields {
        let _read = (cadence::retry_after(value, now), cadence::max_age([value]));
    }
    Ok(())
}
