//! What can be typed: the commands with their options. Names are stable.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// Polls the feeds of special interest groups, routes their entries to named owners and keeps the evidence.
#[derive(Debug, Parser)]
#[command(name = "sigtrail", version, max_term_width = 100)]
pub struct Args {
    /// The folder with feeds.toml and config/
    #[arg(long, global = true, env = "SIGTRAIL_ROOT", default_value = ".", value_name = "DIR")]
    pub root: PathBuf,
    /// The folder with the database, the keys and the outbox [default: `STATE_DIRECTORY`, else the key `state`]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Print JSON Lines instead of tables
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole job on loopback with sample feeds: poll, tag, route, mail, acknowledge, verify
    Demo(DemoArgs),
    /// Write the commented configuration
    Init {
        /// Where to [default: the folder of --root]
        dir: Option<PathBuf>,
    },
    /// Everything wrong with the configuration, and the next runs
    Check,
    /// The daemon
    Run,
    /// Do everything that is due now, once, and exit
    Tick,
    /// Poll feeds once, with progress
    Poll {
        /// Only these feeds [default: every feed that is due]
        feeds: Vec<String>,
        /// Ask now, even if it is not time yet
        #[arg(long)]
        force: bool,
    },
    /// The feeds: how they stand, and the register that names them
    Feeds {
        /// What to do with them [default: list]
        #[command(subcommand)]
        command: Option<FeedsCommand>,
    },
    /// What sigtrail makes of a feed document; writes nothing
    Parse {
        /// The documents
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Why a text is tagged as it is, and who would get it
    Match(MatchArgs),
    /// What arrived, newest first
    Stories(StoriesArgs),
    /// The mail that would go out to an owner now, or the mails that wait
    Digest {
        /// The owner
        #[arg(required_unless_present = "queue")]
        owner: Option<String>,
        /// Write the mail and its HTML to files and print their paths
        #[arg(long)]
        preview: bool,
        /// The mails that have not left yet, and why
        #[arg(long, conflicts_with_all = ["owner", "preview"])]
        queue: bool,
    },
    /// Acknowledge stories for an owner
    Ack(AckArgs),
    /// Say that something was done about stories, with references: the next step after an answer
    Act(ActArgs),
    /// The evidence log
    Evidence {
        /// What to do with it
        #[command(subcommand)]
        command: EvidenceCommand,
    },
    /// What wants attention: exit 0 when nothing does, 4 when something does
    Status,
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// `demo`.
#[derive(Debug, ClapArgs)]
pub struct DemoArgs {
    /// Exit at the end instead of serving the acknowledgement page until Ctrl-C
    #[arg(long)]
    pub once: bool,
    /// Where the demo's files go; must be new or an earlier demo's
    #[arg(long, default_value = "demo")]
    pub dir: PathBuf,
    /// Where the acknowledgement page listens [default: 127.0.0.1:8090, or a free port when that is taken]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
}

/// `feeds`.
#[derive(Debug, Subcommand)]
pub enum FeedsCommand {
    /// Every feed with its state and next poll
    List,
    /// Ask for a feed, or find the one behind a web page, and say what it would mean; writes nothing
    Test {
        /// An address, a feed of feeds.toml or a source of the catalogue
        #[arg(value_name = "URL|ID")]
        what: String,
    },
    /// Sources worth knowing, to choose from
    Catalogue {
        /// Only sources with these words
        #[arg(value_name = "TEXT")]
        words: Vec<String>,
    },
    /// Write a feed into feeds.toml, with everything else as it was
    Add(AddArgs),
    /// Take a feed out of feeds.toml and record why; what it brought stays
    Drop(DropArgs),
    /// Take the feeds of an OPML list into feeds.toml
    Import(ImportArgs),
    /// The register for other programs, on standard output
    Export {
        /// opml: the enabled feeds, for readers; csv: everything, as a table [default: opml]
        #[arg(long)]
        format: Option<ExportFormat>,
    },
    /// Decide what becomes of entries that are held, because a feed brought many more than usual
    Release(ReleaseArgs),
}

/// `feeds add`.
#[derive(Debug, ClapArgs)]
pub struct AddArgs {
    /// Where it is fetched, or an identifier of the catalogue
    #[arg(value_name = "URL|ID")]
    pub source: String,
    /// The name in other files and the key of its history [default: made from the name]
    #[arg(long)]
    pub id: Option<String>,
    /// What people call it [default: the host of the URL]
    #[arg(long)]
    pub name: Option<String>,
    /// Who answers for it [default: the owner of the group, the only owner, or the fallback]
    #[arg(long)]
    pub owner: Option<String>,
    /// The group that it belongs to
    #[arg(long)]
    pub group: Option<String>,
    /// The interval between two polls: 15m, 4h, 1d
    #[arg(long, value_name = "INTERVAL")]
    pub every: Option<String>,
    /// What becomes of an entry that matches nothing: list, owner or none
    #[arg(long)]
    pub unmatched: Option<String>,
    /// How many entries of the first poll count as new
    #[arg(long, value_name = "NUMBER")]
    pub baseline: Option<u32>,
    /// The label of everything that it publishes
    #[arg(long, value_name = "LABEL")]
    pub tlp: Option<String>,
    /// A topic that every entry of it has; may be given again
    #[arg(long)]
    pub topic: Vec<String>,
}

/// `feeds drop`.
#[derive(Debug, ClapArgs)]
pub struct DropArgs {
    /// The feed
    pub feed: String,
    /// Why; recorded as evidence
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// What becomes of its group when it was the last feed of it [default: asked on a terminal]
    #[arg(long)]
    pub group: Option<GroupFate>,
}

/// What becomes of a group that loses its last feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GroupFate {
    /// It stays in the register, without a feed
    Keep,
    /// It is taken out as well
    Drop,
}

/// `feeds import`.
#[derive(Debug, ClapArgs)]
pub struct ImportArgs {
    /// The list
    #[arg(value_name = "FILE.opml")]
    pub file: PathBuf,
    /// Who answers for feeds whose owner the list does not name [default: as for `feeds add`]
    #[arg(long)]
    pub owner: Option<String>,
    /// The group of feeds whose group the list does not name
    #[arg(long)]
    pub group: Option<String>,
}

/// How the register is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// OPML 2.0
    Opml,
    /// Comma-separated values, RFC 4180
    Csv,
}

