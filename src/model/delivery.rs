//! One attempt-history of a digest, and what machines said about it.

/// What came of one attempt to hand a digest over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The owner's server took it: the reply to the final dot.
    Accepted {
        /// The reply code, 2xx.
        code: u16,
        /// The reply's text.
        reply: String,
    },
    /// Written to a file; nobody has accepted anything.
    Written {
        /// The file's name in the outbox folder.
        file: String,
    },
    /// The server refuses for now (4xx).
    Deferred {
        /// The reply code.
        code: u16,
        /// The reply's text.
        reply: String,
    },
    /// The server refuses for good (5xx).
    Rejected {
        /// The reply code.
        code: u16,
        /// The reply's text.
        reply: String,
    },
    /// The whole message went out and no reply to it came back: it may have been taken.
    Uncertain {
        /// What happened.
        cause: String,
    },
    /// Nothing of the message can have been taken: no connection, no TLS, no login, or it broke before the final dot.
    Unreachable {
        /// What happened.
        cause: String,
    },
}

impl SendOutcome {
    /// The outcome's word in the store and the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            SendOutcome::Accepted { .. } => "accepted",
            SendOutcome::Written { .. } => "written",
            SendOutcome::Deferred { .. } => "deferred",
            SendOutcome::Rejected { .. } => "rejected",
            SendOutcome::Uncertain { .. } => "uncertain",
            SendOutcome::Unreachable { .. } => "unreachable",
        }
    }

    /// The reply code, where a server gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            SendOutcome::Accepted { code, .. }
            | SendOutcome::Deferred { code, .. }
            | SendOutcome::Rejected { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// What was said or what happened.
    pub fn text(&self) -> &str {
        match self {
            SendOutcome::Accepted { reply, .. }
            | SendOutcome::Deferred { reply, .. }
            | SendOutcome::Rejected { reply, .. } => reply,
            SendOutcome::Written { file } => file,
            SendOutcome::Uncertain { cause } | SendOutcome::Unreachable { cause } => cause,
        }
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// Waits for its next attempt.
    Queued,
    /// An attempt has begun and its end is not known yet.
    Started,
    /// The owner's server took it.
    Accepted,
    /// Written to a file.
    Written,
    /// Refused for good.
    Rejected,
    /// No attempt succeeded in five days.
    GivenUp,
    /// Taken back before it was sent.
    Withdrawn,
    /// Taken by a server, and returned by one later.
    Bounced,
}

impl DeliveryState {
    /// Every state with its word.
    pub const ALL: [(&'static str, DeliveryState); 8] = [
        ("queued", DeliveryState::Queued),
        ("started", DeliveryState::Started),
        ("accepted", DeliveryState::Accepted),
        ("written", DeliveryState::Written),
        ("rejected", DeliveryState::Rejected),
        ("given-up", DeliveryState::GivenUp),
        ("withdrawn", DeliveryState::Withdrawn),
        ("bounced", DeliveryState::Bounced),
    ];

    /// The state's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, state)| (state == self).then_some(word)).unwrap_or("queued")
    }

    /// The state that a word stands for.
    pub fn parse(word: &str) -> Option<DeliveryState> {
        Self::ALL.into_iter().find_map(|(known, state)| (known == word).then_some(state))
    }
}
