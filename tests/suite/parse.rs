//! Whole documents, hostile and plain: what they are read as, and that nothing in them can stop the reader.

use std::{fmt::Write as _, fs, path::PathBuf, time::Instant};

use sigtrail::{
    change::{self, Version},
    cli,
    marks::marks,
    model::{
        entry::{Document, Format, MAX_ENTRIES, MAX_FIELD, MAX_LIST},
        stack::Severity,
    },
    parse::{Hint, ParseError, parse},
    reader::{ReadError, read},
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/fixtures/feeds")
}

/// The fixtures, without their expected siblings, in order.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".expected.json"))
        .collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), fs::read(folder().join(name)).unwrap())).collect()
}

fn document(text: impl AsRef<[u8]>) -> Document {
    parse(text.as_ref(), &Hint::default()).unwrap()
}

fn rss(items: &str) -> String {
    format!("<rss version=\"2.0\"><channel><title>Feed</title>{items}</channel></rss>")
}

/// Pieces made of the numbers below `count`, one after another.
fn many(count: usize, piece: impl Fn(&mut String, usize)) -> String {
    let mut all = String::new();
    for n in 0..count {
        piece(&mut all, n);
    }
    all
}

/// Every text of a document, for promises that hold for all of them.
fn texts(document: &Document) -> Vec<String> {
    let mut texts: Vec<String> = document.title.iter().cloned().collect();
    for entry in &document.entries {
        texts.extend(
            [&entry.guid, &entry.link, &entry.title, &entry.summary, &entry.body].into_iter().flatten().cloned(),
        );
        texts.extend(entry.authors.iter().chain(&entry.categories).cloned());
    }
    texts
}

/// Far above what any of these takes, so that only a hang or a quadratic search is caught.
#[expect(clippy::disallowed_methods, reason = "a ceiling against hangs needs a clock that runs")]
fn within_seconds<T>(seconds: u64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed().as_secs() < seconds, "took {:?}", start.elapsed());
    result
}

#[test]
fn every_fixture_reads_as_its_expected_sibling_says() {
    for (name, bytes) in fixtures() {
        let line = cli::parse::line(&name, &read(bytes, None, None));
        let expected = fs::read_to_string(folder().join(format!("{name}.expected.json"))).unwrap();
        let got: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
        assert_eq!(got, expected, "{name}\n{line}");
        assert!(!line.contains('\n'));
    }
}

fn fixture(name: &str) -> Document {
    document(fs::read(folder().join(name)).unwrap())
}

#[test]
fn every_kind_of_source_is_told_by_its_content() {
    for (name, format) in [
        ("rss-0.90.xml", Format::Rdf),
        ("rss-0.91.xml", Format::Rss),
        ("rss-1.0.xml", Format::Rdf),
        ("rss-2.0.xml", Format::Rss),
        ("arxiv-rss.xml", Format::Rss),
        ("severity.xml", Format::Rss),
        ("atom-0.3.xml", Format::Atom),
        ("atom-1.0.xml", Format::Atom),
        ("arxiv-api.xml", Format::Atom),
        ("github-advisories.atom", Format::Atom),
        ("json-feed-1.0.json", Format::Json),
        ("json-feed.json", Format::Json),
        ("kev.json", Format::Kev),
        ("eu-kev.json", Format::Kev),
        ("csaf-rolie.json", Format::Csaf),
        ("github-advisories.json", Format::Advisories),
        ("osv.json", Format::Advisories),
        ("euvd.json", Format::Advisories),
    ] {
        let read = fixture(name);
        assert_eq!(read.format, format, "{name}");
        assert!(!read.entries.is_empty() && !read.partial, "{name}");
    }
}

#[test]
fn what_publishers_state_of_severity_in_fields_of_their_own_is_heard() {
    for (name, place, severity, tenths) in [
        ("severity.xml", 0, Severity::Critical, 98),
        ("severity.xml", 1, Severity::Low, 16),
        ("github-advisories.json", 0, Severity::High, 88),
        ("osv.json", 0, Severity::High, 88),
        ("euvd.json", 0, Severity::Critical, 98),
    ] {
        let marks = marks(&fixture(name).entries[place]);
        assert_eq!((marks.severity, marks.cvss_tenths), (Some(severity), Some(tenths)), "{name}");
    }
    assert_eq!(marks(&fixture("github-advisories.atom").entries[0]).severity, Some(Severity::High));
}

