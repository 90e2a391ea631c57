//! `config/stack.toml`: components, topics and routes. Their terms are `terms`' business.

use super::{
    fields::{Fields, RESERVED, Shape},
    names::{Known, Names, declared, resolve_among},
    problem::{At, Report},
    terms,
};
use crate::model::{
    id::{ComponentId, FeedId, GroupId, OwnerId, TopicId},
    stack::{Component, Route, Severity, Term, Topic},
};

const TOP: Shape = Shape {
    title: "",
    keys: &[("component", "[[component]]"), ("topic", "[[topic]]"), ("route", "[[route]]")],
    elsewhere: &[
        ("sbom", RESERVED),
        ("components", "write [[component]], once for each component"),
        ("topics", "write [[topic]], once for each topic"),
        ("routes", "write [[route]], once for each route"),
    ],
};
const TAGGED_KEYS: &[(&str, &str)] =
    &[("id", "\"openssl\""), ("name", "\"OpenSSL\""), ("owner", "\"jon\""), ("terms", "[\"openssl\", \"libssl\"]")];
const COMPONENT: Shape =
    Shape { title: "[[component]]", keys: TAGGED_KEYS, elsewhere: &[("packages", RESERVED), ("version", RESERVED)] };
const TOPIC: Shape = Shape { title: "[[topic]]", keys: TAGGED_KEYS, elsewhere: &[] };
const ROUTE: Shape = Shape {
    title: "[[route]]",
    keys: &[("when", "{ feed = [\"cisa-kev\"] }"), ("to", "[\"maria\"]"), ("urgent", "true")],
    elsewhere: &[
        ("owner", "write to = [\"...\"]"),
        ("feed", "conditions stand in when = { ... }"),
        ("group", "conditions stand in when = { ... }"),
        ("tag", "conditions stand in when = { ... }"),
        ("severity", "conditions stand in when = { ... }"),
    ],
};
const WHEN: Shape = Shape {
    title: "when = { ... }",
    keys: &[("feed", "[\"cisa-kev\"]"), ("group", "[\"cisa\"]"), ("tag", "[\"openssl\"]"), ("severity", "\"high\"")],
    elsewhere: &[("component", "write tag = [\"...\"]"), ("topic", "write tag = [\"...\"]")],
};

/// The tree of the file, opened.
#[derive(Debug)]
pub(super) struct StackFile<'t> {
    pub components: Vec<Fields<'t>>,
    pub topics: Vec<Fields<'t>>,
    routes: Vec<Fields<'t>>,
}

/// A component or topic before it is known which of them it is.
struct Tagged {
    id: String,
    name: String,
    owner: OwnerId,
    terms: Vec<Term>,
}

impl<'t> StackFile<'t> {
    pub(super) fn open(file: usize, tree: &'t toml::de::DeTable<'t>, report: &mut Report<'_>) -> Self {
        let top = Fields::open(&TOP, tree, At { file, span: 0..0 }, report);
        Self {
            components: top.tables("component", &COMPONENT, report),
            topics: top.tables("topic", &TOPIC, report),
            routes: top.tables("route", &ROUTE, report),
        }
    }

    /// The components; without `names` their owners are not asked for.
    pub(super) fn check_components(&self, names: Option<&Names>, report: &mut Report<'_>) -> Vec<Component> {
        let tagged = self.components.iter().filter_map(|table| tagged(table, names, report));
        let component = |Tagged { id, name, owner, terms }| Component { id: ComponentId::new(id), name, owner, terms };
        tagged.map(component).collect()
    }

    /// The topics; without `names` their owners are not asked for.
    pub(super) fn check_topics(&self, names: Option<&Names>, report: &mut Report<'_>) -> Vec<Topic> {
        let tagged = self.topics.iter().filter_map(|table| tagged(table, names, report));
        tagged.map(|Tagged { id, name, owner, terms }| Topic { id: TopicId::new(id), name, owner, terms }).collect()
    }

    /// The routes.
    pub(super) fn check_routes(&self, names: &Names, report: &mut Report<'_>) -> Vec<Route> {
        self.routes.iter().filter_map(|table| route(table, names, report)).collect()
    }
}

/// Reports identifiers that stand twice, where nobody asks for the identifiers themselves.
pub(super) fn duplicates(file: usize, stack: &StackFile<'_>, report: &mut Report<'_>) {
    Known::collect("component", file, &stack.components, report);
    Known::collect("topic", file, &stack.topics, report);
}

/// A tag in a route names a component or a topic, so that one name must not be both.
pub(super) fn one_name_for_two(names: &Names, report: &mut Report<'_>) {
    for (id, at) in names.topics.ids() {
        if names.components.contains(id) {
            let hint = "give one of them another id; routes name both by it";
            report.error(at, format!("`{id}` is a component and a topic")).label("also a component").hint(hint);
        }
    }
}

fn tagged(table: &Fields<'_>, names: Option<&Names>, report: &mut Report<'_>) -> Option<Tagged> {
    if !table.has("id") {
        table.missing("id", report);
    }
    let id = declared(table, report).filter(|_| table.has("id"));
    let name = table.need("name", report);
    let owner = match names {
        Some(names) => names.owner_of(table, "owner", report),
        None => Some(OwnerId::new(table.text("owner", report).map_or("", |owner| owner.text))),
    };
    let terms = terms::check(table, report);
    Some(Tagged { id: id?.0, name: name?.text.to_owned(), owner: owner?, terms: terms? })
}

fn route(table: &Fields<'_>, names: &Names, report: &mut Report<'_>) -> Option<Route> {
    if !table.has("when") {
        table.missing("when", report);
    }
    let when = table.table("when", &WHEN, report);
    if let Some(when) = &when
        && WHEN.keys.iter().all(|(key, _)| !when.has(key))
    {
        let hint = "name a feed, group, tag or severity; what everybody gets needs no route";
        report.error(&when.at, "a route without a condition").label("nothing in it").hint(hint);
    }
    if !table.has("to") {
        table.missing("to", report);
    }
    let to = table.some_texts("to", report);
    let to: Vec<OwnerId> = to.unwrap_or_default().iter().filter_map(|text| names.owner(text, report)).collect();
    let urgent = table.flag("urgent", report).unwrap_or(false);
    let when = when?;
    let mut list = |key: &str, kinds: &[&Known]| -> Vec<String> {
        let texts = when.some_texts(key, report).unwrap_or_default();
        texts.iter().filter_map(|text| resolve_among(kinds, text, report)).collect()
    };
    let feeds = list("feed", &[&names.feeds]);
    let groups = list("group", &[&names.groups]);
    let tags = list("tag", &[&names.components, &names.topics]);
    let severity = when.word("severity", &Severity::ALL, report);
    Some(Route {
        feeds: feeds.into_iter().map(FeedId::new).collect(),
        groups: groups.into_iter().map(GroupId::new).collect(),
        tags,
        severity,
        to,
        urgent,
    })
}
