//! M-09 at length: a million bodies through the encoder of the mail door. What may leave at all reads back as it was,
//! by a strict server and by servers that end a message at a bare LF as well; none of them finds an end inside it.

use sigtrail::{
    clock::Stopwatch,
    mail::{flaw, stuffed},
};

use crate::{Options, Outcome, seed::Seed};

/// What a server could take for an end, a command or a line end.
const PIECES: [&[u8]; 22] = [
    b".",
    b"..",
    b"\r\n",
    b"\r\n.",
    b"\r\n.\r\n",
    b"\r\n..\r\n",
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"QUIT\r\n",
    b"MAIL FROM:<x@example.com>\r\n",
    b"=\r\n",
    b"\xc3\xa9",
    b"\xff",
    b" ",
    b"\t",
    b"a",
    b"Subject: x\r\n\r\n",
];

/// The ends of a message that a server may know: the one of RFC 5321, and those of servers that read a bare LF as a line
/// end.
const ENDS: [&[u8]; 4] = [b"\r\n.\r\n", b"\n.\n", b"\n.\r\n", b"\r\n.\n"];

/// Runs the bodies.
pub fn run(options: &Options) -> Outcome {
    let bodies = options.value("--bodies", 1_000_000_u64)?;
    let mut seed = Seed::of(&[options.value("--seed", 1_u64)?]);
    let watch = Stopwatch::start();
    let (mut left, mut refused, mut wrong) = (0_u64, 0_u64, 0_u64);
    for number in 0..bodies {
        let body = body(&mut seed, number);
        if let Some(flaw) = flaw(&body) {
            refused += 1;
            wrong += u64::from(is_canonical(&body));
            if is_canonical(&body) {
                println!("refused although it is canonical ({flaw}): {:?}", String::from_utf8_lossy(&body));
            }
            continue;
        }
        left += 1;
        if !(is_canonical(&body) && arrives(&body)) {
            wrong += 1;
            println!("does not arrive as it is: {:?}", String::from_utf8_lossy(&body));
        }
    }
    println!(
        "M-09: {bodies} bodies in {:.0} s: {left} left and arrived as they were, {refused} were not canonical and did not \
         leave, {wrong} wrong",
        watch.elapsed().as_secs_f64()
    );
    Ok(wrong == 0 && left > bodies / 4 && refused > bodies / 20)
}

/// Two of three are made of lines that are canonical but for their dots; the others of anything.
fn body(seed: &mut Seed, number: u64) -> Vec<u8> {
    let mut body = Vec::new();
    if number.is_multiple_of(3) {
        for _ in 0..seed.below(14) {
            body.extend_from_slice(seed.pick(&PIECES).copied().unwrap_or_default());
        }
        return body;
    }
    for _ in 0..=seed.below(12) {
        let dots = if seed.one_in(3) { seed.below(4) } else { 0 };
        body.extend(std::iter::repeat_n(b'.', dots));
        let length = if seed.one_in(40) { 990 + seed.below(12) } else { seed.below(30) };
        for _ in 0..length {
            let byte = u8::try_from(seed.below(256)).unwrap_or(b'a');
            body.push(if matches!(byte, b'\r' | b'\n' | 0) { b'.' } else { byte });
        }
        if !seed.one_in(9) {
            body.extend_from_slice(b"\r\n");
        }
    }
    body
}

/// Whether a body is what RFC 5321 and 5322 allow, found another way than the encoder does: by its lines.
fn is_canonical(body: &[u8]) -> bool {
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        if line.len() > 998 || line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return false;
        }
        rest = after.get(2..).unwrap_or_default();
    }
    !body.is_empty()
}

/// Whether a server that reads the wire finds one end, at the end, and before it the body, with a line end added where
/// it had none.
fn arrives(body: &[u8]) -> bool {
    let mut wire = b"\r\n".to_vec();
    wire.extend_from_slice(&stuffed(body));
    wire.extend_from_slice(b".\r\n");
    let first_end = |end: &[u8]| wire.windows(end.len()).position(|part| part == end);
    let is_one = ENDS.iter().all(|end| first_end(end).is_none_or(|at| at + end.len() == wire.len()));
    let Some(end) = first_end(b"\r\n.\r\n") else { return false };
    let sent = wire.get(2..end + 2).unwrap_or_default();
    let mut received = Vec::new();
    for line in sent.split_inclusive(|byte| *byte == b'\n') {
        received.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    let mut whole = body.to_vec();
    if !whole.ends_with(b"\r\n") {
        whole.extend_from_slice(b"\r\n");
    }
    is_one && received == whole
}
