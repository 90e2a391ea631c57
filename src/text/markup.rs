//! From HTML to plain text, in time linear in its length. Elements are dropped, never interpreted.

use super::{
    Plain,
    reference::{Reference, reference},
    search::Search,
};

/// The text that a person would read in this HTML, as [`clean`](super::clean) leaves it.
///
/// Tags of HTML, SVG and `MathML`, comments, declarations and the content of `script` and `style` vanish, character references are
/// decoded once. What only looks like a tag (`<T>`, `a < b`, `<maria@example.com>`) is text and stays.
pub fn from_html(html: &str, max: usize) -> String {
    let mut stripper = Stripper { html, at: 0, plain: Plain::new(html.len(), max), searches: Searches::default() };
    while !stripper.plain.is_full() && stripper.step() {}
    stripper.plain.finish()
}

/// The ends of things, each searched for until that was once in vain.
#[derive(Default)]
struct Searches {
    quoted_end: Search,
    end: Search,
    comment_end: Search,
    script_end: Search,
    style_end: Search,
}

struct Stripper<'a> {
    html: &'a str,
    at: usize,
    plain: Plain,
    searches: Searches,
}

impl Stripper<'_> {
    fn rest(&self) -> &str {
        self.html.get(self.at..).unwrap_or_default()
    }

    /// Text up to the next sign, then what the sign begins; false at the end.
    fn step(&mut self) -> bool {
        let rest = self.html.get(self.at..).unwrap_or_default();
        let run = rest.bytes().position(|byte| byte == b'<' || byte == b'&').unwrap_or(rest.len());
        self.plain.push(rest.get(..run).unwrap_or_default());
        self.at += run;
        match rest.as_bytes().get(run) {
            Some(b'&') => self.reference(),
            Some(_) => self.tag(),
            None => return false,
        }
        true
    }

    fn reference(&mut self) {
        let found = reference(self.html.get(self.at + 1..).unwrap_or_default());
        match found {
            Some((Reference::Char(one), length)) => {
                self.plain.push_char(one);
                self.at += 1 + length;
            }
            Some((Reference::Nothing, length)) => self.at += 1 + length,
            None => self.literal('&'),
        }
    }

    fn literal(&mut self, sign: char) {
        self.plain.push_char(sign);
        self.at += 1;
    }

    fn tag(&mut self) {
        let after = self.rest().as_bytes().get(1..).unwrap_or_default();
        match after {
            [b'!' | b'?', ..] => self.declaration(),
            [b'/', name @ ..] => self.element(name_length(name), true),
            name => self.element(name_length(name), false),
        }
    }

    fn element(&mut self, name_length: usize, closing: bool) {
        let start = self.at + 1 + usize::from(closing);
        let name = self.html.get(start..start + name_length).unwrap_or_default();
        let Some(kind) = Kind::of(name) else { return self.literal('<') };
        let Some(end) = self.tag_end(start + name_length) else { return self.literal('<') };
        if kind == Kind::Block {
            self.plain.gap();
        }
        self.at = end;
        if !closing {
            self.skip_content(kind);
        }
    }

    /// The place after the `>` that ends a tag, quotes respected where they are balanced.
    fn tag_end(&mut self, from: usize) -> Option<usize> {
        let rest = self.html.get(from..)?.as_bytes();
        let quoted = self.searches.quoted_end.run(|| quoted_end(rest));
        let found = quoted.or_else(|| self.searches.end.run(|| rest.iter().position(|&byte| byte == b'>')));
        found.map(|offset| from + offset + 1)
    }

    fn skip_content(&mut self, kind: Kind) {
        let (needle, search) = match kind {
            Kind::Script => ("</script", &mut self.searches.script_end),
            Kind::Style => ("</style", &mut self.searches.style_end),
            Kind::Inline | Kind::Block => return,
        };
        let rest = self.html.get(self.at..).unwrap_or_default().as_bytes();
        let mut windows = rest.windows(needle.len());
        let end = search.run(|| windows.position(|window| window.eq_ignore_ascii_case(needle.as_bytes())));
        self.at += end.unwrap_or(0);
    }

    fn declaration(&mut self) {
        let rest = self.html.get(self.at..).unwrap_or_default();
        if rest.starts_with("<!--") {
            let end = self.searches.comment_end.run(|| rest.get(2..)?.find("-->"));
            // One that never ends hides nothing but its own sign.
            self.at += end.map_or(4, |offset| 2 + offset + 3);
            return;
        } else if let Some(inside) = rest.strip_prefix("<![CDATA[") {
            // Its content is read as markup: what HTML would have hidden, the writer meant to be read.
            self.at += rest.len() - inside.len();
            return;
        } else if !rest
            .as_bytes()
            .get(2)
            .is_some_and(|&byte| byte.is_ascii_alphabetic() || byte == b'[' || byte == b'-')
        {
            return self.literal('<');
        }
        match self.tag_end(self.at + 2) {
            Some(end) => self.at = end,
            None => self.literal('<'),
        }
    }
}

/// The place of the first `>` outside of a quoted value.
fn quoted_end(bytes: &[u8]) -> Option<usize> {
    let (mut quote, mut before) = (None, b' ');
    for (at, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') if before == b'=' || before == b' ' => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        before = byte;
    }
    None
}

