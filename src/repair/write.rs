//! Writes the plain Atom document (RFC 4287) that comes of the rewriting. Whatever is given, what is written is well-formed.

use std::borrow::Cow;

/// The kind of a text construct (RFC 4287 section 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// Text as it is to be read.
    Plain,
    /// HTML.
    Html,
}

/// From how many bytes on a part is ended behind its entry.
const PART: usize = 1 << 20;
const HEAD: &str = "<feed xmlns=\"http://www.w3.org/2005/Atom\">";

/// A document under construction: in parts, each a feed of its own, so that what is made of one can take the place of it.
pub struct Writer {
    parts: Vec<String>,
    out: String,
    /// Whether the texts may hold characters that XML forbids.
    strips: bool,
}

impl Writer {
    /// An empty feed, for a text of so many bytes.
    pub fn new(expected: usize, strips: bool) -> Self {
        let mut out = String::with_capacity(expected.min(PART));
        out.push_str(HEAD);
        Self { parts: Vec::new(), out, strips }
    }

    /// Where the document stands, for [`Writer::cut`] before the next entry is closed.
    pub fn mark(&self) -> usize {
        self.out.len()
    }

    /// Takes back what was written since a mark.
    pub fn cut(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    /// Opens an entry.
    pub fn open_entry(&mut self) {
        self.out.push_str("<entry>");
    }

    /// Closes an entry.
    pub fn close_entry(&mut self) {
        self.out.push_str("</entry>");
        if self.out.len() >= PART {
            self.out.push_str("</feed>");
            let next = String::with_capacity(PART);
            self.parts.push(std::mem::replace(&mut self.out, next));
            self.out.push_str(HEAD);
        }
    }

    /// An element with text, of a kind where the element is a text construct.
    pub fn text(&mut self, name: &str, kind: Option<TextKind>, text: &str) {
        self.out.push('<');
        self.out.push_str(name);
        if kind == Some(TextKind::Html) {
            self.out.push_str(" type=\"html\"");
        }
        self.out.push('>');
        self.cdata(text);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// A person known by name.
    pub fn author(&mut self, name: &str) {
        self.out.push_str("<author>");
        self.text("name", None, name);
        self.out.push_str("</author>");
    }

    /// An element with attributes only.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.attribute(value);
            self.out.push('"');
        }
        self.out.push_str("/>");
    }

    /// The whole document: one part, but for large ones.
    pub fn finish(mut self) -> Vec<String> {
        self.out.push_str("</feed>");
        self.parts.push(self.out);
        self.parts
    }

    fn cdata(&mut self, text: &str) {
        // Before the end of a section is looked for: what is dropped may stand in the middle of one.
        let stripped: Cow<'_, str> = if self.strips && text.contains(is_forbidden) {
            Cow::Owned(text.chars().filter(|&one| !is_forbidden(one)).collect())
        } else {
            Cow::Borrowed(text)
        };
        self.out.push_str("<![CDATA[");
        let mut rest = stripped.as_ref();
        while let Some(end) = rest.find("]]>") {
            self.out.push_str(rest.get(..end + 2).unwrap_or_default());
            self.out.push_str("]]><![CDATA[");
            rest = rest.get(end + 2..).unwrap_or_default();
        }
        self.out.push_str(rest);
        self.out.push_str("]]>");
    }

    fn attribute(&mut self, value: &str) {
        for one in value.chars().filter(|&one| !is_forbidden(one)) {
            match one {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '"' => self.out.push_str("&quot;"),
                '\t' | '\n' | '\r' => self.out.push(' '),
                _ => self.out.push(one),
            }
        }
    }
}

/// Characters that XML 1.0 (section 2.2) forbids and that a text may hold.
pub fn is_forbidden(one: char) -> bool {
    matches!(one, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_section() {
        let mut writer = Writer::new(0, true);
        writer.text("title", None, "a]]>b]]\u{1}>c]]");
        writer.empty("link", &[("href", "\"><x>&\u{0}\n")]);
        assert_eq!(
            writer.finish(),
            [
                "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title><![CDATA[a]]]]><![CDATA[>b]]]]><![CDATA[>c]]]]></title>\
              <link href=\"&quot;>&lt;x>&amp; \"/></feed>"
            ]
        );
    }

    #[test]
    fn a_large_document_is_written_in_parts_that_end_behind_an_entry() {
        let mut writer = Writer::new(0, false);
        for _ in 0..3 {
            writer.open_entry();
            writer.text("title", None, &"a".repeat(PART / 2));
            writer.close_entry();
        }
        let parts = writer.finish();
        assert_eq!(parts.iter().map(|part| part.matches("<entry>").count()).collect::<Vec<_>>(), [2, 1]);
        assert!(parts.iter().all(|part| part.starts_with(HEAD) && part.ends_with("</feed>")));
    }
}
