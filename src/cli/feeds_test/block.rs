//! What to write into `feeds.toml` for a feed that is not there yet. Text only: nothing is written here.

use std::fmt::Write as _;

use crate::{
    jobs::probe::{Known, Probed},
    model::{
        feed::Unmatched,
        id::{GroupId, slug},
        settings::Config,
    },
};

/// The tables to write; `None` where the feed is configured already or there is none.
pub(super) fn block(probed: &Probed, config: &Config) -> Option<String> {
    let (Some(_), Known::Listed(_) | Known::Nowhere) = (&probed.reading, probed.known) else { return None };
    let feed = &probed.feed;
    let mut text = String::new();
    let mut group = feed.group.clone();
    if let Known::Listed(listed) = probed.known {
        let id = GroupId::new(listed.group_id.clone());
        if config.group(&id).is_none() {
            text.push_str("[[group]]\n");
            line(&mut text, "id", &listed.group_id);
            line(&mut text, "name", &listed.group_name);
            if let Some(url) = &listed.group_url {
                line(&mut text, "url", url);
            }
            line(&mut text, "kind", &listed.kind);
            line(&mut text, "reason", &listed.reason);
            line(&mut text, "owner", feed.owner.as_str());
            text.push('\n');
        }
        group = Some(id);
    }
    text.push_str("[[feed]]\n");
    if slug(&feed.name) != feed.id.as_str() {
        line(&mut text, "id", feed.id.as_str());
    }
    line(&mut text, "name", &feed.name);
    line(&mut text, "url", feed.url.as_str());
    line(&mut text, "owner", feed.owner.as_str());
    if let Some(group) = &group {
        line(&mut text, "group", group.as_str());
    }
    if let (Known::Listed(listed), true) = (probed.known, feed.every != config.fetch.every)
        && let Some(every) = &listed.every
    {
        line(&mut text, "every", every);
    }
    match feed.unmatched {
        Unmatched::List => {}
        Unmatched::Owner => line(&mut text, "unmatched", "owner"),
        Unmatched::None => line(&mut text, "unmatched", "none"),
    }
    Some(text)
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {}", quoted(value));
}

/// A basic string of TOML 1.0.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for one in value.chars() {
        match one {
            '"' | '\\' => text.extend(['\\', one]),
            one if one.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(one));
            }
            one => text.push(one),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_title_becomes_a_string_that_reads_back() {
        for title in ["plain", "say \"no\"", "C:\\new", "tab\tbell\u{7}", "café – 伟", "'''", "\u{85}\u{9f}", ""] {
            let text = format!("name = {}", quoted(title));
            let read: toml::Table = toml::from_str(&text).unwrap();
            assert_eq!(read["name"].as_str(), Some(title), "{text}");
        }
    }
}
