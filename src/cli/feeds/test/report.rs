//! What a probe found, for people: one line that says it all, then one line for each thing that an editor decides by.

use std::fmt::Write as _;

use jiff::{SignedDuration, tz::TimeZone};

use crate::{
    cli::table::{count, moment, stretch},
    discover::How,
    jobs::probe::{Known, Probed, Reading},
    model::{
        entry::Format,
        feed::{FeedStatus, Wishes},
        id::OwnerId,
        time::Time,
    },
    outlook::{Outlook, Shown, in_words},
    route::Fate,
};

/// The most lines of one kind.
const MOST: usize = 5;
/// The longest title, in characters.
const LONGEST_TITLE: usize = 70;
/// The longest wait between two polls that a publisher's word on freshness is given, as `cadence` decides.
const LONGEST_WISH: SignedDuration = SignedDuration::from_hours(24);

/// The report.
pub(super) fn report(probed: &Probed, standing: Option<&FeedStatus>, now: Time) -> String {
    let mut out = Lines(String::new());
    if !probed.is_good() {
        let said = probed.trouble().map_or("nothing was asked", |one| &one.said);
        out.whole(&format!("cannot be read: {said}"));
        for one in probed.tries.iter().skip(1) {
            out.line("tried", &format!("{} ({}): {}", one.url, one.how.in_words(), one.said));
        }
    }
    if let Some((reading, outlook)) = probed.reading.as_ref().zip(probed.outlook.as_ref()) {
        found(&mut out, probed, reading);
        out.whole(&first(reading, outlook, now));
        document(&mut out, probed, reading, outlook);
        manners(&mut out, probed, reading);
        for remark in outlook.remarks(&probed.feed, now) {
            out.line("note", &remark);
        }
        if let Known::Listed(listed) = probed.known
            && !listed.note.is_empty()
        {
            out.line("note", &listed.note);
        }
        meaning(&mut out, probed, outlook, now);
    }
    if let Some(row) = standing {
        stands(&mut out, probed, row, now);
    }
    match probed.known {
        Known::Configured if !probed.is_configured => {
            out.line("in file", &format!("feeds.toml has it as `{}`", probed.feed.id));
        }
        Known::Listed(listed) => {
            out.line("catalogue", &format!("{}: {}", listed.id, listed.about));
        }
        Known::Configured | Known::Nowhere => {}
    }
    if let Some(block) = probed.block() {
        let _ = write!(out.0, "\nwrite into feeds.toml:\n\n{block}");
    }
    out.0
}

/// Lines with a label in front.
struct Lines(String);

impl Lines {
    fn whole(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn line(&mut self, label: &str, text: &str) {
        let _ = writeln!(self.0, "{label:<9} {text}");
    }
}

/// `200 in 0.4 s, Atom, 18 KB, 20 entries, newest 19 Nov, ETag yes`
fn first(reading: &Reading, outlook: &Outlook, now: Time) -> String {
    let took = SignedDuration::try_from(reading.took).unwrap_or_default();
    let newest = outlook
        .dates
        .newest
        .map_or_else(|| "no dates".to_owned(), |newest| format!("newest {}", moment(newest, now, &TimeZone::system())));
    let etag = if reading.validators.etag.is_some() { "yes" } else { "no" };
    format!(
        "200 in {}, {}, {}, {}, {newest}, ETag {etag}",
        stretch(took),
        format_name(reading.document.format),
        size(reading.bytes as u64),
        count(outlook.entries, "entry", "entries"),
    )
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::Rss => "RSS",
        Format::Rdf => "RDF",
        Format::Atom => "Atom",
        Format::Json => "JSON Feed",
        Format::Kev => "KEV",
        Format::Csaf => "CSAF",
        Format::Advisories => "a list of advisories",
    }
}

/// Where it was found, where that is not where it was asked for.
fn found(out: &mut Lines, probed: &Probed, reading: &Reading) {
    if reading.url != probed.asked {
        let label = if probed.is_good() { "found" } else { "instead" };
        out.line(label, &format!("{} ({})", reading.url, reading.how.in_words()));
        if let Some(asked) = probed.tries.iter().find(|one| one.how == How::Asked).filter(|_| probed.is_good()) {
            out.line("asked", &format!("{}: {}", asked.url, asked.said));
        }
        for one in probed.also.iter().take(MOST) {
            let title = one.title.as_ref().map_or_else(String::new, |title| format!(" \"{title}\""));
            out.line("also", &format!("{}{title}, not asked", one.url));
        }
    }
}

