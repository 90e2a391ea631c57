//! What an entry states beside its marks: that there is a fix, that it is withdrawn, that it is used for ransomware.
//! Words decide, and the same clause may deny them; nothing is inferred.

use std::sync::LazyLock;

use regex::Regex;

use crate::{
    model::{digest::Fix, entry::Entry},
    text,
};

/// How far before a statement a denial is looked for, in bytes.
const CLAUSE: usize = 90;
/// What ends a clause.
const ENDS: &[&str] = &[". ", "! ", "? ", "; ", ": ", "\n", ", "];

/// Words that state a fix.
static FIX: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?-u:\b)(?:",
        r"(?:patch(?:es)?|(?:hot)?fix(?:es)?|(?:security\s+)?updates?|fixed\s+versions?)\s+(?:is|are|has\s+been|have\s+been|was|were)\s+(?:now\s+|already\s+)?(?:made\s+)?(?:available|released|published|issued)",
        r"|(?:has|have)\s+(?:now\s+|since\s+)?been\s+(?:fixed|patched|resolved|remediated)",
        r"|(?:is|are|was|were)\s+(?:now\s+)?(?:fixed|patched)\s+(?:in|with|by|as\s+of)",
        r"|(?:fixed|patched|resolved|remediated)\s+(?:in|with)\s+(?:\w+\s+){0,3}?v?(?:[0-9]|[0-9]+\.[0-9]+)",
        r"|(?:first\s+)?(?:fixed|patched)\s+versions?\s*(?:[:=]|is|are)?\s*(?:\w+\s+){0,2}?[>=v]*\s*(?:[0-9]|[0-9]+\.[0-9]+)",
        r"|(?:upgrade|update)\s+to\s+(?:\w+\s+){0,3}?v?(?:[0-9]|[0-9]+\.[0-9]+)",
        r"|(?:released|published|issued)\s+(?:an?\s+|the\s+)?(?:\w+\s+){0,2}?(?:patch(?:es)?|(?:hot)?fix(?:es)?|security\s+updates?)",
        r")(?-u:\b)"
    ))
    .ok()
});

/// What every such statement holds: a search that is quick to say no.
static FIX_HINT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("(?i-u)patch|fix|update|upgrade|remedi|resolved").ok());

/// Words before a statement, in its clause, that deny it or put it off.
static NOT_YET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?-u:\b)(?:no|not|never|without|until|unless|once|when|whether|if|will|would|shall|awaiting|pending|planned|expected|cannot|\w+n['’]t)(?-u:\b)",
    )
    .ok()
});

/// A title that begins with the word, whatever brackets or package stand before it.
static WITHDRAWN_TITLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)^(?:\[[^\]]{0,120}\]\s*|[A-Z]+-[0-9A-Za-z-]{4,40}\s*[:-]?\s*)?\W{0,4}",
        r"(?:withdrawn|rejected?|retracted|revoked|cancelled)(?-u:\b)\W{0,3}(?:$|advisory|bulletin|notice|alert|cve|[:*\])-])"
    ))
    .ok()
});

/// Sentences that state a withdrawal.
static WITHDRAWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?:(?-u:\b)(?:advisory|bulletin|alert|notice|vulnerability|candidate|record|report|entry|cve(?:\s+id)?|cve-[0-9]{4}-[0-9]{4,19})\s+",
        r"(?:\w+\s+){0,2}?(?:has\s+been|was|is|have\s+been)\s+(?:\w+\s+)?(?:withdrawn|rejected|retracted|revoked)(?-u:\b)",
        r"|\*\*\s*reject(?:ed)?\s*\*\*|(?-u:\b)reject(?:ed|ion)\s+reason\s*:)"
    ))
    .ok()
});

/// What every such statement holds.
static WITHDRAWN_HINT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("(?i-u)withdr|reject|retract|revoked|cancelled").ok());

/// Use for ransomware, as CISA's catalogue has it.
static RANSOMWARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)known\s+(?:use\s+in\s+ransomware\s+campaigns\s*:\s*known|to\s+be\s+used\s+in\s+ransomware)(?-u:\b)",
    )
    .ok()
});

/// Version numbers in a row: `9.1.4`, `v8.7.2-p1 and 9.1.4`.
static VERSIONS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?-u:\b)v?(?-u:\d){1,5}(?:\.(?-u:\d){1,6}){1,4}(?:[-._]?(?:p|rc|sp|hotfix|beta|h|u)(?-u:\d){1,4})?",
        r"(?:(?:,|,?\s+(?:and|or))\s+v?(?-u:\d){1,5}(?:\.(?-u:\d){1,6}){1,4}(?:[-._]?(?:p|rc|sp|hotfix|beta|h|u)(?-u:\d){1,4})?)*",
        r"(?-u:\b)"
    ))
    .ok()
});