/// `feeds release`.
#[derive(Debug, ClapArgs)]
pub struct ReleaseArgs {
    /// The feed
    pub feed: String,
    /// all: route them as if they were new now; matching: only what matches the stack; none: not for us
    #[arg(long = "as", value_name = "DECISION")]
    pub decision: String,
    /// Who decides
    #[arg(long)]
    pub owner: String,
}

/// `stories`.
#[derive(Debug, ClapArgs)]
pub struct StoriesArgs {
    /// Only stories with this in a title
    pub text: Option<String>,
    /// Only stories that were handed to somebody and wait for an answer
    #[arg(long)]
    pub open: bool,
    /// Only stories that have waited for too long
    #[arg(long)]
    pub overdue: bool,
    /// Only stories of this owner
    #[arg(long)]
    pub owner: Option<String>,
    /// Only stories about this component
    #[arg(long)]
    pub component: Option<String>,
    /// Only stories about this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// Only stories that this feed reports
    #[arg(long)]
    pub feed: Option<String>,
    /// How many at the most
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
    /// Only stories older than this one: the next page
    #[arg(long, value_name = "STORY")]
    pub before: Option<i64>,
}

/// `match`.
#[derive(Debug, ClapArgs)]
pub struct MatchArgs {
    /// The text; with --json and without a text, JSON Lines {"key","title","text"} on standard input
    pub text: Option<String>,
    /// An entry by its number
    #[arg(long, value_name = "ID", conflicts_with = "text")]
    pub entry: Option<i64>,
    /// As if it came from this feed
    #[arg(long)]
    pub feed: Option<String>,
    /// Another stack file than the configured one; owners are not looked at
    #[arg(long, value_name = "FILE", conflicts_with = "entry")]
    pub stack: Option<PathBuf>,
}

/// `ack`.
#[derive(Debug, ClapArgs)]
pub struct AckArgs {
    /// The stories, by their numbers
    #[arg(required = true)]
    pub stories: Vec<i64>,
    /// acted, covered, not-relevant, watching, discuss, or closed after an earlier answer
    #[arg(long = "as", value_name = "DISPOSITION")]
    pub disposition: String,
    /// The record of an earlier answer that this one corrects
    #[arg(long, value_name = "RECORD")]
    pub corrects: Option<u64>,
    /// What both `ack` and `act` take
    #[command(flatten)]
    pub said: SaidArgs,
}

/// `act`.
#[derive(Debug, ClapArgs)]
pub struct ActArgs {
    /// The stories, by their numbers
    #[arg(required = true)]
    pub stories: Vec<i64>,
    /// Nothing is left to do: the next step is `closed`, not `acted`
    #[arg(long)]
    pub close: bool,
    /// What both `ack` and `act` take
    #[command(flatten)]
    pub said: SaidArgs,
}

/// What an answer at the shell may say beside its disposition.
#[derive(Debug, ClapArgs)]
pub struct SaidArgs {
    /// Why, or what was done; needed for not-relevant
    #[arg(long)]
    pub note: Option<String>,
    /// minutes, ticket, pull-request, risk or chat, a colon, and its name, number or address; may be given again
    #[arg(long, value_name = "KIND:TEXT")]
    pub reference: Vec<String>,
    /// For whom [default: the one who has the stories]
    #[arg(long)]
    pub owner: Option<String>,
    /// When it happened, if not now: 2026-11-18, "2026-11-18 14:00" in the owner's zone, or 2026-11-18T14:00:00Z
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// `evidence`.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Write a pack for an auditor
    Export {
        /// A new folder
        dir: PathBuf,
    },
    /// Verify a pack or a database, offline
    Verify {
        /// The pack's folder, or a database file
        pack: PathBuf,
        /// The log's public key from somewhere else than the pack
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Digests that somebody kept: each carries a checkpoint
        #[arg(long, value_name = "EML", num_args = 1..)]
        mail: Vec<PathBuf>,
    },
    /// Sign the log as it stands and print the checkpoint
    Checkpoint,
}
