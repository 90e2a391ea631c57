//! Autodiscovery: which addresses may be the feed behind a web page. Pure: pages are text here, addresses are only made
//! and put in order; asking them, and believing none before it was read, is the caller's part.

mod page;
mod sites;

use url::Url;

pub use self::{page::on_page, sites::by_rule};

/// Names that feeds have below a site or a folder, the usual ones first.
const USUAL: [&str; 6] = ["feed", "rss.xml", "atom.xml", "index.xml", "feed.xml", "feed.json"];
/// Those that are tried in the folder of a page, before those of the whole site.
const USUAL_IN_FOLDER: [&str; 3] = ["feed", "index.xml", "rss.xml"];

/// How an address came to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// It is the one that was asked for.
    Asked,
    /// A rule for the site, in words: "the releases of a project on GitHub".
    Rule(&'static str),
    /// The page names it as its feed (`rel="alternate"`).
    Named,
    /// The page has a link that looks like one.
    Linked,
    /// Feeds often have such an address.
    Guessed,
    /// It is the front page of the site, where a feed may be named.
    FrontPage,
}

impl How {
    /// In words that follow an address.
    pub fn in_words(self) -> &'static str {
        match self {
            How::Asked => "as asked",
            How::Rule(words) => words,
            How::Named => "named by the page as its feed",
            How::Linked => "a link on the page",
            How::Guessed => "a usual address of feeds",
            How::FrontPage => "the front page of the site",
        }
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Asked => "asked",
            How::Rule(_) => "rule",
            How::Named => "named",
            How::Linked => "linked",
            How::Guessed => "guessed",
            How::FrontPage => "front-page",
        }
    }
}

/// An address that may be a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub url: Url,
    /// How it came to be one.
    pub how: How,
    /// What the page calls it.
    pub title: Option<String>,
}

impl Candidate {
    /// An address without a title.
    pub fn new(url: Url, how: How) -> Self {
        Self { url, how, title: None }
    }
}

/// Addresses that feeds often have, for the folder of a page and then for its site.
pub fn guesses(page: &Url) -> Vec<Candidate> {
    let folder = folder(page);
    let in_folder = USUAL_IN_FOLDER.iter().filter_map(|name| folder.as_ref()?.join(name).ok());
    let on_site = USUAL.iter().filter_map(|name| page.join(&format!("/{name}")).ok());
    in_folder.chain(on_site).map(|url| Candidate::new(url, How::Guessed)).collect()
}

/// The front page of the site of an address; `None` where the address is that page.
pub fn front_page(url: &Url) -> Option<Candidate> {
    let front = url.join("/").ok()?;
    (front != *url).then(|| Candidate::new(front, How::FrontPage))
}

/// The folder that a page stands for; `None` for the front page, whose folder is the site.
fn folder(page: &Url) -> Option<Url> {
    let mut folder = page.clone();
    folder.set_query(None);
    folder.set_fragment(None);
    let is_file = page.path_segments()?.next_back().is_some_and(|last| last.contains('.'));
    if is_file {
        folder = folder.join(".").ok()?;
    } else if !folder.path().ends_with('/') {
        folder.set_path(&format!("{}/", page.path()));
    }
    (folder.path() != "/").then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(page: &str) -> Vec<String> {
        guesses(&Url::parse(page).unwrap()).into_iter().map(|one| one.url.to_string()).collect()
    }

    #[test]
    fn usual_addresses_are_made_for_the_folder_and_for_the_site() {
        let site: Vec<String> = USUAL.iter().map(|name| format!("https://tarnbase.example/{name}")).collect();
        assert_eq!(guessed("https://tarnbase.example/"), site);
        for page in ["https://tarnbase.example/news", "https://tarnbase.example/news/index.html?x=1#top"] {
            let all = guessed(page);
            assert_eq!(
                all[..3],
                ["feed", "index.xml", "rss.xml"].map(|n| format!("https://tarnbase.example/news/{n}"))
            );
            assert_eq!(all[3..], site);
        }
    }

    #[test]
    fn the_front_page_of_a_front_page_is_none() {
        let front = |url| front_page(&Url::parse(url).unwrap()).map(|one| one.url.to_string());
        assert_eq!(front("https://tarnbase.example/a/b?c"), Some("https://tarnbase.example/".to_owned()));
        assert_eq!(front("https://tarnbase.example/"), None);
    }
}
