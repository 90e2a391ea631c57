//! Damages a document: bits, bytes, blocks, tags, ends, encodings. Pure; what comes out is decided by the seed alone.

use crate::seed::Seed;

/// The most bytes that one damage adds.
const MOST_GROWTH: usize = 64 * 1024;

/// Pieces that have hurt readers of feeds before.
const PIECES: &[&[u8]] = &[
    b"<",
    b">",
    b"&",
    b"\"",
    b"'",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b"<?",
    b"?>",
    b"<!DOCTYPE a [",
    b"<!ENTITY a \"b\">",
    b"&#0;",
    b"&#xFFFFFFFF;",
    b"&#xD800;",
    b"&a;",
    b"&amp",
    b"&lt;script&gt;",
    b"\0",
    b"\x1b",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc0\xbc",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\r",
    b"\n\n",
    b"xmlns=\"\"",
    b"xmlns:a=\"http://www.w3.org/2005/Atom\"",
    b" xml:base=\"http://[::1\"",
    b" xml:base=\"..//\"",
    b" type=\"xhtml\"",
    b" type=\"application/octet-stream\"",
    b" mode=\"base64\"",
    b" href=\"javascript:x\"",
    b" isPermaLink=\"false\"",
    b"<item>",
    b"</item>",
    b"<entry>",
    b"</entry>",
    b"<channel>",
    b"</channel>",
    b"<title>",
    b"</title>",
    b"<rss>",
    b"</rss>",
    b"<feed xmlns=\"http://purl.org/atom/ns#\">",
    b"<media:group>",
    b"</media:group>",
    b"<content:encoded>",
    b"<ttl>99999999999999999999</ttl>",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[",
    b":",
    b",",
    b"\\u",
    b"\\ud83d",
    b"null",
    b"\"items\":",
    b"\"vulnerabilities\":[{}]",
    b"\"feed\":{\"entry\":[",
    b"1e999",
    b"-",
    b"0001-01-01T00:00:00Z",
    b"99999-99-99",
    b"Thu, 31 Feb 2026 25:61:61 +9999",
    b"\xe2\x80\xae",
    b"\xf3\xa0\x80\x81",
    b"\xcc\x81",
    b"\xef\xb7\xba",
    b"\xe1\x84\x80",
    b"http://[",
    b"//",
    b"https://xn--/",
    b"\t",
    b"%00",
    b"\xe2\x84\xa6",
];

/// Labels of encodings, true and false ones.
const LABELS: &[&str] = &[
    "utf-8",
    "utf-16",
    "utf-16le",
    "utf-32",
    "iso-8859-1",
    "windows-1252",
    "windows-1251",
    "shift_jis",
    "iso-2022-jp",
    "euc-jp",
    "gb18030",
    "big5",
    "euc-kr",
    "hz-gb-2312",
    "utf-7",
    "x-user-defined",
    "replacement",
    "koi8-r",
    "ibm866",
    "ucs-4",
    "none",
];

/// A label of an encoding, as a server may send it along.
pub fn label(seed: &mut Seed) -> Option<&'static str> {
    seed.pick(LABELS).copied()
}

/// A damaged copy of a document; `other` is one that it may be spliced with.
pub fn damaged(document: &[u8], other: &[u8], seed: &mut Seed) -> Vec<u8> {
    let mut bytes = document.to_vec();
    for _ in 0..=seed.below(4) {
        match seed.below(12) {
            0 => flip(&mut bytes, seed),
            1 => swap(&mut bytes, seed),
            2 => delete(&mut bytes, seed),
            3 | 4 => insert(&mut bytes, seed),
            5 => splice(&mut bytes, other, seed),
            6 => repeat(&mut bytes, seed),
            7 | 8 => tag(&mut bytes, seed),
            9 => bytes.truncate(seed.below(bytes.len() + 1)),
            10 => encode(&mut bytes, seed),
            _ => replace(&mut bytes, seed),
        }
    }
    bytes
}

/// A place within, and the end of a stretch that begins there.
fn stretch(length: usize, most: usize, seed: &mut Seed) -> (usize, usize) {
    let from = seed.below(length);
    // Short ones more often than long ones.
    let most = if seed.one_in(3) { most } else { most.min(64) };
    (from, (from + 1 + seed.below(most)).min(length))
}

/// Puts `new` in the place of a stretch.
fn put(bytes: &mut Vec<u8>, (from, to): (usize, usize), new: &[u8]) {
    let (from, to) = (from.min(bytes.len()), to.min(bytes.len()));
    bytes.splice(from..to.max(from), new.iter().copied());
}

