//! Cuts text into tags and what stands between them. It accepts anything and never fails: what is no markup is text.

use super::notes::{Notes, Repair};
use crate::text::search::Search;

/// The most attributes of a tag that are looked at.
pub const MAX_ATTRIBUTES: usize = 256;

/// A piece of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// Text with its references as they stand.
    Text(&'a str),
    /// The inside of a CDATA section.
    Cdata(&'a str),
    /// An opening tag.
    Open(Tag<'a>),
    /// A closing tag.
    Close(Tag<'a>),
    /// A declaration of the document type with what it declares.
    Doctype(&'a str),
}

/// A tag: its name as written, the text of its attributes, and the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The name with its prefix.
    pub name: &'a str,
    /// What follows the name.
    pub rest: &'a str,
    /// The tag from `<` to `>`.
    pub whole: &'a str,
    /// Whether it ends with `/>`.
    pub is_empty: bool,
}

impl<'a> Tag<'a> {
    /// The attributes as written, name and raw value, at most [`MAX_ATTRIBUTES`].
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        Attributes { rest: self.rest }.take(MAX_ATTRIBUTES)
    }

    /// The raw value of the attribute of this name, in any case.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes().find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
    }

    /// What a link says of its target: the last part of `rel`, so that the long form of RFC 4287 section 4.2.7.2 counts as the short one.
    pub fn relation(&self) -> Option<&'a str> {
        let relation = self.attribute("rel")?.trim();
        relation.rsplit('/').next().filter(|relation| !relation.is_empty())
    }

    /// Whether there are more attributes than are looked at.
    pub fn has_too_many_attributes(&self) -> bool {
        self.rest.len() > 2 * MAX_ATTRIBUTES && Attributes { rest: self.rest }.nth(MAX_ATTRIBUTES).is_some()
    }

    /// The name without its prefix.
    pub fn local(&self) -> &'a str {
        self.name.rsplit_once(':').map_or(self.name, |(_, local)| local)
    }

    /// The prefix of the name.
    pub fn prefix(&self) -> &'a str {
        self.name.rsplit_once(':').map_or("", |(prefix, _)| prefix)
    }
}

struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self
            .rest
            .trim_start_matches(|one: char| one.is_ascii_whitespace() || matches!(one, '/' | '=' | '"' | '\''));
        if rest.is_empty() {
            self.rest = "";
            return None;
        }
        let end = rest.find(|one: char| one.is_ascii_whitespace() || one == '=').unwrap_or(rest.len());
        let (name, rest) = rest.split_at_checked(end)?;
        let Some(value) = rest.trim_start().strip_prefix('=') else {
            self.rest = rest;
            return Some((name, ""));
        };
        let value = value.trim_start();
        let (value, rest) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inside = value.get(1..)?;
                inside.split_once(quote).unwrap_or((inside, ""))
            }
            _ => value.split_at_checked(value.find(|one: char| one.is_ascii_whitespace()).unwrap_or(value.len()))?,
        };
        self.rest = rest;
        Some((name, value))
    }
}

/// The tokens of a text, in order.
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    cdata_end: Search,
    comment_end: Search,
    instruction_end: Search,
    quoted_end: Search,
    /// Whether the text ended inside a tag, comment or section.
    pub broke_off: bool,
}

