//! What an entry states about how bad it is: CVSS base scores, a severity in words, exploitation. Nothing is inferred: a
//! product's fame, an "exploit has been published" or a "could be exploited" state nothing.
//!
//! * **Scores** stand near the word CVSS, in a text or a category: `CVSS 9.8`, `CVSSv3.1 base score: 7.5`, `CVSS score of 10`, `9.8 (CVSS)`. A version
//!   number right after the word is no score. A vector of CVSS 3.0 or 3.1 states its base score too, which is computed as
//!   section 7.1 of those specifications says; vectors of other versions are passed over. The highest counts.
//! * **Severity in words** stands where it is said to be one: `Severity: High`, `critical severity`, `rated important`, or
//!   alone in a category. `important` is high and `moderate` is medium, as vendors use them. Where a score stands it decides
//!   (CVSS 3.1 section 5).
//! * **Exploitation** is stated by the publisher's own field or by words such as "exploited in the wild", unless the same clause
//!   denies or doubts it ("no evidence of", "not aware of", "could be").

mod cvss;
mod exploited;

use std::sync::LazyLock;

use regex::Regex;

use crate::model::{
    entry::Entry,
    stack::{Marks, Severity},
};

/// What an entry states.
pub fn marks(entry: &Entry) -> Marks {
    let texts: Vec<&str> =
        [&entry.title, &entry.summary, &entry.body].into_iter().filter_map(|text| text.as_deref()).collect();
    let categories = entry.categories.iter().map(String::as_str);
    let cvss_tenths = texts.iter().copied().chain(categories).filter_map(cvss::highest_tenths).max();
    let in_words = || {
        let stated = texts.iter().filter_map(|text| stated_severity(text));
        stated.chain(entry.categories.iter().filter_map(|category| category_severity(category))).max()
    };
    Marks {
        cvss_tenths,
        severity: cvss_tenths.map_or_else(in_words, severity_of),
        exploited: entry.exploited || texts.iter().any(|text| exploited::is_stated(text)),
    }
}

/// The qualitative severity of a score in tenths (CVSS 3.1 section 5); none for 0.0.
fn severity_of(tenths: u8) -> Option<Severity> {
    match tenths {
        0 => None,
        1..=39 => Some(Severity::Low),
        40..=69 => Some(Severity::Medium),
        70..=89 => Some(Severity::High),
        _ => Some(Severity::Critical),
    }
}

/// The severity that a word stands for, vendors' words included.
fn word_severity(word: &str) -> Option<Severity> {
    if word.eq_ignore_ascii_case("important") {
        return Some(Severity::High);
    }
    if word.eq_ignore_ascii_case("moderate") {
        return Some(Severity::Medium);
    }
    Severity::parse(word)
}

/// A word of severity where it is said to be one.
static STATED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let word = "(critical|high|important|medium|moderate|low)";
    Regex::new(&format!(
        r"(?i)(?-u:\b)severity(?:\s+(?:rating|level|score))?\s*(?:[:=]|(?-u:\b)is(?-u:\b)|(?-u:\b)of(?-u:\b)|(?-u:\b)rated(?-u:\b)|\n)\s*(?:as\s+)?\W{{0,2}}{word}(?-u:\b)|(?-u:\b){word}[\s-]+severity(?-u:\b)|(?-u:\b)rated\s+(?:as\s+)?\W{{0,2}}{word}(?-u:\b)"
    ))
    .ok()
});

/// What every such statement holds: a search that is quick to say no.
static HINT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("(?i-u)severity|rated").ok());

/// The highest severity that a text states in words.
fn stated_severity(text: &str) -> Option<Severity> {
    if !HINT.as_ref()?.is_match(text) {
        return None;
    }
    let found = STATED.as_ref()?.captures_iter(text);
    found.filter_map(|captures| captures.iter().skip(1).flatten().find_map(|word| word_severity(word.as_str()))).max()
}

/// A category that is nothing but a severity: `HIGH`, `severity:high`, `Severity: Critical`.
fn category_severity(category: &str) -> Option<Severity> {
    let word = category.rsplit(['=', ':', '/']).next().unwrap_or(category).trim();
    let label = category.strip_suffix(word).unwrap_or_default().trim_end_matches(['=', ':', '/', ' ']);
    (label.is_empty() || label.eq_ignore_ascii_case("severity")).then(|| word_severity(word)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Marks {
        marks(&Entry { summary: Some(text.into()), ..Entry::default() })
    }

    #[test]
    fn a_stated_score_decides_the_severity() {
        let both = of("Severity: Low. CVSS 9.8");
        assert_eq!((both.cvss_tenths, both.severity), (Some(98), Some(Severity::Critical)));
        assert_eq!(of("CVSS score: 0.0").severity, None);
        assert_eq!(of("CVSS 3.9").severity, Some(Severity::Low));
        assert_eq!(of("CVSS 7.0").severity, Some(Severity::High));
    }

    #[test]
    fn severity_counts_only_where_it_is_said_to_be_one() {
        for (text, severity) in [
            ("Severity: High", Some(Severity::High)),
            ("Severity rating: \"Moderate\"", Some(Severity::Medium)),
            ("a critical-severity flaw", Some(Severity::Critical)),
            ("two medium severity and one high severity issue", Some(Severity::High)),
            ("rated Important by the vendor", Some(Severity::High)),
            ("rated as critical", Some(Severity::Critical)),
            ("SEVERITY=LOW", Some(Severity::Low)),
            ("Severity\n\nMedium (Moderate + Likely)", Some(Severity::Medium)),
            ("severity is high", Some(Severity::High)),
            ("critical infrastructure in high demand", None),
            ("This is important, and severity varies", None),
            ("the severity of the highland", None),
            ("underrated high", None),
        ] {
            assert_eq!(of(text).severity, severity, "{text}");
        }
    }

    #[test]
    fn a_category_may_be_a_severity() {
        let of = |category: &str| marks(&Entry { categories: vec![category.into()], ..Entry::default() }).severity;
        assert_eq!(of("HIGH"), Some(Severity::High));
        assert_eq!(of("severity:critical"), Some(Severity::Critical));
        assert_eq!(of("Severity: Moderate"), Some(Severity::Medium));
        assert_eq!(of("CVSS 9.8"), Some(Severity::Critical));
        assert_eq!(of("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), Some(Severity::Critical));
        assert_eq!(of("priority:high"), None);
        assert_eq!(of("high availability"), None);
    }

    #[test]
    fn the_publishers_own_field_states_exploitation() {
        assert!(marks(&Entry { exploited: true, ..Entry::default() }).exploited);
        assert!(!marks(&Entry::default()).exploited);
    }

    #[test]
    fn the_expressions_are_valid() {
        assert!(STATED.is_some() && HINT.is_some());
    }
}
