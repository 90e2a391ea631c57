//! Advisory identifiers in text: CVE, GHSA and those of the common national teams, vendors and distributions.
//! What an identifier means for stories is `story`'s business; nothing here looks anything up.
//!
//! An identifier counts as a whole token only: no letter or digit touches it on either side, so `XCVE-2099-10001`
//! holds none, while links, brackets and hyphenated file names do. The typographic hyphens U+2010 to U+2015, which
//! publishers put into identifiers so that they do not break, read as `-`. One pass, linear in the text.

use std::{borrow::Cow, collections::HashSet, fmt, sync::LazyLock};

use regex::Regex;

use crate::tag::is_unspaced;

/// The longest identifier that is recognised, in bytes.
const MAX_LEN: usize = 96;
/// The longest run of letters and digits before the first separator of an identifier, in bytes.
const MAX_HEAD: usize = 12;

/// An identifier in its canonical spelling: the one that its issuer uses, whatever the case of the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvisoryId(String);

impl AdvisoryId {
    /// The canonical text: `CVE-2099-10001`, `GHSA-jfh8-c2jp-5v3q`, `cisco-sa-example-dos-a1b2c3`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a CVE identifier.
    pub fn is_cve(&self) -> bool {
        self.0.starts_with("CVE-")
    }

    /// Who numbers it: the letters before the first separator or digit, `CVE`, `GHSA`, `cisco`.
    pub fn family(&self) -> &str {
        self.0.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default()
    }

    /// The identifier that this text is, and nothing else; the inverse of [`AdvisoryId::as_str`].
    pub fn parse(text: &str) -> Option<AdvisoryId> {
        let mut found = ids(text).into_iter();
        let first = found.next()?;
        (found.next().is_none() && first.0.len() == text.len()).then_some(first)
    }
}

