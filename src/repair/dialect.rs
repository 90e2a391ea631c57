//! The dialects of XML feeds: which namespaces there are, and which element of which of them says what. One table for all.

/// A namespace that matters for feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// The feed's own: that of its root, or none.
    Own,
    /// RSS of any version.
    Rss,
    /// Atom 1.0 (RFC 4287) and 0.3.
    Atom,
    /// Dublin Core elements 1.1.
    Dc,
    /// Dublin Core terms.
    DcTerms,
    /// The content module of RSS 1.0.
    Content,
    /// RDF itself.
    Rdf,
    /// XHTML.
    Xhtml,
    /// Media RSS.
    Media,
    /// Apple's podcast elements.
    Itunes,
    /// PRISM, the publishing industry's metadata.
    Prism,
    /// The syndication module of RSS 1.0.
    Syndication,
    /// Anything else.
    Other,
}

/// What an element says of an entry or a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Its title.
    Title,
    /// Its identifier.
    Id,
    /// Where it leads.
    Link,
    /// When it was published.
    Published,
    /// When it was changed.
    Updated,
    /// What it says in short.
    Summary,
    /// What it says in full.
    Content,
    /// Who wrote it.
    Author,
    /// What it is filed under.
    Category,
    /// What an element of its own states, kept as a category.
    Stated(Stated),
    /// When its publisher wants to be asked again.
    Wish(Wish),
}

/// What a feed says of when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// For how many minutes it stays fresh (RSS 2.0).
    Ttl,
    /// An hour of the day in GMT in which not to come (RSS 0.91 and later).
    SkipHour,
    /// A day of the week on which not to come (RSS 0.91 and later).
    SkipDay,
    /// The period that it is updated in (RSS 1.0 syndication module).
    Period,
    /// How often in that period.
    Frequency,
}

/// Facts that security publishers state in elements of their own, in whatever namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// How severe it is, in a word.
    Severity,
    /// Its CVSS score or vector.
    Cvss,
    /// How arXiv announces it: new, cross, replace, replace-cross.
    Announced,
}

impl Stated {
    /// The fact that an element of an entry states, by its local name in lower case.
    fn of(local: &str) -> Option<Stated> {
        Some(match local {
            "severity" | "threat_severity" => Stated::Severity,
            "cvss" | "cvss_score" | "cvss-score" | "cvssscore" | "cvss_base_score" | "cvssbasescore" | "cvss3"
            | "cvssv3" | "basescore" | "base_score" => Stated::Cvss,
            "announce_type" => Stated::Announced,
            _ => return None,
        })
    }

    /// The category that a value becomes.
    pub fn category(self, value: &str) -> String {
        let value = value.trim();
        match self {
            Stated::Severity => format!("severity: {value}"),
            Stated::Cvss if value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("cvss")) => value.to_owned(),
            Stated::Cvss => format!("CVSS {value}"),
            Stated::Announced => format!("arXiv: {value}"),
        }
    }
}

impl Space {
    /// The namespace of a URI; spellings that differ in case, scheme or the last sign are the same.
    pub fn of(uri: &str) -> Space {
        let uri = uri.trim().to_ascii_lowercase();
        let uri = uri.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches(['/', '#']);
        match uri {
            "purl.org/rss/1.0"
            | "purl.org/net/rss1.1"
            | "my.netscape.com/rdf/simple/0.9"
            | "channel.netscape.com/rdf/simple/0.9"
            | "my.netscape.com/publish/formats/rss-0.91.dtd"
            | "cyber.law.harvard.edu/rss/rss.html" => Space::Rss,
            "www.w3.org/2005/atom" | "purl.org/atom/ns" | "purl.org/atom" => Space::Atom,
            "purl.org/dc/elements/1.1" | "purl.org/dc/elements/1.0" => Space::Dc,
            "purl.org/dc/terms" => Space::DcTerms,
            "purl.org/rss/1.0/modules/content" => Space::Content,
            "purl.org/rss/1.0/modules/syndication" => Space::Syndication,
            "www.w3.org/1999/02/22-rdf-syntax-ns" => Space::Rdf,
            "www.w3.org/1999/xhtml" => Space::Xhtml,
            "search.yahoo.com/mrss" | "video.search.yahoo.com/mrss" => Space::Media,
            "www.itunes.com/dtds/podcast-1.0.dtd" => Space::Itunes,
            _ if uri.starts_with("backend.userland.com/") || uri.starts_with("blogs.law.harvard.edu/tech/rss") => {
                Space::Rss
            }
            _ if uri.starts_with("prismstandard.org/namespaces") => Space::Prism,
            _ => Space::Other,
        }
    }

