//! Where a token begins and ends: whether letters found in a text are the whole of a name. The rules and their reasons are
//! told at the top of the module `tag`.

/// Small words after a hyphen that make no name of their own.
const PLAIN_SUFFIXES: [&str; 6] = ["related", "specific", "native", "only", "side", "enabled"];
/// Words after a hyphen that speak of something else than the name before it.
const OTHERS_SUFFIXES: [&str; 7] = ["based", "like", "compatible", "style", "powered", "hosted", "free"];
/// Words before a hyphen that do so for the name after it.
const OTHERS_PREFIXES: [&str; 3] = ["non", "anti", "pre"];
/// A version may hang on a name of so many letters without anything between.
const MIN_VERSIONED: usize = 4;
/// How far an address is looked for before a word, in bytes.
const MAX_ADDRESS: usize = 400;

/// An occurrence in its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    /// The whole text.
    pub text: &'a str,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl<'a> Spot<'a> {
    fn before(&self) -> &'a str {
        self.text.get(..self.start).unwrap_or_default()
    }

    fn after(&self) -> &'a str {
        self.text.get(self.end..).unwrap_or_default()
    }

    /// The occurrence itself.
    pub(super) fn itself(&self) -> &'a str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether no letter or digit touches it but a version's.
    pub(super) fn is_whole(&self) -> bool {
        let (Some(first), Some(last)) = (self.itself().chars().next(), self.itself().chars().next_back()) else {
            return false;
        };
        let previous = self.before().chars().next_back();
        if previous.is_some_and(|c| is_word(c) && !is_unspaced(c)) && !is_unspaced(first) {
            return false;
        }
        is_unspaced(last) || self.ends_after(last)
    }

    fn ends_after(&self, last: char) -> bool {
        let mut following = self.after().chars();
        let (next, second) = (following.next(), following.next());
        let Some(next) = next.filter(|next| !is_unspaced(*next)) else { return true };
        if !is_word(last) {
            // `c++`, `c#`: a digit is a version, another sign another name.
            return !matches!(next, '+' | '#') && (!is_word(next) || next.is_ascii_digit());
        }
        match next {
            '+' => second.is_some_and(is_word),
            '#' => second.is_some_and(|c| c.is_ascii_digit()),
            '_' => second.is_some_and(|c| c.is_ascii_digit()),
            _ if next.is_ascii_digit() => last.is_alphabetic() && self.is_long() && self.has_version_after(),
            _ => !is_word(next),
        }
    }

    fn is_long(&self) -> bool {
        self.itself().chars().nth(MIN_VERSIONED - 1).is_some()
    }

    /// Whether the digits that follow are a version and not the middle of another name.
    fn has_version_after(&self) -> bool {
        let rest = self.after().trim_start_matches(|c: char| c.is_ascii_digit());
        rest.chars().next().is_none_or(|c| !is_word(c) || is_unspaced(c))
    }

    /// Whether it is a name by itself and not part of a longer one that hyphens, dots or an at sign hold together.
    pub(super) fn is_own_name(&self, is_subject: bool) -> bool {
        self.begins_name(is_subject) && self.ends_name(is_subject)
    }

    fn is_capital(&self) -> bool {
        self.itself().chars().next().is_some_and(char::is_uppercase)
    }

    fn begins_name(&self, is_subject: bool) -> bool {
        let mut preceding = self.before().chars().rev();
        let Some(previous) = preceding.next() else { return true };
        let before = preceding.next();
        let is_joined = before.is_some_and(|c| is_word(c) && !is_unspaced(c));
        match previous {
            // `.net` is a name; what follows an ellipsis is not part of one.
            '.' if !is_joined => before == Some('.'),
            _ if !is_joined => true,
            '.' => self.is_capital(),
            '@' => false,
            _ if is_hyphen(previous) => is_subject || (self.is_capital() && !self.comes_after_others_prefix()),
            _ => true,
        }
    }

    fn ends_name(&self, is_subject: bool) -> bool {
        let mut following = self.after().chars();
        let (Some(next), Some(second)) = (following.next(), following.next()) else { return true };
        if !is_word(second) || is_unspaced(second) || second.is_ascii_digit() {
            return true;
        }
        match next {
            '.' => second.is_uppercase() && following.next().is_none_or(|third| !third.is_uppercase() && third != '.'),
            '@' => false,
            _ if is_hyphen(next) => is_subject || self.goes_on_as_prose(next.len_utf8(), second),
            _ => true,
        }
    }

    fn comes_after_others_prefix(&self) -> bool {
        let before = self.before().trim_end_matches(is_hyphen);
        let word = before.rsplit(|c: char| !is_word(c)).next().unwrap_or_default();
        OTHERS_PREFIXES.iter().any(|prefix| prefix.eq_ignore_ascii_case(word))
    }

    /// Whether what stands after the hyphen is no package's name.
    fn goes_on_as_prose(&self, hyphen: usize, first: char) -> bool {
        let word = self.after().get(hyphen..).unwrap_or_default();
        let word = word.split(|c: char| !is_word(c)).next().unwrap_or_default();
        let is_version = word.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if OTHERS_SUFFIXES.contains(&word) {
            return false;
        }
        self.is_capital() || first.is_uppercase() || !first.is_ascii() || is_version || PLAIN_SUFFIXES.contains(&word)
    }

    /// Whether it stands within an address of the web.
    pub(super) fn is_in_address(&self) -> bool {
        let mut from = self.start.saturating_sub(MAX_ADDRESS);
        while !self.text.is_char_boundary(from) {
            from += 1;
        }
        let before = self.text.get(from..self.start).unwrap_or_default();
        let token = before.rsplit(ends_address).next().unwrap_or_default();
        let Some((host, _)) = token.split_once('/') else { return token.starts_with("www.") };
        token.contains("://") || is_host(host)
    }
}