impl fmt::Display for AdvisoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an issuer writes its identifiers.
#[derive(Debug, Clone, Copy)]
enum Spelling {
    /// All capitals.
    Upper,
    /// All small.
    Lower,
    /// This head as it stands, the rest small.
    SmallAfter(&'static str),
    /// This head as it stands, the rest in capitals.
    CapitalAfter(&'static str),
}

/// One family: the letters before the first digit or separator, what follows them, and the issuer's spelling.
struct Family {
    head: &'static str,
    rest: &'static str,
    spelling: Spelling,
}

const fn family(head: &'static str, rest: &'static str, spelling: Spelling) -> Family {
    Family { head, rest, spelling }
}

use Spelling::{CapitalAfter, Lower, SmallAfter, Upper};

const YEAR: &str = "(?:19|20)[0-9]{2}";

/// Every family that is known. `Y` in a pattern stands for a year of four digits.
const FAMILIES: &[Family] = &[
    // Numbering systems of everybody. A CVE number has 4 to 19 digits (CVE record format 5).
    family("cve", "-Y-[0-9]{4,19}", Upper),
    family("ghsa", "-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}", SmallAfter("GHSA")),
    family("gcve", "-[0-9]{1,6}-Y-[0-9]{1,19}", Upper),
    family("euvd", "-Y-[0-9]{1,19}", Upper),
    family("vu", "#[0-9]{4,9}", Upper),
    family("zdi", "-(?:[0-9]{2}-[0-9]{3,5}|can-[0-9]{3,6})", Upper),
    family("osv", "-Y-[0-9]{1,9}", Upper),
    family("mal", "-Y-[0-9]{1,9}", Upper),
    // National teams.
    family("wid", "-sec-(?:w-)?Y-[0-9]{3,5}", Upper),
    family("certfr", "-Y-[a-z]{3}-[0-9]{3,4}", Upper),
    family("ncsc", "-Y-[0-9]{4}", Upper),
    family("icsa", "-[0-9]{2}-[0-9]{3}-[0-9]{1,3}[a-z]?", Upper),
    family("icsma", "-[0-9]{2}-[0-9]{3}-[0-9]{1,3}[a-z]?", Upper),
    family("aa", "[0-9]{2}-[0-9]{3}[a-z]", Upper),
    family("jvn", "#[0-9]{8}", Upper),
    family("jvnvu", "#[0-9]{8}", Upper),
    family("jvnta", "#[0-9]{8}", Upper),
    family("jvndb", "-Y-[0-9]{6}", Upper),
    family("cnvd", "-Y-[0-9]{4,7}", Upper),
    family("cnnvd", "-[0-9]{6}-[0-9]{3,6}", Upper),
    family("bdu", ":Y-[0-9]{5}", Upper),
    family("vde", "-Y-[0-9]{3}", Upper),
    // Languages and their registries.
    family("rustsec", "-Y-[0-9]{4}", Upper),
    family("pysec", "-Y-[0-9]{1,6}", Upper),
    family("go", "-Y-[0-9]{4}", Upper),
    // Distributions.
    family("rhsa", "-Y:[0-9]{3,6}", Upper),
    family("rhba", "-Y:[0-9]{3,6}", Upper),
    family("rhea", "-Y:[0-9]{3,6}", Upper),
    family("alsa", "-Y:[0-9]{3,6}", Upper),
    family("rlsa", "-Y:[0-9]{3,6}", Upper),
    family("elsa", "-Y-[0-9]{3,6}", Upper),
    family("usn", "-[0-9]{1,5}-[0-9]{1,2}", Upper),
    family("dsa", "-[0-9]{3,5}-[0-9]{1,3}", Upper),
    family("dla", "-[0-9]{1,5}-[0-9]{1,2}", Upper),
    family("glsa", "-[0-9]{6}-[0-9]{2}", Upper),
    family("suse", "-(?:su|ru)-Y:[0-9]{3,6}-[0-9]{1,2}", Upper),
    family("opensuse", "-(?:su|ru)-Y:[0-9]{3,6}-[0-9]{1,2}", CapitalAfter("openSUSE")),
    family("alas", "(?:2|Y)?-Y-[0-9]{1,5}", Upper),
    family("mgasa", "-Y-[0-9]{4}", Upper),
    family("fedora", "-Y-[0-9a-f]{10}", SmallAfter("FEDORA")),
    // Vendors.
    family("cisco", "-sa-[a-z0-9]+(?:-[a-z0-9]+)*", Lower),
    family("fg", "-ir-[0-9]{2}-[0-9]{3}", Upper),
    family("ssa", "-[0-9]{6}", Upper),
    family("ms", "[0-9]{2}-[0-9]{3}", Upper),
    family("adv", "[0-9]{6}", Upper),
    family("apsb", "[0-9]{2}-[0-9]{2,3}", Upper),
    family("apsa", "[0-9]{2}-[0-9]{2}", Upper),
    family("vmsa", "-Y-[0-9]{4}(?:\\.[0-9]{1,2})?", Upper),
    family("ntap", "-[0-9]{8}-[0-9]{4}", Upper),
    family("intel", "-sa-[0-9]{5}", Upper),
    family("amd", "-sb-[0-9]{4,5}", Upper),
    family("pan", "-sa-Y-[0-9]{4}", Upper),
    family("mfsa", "-?Y-[0-9]{2,3}", Upper),
    family("snwlid", "-Y-[0-9]{4}", Upper),
    family("xsa", "-[0-9]{2,4}", Upper),
    family("talos", "-Y-[0-9]{4}", Upper),
    family("svd", "-Y-[0-9]{4}", Upper),
    family("qsa", "-[0-9]{2}-[0-9]{2}", Upper),
    family("sa", "-(?:core|contrib)-Y-[0-9]{3}", Upper),
];

/// One expression per family, anchored at its head; `None` where it cannot be built, which a test rules out.
static PATTERNS: LazyLock<Vec<Option<Regex>>> = LazyLock::new(|| {
    FAMILIES
        .iter()
        .map(|family| {
            let rest = family.rest.replace('Y', YEAR);
            Regex::new(&format!("(?i-u)^{}{rest}", family.head)).ok()
        })
        .collect()
});

/// The identifiers that a text names, in order of appearance, each once, in canonical spelling.
pub fn ids(text: &str) -> Vec<AdvisoryId> {
    let text = with_plain_hyphens(text);
    let mut found: Vec<AdvisoryId> = Vec::new();
    let mut seen: HashSet<AdvisoryId> = HashSet::new();
    let mut from = 0;
    while let Some((start, family)) = next_head(&text, from) {
        from = start + 1;
        let Some(id) = read(&text, start, family) else { continue };
        from = start + id.0.len().max(1);
        if seen.insert(id.clone()) {
            found.push(id);
        }
    }
    found
}

/// The text with every typographic hyphen as `-`; borrowed when there is none.
fn with_plain_hyphens(text: &str) -> Cow<'_, str> {
    let is_hyphen = |c: char| ('\u{2010}'..='\u{2015}').contains(&c);
    // All of them begin with this byte in UTF-8.
    if !text.as_bytes().contains(&0xE2) || !text.contains(is_hyphen) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(is_hyphen, "-"))
}

