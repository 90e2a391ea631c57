//! The feeds of the bench: every document is a function of its number and of how often its publisher has added to it.
//! Invented words from a fixed seed; here and there a name of the stack or a CVE id.

use std::fmt::Write as _;

/// Feeds that share one address.
pub const FEEDS_PER_HOST: usize = 4;
/// One feed in this many gets new entries, and so many of them.
pub const NEWS_EVERY: usize = 10;
pub const NEWS: usize = 3;

/// The stack: component, its owner, its terms.
pub const STACK: &[(&str, &str, &[&str])] = &[
    ("linux", "jon", &["linux kernel", "netfilter", "eBPF"]),
    ("ubuntu", "jon", &["ubuntu", "openssh", "glibc", "systemd"]),
    ("openssl", "jon", &["openssl", "libssl", "libcrypto"]),
    ("kubernetes", "jon", &["kubernetes", "kubelet", "ingress-nginx", "containerd"]),
    ("nginx", "jon", &["nginx"]),
    ("postgresql", "tomas", &["postgresql", "pgvector", "pgbouncer"]),
    ("redis", "tomas", &["redis", "valkey"]),
    ("kafka", "tomas", &["apache kafka", "kafka connect"]),
    ("aws", "jon", &["amazon web services", "sagemaker", "amazon bedrock"]),
    ("terraform", "jon", &["terraform", "opentofu"]),
    ("vault", "maria", &["hashicorp vault"]),
    ("keycloak", "maria", &["keycloak"]),
    ("gitlab", "ingrid", &["gitlab", "gitlab runner"]),
    ("python", "ingrid", &["cpython", "pypi", "django", "fastapi"]),
    ("node", "ingrid", &["node.js", "express.js"]),
    ("pytorch", "tomas", &["pytorch", "torchvision", "torchserve"]),
    ("nvidia", "tomas", &["nvidia driver", "cuda toolkit", "triton server"]),
    ("vllm", "tomas", &["vllm", "llama.cpp"]),
    ("langchain", "ingrid", &["langchain", "langgraph"]),
    ("chrome", "maria", &["google chrome", "chromium"]),
];
pub const OWNERS: &[&str] = &["maria", "jon", "ingrid", "tomas"];

const ENTRIES_PER_FEED: usize = 35;
const SPREAD: usize = 16;
const WORDS: usize = 4_000;
/// How many bytes of prose an entry has, beside its title.
const PROSE: u64 = 930;

/// A small generator (xorshift), so that every run has the same text.
struct Seed(u64);

impl Seed {
    fn of(a: usize, b: usize) -> Seed {
        let mixed =
            (a as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (b as u64 + 1).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        let mut seed = Seed(mixed | 1);
        for _ in 0..4 {
            seed.next();
        }
        seed
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        from.get(at)
    }

    fn word(&mut self) -> String {
        const HEADS: &[&str] = &["b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "sh"];
        const TAILS: &[&str] = &["a", "e", "i", "o", "u", "en", "er", "on", "ing", "es"];
        let mut word = String::new();
        for _ in 0..=self.below(3) {
            word.push_str(self.pick(HEADS).copied().unwrap_or_default());
            word.push_str(self.pick(TAILS).copied().unwrap_or_default());
        }
        word
    }
}

/// Makes the documents.
pub struct Corpus {
    words: Vec<String>,
}

struct Item {
    guid: String,
    link: String,
    title: String,
    lead: String,
    paragraphs: Vec<String>,
    day: usize,
    category: String,
}

impl Corpus {
    pub fn new() -> Corpus {
        let mut seed = Seed::of(0x5167, 0x7472);
        Corpus { words: (0..WORDS).map(|_| seed.word()).collect() }
    }

    /// How many entries a feed has at first.
    pub fn entries(feed: usize) -> usize {
        let off = (feed / 2 * 7) % SPREAD;
        if feed.is_multiple_of(2) { ENTRIES_PER_FEED - off } else { ENTRIES_PER_FEED + off }
    }

    /// Whether this feed has news after the first poll.
    pub fn has_news(feed: usize) -> bool {
        feed.is_multiple_of(NEWS_EVERY)
    }

    /// The document of a feed; `grown`: with its news.
    pub fn document(&self, feed: usize, grown: bool) -> (&'static str, String) {
        let count = Self::entries(feed) + if grown && Self::has_news(feed) { NEWS } else { 0 };
        let items: Vec<Item> = (0..count).rev().map(|n| self.item(feed, n)).collect();
        match feed / 2 % 10 {
            0..=4 => ("application/rss+xml", rss(feed, &items)),
            5..=7 => ("application/atom+xml", atom(feed, &items)),
            8 => ("application/rdf+xml", rdf(feed, &items)),
            _ => ("application/feed+json", json(feed, &items)),
        }
    }

    fn item(&self, feed: usize, n: usize) -> Item {
        let mut seed = Seed::of(feed, n);
        let mut title = self.prose(&mut seed, 56);
        title.pop();
        if seed.below(5) == 0 {
            let _ = write!(title, " (CVE-2026-{})", 10_000 + seed.below(6_000));
        }
        let lead = self.prose(&mut seed, 180);
        let length = PROSE / 2 + seed.below(PROSE);
        let mut paragraphs = Vec::new();
        let mut left = length.saturating_sub(180);
        while left > 0 {
            let take = left.min(320);
            paragraphs.push(self.prose(&mut seed, usize::try_from(take).unwrap_or_default()));
            left -= take;
        }
        Item {
            guid: format!("tag:publisher-{feed}.example,2026:entry/{n:06}"),
            link: format!("https://publisher-{feed}.example/bulletins/2026/{n:06}/{}", seed.word()),
            title,
            lead,
            paragraphs,
            day: n,
            category: seed.pick(&self.words).cloned().unwrap_or_default(),
        }
    }

    fn prose(&self, seed: &mut Seed, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 24);
        let mut begins = true;
        while text.len() < bytes {
            if !text.is_empty() {
                text.push_str(if begins { ". " } else { " " });
            }
            let name = if seed.below(900) == 0 { seed.pick(STACK).and_then(|part| seed.pick(part.2)) } else { None };
            let word = name.copied().or_else(|| seed.pick(&self.words).map(String::as_str)).unwrap_or_default();
            let mut chars = word.chars();
            if let Some(first) = chars.next() {
                text.push(if begins { first.to_ascii_uppercase() } else { first });
                text.push_str(chars.as_str());
            }
            begins = seed.below(12) == 0;
        }
        text.push('.');
        text
    }
}

impl Item {
    fn html(&self) -> String {
        let mut html = String::with_capacity(1_600);
        for (n, paragraph) in self.paragraphs.iter().enumerate() {
            let _ = match n {
                0 => {
                    writeln!(html, "<p><strong>{paragraph}</strong> <a href=\"{}\">More</a> &amp; more</p>", self.link)
                }
                _ => writeln!(html, "<p class=\"text\">{paragraph}</p>"),
            };
        }
        html
    }

