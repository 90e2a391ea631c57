//! `sigtrail tick`: do everything that is due, once, and say what happened.

use std::io::Write;

use serde_json::json;

use super::{
    failure::Failure,
    place::Place,
    poll::{self, Bar},
    table::{count, stretch},
};
use crate::{
    clock::Stopwatch,
    jobs::{self, Fault, TickReport},
};

/// Does everything that is due now; bad weather is no failure.
pub fn run(place: &Place, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let watch = Stopwatch::start();
    let (context, _lock) = place.start(place.config()?)?;
    let mut bar = Bar::new();
    let mut report = jobs::tick(&context, &mut |progress| bar.show(&progress))?;
    bar.clear();
    poll::sort(&mut report.poll);
    let outbox = context.store.dir().join("outbox");
    for (owner, reason) in &report.digests.failed {
        super::say(&Fault::Compose(format!("{owner}: {reason}")).into());
    }
    let code = u8::from(!report.digests.failed.is_empty());
    if json {
        write_json(&report, out)?;
        return Ok(code);
    }
    write_report(&report, out)?;
    if report.deliveries.deliveries.iter().any(|one| one.outcome.as_ref().is_some_and(|o| o.as_str() == "written")) {
        writeln!(out, "mails are in {}", outbox.display())?;
    }
    let seconds = jiff::SignedDuration::try_from(watch.elapsed()).unwrap_or_default();
    writeln!(out, "done in {}", stretch(seconds))?;
    Ok(code)
}

fn write_report(report: &TickReport, out: &mut dyn Write) -> Result<(), Failure> {
    poll::write_feeds(&report.poll, out)?;
    let poll = &report.poll;
    let unchanged = poll.feeds.iter().filter(|feed| feed.not_modified).count();
    writeln!(
        out,
        "   polled  {}: {} new, {} changed; {unchanged} not modified, {} not seen",
        count(poll.feeds.len(), "feed", "feeds"),
        count(poll.sum(|applied| applied.new), "entry", "entries"),
        poll.sum(|applied| applied.revised),
        poll.failed(),
    )?;
    writeln!(
        out,
        "   routed  {} to owners, {} listed, {} not for us, {} baseline",
        poll.sum(|applied| applied.assigned),
        poll.sum(|applied| applied.listed),
        poll.sum(|applied| applied.not_for_us),
        poll.sum(|applied| applied.baseline),
    )?;
    let held = poll.sum(|applied| applied.held);
    if held > 0 {
        writeln!(out, "     held  {}, many more than usual, until somebody decides", count(held, "entry", "entries"))?;
    }
    for one in &report.inbound.reports {
        let moved = if one.has_moved {
            "; its stories go to whoever stands in, or to their owner anew"
        } else {
            "; nothing moves"
        };
        writeln!(out, " returned  {}: delivery {} {}{moved}", one.owner, one.delivery, one.action.as_str())?;
    }
    if let Some(trouble) = &report.inbound.trouble {
        writeln!(out, " returned  not known: {trouble}")?;
    }
    for digest in &report.digests.digests {
        writeln!(out, " composed  digest {} for {}: {}", digest.no, digest.owner, digest.subject)?;
    }
    for delivery in &report.deliveries.deliveries {
        match (&delivery.outcome, &delivery.reason) {
            (Some(outcome), reason) => {
                let code = outcome.code().map_or_else(String::new, |code| format!("{code} "));
                writeln!(out, "   mailed  {}: {}: {code}{}", delivery.owner, outcome.as_str(), outcome.text())?;
                if let Some(reason) = reason {
                    writeln!(out, "withdrawn  {}: {reason}", delivery.owner)?;
                }
            }
            (None, reason) => {
                let reason = reason.as_deref().unwrap_or_default();
                writeln!(out, "withdrawn  {}: {reason}", delivery.owner)?;
            }
        }
    }
    Ok(())
}

fn write_json(report: &TickReport, out: &mut dyn Write) -> Result<(), Failure> {
    for feed in &report.poll.feeds {
        writeln!(out, "{}", poll::json_line(feed))?;
    }
    for one in &report.inbound.reports {
        let line = json!({
            "delivery": one.delivery, "owner": one.owner, "report": one.action.as_str(), "bounced": one.has_moved,
        });
        writeln!(out, "{line}")?;
    }
    for digest in &report.digests.digests {
        let line = json!({
            "digest": digest.no, "owner": digest.owner, "subject": digest.subject, "stories": digest.stories,
        });
        writeln!(out, "{line}")?;
    }
    for delivery in &report.deliveries.deliveries {
        let outcome = delivery.outcome.as_ref();
        let line = json!({
            "delivery": delivery.delivery, "owner": delivery.owner,
            "outcome": outcome.map_or("withdrawn", |outcome| outcome.as_str()),
            "reply": outcome.map(|outcome| outcome.text().to_owned()).or_else(|| delivery.reason.clone()),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