/// How many bytes are looked at together: a loop of known length without a way out, which becomes one of vectors.
const STRIDE: usize = 64;

/// Whether a letter is followed by what may stand behind an identifier's head.
#[expect(clippy::needless_bitwise_bool, reason = "without a branch, the loop over it becomes one of vectors")]
fn is_turn((letter, next): (&u8, &u8)) -> bool {
    letter.is_ascii_alphabetic() & ((*next == b'-') | (*next == b'#') | (*next == b':') | next.is_ascii_digit())
}

/// The place at or after `from` of the next letter that is followed by what may stand behind an identifier's head.
fn next_turn(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let (letters, nexts) = (bytes.get(at..)?, bytes.get(at + 1..)?);
        if let (Some(letters), Some(nexts)) = (letters.first_chunk::<STRIDE>(), nexts.first_chunk::<STRIDE>())
            && !letters.iter().zip(nexts).map(is_turn).fold(false, |any, one| any | one)
        {
            at += STRIDE;
            continue;
        }
        let found = letters.iter().zip(nexts).take(STRIDE).position(is_turn);
        match found {
            Some(offset) => return Some(at + offset),
            None if nexts.len() < STRIDE => return None,
            None => at += STRIDE,
        }
    }
}

/// The next token at or after `from` that begins like an identifier: where it begins and of which family.
fn next_head(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        let separator = next_turn(bytes, at)? + 1;
        at = separator;
        let letters = bytes.get(..separator)?.iter().rev().take(MAX_HEAD + 1).take_while(|b| b.is_ascii_alphabetic());
        let start = separator - letters.count();
        if start < from || is_inside_word(text, start) {
            continue;
        }
        if let Some(family) = text.get(start..separator).and_then(family_of) {
            return Some((start, family));
        }
    }
}

/// The family whose head this is.
fn family_of(head: &str) -> Option<usize> {
    FAMILIES.iter().position(|family| family.head.eq_ignore_ascii_case(head))
}

/// Whether a letter or digit stands right before this place.
fn is_inside_word(text: &str, start: usize) -> bool {
    let before = text.get(..start).and_then(|before| before.chars().next_back());
    before.is_some_and(|c| c.is_ascii_alphanumeric() || (c.is_alphabetic() && !is_unspaced(c)))
}

