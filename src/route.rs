//! Who gets an entry and why. Pure: the configuration, the feed, the tags and the marks decide, and the moment only says
//! who is still a living owner. Rules never drop: what matches nothing follows the feed's `unmatched`.
//!
//! **How soon.** Three things do not wait for an owner's hour: what is exploited and names a component of theirs in its
//! title (confidence 50 or more), what is of high severity and surely about one (70 or more), and what an urgent route sends.
//!
//! **Who.** The owner of every component and topic that is tagged, and everybody whom a `[[route]]` rule names whose
//! conditions all hold. Somebody who has left or is away is stood in for by the deputies in turn, else by the fallback
//! owner; when all of these are away, nobody is. A line goes to who is away: it needs no answer and waits. An owner
//! whose ceiling is below the feed's TLP label gets nothing but the word that there is something
//! ([`Withheld`]); the story goes to the first of deputies and fallback who may see it, else to the first
//! owner of the file who may.

use crate::model::{
    feed::{Feed, Tlp, Unmatched},
    id::{ComponentId, OwnerId, TopicId},
    owner::Owner,
    settings::Config,
    stack::{Marks, Route, Severity, Tag, TagKind},
    time::Time,
};

/// The confidence of a component that the title names.
const NAMED: u8 = 50;
/// The confidence from which on a match is as good as certain: a package or a version fits.
const CONFIDENT: u8 = 70;

/// An owner who gets an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Who.
    pub owner: OwnerId,
    /// Why, in sentences that speak to the owner: "Quillgate VPN is yours."
    pub reason: String,
    /// Whether it does not wait for the owner's hour.
    pub urgent: bool,
}

/// An owner who would get an entry but may not see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Who may not see it.
    pub owner: OwnerId,
    /// Whom to ask: who got it instead, or the fallback owner where nobody may see it.
    pub ask: OwnerId,
}

/// An owner who is away, and who gets what they would have got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoodIn {
    /// Who is away, and why it would have come to them.
    pub meant: Assigned,
    /// Who gets it.
    pub by: OwnerId,
}

/// Where an entry ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// At the owners of [`Judgement::assignments`]; at nobody but those who are told to ask, in the one case that the feed's label
    /// is above every living owner's ceiling.
    Assigned,
    /// As one line in this owner's digest.
    Listed(OwnerId),
    /// Recorded as not for us.
    NotForUs,
}

/// What was decided about an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Who gets it: each owner once.
    pub assignments: Vec<Assigned>,
    /// Who does not, because of the label: each owner once.
    pub restricted: Vec<Withheld>,
    /// In whose place others get it: who is away, each owner once.
    pub away: Vec<StoodIn>,
    /// Where it ends.
    pub fate: Fate,
}

/// Decides who gets an entry of this feed. `tags` are those of the entry and those of the feed
/// (`tag::feed_tags`).
pub fn route(config: &Config, feed: &Feed, tags: &[Tag], marks: &Marks, now: Time) -> Judgement {
    let mut desk = Desk { config, tlp: feed.tlp, now, places: Vec::new(), restricted: Vec::new(), away: Vec::new() };
    let mut is_matched = desk.give_owned(tags, *marks);
    for (at, rule) in config.routes.iter().enumerate() {
        if holds(rule, feed, tags, *marks) {
            is_matched |= !rule.to.is_empty();
            for owner in &rule.to {
                desk.give(owner, &Why::Route(at + 1), rule.urgent);
            }
        }
    }
    if is_matched {
        return desk.judgement(Fate::Assigned);
    }
    match feed.unmatched {
        Unmatched::None => desk.judgement(Fate::NotForUs),
        Unmatched::Owner => {
            desk.give(&feed.owner, &Why::Feed(feed.name.clone()), false);
            desk.judgement(Fate::Assigned)
        }
        Unmatched::List => {
            let fate = desk.list(&feed.owner);
            desk.judgement(fate)
        }
    }
}

