//! `sigtrail match`: why a text or an entry is tagged as it is, what was considered and rejected, and who would get it. Pure:
//! text in, text out; reading and printing are the caller's part.

use std::fmt::Write as _;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    advisory::AdvisoryId,
    model::{
        entry::Entry,
        feed::{Feed, Tlp, Unmatched},
        id::OwnerId,
        settings::Config,
        stack::{Field, Marks, Method, Tag, TagKind},
    },
    route::{Fate, Judgement},
    tag::{Considered, Matcher, Verdict},
};

/// A text of `match --json`, as it comes in.
#[derive(Deserialize)]
struct Asked {
    key: Value,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

/// What `match --json` prints for it.
#[derive(Serialize)]
struct Answered<'a> {
    key: &'a Value,
    tags: Vec<TagLine<'a>>,
}

#[derive(Serialize)]
struct TagLine<'a> {
    id: &'a str,
    kind: TagKind,
    term: &'a str,
    field: Field,
    snippet: &'a str,
    method: Method,
    confidence: u8,
}

/// The answer to one JSON line `{"key", "title", "text"}`: one JSON object without a line end. Other members are passed over;
/// an error says in words what is wrong with the line.
pub fn json_line(matcher: &Matcher, line: &str) -> Result<String, String> {
    let asked: Asked = serde_json::from_str(line).map_err(|error| format!("not a line of `match --json`: {error}"))?;
    let entry = Entry { title: asked.title, summary: asked.text, ..Entry::default() };
    let tags = matcher.tags(&entry);
    let answer = Answered { key: &asked.key, tags: tags.iter().map(TagLine::from).collect() };
    serde_json::to_string(&answer).map_err(|error| error.to_string())
}

/// The same for a text of the command line or a stored entry, with who would get it and what becomes of it where that
/// was asked: `fate` is `assigned`, `listed` or `not-for-us`.
pub fn judged_line(key: Option<i64>, tags: &[Tag], judgement: Option<&Judgement>) -> String {
    let tags: Vec<TagLine<'_>> = tags.iter().map(TagLine::from).collect();
    let Some(judgement) = judgement else { return json!({ "key": key, "tags": tags }).to_string() };
    let assigned = judgement.assignments.iter();
    let assignments: Vec<Value> =
        assigned.map(|one| json!({ "owner": one.owner, "reason": one.reason, "urgent": one.urgent })).collect();
    let withheld: Vec<Value> =
        judgement.restricted.iter().map(|one| json!({ "owner": one.owner, "ask": one.ask })).collect();
    let (fate, listed_to) = match &judgement.fate {
        Fate::Assigned => ("assigned", None),
        Fate::Listed(owner) => ("listed", Some(owner)),
        Fate::NotForUs => ("not-for-us", None),
    };
    json!({
        "key": key, "tags": tags, "assignments": assignments, "withheld": withheld, "fate": fate,
        "listed_to": listed_to,
    })
    .to_string()
}

impl<'a> From<&'a Tag> for TagLine<'a> {
    fn from(tag: &'a Tag) -> Self {
        let Tag { kind, id, term, field, snippet, method, confidence, .. } = tag;
        Self { id, kind: *kind, term, field: *field, snippet, method: *method, confidence: *confidence }
    }
}

/// The entry that a text on the command line stands for: its first line is the title, the rest the summary.
pub fn entry_of(text: &str) -> Entry {
    let text = text.trim();
    let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
    let some = |part: &str| Some(part.trim()).filter(|part| !part.is_empty()).map(str::to_owned);
    Entry { title: some(title), summary: some(rest), ..Entry::default() }
}

/// The feed that a text on the command line comes from: none of the configuration's, free to everybody, and what matches
/// nothing in it is for nobody.
pub fn feed_of_text(config: &Config) -> Feed {
    Feed {
        id: "".into(),
        name: "this text".to_owned(),
        url: config.web.base_url.clone(),
        owner: config.fallback.clone(),
        group: None,
        expect: None,
        every: SignedDuration::ZERO,
        every_stated: false,
        a_im: false,
        unmatched: Unmatched::None,
        baseline: 0,
        tlp: Tlp::Clear,
        topics: Vec::new(),
        enabled: true,
    }
}