/// The identifier of this family that begins here, if one does.
fn read(text: &str, start: usize, family: usize) -> Option<AdvisoryId> {
    let mut end = text.len().min(start + MAX_LEN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let token = PATTERNS.get(family)?.as_ref()?.find(text.get(start..end)?)?.as_str();
    let after = text.get(start + token.len()..).and_then(|after| after.chars().next());
    if after.is_some_and(|c| c.is_ascii_alphanumeric() || (c.is_alphabetic() && !is_unspaced(c))) {
        return None;
    }
    Some(AdvisoryId(spelled(token, FAMILIES.get(family)?)))
}

/// The token in its issuer's spelling.
fn spelled(token: &str, family: &Family) -> String {
    let tail = token.get(family.head.len()..).unwrap_or_default();
    match family.spelling {
        Upper => token.to_ascii_uppercase(),
        Lower => token.to_ascii_lowercase(),
        SmallAfter(head) => format!("{head}{}", tail.to_ascii_lowercase()),
        CapitalAfter(head) => format!("{head}{}", tail.to_ascii_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        ids(text).into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn every_family_has_a_working_expression() {
        assert!(PATTERNS.iter().all(Option::is_some));
    }

    #[test]
    fn ids_come_in_order_once_each_and_in_canonical_case() {
        let text = "Fixes cve-2099-10007 (GHSA-JFH8-C2JP-5V3Q), CVE-2099-0001; see CVE-2099-10007.";
        assert_eq!(found(text), ["CVE-2099-10007", "GHSA-jfh8-c2jp-5v3q", "CVE-2099-0001"]);
    }

    #[test]
    fn a_cve_number_has_four_to_nineteen_digits() {
        assert_eq!(found("CVE-2099-123"), Vec::<String>::new());
        assert_eq!(found("CVE-2099-1234567890123456789"), ["CVE-2099-1234567890123456789"]);
        assert_eq!(found("CVE-2099-12345678901234567890"), Vec::<String>::new());
        assert_eq!(found("CVE-1-1234 CVE-3099-1234"), Vec::<String>::new());
    }

    #[test]
    fn only_whole_tokens_count() {
        assert_eq!(found("XCVE-2099-10001 CVE-2099-10001b éCVE-2099-10001"), Vec::<String>::new());
        assert_eq!(found("https://example.com/CVE-2099-10001.html"), ["CVE-2099-10001"]);
        assert_eq!(found("poc_CVE-2099-10001-fix"), ["CVE-2099-10001"]);
        assert_eq!(found("脆弱性CVE-2099-10001について"), ["CVE-2099-10001"]);
    }

    #[test]
    fn typographic_hyphens_are_hyphens() {
        assert_eq!(
            found("CVE\u{2011}2099\u{2011}10001 and CVE\u{2013}2099\u{2013}10002"),
            ["CVE-2099-10001", "CVE-2099-10002"]
        );
    }

    #[test]
    fn the_families_of_teams_vendors_and_distributions_are_known() {
        for id in [
            "RHSA-2099:0123",
            "RHBA-2099:4567",
            "USN-9999-1",
            "DSA-9999-1",
            "DLA-9999-1",
            "cisco-sa-example-dos-a1b2c3",
            "ADV990001",
            "MS99-001",
            "RUSTSEC-2099-0001",
            "PYSEC-2099-12",
            "GCVE-1-2099-0001",
            "EUVD-2099-12345",
            "WID-SEC-2099-0123",
            "CERTFR-2099-AVI-0123",
            "VU#999999",
            "ZDI-99-123",
            "ZDI-CAN-99999",
            "FG-IR-99-123",
            "ICSA-99-123-01",
            "ICSMA-99-123-01",
            "SSA-999999",
            "GO-2099-0001",
            "ALAS-2099-123",
            "ALAS2-2099-123",
            "ALAS2023-2099-123",
            "JVN#99999999",
            "JVNVU#99999999",
            "JVNDB-2099-000001",
            "CNVD-2099-12345",
            "BDU:2099-00001",
            "ELSA-2099-1234",
            "GLSA-209901-01",
            "SUSE-SU-2099:0123-1",
            "openSUSE-SU-2099:0123-1",
            "FEDORA-2099-0123456789",
            "APSB99-01",
            "VMSA-2099-0001",
            "VMSA-2099-0001.1",
            "NTAP-20990101-0001",
            "INTEL-SA-99999",
            "PAN-SA-2099-0001",
            "XSA-999",
            "TALOS-2099-1234",
            "AA99-001A",
            "SA-CORE-2099-001",
            "NCSC-2099-0001",
            "MAL-2099-1234",
        ] {
            assert_eq!(found(&format!("see {id}, please")), [id]);
            assert_eq!(AdvisoryId::parse(id).map(|id| id.0).as_deref(), Some(id));
            assert_eq!(found(&id.to_lowercase()), [id]);
        }
    }

    #[test]
    fn look_alikes_are_no_ids() {
        for text in
            ["DSA-2048", "CWE-79", "go-live", "GO-2", "SA-1", "ms-dos", "AA-12", "cisco-sa-", "vu-12", "x:1", "-"]
        {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn hostile_text_is_read_in_linear_time() {
        for piece in ["CVE-", "cisco-sa-a-", "--------", "GHSA-aaaa-", "1", "cve-2099-1234567890"] {
            let text = piece.repeat(1_000_000 / piece.len());
            assert!(found(&text).len() <= 1, "{piece}");
        }
    }
}
