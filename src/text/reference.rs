//! Character references: numbers and the names of HTML 4. No other markup is understood here.

use std::sync::LazyLock;

/// The longest reference that is looked at, in bytes after the `&`.
const LONGEST: usize = 12;

/// The named characters of HTML 4 (section 24) and `apos`: name and code point, in turn.
const NAMES: &str = "\
     AElig c6 Aacute c1 Acirc c2 Agrave c0 Alpha 391 Aring c5 Atilde c3 Auml c4 Beta 392 Ccedil c7 Chi 3a7 Dagger \
     2021 Delta 394 ETH d0 Eacute c9 Ecirc ca Egrave c8 Epsilon 395 Eta 397 Euml cb Gamma 393 Iacute cd Icirc ce \
     Igrave cc Iota 399 Iuml cf Kappa 39a Lambda 39b Mu 39c Ntilde d1 Nu 39d OElig 152 Oacute d3 Ocirc d4 Ograve \
     d2 Omega 3a9 Omicron 39f Oslash d8 Otilde d5 Ouml d6 Phi 3a6 Pi 3a0 Prime 2033 Psi 3a8 Rho 3a1 Scaron 160 \
     Sigma 3a3 THORN de Tau 3a4 Theta 398 Uacute da Ucirc db Ugrave d9 Upsilon 3a5 Uuml dc Xi 39e Yacute dd Yuml \
     178 Zeta 396 aacute e1 acirc e2 acute b4 aelig e6 agrave e0 alefsym 2135 alpha 3b1 amp 26 and 2227 ang 2220 \
     apos 27 aring e5 asymp 2248 atilde e3 auml e4 bdquo 201e beta 3b2 brvbar a6 bull 2022 cap 2229 ccedil e7 \
     cedil b8 cent a2 chi 3c7 circ 2c6 clubs 2663 cong 2245 copy a9 crarr 21b5 cup 222a curren a4 dArr 21d3 \
     dagger 2020 darr 2193 deg b0 delta 3b4 diams 2666 divide f7 eacute e9 ecirc ea egrave e8 empty 2205 emsp \
     2003 ensp 2002 epsilon 3b5 equiv 2261 eta 3b7 eth f0 euml eb euro 20ac exist 2203 fnof 192 forall 2200 \
     frac12 bd frac14 bc frac34 be frasl 2044 gamma 3b3 ge 2265 gt 3e hArr 21d4 harr 2194 hearts 2665 hellip 2026 \
     iacute ed icirc ee iexcl a1 igrave ec image 2111 infin 221e int 222b iota 3b9 iquest bf isin 2208 iuml ef \
     kappa 3ba lArr 21d0 lambda 3bb lang 2329 laquo ab larr 2190 lceil 2308 ldquo 201c le 2264 lfloor 230a lowast \
     2217 loz 25ca lrm 200e lsaquo 2039 lsquo 2018 lt 3c macr af mdash 2014 micro b5 middot b7 minus 2212 mu 3bc \
     nabla 2207 nbsp a0 ndash 2013 ne 2260 ni 220b not ac notin 2209 nsub 2284 ntilde f1 nu 3bd oacute f3 ocirc \
     f4 oelig 153 ograve f2 oline 203e omega 3c9 omicron 3bf oplus 2295 or 2228 ordf aa ordm ba oslash f8 otilde \
     f5 otimes 2297 ouml f6 para b6 part 2202 permil 2030 perp 22a5 phi 3c6 pi 3c0 piv 3d6 plusmn b1 pound a3 \
     prime 2032 prod 220f prop 221d psi 3c8 quot 22 rArr 21d2 radic 221a rang 232a raquo bb rarr 2192 rceil 2309 \
     rdquo 201d real 211c reg ae rfloor 230b rho 3c1 rlm 200f rsaquo 203a rsquo 2019 sbquo 201a scaron 161 sdot \
     22c5 sect a7 shy ad sigma 3c3 sigmaf 3c2 sim 223c spades 2660 sub 2282 sube 2286 sum 2211 sup 2283 sup1 b9 \
     sup2 b2 sup3 b3 supe 2287 szlig df tau 3c4 there4 2234 theta 3b8 thetasym 3d1 thinsp 2009 thorn fe tilde 2dc \
     times d7 trade 2122 uArr 21d1 uacute fa uarr 2191 ucirc fb ugrave f9 uml a8 upsih 3d2 upsilon 3c5 uuml fc \
     weierp 2118 xi 3be yacute fd yen a5 yuml ff zeta 3b6 zwj 200d zwnj 200c";
