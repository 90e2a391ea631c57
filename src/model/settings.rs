//! The meaning of the four configuration files, after `config` has checked them.

use std::{net::SocketAddr, path::PathBuf};

use jiff::{SignedDuration, Span};
use url::Url;

use super::{
    feed::{Feed, Group},
    id::{ComponentId, FeedId, GroupId, OwnerId, TopicId},
    owner::Owner,
    stack::{Component, Route, Topic},
};

/// A range of addresses in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressRange {
    /// An address of the range.
    pub address: std::net::IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

/// `[fetch]` of `config/sigtrail.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// The address that the User-Agent names, so that a publisher can reach the operator.
    pub contact: Option<String>,
    /// The interval of a feed that has none of its own.
    pub every: SignedDuration,
    /// No feed is polled more often than this.
    pub min_interval: SignedDuration,
    /// The time between two requests to one host.
    pub per_host_gap: SignedDuration,
    /// The most time that one poll of a feed may take, redirects included.
    pub timeout: SignedDuration,
    /// The most bytes of a response as they come over the wire.
    pub max_wire: u64,
    /// The most bytes of a response after decoding.
    pub max_decoded: u64,
    /// Ranges beside the global ones that feeds may live in.
    pub allow_addresses: Vec<AddressRange>,
    /// Ports that feeds may live on; empty: any.
    pub allow_ports: Vec<u16>,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailTls {
    /// Plain first, then STARTTLS (RFC 3207), which the server must offer.
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// No protection.
    None,
}

/// How digests leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailTransport {
    /// `.eml` files in the folder `outbox` of the state.
    Directory,
    /// A mail server.
    Smtp {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        tls: MailTls,
        /// User name and the file that holds the password.
        login: Option<(String, PathBuf)>,
        /// A file with PEM certificates that are trusted beside the system's.
        ca_file: Option<PathBuf>,
    },
}

/// `[mail]` of `config/sigtrail.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// The display name of the sender.
    pub from_name: String,
    /// The address of the sender, also the envelope sender.
    pub from_address: String,
    /// How digests leave.
    pub transport: MailTransport,
}

/// `[web]` of `config/sigtrail.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSettings {
    /// Where the acknowledgement page listens.
    pub listen: SocketAddr,
    /// The address that links in mails start with, without a slash at the end.
    pub base_url: Url,
    /// What becomes of an answer that comes within seconds of the mail.
    pub fast_answer: FastAnswer,
}

/// What becomes of an answer that comes within seconds of the mail: a person can be that fast, and so can a program that
/// looks through mail and presses buttons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum FastAnswer {
    /// It is recorded, and marked.
    #[default]
    Accept,
    /// The page asks once more before it is recorded and marked.
    Confirm,
}

/// `[evidence]` of `config/sigtrail.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// The log's name in its checkpoints; fixed when the log is made.
    pub origin: String,
}

/// `[retention]` of `config/sigtrail.toml`.
#[derive(Debug, Clone)]
pub struct RetentionSettings {
    /// For how long the texts of entries are kept.
    pub entries: Span,
}

/// `[remind]` of `config/sigtrail.toml`: what happens when nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemindSettings {
    /// How long after a digest was handed over its owner is reminded, once.
    pub after: SignedDuration,
    /// How long after it the story goes to whoever stands in.
    pub deputy_after: SignedDuration,
    /// The same as `after` for an urgent story.
    pub urgent_after: SignedDuration,
    /// The same as `deputy_after` for an urgent story.
    pub urgent_deputy_after: SignedDuration,
}

impl Default for RemindSettings {
    fn default() -> RemindSettings {
        RemindSettings {
            after: SignedDuration::from_hours(3 * 24),
            deputy_after: SignedDuration::from_hours(5 * 24),
            urgent_after: SignedDuration::from_hours(3),
            urgent_deputy_after: SignedDuration::from_hours(6),
        }
    }
}

/// `[urgent]` of `config/sigtrail.toml`: what does not wait for the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrgentSettings {
    /// How many urgent digests an owner is sent on one day of theirs; what more is urgent joins the next digest.
    pub per_day: u32,
}

impl Default for UrgentSettings {
    fn default() -> UrgentSettings {
        UrgentSettings { per_day: 5 }
    }
}

/// One of the four files as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name below the root: `feeds.toml`, `config/owners.toml`, ...
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// The loaded configuration: everything that decides, and the texts it came from.
#[derive(Debug, Clone)]
pub struct Config {
    /// The four files, in the order `feeds.toml`, `owners.toml`, `stack.toml`, `sigtrail.toml`.
    pub files: Vec<SourceFile>,
    /// Lower-case hex SHA-256 over the names and texts of the files.
    pub hash: String,
    /// The feeds, in file order, disabled ones too.
    pub feeds: Vec<Feed>,
    /// The groups, in file order.
    pub groups: Vec<Group>,
    /// The owners, in file order.
    pub owners: Vec<Owner>,
    /// Who gets what has no living owner left.
    pub fallback: OwnerId,
    /// The components, in file order.
    pub components: Vec<Component>,
    /// The topics, in file order.
    pub topics: Vec<Topic>,
    /// The routes, in file order.
    pub routes: Vec<Route>,
    /// The state folder, absolute or below the current folder.
    pub state: PathBuf,
    /// Mail.
    pub mail: MailSettings,
    /// The acknowledgement page.
    pub web: WebSettings,
    /// Fetching.
    pub fetch: FetchSettings,
    /// What happens when nobody answers.
    pub remind: RemindSettings,
    /// What does not wait.
    pub urgent: UrgentSettings,
    /// The evidence log.
    pub evidence: EvidenceSettings,
    /// What is kept for how long.
    pub retention: RetentionSettings,
}

impl Config {
    /// The feed of this identifier.
    pub fn feed(&self, id: &FeedId) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.id == *id)
    }

    /// The group of this identifier.
    pub fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == *id)
    }

    /// The owner of this identifier.
    pub fn owner(&self, id: &OwnerId) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.id == *id)
    }

    /// The component of this identifier.
    pub fn component(&self, id: &ComponentId) -> Option<&Component> {
        self.components.iter().find(|component| component.id == *id)
    }

    /// The topic of this identifier.
    pub fn topic(&self, id: &TopicId) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.id == *id)
    }
}
