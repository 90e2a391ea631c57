//! The bytes of a message on the wire: what may leave at all, and the transparency of RFC 5321 section 4.5.2.

/// The longest line without its CR LF (RFC 5322 section 2.1.1).
const MAX_LINE: usize = 998;

/// Why these bytes must not be sent as they are, if so.
///
/// A bare CR or LF is read differently by different servers and lets a second message be smuggled into the first; a
/// NUL or a longer line is changed on the way, so that what arrives is not what was logged.
pub fn flaw(bytes: &[u8]) -> Option<&'static str> {
    let mut before = 0_u8;
    let mut length = 0_usize;
    for &byte in bytes {
        match (before, byte) {
            (b'\r', b'\n') => length = 0,
            (b'\r', _) => return Some("it has a CR without an LF"),
            (_, b'\n') => return Some("it has an LF without a CR"),
            (_, 0) => return Some("it has a NUL byte"),
            (_, b'\r') => {}
            _ => length += 1,
        }
        if length > MAX_LINE {
            return Some("it has a line of more than 998 bytes");
        }
        before = byte;
    }
    if bytes.is_empty() {
        return Some("it is empty");
    }
    (before == b'\r').then_some("it has a CR without an LF")
}

/// The message with a dot before every line that starts with one, ending in CR LF, without the final dot.
pub fn stuffed(bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(bytes.len() + bytes.len() / 50 + 2);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if line.first() == Some(&b'.') {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    if !bytes.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a server makes of the wire up to the first line with only a dot.
    fn received(wire: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        for line in wire.split_inclusive(|&byte| byte == b'\n') {
            if line == b".\r\n" {
                return message;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        panic!("the wire has no end");
    }

    #[test]
    fn m_09_bare_line_ends_nul_and_long_lines_never_leave() {
        let long = [b'a'; 999];
        for bad in [b"a\nb\r\n".as_slice(), b"a\rb\r\n", b"a\r", b"\n", b"\r\r\n", b"a\0b\r\n", b"", &long] {
            assert!(flaw(bad).is_some(), "{:?}", String::from_utf8_lossy(bad));
        }
        let longest = [b'a'; 998];
        for good in [b"a\r\n".as_slice(), b"\r\n\r\n", b"..\r\n", b"no end", &longest] {
            assert_eq!(flaw(good), None, "{:?}", String::from_utf8_lossy(good));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn m_09_every_message_that_may_leave_is_received_as_it_was_sent(
            lines in prop::collection::vec("[.a-c \t=]{0,6}", 0..12)
        ) {
            let message = lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect::<String>();
            prop_assume!(!message.is_empty());
            prop_assert_eq!(flaw(message.as_bytes()), None);
            let mut wire = stuffed(message.as_bytes());
            wire.extend_from_slice(b".\r\n");
            prop_assert_eq!(received(&wire), message.into_bytes());
        }

        #[test]
        fn m_09_arbitrary_bytes_are_either_refused_or_arrive_unchanged(
            bytes in prop::collection::vec(prop::sample::select(b".\r\na\0\xC3".to_vec()), 1..24)
        ) {
            if flaw(&bytes).is_none() {
                let mut wire = stuffed(&bytes);
                wire.extend_from_slice(b".\r\n");
                let got = received(&wire);
                prop_assert!(got == bytes || got == [&bytes[..], b"\r\n"].concat());
            }
        }
    }
}
