//! `sigtrail parse`: get the documents, from disk or from the net, and print what they say. Writes nothing.

use std::{
    fs::File,
    io::{self, Read as _, Write},
    path::{Path, PathBuf},
};

use url::Url;

use super::{failure::Failure, parse, place::Place};
use crate::{
    clock::Clock,
    fetch::{FetchRequest, Fetcher, Resolver},
    jobs::Fault,
    model::{
        entry::Document,
        feed::{FeedState, Validators},
        outcome::FetchOutcome,
    },
    reader::{self, ReadError},
};

/// The most bytes of a file that are looked at.
const MAX_FILE: u64 = 20 * 1024 * 1024;

/// Why nothing of a document can be shown.
#[derive(Debug, thiserror::Error)]
enum Unread {
    /// The user named a file that cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[from] io::Error),
    /// The address gave no document.
    #[error("{state} ({cause})", state = .0.as_str(), cause = .1)]
    Address(FeedState, String),
    /// The document itself.
    #[error(transparent)]
    Document(#[from] ReadError),
}

/// Prints what each document says. A document that says nothing and an address that does not answer are no failure;
/// a file that cannot be read is the user's mistake, and the others are read all the same.
pub fn run(place: &Place, files: &[PathBuf], json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let mut exit = 0;
    for file in files {
        let name = file.to_string_lossy();
        let result = match Url::parse(&name) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => from_net(place, url)?,
            _ => from_disk(file),
        };
        if matches!(result, Err(Unread::File(_))) {
            exit = 2;
        }
        if json {
            writeln!(out, "{}", parse::line(&name, &result))?;
        } else {
            write!(out, "{}", parse::report(&name, &result))?;
        }
    }
    Ok(exit)
}

fn from_disk(file: &Path) -> Result<Document, Unread> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    let is_cut = bytes.len() as u64 > MAX_FILE;
    bytes.truncate(usize::try_from(MAX_FILE).unwrap_or(usize::MAX));
    let mut document = reader::read(bytes, None, None)?;
    if is_cut {
        document.partial = true;
        document.warnings.push("the file is longer than 20 MiB; the rest was not read".to_owned());
    }
    Ok(document)
}

fn from_net(place: &Place, url: Url) -> Result<Result<Document, Unread>, Failure> {
    let config = place.config()?;
    let fetcher = Fetcher::new(&config.fetch, Clock::System, Resolver::System).map_err(Fault::Fetch)?;
    let outcome = fetcher.fetch(FetchRequest { url, validators: Validators::default(), a_im: false });
    Ok(match outcome {
        FetchOutcome::Fetched { document, .. } => {
            let document = *document;
            let cut = document.cut;
            let mut read = reader::read(document.bytes, document.charset, Some(document.final_url));
            if let (Ok(read), Some(cut)) = (&mut read, cut) {
                read.partial = true;
                read.warnings.push(cut);
            }
            read.map_err(Unread::Document)
        }
        FetchOutcome::NotModified { .. } => {
            Err(Unread::Address(FeedState::Broken, "not modified, without having been asked".to_owned()))
        }
        FetchOutcome::Failed { state, cause, .. } => Err(Unread::Address(state, cause)),
    })
}
