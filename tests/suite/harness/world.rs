//! The world that a story is played in: a configuration, feeds on loopback, a mail server, a clock that is moved by
//! hand, and a state folder on a real disk.

use std::{fmt::Write as _, fs, path::PathBuf};

use jiff::SignedDuration;
use sigtrail::{
    clock::Clock,
    config,
    fetch::Resolver,
    jobs::{
        self, Context, Fault, TickReport,
        start::{self, Surroundings},
    },
    model::{settings::Config, time::Time},
    store::{Faults, StoryRow},
};
use tempfile::TempDir;

use super::{
    feed_server::{Answer, FeedServer},
    smtp_server::{Mail, SmtpServer},
};

/// Stories that run for days without an answer are mostly about something else.
const NOBODY_IS_REMINDED: &str =
    "[remind]\nafter = \"25w\"\ndeputy_after = \"26w\"\nurgent_after = \"25w\"\nurgent_deputy_after = \"26w\"\n";

/// A world: configure it, then `tick` it.
pub struct World {
    /// Holds `feeds.toml`, `config/` and the state folder `var`.
    pub root: TempDir,
    /// Moved by hand.
    pub clock: Clock,
    /// Serves the feeds.
    pub server: FeedServer,
    /// Takes the mails.
    pub smtp: SmtpServer,
    feeds: String,
    owners: String,
    stack: String,
    settings: String,
    context: Option<Context>,
}

impl World {
    /// A world at this moment, with nothing in it.
    pub fn at(moment: &str) -> World {
        let (server, smtp) = (FeedServer::start(), SmtpServer::start());
        let settings = format!(
            "[mail]\nfrom = \"sigtrail <sigtrail@example.com>\"\ntransport = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\n\
             tls = \"none\"\n{NOBODY_IS_REMINDED}[web]\nbase_url = \"https://sigtrail.example.com\"\n[fetch]\nper_host_gap = \"0s\"\n\
             allow_addresses = [\"127.0.0.2/32\"]\nallow_ports = []\ntimeout = \"5s\"\n",
            smtp.port()
        );
        World {
            root: tempfile::tempdir().unwrap(),
            clock: Clock::manual(moment.parse().unwrap()),
            server,
            smtp,
            feeds: String::new(),
            owners: "fallback = \"maria\"\n".to_owned(),
            stack: String::new(),
            settings,
            context: None,
        }
    }

    /// The usual company: Maria (deputy Jon) and Jon in London, a component of each and a topic of Maria's.
    pub fn company(moment: &str) -> World {
        World::at(moment)
            .owner("maria", "Maria Lopez", "deputy = \"jon\"")
            .owner("jon", "Jon Bright", "")
            .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
            .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
            .topic("prompt-injection", "Prompt injection", "maria", &["prompt injection"])
    }

    /// Adds an owner at `ID@example.com` in London, digests at eight on working days.
    pub fn owner(mut self, id: &str, name: &str, more: &str) -> World {
        let zone = if more.contains("timezone") { "" } else { "timezone = \"Europe/London\"" };
        let digest = if more.contains("digest") { "" } else { "digest = \"0 8 * * MON-FRI\"" };
        writeln!(
            self.owners,
            "[[owner]]\nid = \"{id}\"\nname = \"{name}\"\naddress = \"{id}@example.com\"\n{zone}\n{digest}\n{more}"
        )
        .unwrap();
        self
    }

    /// Adds a component.
    pub fn component(mut self, id: &str, name: &str, owner: &str, terms: &[&str]) -> World {
        writeln!(self.stack, "[[component]]\nid = \"{id}\"\nname = \"{name}\"\nowner = \"{owner}\"\nterms = {terms:?}")
            .unwrap();
        self
    }

    /// Adds a topic.
    pub fn topic(mut self, id: &str, name: &str, owner: &str, terms: &[&str]) -> World {
        writeln!(self.stack, "[[topic]]\nid = \"{id}\"\nname = \"{name}\"\nowner = \"{owner}\"\nterms = {terms:?}")
            .unwrap();
        self
    }

    /// Adds any TOML to `config/stack.toml`.
    pub fn stack(mut self, toml: &str) -> World {
        writeln!(self.stack, "{toml}").unwrap();
        self
    }

    /// Adds any TOML to `config/sigtrail.toml`.
    pub fn settings(mut self, toml: &str) -> World {
        writeln!(self.settings, "{toml}").unwrap();
        self
    }

    /// Owners who do not answer are reminded, and somebody else is asked: after 3 and 5 days, or 3 and 6 hours.
    pub fn reminding(self) -> World {
        self.replace_setting(NOBODY_IS_REMINDED, "")
    }

    /// Replaces a text in `config/sigtrail.toml`.
    pub fn replace_setting(mut self, from: &str, to: &str) -> World {
        assert!(self.settings.contains(from), "{from} is not in the settings");
        self.settings = self.settings.replace(from, to);
        self
    }

    /// Adds a feed at `/ID` of the server, owned by Maria unless `more` says otherwise.
    pub fn feed(mut self, id: &str, more: &str) -> World {
        self.add_feed(id, more);
        self
    }

    /// Adds a feed later on; takes effect at the next start.
    pub fn add_feed(&mut self, id: &str, more: &str) {
        let url = self.server.url(&format!("/{id}"));
        let owner = if more.contains("owner") { "" } else { "owner = \"maria\"" };
        writeln!(self.feeds, "[[feed]]\nid = \"{id}\"\nname = \"{}\"\nurl = \"{url}\"\n{owner}\n{more}", title(id))
            .unwrap();
    }