/// The length of a name that white space, `/` or `>` ends; 0 where there is none.
fn name_length(bytes: &[u8]) -> usize {
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    let length =
        bytes.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_')).count();
    match bytes.get(length) {
        Some(b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r') => length,
        _ => 0,
    }
}

/// What a tag means for the text around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inline,
    Block,
    Script,
    Style,
}

/// The elements that part the text before and after them, sorted.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "button",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hgroup",
    "hr",
    "html",
    "iframe",
    "legend",
    "li",
    "main",
    "menu",
    "nav",
    "noscript",
    "ol",
    "optgroup",
    "option",
    "p",
    "plaintext",
    "pre",
    "section",
    "select",
    "summary",
    "table",
    "tbody",
    "td",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "xmp",
];

/// The elements that do not, sorted: of HTML, and those of SVG and `MathML` that turn up in feeds.
const INLINES: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "animate",
    "animatemotion",
    "animatetransform",
    "annotation",
    "applet",
    "area",
    "audio",
    "b",
    "base",
    "basefont",
    "bdi",
    "bdo",
    "bgsound",
    "big",
    "blink",
    "canvas",
    "circle",
    "cite",
    "clippath",
    "code",
    "col",
    "colgroup",
    "data",
    "datalist",
    "defs",
    "del",
    "desc",
    "dfn",
    "ellipse",
    "em",
    "embed",
    "feimage",
    "filter",
    "font",
    "foreignobject",
    "frame",
    "g",
    "i",
    "image",
    "img",
    "input",
    "ins",
    "isindex",
    "kbd",
    "keygen",
    "label",
    "layer",
    "line",
    "lineargradient",
    "link",
    "listing",
    "map",
    "mark",
    "marquee",
    "mask",
    "math",
    "meta",
    "meter",
    "mfrac",
    "mi",
    "mn",
    "mo",
    "mover",
    "mrow",
    "ms",
    "mspace",
    "msqrt",
    "mstyle",
    "msub",
    "msubsup",
    "msup",
    "mtable",
    "mtd",
    "mtext",
    "mtr",
    "munder",
    "nobr",
    "noembed",
    "noframes",
    "object",
    "output",
    "param",
    "path",
    "picture",
    "polygon",
    "polyline",
    "portal",
    "progress",
    "q",
    "radialgradient",
    "rb",
    "rect",
    "rp",
    "rt",
    "rtc",
    "ruby",
    "s",
    "samp",
    "semantics",
    "set",
    "slot",
    "small",
    "source",
    "spacer",
    "span",
    "stop",
    "strike",
    "strong",
    "sub",
    "sup",
    "svg",
    "symbol",
    "template",
    "text",
    "textpath",
    "time",
    "track",
    "tspan",
    "tt",
    "u",
    "use",
    "var",
    "video",
    "wbr",
];

impl Kind {
    /// The kind of a tag name in any case, or nothing where no such element exists. Names with `-` or `:` inside exist by rule.
    fn of(name: &str) -> Option<Kind> {
        let mut lower = [0; 24];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let name = std::str::from_utf8(lower).ok().filter(|name| !name.is_empty())?;
        match name {
            "script" => Some(Kind::Script),
            "style" => Some(Kind::Style),
            _ if BLOCKS.binary_search(&name).is_ok() => Some(Kind::Block),
            _ if INLINES.binary_search(&name).is_ok() => Some(Kind::Inline),
            _ if name.trim_end_matches(['-', ':', '_']) == name && name.contains(['-', ':']) => Some(Kind::Inline),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(html: &str) -> String {
        from_html(html, 65_536)
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(BLOCKS.is_sorted());
        assert!(INLINES.is_sorted());
    }

    #[test]
    fn tags_comments_and_scripts_vanish_and_blocks_part_words() {
        assert_eq!(plain("<p>One</p><p>t<b>w</b>o<br>three</p>"), "One two three");
        assert_eq!(plain("a<!-- b > c -->d<!DOCTYPE html>e<?pi x?>f"), "adef");
        assert_eq!(plain("a<script>if (x < y) alert('z')</script>b<STYLE>p{}</STYLE >c"), "abc");
        assert_eq!(plain("<img alt=\"a > b\" src=x>text"), "text");
        assert_eq!(plain("<![CDATA[inner]]>"), "inner]]>");
        assert_eq!(plain("<td>a</td><td>b</td>"), "a b");
        assert_eq!(plain("<my-widget>x</my-widget><o:p>y</o:p>"), "xy");
    }

    #[test]
    fn what_only_looks_like_markup_stays() {
        for text in [
            "a < b and c > d",
            "Vec<T> and map<int>",
            "<maria@example.com>",
            "x <- y",
            "1<2",
            "<",
            "<>",
            "</",
            "<!",
            "a && b",
            "<3",
        ] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain("no end <script>to this"), "no end to this");
        assert_eq!(plain("unclosed <a href="), "unclosed <a href=");
        assert_eq!(plain("it's <b class='x>bold</b>"), "it's bold");
    }

    #[test]
    fn references_are_decoded_once() {
        assert_eq!(plain("AT&amp;T &lt;b&gt; caf&eacute; &amp;lt; &#8217;"), "AT&T <b> café &lt; ’");
        assert_eq!(plain("&nbsp;&nbsp;x&#10;y"), "x y");
    }
}