/// What was found out about a text or an entry.
#[derive(Debug, Clone, Copy)]
pub struct Findings<'a> {
    /// Every term that was found ([`Matcher::explain`]).
    pub considered: &'a [Considered],
    /// The tags that the feed brings (`tag::feed_tags`).
    pub feed_tags: &'a [Tag],
    /// The advisories that it names.
    pub mentions: &'a [AdvisoryId],
    /// What it states.
    pub marks: &'a Marks,
    /// Who would get it; `None` where that was not asked.
    pub judgement: Option<&'a Judgement>,
}

/// The findings for people: what tags it, what does not and why, and who would get it.
pub fn report(config: &Config, findings: &Findings<'_>) -> String {
    let mut out = String::new();
    let (counted, rejected): (Vec<&Considered>, Vec<&Considered>) =
        findings.considered.iter().partition(|one| one.verdict == Verdict::Counts);
    for one in &counted {
        write_tag(&mut out, config, &one.tag, "");
    }
    for tag in findings.feed_tags {
        let _ = writeln!(
            out,
            "{} ({tag}): every entry of {} has it, confidence {}",
            name(config, tag),
            tag.term,
            tag.confidence
        );
    }
    if counted.is_empty() && findings.feed_tags.is_empty() {
        out.push_str("no component and no topic\n");
    }
    for one in &rejected {
        write_tag(&mut out, config, &one.tag, &format!("not counted: {}", reason(one)));
    }
    write_stated(&mut out, findings);
    if let Some(judgement) = findings.judgement {
        write_judgement(&mut out, config, judgement);
    }
    out
}

fn write_tag(out: &mut String, config: &Config, tag: &Tag, rejected: &str) {
    let what = if tag.method == Method::Regex { "expression" } else { "term" };
    let end = if rejected.is_empty() { format!("confidence {}", tag.confidence) } else { rejected.to_owned() };
    let place = match tag.field {
        Field::Feed => String::new(),
        field => format!(" in the {}", field.as_str()),
    };
    let _ = writeln!(out, "{} ({tag}): {what} `{}`{place}, {end}", name(config, tag), tag.term);
    if !tag.snippet.is_empty() {
        let _ = writeln!(out, "    {}", tag.snippet);
    }
}

/// Why a term that was found does not count.
fn reason(considered: &Considered) -> String {
    match &considered.verdict {
        Verdict::Counts => String::new(),
        Verdict::PartOfName => "part of a longer name".to_owned(),
        Verdict::InAddress => "only within an address".to_owned(),
        Verdict::OtherCase => "written in another case".to_owned(),
        Verdict::Excluded(phrase) => format!("inside `{phrase}`"),
        Verdict::NoContext(phrases) => {
            let phrases: Vec<String> = phrases.iter().map(|phrase| format!("`{phrase}`")).collect();
            format!("{} is nowhere in it", phrases.join(" or "))
        }
    }
}

/// The name of a tag's component or topic; its id where the configuration knows none.
fn name<'a>(config: &'a Config, tag: &'a Tag) -> &'a str {
    let component = config.components.iter().find(|component| component.id.as_str() == tag.id);
    let topic = config.topics.iter().find(|topic| topic.id.as_str() == tag.id);
    match tag.kind {
        TagKind::Component => component.map_or(&tag.id, |component| &component.name),
        TagKind::Topic => topic.map_or(&tag.id, |topic| &topic.name),
    }
}

fn write_stated(out: &mut String, findings: &Findings<'_>) {
    let mut stated: Vec<String> = Vec::new();
    if findings.marks.exploited {
        stated.push("exploited".to_owned());
    }
    if let Some(tenths) = findings.marks.cvss_tenths {
        stated.push(format!("CVSS {}.{}", tenths / 10, tenths % 10));
    }
    if let Some(severity) = findings.marks.severity {
        stated.push(format!("severity {}", severity.as_str()));
    }
    stated.extend(findings.mentions.iter().map(ToString::to_string));
    if !stated.is_empty() {
        let _ = writeln!(out, "states {}", stated.join(", "));
    }
}