/// Whether an entry is urgent for who owns what is tagged, without any route: a component that its title names is
/// exploited, or a severity of at least high is stated of what is surely in use.
fn is_pressing(tag: &Tag, marks: Marks) -> bool {
    let is_severe = marks.severity.is_some_and(|stated| stated >= Severity::High);
    let is_sure = |least| tag.kind == TagKind::Component && tag.confidence >= least;
    marks.exploited && is_sure(NAMED) || is_severe && is_sure(CONFIDENT)
}

/// Whether every condition of a rule holds; a condition that is not stated holds.
fn holds(rule: &Route, feed: &Feed, tags: &[Tag], marks: Marks) -> bool {
    (rule.feeds.is_empty() || rule.feeds.contains(&feed.id))
        && (rule.groups.is_empty() || feed.group.as_ref().is_some_and(|group| rule.groups.contains(group)))
        && (rule.tags.is_empty() || tags.iter().any(|tag| rule.tags.contains(&tag.id)))
        && rule.severity.is_none_or(|least| marks.severity.is_some_and(|stated| stated >= least))
}

/// Why somebody is meant, before it is known who gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// A component of theirs, by name.
    Owns(String),
    /// A topic that they follow, by name.
    Follows(String),
    /// A rule, by its number in the file.
    Route(usize),
    /// Everything of a feed that is theirs, by name.
    Feed(String),
    /// A tag whose component or topic is not in the configuration any more.
    Unknown(String),
}

impl Why {
    /// In words for the one who is meant.
    fn to_you(&self) -> String {
        match self {
            Why::Owns(name) => format!("{name} is yours."),
            Why::Follows(name) => format!("You follow {name}."),
            Why::Route(number) => format!("Route {number} sends it to you."),
            Why::Feed(name) => format!("You get everything of {name}."),
            Why::Unknown(id) => format!("Nobody owns {id} any more; you are the fallback."),
        }
    }

    /// In words for the one who gets it in the place of `name`, about whom `cause` says why not.
    fn instead_of(&self, name: &str, cause: &str) -> String {
        match self {
            Why::Owns(component) => format!("{component} belongs to {name}, {cause}"),
            Why::Follows(topic) => format!("{name}, {cause}, follows {topic}"),
            Why::Route(number) => format!("Route {number} sends it to {name}, {cause}"),
            Why::Feed(feed) => format!("{name}, {cause}, gets everything of {feed}"),
            Why::Unknown(id) => format!("Nobody owns {id} any more, and it falls to {name}, {cause}"),
        }
    }
}

/// How somebody came to be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Themselves,
    Deputy,
    Fallback,
    AnotherOwner,
}

impl Part {
    fn in_words(self) -> &'static str {
        match self {
            Part::Themselves => "you are meant",
            Part::Deputy => "you stand in",
            Part::Fallback => "you are the fallback",
            Part::AnotherOwner => "of all owners you are the first who may see it",
        }
    }
}

/// Who gets what is meant for this owner under this label: the owner, the first of the deputies who lives and may
/// see it, the fallback, or any other owner who may; `None` when nobody may see it.
pub fn stand_in(config: &Config, meant: &OwnerId, tlp: Tlp, now: Time) -> Option<OwnerId> {
    let desk = Desk { config, tlp, now, places: Vec::new(), restricted: Vec::new(), away: Vec::new() };
    desk.receiver(meant).map(|(owner, _)| owner)
}

/// The deputies of somebody in turn, each once, living or not.
pub fn deputies<'c>(config: &'c Config, owner: &OwnerId) -> Vec<&'c OwnerId> {
    let mut line: Vec<&OwnerId> = Vec::new();
    let mut next = config.owner(owner).and_then(|owner| owner.deputy.as_ref());
    while let Some(id) = next.filter(|id| *id != owner && !line.contains(id)) {
        line.push(id);
        next = config.owner(id).and_then(|owner| owner.deputy.as_ref());
    }
    line
}

