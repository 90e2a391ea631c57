//! Regular expressions that people write in the configuration: what is allowed, compiled with limits so that
//! neither compiling nor searching can run away.

use regex::{Error, Regex, RegexBuilder};

/// The longest expression, in bytes.
const MAX_TEXT: usize = 1_000;
/// The most memory that a compiled expression may take, in bytes.
const MAX_COMPILED: usize = 1 << 20;
/// The most memory that its search may keep, in bytes.
const MAX_CACHE: usize = 1 << 20;
/// How deep its groups may be nested.
const MAX_NESTING: u32 = 50;

/// Whether an expression can be used; if not, why, in words for the person who wrote it.
pub fn check_regex(pattern: &str) -> Result<(), String> {
    compiled(pattern).map(|_| ())
}

/// Compiles an expression within the limits.
pub(super) fn compiled(pattern: &str) -> Result<Regex, String> {
    if pattern.trim().is_empty() {
        return Err("the expression is empty".to_owned());
    }
    if pattern.len() > MAX_TEXT {
        return Err(format!(
            "the expression has {} bytes, more than {MAX_TEXT}; split it into several terms",
            pattern.len()
        ));
    }
    let built = RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_CACHE)
        .nest_limit(MAX_NESTING)
        .build()
        .map_err(|error| reason(&error))?;
    if built.is_match("") {
        return Err("the expression matches the empty text, so it would be found everywhere".to_owned());
    }
    Ok(built)
}

/// The crate's message in one line: it draws the expression with a caret, and the last line says what is wrong.
fn reason(error: &Error) -> String {
    match error {
        Error::CompiledTooBig(limit) => {
            format!("the expression needs more than {} KiB when compiled; use smaller repetitions", limit / 1024)
        }
        other => {
            let text = other.to_string();
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let said = last.trim().trim_start_matches("error: ").to_owned();
            if said.contains("look-around") || said.contains("backreference") {
                format!("{said}; only what can be searched in linear time is")
            } else {
                said
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_44_expressions_that_would_run_away_are_refused_with_a_reason() {
        let deep = format!("{}a{}", "(".repeat(300), ")".repeat(300));
        let long = "a".repeat(1_000_000);
        for (pattern, said) in [
            ("(?:a{1000}){1000}", "KiB when compiled"),
            ("((a{100}){100}){100}", "KiB when compiled"),
            (r"\w{1000}", "KiB when compiled"),
            (r"\pL{500}\pN{500}", "KiB when compiled"),
            (deep.as_str(), "nest"),
            (long.as_str(), "more than 1000"),
            ("a*", "empty text"),
            ("", "is empty"),
            ("  ", "is empty"),
            ("x?|y", "empty text"),
            ("(", "unclosed group"),
            ("[a", "unclosed character class"),
            ("a{2", "unclosed counted repetition"),
            (r"(?=a)b", "look-around"),
            (r"(a)\1", "backreference"),
            ("*a", "repetition operator missing expression"),
            (r"\p{NoSuchThing}", "Unicode property not found"),
            ("a{3,1}", "invalid repetition"),
            ("(?P<n>a)(?P<n>b)", "duplicate"),
            ("[z-a]", "invalid character class range"),
        ] {
            let refusal = check_regex(pattern).unwrap_err();
            assert!(refusal.contains(said), "{}: {refusal}", pattern.get(..40).unwrap_or(pattern));
            assert!(!refusal.contains('\n'));
        }
    }

    #[test]
    fn h_44_searching_is_linear_in_the_text() {
        let text = "a".repeat(1 << 20);
        for pattern in
            ["(a+)+b", "(a|aa)+b", "(a|a)*b", "a{50}b", "(?:a?){30}a{30}b", "(.*)(.*)(.*)(.*)b", r"(\w+\s?)+b"]
        {
            let regex = compiled(pattern).unwrap();
            assert!(!regex.is_match(&text), "{pattern}");
        }
    }

    #[test]
    fn ordinary_expressions_pass() {
        for pattern in [r"openssl-[0-9.]+", r"(?i)\bkb[0-9]{7}\b", r"CVE-20\d\d-\d{4,19}", r"^\[.+\] foo"] {
            assert_eq!(check_regex(pattern), Ok(()));
        }
    }
}