/// Whether a character cannot stand in an address.
fn ends_address(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '<' | '>' | '"' | '\'' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '`' | ',')
        || !c.is_ascii()
}

/// Whether it looks like the name of a host as addresses are written: small labels and a last one of letters. `node.js`
/// looks like one and is none.
fn is_host(text: &str) -> bool {
    let Some((labels, last)) = text.rsplit_once('.') else { return false };
    let is_small = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_small);
    last.len() >= 2
        && !matches!(last, "js" | "ts" | "py")
        && last.bytes().all(|b| b.is_ascii_lowercase())
        && labels.split('.').all(is_label)
}

/// Letters, digits and the underscore.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Whether the character belongs to a script that puts no space between words, or none before what is attached to them.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1100..=0x11FF | 0x1780..=0x17FF | 0x2E80..=0xD7FF
        | 0xF900..=0xFAFF | 0xFE30..=0xFE4F | 0xFF66..=0xFFDC | 0x20000..=0x3FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the marked part of a text, `[so]`, is a whole token and a name of its own.
    fn counts(marked: &str, is_subject: bool) -> bool {
        let (before, rest) = marked.split_once('[').unwrap();
        let (itself, after) = rest.split_once(']').unwrap();
        let text = format!("{before}{itself}{after}");
        let spot = Spot { text: &text, start: before.len(), end: before.len() + itself.len() };
        spot.is_whole() && spot.is_own_name(is_subject) && !spot.is_in_address()
    }

    #[test]
    fn names_end_where_people_end_them() {
        for text in [
            "[openssl]",
            "([OpenSSL])",
            "[openssl], a",
            "[openssl]'s",
            "[openssl]/libssl",
            "a [c++] b",
            "[c#] b",
            "[c++]17",
            "use [.net] now",
            "[node.js].",
            "[OpenSSL].The next",
            "end.[OpenSSL] is",
            "[openssl]-3.0",
            "[openssl]_3.0",
            "[openssl]@3",
            "[nginx]-v1.2",
            "[log4j]2",
            "[python]3.11",
            "[openssl]-Lücke",
            "[OpenSSL]の脆弱性",
            "脆弱な[OpenSSL]を",
            "[脆弱性]について",
            "[OpenSSL]-уязвимость",
            "[Windows]-specific",
            "Microsoft-[Windows]",
            "#[openssl]",
            "[chrome]+edge",
            "[nginx]#123",
            "[windows]10",
            "...[openssl]",
            "Node.js/[express]",
            "node.js/[express]",
            "ASP.NET/[windows]",
            "and/[openssl]",
            "- [nginx] -",
            "[OpenSSL]-related",
            "...[openssl]",
        ] {
            assert!(counts(text, false), "{text}");
        }
    }

    #[test]
    fn parts_of_other_names_do_not_count() {
        for text in [
            "edi[tor]",
            "[tor]rent",
            "[tor]_browser",
            "my[sql]",
            "[c]++",
            "[c]#",
            "[node].js",
            "[Node].JS",
            "x.[net]",
            "[django]-cms",
            "rust-[openssl]",
            "[github].com",
            "www.[openssl].org",
            "security@[openssl].org",
            "[openssl]@example.com",
            "[md]5",
            "[log4j]2x",
            "[c++]x",
            "[c++]+",
            "example[.net]",
            "https://example.com/[docker]/x",
            "github.com/[docker]/cli",
            "[fast]api",
            "é[tor]",
            "for .[net]",
            "[Windows]-based",
            "[nginx]-based",
            "non-[Windows]",
        ] {
            assert!(!counts(text, false), "{text}");
        }
    }

    #[test]
    fn a_subject_counts_in_any_compound() {
        assert!(counts("spear-[phishing] mail", true));
        assert!(counts("[ransomware]-as-a-service", true));
        assert!(!counts("anti[phishing]", true));
    }
}