fn write_judgement(out: &mut String, config: &Config, judgement: &Judgement) {
    for assigned in &judgement.assignments {
        let urgent = if assigned.urgent { ", at once" } else { "" };
        let _ = writeln!(out, "goes to {}{urgent}: {}", person(config, &assigned.owner), assigned.reason);
    }
    for withheld in &judgement.restricted {
        let (owner, ask) = (person(config, &withheld.owner), person(config, &withheld.ask));
        let _ = writeln!(out, "withheld from {owner}, who is told to ask {ask}");
    }
    match &judgement.fate {
        Fate::Assigned => {}
        Fate::Listed(owner) => {
            let _ = writeln!(out, "one line for {} under \"also published\"", person(config, owner));
        }
        Fate::NotForUs => out.push_str("not for us\n"),
    }
}

/// `maria (Maria Lopez)`.
fn person(config: &Config, id: &OwnerId) -> String {
    config.owner(id).map_or_else(|| id.to_string(), |owner| format!("{id} ({})", owner.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        advisory::ids,
        marks::marks,
        model::stack::{Case, Pattern, Term},
        route::{route, tests::config},
    };

    #[test]
    fn a_report_says_what_counts_what_does_not_and_who_gets_it() {
        let mut config = config();
        let term = |text: &str, near: &[&str], not: &[&str]| Term {
            pattern: Pattern::Text { text: text.into(), case: Case::Any },
            near: near.iter().map(|text| (*text).into()).collect(),
            not: not.iter().map(|text| (*text).into()).collect(),
        };
        config.components[0].terms = vec![term("quillgate", &[], &[]), term("portal", &[], &["web portal"])];
        config.components[1].terms = vec![term("marrow", &["libmarrow.example", "archive"], &[])];
        let matcher = Matcher::new(&config.components, &config.topics).unwrap();
        let entry = entry_of("Quillgate: sign-in bypass (CVE-2099-10007)\nCVSS 9.8. The web portal; bone marrow.\n");
        let (considered, marks) = (matcher.explain(&entry), marks(&entry));
        let tags = matcher.tags(&entry);
        let judgement = route(&config, &feed_of_text(&config), &tags, &marks, "2099-01-02T08:00:00Z".parse().unwrap());
        let mentions = ids(entry.title.as_deref().unwrap());
        let findings = Findings {
            considered: &considered,
            feed_tags: &[],
            mentions: &mentions,
            marks: &marks,
            judgement: Some(&judgement),
        };
        assert_eq!(
            report(&config, &findings),
            "Quillgate VPN (component quillgate): term `quillgate` in the title, confidence 50\n    \
             Quillgate: sign-in bypass (CVE-2099-10007)\n\
             libmarrow (component libmarrow): term `marrow` in the summary, not counted: `libmarrow.example` or `archive` is nowhere in it\n    \
             CVSS 9.8. The web portal; bone marrow.\n\
             Quillgate VPN (component quillgate): term `portal` in the summary, not counted: inside `web portal`\n    \
             CVSS 9.8. The web portal; bone marrow.\n\
             states CVSS 9.8, severity critical, CVE-2099-10007\n\
             goes to maria (Maria Example): Quillgate VPN is yours.\n"
        );
    }

    #[test]
    fn a_report_of_nothing_says_so() {
        let config = config();
        let matcher = Matcher::new(&[], &[]).unwrap();
        let entry = entry_of("nothing at all");
        let judgement = route(&config, &feed_of_text(&config), &[], &Marks::default(), jiff::Timestamp::UNIX_EPOCH);
        let considered = matcher.explain(&entry);
        let marks = Marks::default();
        let findings = Findings {
            considered: &considered,
            feed_tags: &[],
            mentions: &[],
            marks: &marks,
            judgement: Some(&judgement),
        };
        assert_eq!(report(&config, &findings), "no component and no topic\nnot for us\n");
    }
}