/// Whether somebody is a living owner who may see what has this label.
pub fn can_get(config: &Config, id: &OwnerId, tlp: Tlp, now: Time) -> bool {
    config.owner(id).is_some_and(|owner| owner.is_living(now) && owner.tlp >= tlp)
}

/// Whether somebody is not away.
pub fn is_here(config: &Config, id: &OwnerId, now: Time) -> bool {
    config.owner(id).is_some_and(|owner| owner.away_until(now).is_none())
}

/// Whether somebody can get what has this label and is not away.
pub fn can_get_now(config: &Config, id: &OwnerId, tlp: Tlp, now: Time) -> bool {
    can_get(config, id, tlp, now) && is_here(config, id, now)
}

/// "who is away until 3 Jan 2027".
pub fn is_away_in_words(config: &Config, id: &OwnerId, now: Time) -> String {
    let until = config.owner(id).and_then(|owner| owner.away_until(now));
    until.map_or_else(|| "who was away".to_owned(), |day| format!("who is away until {}", day.strftime("%-d %b %Y")))
}

/// Who gets now what is meant for this owner under this label: as [`stand_in`], but whoever is not away comes first.
pub fn stand_in_now(config: &Config, meant: &OwnerId, tlp: Tlp, now: Time) -> Option<OwnerId> {
    let desk = Desk { config, tlp, now, places: Vec::new(), restricted: Vec::new(), away: Vec::new() };
    desk.receiver_now(meant).map(|(owner, _)| owner)
}

/// The reason for one who gets what somebody else was meant to get for this reason, in whole sentences.
pub fn passed_on(config: &Config, meant: &OwnerId, reason: &str) -> String {
    let name = config.owner(meant).map_or(meant.as_str(), |owner| &owner.name);
    format!("It was meant for {name}, who cannot get it any more: \"{}\".", reason.trim_end_matches('.'))
}

/// The decision while it is being made.
struct Desk<'a> {
    config: &'a Config,
    tlp: Tlp,
    now: Time,
    places: Vec<Place>,
    restricted: Vec<Withheld>,
    away: Vec<StoodIn>,
}

/// One owner's share of it.
struct Place {
    owner: OwnerId,
    /// What is the owner's own, in the order of the tags.
    own: Vec<Why>,
    /// What came in somebody's place, as whole sentences.
    others: Vec<String>,
    urgent: bool,
}

