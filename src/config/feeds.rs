//! `feeds.toml`: the groups of the register and their feeds.

use std::collections::BTreeMap;

use url::Url;

use super::{
    fields::{Fields, RESERVED, Shape},
    names::{Names, declared},
    owners::tlp_words,
    problem::{At, Report},
    values::{self, Flaw},
};
use crate::{
    address::{literal, may_dial},
    model::{
        feed::{Feed, Group, GroupKind, Membership, Tlp, Unmatched},
        id::{FeedId, GroupId, OwnerId, TopicId},
        owner::Owner,
        settings::FetchSettings,
    },
};

/// How many entries of a first poll are treated as new, unless a feed says otherwise.
pub(crate) const DEFAULT_BASELINE: u32 = 3;

const UNMATCHED: [(&str, Unmatched); 3] =
    [("list", Unmatched::List), ("owner", Unmatched::Owner), ("none", Unmatched::None)];

const TOP: Shape = Shape {
    title: "",
    keys: &[("feed", "[[feed]]"), ("group", "[[group]]")],
    elsewhere: &[
        ("feeds", "write [[feed]], once for each feed"),
        ("groups", "write [[group]], once for each group"),
        ("owner", "owners stand in config/owners.toml"),
    ],
};
const FEED: Shape = Shape {
    title: "[[feed]]",
    keys: &[
        ("id", "\"cisa-advisories\""),
        ("name", "\"CISA advisories\""),
        ("url", "\"https://example.com/feed.xml\""),
        ("owner", "\"maria\""),
        ("group", "\"cisa\""),
        ("every", "\"1h\""),
        ("a_im", "false"),
        ("expect", "\"14d\""),
        ("unmatched", "\"list\""),
        ("baseline", "3"),
        ("tlp", "\"CLEAR\""),
        ("topics", "[\"prompt-injection\"]"),
        ("enabled", "true"),
    ],
    elsewhere: &[
        ("kind", "`kind` is a key of [[group]]; what a feed is made of is found out by itself"),
        ("headers", RESERVED),
        ("include", RESERVED),
        ("exclude", RESERVED),
        ("deputy", "`deputy` is a key of [[group]] and [[owner]]"),
        ("reason", "`reason` is a key of [[group]]"),
    ],
};
const GROUP: Shape = Shape {
    title: "[[group]]",
    keys: &[
        ("id", "\"cisa\""),
        ("name", "\"CISA\""),
        ("url", "\"https://example.com\""),
        ("kind", "\"government\""),
        ("membership", "\"open\""),
        ("reason", "\"why we follow it\""),
        ("owner", "\"maria\""),
        ("deputy", "\"jon\""),
        ("controls", "[\"A.5.6\"]"),
        ("joined", "2025-02-03"),
        ("review_by", "2027-02-03"),
    ],
    elsewhere: &[("feeds", "a feed names its group with group = \"...\"")],
};

/// The tree of the file, opened.
#[derive(Debug)]
pub(super) struct FeedsFile<'t> {
    pub feeds: Vec<Fields<'t>>,
    pub groups: Vec<Fields<'t>>,
}

impl<'t> FeedsFile<'t> {
    pub(super) fn open(file: usize, tree: &'t toml::de::DeTable<'t>, report: &mut Report<'_>) -> Self {
        let top = Fields::open(&TOP, tree, At { file, span: 0..0 }, report);
        Self { feeds: top.tables("feed", &FEED, report), groups: top.tables("group", &GROUP, report) }
    }

    /// The feeds; `fetch` gives what a feed does not say itself.
    pub(super) fn check_feeds(
        &self,
        names: &Names,
        owners: &[Owner],
        fetch: &FetchSettings,
        report: &mut Report<'_>,
    ) -> Vec<Feed> {
        let mut addresses = BTreeMap::new();
        let ceilings: BTreeMap<&OwnerId, Tlp> = owners.iter().map(|owner| (&owner.id, owner.tlp)).collect();
        let mut feeds = Vec::with_capacity(self.feeds.len());
        for table in &self.feeds {
            let Some(feed) = feed(table, names, fetch, &mut addresses, report) else { continue };
            if let Some(ceiling) = ceilings.get(&feed.owner).filter(|ceiling| **ceiling < feed.tlp) {
                let message = format!("owner `{}` may not be sent what this feed publishes", feed.owner);
                let hint = format!("raise the owner's tlp to {}, or name an owner who may see it", feed.tlp);
                let at = table.key_at("tlp");
                report.warning(&at, message).label(format!("above the owner's {ceiling}")).hint(hint);
            }
            feeds.push(feed);
        }
        feeds
    }

    /// The groups.
    pub(super) fn check_groups(&self, names: &Names, report: &mut Report<'_>) -> Vec<Group> {
        self.groups.iter().filter_map(|table| group(table, names, report)).collect()
    }
}

