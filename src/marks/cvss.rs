//! CVSS base scores: stated as numbers, or as vectors of CVSS 3.0 and 3.1 from which they follow.

use std::sync::LazyLock;

use regex::Regex;

/// A score that is stated beside the word CVSS. Group 1: after the word, where it says that it is a score; 2: after the word
/// and its version; 3: right after the word; 4: before the word.
static STATED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let version = r"(?:[\s:-]*\(?(?:v(?:er(?:sion)?)?\.?\s*)?[234](?:\.[01x])?\)?)";
    let number = r"(10(?:[.,]0)?|[0-9][.,][0-9]|[0-9])";
    let close = r"(?:(?-u:\b)|$)";
    let named = r"(?:[\s:-]*(?-u:\b)(?:base|temporal|severity|basis)(?-u:\b))*[\s:-]*(?-u:\b)(?:score|rating|basescore|value)s?(?-u:\b)";
    let linked = r"(?:\s*(?:[:=(]|(?-u:\b)of(?-u:\b)|(?-u:\b)is(?-u:\b)|(?-u:\b)was(?-u:\b)|(?-u:\b)rated(?-u:\b)|(?-u:\b)up\s+to(?-u:\b)|\(\s*max(?:imum)?\)?)){0,3}";
    Regex::new(&format!(
        r"(?i)(?-u:\b)CVSS{version}?{named}{version}?{linked}\s*{number}{close}|(?-u:\b)CVSS{version}(?:\s*base)?(?:\s*[:=(,-]|\s+of)?\s+{number}{close}|(?-u:\b)CVSS(?:\s+base)?\s*[:=(]?\s*{number}{close}|(?-u:\b){number}(?:\s*/\s*10(?:\.0)?)?\s*(?:on\s+the\s+|\(\s*)?CVSS(?-u:\b)"
    ))
    .ok()
});

/// The word itself: a search that is quick to say no.
static HINT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("(?i-u)cvss").ok());

/// A vector of CVSS 3.0 or 3.1.
static VECTOR: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?-u:\b)CVSS:3\.[01](?:/[A-Za-z]{1,3}:[A-Za-z])+").ok());

/// The highest score that a text states, in tenths.
pub(super) fn highest_tenths(text: &str) -> Option<u8> {
    if !HINT.as_ref()?.is_match(text) {
        return None;
    }
    let vectors = VECTOR.as_ref()?;
    let computed = vectors.find_iter(text).filter_map(|vector| base_tenths(vector.as_str())).max();
    // A vector's own version must not read as a score.
    let rest = vectors.replace_all(text, " ");
    let stated = STATED.as_ref()?.captures_iter(&rest).filter_map(|captures| {
        let (group, number) = (1..=4).find_map(|group| captures.get(group).map(|number| (group, number)))?;
        let after = rest.get(number.end()..).unwrap_or_default();
        if is_more(number.as_str(), after) || (group >= 3 && is_version(number.as_str(), after)) {
            return None;
        }
        tenths(number.as_str())
    });
    stated.max().max(computed)
}

/// Whether the number goes on after what was read of it: `9.81`, `3.1.2`, `7 %`.
fn is_more(number: &str, after: &str) -> bool {
    let mut chars = after.chars();
    match chars.next() {
        Some('.' | ',') => chars.next().is_some_and(|c| c.is_ascii_digit()),
        Some('%') => true,
        Some(c) => c.is_alphanumeric() || (c == '/' && !after.starts_with("/10")) || (number.len() == 1 && c == '-'),
        None => false,
    }
}

/// Whether a number right after the word is a version of CVSS rather than a score.
fn is_version(number: &str, after: &str) -> bool {
    matches!(number, "2" | "3" | "4" | "2.0" | "3.0" | "3.1" | "4.0") && !after.trim_start().starts_with("/10")
        || (number.len() == 1 && number != "0" && !after.trim_start().starts_with("/10"))
}

/// `9.8`, `9,8`, `10` in tenths.
fn tenths(number: &str) -> Option<u8> {
    let (whole, tenth) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let tenths = whole.parse::<u8>().ok()?.checked_mul(10)?.checked_add(tenth.parse().ok()?)?;
    (tenths <= 100).then_some(tenths)
}