    /// Changes the text of a configuration file by replacing.
    pub fn edit(&mut self, file: &str, from: &str, to: &str) {
        let text = match file {
            "feeds" => &mut self.feeds,
            "owners" => &mut self.owners,
            "stack" => &mut self.stack,
            "settings" => &mut self.settings,
            other => panic!("no file {other}"),
        };
        assert!(text.contains(from), "{from} is not in {file}");
        *text = text.replace(from, to);
    }

    /// Serves this document at `/ID` from now on, with a strong ETag made from it.
    pub fn publish(&self, id: &str, document: &str) {
        use sha2::{Digest as _, Sha256};
        let tag: String = sigtrail::hex::hex(&Sha256::digest(document)).chars().take(12).collect();
        self.server.serve(&format!("/{id}"), Answer::ok(document).etag(format!("\"{tag}\"")));
    }

    /// Serves any answer at `/ID` from now on.
    pub fn answer(&self, id: &str, answer: Answer) {
        self.server.serve(&format!("/{id}"), answer);
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("var")
    }

    /// Writes the configuration files as they are now and loads them.
    pub fn config(&self) -> Config {
        let root = self.root.path();
        fs::create_dir_all(root.join("config")).unwrap();
        fs::write(root.join("feeds.toml"), &self.feeds).unwrap();
        fs::write(root.join("config/owners.toml"), &self.owners).unwrap();
        fs::write(root.join("config/stack.toml"), &self.stack).unwrap();
        fs::write(root.join("config/sigtrail.toml"), &self.settings).unwrap();
        match config::load_at(root, self.clock.now()) {
            Ok((config, _)) => config,
            Err(problems) => panic!("{}", config::render(&problems.problems, &problems.files, false)),
        }
    }

    /// Starts anew on the same state, with the configuration as it is now, as after a restart.
    pub fn restart(&mut self) -> &Context {
        self.restart_with(Faults::default()).unwrap()
    }

    /// Starts anew with failures on purpose.
    pub fn restart_with(&mut self, faults: Faults) -> Result<&Context, Fault> {
        self.context = None;
        let around = Surroundings { clock: self.clock.clone(), resolver: Resolver::default(), faults };
        let (context, _) = start::start(self.config(), &self.state(), around)?;
        Ok(self.context.insert(context))
    }

    /// What the verbs work with; starts when nothing has been started yet.
    pub fn context(&mut self) -> Context {
        if self.context.is_none() {
            self.restart();
        }
        self.context.clone().unwrap()
    }

    /// One tick.
    pub fn tick(&mut self) -> TickReport {
        let context = self.context();
        jobs::tick(&context, &mut |_| {}).unwrap()
    }

    /// One tick that may fail.
    pub fn try_tick(&mut self) -> Result<TickReport, Fault> {
        let context = self.context();
        jobs::tick(&context, &mut |_| {})
    }

    /// Moves the clock.
    pub fn wait(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    /// Moves the clock to this moment.
    pub fn wait_until(&self, moment: &str) {
        let moment: Time = moment.parse().unwrap();
        self.clock.advance(moment.duration_since(self.clock.now()));
    }

    /// The mails in an owner's mailbox, as text.
    pub fn mailbox(&self, owner: &str) -> Vec<String> {
        let mails = self.smtp.mailbox(&format!("{owner}@example.com"));
        mails.iter().map(text_of).collect()
    }

    /// The mails in an owner's mailbox but for the weekly ones that say that there was nothing.
    pub fn news(&self, owner: &str) -> Vec<String> {
        let mut mails = self.mailbox(owner);
        mails.retain(|mail| !mail.starts_with("Subject: Quiet week") && !mail.starts_with("Subject: Blind in week"));
        mails
    }

    /// All stories, oldest first.
    pub fn stories(&mut self) -> Vec<StoryRow> {
        let context = self.context();
        let found = context.store.read(|read| {
            let mut rows = Vec::new();
            for no in read.stories(None, None, 100_000)? {
                rows.extend(read.story(no)?);
            }
            Ok(rows)
        });
        let mut rows = found.unwrap();
        rows.reverse();
        rows
    }

    /// The kinds of the records in the log, in order.
    pub fn records(&mut self) -> Vec<serde_json::Value> {
        let path = self.state().join(sigtrail::store::DATABASE);
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut query = connection.prepare("SELECT bytes FROM record ORDER BY idx").unwrap();
        let rows = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        rows.map(|bytes| serde_json::from_slice(&bytes.unwrap()).unwrap()).collect()
    }

    /// The records of one kind.
    pub fn records_of(&mut self, kind: &str) -> Vec<serde_json::Value> {
        self.records().into_iter().filter(|record| record["kind"] == kind).collect()
    }
}

/// The plain text of a mail, soft line breaks joined.
pub fn text_of(mail: &Mail) -> String {
    let message = mail_parser::MessageParser::default().parse(&mail.raw).unwrap();
    format!(
        "Subject: {}\n\n{}",
        message.subject().unwrap_or_default(),
        message.body_text(0).unwrap_or_default().replace("\r\n", "\n")
    )
}

/// An RSS document with these items: title, link path, description.
pub fn rss(items: &[(&str, &str, &str)]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\"><channel><title>Sample</title>\n\
                    <link>https://cert.example/</link><description>Invented advisories</description>\n"
        .to_owned();
    for (title, path, description) in items {
        writeln!(
            text,
            "<item><title>{title}</title><link>https://cert.example/{path}</link>\
             <guid isPermaLink=\"false\">{path}</guid><description>{description}</description></item>"
        )
        .unwrap();
    }
    text + "</channel></rss>\n"
}

fn title(id: &str) -> String {
    let mut name = id.replace('-', " ");
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}
