//! Text from feeds as a person reads it: nothing hidden, nothing that reorders, nothing that costs more than its length.

use std::time::Instant;

use sigtrail::text::{clean, from_html};

const MAX: usize = 64 * 1024;

#[expect(clippy::disallowed_methods, reason = "a ceiling against hangs needs a clock that runs")]
fn within_seconds<T>(seconds: u64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed().as_secs() < seconds, "took {:?}", start.elapsed());
    result
}

#[test]
fn h_10_html_of_any_depth_and_any_defect_is_stripped_in_linear_time() {
    for piece in [
        "<div>",
        "</div>",
        "<",
        "<a ",
        "<a href=\"",
        "<!--",
        "<!",
        "<?",
        "<script>",
        "<style>",
        "&",
        "&#",
        "&amp",
        "<a b='x",
        "<![CDATA[",
        "<b>x",
        "&zz;",
        "<x-y ",
        "\u{200b}",
        "e\u{301}",
        "<p \"",
        "<!-- --",
        "<script></scrip",
        "-->",
        "]]>",
    ] {
        let html = piece.repeat(1_000_000 / piece.len());
        within_seconds(10, || from_html(&html, MAX));
        within_seconds(10, || clean(&html, MAX));
    }
    let deep = format!("{}core{}", "<div>".repeat(100_000), "</div>".repeat(100_000));
    assert_eq!(from_html(&deep, MAX), "core");
}

#[test]
fn h_35_what_looks_like_an_attack_becomes_the_text_that_it_is() {
    assert_eq!(from_html("Hello <script>alert(1)</script><b onclick=x>world</b>", MAX), "Hello world");
    assert_eq!(from_html("&lt;script&gt;alert(1)&lt;/script&gt;", MAX), "<script>alert(1)</script>");
    assert_eq!(from_html("<img src=x onerror=alert(1)>", MAX), "");
    assert_eq!(clean("<b>as written</b> &amp;", MAX), "<b>as written</b> &amp;");
}

#[test]
fn h_37_what_hides_or_reorders_text_is_removed() {
    let hidden = [
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{202a}',
        '\u{202b}',
        '\u{202c}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2061}',
        '\u{2064}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{206f}',
        '\u{3164}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{fffb}',
        '\u{fe00}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{e007f}',
        '\u{e0100}',
        '\u{1d173}',
        '\u{fdd0}',
        '\u{ffff}',
        '\u{10ffff}',
        '\0',
        '\u{1}',
        '\u{8}',
        '\u{1b}',
        '\u{7f}',
        '\u{80}',
        '\u{9b}',
        '\u{9f}',
    ];
    for one in hidden {
        assert_eq!(clean(&format!("ab{one}cd"), MAX), "abcd", "U+{:04X}", u32::from(one));
        assert_eq!(
            from_html(&format!("ab&#x{:x};c{one}d", u32::from(one)), MAX).replace(['€', '›', 'Ÿ'], ""),
            "abcd",
            "U+{:04X}",
            u32::from(one)
        );
    }
    assert_eq!(clean("user\u{202e}gpj.exe", MAX), "usergpj.exe");
}

#[test]
fn h_37_joiners_stay_where_a_script_needs_them() {
    assert_eq!(clean("می\u{200c}خواهم", MAX), "می\u{200c}خواهم");
    assert_eq!(clean("👩\u{200d}💻", MAX), "👩\u{200d}💻");
    assert_eq!(clean("pay\u{200d}pal \u{200c}x", MAX), "paypal x");
    assert_eq!(clean("👩\u{200d}", MAX), "👩");
    assert_eq!(clean("👩\u{200d}\u{200d}\u{200d}💻", MAX), "👩\u{200d}💻");
}

#[test]
fn white_space_of_every_kind_folds_to_one_space() {
    assert_eq!(clean("  a\t\n\r\nb\u{a0}\u{2003}c\u{2028}d\u{85}e\u{3000} ", MAX), "a b c d e");
    assert_eq!(clean("a\u{b}b\u{c}c", MAX), "a b c");
    assert_eq!(clean(" \n ", MAX), "");
}

#[test]
fn text_is_composed_and_cut_at_a_character() {
    assert_eq!(clean("Cafe\u{301}", MAX), "Café");
    assert_eq!(clean("\u{212b}", MAX), "\u{c5}");
    for max in 0..12 {
        let cut = clean("aé漢😀 b", max);
        assert!(cut.len() <= max && "aé漢😀 b".starts_with(&cut), "{max}: {cut}");
        assert!(from_html("aé漢😀 b", max).len() <= max);
    }
    let expanding = "\u{fb1d}".repeat(1000);
    assert!(clean(&expanding, 100).len() <= 100);
}

#[test]
fn cleaning_twice_changes_nothing() {
    for text in [
        "a  b",
        "\u{200b} x \u{200b}",
        "e\u{301}\u{200d}\u{301}",
        "👩\u{200d}💻 x\u{fe0f}",
        "a\u{300}\u{200b}\u{301}",
        "\u{1100}\u{200b}\u{1161}",
        "می\u{200c}خواهم ",
    ] {
        for max in [3, 7, 11, MAX] {
            let once = clean(text, max);
            assert_eq!(clean(&once, max), once, "{text:?} at {max}");
        }
    }
}
