//! CISA's catalogue of known exploited vulnerabilities, and lists in its words: every vulnerability is an entry, and stated to be exploited
//! where the list shows by a key of its own that it is one of these.

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
    pub(super) cve_id: LooseText,
    /// The European database's own identifier; not every vulnerability of the European list has a CVE id.
    #[serde(rename = "euvdID")]
    pub(super) euvd_id: LooseText,
    /// How the European list says that it is exploited: "ransomware", "targeted attack".
    pub(super) exploitation_type: LooseText,
    pub(super) vendor_project: LooseText,
    pub(super) product: LooseText,
    #[serde(rename = "vulnerabilityName")]
    pub(super) name: LooseText,
    pub(super) date_added: LooseText,
    pub(super) short_description: LooseText,
    pub(super) required_action: LooseText,
    pub(super) due_date: LooseText,
    pub(super) known_ransomware_campaign_use: LooseText,
    pub(super) notes: LooseText,
    pub(super) cwes: LooseList<LooseText>,
}

impl Vulnerability {
    /// The vulnerability as an entry: its CVE id is its identity and begins its title. Nothing where it has neither
    /// identifier nor name: then the list is another one.
    pub(super) fn entry(self) -> Option<Entry> {
        let id = plain(&self.cve_id).or_else(|| plain(&self.euvd_id));
        let product = [&self.vendor_project, &self.product].into_iter().filter_map(plain).collect::<Vec<_>>();
        let name = plain(&self.name).or_else(|| whole_name(&product).filter(|_| id.is_some()));
        if id.is_none() && name.is_none() {
            return None;
        }
        let title = id.iter().chain(&name).map(String::as_str).collect::<Vec<_>>().join(": ");
        Some(Entry {
            link: self.link(),
            title: Some(clean(&title, MAX_FIELD)),
            published: self.date_added.as_deref().and_then(date::parse),
            updated: None,
            authors: Vec::new(),
            categories: product,
            summary: plain(&self.short_description),
            body: self.body(),
            exploited: self.is_listed_as_exploited(),
            guid: id,
        })
    }

    /// Whether it has what only lists of exploited vulnerabilities have: the day on which it joined, or how it is exploited.
    fn is_listed_as_exploited(&self) -> bool {
        [&self.date_added, &self.exploitation_type].into_iter().any(|text| plain(text).is_some())
    }

    fn body(&self) -> Option<String> {
        let cwes: Vec<&str> = self.cwes.0.iter().filter_map(LooseText::as_deref).collect();
        let cwes = LooseText(Some(cwes.join(", ")).filter(|cwes| !cwes.is_empty()));
        let parts = [
            ("", &self.short_description),
            ("Required action: ", &self.required_action),
            ("Due date: ", &self.due_date),
            ("Known use in ransomware campaigns: ", &self.known_ransomware_campaign_use),
            ("Exploitation: ", &self.exploitation_type),
            ("Weaknesses: ", &cwes),
            ("European identifier: ", &self.euvd_id),
            ("Notes: ", &self.notes),
        ];
        let is_ransomware = plain(&self.exploitation_type).is_some_and(|how| how.to_lowercase().contains("ransomware"));
        // A sentence that is known for what it states (`change`).
        let ransomware = is_ransomware.then(|| "Known to be used in ransomware attacks.".to_owned());
        let lines: Vec<String> = parts
            .into_iter()
            .filter_map(|(label, text)| Some(format!("{label}{}", text.as_deref()?)))
            .chain(ransomware)
            .collect();
        Some(clean(&lines.join("\n"), MAX_FIELD)).filter(|body| !body.is_empty())
    }

    /// The page of the vulnerability database among the notes, else the first address there.
    fn link(&self) -> Option<String> {
        let notes = self.notes.as_deref()?;
        let links = || notes.split([';', ' ', ',']).filter_map(|word| http_link(word, None));
        links().find(|link| link.starts_with("https://nvd.nist.gov/")).or_else(|| links().next())
    }
}

/// Vendor and product, the vendor once: some products begin with it.
fn whole_name(product: &[String]) -> Option<String> {
    match product {
        [vendor, name] if !name.starts_with(vendor.as_str()) => Some(format!("{vendor} {name}")),
        [.., name] => Some(name.clone()),
        [] => None,
    }
}
