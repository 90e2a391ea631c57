//! Content codings undone while a body arrives (RFC 9110 section 8.4.1), every layer under a cap, so that a
//! bomb is stopped at the cap and not after it.

use std::io::{self, Write};

use brotli::DecompressorWriter;
use flate2::{Decompress, FlushDecompress, Status, write::MultiGzDecoder};

/// What we ask for; what else comes back is refused.
pub(super) const ACCEPTED: &str = "gzip, deflate, br";
/// More codings on top of each other than this are refused.
const MOST_LAYERS: usize = 2;
/// The working buffer of a decoder, in bytes.
const BUFFER: usize = 16 * 1024;
/// A buffer grows by at most this much beyond what it needs, in bytes.
const LARGEST_RESERVE: usize = 1024 * 1024;

/// Why decoding stopped early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A layer reached its cap.
    Full,
    /// What came is not what the response said it is, or its end is missing.
    Damaged,
}

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

/// The codings that `Content-Encoding` lists, in the order in which they are undone, or the name of one that we
/// did not ask for.
pub(super) fn codings<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Coding>, String> {
    let mut listed = Vec::new();
    for name in fields.into_iter().flat_map(|field| field.split(|byte| *byte == b',')) {
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => {}
            "gzip" | "x-gzip" => listed.push(Coding::Gzip),
            "deflate" => listed.push(Coding::Deflate),
            "br" => listed.push(Coding::Brotli),
            _ => return Err("the answer is packed in a way that was not asked for".to_owned()),
        }
    }
    if listed.len() > MOST_LAYERS {
        return Err(format!("the answer is packed more than {MOST_LAYERS} times"));
    }
    listed.reverse();
    Ok(listed)
}

/// Undoes the codings of one body.
pub(super) struct Decoder {
    layers: Vec<Layer>,
    out: Capped,
}

impl Decoder {
    /// A decoder that gives at most `cap` bytes, and lets no layer give more.
    pub(super) fn new(codings: &[Coding], cap: u64) -> Self {
        Self { layers: codings.iter().map(|coding| Layer::new(*coding, cap)).collect(), out: Capped::new(cap) }
    }

    /// How many decoded bytes are there.
    pub(super) fn decoded(&self) -> usize {
        self.out.bytes.len()
    }

    /// Takes the next bytes from the wire.
    pub(super) fn push(&mut self, wire: &[u8]) -> Result<(), Stop> {
        let Some((first, rest)) = self.layers.split_first_mut() else {
            return self.out.write_all(wire).map_err(|_| Stop::Full);
        };
        let pushed = first.push(wire);
        let passed = pass_on(first, rest, &mut self.out);
        pushed.and(passed)
    }

    /// The body is over: what is still inside the layers comes out.
    pub(super) fn finish(mut self) -> (Vec<u8>, Result<(), Stop>) {
        let mut result = Ok(());
        let mut layers = self.layers.as_mut_slice();
        while let Some((first, rest)) = layers.split_first_mut() {
            let finished = first.finish();
            let passed = pass_on(first, rest, &mut self.out);
            result = result.and(finished).and(passed);
            layers = rest;
        }
        self.out.bytes.shrink_to_fit();
        (self.out.bytes, result)
    }
}

/// Moves what a layer has given to the next one, and so on to the end.
fn pass_on(from: &mut Layer, rest: &mut [Layer], out: &mut Capped) -> Result<(), Stop> {
    let given = std::mem::take(&mut from.out().bytes);
    if given.is_empty() {
        return Ok(());
    }
    match rest.split_first_mut() {
        None if out.bytes.is_empty() => {
            // The common case, one layer and a small document, moves no byte.
            out.room = out.room.saturating_sub(u64::try_from(given.len()).unwrap_or(u64::MAX));
            out.bytes = given;
            Ok(())
        }
        None => out.write_all(&given).map_err(|_| Stop::Full),
        Some((next, rest)) => {
            let pushed = next.push(&given);
            let passed = pass_on(next, rest, out);
            pushed.and(passed)
        }
    }
}

/// One coding being undone.
enum Layer {
    Gzip(Box<MultiGzDecoder<Capped>>),
    Deflate(Box<Inflate>),
    Brotli(Box<DecompressorWriter<Capped>>),
}