#[test]
fn only_what_is_said_to_be_exploited_is() {
    for (name, exploited) in
        [("kev.json", true), ("eu-kev.json", true), ("github-advisories.json", false), ("osv.json", false)]
    {
        assert!(fixture(name).entries.iter().all(|entry| entry.exploited == exploited), "{name}");
    }
    // Another database has a list of the same name.
    let other = r#"{"format": "NVD_CVE", "vulnerabilities": [{"cve": {"id": "CVE-2026-99995"}}]}"#;
    assert_eq!(parse(other.as_bytes(), &Hint::default()), Err(ParseError::UnknownJson));
    assert_eq!(document(r#"{"vulnerabilities": []}"#).format, Format::Kev);
}

#[test]
fn how_a_preprint_is_announced_is_kept() {
    let read = fixture("arxiv-rss.xml");
    assert!(read.entries[0].categories.contains(&"arXiv: new".to_owned()));
    assert!(read.entries[1].categories.contains(&"arXiv: replace".to_owned()));
}

#[test]
fn an_advisory_that_was_withdrawn_says_so() {
    let read = fixture("github-advisories.json");
    let withdrawn = |place: usize| read.entries[place].categories.iter().any(|category| category == "withdrawn");
    assert!(!withdrawn(0) && withdrawn(1));
    assert!(read.entries[1].body.as_ref().unwrap().contains("This advisory was withdrawn: 2026-11-09"));
}

#[test]
fn a_document_that_is_no_feed_is_refused_in_words() {
    for (text, error) in [
        ("", ParseError::Empty),
        (" \n\u{feff} ", ParseError::Empty),
        ("<!DOCTYPE html><html><body><item>x</item></body></html>", ParseError::WebPage),
        ("<opml version=\"2.0\"><body/></opml>", ParseError::FeedList),
        ("<sitemapindex></sitemapindex>", ParseError::Root("sitemapindex".into())),
        ("just words", ParseError::NoMarkup),
        ("{\"id\": 1}", ParseError::UnknownJson),
        ("[1, 2]", ParseError::UnknownJson),
    ] {
        assert_eq!(parse(text.as_bytes(), &Hint::default()), Err(error), "{text}");
    }
    assert!(matches!(parse(b"{\"a\": ", &Hint::default()), Err(ParseError::BrokenJson(_))));
}

#[test]
fn h_01_entity_bombs_stay_literal() {
    let mut bomb = String::from("<!DOCTYPE rss [<!ENTITY a0 \"ha\">");
    for level in 1..=10 {
        write!(bomb, "<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10)).unwrap();
    }
    bomb.push_str("]>");
    let bomb = within_seconds(5, || document(bomb + &rss("<item><title>&a10;</title></item>")));
    assert_eq!(bomb.entries[0].title.as_deref(), Some("&a10;"));

    let quadratic = format!(
        "<!DOCTYPE rss [<!ENTITY a \"{}\">]>{}",
        "x".repeat(100_000),
        rss(&format!("<item><title>{}</title></item>", "&a;".repeat(50_000)))
    );
    let quadratic = within_seconds(10, || document(quadratic));
    assert!(quadratic.entries[0].title.as_ref().unwrap().len() <= MAX_FIELD);
}

#[test]
fn h_02_an_entity_in_an_odd_encoding_stays_literal() {
    let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?><!DOCTYPE rss [<!ENTITY a \"b\">]>".to_owned()
        + &rss("<item><title>&a;</title></item>");
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(document(bytes).entries[0].title.as_deref(), Some("&a;"));
    assert_eq!(document(text).entries[0].title.as_deref(), Some("&a;"));
}

#[test]
fn h_03_nothing_outside_the_document_is_read() {
    for head in [
        "<!DOCTYPE rss [<!ENTITY x SYSTEM \"file:///etc/hostname\">]>",
        "<!DOCTYPE rss SYSTEM \"http://127.0.0.1:9/rss.dtd\">",
        "<!DOCTYPE rss PUBLIC \"-//X//Y\" \"file:///etc/passwd\" [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]>",
        "<?xml-stylesheet type=\"text/xsl\" href=\"file:///etc/passwd\"?>",
        "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/>",
    ] {
        let read = document(format!("{head}{}", rss("<item><title>a &x; b</title></item>")));
        assert_eq!(read.entries[0].title.as_deref(), Some("a &x; b"), "{head}");
    }
}

#[test]
fn h_04_broken_declarations_sections_and_comments_are_survived() {
    for junk in [
        "<!DOCTYPE",
        "<!DOCTYPE rss [",
        "<!DOCTYPE rss [<!ENTITY",
        "<!DOCTYPE>",
        "<!DOCTYPE rss [ ]",
        "<!>",
        "<!-",
        "<!--",
        "<!-- -- >",
        "<!--->",
        "<![CDATA[",
        "<![CDATA[<![CDATA[]]>]]>",
        "<![if gte mso 9]>",
        "<?",
        "<?xml",
        "<?xml version=\"1.0\" encoding=\"?>",
        "]]>",
        "<![CDATA[ ]] >",
        "<!ELEMENT a",
        "</",
        "<a b='",
        "< rss>",
        "<rss/>",
        "&#",
        "<\0>",
    ] {
        for text in [
            format!("{junk}{}", rss("<item><title>x</title></item>")),
            rss(&format!("{junk}<item><title>x</title></item>")),
            rss(&format!("<item><title>{junk}</title></item><item><title>x</title></item>")),
            rss(&format!("<item><title>x</title></item>{junk}")),
        ] {
            // Either is fine; a panic is not.
            let _ = parse(text.as_bytes(), &Hint::default());
        }
    }
    let nested = document(rss("<item><title><![CDATA[a <![CDATA[b]]> c]]&gt;</title></item>"));
    assert!(nested.entries[0].title.as_ref().unwrap().starts_with("a "));
}

#[test]
fn h_07_eighty_thousand_attributes_are_read_in_bounded_time() {
    let attributes: String = many(80_000, |all, n| write!(all, " a{n}=\"{n}\"").unwrap());
    let read = within_seconds(20, || document(rss(&format!("<item{attributes}><title{attributes}>x</title></item>"))));
    assert_eq!(read.entries[0].title.as_deref(), Some("x"));
    assert!(read.warnings.iter().any(|warning| warning.contains("256 attributes")), "{:?}", read.warnings);
}

#[test]
fn h_08_a_hundred_thousand_namespaces_are_not_kept() {
    let spaces: String = many(100_000, |all, n| write!(all, " xmlns:n{n}=\"urn:example:{n}\"").unwrap());
    let nested: String = many(2_000, |all, n| {
        write!(all, "<item xmlns:a{n}=\"urn:{n}\" xmlns:b{n}=\"urn:{n}\"><title>x</title>").unwrap();
    });
    let read = within_seconds(20, || document(format!("<rss version=\"2.0\"{spaces}><channel>{nested}")));
    assert!(read.entries.len() <= 2_000);
}

#[test]
fn h_09_deep_nesting_overflows_no_stack() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for text in [
        deep("<a>", "</a>"),
        rss(&deep("<a>", "</a>")),
        rss(&format!("<item><title>x</title>{}</item>", deep("<media:group>", "</media:group>"))),
        rss(&format!("<item><title>{}</title></item>", deep("<b>", "</b>"))),
        format!("<rss>{}", deep("<channel>", "</channel>")),
        format!("<feed xmlns=\"http://www.w3.org/2005/Atom\">{}", deep("<entry>", "</entry>")),
        deep("[", "]"),
        format!("{{\"items\": [{{\"id\": \"1\"}}, {}]}}", deep("[", "]")),
        format!("{{\"feed\": {}}}", deep("{\"entry\":", "}")),
    ] {
        let outcome = within_seconds(20, || read(text.into_bytes(), None, None));
        assert!(!matches!(outcome, Err(ReadError::Panicked)), "{outcome:?}");
    }
}

#[test]
fn h_11_a_field_ends_at_64_kib_and_a_list_at_64() {
    let title = "long ".repeat(1_000_000);
    let categories: String = many(200_000, |all, n| write!(all, "<category>c{n}</category>").unwrap());
    let read = within_seconds(30, || document(rss(&format!("<item><title>{title}</title>{categories}</item>"))));
    let entry = &read.entries[0];
    let length = entry.title.as_ref().unwrap().len();
    assert!((MAX_FIELD - 8..=MAX_FIELD).contains(&length), "{length}");
    assert_eq!(entry.categories.len(), MAX_LIST);
    assert!(read.warnings.iter().any(|warning| warning.contains("64 KiB")), "{:?}", read.warnings);
    assert!(!read.partial, "no entry is missing");
}

#[test]
fn h_12_of_too_many_items_the_first_twenty_thousand_are_read() {
    let items: String = many(100_000, |all, n| write!(all, "<item><guid>{n}</guid></item>").unwrap());
    let read = document(rss(&items));
    assert_eq!(read.entries.len(), MAX_ENTRIES);
    assert!(read.partial);
    assert!(read.warnings.iter().any(|warning| warning.contains("80000 left out")), "{:?}", read.warnings);

    let items = vec!["{\"id\": \"1\"}"; 30_000].join(",");
    let read = document(format!("{{\"version\": \"https://jsonfeed.org/version/1.1\", \"items\": [{items}]}}"));
    assert_eq!(read.entries.len(), MAX_ENTRIES);
    assert!(read.partial);
}

#[test]
fn h_13_a_hostile_date_leaves_the_entry_undated() {
    let read = document(rss(&format!(
        "<item><title>x</title><pubDate>Tue, 10 Nov 2026 {}</pubDate></item>",
        "(".repeat(200_000)
    )));
    assert_eq!(read.entries[0].published, None);
}

#[test]
fn h_14_dates_far_off_are_read_and_impossible_ones_are_not() {
    let date = |text: &str| document(rss(&format!("<item><pubDate>{text}</pubDate></item>"))).entries[0].published;
    for text in ["0001-01-01T00:00:00Z", "Wed, 31 Dec 1969 23:59:59 GMT", "9999-12-30", "2026-06-30T23:59:60Z"] {
        assert!(date(text).is_some(), "{text}");
    }
    for text in [
        "2026-13-01",
        "2026-02-30",
        "Tue, 31 Feb 2026 10:00:00 GMT",
        "2026-11-10T10:00:61Z",
        "2026-11-10T25:00:00Z",
        "11/10/2026",
        "soon",
        "-1",
    ] {
        assert_eq!(date(text), None, "{text}");
    }
}

#[test]
fn h_15_no_encoding_trick_makes_markup_or_controls_of_clean_text() {
    let body = rss("<item><title>+ADw-script+AD4- \u{1b}$B \u{202e}x</title></item>");
    let with = |head: &[u8]| [head, body.as_bytes()].concat();
    for (bytes, charset) in [
        (with(b""), Some("utf-7")),
        (with(b"<?xml version=\"1.0\" encoding=\"utf-16\"?>"), None),
        (with(b"<?xml version=\"1.0\" encoding=\"iso-2022-jp\"?>"), None),
        (with(b"\xef\xbb\xbf\xef\xbb\xbf"), Some("utf-16le")),
        (with(b"\xfe\xff"), None),
        (with(b"\xff\xfe"), None),
        (with(b"\0\0\xfe\xff"), None),
        ([body.as_bytes(), b"\xc0\xbcscript\xc0\xbe"].concat(), None),
        (
            rss("<item><title>x</title></item>").replace("<title>x", "<title>\u{fffd}").into_bytes(),
            Some("x-user-defined"),
        ),
    ] {
        if let Ok(read) = parse(&bytes, &Hint { charset, base: None }) {
            for text in texts(&read) {
                assert!(!text.contains("<script"), "{text}");
                assert!(!text.chars().any(|one| one.is_control() || one == '\u{202e}'), "{text:?}");
            }
        }
    }
}

#[test]
fn h_16_a_document_cut_anywhere_gives_what_was_complete_and_says_so() {
    for name in [
        "rss-2.0.xml",
        "atom-1.0.xml",
        "rss-1.0.xml",
        "json-feed.json",
        "kev.json",
        "csaf-rolie.json",
        "eu-kev.json",
        "osv.json",
        "github-advisories.json",
    ] {
        let bytes = fs::read(folder().join(name)).unwrap();
        let whole = document(&bytes);
        let end = bytes.iter().rposition(|byte| !byte.is_ascii_whitespace()).unwrap();
        let step = (end / 350).max(1);
        for cut in (0..end).step_by(step) {
            let Ok(part) = parse(&bytes[..cut], &Hint::default()) else { continue };
            assert!(part.entries.len() <= whole.entries.len(), "{name} cut at {cut}");
            for (entry, known) in part.entries.iter().zip(&whole.entries) {
                assert_eq!(
                    (&entry.guid, &entry.link, &entry.title),
                    (&known.guid, &known.link, &known.title),
                    "{name} cut at {cut}"
                );
            }
            assert!(part.partial || part.entries.len() == whole.entries.len(), "{name} cut at {cut} is not partial");
        }
    }
}

#[test]
fn h_34_a_link_that_is_no_web_address_is_none_anywhere() {
    for scheme in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java&#9;script:alert(1)",
        "&#1;javascript:x",
        "data:text/html,x",
        "vbscript:x",
        "blob:x",
        "intent://x",
        "file:///x",
        "java\nscript:alert(1)",
    ] {
        let items = format!(
            "<item><link>{scheme}</link><guid>{scheme}</guid><title>x</title></item><item><link href=\"{scheme}\"/></item>"
        );
        for base in [None, Some(url::Url::parse("https://example.com/feed").unwrap())] {
            let read = parse(rss(&items).as_bytes(), &Hint { charset: None, base: base.as_ref() }).unwrap();
            for entry in &read.entries {
                assert_eq!(entry.link, None, "{scheme}");
            }
        }
        let json = serde_json::json!({"version": "https://jsonfeed.org/version/1", "items": [{"id": "1", "url": scheme.replace("&#9;", "\t").replace("&#1;", "\u{1}")}]});
        assert_eq!(document(json.to_string()).entries[0].link, None, "{scheme}");
    }
}

#[test]
fn h_35_scripts_in_any_field_are_only_text() {
    for attack in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<iframe src=//evil.example></iframe>",
        "<style>@import url(//evil.example)</style>",
        "<<script>alert(1)//<</script>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<body onload=alert(1)>",
        "<math><mi//xlink:href=\"data:x,<script>alert(4)</script>\">",
    ] {
        let escaped = attack.replace('&', "&amp;").replace('<', "&lt;");
        let fields = format!(
            "<title>{escaped}</title><description>{escaped}</description><author>{escaped}</author><category>{escaped}</category>"
        );
        let read = document(format!(
            "<rss version=\"2.0\"><channel><title>{escaped}</title><item>{fields}</item></channel></rss>"
        ));
        for text in texts(&read) {
            assert!(!text.contains("onerror=") || !text.contains("<img"), "{text}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

#[test]
fn h_36_styles_pixels_and_remote_pictures_leave_no_trace() {
    let html = "<p style=\"background:url(https://track.example/b)\">Words</p><img src=\"https://track.example/p.gif\" srcset=\"https://track.example/2x 2x\" width=1>\
                <table background=\"https://track.example/t\"><tr><td>cell</td></tr></table><style>p{background:url(https://track.example/s)}</style>";
    let read = document(rss(&format!("<item><description><![CDATA[{html}]]></description></item>")));
    assert_eq!(read.entries[0].summary.as_deref(), Some("Words cell"));
}

#[test]
fn mutants_of_the_fixtures_never_panic_and_never_hang() {
    let fixtures = fixtures();
    let pieces: [&[u8]; 18] = [
        b"<",
        b">",
        b"&",
        b"]]>",
        b"<![CDATA[",
        b"<!--",
        b"\"",
        b"</item>",
        b"<item>",
        b"<entry>",
        b"</",
        b"/>",
        b"\0",
        b"\xff",
        b"{",
        b"]",
        b"&#x",
        b"<feed>",
    ];
    let mut seed = 0x5eed_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below.max(1)
    };
    within_seconds(120, || {
        for _ in 0..4_000 {
            let (name, bytes) = &fixtures[next(fixtures.len())];
            let mut bytes = bytes.clone();
            for _ in 0..=next(6) {
                let at = next(bytes.len());
                match next(5) {
                    0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                    1 => drop(bytes.drain(at..(at + next(40)).min(bytes.len()))),
                    2 => drop(bytes.splice(at..at, pieces[next(pieces.len())].iter().copied())),
                    3 => bytes.truncate(at.max(1)),
                    _ => {
                        let end = (at + next(200)).min(bytes.len());
                        let copy = bytes[at..end].to_vec();
                        let to = next(bytes.len());
                        drop(bytes.splice(to..to, copy));
                    }
                }
                if bytes.is_empty() {
                    bytes.push(b'<');
                }
            }
            let outcome = std::panic::catch_unwind(|| parse(&bytes, &Hint::default()));
            let Ok(outcome) = outcome else {
                panic!("a mutant of {name} panics:\n{}", String::from_utf8_lossy(&bytes))
            };
            assert!(!matches!(outcome, Err(ParseError::Refused(_))), "a mutant of {name} is refused: {outcome:?}");
            for text in outcome.iter().flat_map(texts) {
                assert!(text.len() <= MAX_FIELD && !text.chars().any(char::is_control), "{text:?}");
            }
        }
    });
}

#[test]
fn a_foreign_feed_inside_an_entry_stays_inside() {
    let inner = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>inner</title><entry><title>inner entry</title></entry></feed>";
    let read = document(format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:x=\"urn:example:x\"><title>outer</title>\
         <entry><title>one</title><x:comments>{inner}</x:comments><content type=\"application/xml\">{inner}</content><id>urn:example:1</id></entry>\
         <entry><title>two</title></entry></feed>"
    ));
    let titles: Vec<_> = read.entries.iter().filter_map(|entry| entry.title.as_deref()).collect();
    assert_eq!((read.title.as_deref(), titles.as_slice()), (Some("outer"), ["one", "two"].as_slice()));
    assert_eq!(read.entries[0].guid.as_deref(), Some("urn:example:1"));
}

#[test]
fn missing_closing_tags_cost_no_entry() {
    let read = document(
        "<rss><channel><item><title>one<link>https://example.com/1<pubDate>2026-11-10<item><foo><title>two</title></item><item><title>three</title></channel></rss>",
    );
    assert_eq!(read.entries.len(), 3);
    assert_eq!(read.entries[0].link.as_deref(), Some("https://example.com/1"));
    assert!(read.entries[0].published.is_some());
    assert_eq!(read.entries[2].title.as_deref(), Some("three"));
    assert!(!read.partial);
}

#[test]
fn json_with_raw_line_breaks_or_a_broken_tail_keeps_its_first_items() {
    let read = document(
        "{\"version\": \"https://jsonfeed.org/version/1\", \"title\": \"T\", \"items\": [{\"id\": \"1\"}, {\"id\": \"2\", \"title\": ",
    );
    assert_eq!((read.format, read.entries.len(), read.partial), (Format::Json, 1, true));

    let read = document(
        "\u{feff} {\"items\": [{\"id\": \"1\", \"content_text\": \"a\nb\"}, {\"id\": \"2\", \"title\": \"half \\ud83d\"},], \"version\": \"https://jsonfeed.org/version/1\"}",
    );
    assert_eq!((read.entries.len(), read.partial), (2, false));
    assert_eq!(read.entries[0].summary.as_deref(), Some("a b"));
    assert!(read.warnings[0].contains("which JSON forbids"), "{:?}", read.warnings);
}

#[test]
fn the_report_for_people_names_the_file_and_what_was_repaired() {
    let result = read(fs::read(folder().join("cut.xml")).unwrap(), None, None);
    let report = cli::parse::report("cut.xml", &result);
    assert!(report.starts_with("cut.xml: Example Security Advisories (rss, 2 entries, read in part)\n"), "{report}");
    assert!(report.contains("  repaired: the document breaks off"), "{report}");
    let refused = read(b"<html>".to_vec(), None, None);
    assert_eq!(cli::parse::report("a.html", &refused), "a.html: not read: this is a web page, not a feed\n");
}

/// What changed from one document of one entry to the next, by name.
fn changed(before: &str, now: &str) -> Vec<&'static str> {
    let version = |text: &str| {
        let entry = document(text).entries.remove(0);
        Version { marks: marks(&entry), entry, tags: Vec::new() }
    };
    let change = change::between(&version(before), &version(now));
    assert_eq!(change.is_material(), change.names() != ["text"], "{change:?}");
    change.names().into_iter().filter(|name| *name != "text").collect()
}

#[test]
fn what_lists_state_in_fields_of_their_own_is_a_material_change() {
    let github =
        |more: &str| format!(r#"[{{"ghsa_id": "GHSA-xxxx-2222-3333", "summary": "Flaw in libmarrow"{more}}}]"#);
    let patched = r#", "vulnerabilities": [{"package": {"ecosystem": "npm", "name": "marrow"}, "first_patched_version": "2.0.1"}]"#;
    let unpatched = patched.replace(r#""2.0.1""#, "null");
    assert_eq!(changed(&github(&unpatched), &github(patched)), ["fix"]);
    assert_eq!(
        changed(&github(r#", "withdrawn_at": null"#), &github(r#", "withdrawn_at": "2026-11-09T08:00:00Z""#)),
        ["categories", "withdrawn"]
    );
    let osv = |kind: &str, events: &str| {
        format!(
            r#"{{"vulns": [{{"id": "PYSEC-2026-1", "modified": "2026-11-12T08:00:00Z", "details": "Flaw in libmarrow.",
                "affected": [{{"ranges": [{{"type": "{kind}", "events": [{{"introduced": "0"}}{events}]}}]}}]}}]}}"#
        )
    };
    for (kind, version) in [("ECOSYSTEM", "2.3.1"), ("SEMVER", "r7"), ("GIT", "8d8f1a")] {
        let fixed = osv(kind, &format!(r#", {{"fixed": "{version}"}}"#));
        assert_eq!(changed(&osv(kind, ""), &fixed), ["fix"], "{kind}");
        let body = document(&fixed).entries[0].body.clone().unwrap();
        assert!(body.contains(&format!("A fix is available: {version}")), "{body}");
    }
    let european = |how: &str| {
        format!(
            r#"[{{"euvdID": "EUVD-2026-90001", "product": "X", "dateReported": "2026-11-10", "exploitationType": {how}}}]"#
        )
    };
    assert_eq!(changed(&european("null"), &european("\"Ransomware\"")), ["ransomware"]);
}

#[test]
fn a_list_of_vulnerabilities_is_one_of_exploited_ones_only_by_its_own_keys() {
    let one = r#""cveID": "CVE-2099-10001", "product": "Quillgate""#;
    for (text, format, exploited) in [
        (format!(r#"{{"vulnerabilities": [{{{one}}}]}}"#), Format::Advisories, false),
        (format!("[{{{one}}}]"), Format::Advisories, false),
        (format!(r#"{{"vulnerabilities": [{{{one}, "dateAdded": "2026-11-10"}}]}}"#), Format::Kev, true),
        (format!(r#"{{"vulnerabilities": [{{{one}}}], "catalogVersion": "2026.11.10"}}"#), Format::Kev, true),
        (format!(r#"{{"vulnerabilities": [{{{one}, "exploitationType": "targeted attack"}}]}}"#), Format::Kev, true),
        (format!(r#"[{{{one}, "dateReported": "2026-11-10"}}]"#), Format::Kev, true),
    ] {
        let read = document(&text);
        assert_eq!((read.format, read.entries.len(), read.entries[0].exploited), (format, 1, exploited), "{text}");
        assert_eq!(read.entries[0].guid.as_deref(), Some("CVE-2099-10001"), "{text}");
    }
}

#[test]
fn a_search_of_the_european_database_is_a_list_of_advisories() {
    let read = document(
        r#"{"items": [{"id": "EUVD-2026-90001", "description": "Laragon lets anybody in.", "baseScore": 9.8,
            "aliases": "CVE-2099-10001\n", "exploitedSince": "Nov 9, 2026, 8:00:00 AM",
            "enisaIdProduct": [{"id": "1", "product": {"name": "LaragonDocs"}, "product_version": "1.0 <2.1"}],
            "enisaIdVendor": [{"id": "2", "vendor": {"name": "Laragon"}}]},
            {"id": "EUVD-2026-90002", "description": "Another flaw."}], "total": 2}"#,
    );
    assert_eq!((read.format, read.entries.len()), (Format::Advisories, 2));
    let first = &read.entries[0];
    assert_eq!(first.title.as_deref(), Some("CVE-2099-10001: Laragon lets anybody in."));
    assert_eq!(first.categories, ["Laragon", "LaragonDocs"]);
    assert!(first.body.as_ref().unwrap().contains("Affected: LaragonDocs 1.0 <2.1"), "{:?}", first.body);
    assert_eq!((first.exploited, read.entries[1].exploited), (true, false));
    let github = r#"{"items": [{"ghsa_id": "GHSA-xxxx-2222-3333", "summary": "Flaw"}], "total": 1}"#;
    assert_eq!(document(github).entries[0].title.as_deref(), Some("GHSA-xxxx-2222-3333: Flaw"));
    assert_eq!(document(r#"{"items": [], "total": 0}"#).entries.len(), 0);
}

#[test]
fn a_list_whose_items_say_nothing_is_no_feed() {
    for text in [r#"{"items": [{"name": "x"}, {"id": 7}], "total": 2}"#, r#"{"items": [{}]}"#] {
        assert_eq!(parse(text.as_bytes(), &Hint::default()), Err(ParseError::UnknownJson), "{text}");
    }
}
