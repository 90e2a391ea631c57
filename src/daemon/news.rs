//! What polls, digests and deliveries are worth saying in the log: one line each, identifiers as fields, no addresses
//! and no feed texts but the cause of a failure.

use tracing::{debug, error, info, warn};

use crate::{
    jobs::{
        deliver::DeliverReport,
        digest::DigestReport,
        inbound::InboundReport,
        poll::{PollReport, PolledFeed},
        wake::Found,
    },
    model::{delivery::SendOutcome, feed::FeedState},
    moves::{Kind, Step},
};

/// One feed's poll: new entries, and a change of its state.
pub(super) fn polled(feed: &PolledFeed, before: Option<FeedState>) {
    let applied = &feed.applied;
    if applied.new + applied.revised > 0 {
        info!(
            target: "poll", { feed.id = %feed.feed, new = applied.new, changed = applied.revised,
            assigned = applied.assigned, listed = applied.listed, baseline = applied.baseline, held = applied.held, urgent = applied.urgent }, "entries arrived",
        );
    }
    let state = feed.state.as_str();
    match before {
        Some(before) if before == feed.state => {}
        _ if !feed.state.is_seen() => warn!(
            target: "poll", { feed.id = %feed.feed, feed.state = state, next = %format_args!("{:.0}", feed.next_poll_at) }, "cannot be seen: {}", feed.cause,
        ),
        Some(before) if !before.is_seen() => {
            info!(target: "poll", { feed.id = %feed.feed, feed.state = state }, "is seen again");
        }
        _ => debug!(target: "poll", { feed.id = %feed.feed, feed.state = state }, "was seen for the first time"),
    }
    if let Some(step) = &feed.moved {
        moved(feed, step);
    }
    for warning in &feed.warnings {
        debug!(target: "poll", { feed.id = %feed.feed }, "{warning}");
    }
}

/// A step of a feed's move. An address may hold a secret behind its question mark, which stays out.
fn moved(feed: &PolledFeed, step: &Step) {
    let to = step.to.split('?').next().unwrap_or_default();
    match step.kind {
        Kind::Seen => info!(target: "poll", { feed.id = %feed.feed, to }, "is redirected for good; followed for now"),
        Kind::Followed => {
            info!(target: "poll", { feed.id = %feed.feed, to }, "moved; the new address is asked from now on");
        }
        Kind::Asked => {
            warn!(target: "poll", { feed.id = %feed.feed, to }, "moves, and a person has to agree: {}", step.reason);
        }
        // A load of the configuration tells of it.
        Kind::Agreed => {}
        Kind::Dropped => warn!(target: "poll", { feed.id = %feed.feed, to }, "is asked at its old address again"),
    }
}

/// That time did not pass as it should.
pub(super) fn looked(found: &Found) {
    if let Some((from, to)) = found.jump {
        warn!(target: "run", from = %format_args!("{from:.0}"), to = %format_args!("{to:.0}"), "the clock was set: the plan of polls moves with it");
    }
    if found.spread > 0 {
        info!(target: "run", feeds = found.spread, "polls that waited are spread over the next hour");
    }
}

/// That this machine has no network, once.
pub(super) fn network(report: &PollReport) {
    if report.lost_network {
        warn!(target: "poll", "nearly no host can be connected to: this machine seems to have no network, and no feed is blamed");
    }
}

/// The digests that were composed. Their subjects may quote a feed, and stay out.
pub(super) fn composed(report: &DigestReport) {
    for (owner, reason) in &report.failed {
        let reason = without_addresses(reason);
        error!(target: "digest", { owner.id = %owner }, "cannot be composed: {reason}");
    }
    for digest in &report.digests {
        info!(
            target: "digest", { digest.id = digest.no.0, owner.id = %digest.owner, stories = digest.stories }, "composed",
        );
    }
}

/// What became of deliveries. A server's reply may hold addresses; it is in the store and stays out of the log.
pub(super) fn delivered(report: &DeliverReport) {
    for one in &report.deliveries {
        let (delivery, owner) = (one.delivery.0, &one.owner);
        let Some(outcome) = &one.outcome else {
            info!(target: "deliver", { delivery.id = delivery, owner.id = %owner }, "withdrawn before it was sent");
            continue;
        };
        let said = outcome.as_str();
        match outcome {
            SendOutcome::Accepted { code, .. } => {
                info!(target: "deliver", { delivery.id = delivery, owner.id = %owner, code }, "{said}");
            }
            SendOutcome::Written { file } => {
                info!(target: "deliver", { delivery.id = delivery, owner.id = %owner, file }, "{said}");
            }
            SendOutcome::Deferred { code, .. } | SendOutcome::Rejected { code, .. } => {
                warn!(target: "deliver", { delivery.id = delivery, owner.id = %owner, code }, "{said} by the mail server");
            }
            SendOutcome::Uncertain { .. }
            | SendOutcome::Unreachable { .. }
            | SendOutcome::TooLarge { .. }
            | SendOutcome::Unfit { .. } => {
                let cause = without_addresses(outcome.text());
                warn!(target: "deliver", { delivery.id = delivery, owner.id = %owner }, "{said}: {cause}");
            }
        }
        if let Some(reason) = &one.reason {
            info!(target: "deliver", { delivery.id = delivery, owner.id = %owner }, "withdrawn: {reason}");
        }
    }
}

/// What a look at the mailbox brought that mails come back to.
pub(super) fn returned(report: &InboundReport) {
    for one in &report.reports {
        let (delivery, owner, said) = (one.delivery.0, &one.owner, one.action.as_str());
        if one.has_moved {
            warn!(target: "inbound", { delivery.id = delivery, owner.id = %owner }, "a digest came back; its stories go to whoever stands in, or to their owner anew");
        } else {
            info!(target: "inbound", { delivery.id = delivery, owner.id = %owner, said }, "a server reports; nothing moves");
        }
    }
    if report.messages > report.reports.len() {
        let (strange, automatic, others) = (report.strange, report.automatic, report.others);
        info!(target: "inbound", strange, automatic, others, "read, and nothing moves");
    }
    if let Some(trouble) = &report.trouble {
        let trouble = without_addresses(trouble);
        warn!(target: "inbound", "the mailbox cannot be read: {trouble}");
    }
}

/// A server's words without mail addresses.
fn without_addresses(text: &str) -> String {
    let words = text.split(' ').map(|word| if word.contains('@') { "(an address)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_reaches_the_log() {
        let said = "smtp.example.com:25 refused RCPT: 550 <maria@example.com>: unknown";
        assert_eq!(without_addresses(said), "smtp.example.com:25 refused RCPT: 550 (an address) unknown");
    }
}