impl Layer {
    fn new(coding: Coding, cap: u64) -> Self {
        let out = Capped::new(cap);
        match coding {
            Coding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(out))),
            Coding::Deflate => Self::Deflate(Box::new(Inflate { state: None, ended: false, out })),
            Coding::Brotli => Self::Brotli(Box::new(DecompressorWriter::new(out, BUFFER))),
        }
    }

    fn out(&mut self) -> &mut Capped {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(inflate) => &mut inflate.out,
            Self::Brotli(decoder) => decoder.get_mut(),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let pushed = match self {
            Self::Gzip(decoder) => write_until_end(decoder.as_mut(), bytes),
            Self::Deflate(inflate) => inflate.push(bytes),
            Self::Brotli(decoder) => write_until_end(decoder.as_mut(), bytes),
        };
        self.judged(pushed)
    }

    fn finish(&mut self) -> Result<(), Stop> {
        let finished = match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Deflate(inflate) if inflate.ended => Ok(()),
            Self::Deflate(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Brotli(decoder) => decoder.close(),
        };
        self.judged(finished)
    }

    fn judged(&mut self, result: io::Result<()>) -> Result<(), Stop> {
        let full = self.out().full;
        result.map_err(|_| if full { Stop::Full } else { Stop::Damaged })
    }
}

