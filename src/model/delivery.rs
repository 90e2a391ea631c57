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
    /// The message is larger than the server takes: it said so before (SIZE, RFC 1870) or when it was offered the message.
    TooLarge {
        /// The most bytes that it takes; `None`: it did not say.
        limit: Option<u64>,
        /// The reply code, where the server refused this message; `None`: nothing was sent.
        code: Option<u16>,
        /// The reply's text, or why nothing was sent.
        reply: String,
    },
    /// Not sent: the server cannot take such a message, or such an address, as long as it is as it is.
    Unfit {
        /// Why, and what would help.
        cause: String,
    },
}

/// What is wrong with the mail server itself, whoever a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayFault {
    /// It gives no connection, or breaks it.
    Down,
    /// The line to it cannot be protected as the configuration asks.
    Tls,
    /// It does not let us in.
    Login,
    /// It says "not now" before it knows whom a message is for.
    Busy,
    /// It refuses the sender for good: of every message of ours, or of this one for a reason of its own. The other messages
    /// show which.
    Sender,
}

impl RelayFault {
    /// Every fault with its word.
    pub const ALL: [(&'static str, RelayFault); 5] = [
        ("down", RelayFault::Down),
        ("tls", RelayFault::Tls),
        ("login", RelayFault::Login),
        ("busy", RelayFault::Busy),
        ("sender", RelayFault::Sender),
    ];

    /// The fault's word in the store.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(word, fault)| (fault == self).then_some(word)).unwrap_or("down")
    }

    /// The fault that a word stands for.
    pub fn parse(word: &str) -> Option<RelayFault> {
        Self::ALL.into_iter().find_map(|(known, fault)| (known == word).then_some(fault))
    }
}

/// A fault of the mail server, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayTrouble {
    /// What is wrong.
    pub fault: RelayFault,
    /// What happened.
    pub cause: String,
}

/// One attempt, and what it showed of the mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// What came of it.
    pub outcome: SendOutcome,
    /// The server failed before it knew whom the message is for; `None`: what failed, if anything did, lies with this
    /// message or its recipient.
    pub trouble: Option<RelayTrouble>,
    /// The largest message that the server takes, in bytes, `Some(None)` where it states no limit; `None`: it was not
    /// asked.
    pub size_limit: Option<Option<u64>>,
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
            SendOutcome::TooLarge { .. } => "too-large",
            SendOutcome::Unfit { .. } => "unfit",
        }
    }

    /// The reply code, where a server gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            SendOutcome::Accepted { code, .. }
            | SendOutcome::Deferred { code, .. }
            | SendOutcome::Rejected { code, .. } => Some(*code),
            SendOutcome::TooLarge { code, .. } => *code,
            _ => None,
        }
    }

    /// What was said or what happened.
    pub fn text(&self) -> &str {
        match self {
            SendOutcome::Accepted { reply, .. }
            | SendOutcome::Deferred { reply, .. }
            | SendOutcome::Rejected { reply, .. }
            | SendOutcome::TooLarge { reply, .. } => reply,
            SendOutcome::Written { file } => file,
            SendOutcome::Uncertain { cause } | SendOutcome::Unreachable { cause } | SendOutcome::Unfit { cause } => {
                cause
            }
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
