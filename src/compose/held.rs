//! What a digest says of a flood: how many entries, how many are usual, what was mailed all the same, and where it is
//! decided. Wording only.

use super::{
    links::Judge,
    words::{count, cut, grouped},
};
use crate::model::flood::HeldFlood;

/// The longest name of a feed or component, in characters.
const MAX_NAME: usize = 80;
/// How many components are named.
const NAMED: usize = 8;

/// A flood in words.
#[derive(Debug)]
pub(super) struct Held {
    /// What is held, in sentences.
    pub words: String,
    /// The words of the link to its page.
    pub decide: String,
    /// Where that link leads.
    pub url: String,
}

/// Puts a flood into words; `link` answers the mail that it stands in.
pub(super) fn held(flood: &HeldFlood, link: &str, judge: &Judge) -> Held {
    let name = judge.defang(cut(&flood.feed, MAX_NAME));
    let mut words = format!("{name} {}", brought(flood.entries + flood.sent, flood.usual, flood.has_changed));
    words.push(' ');
    words.push_str(&mailed(flood.sent));
    if let Some(matched) = matched(&flood.matched) {
        words.push_str(&judge.defang(format!(" {matched}")));
    }
    Held {
        words,
        decide: format!("Decide what becomes of {}", them(flood.entries)),
        url: format!("{link}/held/{}", flood.flood),
    }
}

fn them(entries: usize) -> String {
    if entries == 1 { "it".to_owned() } else { format!("the {}", grouped(entries as u64)) }
}

/// `brought 10,000 new entries; usually it brings at most 12 at once.`; `has_changed`: some of them are old ones.
pub(crate) fn brought(entries: usize, usual: usize, has_changed: bool) -> String {
    let entries = if has_changed {
        count(entries, "new or changed entry", "new or changed entries")
    } else {
        count(entries, "new entry", "new entries")
    };
    format!("brought {entries}; usually it brings at most {} at once.", grouped(usual as u64))
}

/// What was mailed of a flood.
pub(crate) fn mailed(sent: usize) -> String {
    match sent {
        0 => "They are held: recorded, and none of them mailed.".to_owned(),
        1 => "They are held: recorded and not mailed, but for 1 that is exploited and about the stack.".to_owned(),
        n => format!(
            "They are held: recorded and not mailed, but for {} that are exploited and about the stack.",
            grouped(n as u64)
        ),
    }
}

/// Which components the held entries are about.
pub(crate) fn matched(matched: &[(String, usize)]) -> Option<String> {
    if matched.is_empty() {
        return None;
    }
    let shown = matched.iter().take(NAMED);
    let mut named: Vec<String> =
        shown.map(|(name, n)| format!("{} {}", cut(name, MAX_NAME), grouped(*n as u64))).collect();
    if matched.len() > NAMED {
        named.push(format!("and {} more", count(matched.len() - NAMED, "component", "components")));
    }
    Some(format!("Matches among them: {}.", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::FloodNo;

    const LINK: &str = "https://sigtrail.example.com/a/token";

    fn flood(entries: usize, sent: usize) -> HeldFlood {
        HeldFlood {
            feed: "Example CERT".to_owned(),
            entries,
            usual: 12,
            sent,
            has_changed: false,
            matched: vec![("Quillgate VPN".to_owned(), 40), ("libmarrow".to_owned(), 2)],
            flood: FloodNo(1),
        }
    }

    #[test]
    fn h_43_a_flood_is_one_line_with_its_count_the_usual_and_one_decision() {
        let judge = Judge::new(LINK);
        let line = held(&flood(10_000, 0), LINK, &judge);
        assert_eq!(
            line.words,
            "Example CERT brought 10,000 new entries; usually it brings at most 12 at once. They are held: recorded, and none of \
             them mailed. Matches among them: Quillgate VPN 40, libmarrow 2."
        );
        assert_eq!(line.decide, "Decide what becomes of the 10,000");
        assert_eq!(line.url, "https://sigtrail.example.com/a/token/held/1");
        let with_urgent = held(&flood(9_998, 2), LINK, &judge);
        assert!(with_urgent.words.contains("brought 10,000 new entries"), "{}", with_urgent.words);
        assert!(with_urgent.words.contains("but for 2 that are exploited"), "{}", with_urgent.words);
    }
}
