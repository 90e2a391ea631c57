//! What the browser is shown: a company whose mails lead to its page on loopback, and the table of the states in which
//! a person can meet that page. To add a state, add a line to [`STATES`].

use std::{fs, net::TcpListener, sync::Arc};

use jiff::SignedDuration;
use mail_parser::MessageParser;
use sigtrail::{
    model::id::DigestNo,
    store::Faults,
    token::{self, LinkKey, Scope},
};

use crate::harness::{
    browser::Browser,
    feed_server::Answer,
    page::{Page, nonce_of},
    smtp_server::Mail,
    world::{World, rss},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What the maker of Quillgate publishes: title, path, text.
const NEWS: &[(&str, &str, &str)] = &[
    (
        "Quillgate VPN: sign-in bypass in the web portal (CVE-2099-10007)",
        "q1",
        "A crafted cookie skips the sign-in. All 9.x before 9.1.4. It is being actively exploited. CVSS 9.8, critical. \
         Work-around: switch the portal off.",
    ),
    (
        "Quillgate VPN 9.1.5 fixes a crash on long names (CVE-2099-10011, CVE-2099-10012, CVE-2099-10013)",
        "q2",
        "A name of more than 4,096 bytes ends the gateway. CVSS 7.5, high. Fixed in 9.1.5.",
    ),
    ("Quillgate VPN: weak default for new tunnels", "q3", "New tunnels accept SHA-1. CVSS 5.3, medium."),
    ("Quillgate: end of life of 8.x", "q4", "Version 8 gets its last update on 1 March 2100."),
    ("Quillgate: certificates of the update server change", "q5", "From 1 December another root is used."),
    (
        "Hidden instructions in calendar invitations: a case of prompt injection",
        "q6",
        "Assistants that read invitations follow what is written in white on white.",
    ),
    (
        "Quillgate \u{627}\u{644}\u{639}\u{631}\u{628}\u{64a}\u{629} \u{6f22}\u{5b57} https://psirt.quillgate.example/a/path/that/never/ends/\
         0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef \
         libquillgateconnectionmanagementframeworkinternals64.so.9.1.4-20991119T184000Z.x86_64",
        "q7",
        "One word without an end: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.",
    ),
    ("Quillgate: a note on logging", "q8", "More is logged."),
    ("Quillgate: a note on backups", "q9", "Backups are smaller."),
];

/// What the subjects of mails begin with that are no news.
const KINDS: [(&str, &str); 5] = [
    ("Still open", "reminder"),
    ("Now yours", "takeover"),
    ("Passed to", "passed"),
    ("Quiet week", "quiet-week"),
    ("Blind in week", "blind-week"),
];

/// A mail as it lies in a mailbox.
pub struct Letter {
    /// What kind of mail it is, or the step of the story that it came in where it is news, and to whom.
    pub name: String,
    /// Its HTML part.
    pub html: String,
    /// Its text part.
    pub text: String,
}

/// The company on the morning after: mails were sent, nothing is answered.
pub struct Scene {
    /// The world behind it.
    pub world: World,
    /// Its page.
    pub page: Page,
    /// The mails so far, oldest first.
    pub letters: Vec<Letter>,
    key: Arc<LinkKey>,
    read: usize,
}

impl Scene {
    /// Plays two days: first polls, a quiet day, then a flood, an urgent story and a digest with everything in it.
    pub fn open() -> Scene {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut world = World::company("2026-11-16T07:00:00Z")
            .reminding()
            .replace_setting("https://sigtrail.example.com", &base)
            .stack("[[route]]\nwhen = { feed = [\"quillgate-psirt\"], severity = \"critical\" }\nto = [\"maria\"]\nurgent = true")
            .feed("example-cert", "every = \"30m\"")
            .feed("quillgate-psirt", "")
            .feed("tarnbase", "")
            .feed("sharing-centre", "tlp = \"RED\"")
            .feed("marrow-releases", "owner = \"jon\"\nbaseline = 130\nunmatched = \"owner\"");
        world.publish("example-cert", &usual(0));
        world.publish("quillgate-psirt", &rss(&[("Quillgate: the old news", "q0", "Nothing of note.")]));
        world.answer("tarnbase", Answer::status(403));
        world.publish("sharing-centre", &rss(&[("Quillgate: not for every eye", "s1", "Restricted.")]));
        world.publish("marrow-releases", &many(130));
        let key = world.context().link_key.clone();
        let page = Page::open_on(listener, &mut world);
        let mut scene = Scene { world, page, letters: Vec::new(), key, read: 0 };
        scene.play("first");
        for poll in 1..=20 {
            scene.world.wait(HOUR + SignedDuration::from_mins(1));
            scene.world.publish("example-cert", &usual(poll));
            scene.play("quiet");
        }
        scene.world.publish("example-cert", &flood());
        scene.world.publish("quillgate-psirt", &rss(NEWS));
        scene.world.wait(HOUR * 2);
        scene.play("urgent");
        scene.world.wait_until("2026-11-17T08:00:00Z");
        scene.play("daily");
        // Nobody reads a mail as soon as it is sent.
        scene.world.wait(SignedDuration::from_mins(10));
        scene
    }

    /// Lets two weeks go by in which nobody answers and one story changes.
    pub fn go_on(&mut self) {
        let mut news = NEWS.to_vec();
        news[2].2 = "New tunnels accept SHA-1. It is being actively exploited. CVSS 9.1, critical. Fixed in 9.1.6.";
        self.world.publish("quillgate-psirt", &rss(&news));
        self.world.publish("example-cert", &usual(21));
        for (moment, step) in [
            ("2026-11-18T07:00:00Z", "changed"),
            ("2026-11-18T08:00:00Z", "changed"),
            ("2026-11-20T09:00:00Z", "reminder"),
            ("2026-11-23T09:00:00Z", "passed-on"),
            ("2026-11-30T09:00:00Z", "quiet-week"),
            ("2026-12-07T09:00:00Z", "quiet-week"),
        ] {
            self.world.wait_until(moment);
            self.play(step);
        }
    }

    /// One tick, and the mails that came of it.
    fn play(&mut self, step: &str) {
        self.world.tick();
        let mails = self.world.smtp.mails();
        for mail in mails.iter().skip(self.read) {
            let letter = letter(step, mail, &self.letters);
            self.letters.push(letter);
        }
        self.read = mails.len();
    }

    /// The mail of this name.
    pub fn letter(&self, name: &str) -> &Letter {
        let names: Vec<&str> = self.letters.iter().map(|one| one.name.as_str()).collect();
        self.letters.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("no {name} in {names:?}"))
    }

    /// The address of a mail's HTML part as a file.
    pub fn file_of(&self, letter: &Letter) -> String {
        self.file(&letter.name, &letter.html)
    }

    /// The address of a document as a file.
    pub fn file(&self, name: &str, html: &str) -> String {
        let path = self.world.root.path().join(format!("{name}.html"));
        fs::write(&path, html).unwrap();
        format!("file://{}", path.display())
    }

    /// Where the page is.
    pub fn origin(&self) -> String {
        format!("http://{}", self.page.address)
    }

    /// The link that answers the whole digest of a mail.
    pub fn all(&self, letter: &str) -> String {
        let start = format!("{}/a/", self.origin());
        let text = &self.letter(letter).text;
        let link =
            text.split_whitespace().find_map(|word| word.strip_prefix(&start)).unwrap_or_else(|| panic!("{text}"));
        start + link.split('/').next().unwrap()
    }

    /// The link to a story of Maria's daily digest.
    pub fn story(&self, number: usize) -> String {
        format!("{}/{number}", self.all("daily-maria"))
    }

    /// The link to the flood that waits for Maria.
    fn held(&self) -> String {
        let text = &self.letter("daily-maria").text;
        text.split_whitespace()
            .find(|word| word.contains("/held/"))
            .unwrap_or_else(|| panic!("no flood: {text}"))
            .to_owned()
    }

    /// How many answers stand in the log.
    pub fn acknowledged(&mut self) -> usize {
        self.world.records_of("acknowledged").len()
    }
}

