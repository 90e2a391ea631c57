//! The figures in the text format of Prometheus, version 0.0.4. Pure: figures come in, lines go out. Owners and feeds
//! appear by identifier; no name, no address and nothing that a publisher wrote.

use std::fmt::Write as _;

use crate::{
    jobs::vitals::{Ailment, Figures},
    model::feed::FeedState,
};

/// The media type of the format.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The lines so far.
#[derive(Debug, Default)]
struct Exposition(String);

impl Exposition {
    /// Begins a family of samples, all of which follow it.
    fn gauge(&mut self, name: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            // As above.
            let _ = write!(self.0, "{}{label}=\"{text}\"", if place == 0 { '{' } else { ',' });
        }
        // As above.
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// A family of one sample.
    fn one(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.gauge(name, help);
        self.sample(name, &[], value);
    }
}

/// Everything that is told of a service that runs since `started_at`, in seconds of Unix time, and has these ailments.
/// No `figures`: the database cannot be read.
pub(super) fn render(started_at: i64, ailments: &[Ailment], figures: Option<&Figures>) -> String {
    let mut out = Exposition::default();
    out.gauge("sigtrail_build_info", "1, with the version of the program.");
    out.sample("sigtrail_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.one("sigtrail_start_time_seconds", "When the service started, in seconds of Unix time.", started_at);
    out.one("sigtrail_healthy", "1 where /healthz says ok, else 0.", u8::from(ailments.is_empty()));
    if let Some(figures) = figures {
        feeds(&mut out, figures);
        mails(&mut out, figures);
        answers(&mut out, figures);
        log(&mut out, figures);
    }
    out.0
}

fn feeds(out: &mut Exposition, figures: &Figures) {
    out.gauge("sigtrail_feeds", "How many feeds are followed, by state.");
    for (word, state) in FeedState::ALL {
        let count = figures.feeds.iter().filter(|feed| feed.state == state).count();
        out.sample("sigtrail_feeds", &[("state", word)], count);
    }
    out.gauge("sigtrail_feed_state", "1, with the state in which the feed is.");
    for feed in &figures.feeds {
        let labels = [("feed", feed.feed.as_str()), ("state", feed.state.as_str())];
        out.sample("sigtrail_feed_state", &labels, 1);
    }
    let name = "sigtrail_feed_last_success_age_seconds";
    out.gauge(name, "Seconds since the newest poll that answered; for a feed that does not, since it began not to.");
    for (feed, age) in figures.feeds.iter().filter_map(|feed| Some((&feed.feed, feed.success_age?))) {
        out.sample(name, &[("feed", feed.as_str())], age);
    }
    let name = "sigtrail_feed_newest_entry_age_seconds";
    out.gauge(name, "Seconds since the newest poll that brought a new entry.");
    for (feed, age) in figures.feeds.iter().filter_map(|feed| Some((&feed.feed, feed.entry_age?))) {
        out.sample(name, &[("feed", feed.as_str())], age);
    }
}

fn mails(out: &mut Exposition, figures: &Figures) {
    out.one("sigtrail_outbox_mails", "How many mails have not left.", figures.outbox);
    let help = "Seconds since the oldest mail that has not left was queued; 0 where all have.";
    out.one("sigtrail_outbox_oldest_age_seconds", help, figures.outbox_age);
    let help = "Seconds by which the most overdue digest is over its time; 0 where none is.";
    out.one("sigtrail_digest_lag_seconds", help, figures.digest_lag);
}

fn answers(out: &mut Exposition, figures: &Figures) {
    let name = "sigtrail_acknowledgements_open";
    out.gauge(name, "How many stories were handed to the owner and are not acknowledged.");
    for one in &figures.owners {
        out.sample(name, &[("owner", one.owner.as_str())], one.open);
    }
    let name = "sigtrail_acknowledgements_overdue";
    out.gauge(name, "How many of the open ones somebody else should have been asked about by now.");
    for one in &figures.owners {
        out.sample(name, &[("owner", one.owner.as_str())], one.overdue);
    }
}

fn log(out: &mut Exposition, figures: &Figures) {
    out.one("sigtrail_log_records", "How many records the evidence log has.", figures.records);
    if let Some(age) = figures.checkpoint_age {
        let help = "Seconds since the newest record was written that a signed checkpoint covers.";
        out.one("sigtrail_log_checkpoint_age_seconds", help, age);
    }
    let help = "Seconds since the oldest record was written that no signed checkpoint covers; 0 where all are covered.";
    out.one("sigtrail_log_unsigned_age_seconds", help, figures.unsigned_age);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_label_ends_neither_it_nor_its_line() {
        let mut out = Exposition::default();
        out.gauge("a", "one\\two\nthree");
        out.sample("a", &[("x", "q\"b\\s\nn"), ("y", "")], -3);
        assert_eq!(out.0, "# HELP a one\\\\two\\nthree\n# TYPE a gauge\na{x=\"q\\\"b\\\\s\\nn\",y=\"\"} -3\n");
    }

    #[test]
    fn a_database_that_cannot_be_read_is_said_and_nothing_is_made_up() {
        let text = render(7, &[Ailment::DatabaseUnreadable], None);
        assert!(
            text.contains("\nsigtrail_healthy 0\n") && text.contains("\nsigtrail_start_time_seconds 7\n"),
            "{text}"
        );
        assert!(!text.contains("outbox") && !text.contains("feed"), "{text}");
    }
}