impl Desk<'_> {
    /// Gives every tagged component and topic to its owner; whether there was one.
    fn give_owned(&mut self, tags: &[Tag], marks: Marks) -> bool {
        for tag in tags {
            let config = self.config;
            let urgent = is_pressing(tag, marks);
            let found = match tag.kind {
                TagKind::Component => config
                    .component(&ComponentId::new(&*tag.id))
                    .map(|component| (&component.owner, Why::Owns(component.name.clone()))),
                TagKind::Topic => {
                    config.topic(&TopicId::new(&*tag.id)).map(|topic| (&topic.owner, Why::Follows(topic.name.clone())))
                }
            };
            match found {
                Some((owner, why)) => self.give(owner, &why, urgent),
                None => self.give(&config.fallback, &Why::Unknown(tag.id.clone()), urgent),
            }
        }
        !tags.is_empty()
    }

    /// Gives it to this owner, or to whoever takes the owner's place.
    fn give(&mut self, meant: &OwnerId, why: &Why, urgent: bool) {
        let Some((owner, part)) = self.receiver_now(meant) else {
            let ask = self.config.fallback.clone();
            return self.withhold(meant, ask);
        };
        let instead = (part != Part::Themselves).then(|| self.sentence(meant, why, part));
        self.note(&owner, why, instead.as_deref(), urgent);
        if self.is_living(meant) && !self.may_see(meant) {
            self.withhold(meant, owner);
        } else if self.is_living(meant) && owner != *meant {
            self.stood_in(meant, why, urgent, owner);
        }
    }

    /// The owner of a line under "also published".
    fn list(&mut self, meant: &OwnerId) -> Fate {
        let Some((owner, _)) = self.receiver(meant) else {
            let ask = self.config.fallback.clone();
            self.withhold(meant, ask);
            return Fate::Assigned;
        };
        Fate::Listed(owner)
    }

    /// Who gets now what is meant for this owner, and as what: the first who is not away of the owner, the deputies and
    /// the fallback, else as if nobody were away.
    fn receiver_now(&self, meant: &OwnerId) -> Option<(OwnerId, Part)> {
        let deputies = deputies(self.config, meant).into_iter().map(|id| (id, Part::Deputy));
        let line =
            [(meant, Part::Themselves)].into_iter().chain(deputies).chain([(&self.config.fallback, Part::Fallback)]);
        let here = line.into_iter().find(|(id, _)| can_get_now(self.config, id, self.tlp, self.now));
        here.map(|(id, part)| (id.clone(), part)).or_else(|| self.receiver(meant))
    }

    /// Who gets what is meant for this owner, away or not, and as what.
    fn receiver(&self, meant: &OwnerId) -> Option<(OwnerId, Part)> {
        let mut asked: Vec<&OwnerId> = Vec::new();
        let mut next = Some(meant);
        while let Some(id) = next.filter(|id| !asked.contains(id)) {
            if self.can_get(id) {
                return Some((id.clone(), if asked.is_empty() { Part::Themselves } else { Part::Deputy }));
            }
            asked.push(id);
            next = self.config.owner(id).and_then(|owner| owner.deputy.as_ref());
        }
        let fallback = &self.config.fallback;
        if self.can_get(fallback) {
            return Some((fallback.clone(), Part::Fallback));
        }
        let able = self.config.owners.iter().find(|owner| self.can_get(&owner.id))?;
        Some((able.id.clone(), Part::AnotherOwner))
    }

    fn can_get(&self, id: &OwnerId) -> bool {
        can_get(self.config, id, self.tlp, self.now)
    }

    fn is_living(&self, id: &OwnerId) -> bool {
        self.config.owner(id).is_some_and(|owner| owner.is_living(self.now))
    }

    fn may_see(&self, id: &OwnerId) -> bool {
        self.config.owner(id).is_some_and(|owner| owner.tlp >= self.tlp)
    }

    /// Why it came to somebody in the place of who is meant.
    fn sentence(&self, meant: &OwnerId, why: &Why, part: Part) -> String {
        let name = self.config.owner(meant).map_or(meant.as_str(), |owner: &Owner| owner.name.as_str());
        let cause = if !self.is_living(meant) {
            "who is not a living owner any more".to_owned()
        } else if !self.may_see(meant) {
            format!("who may not see TLP:{} entries", self.tlp)
        } else {
            is_away_in_words(self.config, meant, self.now)
        };
        format!("{}; {}.", why.instead_of(name, &cause), part.in_words())
    }

    /// Adds a reason to an owner's share.
    fn note(&mut self, owner: &OwnerId, why: &Why, instead: Option<&str>, urgent: bool) {
        if !self.places.iter().any(|place| place.owner == *owner) {
            self.places.push(Place { owner: owner.clone(), own: Vec::new(), others: Vec::new(), urgent: false });
        }
        for place in self.places.iter_mut().filter(|place| place.owner == *owner) {
            place.urgent |= urgent;
            match instead {
                None if !place.own.contains(why) => place.own.push(why.clone()),
                Some(sentence) if !place.others.iter().any(|known| known == sentence) => {
                    place.others.push(sentence.to_owned());
                }
                _ => {}
            }
        }
    }

    /// Notes what somebody who is away would have got.
    fn stood_in(&mut self, meant: &OwnerId, why: &Why, urgent: bool, by: OwnerId) {
        if let Some(known) = self.away.iter_mut().find(|known| known.meant.owner == *meant) {
            known.meant.urgent |= urgent;
            let sentence = why.to_you();
            if !known.meant.reason.contains(&sentence) {
                known.meant.reason = format!("{} {sentence}", known.meant.reason);
            }
            return;
        }
        self.away.push(StoodIn { meant: Assigned { owner: meant.clone(), reason: why.to_you(), urgent }, by });
    }

    fn withhold(&mut self, owner: &OwnerId, ask: OwnerId) {
        if !self.restricted.iter().any(|withheld| withheld.owner == *owner) {
            self.restricted.push(Withheld { owner: owner.clone(), ask });
        }
    }

    fn judgement(self, fate: Fate) -> Judgement {
        let assignments = self.places.into_iter().map(Place::assigned).collect();
        Judgement { assignments, restricted: self.restricted, away: self.away, fate }
    }
}

