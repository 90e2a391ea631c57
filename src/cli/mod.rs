//! Floor 4, the terminal: one file per command. Data goes to standard output, talk to standard error.

mod ack;
pub mod args;
mod asking;
pub mod check;
mod demo;
mod digest;
mod evidence;
mod failure;
mod feeds;
pub mod init;
pub mod matching;
mod named;
pub mod parse;
mod place;
pub mod poll;
pub mod queue;
mod reading;
mod standing;
pub mod status;
mod stories;
mod table;
mod tick;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser as _};
use tracing::Level;

use self::args::{Args, Command};
pub use self::{
    failure::Failure,
    place::{Place, color_on},
};
use crate::{clock::Clock, daemon};

/// Reads the command line, does what it says, and tells the exit status.
pub fn run() -> ExitCode {
    let args = Args::parse();
    // Only the first call counts; a second provider cannot be there yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A command tells its own story; only the daemon writes one.
    daemon::start_logging(if matches!(args.command, Command::Run) { Level::INFO } else { Level::WARN });
    let out = &mut io::stdout().lock();
    match dispatch(&args, out).and_then(|code| {
        out.flush()?;
        Ok(code)
    }) {
        Ok(code) => ExitCode::from(code),
        // Somebody stopped reading (`sigtrail stories | head`): nothing went wrong.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(args: &Args, out: &mut dyn Write) -> Result<u8, Failure> {
    let place = Place::of(args);
    match &args.command {
        Command::Demo(demo) => demo::run(demo, out),
        Command::Init { dir } => {
            Ok(init::run(dir.as_deref().unwrap_or(&place.root), args.json, out, &mut io::stderr())?)
        }
        Command::Check => {
            let color = color_on(&io::stdout());
            Ok(check::run_at(&place, Clock::System.now(), args.json, color, out)?)
        }
        Command::Run => daemon::run(&place),
        Command::Tick => tick::run(&place, args.json, out),
        Command::Poll { feeds, force } => poll::run(&place, feeds, *force, args.json, out),
        Command::Feeds { command } => feeds::run(&place, command.as_ref(), args.json, out),
        Command::Parse { files } => reading::run(&place, files, args.json, out),
        Command::Match(matching) => asking::run(&place, matching, args.json, out),
        Command::Stories(wanted) => stories::run(&place, wanted, args.json, out),
        Command::Digest { owner: Some(owner), preview, .. } => digest::run(&place, owner, *preview, out),
        Command::Digest { owner: None, .. } => queue::run(&place, args.json, out),
        Command::Ack(ack) => ack::run(&place, ack, args.json, out),
        Command::Act(act) => ack::act(&place, act, args.json, out),
        Command::Evidence { command } => evidence::run(&place, command, args.json, out),
        Command::Status => status::run(&place, args.json, out),
        Command::Completions { shell } => {
            // Into memory first: the generator panics where nobody reads on.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "sigtrail", &mut script);
            out.write_all(&script)?;
            Ok(0)
        }
        Command::Man => {
            clap_mangen::Man::new(Args::command()).render(out)?;
            Ok(0)
        }
    }
}

/// Says what went wrong on standard error; a rendered configuration report stands as it is.
fn say(failure: &Failure) {
    let mut stderr = io::stderr().lock();
    // There is nobody left to tell when standard error is closed.
    let _ = match failure {
        Failure::Configuration(report) => write!(stderr, "{report}"),
        Failure::Broken(report) => writeln!(stderr, "{report}"),
        failure => writeln!(stderr, "error: {failure}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output whose reader has gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_leaves_makes_no_command_panic() {
        for line in [&["sigtrail", "completions", "bash"][..], &["sigtrail", "man"]] {
            let args = Args::try_parse_from(line).unwrap();
            assert!(matches!(dispatch(&args, &mut Closed), Err(Failure::Output(_))), "{line:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_a_mistake_and_the_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, there) = (folder.path().join("missing.xml"), folder.path().join("there.json"));
        std::fs::write(&there, r#"{"version": "https://jsonfeed.org/version/1.1", "title": "Tarnbase", "items": []}"#)
            .unwrap();
        let args = Args::try_parse_from([
            "sigtrail".as_ref(),
            "parse".as_ref(),
            "--json".as_ref(),
            missing.as_os_str(),
            there.as_os_str(),
        ]);
        let mut out = Vec::new();
        assert_eq!(dispatch(&args.unwrap(), &mut out).unwrap(), 2);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("the file cannot be read"), "{text}");
        assert!(lines[1].contains("Tarnbase"), "{text}");
    }
}