fn feed(
    table: &Fields<'_>,
    names: &Names,
    fetch: &FetchSettings,
    addresses: &mut BTreeMap<Url, String>,
    report: &mut Report<'_>,
) -> Option<Feed> {
    let name = table.need("name", report);
    let id = if table.has("id") || name.is_some() { declared(table, report) } else { None };
    let url = address(table, fetch, report);
    if let (Some(url), Some((id, _))) = (&url, &id) {
        same_address(table, url, id, addresses, report);
    }
    let owner = names.owner_of(table, "owner", report);
    let group = table.text("group", report).and_then(|text| names.groups.resolve(&text, report));
    let every = every(table, fetch, report);
    let a_im = table.flag("a_im", report).unwrap_or(false);
    let expect = expect(table, every.unwrap_or(fetch.every), report);
    let topics = table.texts("topics", report).unwrap_or_default();
    let topics = topics.iter().filter_map(|text| names.topics.resolve(text, report)).map(TopicId::new).collect();
    let unmatched = table.word("unmatched", &UNMATCHED, report).unwrap_or(Unmatched::List);
    let baseline = table.number("baseline", (0, 1_000), report).unwrap_or(DEFAULT_BASELINE);
    let tlp = table.word("tlp", &tlp_words(), report).unwrap_or(Tlp::Clear);
    let enabled = table.flag("enabled", report).unwrap_or(true);
    Some(Feed {
        id: FeedId::new(id?.0),
        name: name?.text.to_owned(),
        url: url?,
        owner: owner?,
        group: group.map(GroupId::new),
        every: every.unwrap_or(fetch.every),
        every_stated: every.is_some(),
        a_im,
        expect,
        unmatched,
        baseline: usize::try_from(baseline).unwrap_or(usize::MAX),
        tlp,
        topics,
        enabled,
    })
}

fn address(table: &Fields<'_>, fetch: &FetchSettings, report: &mut Report<'_>) -> Option<Url> {
    if !table.has("url") {
        table.missing("url", report);
    }
    table.read("url", report, |text| judged_address(text, fetch))
}

/// The address that a text names, if a feed may have it.
pub(super) fn judged_address(text: &str, fetch: &FetchSettings) -> Result<Url, Flaw> {
    let ports = &fetch.allow_ports;
    let url = values::feed_address(text)?;
    let port = url.port_or_known_default().unwrap_or(0);
    if !ports.is_empty() && !ports.contains(&port) {
        return Err(Flaw::new(
            format!("port {port} is not allowed"),
            format!("fetch.allow_ports is {ports:?}"),
            format!("add {port} to allow_ports in config/sigtrail.toml"),
        ));
    }
    match literal(&url).filter(|ip| !may_dial(*ip, &fetch.allow_addresses)) {
        None => Ok(url),
        Some(ip) => Err(Flaw::new(
            format!("address {ip} is not public"),
            "only public addresses are dialled",
            "name its range in allow_addresses in config/sigtrail.toml",
        )),
    }
}

fn same_address(
    table: &Fields<'_>,
    url: &Url,
    id: &str,
    addresses: &mut BTreeMap<Url, String>,
    report: &mut Report<'_>,
) {
    let Some(other) = addresses.get(url) else {
        addresses.insert(url.clone(), id.to_owned());
        return;
    };
    if let Some(text) = table.text("url", report) {
        let label = format!("`{other}` has it already");
        report
            .error(&text.at, format!("two feeds with one URL, `{other}` and `{id}`"))
            .label(label)
            .hint("remove one of them");
    }
}

fn every(table: &Fields<'_>, fetch: &FetchSettings, report: &mut Report<'_>) -> Option<jiff::SignedDuration> {
    table.read("every", report, |text| {
        let every = values::duration(text, "1s", "31d")?;
        if every >= fetch.min_interval {
            return Ok(every);
        }
        Err(Flaw::new(
            format!("`{text}` is below fetch.min_interval"),
            format!("no feed is polled more often than every {:#}", fetch.min_interval),
            "write a longer interval, or lower min_interval in config/sigtrail.toml",
        ))
    })
}

/// The silence beyond which a feed is stale; one shorter than the interval of its polls would be reported each time.
fn expect(table: &Fields<'_>, every: jiff::SignedDuration, report: &mut Report<'_>) -> Option<jiff::SignedDuration> {
    table.read("expect", report, |text| {
        let expect = values::duration(text, "1h", "366d")?;
        if expect > every {
            return Ok(expect);
        }
        Err(Flaw::new(
            format!("`{text}` is no longer than the interval of the polls"),
            format!("the feed is polled every {every:#}"),
            "write the longest silence that is usual for the feed, such as \"14d\"",
        ))
    })
}

fn group(table: &Fields<'_>, names: &Names, report: &mut Report<'_>) -> Option<Group> {
    if !table.has("id") {
        table.missing("id", report);
    }
    let id = declared(table, report).filter(|_| table.has("id"));
    let name = table.need("name", report);
    let url = table.read("url", report, values::web_address);
    let kind = table.word("kind", &GroupKind::ALL, report);
    let membership = table.word("membership", &Membership::ALL, report);
    let reason = table.prose("reason", report).map(|reason| reason.text.to_owned());
    if let (false, Some((id, at))) = (table.has("reason"), &id) {
        let hint = "add reason = \"...\"; an auditor asks why the company follows it";
        report.warning(at, format!("group `{id}` without a reason")).label("no `reason`").hint(hint);
    }
    let owner = names.owner_of(table, "owner", report);
    let deputy = names.deputy_of(table, report);
    if let (Some(owner), Some(deputy)) = (&owner, &deputy)
        && owner == deputy
        && let Some(text) = table.text("deputy", report)
    {
        let hint = "name somebody else, or remove the line";
        report.error(&text.at, format!("`{owner}` is their own deputy")).label("the owner of the group").hint(hint);
    }
    let controls = table.texts("controls", report).unwrap_or_default();
    let (joined, review_by) = (table.date("joined", report), table.date("review_by", report));
    if joined.zip(review_by).is_some_and(|(joined, review_by)| review_by < joined) {
        let at = table.key_at("review_by");
        report
            .error(&at, "`review_by` lies before `joined`")
            .label("too early")
            .hint("write the day of the next review");
    }
    Some(Group {
        id: GroupId::new(id?.0),
        name: name?.text.to_owned(),
        url,
        kind,
        membership,
        reason,
        owner: owner?,
        deputy,
        controls: controls.into_iter().map(|control| control.text.to_owned()).collect(),
        joined,
        review_by,
    })
}