/// A version that is said to fix something: `2.8.1 fixes a crash`.
static FIXES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?-u:\b)v?((?-u:\d){1,5}(?:\.(?-u:\d){1,6}){1,4}(?:[-._]?(?:p|rc|sp|hotfix|beta|h|u)(?-u:\d){1,4})?)\s+(?:fixes|patches|resolves|remediates)(?-u:\b)",
    )
    .ok()
});

/// How far after a statement its versions are looked for, in bytes.
const AFTER: usize = 60;

/// Whether an entry says that there is a fix.
pub(super) fn states_fix(entry: &Entry) -> bool {
    texts(entry).any(|text| fixes(text).next().is_some())
}

/// What an entry says of a fix: the versions that stand in the statement, or that there is one; `None`: nothing.
pub(super) fn stated_fix(entry: &Entry) -> Option<Fix> {
    let (mut versions, mut is_stated): (Vec<String>, bool) = (Vec::new(), false);
    for text in texts(entry) {
        for (start, end) in fixes(text) {
            is_stated = true;
            add_versions(versions_in(text, start, end), &mut versions);
        }
        if let Some(found) = FIXES.as_ref().filter(|_| is_match(&FIX_HINT, text) || text.contains("resolves")) {
            let stated = found.captures_iter(text).filter_map(|captures| captures.get(1));
            add_versions(stated.map(|version| version.as_str()), &mut versions);
        }
    }
    match versions.is_empty() {
        false => Some(Fix::In(versions)),
        true => is_stated.then_some(Fix::Stated),
    }
}

fn add_versions<'t>(found: impl Iterator<Item = &'t str>, versions: &mut Vec<String>) {
    for version in found {
        let version = version.trim_start_matches(['v', 'V']);
        if !versions.iter().any(|known| known == version) {
            versions.push(version.to_owned());
        }
    }
}

/// The versions that the statement between these places names, none after its clause.
fn versions_in(text: &str, start: usize, end: usize) -> impl Iterator<Item = &str> {
    let most = text.floor_char_boundary((end + AFTER).min(text.len()));
    // A statement may end in the first digit of a version.
    let rest = text.get(end..most).unwrap_or_default();
    let clause = ENDS.iter().filter_map(|mark| rest.find(mark)).filter(|at| {
        // A comma between two versions ends no clause.
        !rest
            .get(at + 2..)
            .is_some_and(|next| next.trim_start_matches(['v', 'V']).starts_with(|c: char| c.is_ascii_digit()))
    });
    let close = clause.min().map_or(most, |at| end + at);
    let row = VERSIONS.as_ref().and_then(|versions| versions.find(text.get(start..close)?));
    let named = row.map_or("", |row| row.as_str());
    named.split([',', ' ']).filter(|word| word.contains('.'))
}

/// The places of the statements of a fix that their clauses do not deny.
fn fixes(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let fix = FIX.as_ref().filter(|_| is_match(&FIX_HINT, text));
    let found = fix.into_iter().flat_map(move |fix| fix.find_iter(text));
    found
        .filter(|found| {
            let after = text.get(found.end()..).unwrap_or_default().trim_start();
            let is_denied_after = ["yet", "soon", "not"].iter().any(|word| after.starts_with(word));
            !is_denied_after && !is_match(&NOT_YET, text::clause_before(text, found.start(), CLAUSE, ENDS))
        })
        .map(|found| (found.start(), found.end()))
}

/// Whether an entry says that it is withdrawn or rejected.
pub(super) fn states_withdrawal(entry: &Entry) -> bool {
    entry.title.as_deref().is_some_and(|title| is_match(&WITHDRAWN_TITLE, title.trim()))
        || texts(entry).any(|text| {
            is_match(&WITHDRAWN_HINT, text)
                && WITHDRAWN.as_ref().is_some_and(|stated| {
                    stated.find_iter(text).any(|found| {
                        !found.as_str().to_ascii_lowercase().contains(" not ")
                            && !is_match(&NOT_YET, text::clause_before(text, found.start(), CLAUSE, ENDS))
                    })
                })
        })
}

/// Whether an entry says that it is used for ransomware.
pub(super) fn states_ransomware(entry: &Entry) -> bool {
    texts(entry).any(|text| is_match(&RANSOMWARE, text))
}

fn texts(entry: &Entry) -> impl Iterator<Item = &str> {
    [&entry.title, &entry.summary, &entry.body].into_iter().filter_map(|text| text.as_deref())
}

