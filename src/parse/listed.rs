//! Lists of advisories as bare JSON: GitHub's (the REST endpoint `/advisories`), the Open Source Vulnerability format, the
//! European vulnerability database, and the European list of exploited vulnerabilities. Which one it is shows in the keys.

use serde::Deserialize;
use url::Url;

use super::{
    json::plain,
    kev::Vulnerability,
    loose::{FromText, LooseList, LooseText, Maybe},
    xml::list,
};
use crate::{
    date,
    link::http_link,
    model::entry::{Entry, Format, MAX_FIELD},
    text::clean,
};

/// How identifiers of the European database begin.
pub(super) const EUROPEAN: &str = "EUVD-";

/// One object of such a list, with the keys of all of them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Listed {
    ghsa_id: LooseText,
    cve_id: LooseText,
    html_url: LooseText,
    summary: LooseText,
    description: LooseText,
    severity: Severity,
    cvss: Maybe<Cvss>,
    vulnerabilities: LooseList<Affected>,
    published_at: LooseText,
    updated_at: LooseText,
    withdrawn_at: LooseText,
    id: LooseText,
    aliases: LooseList<LooseText>,
    details: LooseText,
    affected: LooseList<Affected>,
    references: LooseList<Reference>,
    database_specific: Maybe<Specific>,
    published: LooseText,
    modified: LooseText,
    withdrawn: LooseText,
    #[serde(rename = "datePublished")]
    date_published: LooseText,
    #[serde(rename = "dateUpdated")]
    date_updated: LooseText,
    #[serde(rename = "baseScore")]
    base_score: LooseText,
    #[serde(rename = "baseScoreVector")]
    base_vector: LooseText,
    #[serde(rename = "cveID")]
    kev_id: LooseText,
    #[serde(rename = "euvdID")]
    euvd_id: LooseText,
    #[serde(rename = "vendorProject")]
    vendor: LooseText,
    product: LooseText,
    #[serde(rename = "vulnerabilityName")]
    name: LooseText,
    #[serde(rename = "dateReported")]
    date_reported: LooseText,
    #[serde(rename = "shortDescription")]
    short_description: LooseText,
    #[serde(rename = "exploitationType")]
    exploitation: LooseText,
    notes: LooseText,
    #[serde(rename = "exploitedSince")]
    exploited_since: LooseText,
    #[serde(rename = "enisaIdVendor")]
    vendors: LooseList<Made>,
    #[serde(rename = "enisaIdProduct")]
    products: LooseList<Made>,
}

/// A vendor, or a product with its versions, of the European database.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Made {
    vendor: Maybe<Named>,
    product: Maybe<Named>,
    product_version: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: LooseText,
}