fn letter(step: &str, mail: &Mail, before: &[Letter]) -> Letter {
    let message = MessageParser::default().parse(&mail.raw).unwrap();
    let subject = message.subject().unwrap();
    let kind = KINDS.iter().find(|(begins, _)| subject.starts_with(begins)).map_or(step, |(_, kind)| kind);
    let first = format!("{kind}-{}", mail.to[0].split('@').next().unwrap());
    let mut name = first.clone();
    let mut count = 1;
    while before.iter().any(|one| one.name == name) {
        count += 1;
        name = format!("{first}-{count}");
    }
    let text = |part: Option<std::borrow::Cow<'_, str>>| part.unwrap().into_owned();
    Letter { name, html: text(message.body_html(0)), text: text(message.body_text(0)) }
}

fn document(items: &[(String, String)]) -> String {
    let items: Vec<_> = items.iter().map(|(title, path)| (title.as_str(), path.as_str(), "Invented.")).collect();
    rss(&items)
}

fn usual(poll: usize) -> String {
    let of = |poll: usize| (0..12).map(move |i| (format!("Advice {poll}-{i}"), format!("u{poll}-{i}")));
    document(&of(poll).chain(of(poll.saturating_sub(1)).filter(|_| poll > 0)).collect::<Vec<_>>())
}