    /// What a prefix customarily stands for, where a document forgets to declare it.
    pub fn customary(prefix: &str) -> Space {
        match prefix.to_ascii_lowercase().as_str() {
            "rss" => Space::Rss,
            "atom" | "atom10" | "atom03" => Space::Atom,
            "dc" => Space::Dc,
            "dcterms" => Space::DcTerms,
            "content" => Space::Content,
            "rdf" => Space::Rdf,
            "xhtml" => Space::Xhtml,
            "media" => Space::Media,
            "itunes" => Space::Itunes,
            "prism" => Space::Prism,
            "sy" | "syn" => Space::Syndication,
            _ => Space::Other,
        }
    }
}

/// What an element of an entry says and how much that counts against other elements that say the same; the local name in lower case.
pub fn field(space: Space, local: &str) -> Option<(Field, u8)> {
    by_space(space, local).or_else(|| Stated::of(local).map(|stated| (Field::Stated(stated), 0)))
}

fn by_space(space: Space, local: &str) -> Option<(Field, u8)> {
    match space {
        Space::Own => own(local).map(|(field, rank)| (field, rank + 10)),
        Space::Rss | Space::Atom => own(local),
        Space::Dc => dublin_core(local),
        Space::DcTerms => dublin_core_terms(local),
        Space::Content if local == "encoded" => Some((Field::Content, 15)),
        Space::Xhtml if matches!(local, "body" | "div") => Some((Field::Content, 3)),
        Space::Media => match local {
            "title" => Some((Field::Title, 1)),
            "description" => Some((Field::Summary, 1)),
            _ => None,
        },
        Space::Itunes => match local {
            "title" => Some((Field::Title, 1)),
            "summary" => Some((Field::Summary, 2)),
            "author" => Some((Field::Author, 1)),
            _ => None,
        },
        Space::Prism if local == "publicationdate" => Some((Field::Published, 2)),
        _ => None,
    }
}

fn own(local: &str) -> Option<(Field, u8)> {
    Some(match local {
        "title" => (Field::Title, 5),
        "link" => (Field::Link, 5),
        "guid" | "id" => (Field::Id, 5),
        "description" | "summary" => (Field::Summary, 5),
        "content" => (Field::Content, 4),
        "pubdate" | "published" => (Field::Published, 5),
        "issued" => (Field::Published, 4),
        "created" | "date" => (Field::Published, 2),
        "updated" => (Field::Updated, 5),
        "modified" => (Field::Updated, 4),
        "lastbuilddate" => (Field::Updated, 2),
        "author" => (Field::Author, 5),
        "category" => (Field::Category, 5),
        _ => return None,
    })
}

fn dublin_core(local: &str) -> Option<(Field, u8)> {
    Some(match local {
        "title" => (Field::Title, 2),
        "identifier" => (Field::Id, 2),
        "description" => (Field::Summary, 2),
        "date" => (Field::Published, 3),
        "creator" => (Field::Author, 3),
        "subject" => (Field::Category, 3),
        _ => return None,
    })
}

fn dublin_core_terms(local: &str) -> Option<(Field, u8)> {
    Some(match local {
        "issued" => (Field::Published, 4),
        "created" | "date" => (Field::Published, 2),
        "modified" => (Field::Updated, 3),
        "abstract" => (Field::Summary, 2),
        _ => return dublin_core(local).map(|(field, rank)| (field, rank.saturating_sub(1))),
    })
}