fn is_match(words: &LazyLock<Option<Regex>>, text: &str) -> bool {
    words.as_ref().is_some_and(|words| words.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(title: &str, text: &str) -> Entry {
        Entry { title: Some(title.into()), summary: Some(text.into()), ..Entry::default() }
    }

    #[test]
    fn the_expressions_are_valid() {
        for words in [&FIX, &FIX_HINT, &NOT_YET, &WITHDRAWN_TITLE, &WITHDRAWN, &WITHDRAWN_HINT, &RANSOMWARE] {
            assert!(words.is_some());
        }
    }

    #[test]
    fn a_fix_is_stated_by_words_that_say_it_is_there() {
        for text in [
            "A patch is available.",
            "Fixed in Quillgate 9.1.4.",
            "The flaw has been patched.",
            "Patched versions: 2.3.1",
            "Upgrade to version 2.3.1 or later.",
            "Update to libmarrow 4.2",
            "Example Corp released a security update on Monday.",
            "Security updates are now available",
            "The issue is fixed in the release of May.",
        ] {
            assert!(states_fix(&of("t", text)), "{text}");
        }
        for text in [
            "No patch is available.",
            "There is no fix. Until a patch is available, turn it off.",
            "A fix will be published soon.",
            "The flaw has not been fixed.",
            "It won't be fixed in 9.1.",
            "Patched versions: none",
            "Keep your systems updated.",
            "A prefix is available",
            "fixed income rose",
        ] {
            assert!(!states_fix(&of("t", text)), "{text}");
        }
    }

    #[test]
    fn a_withdrawal_is_stated_by_the_title_or_in_a_sentence() {
        for (title, text) in [
            ("Withdrawn: flaw in libmarrow", ""),
            ("[libmarrow] Withdrawn Advisory: flaw in libmarrow", ""),
            ("CVE-2099-10001: REJECTED", ""),
            ("WITHDRAWN", ""),
            ("t", "This advisory has been withdrawn because it is a duplicate."),
            ("t", "** REJECT ** Do not use this number."),
            ("t", "Rejected reason: not a flaw."),
            ("t", "CVE-2099-10001 was rejected by its numbering authority."),
        ] {
            assert!(states_withdrawal(&of(title, text)), "{title}: {text}");
        }
        for (title, text) in [
            ("Troops withdrawn from the region", "Money was withdrawn."),
            ("Rejected packets crash libmarrow", "The packet is rejected."),
            ("t", "This advisory was not withdrawn."),
            ("t", "A claim that this advisory will be withdrawn"),
        ] {
            assert!(!states_withdrawal(&of(title, text)), "{title}: {text}");
        }
    }

    #[test]
    fn a_fix_names_the_versions_of_its_own_statement_and_no_others() {
        let fixed = |versions: &[&str]| Some(Fix::In(versions.iter().map(|one| (*one).to_owned()).collect()));
        for (text, stated) in [
            ("Fixed in 9.1.4.", fixed(&["9.1.4"])),
            (
                "All 9.x before 9.1.4 let anybody in. Upgrade to version 9.1.4 or 8.7.2-p1.",
                fixed(&["9.1.4", "8.7.2-p1"]),
            ),
            ("Fixed in v9.1.4, 8.7.2 and 7.0.1; 6.2.0 is not maintained.", fixed(&["9.1.4", "8.7.2", "7.0.1"])),
            ("Fixed in 9.1.4, all versions since 8.0.0 are concerned", fixed(&["9.1.4"])),
            ("libmarrow 2.8.1 fixes a crash", fixed(&["2.8.1"])),
            ("Patched versions: 1.2.3", fixed(&["1.2.3"])),
            ("Update to 10.2.0 from 9.1.3 now", fixed(&["10.2.0"])),
            ("Fixed in 9.1.4. It was fixed in 9.1.4", fixed(&["9.1.4"])),
            ("A patch is available.", Some(Fix::Stated)),
            ("Fixed in build 7", Some(Fix::Stated)),
            ("Fixed in 10.2.0 and 22.04.1", fixed(&["10.2.0", "22.04.1"])),
            ("It has been fixed. Version 9.1.3 is concerned", Some(Fix::Stated)),
            ("It is not yet fixed in 9.1.4", None),
            ("Versions before 9.1.4 are concerned", None),
            ("No patch is available", None),
            ("", None),
        ] {
            assert_eq!(stated_fix(&of("t", text)), stated, "{text}");
        }
    }

    #[test]
    fn use_for_ransomware_is_what_the_catalogue_says_of_it() {
        assert!(states_ransomware(&of("t", "Known use in ransomware campaigns: Known")));
        assert!(!states_ransomware(&of("t", "Known use in ransomware campaigns: Unknown")));
    }
}