/// The base score of a CVSS 3.x vector in tenths (CVSS 3.1 sections 7.1 and 7.4, appendix A for the rounding); `None`
/// where a base metric is missing, unknown or stated twice.
fn base_tenths(vector: &str) -> Option<u8> {
    let mut metrics = vector.split('/');
    metrics.next()?;
    let mut stated: Vec<(String, String)> = Vec::new();
    for metric in metrics {
        let (name, value) = metric.split_once(':')?;
        if stated.iter().any(|(other, _)| *other == name) {
            return None;
        }
        stated.push((name.to_owned(), value.to_owned()));
    }
    let value = |name: &str| stated.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let weight = |name: &str, weights: &[(&str, f64)]| {
        let value = value(name)?;
        weights.iter().find_map(|(known, weight)| (*known == value).then_some(*weight))
    };
    let is_changed = match value("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let attack = weight("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?;
    let complexity = weight("AC", &[("L", 0.77), ("H", 0.44)])?;
    let (low, high) = if is_changed { (0.68, 0.5) } else { (0.62, 0.27) };
    let privileges = weight("PR", &[("N", 0.85), ("L", low), ("H", high)])?;
    let interaction = weight("UI", &[("N", 0.85), ("R", 0.62)])?;
    let losses = [("H", 0.56), ("L", 0.22), ("N", 0.0)];
    let kept = |name: &str| weight(name, &losses).map(|loss| 1.0 - loss);
    let loss = 1.0 - kept("C")? * kept("I")? * kept("A")?;
    let impact = if is_changed { 7.52 * (loss - 0.029) - 3.25 * (loss - 0.02).powi(15) } else { 6.42 * loss };
    let exploitability = 8.22 * attack * complexity * privileges * interaction;
    if impact <= 0.0 {
        return Some(0);
    }
    let sum = impact + exploitability;
    Some(round_up((if is_changed { 1.08 * sum } else { sum }).min(10.0)))
}

/// The smallest number of tenths that is at least the score, free of the errors of binary fractions.
fn round_up(score: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the score lies within 0 and 10")]
    let units = (score * 100_000.0).round() as u32;
    u8::try_from(units.div_ceil(10_000)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_in_the_ways_people_state_them() {
        for (text, tenths) in [
            ("CVSS 9.8", 98),
            ("CVSSv3.1 base score: 7.5", 75),
            ("CVSS v3 Base Score 10.0", 100),
            ("a CVSS score of 10", 100),
            ("CVSS Score: 9.1/10", 91),
            ("(CVSS: 8,8)", 88),
            ("CVSS 3.1: 6.5", 65),
            ("CVSS:3.1 9.8", 98),
            ("CVSS v4.0 9.3", 93),
            ("CVSS (v3.1) base score of 5.4.", 54),
            ("9.8 (CVSS)", 98),
            ("scored 8.1/10 on the CVSS scale", 81),
            ("cvss3 score 7.2", 72),
            ("CVSS score: 4.0", 40),
            ("CVSS base score is 3.1", 31),
            ("CVSS scores: 5.0; CVSS score 6.1", 61),
            ("CVSS Base Score: 9.8 (CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N)", 98),
        ] {
            assert_eq!(highest_tenths(text), Some(tenths), "{text}");
        }
    }

    #[test]
    fn versions_ranks_and_other_numbers_are_no_scores() {
        for text in [
            "CVSS 3.1",
            "CVSS v4.0",
            "CVSS version 3.0 is used",
            "scored with CVSS 4",
            "CVSS:4.0/AV:N/AC:L",
            "CVSS",
            "9.8",
            "CVSS score: 11.2",
            "CVSS score: 9.81",
            "XCVSS 9.8",
            "CVSS 3.1.2",
            "CVSS score 95 %",
            "CVSS score: n/a 2099",
            "CVSS 2099",
        ] {
            assert_eq!(highest_tenths(text), None, "{text}");
        }
    }

    #[test]
    fn vectors_give_the_scores_of_the_specification() {
        for (vector, tenths) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 61),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 78),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 31),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N/E:U/RL:O", 64),
        ] {
            assert_eq!(highest_tenths(vector), Some(tenths), "{vector}");
        }
        assert_eq!(highest_tenths("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H"), None);
        assert_eq!(highest_tenths("CVSS:3.1/AV:N/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), None);
        assert_eq!(highest_tenths("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"), None);
    }
}