/// Writes what a decoder takes; a decoder that is at its end takes nothing, and what follows is left alone.
fn write_until_end(decoder: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match decoder.write(bytes)? {
            0 => return Ok(()),
            taken => bytes = bytes.get(taken..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// The coding `deflate`: zlib (RFC 1950) as the specification says, or bare DEFLATE (RFC 1951) as some servers
/// send it.
struct Inflate {
    state: Option<Decompress>,
    ended: bool,
    out: Capped,
}

impl Inflate {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(first) = bytes.first() else { return Ok(()) };
        let state = self.state.get_or_insert_with(|| Decompress::new(is_zlib(*first, bytes.get(1).copied())));
        let mut rest = bytes;
        let mut buffer = [0; BUFFER];
        while !self.ended {
            let (taken, given) = (state.total_in(), state.total_out());
            let status = state.decompress(rest, &mut buffer, FlushDecompress::None)?;
            let taken = usize::try_from(state.total_in() - taken).unwrap_or(usize::MAX);
            let given = usize::try_from(state.total_out() - given).unwrap_or(usize::MAX);
            self.out.write_all(buffer.get(..given).unwrap_or_default())?;
            rest = rest.get(taken..).unwrap_or_default();
            self.ended = status == Status::StreamEnd;
            if taken == 0 && given == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// RFC 1950 section 2.2: method 8 in the low half of the first byte; both bytes together a multiple of 31.
fn is_zlib(first: u8, second: Option<u8>) -> bool {
    first & 0x0f == 8 && second.is_none_or(|second| u16::from_be_bytes([first, second]).is_multiple_of(31))
}

/// Bytes up to a cap.
struct Capped {
    bytes: Vec<u8>,
    room: u64,
    full: bool,
}

impl Capped {
    fn new(cap: u64) -> Self {
        Self { bytes: Vec::new(), room: cap, full: false }
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        let taken = bytes.get(..room).unwrap_or(bytes);
        if self.bytes.capacity() - self.bytes.len() < taken.len() {
            // Doubling would hold up to twice the cap.
            self.bytes.reserve_exact(taken.len().max(self.bytes.len().min(LARGEST_RESERVE)).min(room));
        }
        self.bytes.extend_from_slice(taken);
        self.room -= u64::try_from(taken.len()).unwrap_or(self.room);
        if taken.len() < bytes.len() {
            self.full = true;
            return Err(io::Error::other("the cap is reached"));
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const CAP: u64 = 64 * 1024;

    fn encode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => {
                let mut packed = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut packed, BUFFER, 3, 18);
                encoder.write_all(bytes).unwrap();
                drop(encoder);
                packed
            }
        }
    }

    fn bare(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(codings: &[Coding], wire: &[u8], piece: usize) -> (Vec<u8>, Result<(), Stop>) {
        let mut decoder = Decoder::new(codings, CAP);
        let mut result = Ok(());
        for part in wire.chunks(piece) {
            result = decoder.push(part);
            if result.is_err() {
                break;
            }
        }
        let (bytes, finished) = decoder.finish();
        (bytes, result.and(finished))
    }

    fn text() -> Vec<u8> {
        (0..4_000_u32)
            .flat_map(|n| format!("line {}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .take(20_000)
            .collect()
    }

    #[test]
    fn every_coding_and_every_pair_of_them_is_undone_in_pieces_of_any_size() {
        let all = [Coding::Gzip, Coding::Deflate, Coding::Brotli];
        for piece in [1, 1_000, 1_000_000] {
            assert_eq!(decode(&[], &text(), piece), (text(), Ok(())));
            assert_eq!(decode(&[Coding::Deflate], &bare(&text()), piece), (text(), Ok(())));
            for outer in all {
                assert_eq!(decode(&[outer], &encode(outer, &text()), piece), (text(), Ok(())), "{outer:?}");
                for inner in all {
                    let wire = encode(outer, &encode(inner, &text()));
                    assert_eq!(decode(&[outer, inner], &wire, piece), (text(), Ok(())), "{outer:?} {inner:?}");
                }
            }
        }
    }

    #[test]
    fn h_05_a_bomb_is_stopped_at_the_decoded_cap() {
        let zeros = vec![0; 8 * 1024 * 1024];
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            let once = encode(coding, &zeros);
            let (bytes, result) = decode(&[coding], &once, 512);
            assert_eq!(result, Err(Stop::Full), "{coding:?}");
            assert!(bytes.len() as u64 <= CAP && bytes.len() > 60_000, "{coding:?}: {}", bytes.len());
            let (bytes, result) = decode(&[coding, coding], &encode(coding, &once), 512);
            assert_eq!(result, Err(Stop::Full), "{coding:?} twice");
            assert!(bytes.len() as u64 <= CAP, "{coding:?} twice: {}", bytes.len());
        }
    }

    #[test]
    fn h_05_an_inner_layer_is_stopped_at_the_cap_as_well() {
        let noise = encode(Coding::Gzip, &vec![0; 8 * 1024 * 1024]);
        let (_, result) = decode(&[Coding::Gzip, Coding::Brotli], &noise, 512);
        assert!(result.is_err());
    }

    #[test]
    fn a_document_of_exactly_the_cap_is_whole() {
        let exact = vec![b'x'; usize::try_from(CAP).unwrap()];
        assert_eq!(decode(&[], &exact, 1_000), (exact.clone(), Ok(())));
        assert_eq!(decode(&[Coding::Gzip], &encode(Coding::Gzip, &exact), 1_000), (exact, Ok(())));
    }

    #[test]
    fn what_was_read_before_the_damage_is_kept() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            let wire = encode(coding, &text());
            let (bytes, result) = decode(&[coding], &wire[..wire.len() / 2], 100);
            assert_eq!(result, Err(Stop::Damaged), "{coding:?}");
            assert!(!bytes.is_empty() && text().starts_with(&bytes), "{coding:?}");
            let (bytes, result) = decode(&[coding], &wire[..wire.len() - 1], 100);
            assert_eq!(result, Err(Stop::Damaged), "{coding:?}");
            assert!(bytes.len() > 15_000, "{coding:?}: {}", bytes.len());
            assert_eq!(decode(&[coding], b"<rss>this is not packed at all</rss>", 100).1, Err(Stop::Damaged));
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic() {
        let mut seed = 1_u64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            let whole = encode(coding, b"<rss><channel><title>Example</title></channel></rss>");
            for _ in 0..3_000 {
                let mut wire = whole.clone();
                for _ in 0..=random() % 4 {
                    let at = usize::try_from(random()).unwrap() % wire.len();
                    wire[at] ^= 1 << (random() % 8);
                }
                let (bytes, _) = decode(&[coding], &wire, 9);
                assert!(bytes.len() as u64 <= CAP);
            }
        }
    }

    #[test]
    fn what_was_not_asked_for_is_refused() {
        let read = |fields: &[&str]| codings(fields.iter().map(|field| field.as_bytes()));
        assert_eq!(read(&[]), Ok(vec![]));
        assert_eq!(read(&["identity", ""]), Ok(vec![]));
        assert_eq!(read(&["gzip, br"]), Ok(vec![Coding::Brotli, Coding::Gzip]));
        assert_eq!(read(&["X-GZIP"]), Ok(vec![Coding::Gzip]));
        for refused in ["zstd", "compress", "gzip, gzip, gzip", "\u{fffd}"] {
            assert!(read(&[refused]).is_err(), "{refused}");
        }
    }
}
