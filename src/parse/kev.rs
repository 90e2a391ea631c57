//! CISA's catalogue of known exploited vulnerabilities: every vulnerability is an entry, stated to be exploited.

use serde::Deserialize;

use super::{
    json::plain,
    loose::{LooseList, LooseText},
};
use crate::{
    date,
    link::http_link,
    model::entry::{Entry, MAX_FIELD},
    text::clean,
};

/// One vulnerability of the catalogue, by its published schema.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Vulnerability {
    #[serde(rename = "cveID")]
    cve_id: LooseText,
    vendor_project: LooseText,
    product: LooseText,
    #[serde(rename = "vulnerabilityName")]
    name: LooseText,
    date_added: LooseText,
    short_description: LooseText,
    required_action: LooseText,
    due_date: LooseText,
    known_ransomware_campaign_use: LooseText,
    notes: LooseText,
    cwes: LooseList<LooseText>,
}

impl Vulnerability {
    /// The vulnerability as an entry: its CVE id is its identity and begins its title.
    pub(super) fn entry(self) -> Entry {
        let title: Vec<&str> = [&self.cve_id, &self.name].into_iter().filter_map(LooseText::as_deref).collect();
        let title = clean(&title.join(": "), MAX_FIELD);
        Entry {
            guid: plain(&self.cve_id),
            link: self.link(),
            title: Some(title).filter(|title| !title.is_empty()),
            published: self.date_added.as_deref().and_then(date::parse),
            updated: None,
            authors: Vec::new(),
            categories: [&self.vendor_project, &self.product].into_iter().filter_map(plain).collect(),
            summary: plain(&self.short_description),
            body: self.body(),
            exploited: true,
        }
    }

    fn body(&self) -> Option<String> {
        let cwes: Vec<&str> = self.cwes.0.iter().filter_map(LooseText::as_deref).collect();
        let cwes = LooseText(Some(cwes.join(", ")).filter(|cwes| !cwes.is_empty()));
        let parts = [
            ("", &self.short_description),
            ("Required action: ", &self.required_action),
            ("Due date: ", &self.due_date),
            ("Known use in ransomware campaigns: ", &self.known_ransomware_campaign_use),
            ("Weaknesses: ", &cwes),
            ("Notes: ", &self.notes),
        ];
        let lines: Vec<String> =
            parts.into_iter().filter_map(|(label, text)| Some(format!("{label}{}", text.as_deref()?))).collect();
        Some(clean(&lines.join("\n"), MAX_FIELD)).filter(|body| !body.is_empty())
    }

    /// The page of the vulnerability database among the notes, else the first address there.
    fn link(&self) -> Option<String> {
        let notes = self.notes.as_deref()?;
        let links = || notes.split([';', ' ', ',']).filter_map(|word| http_link(word, None));
        links().find(|link| link.starts_with("https://nvd.nist.gov/")).or_else(|| links().next())
    }
}