impl Place {
    fn assigned(self) -> Assigned {
        let reason = sentences(&self.own).into_iter().chain(self.others).collect::<Vec<_>>().join(" ");
        Assigned { owner: self.owner, reason, urgent: self.urgent }
    }
}

/// The owner's own reasons: what is owned in one sentence, what is followed in one, the rest one by one.
fn sentences(own: &[Why]) -> Vec<String> {
    let owned: Vec<&str> =
        own.iter().filter_map(|why| if let Why::Owns(name) = why { Some(&**name) } else { None }).collect();
    let followed: Vec<&str> =
        own.iter().filter_map(|why| if let Why::Follows(name) = why { Some(&**name) } else { None }).collect();
    let mut sentences = Vec::new();
    match owned.as_slice() {
        [] => {}
        [one] => sentences.push(Why::Owns((*one).to_owned()).to_you()),
        several => sentences.push(format!("{} are yours.", listed(several))),
    }
    if !followed.is_empty() {
        sentences.push(format!("You follow {}.", listed(&followed)));
    }
    sentences.extend(own.iter().filter(|why| !matches!(why, Why::Owns(_) | Why::Follows(_))).map(Why::to_you));
    sentences
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::{SignedDuration, Span, civil::date, tz::TimeZone};

    use super::*;
    use crate::model::{
        settings::{
            ClientHeader, EvidenceSettings, FetchSettings, MailSettings, MailTransport, RemindSettings,
            RetentionSettings, UrgentSettings, WebSettings,
        },
        stack::{Component, Field, Method, Topic},
    };

    const NOW: &str = "2099-01-02T08:00:00Z";

    fn owner(id: &str, tlp: Tlp, deputy: Option<&str>) -> Owner {
        Owner {
            id: id.into(),
            name: format!(
                "{} Example",
                id.chars().take(1).flat_map(char::to_uppercase).chain(id.chars().skip(1)).collect::<String>()
            ),
            address: format!("{id}@example.com"),
            role: None,
            deputy: deputy.map(Into::into),
            timezone: TimeZone::UTC,
            digest: "0 8 * * *".into(),
            tlp,
            until: None,
            away: Vec::new(),
            quiet_hours: None,
        }
    }

    fn component(id: &str, name: &str, owner: &str) -> Component {
        Component { id: id.into(), name: name.into(), owner: owner.into(), terms: Vec::new() }
    }

    fn feed(tlp: Tlp, unmatched: Unmatched) -> Feed {
        Feed {
            id: "cert".into(),
            name: "Example CERT".into(),
            url: "https://cert.example/feed".parse().unwrap(),
            owner: "maria".into(),
            group: Some("certs".into()),
            expect: None,
            every: SignedDuration::from_hours(1),
            every_stated: false,
            a_im: false,
            unmatched,
            baseline: 3,
            tlp,
            topics: Vec::new(),
            enabled: true,
        }
    }

    /// A small company: Maria and her deputy Jon, Ada, and Fay as the fallback.
    pub(crate) fn config() -> Config {
        Config {
            files: Vec::new(),
            hash: String::new(),
            feeds: vec![feed(Tlp::Clear, Unmatched::List)],
            groups: Vec::new(),
            owners: vec![
                owner("maria", Tlp::Amber, Some("jon")),
                owner("jon", Tlp::Red, None),
                owner("ada", Tlp::Green, Some("maria")),
                owner("fay", Tlp::Red, None),
            ],
            fallback: "fay".into(),
            components: vec![
                component("quillgate", "Quillgate VPN", "maria"),
                component("libmarrow", "libmarrow", "maria"),
                component("tarnbase", "Tarnbase", "ada"),
            ],
            topics: vec![Topic {
                id: "prompt-injection".into(),
                name: "prompt injection".into(),
                owner: "maria".into(),
                terms: Vec::new(),
            }],
            routes: Vec::new(),
            state: "var".into(),
            mail: MailSettings {
                from_name: "sigtrail".into(),
                from_address: "sigtrail@example.com".into(),
                envelope_from: None,
                per_minute: None,
                transport: MailTransport::Directory,
            },
            inbound: None,
            web: WebSettings {
                listen: "127.0.0.1:8090".parse().unwrap(),
                base_url: "https://sigtrail.example.com".parse().unwrap(),
                fast_answer: crate::model::settings::FastAnswer::Accept,
                trusted_proxies: Vec::new(),
                client_header: ClientHeader::XForwardedFor,
            },
            metrics: None,
            fetch: FetchSettings {
                contact: None,
                every: SignedDuration::from_hours(1),
                min_interval: SignedDuration::from_mins(15),
                per_host_gap: SignedDuration::ZERO,
                timeout: SignedDuration::from_secs(30),
                max_wire: 1,
                max_decoded: 1,
                allow_addresses: Vec::new(),
                allow_ports: Vec::new(),
            },
            remind: RemindSettings::default(),
            urgent: UrgentSettings::default(),
            evidence: EvidenceSettings { origin: "example.com/sigtrail".into() },
            retention: RetentionSettings { entries: Span::new() },
        }
    }

    fn tag(kind: TagKind, id: &str) -> Tag {
        Tag {
            kind,
            id: id.into(),
            term: id.into(),
            field: Field::Title,
            start: 0,
            end: 1,
            snippet: String::new(),
            method: Method::Term,
            confidence: 50,
        }
    }

    fn rule(to: &[&str]) -> Route {
        Route {
            feeds: Vec::new(),
            groups: Vec::new(),
            tags: Vec::new(),
            severity: None,
            to: to.iter().map(|id| (*id).into()).collect(),
            urgent: false,
        }
    }

    /// The judgement in words: `owner[!]: reason`, `owner -> ask`, fate.
    fn judge(config: &Config, feed: &Feed, tags: &[Tag], marks: Marks) -> (Vec<String>, Vec<String>, Fate) {
        let judgement = route(config, feed, tags, &marks, NOW.parse().unwrap());
        let assigned = judgement
            .assignments
            .into_iter()
            .map(|one| format!("{}{}: {}", one.owner, if one.urgent { "!" } else { "" }, one.reason));
        let withheld = judgement.restricted.into_iter().map(|one| format!("{} -> {}", one.owner, one.ask));
        (assigned.collect(), withheld.collect(), judgement.fate)
    }

    fn assigned(config: &Config, feed: &Feed, tags: &[Tag]) -> Vec<String> {
        let (assigned, withheld, fate) = judge(config, feed, tags, Marks::default());
        assert_eq!((withheld.len(), fate), (0, Fate::Assigned));
        assigned
    }

    #[test]
    fn each_owner_gets_it_once_with_every_reason() {
        let tags = [
            tag(TagKind::Component, "quillgate"),
            tag(TagKind::Component, "tarnbase"),
            tag(TagKind::Component, "libmarrow"),
            tag(TagKind::Topic, "prompt-injection"),
        ];
        let mut config = config();
        config.routes = vec![rule(&["jon"]), rule(&["maria"])];
        config.routes[1].urgent = true;
        assert_eq!(
            assigned(&config, &feed(Tlp::Clear, Unmatched::None), &tags),
            [
                "maria!: Quillgate VPN and libmarrow are yours. You follow prompt injection. Route 2 sends it to you.",
                "ada: Tarnbase is yours.",
                "jon: Route 1 sends it to you.",
            ]
        );
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold() {
        let mut config = config();
        config.routes = vec![Route {
            feeds: vec!["cert".into(), "other".into()],
            groups: vec!["certs".into()],
            tags: vec!["quillgate".into(), "tarnbase".into()],
            severity: Some(Severity::High),
            ..rule(&["jon"])
        }];
        let marks = |severity| Marks { severity, ..Marks::default() };
        let gets = |config: &Config, feed: &Feed, tags: &[Tag], severity| {
            judge(config, feed, tags, marks(severity)).0.iter().any(|line| line.starts_with("jon"))
        };
        let cert = feed(Tlp::Clear, Unmatched::None);
        let tagged = [tag(TagKind::Component, "quillgate")];
        assert!(gets(&config, &cert, &tagged, Some(Severity::Critical)));
        assert!(gets(&config, &cert, &tagged, Some(Severity::High)));
        assert!(!gets(&config, &cert, &tagged, Some(Severity::Medium)));
        assert!(!gets(&config, &cert, &tagged, None));
        assert!(!gets(&config, &cert, &[tag(TagKind::Component, "libmarrow")], Some(Severity::High)));
        assert!(!gets(&config, &Feed { group: None, ..cert.clone() }, &tagged, Some(Severity::High)));
        assert!(!gets(&config, &Feed { id: "third".into(), ..cert }, &tagged, Some(Severity::High)));
    }

    #[test]
    fn what_is_surely_about_a_component_and_exploited_or_severe_is_urgent_without_a_route() {
        let config = config();
        let sure = |confidence, kind, id| Tag { confidence, ..tag(kind, id) };
        let exploited = Marks { exploited: true, ..Marks::default() };
        let stated = |severity| Marks { severity: Some(severity), ..Marks::default() };
        let cert = feed(Tlp::Clear, Unmatched::None);
        for (tag, marks, expected) in [
            (sure(70, TagKind::Component, "quillgate"), exploited, true),
            (sure(70, TagKind::Component, "quillgate"), stated(Severity::High), true),
            (sure(100, TagKind::Component, "quillgate"), stated(Severity::Critical), true),
            (sure(100, TagKind::Component, "quillgate"), stated(Severity::Medium), false),
            (sure(100, TagKind::Component, "quillgate"), Marks::default(), false),
            (sure(69, TagKind::Component, "quillgate"), stated(Severity::Critical), false),
            (sure(50, TagKind::Component, "quillgate"), exploited, true),
            (sure(49, TagKind::Component, "quillgate"), exploited, false),
            (sure(100, TagKind::Topic, "prompt-injection"), exploited, false),
        ] {
            let told = judge(&config, &cert, std::slice::from_ref(&tag), marks).0;
            assert_eq!(told[0].starts_with("maria!"), expected, "{tag:?} {marks:?} {told:?}");
        }
    }

    #[test]
    fn who_is_away_is_stood_in_for_until_nobody_is_there() {
        use crate::model::owner::Away;
        let mut config = config();
        let away = vec![Away { from: date(2098, 12, 30), to: date(2099, 1, 5) }];
        let tags = [tag(TagKind::Component, "tarnbase")];
        let cert = feed(Tlp::Clear, Unmatched::List);
        config.owners[2].away.clone_from(&away);
        assert_eq!(
            assigned(&config, &cert, &tags),
            ["maria: Tarnbase belongs to Ada Example, who is away until 5 Jan 2099; you stand in."]
        );
        config.owners[0].away.clone_from(&away);
        let (told, withheld, _) = judge(&config, &cert, &tags, Marks::default());
        assert_eq!(withheld.len(), 0);
        assert!(told[0].ends_with("you are the fallback.") || told[0].starts_with("jon"), "{told:?}");
        for owner in &mut config.owners {
            owner.away.clone_from(&away);
        }
        assert_eq!(assigned(&config, &cert, &tags), ["ada: Tarnbase is yours."], "better than nobody");
        let listed = judge(&config, &cert, &[], Marks::default()).2;
        assert_eq!(listed, Fate::Listed("maria".into()), "a line waits for the return");
    }

    #[test]
    fn what_matches_nothing_follows_the_feed() {
        let config = config();
        let fate = |unmatched| judge(&config, &feed(Tlp::Clear, unmatched), &[], Marks::default());
        assert_eq!(fate(Unmatched::None), (vec![], vec![], Fate::NotForUs));
        assert_eq!(fate(Unmatched::List), (vec![], vec![], Fate::Listed("maria".into())));
        assert_eq!(
            fate(Unmatched::Owner),
            (vec!["maria: You get everything of Example CERT.".into()], vec![], Fate::Assigned)
        );
    }

    #[test]
    fn who_has_left_is_stood_in_for_by_deputies_then_by_the_fallback() {
        let mut config = config();
        let tags = [tag(TagKind::Component, "tarnbase")];
        let cert = feed(Tlp::Clear, Unmatched::List);
        config.owners[2].until = Some(date(2099, 1, 2));
        assert_eq!(
            assigned(&config, &cert, &tags),
            ["maria: Tarnbase belongs to Ada Example, who is not a living owner any more; you stand in."]
        );
        config.owners[0].until = Some(date(2099, 1, 1));
        config.owners[1].deputy = Some("ada".into());
        assert!(assigned(&config, &cert, &tags)[0].starts_with("jon: Tarnbase belongs to Ada Example"));
        config.owners[1].until = Some(date(2098, 1, 1));
        assert_eq!(
            assigned(&config, &cert, &tags),
            ["fay: Tarnbase belongs to Ada Example, who is not a living owner any more; you are the fallback."]
        );
        assert_eq!(judge(&config, &cert, &[], Marks::default()).2, Fate::Listed("fay".into()));
    }

    #[test]
    fn nobody_gets_what_is_above_their_ceiling_and_somebody_else_does() {
        let config = config();
        let tags = [tag(TagKind::Component, "tarnbase"), tag(TagKind::Component, "quillgate")];
        let (given, withheld, fate) = judge(&config, &feed(Tlp::Red, Unmatched::List), &tags, Marks::default());
        assert_eq!(
            given,
            ["jon: Tarnbase belongs to Ada Example, who may not see TLP:RED entries; you stand in. \
             Quillgate VPN belongs to Maria Example, who may not see TLP:RED entries; you stand in."]
        );
        assert_eq!(withheld, ["ada -> jon", "maria -> jon"]);
        assert_eq!(fate, Fate::Assigned);
        assert_eq!(
            judge(&config, &feed(Tlp::Red, Unmatched::List), &[], Marks::default()),
            (vec![], vec![], Fate::Listed("jon".into()))
        );
    }

    #[test]
    fn where_nobody_may_see_it_the_owner_is_told_whom_to_ask() {
        let mut config = config();
        for owner in &mut config.owners {
            owner.tlp = Tlp::Green;
        }
        let tags = [tag(TagKind::Component, "tarnbase")];
        assert_eq!(
            judge(&config, &feed(Tlp::Red, Unmatched::List), &tags, Marks::default()),
            (vec![], vec!["ada -> fay".into()], Fate::Assigned)
        );
        config.owners[1].tlp = Tlp::Red;
        config.owners[0].deputy = None;
        let (given, withheld, _) = judge(&config, &feed(Tlp::Red, Unmatched::List), &tags, Marks::default());
        assert!(given[0].starts_with("jon: ") && given[0].ends_with("the first who may see it."), "{given:?}");
        assert_eq!(withheld, ["ada -> jon"]);
    }

    #[test]
    fn a_tag_of_something_that_nobody_owns_any_more_ends_at_the_fallback() {
        let tags = [tag(TagKind::Component, "gone")];
        assert_eq!(
            assigned(&config(), &feed(Tlp::Clear, Unmatched::None), &tags),
            ["fay: Nobody owns gone any more; you are the fallback."]
        );
    }
}
