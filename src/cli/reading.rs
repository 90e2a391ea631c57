//! `sigtrail parse`: get the documents, from disk or from the net, and print what they say. Writes nothing.

use std::{fs::File, io::Read as _, io::Write, path::Path};

use url::Url;

use super::{failure::Failure, parse, place::Place};
use crate::{
    clock::Clock,
    fetch::{FetchRequest, Fetcher, Resolver},
    jobs::Fault,
    model::{entry::Document, feed::Validators, outcome::FetchOutcome},
    reader::{self, ReadError},
};

/// The most bytes of a file that are looked at.
const MAX_FILE: u64 = 20 * 1024 * 1024;

/// Prints what each document says; a document that says nothing is no failure, a file that is not there is a mistake.
pub fn run(place: &Place, files: &[std::path::PathBuf], json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let mut code = 0;
    for file in files {
        let name = file.to_string_lossy();
        let result = match Url::parse(&name) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => from_net(place, &url)?,
            _ => from_disk(file),
        };
        if matches!(result, Err(ReadError::NoFile(_))) {
            code = 2;
        }
        if json {
            writeln!(out, "{}", parse::line(&name, &result))?;
        } else {
            write!(out, "{}", parse::report(&name, &result))?;
        }
    }
    Ok(code)
}

fn from_disk(file: &Path) -> Result<Document, ReadError> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(ReadError::NoFile)?;
    let is_cut = bytes.len() as u64 > MAX_FILE;
    bytes.truncate(usize::try_from(MAX_FILE).unwrap_or(usize::MAX));
    let mut document = reader::read(bytes, None, None)?;
    if is_cut {
        document.partial = true;
        document.warnings.push("the file is longer than 20 MiB; the rest was not read".to_owned());
    }
    Ok(document)
}

fn from_net(place: &Place, url: &Url) -> Result<Result<Document, ReadError>, Failure> {
    let config = place.config()?;
    let fetcher = Fetcher::new(&config.fetch, Clock::System, Resolver::System).map_err(Fault::Fetch)?;
    let outcome = fetcher.fetch(FetchRequest { url: url.clone(), validators: Validators::default() });
    match outcome {
        FetchOutcome::Fetched { document, .. } => {
            let document = *document;
            let cut = document.cut;
            let mut read = reader::read(document.bytes, document.charset, Some(document.final_url));
            if let (Ok(read), Some(cut)) = (&mut read, cut) {
                read.partial = true;
                read.warnings.push(cut);
            }
            Ok(read)
        }
        FetchOutcome::NotModified { .. } => Err(Failure::Mistake(format!("{url}: not modified"))),
        FetchOutcome::Failed { state, cause, .. } => {
            Err(Failure::Mistake(format!("{url}: {} ({cause})", state.as_str())))
        }
    }
}