/// How the polls of the feed stand, and where it moved to.
fn stands(out: &mut Lines, probed: &Probed, row: &FeedStatus, now: Time) {
    let at = |time| moment(time, now, &TimeZone::system());
    let cause = if row.cause.is_empty() { String::new() } else { format!(": {}", row.cause) };
    let next = if row.enabled {
        format!("next poll {}, {}", at(row.next_poll_at), row.next_poll_why)
    } else {
        "not polled".to_owned()
    };
    out.line("polls", &format!("{} since {}{cause}; {next}", row.state.as_str(), at(row.since)));
    if let Some(moved_to) = &row.moved_to {
        out.line("moved", &format!("asked at {moved_to}; feeds.toml says {}", probed.feed.url));
    }
}

fn document(out: &mut Lines, probed: &Probed, reading: &Reading, outlook: &Outlook) {
    if reading.is_redirected() {
        let words = if reading.moved_permanently {
            format!("moved for good to {}: write this address", reading.final_url)
        } else {
            format!("redirected for now to {}: keep the address", reading.final_url)
        };
        out.line("address", &words);
    }
    if reading.url.scheme() == "http" && reading.address().scheme() == "http" && probed.asked.domain().is_some() {
        out.line("address", "http: anybody on the way can change what it says; look whether https answers too");
    }
    if let Some(title) = &reading.document.title {
        out.line("title", &shortened(title));
    }
    if reading.document.partial {
        out.line("partial", "some of it could not be read, so entries may be missing");
    }
    let warnings = &reading.document.warnings;
    for warning in warnings.iter().take(MOST) {
        out.line("repaired", warning);
    }
    if warnings.len() > MOST {
        out.line("", &format!("and {} more", warnings.len() - MOST));
    }
    let dates = &outlook.dates;
    if let Some((usual, longest)) = dates.usual_gap.zip(dates.longest_gap) {
        let (usual, longest) = (in_words(usual), in_words(longest));
        let month = count(dates.last_month, "entry", "entries");
        out.line("rhythm", &format!("usual gap {usual}, longest {longest}, {month} in the last 30 days"));
    }
}

/// What the publisher gives and wishes, and what that costs.
fn manners(out: &mut Lines, probed: &Probed, reading: &Reading) {
    let every = probed.feed.every;
    let hints = &reading.hints;
    // `Expires` counts where there is no `max-age` (RFC 9111 section 5.3).
    let fresh = if hints.max_age.is_some() { (hints.max_age, "max-age") } else { (hints.expires, "Expires") };
    let wishes = [fresh, (reading.ttl(), "ttl")];
    let wishes: Vec<(SignedDuration, &str)> =
        wishes.into_iter().filter_map(|(wish, name)| Some((wish.filter(|wish| *wish > every)?, name))).collect();
    let longest = wishes.iter().map(|(wish, _)| *wish).max().unwrap_or(every);
    let interval = longest.min(LONGEST_WISH).max(every);
    out.line("manners", &validators(reading, interval, probed.feed.every_stated));
    if !wishes.is_empty() {
        let kept = if longest > LONGEST_WISH {
            format!("at most {} of it are kept", in_words(LONGEST_WISH))
        } else {
            format!("which counts before {}", in_words(every))
        };
        let wishes: Vec<String> = wishes.iter().map(|(wish, name)| format!("{} ({name})", in_words(*wish))).collect();
        out.line("wishes", &format!("the publisher asks for {} between two polls, {kept}", wishes.join(" and ")));
    }
    let skipped = skipped(&reading.document.hints.wishes);
    if !skipped.is_empty() {
        out.line("skips", &format!("the publisher does not want to be asked {skipped} (GMT)"));
    }
}

/// `at 0, 1, 2 o'clock and on Saturday, Sunday`
fn skipped(wishes: &Wishes) -> String {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let hours: Vec<String> = wishes.skip_hours.iter().map(ToString::to_string).collect();
    let day = |number: &u8| DAYS.get(usize::from(*number).checked_sub(1)?).copied();
    let days: Vec<&str> = wishes.skip_days.iter().filter_map(day).collect();
    let hours = (!hours.is_empty()).then(|| format!("at {} o'clock", hours.join(", ")));
    let days = (!days.is_empty()).then(|| format!("on {}", days.join(", ")));
    hours.into_iter().chain(days).collect::<Vec<_>>().join(" and ")
}

