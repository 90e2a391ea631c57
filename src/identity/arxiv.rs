//! Identifiers of arXiv, whose version is no part of an identity: `2601.01234v2` replaces `2601.01234v1`. The forms are those
//! of arXiv's own feeds: `http://arxiv.org/abs/2601.01234v2`, `oai:arXiv.org:2601.01234v2`, and the older
//! `quant-ph/0201082v1`. Nothing else is taken for one.

/// A paper of arXiv, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paper {
    /// Its number without the version: `2601.01234`, `quant-ph/0201082`.
    pub(super) number: String,
    /// The version, 0 where none is stated.
    pub(super) version: u32,
}

/// The paper that an identifier or a link of arXiv names.
pub(super) fn paper(text: &str) -> Option<Paper> {
    let text = text.trim();
    let number = match strip_prefix(text, "oai:arxiv.org:") {
        Some(number) => number,
        None => page(text)?,
    };
    let (number, version) = versioned(number);
    is_number(number).then(|| Paper { number: number.to_ascii_lowercase(), version })
}

/// A link to a paper without its version; `None` for every other link.
pub(super) fn link_without_version(link: &str) -> Option<String> {
    let paper = paper(link)?;
    (!link.contains("oai:")).then(|| format!("https://arxiv.org/abs/{}", paper.number))
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = (text.get(..prefix.len())?, text.get(prefix.len()..)?);
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// What follows `arxiv.org/abs/` (or the name of a mirror before it) in an address.
fn page(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (host, path) = rest.split_once('/')?;
    let host = host.to_ascii_lowercase();
    (host == "arxiv.org" || host.ends_with(".arxiv.org")).then_some(())?;
    let number = path.strip_prefix("abs/").or_else(|| path.strip_prefix("pdf/"))?;
    let number = number.split(['?', '#']).next().unwrap_or(number).trim_end_matches('/');
    Some(number.strip_suffix(".pdf").unwrap_or(number))
}

/// A number and the version behind it.
fn versioned(number: &str) -> (&str, u32) {
    let digits = number.trim_end_matches(|one: char| one.is_ascii_digit());
    let before = digits.strip_suffix(['v', 'V']).filter(|before| before.ends_with(|one: char| one.is_ascii_digit()));
    match (before, number.get(digits.len()..).and_then(|version| version.parse().ok())) {
        (Some(before), Some(version)) => (before, version),
        _ => (number, 0),
    }
}

/// `YYMM.NNNN`, `YYMM.NNNNN` or `archive.XX/YYMMNNN`.
fn is_number(text: &str) -> bool {
    let digits = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let Some((month, number)) = text.split_once('.')
        && digits(month, 4..=4)
    {
        return digits(number, 4..=5);
    }
    text.split_once('/').is_some_and(|(archive, number)| {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'.');
        (2..=20).contains(&archive.len()) && archive.bytes().all(is_letter) && digits(number, 7..=7)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_is_known_in_every_form_and_nothing_else_is_one() {
        for (text, number, version) in [
            ("http://arxiv.org/abs/2601.01234v2", "2601.01234", 2),
            ("https://arxiv.org/abs/2601.01234", "2601.01234", 0),
            ("https://export.arxiv.org/abs/2601.01234v12?context=cs", "2601.01234", 12),
            ("https://arxiv.org/pdf/2601.01234v1.pdf", "2601.01234", 1),
            ("oai:arXiv.org:2601.01234v1", "2601.01234", 1),
            ("http://arxiv.org/abs/quant-ph/0201082v1", "quant-ph/0201082", 1),
            ("oai:arXiv.org:math.GT/0309136", "math.gt/0309136", 0),
            ("oai:arXiv.org:0704.0001v3", "0704.0001", 3),
        ] {
            assert_eq!(paper(text), Some(Paper { number: number.into(), version }), "{text}");
        }
        for text in [
            "https://arxiv.example/abs/2601.01234v2",
            "https://notarxiv.org/abs/2601.01234v2",
            "https://arxiv.org/list/cs.CR/recent",
            "https://arxiv.org/abs/",
            "2601.01234v2",
            "oai:other.example:2601.01234v2",
            "https://cert.example/advisory-1v2",
            "oai:arXiv.org:\u{e9}",
            "",
        ] {
            assert_eq!(paper(text), None, "{text}");
        }
    }

    #[test]
    fn a_link_loses_its_version_only_at_arxiv() {
        let folded = link_without_version("http://arxiv.org/abs/2601.01234v2");
        assert_eq!(folded.as_deref(), Some("https://arxiv.org/abs/2601.01234"));
        assert_eq!(link_without_version("https://cert.example/abs/2601.01234v2"), None);
    }
}
