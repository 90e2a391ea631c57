//! Quoted-printable (RFC 2045 section 6.7), as both parts of a mail are encoded. Nothing of mail headers here.

/// The longest encoded line without its end; what goes on is marked with one character more.
const WIDTH: usize = 75;

/// The text as it stands in the mail: ASCII lines of at most 76 characters; a line end of the text is CR LF. The
/// parts of a text that end in CR LF are as long encoded apart as together.
pub(super) fn quoted_printable(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16 + 16);
    let bytes = text.as_bytes();
    let mut start = 0;
    let mut at = run(bytes, is_no_line_feed);
    while at < bytes.len() {
        // A line feed alone ends no line.
        if let Some(line) = bytes.get(start..at).and_then(|line| line.strip_suffix(b"\r")) {
            encode_line(line, &mut out);
            out.extend_from_slice(b"\r\n");
            start = at + 1;
        }
        at += 1 + run(bytes.get(at + 1..).unwrap_or_default(), is_no_line_feed);
    }
    encode_line(bytes.get(start..).unwrap_or_default(), &mut out);
    out
}

pub(super) fn is_no_line_feed(byte: u8) -> bool {
    byte != b'\n'
}

/// One line as it stands in the mail, without its end.
pub(super) fn encode_line(line: &[u8], out: &mut Vec<u8>) {
    // White space at the end of a line may be lost on the way.
    let (line, last) = match line.split_last() {
        Some((b' ' | b'\t', before)) => (before, line.last()),
        _ => (line, None),
    };
    let mut column = 0;
    let mut rest = line;
    while !rest.is_empty() {
        let (plain, after) = rest.split_at_checked(run(rest, is_plain)).unwrap_or((rest, &[]));
        push_plain(plain, &mut column, out);
        rest = after;
        if let Some((byte, after)) = rest.split_first() {
            push_escaped(*byte, &mut column, out);
            rest = after;
        }
    }
    if let Some(byte) = last {
        push_escaped(*byte, &mut column, out);
    }
}

/// Whether a byte stands for itself anywhere in a line.
fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'='
}

/// How many bytes from the start are such bytes. Sixteen are judged before one is looked at alone: judging is not stopped
/// within them, so that a processor can do it at once.
pub(super) fn run(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    let all_such = |block: &&[u8]| block.iter().fold(true, |all, byte| all & is_such(*byte));
    let blocks = bytes.chunks_exact(16).take_while(all_such).count() * 16;
    let rest = bytes.get(blocks..).unwrap_or_default();
    blocks + rest.iter().take_while(|byte| is_such(**byte)).count()
}

fn push_plain(mut plain: &[u8], column: &mut usize, out: &mut Vec<u8>) {
    while !plain.is_empty() {
        if *column == WIDTH {
            out.extend_from_slice(b"=\r\n");
            *column = 0;
        }
        let (now, later) = plain.split_at_checked(WIDTH - *column).unwrap_or((plain, &[]));
        out.extend_from_slice(now);
        *column += now.len();
        plain = later;
    }
}

fn push_escaped(byte: u8, column: &mut usize, out: &mut Vec<u8>) {
    if *column + 3 > WIDTH {
        out.extend_from_slice(b"=\r\n");
        *column = 0;
    }
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'A' + half - 10 };
    out.extend_from_slice(&[b'=', digit(byte >> 4), digit(byte & 15)]);
    *column += 3;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> String {
        String::from_utf8(quoted_printable(text)).unwrap()
    }

    #[test]
    fn plain_lines_stay_and_others_are_spelled_out() {
        assert_eq!(encoded(""), "");
        assert_eq!(encoded("a = b\r\nä \r\n"), "a =3D b\r\n=C3=A4=20\r\n");
        assert_eq!(encoded("\t.\t"), "=09.=09");
        assert_eq!(encoded("a\rb\nc\0"), "a=0Db=0Ac=00");
        assert_eq!(encoded(&"x".repeat(75)), "x".repeat(75));
        assert_eq!(encoded(&"x".repeat(76)), format!("{}=\r\nx", "x".repeat(75)));
    }

    proptest! {
        #[test]
        fn an_independent_reader_finds_the_same_text(text in "(?s)(?:.{0,90}|[a-z =]{0,90}|\r\n){0,12}") {
            let bytes = quoted_printable(&text);
            let lines = bytes.split(|byte| *byte == b'\n');
            prop_assert!(lines.map(<[u8]>::len).all(|length| length <= 77));
            prop_assert!(bytes.iter().all(|byte| is_plain(*byte) || matches!(byte, b'=' | b'\r' | b'\n')));
            let mail = [b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", &*bytes].concat();
            let message = mail_parser::MessageParser::default().parse(&mail).unwrap();
            prop_assert_eq!(message.body_text(0).unwrap_or_default(), text);
        }

        #[test]
        fn lines_are_as_long_apart_as_together(a in "(?s).{0,200}", b in "(?s).{0,200}") {
            let (a, b) = (format!("{a}\r\n"), format!("{b}\r\n"));
            let together = quoted_printable(&format!("{a}{b}")).len();
            prop_assert_eq!(together, quoted_printable(&a).len() + quoted_printable(&b).len());
        }
    }
}
