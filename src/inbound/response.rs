//! What an IMAP server says (RFC 3501 section 7), as far as we ask: tagged answers, codes, the lists of a search and the
//! texts of a fetch. Pure; the bytes come from `line`.

/// One response: its text, with a mark where each literal stood, and the literals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Response {
    /// Everything but the literals, without the line end.
    pub(super) text: String,
    /// The literals, each as far as it was kept.
    pub(super) literals: Vec<Vec<u8>>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// `OK`.
    Well,
    /// `NO`, with what follows: the server will not.
    Refused(String),
    /// `BAD`, with what follows: it did not understand.
    Misunderstood(String),
}

impl Response {
    /// The end of the command with this tag; `None`: this is something else.
    pub(super) fn end(&self, tag: &str) -> Option<End> {
        let rest = self.text.strip_prefix(tag)?.strip_prefix(' ')?;
        let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
        match word.to_ascii_uppercase().as_str() {
            "OK" => Some(End::Well),
            "NO" => Some(End::Refused(text.to_owned())),
            _ => Some(End::Misunderstood(text.to_owned())),
        }
    }

    /// Whether the server asks for what follows.
    pub(super) fn asks_for_more(&self) -> bool {
        self.text == "+" || self.text.starts_with("+ ")
    }

    /// What follows `* WORD `, for a word in any case.
    pub(super) fn after(&self, word: &str) -> Option<&str> {
        let rest = self.text.strip_prefix("* ")?;
        let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        first.eq_ignore_ascii_case(word).then_some(rest)
    }

    /// The number of `* N WORD`.
    pub(super) fn number_before(&self, word: &str) -> Option<u32> {
        let (number, rest) = self.text.strip_prefix("* ")?.split_once(' ')?;
        let first = rest.split(' ').next().unwrap_or_default();
        number.parse().ok().filter(|_| first.eq_ignore_ascii_case(word))
    }

    /// The number of a code such as `[UIDVALIDITY 7]`.
    pub(super) fn code(&self, name: &str) -> Option<u32> {
        let inside = self.text.split_once('[')?.1.split_once(']')?.0;
        let (word, number) = inside.split_once(' ')?;
        number.trim().parse().ok().filter(|_| word.eq_ignore_ascii_case(name))
    }

    /// The message of a fetch of this UID; `None`: the response is about something else.
    pub(super) fn message_of(&self, uid: u32) -> Option<Vec<u8>> {
        self.number_before("FETCH")?;
        let words: Vec<&str> = self.text.split([' ', '(', ')']).collect();
        let named = words.windows(2).any(|pair| match pair {
            [name, number] => name.eq_ignore_ascii_case("UID") && number.parse() == Ok(uid),
            _ => false,
        });
        if !named {
            return None;
        }
        if let Some(literal) = self.literals.first() {
            return Some(literal.clone());
        }
        // A short message may come in quotes; an empty one as NIL, which leaves nothing.
        let quoted = self.text.split_once("]<0> \"").map(|(_, rest)| rest)?;
        let mut message = Vec::new();
        let mut escaped = false;
        for byte in quoted.bytes() {
            match byte {
                _ if escaped => {
                    message.push(byte);
                    escaped = false;
                }
                b'\\' => escaped = true,
                b'"' => break,
                _ => message.push(byte),
            }
        }
        Some(message)
    }
}

/// The length of the literal that a line ends with: `{123}` or `{123+}` (RFC 7888).
pub(super) fn literal_length(line: &str) -> Option<u64> {
    let inside = line.strip_suffix('}')?.rsplit_once('{')?.1;
    inside.strip_suffix('+').unwrap_or(inside).parse().ok()
}

/// A text as an argument: quoted where it may be; `None`: it needs a literal.
pub(super) fn quoted(text: &str) -> Option<String> {
    let plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    plain.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Response {
        Response { text: text.to_owned(), literals: Vec::new() }
    }

    #[test]
    fn ends_numbers_and_codes_are_read_in_any_case() {
        assert_eq!(text("a1 ok done").end("a1"), Some(End::Well));
        assert_eq!(text("a1 NO [X] no").end("a1"), Some(End::Refused("[X] no".into())));
        assert_eq!(text("a1 BAD").end("a1"), Some(End::Misunderstood(String::new())));
        assert_eq!((text("a12 OK").end("a1"), text("* OK").end("a1")), (None, None));
        assert_eq!(text("* ok [uidvalidity 77] fine").code("UIDVALIDITY"), Some(77));
        assert_eq!(text("* OK [UIDVALIDITY 99999999999] fine").code("UIDVALIDITY"), None);
        assert_eq!(
            (text("* 3 exists").number_before("EXISTS"), text("* x EXISTS").number_before("EXISTS")),
            (Some(3), None)
        );
        assert_eq!(text("* SEARCH 4 5").after("search"), Some("4 5"));
        assert_eq!(text("* SEARCH").after("SEARCH"), Some(""));
    }

    #[test]
    fn a_fetch_gives_its_message_as_a_literal_or_in_quotes() {
        let literal = Response { text: "* 3 FETCH (UID 12 BODY[]<0> )".into(), literals: vec![b"A: b\r\n".to_vec()] };
        assert_eq!(literal.message_of(12).unwrap(), b"A: b\r\n");
        assert_eq!((literal.message_of(1), literal.message_of(2), literal.message_of(3)), (None, None, None));
        assert_eq!(text("* 3 FETCH (BODY[]<0> \"a \\\"b\\\\\" UID 12)").message_of(12).unwrap(), b"a \"b\\");
        assert_eq!(text("* 3 FETCH (FLAGS (\\Seen) UID 12)").message_of(12), None);
        assert_eq!(text("* 3 FETCH (BODY[]<0> NIL UID 12)").message_of(12), None);
    }

    #[test]
    fn lengths_of_literals_and_quotes_are_exact() {
        assert_eq!((literal_length("BODY[] {12}"), literal_length("{7+}")), (Some(12), Some(7)));
        assert_eq!(
            (literal_length("{12"), literal_length("{-1}"), literal_length("{99999999999999999999}")),
            (None, None, None)
        );
        assert_eq!(quoted("pass \"w\\ord\"").as_deref(), Some("\"pass \\\"w\\\\ord\\\"\""));
        assert_eq!((quoted("pässword"), quoted("a\r\nb")), (None, None));
    }
}
