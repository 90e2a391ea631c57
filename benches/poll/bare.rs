//! The floor to compare with: fetch, parse, hash, insert, and nothing else. No repair, no text, no tags, no routes, no
//! evidence, no manners.

use std::{error::Error, sync::Arc, time::Duration};

use reqwest::{Client, StatusCode, header};
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::address;

type Answer = (usize, Option<(Option<String>, Vec<u8>)>);

/// Polls every feed once into the database at `path`; says how many entries were new and how many feeds were not modified.
pub fn poll(path: &str, port: u16, feeds: usize) -> Result<(), Box<dyn Error>> {
    let mut database = Connection::open(path)?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS feed (no INTEGER PRIMARY KEY, etag TEXT);
         CREATE TABLE IF NOT EXISTS entry (hash BLOB UNIQUE, feed INTEGER, guid TEXT, title TEXT, text TEXT);",
    )?;
    let (mut new, mut same) = (0, 0);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client =
            Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(Duration::from_secs(30)).build()?;
        let (mut running, slots) = (JoinSet::new(), Arc::new(Semaphore::new(32)));
        for feed in 0..feeds {
            let select = "SELECT etag FROM feed WHERE no = ?1";
            let etag: Option<String> = database.query_row(select, [feed], |row| row.get(0)).optional()?;
            running.spawn(ask(client.clone(), Arc::clone(&slots), feed, port, etag));
        }
        let mut answers = Vec::new();
        while let Some(answer) = running.join_next().await {
            answers.push(answer?.map_err(|error| error.to_string())?);
            if answers.len() == 64 || running.is_empty() {
                same += answers.iter().filter(|(_, document)| document.is_none()).count();
                new += insert(&mut database, std::mem::take(&mut answers))?;
            }
        }
        Ok::<(), Box<dyn Error>>(())
    })?;
    println!("{new} {same}");
    Ok(())
}

async fn ask(
    client: Client,
    slots: Arc<Semaphore>,
    feed: usize,
    port: u16,
    etag: Option<String>,
) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let _slot = slots.acquire_owned().await?;
    let mut request = client.get(address(feed, port));
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    let response = request.send().await?;
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok((feed, None));
    }
    let etag = response.headers().get(header::ETAG).and_then(|value| Some(value.to_str().ok()?.to_owned()));
    Ok((feed, Some((etag, response.bytes().await?.to_vec()))))
}

fn insert(database: &mut Connection, answers: Vec<Answer>) -> Result<usize, Box<dyn Error>> {
    let mut new = 0;
    let tx = database.transaction()?;
    {
        let mut keep = tx.prepare_cached("INSERT OR REPLACE INTO feed (no, etag) VALUES (?1, ?2)")?;
        let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO entry VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for (feed, document) in answers {
            let Some((etag, bytes)) = document else { continue };
            keep.execute(params![feed, etag])?;
            for entry in feed_rs::parser::parse(bytes.as_slice())?.entries {
                let title = entry.title.map(|text| text.content).unwrap_or_default();
                let text = entry.content.and_then(|content| content.body);
                let text = text.or(entry.summary.map(|text| text.content)).unwrap_or_default();
                let mut hash = Sha256::new();
                hash.update(feed.to_le_bytes());
                for part in [&entry.id, &title, &text] {
                    hash.update(part);
                }
                let hash: [u8; 32] = hash.finalize().into();
                new += insert.execute(params![hash, feed, entry.id, title, text])?;
            }
        }
    }
    tx.commit()?;
    Ok(new)
}
