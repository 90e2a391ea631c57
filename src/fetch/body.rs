//! The body of a document: read while it arrives, counted on the wire and after decoding, within what is left
//! of the time.

use std::{sync::Arc, time::Duration};

use reqwest::Response;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::error::Elapsed,
};

use super::{
    cause,
    decode::{Coding, Decoder, Stop},
};
use crate::clock::Stopwatch;

/// From this size on, in decoded bytes, only one document at a time is read.
const LARGE: usize = 512 * 1024;

/// The most that one body may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    pub(super) wire: u64,
    pub(super) decoded: u64,
}

/// The time that a request may still take. Waiting for our own side (a turn, room for a large document) is not
/// taken from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    whole: Duration,
    left: Duration,
}

impl Budget {
    pub(super) fn new(whole: Duration) -> Self {
        Self { whole, left: whole }
    }

    /// Waits for the other side, at most as long as there is time.
    pub(super) async fn spend<F: Future>(&mut self, answer: F) -> Result<F::Output, Elapsed> {
        let watch = Stopwatch::start();
        let result = tokio::time::timeout(self.left, answer).await;
        self.left = self.left.saturating_sub(watch.elapsed());
        result
    }

    /// What an owner reads when the time is over before an answer came.
    pub(super) fn no_answer(&self) -> String {
        format!("no answer within {}", cause::duration(self.whole))
    }

    fn cut(&self) -> String {
        format!("cut after {}", cause::duration(self.whole))
    }
}

/// What was read.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) wire_bytes: u64,
    pub(super) cut: Option<String>,
    /// Keeps other large documents waiting as long as this one lies about.
    pub(super) large: Option<OwnedSemaphorePermit>,
}

/// Reads a body to its end, a cap, the end of the time or the first fault, whichever comes first.
pub(super) async fn read(
    response: &mut Response,
    codings: &[Coding],
    caps: Caps,
    budget: &mut Budget,
    large: &Arc<Semaphore>,
) -> Body {
    let mut decoder = Decoder::new(codings, caps.decoded);
    let mut wire_bytes = 0;
    let mut permit = None;
    let mut cut = loop {
        let chunk = match budget.spend(response.chunk()).await {
            Err(_) => break Some(budget.cut()),
            Ok(Err(_)) => break Some("the connection broke before the end".to_owned()),
            Ok(Ok(None)) => break None,
            Ok(Ok(Some(chunk))) => chunk,
        };
        let room = usize::try_from(caps.wire - wire_bytes).unwrap_or(usize::MAX);
        let taken = chunk.get(..room).unwrap_or(&chunk);
        wire_bytes += u64::try_from(taken.len()).unwrap_or_default();
        if permit.is_none() && decoder.decoded().saturating_add(taken.len()) > LARGE {
            permit = Arc::clone(large).acquire_owned().await.ok();
        }
        if let Err(stop) = decoder.push(taken) {
            break Some(stop_words(stop, caps));
        }
        if taken.len() < chunk.len() {
            break Some(format!("cut at {} on the wire", cause::size(caps.wire)));
        }
    };
    let (bytes, finished) = decoder.finish();
    if let Err(stop) = finished {
        cut.get_or_insert_with(|| stop_words(stop, caps));
    }
    Body { bytes, wire_bytes, cut, large: permit }
}

fn stop_words(stop: Stop, caps: Caps) -> String {
    match stop {
        Stop::Full => format!("cut at {} after unpacking", cause::size(caps.decoded)),
        Stop::Damaged => "the packing is damaged".to_owned(),
    }
}