/// What the numbers 128 to 159 mean on the web: windows-1252 (HTML, numeric character reference end state).
const C1: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

static TABLE: LazyLock<Vec<(&'static str, char)>> = LazyLock::new(|| {
    let mut words = NAMES.split(' ');
    let mut table = Vec::with_capacity(256);
    while let (Some(name), Some(code)) = (words.next(), words.next()) {
        table.extend(u32::from_str_radix(code, 16).ok().and_then(char::from_u32).map(|named| (name, named)));
    }
    table.sort_unstable();
    table
});

/// What a reference stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A character.
    Char(char),
    /// A number that names no character: it stands for nothing.
    Nothing,
}

/// The reference that the text after an `&` begins with, and its length without the `&`.
///
/// A name needs its semicolon, a number that names a character does not. Anything else is no reference: the `&` stands for itself.
pub(crate) fn reference(after: &str) -> Option<(Reference, usize)> {
    match after.as_bytes().first()? {
        b'#' => numeric(after),
        first if first.is_ascii_alphabetic() => named(after),
        _ => None,
    }
}

fn named(after: &str) -> Option<(Reference, usize)> {
    let length = after.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let name = after.get(..length)?;
    let found = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "nbsp" => '\u{a0}',
        _ => {
            let at = TABLE.binary_search_by_key(&name, |(known, _)| known).ok()?;
            TABLE.get(at)?.1
        }
    };
    Some((Reference::Char(found), length + 1))
}

fn numeric(after: &str) -> Option<(Reference, usize)> {
    let (radix, prefix) =
        if after.as_bytes().get(1).is_some_and(|x| x.eq_ignore_ascii_case(&b'x')) { (16, 2) } else { (10, 1) };
    let digits = after.get(prefix..)?;
    let count = digits.bytes().take_while(|&digit| char::from(digit).is_digit(radix)).count();
    if count == 0 {
        return None;
    }
    let semicolon = usize::from(digits.as_bytes().get(count) == Some(&b';'));
    let code = u32::from_str_radix(digits.get(..count)?, radix).ok();
    let found = code.and_then(character).map_or(Reference::Nothing, Reference::Char);
    if found == Reference::Nothing && semicolon == 0 {
        return None;
    }
    Some((found, prefix + count + semicolon))
}

fn character(code: u32) -> Option<char> {
    match code {
        0x80..=0x9f => C1.get(usize::try_from(code - 0x80).ok()?).copied(),
        0..=8 | 0xb | 0xc | 0xe..=0x1f | 0x7f | 0xfffe | 0xffff => None,
        _ => char::from_u32(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn char_of(after: &str) -> Option<char> {
        match reference(after) {
            Some((Reference::Char(found), _)) => Some(found),
            _ => None,
        }
    }

    #[test]
    fn every_name_of_html_4_is_known() {
        assert_eq!(TABLE.len(), 253);
        assert_eq!(char_of("eacute;"), Some('é'));
        assert_eq!(char_of("zwnj;"), Some('\u{200c}'));
        assert_eq!(char_of("thetasym;"), Some('ϑ'));
    }

    #[test]
    fn numbers_mean_what_browsers_make_of_them() {
        assert_eq!(char_of("#65;"), Some('A'));
        assert_eq!(char_of("#x1F600;"), Some('😀'));
        assert_eq!(char_of("#150;"), Some('–'));
        assert_eq!(reference("#39 x"), Some((Reference::Char('\''), 3)));
        for nothing in ["#0;", "#1;", "#xD800;", "#x110000;", "#99999999999999999999;"] {
            assert_eq!(reference(nothing), Some((Reference::Nothing, nothing.len())), "{nothing}");
        }
    }

    #[test]
    fn what_only_looks_like_a_reference_is_left_alone() {
        for text in ["", " b", "foo", "foo;", "b=2", "#", "#;", "#x;", "copy", "aaaaaaaaaaaaaaaaaaaaa;", "é;"] {
            assert_eq!(reference(text), None, "{text}");
        }
    }
}