/// What the validators of a document save when it is asked for at this interval.
fn validators(reading: &Reading, interval: SignedDuration, is_stated: bool) -> String {
    let given = match (&reading.validators.etag, &reading.validators.last_modified) {
        (Some(_), Some(_)) => "ETag and Last-Modified",
        (Some(_), None) => "ETag",
        (None, Some(_)) => "Last-Modified",
        (None, None) if !is_stated => {
            let once = size(reading.wire_bytes);
            return format!("no validators: asked once a day, {once} each time, unless `every` is written at the feed");
        }
        (None, None) => {
            let a_day = SignedDuration::from_hours(24).as_secs();
            let polls = u64::try_from(a_day / interval.as_secs().max(1)).unwrap_or(1).max(1);
            let cost = size(reading.wire_bytes.saturating_mul(polls));
            let interval = in_words(interval);
            return format!("no validators: every poll fetches all of it, {cost} a day when asked every {interval}");
        }
    };
    if reading.document.partial {
        return format!("{given}, which is not kept while the document can be read only in part");
    }
    format!("{given}: a document that has not changed is not sent again")
}

/// What matches, who would get it, and what a first poll would do.
fn meaning(out: &mut Lines, probed: &Probed, outlook: &Outlook, now: Time) {
    for (place, shown) in outlook.newest.iter().enumerate() {
        out.line(if place == 0 { "newest" } else { "" }, &entry(shown, now));
    }
    if outlook.entries == 0 {
        return;
    }
    let list = |items: Vec<String>| items.join(", ");
    let matches = outlook.matches.iter().map(|one| format!("{} {}", one.name, one.entries)).collect();
    let what = if outlook.matches.is_empty() { "no component and no topic".to_owned() } else { list(matches) };
    out.line("matches", &format!("{} of {}: {what}", outlook.matched, outlook.entries));
    let owners = outlook.owners.iter().map(|one| match one.urgent {
        0 => format!("{} {}", one.owner, one.entries),
        urgent => format!("{} {} ({urgent} at once)", one.owner, one.entries),
    });
    let owners: Vec<String> = owners.collect();
    if !owners.is_empty() {
        out.line("goes to", &list(owners));
    }
    let numbered = |pairs: &[(OwnerId, usize)]| list(pairs.iter().map(|(who, n)| format!("{who} {n}")).collect());
    if !outlook.withheld.is_empty() {
        out.line(
            "withheld",
            &format!("{}, whose ceiling is below TLP:{}", numbered(&outlook.withheld), probed.feed.tlp),
        );
    }
    if !outlook.listed.is_empty() {
        out.line("listed", &format!("{}, one line each under \"also published\"", numbered(&outlook.listed)));
    }
    if outlook.not_for_us > 0 {
        out.line("rest", &format!("{} recorded as not for us", outlook.not_for_us));
    }
    if probed.known != Known::Configured {
        let new = probed.feed.baseline.min(outlook.entries);
        let words = match outlook.entries - new {
            0 => format!("a first poll takes all {new} as new"),
            rest => format!("a first poll takes the newest {new} as new and only records the other {rest}"),
        };
        out.line("first", &words);
    }
}

/// `19 Nov  Quillgate VPN: sign-in bypass -> maria (Quillgate VPN)`
fn entry(shown: &Shown, now: Time) -> String {
    let date = shown.date.map_or_else(|| "no date".to_owned(), |date| moment(date, now, &TimeZone::system()));
    let title = shown.title.as_deref().unwrap_or("(no title)");
    let short = shortened(title);
    let owners: Vec<&str> = shown.judgement.assignments.iter().map(|one| one.owner.as_str()).collect();
    let end = match &shown.judgement.fate {
        Fate::Assigned if owners.is_empty() => "withheld".to_owned(),
        Fate::Assigned => owners.join(", "),
        Fate::Listed(owner) => format!("a line for {owner}"),
        Fate::NotForUs => "not for us".to_owned(),
    };
    let tags = if shown.tags.is_empty() { String::new() } else { format!(" ({})", shown.tags.join(", ")) };
    format!("{date:<11}  {short} -> {end}{tags}")
}

/// A title in one line of a terminal.
fn shortened(title: &str) -> String {
    let mut short: String = title.chars().take(LONGEST_TITLE).collect();
    if short.len() < title.len() {
        short.push_str(" ...");
    }
    short
}

/// `18 KB`, `1.2 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..=1_023 => count(usize::try_from(bytes).unwrap_or_default(), "byte", "bytes"),
        1_024..=1_048_575 => format!("{} KB", bytes.div_ceil(1_024)),
        _ => {
            let tenths = bytes / 104_857;
            format!("{}.{} MB", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_say_them() {
        let said = [0, 1, 1_023, 1_024, 18_000, 1_048_576, 20_971_520].map(size);
        assert_eq!(said, ["0 bytes", "1 byte", "1023 bytes", "1 KB", "18 KB", "1.0 MB", "20.0 MB"]);
    }
}