/// A severity in a word, or CVSS vectors by their versions.
#[derive(Default)]
struct Severity(Vec<Score>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Score {
    score: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cvss {
    vector_string: LooseText,
    score: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Affected {
    package: Maybe<Package>,
    first_patched_version: LooseText,
    vulnerable_version_range: LooseText,
    ranges: LooseList<Range>,
}

/// Versions by what happened at them; of the type `GIT` they are commits.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Range {
    #[serde(rename = "type")]
    kind: LooseText,
    events: LooseList<Happened>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Happened {
    fixed: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Package {
    ecosystem: LooseText,
    name: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference {
    url: LooseText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Specific {
    severity: LooseText,
}

impl<'de> Deserialize<'de> for Severity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LooseList::deserialize(deserializer).map(|list| Severity(list.0))
    }
}

impl FromText for Score {
    fn from_text(text: &str) -> Self {
        Self { score: LooseText(Some(text.to_owned())) }
    }
}

/// What means nothing as a bare text.
macro_rules! nothing_from_text {
    ($($object:ty),*) => {
        $(impl FromText for $object {
            fn from_text(_: &str) -> Self {
                Self::default()
            }
        })*
    };
}
nothing_from_text!(Affected, Range, Happened, Made);

impl FromText for Reference {
    fn from_text(text: &str) -> Self {
        Self { url: LooseText(Some(text.to_owned())) }
    }
}

impl Listed {
    /// The entry with the family of its list; nothing where the object is of none of them.
    pub(super) fn entry(self, base: Option<&Url>) -> Option<(Format, Entry)> {
        let has = |text: &LooseText| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        if has(&self.kev_id) || has(&self.euvd_id) {
            let entry = self.exploited().entry()?;
            return Some((if entry.exploited { Format::Kev } else { Format::Advisories }, entry));
        }
        let is_european = self.id.as_deref().is_some_and(|id| id.starts_with(EUROPEAN));
        let is_osv = has(&self.id) && (has(&self.modified) || has(&self.date_published)) || is_european;
        (has(&self.ghsa_id) || is_osv).then(|| (Format::Advisories, self.advisory(base)))
    }

    fn exploited(self) -> Vulnerability {
        Vulnerability {
            cve_id: self.kev_id,
            euvd_id: self.euvd_id,
            vendor_project: self.vendor,
            product: self.product,
            name: self.name,
            date_added: self.date_reported,
            short_description: self.short_description,
            exploitation_type: self.exploitation,
            notes: self.notes,
            ..Vulnerability::default()
        }
    }

    fn advisory(&self, base: Option<&Url>) -> Entry {
        let first = |texts: [&LooseText; 3]| texts.into_iter().find_map(plain);
        let withdrawn = first([&self.withdrawn_at, &self.withdrawn, &LooseText(None)]);
        let mut categories = self.packages();
        categories.extend(self.made());
        categories.extend(withdrawn.as_ref().map(|_| "withdrawn".to_owned()));
        let text = first([&self.description, &self.details, &self.summary]);
        Entry {
            guid: first([&self.ghsa_id, &self.id, &LooseText(None)]),
            link: self.link(base),
            title: self.title(text.as_deref()),
            published: moment([&self.published_at, &self.published, &self.date_published]),
            updated: moment([&self.updated_at, &self.modified, &self.date_updated]),
            categories,
            body: self.body(text.as_deref(), withdrawn.as_deref()),
            summary: text,
            exploited: plain(&self.exploited_since).is_some(),
            ..Entry::default()
        }
    }

    /// Its identifiers, CVE ids first: those are what other publishers call it by.
    fn identifiers(&self) -> Vec<&str> {
        let aliases = self.aliases.0.iter().filter_map(LooseText::as_deref).flat_map(str::split_whitespace);
        let own = [&self.cve_id, &self.ghsa_id, &self.id].into_iter().filter_map(LooseText::as_deref);
        let mut all: Vec<&str> = own.chain(aliases).collect();
        all.sort_by_key(|id| !id.starts_with("CVE-"));
        all
    }

    fn title(&self, text: Option<&str>) -> Option<String> {
        let said = self.summary.as_deref().or_else(|| text?.lines().next()).unwrap_or_default();
        let id = self.identifiers().into_iter().next().filter(|id| !said.contains(id));
        let parts: Vec<&str> = id.into_iter().chain([said]).filter(|part| !part.is_empty()).collect();
        Some(clean(&parts.join(": "), MAX_FIELD)).filter(|title| !title.is_empty())
    }

    fn link(&self, base: Option<&Url>) -> Option<String> {
        let references = self.references.0.iter().filter_map(|reference| reference.url.as_deref());
        let mut links = self.html_url.as_deref().into_iter().chain(references.flat_map(str::split_whitespace));
        links.find_map(|link| http_link(link, base))
    }

    /// Everything affected, as `ecosystem/name`.
    fn packages(&self) -> Vec<String> {
        let all = self.vulnerabilities.0.iter().chain(&self.affected.0);
        let named: Vec<String> = all
            .filter_map(|affected| affected.package.0.as_ref())
            .filter_map(|package| Some(format!("{}/{}", package.ecosystem.as_deref()?, package.name.as_deref()?)))
            .collect();
        list(named.iter().map(String::as_str))
    }

    /// The vendors and products that the European database names.
    fn made(&self) -> Vec<String> {
        let all = self.vendors.0.iter().chain(&self.products.0).flat_map(|made| [&made.vendor, &made.product]);
        list(all.filter_map(|one| one.0.as_ref()?.name.as_deref()))
    }

    /// Every version that has a fix; commits where no versions are named.
    fn fixed(&self) -> Vec<String> {
        let stated = self.vulnerabilities.0.iter().filter_map(|affected| affected.first_patched_version.as_deref());
        let ranges = || self.affected.0.iter().flat_map(|affected| &affected.ranges.0);
        let of = |is_git: bool| {
            let ranges = ranges().filter(move |range| (range.kind.as_deref() == Some("GIT")) == is_git);
            ranges.flat_map(|range| &range.events.0).filter_map(|happened| happened.fixed.as_deref())
        };
        let versions = list(stated.chain(of(false)));
        if versions.is_empty() { list(of(true)) } else { versions }
    }

    /// What it says in full, with what stands in fields of its own in words.
    fn body(&self, text: Option<&str>, withdrawn: Option<&str>) -> Option<String> {
        let mut lines: Vec<String> = text.map(str::to_owned).into_iter().collect();
        let mut say = |label: &str, value: Option<&str>| {
            lines.extend(value.filter(|value| !value.is_empty()).map(|value| format!("{label}{value}")));
        };
        // Sentences that are known for what they state (`change`).
        say("This advisory was withdrawn: ", withdrawn);
        let stated = self.severity.0.iter().filter_map(|score| score.score.as_deref());
        let (vectors, words): (Vec<&str>, Vec<&str>) = stated.partition(|text| text.starts_with("CVSS:"));
        let specific = self.database_specific.0.as_ref().and_then(|specific| specific.severity.as_deref());
        say("Severity: ", words.first().copied().or(specific));
        let cvss = self.cvss.0.as_ref();
        say("CVSS score: ", cvss.and_then(|cvss| cvss.score.as_deref()).or(self.base_score.as_deref()));
        let own = cvss.and_then(|cvss| cvss.vector_string.as_deref()).or(self.base_vector.as_deref());
        vectors.into_iter().chain(own).for_each(|vector| say("Vector: ", Some(vector)));
        for affected in &self.vulnerabilities.0 {
            say("Affected versions: ", affected.vulnerable_version_range.as_deref());
        }
        for made in &self.products.0 {
            let product = made.product.0.as_ref().and_then(|product| product.name.as_deref());
            let versions = made.product_version.as_deref().unwrap_or_default();
            say("Affected: ", product.map(|product| format!("{product} {versions}")).as_deref().map(str::trim));
        }
        say("A fix is available: ", Some(self.fixed().join(", ")).as_deref());
        say("Exploited since: ", self.exploited_since.as_deref());
        let ids = self.identifiers().join(", ");
        say("Identifiers: ", Some(ids.as_str()));
        Some(clean(&lines.join("\n"), MAX_FIELD)).filter(|body| !body.is_empty())
    }
}

fn moment(texts: [&LooseText; 3]) -> Option<crate::model::time::Time> {
    texts.into_iter().find_map(|text| text.as_deref().and_then(date::parse))
}
