//! How a line of the log looks: readable alone, its identifiers as fields at its end, nothing in it that could end the
//! line early, colour it or turn it around (rows H-46, S-10). Where lines go and which are written is decided here too.

use std::{
    env,
    fmt::{self, Write as _},
    fs,
    io::{self, IsTerminal as _},
    os::unix::fs::MetadataExt as _,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::{clock::Clock, model::time::rfc3339};

/// The variable that says which lines are written, as `tracing-subscriber` reads it: `debug`, `info,poll=debug`.
const VARIABLE: &str = "SIGTRAIL_LOG";
/// Crates whose notes are for their own makers.
const QUIET: &str = "hyper=warn,hyper_util=warn,reqwest=warn,h2=warn,rustls=warn,tower_http=warn";
/// The longest line in bytes, but for the escape that crosses the limit.
const LONGEST: usize = 4_000;

/// How a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// The journal stamps it: `<6>poll: entries arrived feed.id=cisa`.
    Journal,
    /// A person reads it now: `poll: entries arrived feed.id=cisa`.
    Terminal,
    /// A file or a pipe: `2026-11-20T08:00:00.000Z INFO poll: entries arrived feed.id=cisa`.
    File,
}

/// Writes the log to standard error from now on: lines of this level and above, unless `SIGTRAIL_LOG` says otherwise.
/// The first call counts.
pub fn start_logging(usual: Level) {
    let usual = || EnvFilter::new(format!("{usual},{QUIET}"));
    let mut flaw = None;
    let filter = match env::var(VARIABLE) {
        Ok(wanted) if !wanted.trim().is_empty() => EnvFilter::try_new(&wanted).unwrap_or_else(|error| {
            flaw = Some(error);
            usual()
        }),
        _ => usual(),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .event_format(Lines(style()))
        // A closed standard error must not become a panic.
        .log_internal_errors(false);
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    if let (Ok(()), Some(flaw)) = (started, flaw) {
        tracing::warn!(target: "run", "{VARIABLE} cannot be understood and is left aside: {flaw}");
    }
}

fn style() -> Style {
    if is_journal() {
        Style::Journal
    } else if io::stderr().is_terminal() {
        Style::Terminal
    } else {
        Style::File
    }
}

/// Whether standard error is the stream that systemd named in `JOURNAL_STREAM`, by device and inode.
fn is_journal() -> bool {
    let named = env::var("JOURNAL_STREAM").ok();
    let ours = fs::metadata("/proc/self/fd/2").ok();
    match (named, ours) {
        (Some(named), Some(ours)) => named == format!("{}:{}", ours.dev(), ours.ino()),
        _ => false,
    }
}

/// Makes a line of an event.
struct Lines(Style);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let mut line = match self.0 {
            Style::Journal => format!("<{}>", severity(level)),
            Style::Terminal => word(level).to_owned(),
            Style::File => format!("{} {level} ", rfc3339(Clock::System.now())),
        };
        push(&mut line, target);
        line.push_str(": ");
        push(&mut line, &said.message);
        line.push_str(&said.fields);
        line.push('\n');
        writer.write_str(&line)
    }
}

/// The severity of syslog (RFC 5424 section 6.2.1) that the journal reads in angle brackets.
fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error: ",
        Level::WARN => "warning: ",
        _ => "",
    }
}

/// What an event says: its message, and its fields with a blank before each.
#[derive(Debug, Default)]
struct Said {
    message: String,
    fields: String,
}

impl Said {
    fn note(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
            return;
        }
        self.fields.push(' ');
        push(&mut self.fields, field.name());
        self.fields.push('=');
        let is_plain =
            !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '='));
        if is_plain {
            push(&mut self.fields, value);
        } else {
            self.fields.push('"');
            push(&mut self.fields, &value.replace('\\', "\\\\").replace('"', "\\\""));
            self.fields.push('"');
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field, &format!("{value:?}"));
    }
}

/// Appends a text; what could end a line, speak to a terminal or hide is spelled out.
fn push(line: &mut String, text: &str) {
    let end = line.len() + LONGEST;
    for c in text.chars() {
        if line.len() >= end {
            line.push_str("...");
            return;
        }
        if is_harmless(c) {
            line.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(line, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

fn is_harmless(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'))
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing::{info, subscriber::with_default, warn};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Kept;

        fn make_writer(&'a self) -> Kept {
            self.clone()
        }
    }

    fn logged(style: Style, log: impl FnOnce()) -> String {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::fmt().with_writer(kept.clone()).event_format(Lines(style)).finish();
        with_default(subscriber, log);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_of_the_journal_begins_with_its_severity_and_has_its_fields_at_the_end() {
        let line =
            logged(Style::Journal, || warn!(target: "poll", { feed.id = %"cisa", tries = 3 }, "cannot be seen: 404"));
        assert_eq!(line, "<4>poll: cannot be seen: 404 feed.id=cisa tries=3\n");
    }

    #[test]
    fn a_line_in_a_file_says_when_and_one_on_a_terminal_is_short() {
        let line = logged(Style::File, || info!(target: "run", "started"));
        assert!(line.ends_with("Z INFO run: started\n") && line.starts_with("20"), "{line}");
        assert_eq!(logged(Style::Terminal, || info!(target: "run", "started")), "run: started\n");
        assert_eq!(logged(Style::Terminal, || warn!(target: "run", "slow")), "warning: run: slow\n");
    }

    #[test]
    fn h_46_no_text_can_end_a_line_fake_one_or_speak_to_a_terminal() {
        let parts = [
            "\n",
            "\r\n",
            "\u{1b}[31m",
            "\u{1b}]8;;http://a.example\u{7}",
            "\u{85}",
            "\u{2028}",
            "\u{2029}",
            "\u{9b}2J",
            "\0",
            "\u{202e}",
            "\u{200b}",
            "\u{feff}",
            "\u{e0041}",
            "\t",
            "\u{7f}",
        ];
        for part in parts {
            let hostile = format!("a{part}<3>run: all feeds are well{part}b");
            let line = logged(Style::Journal, || info!(target: "poll", cause = %hostile, "{hostile}"));
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(line.trim_end_matches('\n').chars().all(is_harmless), "{line:?}");
            assert!(line.starts_with("<6>poll: a\\u{"), "{line:?}");
        }
    }

    #[test]
    fn a_value_with_blanks_or_quotes_is_quoted() {
        let line = logged(Style::Journal, || info!(target: "run", a = "x y", b = "say \"no\"", c = "", "m"));
        assert_eq!(line, "<6>run: m a=\"x y\" b=\"say \\\"no\\\"\" c=\"\"\n");
    }

    #[test]
    fn s_10_a_line_has_an_end() {
        let line =
            logged(Style::Journal, || info!(target: "poll", cause = %"x".repeat(1 << 20), "{}", "y".repeat(1 << 20)));
        assert!(line.len() < 3 * LONGEST, "{}", line.len());
    }
}
