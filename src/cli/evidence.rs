//! `sigtrail evidence`: sign, export and verify the log.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    args::EvidenceCommand,
    failure::Failure,
    place::{Place, become_owner, is_watched},
    table::count,
};
use crate::{
    evidence::report,
    hex::hex,
    jobs::{self, Context, Fault, start::Surroundings},
    pack::{self, PackError},
};

/// Does what was asked of the log.
pub fn run(place: &Place, command: &EvidenceCommand, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    match command {
        EvidenceCommand::Export { dir } => export(place, dir, json, out),
        EvidenceCommand::Verify { pack, key, mail } => verify(pack, key.as_deref(), mail, json, out),
        EvidenceCommand::Checkpoint => {
            let context = look(place)?;
            write!(out, "{}", jobs::checkpoint::checkpoint(&context)?)?;
            Ok(0)
        }
    }
}

fn look(place: &Place) -> Result<Context, Failure> {
    let config = place.config()?;
    place.store(Some(&config))?;
    let state = place.state(Some(&config));
    Ok(jobs::start::look(config, &state, Surroundings::default())?)
}

fn export(place: &Place, dir: &Path, json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let context = look(place)?;
    jobs::checkpoint::checkpoint(&context)?;
    let exported = while_told("exporting", || {
        let key = &context.evidence_key.verifier;
        context.store.with_connection(|connection| Ok::<_, Fault>(pack::export(connection, key, dir)))
    })?
    .map_err(failure)?;
    let key = &context.evidence_key.verifier;
    if json {
        let line = json!({
            "dir": dir, "records": exported.records, "checkpoints": exported.checkpoints,
            "personal": exported.personal, "key": key.to_string(), "fingerprint": key.fingerprint(),
        });
        writeln!(out, "{line}")?;
        return Ok(0);
    }
    let records = usize::try_from(exported.records).unwrap_or(usize::MAX);
    let checkpoints = usize::try_from(exported.checkpoints).unwrap_or(usize::MAX);
    writeln!(
        out,
        "{}, {} in {}",
        count(records, "record", "records"),
        count(checkpoints, "checkpoint", "checkpoints"),
        dir.display()
    )?;
    writeln!(out, "key fingerprint {}: give it to the auditor on another way than the pack", key.fingerprint())?;
    writeln!(out, "verify with  sigtrail evidence verify {} --mail DIGEST.eml", dir.display())?;
    Ok(0)
}

fn verify(path: &Path, key: Option<&Path>, mails: &[PathBuf], json: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(folder) = path.parent().filter(|folder| path.is_file() && !folder.as_os_str().is_empty()) {
        // SQLite may have to make its side files again beside a database that was left open.
        become_owner(folder)?;
    }
    let report = while_told("verifying", || pack::verify(path, key, mails)).map_err(failure)?;
    if json {
        let line = json!({
            "ok": report.is_good(), "anchored": report.is_anchored(), "records": report.records,
            "checkpoints": report.checkpoints, "from_mail": report.from_mail, "root": hex(&report.root),
            "first_bad_record": report.first_bad_record(),
            "problems": report.problems.iter().map(|problem| &problem.what).collect::<Vec<_>>(),
        });
        writeln!(out, "{line}")?;
    } else {
        write!(out, "{}", report::render(&report))?;
    }
    Ok(if report.is_good() { 0 } else { 3 })
}

/// Says on an attended terminal what takes its time, for as long as it takes.
fn while_told<T>(words: &str, work: impl FnOnce() -> T) -> T {
    let told = is_watched();
    let tell = |words: &str| {
        if told {
            // A terminal that went away is no reason to stop.
            let _ = write!(std::io::stderr(), "\r\x1b[K{words}");
        }
    };
    tell(&format!("{words} ..."));
    let done = work();
    tell("");
    done
}

fn failure(error: PackError) -> Failure {
    match error {
        PackError::File { path, error } if error.kind() != std::io::ErrorKind::NotFound => {
            Failure::File { path, error }
        }
        other => Failure::Mistake(other.to_string()),
    }
}