fn flip(bytes: &mut [u8], seed: &mut Seed) {
    for _ in 0..=seed.below(16) {
        let at = seed.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << seed.below(8);
        }
    }
}

fn swap(bytes: &mut [u8], seed: &mut Seed) {
    for _ in 0..=seed.below(8) {
        let (a, b) = (seed.below(bytes.len()), seed.below(bytes.len()));
        if a.max(b) < bytes.len() {
            bytes.swap(a, b);
        }
    }
}

fn delete(bytes: &mut Vec<u8>, seed: &mut Seed) {
    let place = stretch(bytes.len(), bytes.len(), seed);
    put(bytes, place, &[]);
}

fn insert(bytes: &mut Vec<u8>, seed: &mut Seed) {
    let at = seed.below(bytes.len() + 1);
    let noise: Vec<u8>;
    let piece = if seed.one_in(4) {
        noise = (0..=seed.below(32)).map(|_| u8::try_from(seed.below(256)).unwrap_or_default()).collect();
        noise.as_slice()
    } else {
        seed.pick(PIECES).copied().unwrap_or_default()
    };
    put(bytes, (at, at), piece);
}

fn splice(bytes: &mut Vec<u8>, other: &[u8], seed: &mut Seed) {
    bytes.truncate(seed.below(bytes.len() + 1));
    let rest = other.get(seed.below(other.len())..).unwrap_or_default();
    bytes.extend_from_slice(rest.get(..rest.len().min(MOST_GROWTH)).unwrap_or_default());
}

fn repeat(bytes: &mut Vec<u8>, seed: &mut Seed) {
    let (from, to) = stretch(bytes.len(), 4_096, seed);
    let block = bytes.get(from..to).unwrap_or_default().to_vec();
    let times = 1 + seed.below((MOST_GROWTH / block.len().max(1)).min(2_000));
    put(bytes, (to, to), &block.repeat(times));
}

/// The bounds of a tag, or of a string of JSON, near a place.
fn tag_near(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let is_json = !bytes.contains(&b'<');
    let (open, close) = if is_json { (b'"', b'"') } else { (b'<', b'>') };
    let from = at + bytes.get(at..)?.iter().position(|byte| *byte == open)?;
    let length = bytes.get(from + 1..)?.iter().position(|byte| *byte == close)?;
    Some((from, from + length + 2))
}

fn tag(bytes: &mut Vec<u8>, seed: &mut Seed) {
    let Some((from, to)) = tag_near(bytes, seed.below(bytes.len())) else { return };
    let whole = bytes.get(from..to).unwrap_or_default().to_vec();
    match seed.below(7) {
        0 => put(bytes, (from, to), &[]),
        1 => put(bytes, (to, to), &whole),
        2 => put(bytes, (from, to), &whole.repeat(1 + seed.below((MOST_GROWTH / whole.len().max(1)).min(1_500)))),
        3 => {
            // The name of another tag, or the other end of its own.
            let other =
                tag_near(bytes, seed.below(bytes.len())).and_then(|(from, to)| bytes.get(from..to)).map(<[u8]>::to_vec);
            put(bytes, (from, to), &other.unwrap_or_default());
        }
        4 => put(bytes, (from + 1, from + 1), b"/"),
        5 => put(bytes, (to.saturating_sub(1), to.saturating_sub(1)), b"/"),
        _ => {
            let piece = seed.pick(PIECES).copied().unwrap_or_default();
            let attributes = piece.repeat(1 + seed.below(300));
            put(bytes, (to.saturating_sub(1), to.saturating_sub(1)), &attributes);
        }
    }
}

fn replace(bytes: &mut Vec<u8>, seed: &mut Seed) {
    let place = stretch(bytes.len(), 64, seed);
    let piece = seed.pick(PIECES).copied().unwrap_or_default();
    put(bytes, place, piece);
}

/// Another encoding: claimed only, or real and unclaimed.
fn encode(bytes: &mut Vec<u8>, seed: &mut Seed) {
    let label = label(seed).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = match seed.below(6) {
        0 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        1 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        2 => text.chars().flat_map(|one| u32::from(one).to_be_bytes()).collect(),
        3 => [b"\xff\xfe", bytes.as_slice()].concat(),
        4 => {
            match text.split_once("encoding=\"").and_then(|(before, after)| Some((before, after.split_once('"')?.1))) {
                Some((before, after)) => format!("{before}encoding=\"{label}\"{after}").into_bytes(),
                None => format!("<?xml version=\"1.0\" encoding=\"{label}\"?>{text}").into_bytes(),
            }
        }
        _ => text.chars().map(|one| u8::try_from(u32::from(one)).unwrap_or(b'?')).collect(),
    };
}
