//! Disown: an owner says that something the configuration gives them is not theirs. It changes nothing by itself; `status`
//! names it until the configuration gives the thing to somebody else.

use jiff::tz::TimeZone;

use crate::{
    model::{
        disowned::{Disowned, Heard},
        id::{ComponentId, DigestNo, FeedId, OwnerId, TopicId},
        settings::Config,
        stack::OwnedKind,
        time::Time,
    },
    store::{Store, StoreError},
};

/// Something that an owner answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// What it is.
    pub kind: OwnedKind,
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When the owner said that it is not theirs, and the record of that.
    pub disowned: Option<(Time, u64)>,
}

/// What an owner may say is not theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPage {
    /// The digest whose link it is.
    pub digest: DigestNo,
    /// Whose.
    pub owner: OwnerId,
    /// That person's name.
    pub owner_name: String,
    /// The zone that times are shown in.
    pub timezone: TimeZone,
    /// What they answer for: components, topics, feeds.
    pub things: Vec<Owned>,
}

/// What stands behind the link of a digest. `None`: there is no such digest. Who is no owner any more answers for nothing.
pub fn page(store: &Store, config: &Config, digest: DigestNo) -> Result<Option<OwnedPage>, StoreError> {
    store.read(|read| {
        let Some(row) = read.digest(digest)? else { return Ok(None) };
        let owner = config.owner(&row.owner);
        let said = read.disowned_by(&row.owner)?;
        let things = things(config, &row.owner).into_iter().map(|(kind, id, name)| {
            let disowned = said.iter().find(|one| one.kind == kind && one.id == id).map(|one| (one.at, one.record));
            Owned { kind, id, name, disowned }
        });
        Ok(Some(OwnedPage {
            digest,
            owner_name: owner.map_or_else(|| row.owner.to_string(), |owner| owner.name.clone()),
            timezone: owner.map_or(TimeZone::UTC, |owner| owner.timezone.clone()),
            owner: row.owner.clone(),
            things: things.collect(),
        }))
    })
}

fn things(config: &Config, owner: &OwnerId) -> Vec<(OwnedKind, String, String)> {
    let components = config.components.iter().filter(|one| one.owner == *owner);
    let components = components.map(|one| (OwnedKind::Component, one.id.to_string(), one.name.clone()));
    let topics = config.topics.iter().filter(|one| one.owner == *owner);
    let topics = topics.map(|one| (OwnedKind::Topic, one.id.to_string(), one.name.clone()));
    let feeds = config.feeds.iter().filter(|one| one.owner == *owner && one.enabled);
    components.chain(topics).chain(feeds.map(|one| (OwnedKind::Feed, one.id.to_string(), one.name.clone()))).collect()
}

/// Records what an owner says is not theirs, with its evidence; the same form again finds the first record.
pub fn record(store: &Store, said: &Disowned, digest: DigestNo, nonce: &str, now: Time) -> Result<Heard, StoreError> {
    store.write(|write| write.disown(said, digest, nonce, now))
}

/// The name of what was disowned, where the configuration still says that it is this owner's.
pub(super) fn still_theirs(config: &Config, said: &Disowned) -> Option<String> {
    let is_theirs = |owner: &OwnerId| *owner == said.owner;
    match said.kind {
        OwnedKind::Component => config
            .component(&ComponentId::new(&said.id))
            .filter(|one| is_theirs(&one.owner))
            .map(|one| one.name.clone()),
        OwnedKind::Topic => {
            config.topic(&TopicId::new(&said.id)).filter(|one| is_theirs(&one.owner)).map(|one| one.name.clone())
        }
        OwnedKind::Feed => {
            config.feed(&FeedId::new(&said.id)).filter(|one| is_theirs(&one.owner)).map(|one| one.name.clone())
        }
    }
}