impl<'a> Tokens<'a> {
    /// The tokens of this text.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            cdata_end: Search::default(),
            comment_end: Search::default(),
            instruction_end: Search::default(),
            quoted_end: Search::default(),
            broke_off: false,
        }
    }

    /// Where the next token begins, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next token; comments and processing instructions are passed over.
    pub fn next(&mut self, notes: &mut Notes) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return None;
            }
            let run = rest.find('<').unwrap_or(rest.len());
            if run > 0 {
                self.at += run;
                return rest.get(..run).map(Token::Text);
            }
            if let Some(token) = self.markup(rest, notes) {
                return Some(token);
            }
        }
    }

    /// What a `<` begins; nothing where it is passed over.
    fn markup(&mut self, rest: &'a str, notes: &mut Notes) -> Option<Token<'a>> {
        match rest.as_bytes().get(1) {
            Some(b'!') => self.declaration(rest, notes),
            Some(b'?') => {
                let end = self.instruction_end.run(|| rest.find("?>")).map(|end| end + 2);
                self.skip(end.or_else(|| rest.find('>').map(|end| end + 1)), rest);
                None
            }
            Some(b'/') => {
                let end = rest.find('>');
                let (inside, length) = self.inside(rest, 2, end)?;
                let name = inside.trim();
                let whole = rest.get(..length).unwrap_or_default();
                Some(Token::Close(Tag { name, rest: "", whole, is_empty: false }))
            }
            Some(first) if first.is_ascii_alphabetic() || matches!(first, b'_' | b':') || !first.is_ascii() => {
                let end = self.tag_end(rest);
                let (inside, length) = self.inside(rest, 1, end)?;
                let is_empty = inside.ends_with('/');
                let inside = inside.strip_suffix('/').unwrap_or(inside);
                let split = inside.find(|one: char| one.is_ascii_whitespace() || one == '/').unwrap_or(inside.len());
                let (name, attributes) = inside.split_at_checked(split)?;
                let whole = rest.get(..length).unwrap_or_default();
                Some(Token::Open(Tag { name, rest: attributes, whole, is_empty }))
            }
            _ => {
                notes.add(Repair::StrayBracket, Some(self.at));
                self.at += 1;
                rest.get(..1).map(Token::Text)
            }
        }
    }

    /// The inside of a tag whose `>` stands at `end`, and its whole length; without one the text breaks off here.
    fn inside(&mut self, rest: &'a str, from: usize, end: Option<usize>) -> Option<(&'a str, usize)> {
        let Some(end) = end else {
            self.skip(None, rest);
            return None;
        };
        self.at += end + 1;
        Some((rest.get(from..end)?, end + 1))
    }

    fn skip(&mut self, length: Option<usize>, rest: &str) {
        self.broke_off |= length.is_none();
        self.at += length.unwrap_or(rest.len());
    }

    /// The place of the `>` that ends an opening tag, quotes respected where they are balanced.
    fn tag_end(&mut self, rest: &str) -> Option<usize> {
        let first = rest.find('>')?;
        if rest.get(..first).is_none_or(is_balanced) {
            return Some(first);
        }
        self.quoted_end.run(|| quoted_end(rest, first)).or(Some(first))
    }

    fn declaration(&mut self, rest: &'a str, notes: &mut Notes) -> Option<Token<'a>> {
        if let Some(inside) = rest.strip_prefix("<![CDATA[") {
            let end = self.cdata_end.run(|| inside.find("]]>"));
            let Some(end) = end else {
                self.skip(None, rest);
                return None;
            };
            self.at += end + 12;
            return inside.get(..end).map(Token::Cdata);
        }
        if let Some(inside) = rest.strip_prefix("<!--") {
            let end = self.comment_end.run(|| inside.find("-->"));
            self.skip(end.map(|end| end + 7).or_else(|| rest.find('>').map(|end| end + 1)), rest);
            return None;
        }
        if rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!DOCTYPE")) {
            let end = doctype_end(rest);
            self.skip(end, rest);
            return end.and_then(|end| rest.get(..end)).map(Token::Doctype);
        }
        notes.add(Repair::StrayBracket, Some(self.at));
        self.skip(rest.find('>').map(|end| end + 1), rest);
        None
    }
}

fn is_balanced(tag: &str) -> bool {
    let has_even = |quote: char| tag.matches(quote).count().is_multiple_of(2);
    has_even('"') && (has_even('\'') || tag.contains('"'))
}

/// The place of the first `>` outside of a quoted value; the very first one where a value holds a `<`, for then its quotes are broken.
fn quoted_end(rest: &str, first: usize) -> Option<usize> {
    let (mut quote, mut before) = (None, b' ');
    for (at, &byte) in rest.as_bytes().iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (Some(_), b'<') => return Some(first),
            (None, b'"' | b'\'') if before == b'=' || before.is_ascii_whitespace() => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        before = byte;
    }
    None
}

/// The length of a document type declaration with its internal subset.
fn doctype_end(rest: &str) -> Option<usize> {
    let first = rest.find('>')?;
    match rest.get(..first)?.find('[') {
        Some(open) => {
            let close = rest.get(open..)?.find(']')? + open;
            rest.get(close..)?.find('>').map(|end| close + end + 1)
        }
        None => Some(first + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let (mut tokens, mut notes, mut out) = (Tokens::new(text), Notes::default(), Vec::new());
        while let Some(token) = tokens.next(&mut notes) {
            out.push(match token {
                Token::Text(text) => format!("text {text}"),
                Token::Cdata(text) => format!("cdata {text}"),
                Token::Open(tag) => {
                    let attributes: Vec<_> = tag.attributes().map(|(name, value)| format!("{name}={value}")).collect();
                    format!("open {} [{}]{}", tag.name, attributes.join("|"), if tag.is_empty { "/" } else { "" })
                }
                Token::Close(tag) => format!("close {}", tag.name),
                Token::Doctype(text) => format!("doctype {text}"),
            });
        }
        out
    }

    #[test]
    fn well_formed_text_is_cut_as_xml_says() {
        assert_eq!(
            tokens(
                "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b \"c>\">]><a x='1' y=\"2 > 1\"><b/>t<!-- > --><![CDATA[<d>]]></a>"
            ),
            [
                "doctype <!DOCTYPE a [<!ENTITY b \"c>\">]>",
                "open a [x=1|y=2 > 1]",
                "open b []/",
                "text t",
                "cdata <d>",
                "close a"
            ]
        );
    }

    #[test]
    fn what_is_no_markup_is_text() {
        assert_eq!(tokens("a < b <3 <"), ["text a ", "text <", "text  b ", "text <", "text 3 ", "text <"]);
        assert_eq!(tokens("<a b=c d='e f>g</a>"), ["open a [b=c|d=e f]", "text g", "close a"]);
        assert_eq!(tokens("<a b=\"x></a><c d=\"y\"/>"), ["open a [b=x]", "close a", "open c [d=y]/"]);
    }

    #[test]
    fn a_text_that_breaks_off_says_so() {
        for text in ["<a><b", "<a><![CDATA[x", "<a><!-- x", "<a></a"] {
            let (mut tokens, mut notes) = (Tokens::new(text), Notes::default());
            while tokens.next(&mut notes).is_some() {}
            assert!(tokens.broke_off, "{text}");
        }
    }
}
