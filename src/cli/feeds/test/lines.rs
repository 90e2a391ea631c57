//! What a probe found, as one JSON object for scripts.

use serde_json::{Value, json};

use crate::{
    jobs::probe::{Known, Probed, Reading},
    model::{
        feed::{FeedState, FeedStatus},
        id::OwnerId,
        stack::TagKind,
        time::Time,
    },
    outlook::{Dates, Outlook, Shown},
    route::Fate,
};

/// One JSON object without a line end: what `feeds test --json` prints.
pub(super) fn json_line(probed: &Probed, standing: Option<&FeedStatus>, now: Time) -> Value {
    let trouble = probed.trouble().filter(|_| !probed.is_good());
    let tries = probed.tries.iter().map(
        |one| json!({ "url": one.url.as_str(), "found_by": one.how.as_str(), "state": one.state.as_str(), "said": one.said }),
    );
    let also = probed.also.iter().map(|one| json!({ "url": one.url.as_str(), "title": one.title }));
    let catalogue = match probed.known {
        Known::Listed(listed) => Some(&listed.id),
        Known::Configured | Known::Nowhere => None,
    };
    let mut line = json!({
        "asked": probed.asked.as_str(), "ok": probed.is_good(),
        "state": trouble.map_or(FeedState::Ok, |one| one.state).as_str(), "error": trouble.map(|one| &one.said),
        "tries": tries.collect::<Vec<_>>(), "also": also.collect::<Vec<_>>(),
        "feed": (probed.known == Known::Configured).then_some(&probed.feed.id), "catalogue": catalogue,
        "toml": probed.block(), "standing": standing.map(stands),
    });
    let more = probed.reading.as_ref().zip(probed.outlook.as_ref());
    if let (Value::Object(line), Some((reading, outlook))) = (&mut line, more) {
        for part in [read(reading), meant(outlook)] {
            if let Value::Object(part) = part {
                line.extend(part);
            }
        }
        line.insert("remarks".to_owned(), json!(outlook.remarks(&probed.feed, now)));
    }
    line
}

/// How a feed that is polled stands.
fn stands(row: &FeedStatus) -> Value {
    json!({
        "state": row.state.as_str(), "since": format!("{:.0}", row.since), "cause": row.cause,
        "next_poll_at": row.enabled.then(|| format!("{:.0}", row.next_poll_at)), "next_poll_why": row.next_poll_why,
        "moved_to": row.moved_to,
    })
}

fn read(reading: &Reading) -> Value {
    let seconds = |span: Option<jiff::SignedDuration>| span.map(|span| span.as_secs());
    let document = &reading.document;
    json!({
        "url": reading.address().as_str(), "found_by": reading.how.as_str(), "answered_by": reading.final_url.as_str(),
        "moved_permanently": reading.moved_permanently, "seconds": reading.took.as_secs_f64(), "bytes": reading.bytes,
        "wire_bytes": reading.wire_bytes, "format": document.format.as_str(), "title": document.title,
        "partial": document.partial, "warnings": document.warnings,
        "etag": reading.validators.etag.is_some(), "last_modified": reading.validators.last_modified.is_some(),
        "max_age_seconds": seconds(reading.hints.max_age), "expires_seconds": seconds(reading.hints.expires),
        "skip_hours": document.hints.wishes.skip_hours, "skip_days": document.hints.wishes.skip_days,
        "retry_after_seconds": seconds(reading.hints.retry_after),
        "ttl_seconds": seconds(reading.ttl()),
    })
}

fn meant(outlook: &Outlook) -> Value {
    let matches = outlook.matches.iter().map(|one| {
        let kind = match one.kind {
            TagKind::Component => "component",
            TagKind::Topic => "topic",
        };
        json!({ "kind": kind, "id": one.id, "name": one.name, "entries": one.entries })
    });
    let owners =
        outlook.owners.iter().map(|one| json!({ "owner": one.owner, "entries": one.entries, "urgent": one.urgent }));
    let counted = |list: &[(OwnerId, usize)]| {
        list.iter().map(|(owner, entries)| json!({ "owner": owner, "entries": entries })).collect::<Vec<_>>()
    };
    json!({
        "entries": outlook.entries, "dates": dates(&outlook.dates), "without_id": outlook.without_id,
        "repeated_ids": outlook.repeated_ids, "matched": outlook.matched, "matches": matches.collect::<Vec<_>>(),
        "owners": owners.collect::<Vec<_>>(), "listed": counted(&outlook.listed), "not_for_us": outlook.not_for_us,
        "withheld": counted(&outlook.withheld), "newest": outlook.newest.iter().map(shown).collect::<Vec<_>>(),
    })
}

fn dates(dates: &Dates) -> Value {
    let at = |time: Option<Time>| time.map(|time| format!("{time:.0}"));
    let seconds = |span: Option<jiff::SignedDuration>| span.map(|span| span.as_secs());
    json!({
        "stated": dates.stated, "newest": at(dates.newest), "oldest": at(dates.oldest),
        "usual_gap_seconds": seconds(dates.usual_gap), "longest_gap_seconds": seconds(dates.longest_gap),
        "last_month": dates.last_month, "ahead": dates.ahead,
    })
}

fn shown(shown: &Shown) -> Value {
    let (fate, listed_to) = match &shown.judgement.fate {
        Fate::Assigned => ("assigned", None),
        Fate::Listed(owner) => ("listed", Some(owner)),
        Fate::NotForUs => ("not-for-us", None),
    };
    let owners: Vec<_> = shown.judgement.assignments.iter().map(|one| &one.owner).collect();
    json!({
        "title": shown.title, "link": shown.link, "date": shown.date.map(|time| format!("{time:.0}")),
        "tags": shown.tags, "fate": fate, "owners": owners, "listed_to": listed_to,
    })
}