fn many(entries: usize) -> String {
    let title = |i: usize| format!("libmarrow {}.{} fixes a crash on long archive names", i / 10, i % 10);
    document(&(0..entries).map(|i| (title(i), format!("m{i}"))).collect::<Vec<_>>())
}

fn flood() -> String {
    let title = |i: usize| if i.is_multiple_of(100) { format!("Quillgate note {i}") } else { format!("Filler {i}") };
    document(&(0..1_500).map(|i| (title(i), format!("f{i}"))).collect::<Vec<_>>())
}

/// A state in which a person can meet the page.
pub struct State {
    /// Its name, which its pictures have as well.
    pub name: &'static str,
    /// Words that it is known by.
    pub says: &'static str,
    /// Brings the browser there.
    pub reach: fn(&Browser, &mut Scene),
}

/// Every state, in an order in which each can be reached after those before it.
pub const STATES: &[State] = &[
    State {
        name: "story-exploited",
        says: "exploited",
        reach: |it, scene| it.open(&format!("{}/1", scene.all("urgent-maria"))),
    },
    State { name: "story", says: "What do you say?", reach: |it, scene| it.open(&scene.story(1)) },
    State {
        name: "story-chosen-in-mail",
        says: "Watching",
        reach: |it, scene| it.open(&format!("{}?as=watching", scene.story(1))),
    },
    State { name: "story-hostile-text", says: "without an end", reach: |it, scene| it.open(&hostile(scene)) },
    State {
        name: "error-nothing-chosen",
        says: "Choose what you say",
        reach: |it, scene| {
            it.open(&scene.story(1));
            it.send("Record answer");
        },
    },
    State {
        name: "error-reason-missing",
        says: "Say why this is not relevant",
        reach: |it, scene| {
            it.open(&format!("{}?as=not-relevant", scene.story(1)));
            it.send("Record answer");
        },
    },
    State {
        name: "recorded",
        says: "Recorded.",
        reach: |it, scene| {
            it.open(&format!("{}?as=watching", scene.story(2)));
            it.fill(&it.field("note"), "we look at it on Monday");
            it.send("Record answer");
        },
    },
    State {
        name: "corrected",
        says: "Recorded.",
        reach: |it, scene| {
            it.open(&format!("{}?as=acted", scene.story(2)));
            it.fill(&it.field("note"), "portal off; 9.1.5 is rolled out");
            it.fill(&it.field("reference_kind"), "Ticket");
            it.fill(&it.field("reference"), "CHG-118");
            it.send("Record answer");
        },
    },
    State {
        name: "already",
        says: "Already recorded on",
        reach: |it, scene| {
            let story = scene.story(3);
            let path = story.strip_prefix(&scene.origin()).unwrap();
            let body = format!("disposition=covered&nonce={}", nonce_of(&scene.page.get(path).body));
            scene.page.post(path, &body);
            let again = scene.page.post(path, &body);
            it.open(&format!("{}{}", scene.origin(), again.header("location").unwrap()));
        },
    },
    State { name: "digest", says: "to answer", reach: |it, scene| it.open(&scene.all("daily-maria")) },
    State {
        name: "digest-of-many",
        says: "stories in this digest",
        reach: |it, scene| it.open(&scene.all("first-jon")),
    },
    State { name: "held", says: "held", reach: |it, scene| it.open(&scene.held()) },
    State {
        name: "held-decided",
        says: "Recorded.",
        reach: |it, scene| {
            it.open(&scene.held());
            it.click(&it.find("radio", "Matching"));
            it.send("Record decision");
        },
    },
    State {
        name: "wrong-link",
        says: "This link is not complete.",
        reach: |it, scene| {
            let mut all = scene.all("daily-maria");
            all.pop();
            it.open(&all);
        },
    },
    State {
        name: "no-such-page",
        says: "no such page",
        reach: |it, scene| it.open(&format!("{}/other", scene.origin())),
    },
    State {
        name: "expired",
        says: "This link ended on",
        reach: |it, scene| {
            let expires = "2026-11-16T12:00:00Z".parse().unwrap();
            let ended = token::mint(&scene.key, &Scope { digest: DigestNo(1), story: None, expires });
            it.open(&format!("{}/a/{ended}", scene.origin()));
        },
    },
    State {
        name: "form-too-old",
        says: "It is filled in as you left it",
        reach: |it, scene| {
            it.open(&format!("{}?as=discuss", scene.story(4)));
            it.fill(&it.field("note"), "for the meeting on Thursday");
            scene.world.wait(HOUR * 13);
            it.send("Record answer");
        },
    },
    State {
        name: "not-recorded",
        says: "Not recorded:",
        reach: |it, scene| {
            let page = broken(scene);
            let path = scene.story(4).strip_prefix(&scene.origin()).unwrap().to_owned();
            it.open(&format!("http://{}{path}?as=discuss", page.address));
            it.fill(&it.field("note"), "for the meeting on Thursday");
            it.send("Record answer");
            scene.world.restart();
        },
    },
    State { name: "rest", says: "open", reach: |it, scene| it.open(&format!("{}/rest", scene.all("daily-maria"))) },
    State {
        name: "rest-reason-missing",
        says: "There is a problem",
        reach: |it, scene| {
            it.open(&format!("{}/rest", scene.all("daily-maria")));
            it.send("Record");
        },
    },
    State {
        name: "not-yours",
        says: "not yours",
        reach: |it, scene| it.open(&format!("{}/wrong", scene.all("daily-maria"))),
    },
    State {
        name: "not-yours-nothing-chosen",
        says: "There is a problem",
        reach: |it, scene| {
            it.open(&format!("{}/wrong", scene.all("daily-maria")));
            it.send("Record");
        },
    },
    State {
        name: "not-yours-recorded",
        says: "Recorded.",
        reach: |it, scene| {
            it.open(&format!("{}/wrong", scene.all("daily-maria")));
            it.click(&it.find("radio", "Prompt injection"));
            it.fill(&it.field("note"), "Jon follows this since March");
            it.send("Record");
        },
    },
    State {
        name: "not-yours-otherwise",
        says: "and said something else.",
        reach: |it, scene| {
            let wrong = format!("{}/wrong", scene.all("daily-maria"));
            it.open(&wrong);
            let nonce = it.attribute(&it.field("nonce"), "value").unwrap();
            let sent = format!("what=component:quillgate&note=Jon+runs+it&nonce={nonce}");
            scene.page.post(wrong.strip_prefix(&scene.origin()).unwrap(), &sent);
            it.click(&it.find("radio", "Prompt injection"));
            it.fill(&it.field("note"), "Jon follows this since March");
            it.send("Record");
        },
    },
    State {
        name: "nothing-open",
        says: "Nothing is open",
        reach: |it, scene| {
            it.open(&format!("{}?as=covered", scene.all("daily-maria")));
            it.send("Record");
        },
    },
    State {
        name: "not-recorded-withdrawn",
        says: "Not recorded. This story is with Jon Bright",
        reach: |it, scene| {
            it.open(&format!("{}/1?as=acted", scene.all("urgent-maria")));
            it.fill(&it.field("note"), "portal off; 9.1.4 is rolled out on Monday");
            scene.go_on();
            it.send("Record answer");
        },
    },
    State {
        name: "withdrawn",
        says: "This story is with Jon Bright",
        reach: |it, scene| it.open(&format!("{}/1", scene.all("urgent-maria"))),
    },
    State {
        name: "not-recorded-expired",
        says: "Not recorded",
        reach: |it, scene| {
            it.open(&format!("{}?as=acted", scene.story(1)));
            it.fill(&it.field("note"), "portal off; 9.1.4 is rolled out on Monday");
            scene.world.wait_until("2026-12-20T12:00:00Z");
            it.send("Record answer");
        },
    },
    State {
        name: "new-links-asked",
        says: "new links",
        reach: |it, scene| {
            scene.world.wait_until("2026-12-20T12:00:00Z");
            it.open(&scene.all("daily-maria"));
            it.send("Mail me a new link");
        },
    },
];

/// The link to the story whose words have no end.
fn hostile(scene: &Scene) -> String {
    let text = &scene.letter("daily-maria").text;
    let (before, _) = text.split_once("libquillgateconnection").expect("the story is in the mail");
    let number = before.lines().rev().find_map(|line| line.split_once(". ")?.0.trim().parse().ok());
    scene.story(number.expect("its number stands before its title"))
}

/// A page whose store fails when something is to be recorded.
fn broken(scene: &mut Scene) -> Page {
    for point in 1..100 {
        if scene.world.restart_with(Faults::at(point)).is_ok() {
            return Page::open(&mut scene.world);
        }
    }
    panic!("the store cannot be started at all");
}
