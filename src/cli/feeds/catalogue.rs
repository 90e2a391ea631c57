//! `sigtrail feeds catalogue`: the built-in list of sources, all of it or what has these words. Needs no configuration and
//! no state.

use std::io::Write;

use crate::{
    catalogue::{self, Listed, Standing},
    cli::{
        failure::Failure,
        table::{count, rendered, table, width},
    },
};

/// So many sources or fewer are shown with everything that is known of them.
const IN_FULL: usize = 3;

/// The sources in which all of these words stand.
pub fn run(text: &str, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    // Who types an identifier means that one, wherever else the word may stand.
    let found = catalogue::find(text).map_or_else(|| catalogue::search(text), |one| vec![one]);
    if json {
        for listed in found {
            let line = serde_json::to_string(listed).map_err(|error| Failure::Output(error.into()))?;
            writeln!(out, "{line}")?;
        }
        return Ok(0);
    }
    write!(out, "{}", report(text, &found, width()))?;
    Ok(0)
}

fn report(text: &str, found: &[&Listed], width: Option<u16>) -> String {
    let total = count(catalogue::all().len(), "source", "sources");
    if found.is_empty() {
        return format!("no source with `{text}` among {total}; try one word, or none\n");
    }
    if found.len() <= IN_FULL {
        return found.iter().map(|listed| in_full(listed)).collect::<Vec<_>>().join("\n");
    }
    let mut shown = table(&["ID", "NAME", "KIND", "FORMAT", "SURE", "ABOUT"], width);
    for listed in found {
        let format = if listed.url.is_some() { listed.format.as_str() } else { "no feed" };
        let sure = if listed.url.is_some() { listed.status.as_str() } else { "" };
        shown.add_row([&listed.id, &listed.name, &listed.kind, format, sure, &listed.about]);
    }
    let without = found.iter().filter(|listed| listed.status == Standing::NoFeed).count();
    format!(
        "{}{} of {total}, {without} without a feed. A: a maintained project ships it; B: in several public lists; \
         C: test it first.\nOne in full: sigtrail feeds catalogue ID; whether it answers: sigtrail feeds test ID\n",
        rendered(&shown),
        found.len()
    )
}

/// Everything about one source, a line for each thing.
fn in_full(listed: &Listed) -> String {
    let sure = match listed.status {
        Standing::Shipped => "A, a maintained project ships it or the site makes it by rule",
        Standing::Common => "B, it is in several public lists",
        Standing::Unsure => "C, nobody vouches for it: test it first",
        Standing::NoFeed => "",
    };
    let format = if listed.url.is_some() { listed.format.as_str() } else { "" };
    let group = format!("{} ({}), {}", listed.group_name, listed.group_id, listed.kind);
    let lines = [
        ("name", listed.name.as_str()),
        ("about", &listed.about),
        ("url", listed.url.as_deref().unwrap_or_default()),
        ("format", format),
        ("sure", sure),
        ("group", &group),
        ("home", listed.group_url.as_deref().unwrap_or_default()),
        ("reason", &listed.reason),
        ("every", listed.every.as_deref().unwrap_or_default()),
        ("unmatched", listed.unmatched.as_deref().unwrap_or_default()),
        ("note", &listed.note),
        ("instead", &listed.instead),
    ];
    let said = lines.into_iter().filter(|(_, text)| !text.is_empty());
    said.fold(format!("{}\n", listed.id), |told, (label, text)| format!("{told}  {label:<10}{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        report(text, &catalogue::search(text), None)
    }

    #[test]
    fn the_whole_list_is_a_table_with_one_line_for_each_source() {
        let all = shown("");
        assert!(all.starts_with("ID "), "{all}");
        assert_eq!(all.lines().count(), catalogue::all().len() + 3);
        assert!(all.lines().any(|line| line.starts_with("cisa-kev ") && line.contains(" kev ")), "{all}");
        assert!(all.lines().any(|line| line.starts_with("nvd ") && line.contains("no feed")), "{all}");
    }

    #[test]
    fn few_are_shown_in_full_and_what_has_no_feed_says_what_to_do_instead() {
        let kev = shown("cisa-kev");
        assert!(kev.contains("  url       https://www.cisa.gov/") && kev.contains("  reason    "), "{kev}");
        let iso = shown("SC 42");
        assert!(iso.contains("  instead   ") && !iso.contains("  url "), "{iso}");
        assert!(shown("frobnicate").starts_with("no source with `frobnicate` among "), "{}", shown("frobnicate"));
    }
}