    fn date(&self) -> (usize, usize, usize) {
        (1 + self.day / 28 % 12, 1 + self.day % 28, self.day % 24)
    }

    fn rfc3339(&self) -> String {
        let (month, day, hour) = self.date();
        format!("2026-{month:02}-{day:02}T{hour:02}:17:42Z")
    }

    fn rfc2822(&self) -> String {
        const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (month, day, hour) = self.date();
        format!("{day:02} {} 2026 {hour:02}:17:42 +0000", MONTHS.get(month - 1).copied().unwrap_or("Jan"))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn rss(feed: usize, items: &[Item]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" \
         xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
         <channel>\n<title>Publisher {feed}</title>\n<link>https://publisher-{feed}.example/</link>\n\
         <description>Bulletins</description>\n<ttl>60</ttl>\n"
    );
    for item in items {
        let _ = write!(
            out,
            "<item>\n<title>{}</title>\n<link>{}</link>\n<guid isPermaLink=\"false\">{}</guid>\n<pubDate>{}</pubDate>\n\
             <dc:creator>Team {feed}</dc:creator>\n<category>{}</category>\n",
            escaped(&item.title),
            item.link,
            item.guid,
            item.rfc2822(),
            item.category
        );
        let _ = if feed.is_multiple_of(3) {
            write!(out, "<description>{}</description>\n</item>\n", escaped(&item.html()))
        } else {
            write!(
                out,
                "<description>{}</description>\n<content:encoded><![CDATA[{}]]></content:encoded>\n</item>\n",
                escaped(&item.lead),
                item.html()
            )
        };
    }
    out + "</channel>\n</rss>\n"
}

fn atom(feed: usize, items: &[Item]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <title>Publisher {feed}</title>\n<id>tag:publisher-{feed}.example,2026:feed</id>\n\
         <link rel=\"alternate\" href=\"https://publisher-{feed}.example/\"/>\n<updated>2026-11-20T00:00:00Z</updated>\n"
    );
    for item in items {
        let date = item.rfc3339();
        let _ = write!(
            out,
            "<entry>\n<title>{}</title>\n<link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n<id>{}</id>\n\
             <published>{date}</published>\n<updated>{date}</updated>\n<author><name>Team {feed}</name></author>\n\
             <category term=\"{}\"/>\n<summary>{}</summary>\n<content type=\"html\">{}</content>\n</entry>\n",
            escaped(&item.title),
            item.link,
            item.guid,
            item.category,
            escaped(&item.lead),
            escaped(&item.html())
        );
    }
    out + "</feed>\n"
}

fn rdf(feed: usize, items: &[Item]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" \
         xmlns=\"http://purl.org/rss/1.0/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
         <channel rdf:about=\"https://publisher-{feed}.example/\">\n<title>Publisher {feed}</title>\n\
         <link>https://publisher-{feed}.example/</link>\n<description>Bulletins</description>\n</channel>\n"
    );
    for item in items {
        let _ = write!(
            out,
            "<item rdf:about=\"{0}\">\n<title>{1}</title>\n<link>{0}</link>\n<description>{2}</description>\n\
             <dc:date>{3}</dc:date>\n<dc:subject>{4}</dc:subject>\n</item>\n",
            item.link,
            escaped(&item.title),
            escaped(&item.html()),
            item.rfc3339(),
            item.category
        );
    }
    out + "</rdf:RDF>\n"
}

fn json(feed: usize, items: &[Item]) -> String {
    let items: Vec<serde_json::Value> = items
        .iter()
        .map(|item| {
            serde_json::json!({
                "id": item.guid, "url": item.link, "title": item.title, "summary": item.lead,
                "content_html": item.html(), "date_published": item.rfc3339(), "tags": [item.category],
                "authors": [{ "name": format!("Team {feed}") }],
            })
        })
        .collect();
    serde_json::json!({
        "version": "https://jsonfeed.org/version/1.1", "title": format!("Publisher {feed}"),
        "home_page_url": format!("https://publisher-{feed}.example/"), "items": items,
    })
    .to_string()
}
