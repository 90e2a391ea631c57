//! Sites whose feeds have an address that follows from that of the page: no page need be read to know it.

use url::{Url, form_urlencoded::byte_serialize};

use super::{Candidate, How};

/// First parts of paths on GitHub that are no owner of projects.
const NO_OWNER: [&str; 22] = [
    "about",
    "apps",
    "blog",
    "collections",
    "contact",
    "customer-stories",
    "enterprise",
    "events",
    "explore",
    "features",
    "login",
    "marketplace",
    "notifications",
    "orgs",
    "pricing",
    "readme",
    "search",
    "security",
    "settings",
    "sponsors",
    "topics",
    "trending",
];

/// The feeds of a page on a site whose rules are known, the likely ones first; none for every other site, and none for
/// an address that is a feed by these rules already.
pub fn by_rule(page: &Url) -> Vec<Candidate> {
    let host = page.host_str().unwrap_or_default().trim_start_matches("www.");
    let parts: Vec<&str> =
        page.path_segments().map(|parts| parts.filter(|part| !part.is_empty()).collect()).unwrap_or_default();
    let found = match host {
        "github.com" => github(&parts, page),
        "gitlab.com" => gitlab(&parts),
        "arxiv.org" | "export.arxiv.org" => arxiv(&parts, page),
        "reddit.com" | "old.reddit.com" => reddit(&parts),
        "pypi.org" => pypi(&parts),
        "crates.io" => crates(&parts),
        _ => Vec::new(),
    };
    let found = found.into_iter().filter_map(|(url, words)| Some((Url::parse(&url).ok()?, words)));
    found.filter(|(url, _)| url != page).map(|(url, words)| Candidate::new(url, How::Rule(words))).collect()
}

/// Whether the last part of a path is that of a feed already.
fn is_atom(part: &str) -> bool {
    part.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("atom"))
}

type Found = Vec<(String, &'static str)>;

fn github(parts: &[&str], page: &Url) -> Found {
    const RELEASES: &str = "the releases of a project on GitHub";
    const TAGS: &str = "the tags of a project on GitHub";
    const COMMITS: &str = "the commits of a project on GitHub";
    const ADVISORIES: &str = "the advisories of a project on GitHub";
    let is_feed = parts.last().is_some_and(|last| is_atom(last));
    let home = |owner: &str, project: &str| {
        format!("https://github.com/{owner}/{}", project.strip_suffix(".git").unwrap_or(project))
    };
    match parts {
        _ if is_feed => Vec::new(),
        ["advisories", ..] => vec![(github_advisories(page), "the advisory database of GitHub")],
        [owner, ..] if NO_OWNER.contains(owner) => Vec::new(),
        [owner, project, "commits"] => vec![(format!("{}/commits.atom", home(owner, project)), COMMITS)],
        [owner, project, "commits", branch, ..] => {
            vec![(format!("{}/commits/{branch}.atom", home(owner, project)), COMMITS)]
        }
        [owner, project, "tags", ..] => vec![(format!("{}/tags.atom", home(owner, project)), TAGS)],
        [owner, project, "security", ..] => {
            let own = format!("https://api.github.com/repos/{owner}/{project}/security-advisories?per_page=100");
            vec![(own, ADVISORIES), (format!("{}/releases.atom", home(owner, project)), RELEASES)]
        }
        [owner, project] | [owner, project, "releases" | "tree" | "blob" | "issues" | "pulls" | "wiki", ..] => {
            let home = home(owner, project);
            vec![(format!("{home}/releases.atom"), RELEASES), (format!("{home}/tags.atom"), TAGS)]
        }
        _ => Vec::new(),
    }
}

/// The database's interface, for the ecosystem and severity that the page's search names.
fn github_advisories(page: &Url) -> String {
    let mut address = "https://api.github.com/advisories?per_page=100".to_owned();
    let query = page.query_pairs().find_map(|(name, value)| (name == "query").then(|| value.into_owned()));
    for word in query.unwrap_or_default().split_whitespace() {
        if let Some((name @ ("ecosystem" | "severity"), value)) = word.split_once(':') {
            address.extend(["&", name, "="]);
            address.extend(byte_serialize(value.as_bytes()));
        }
    }
    address
}

fn gitlab(parts: &[&str]) -> Found {
    let end = parts.iter().position(|part| *part == "-").unwrap_or(parts.len());
    match parts.get(..end) {
        Some(project @ [_, _, ..]) if !parts.last().is_some_and(|last| is_atom(last)) => {
            let home = format!("https://gitlab.com/{}", project.join("/"));
            vec![
                (format!("{home}/-/releases.atom"), "the releases of a project on GitLab"),
                (format!("{home}/-/tags?format=atom"), "the tags of a project on GitLab"),
            ]
        }
        _ => Vec::new(),
    }
}

fn arxiv(parts: &[&str], page: &Url) -> Found {
    let is_category =
        |text: &str| text.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '+'));
    match parts {
        ["list", category, ..] | ["archive", category] if is_category(category) => {
            vec![(format!("https://rss.arxiv.org/rss/{category}"), "the announcements of a category on arXiv")]
        }
        ["search", ..] => {
            let asked = page.query_pairs().find_map(|(name, value)| (name == "query").then(|| value.into_owned()));
            let Some(asked) = asked.filter(|asked| !asked.trim().is_empty()) else { return Vec::new() };
            let phrase = format!("\"{}\"", asked.trim().trim_matches('"'));
            let phrase: String = byte_serialize(phrase.as_bytes()).collect();
            let address = format!(
                "https://export.arxiv.org/api/query?search_query=all:{phrase}\
                 &sortBy=submittedDate&sortOrder=descending&max_results=50"
            );
            vec![(address, "a search on arXiv, newest first")]
        }
        _ => Vec::new(),
    }
}

fn reddit(parts: &[&str]) -> Found {
    match parts {
        ["r", name] | ["r", name, "new" | "hot" | "top"] => {
            vec![(format!("https://www.reddit.com/r/{name}/.rss"), "the entries of a forum on reddit")]
        }
        _ => Vec::new(),
    }
}

fn pypi(parts: &[&str]) -> Found {
    match parts {
        ["project", name, ..] => {
            vec![(format!("https://pypi.org/rss/project/{name}/releases.xml"), "the releases of a package on PyPI")]
        }
        _ => Vec::new(),
    }
}

fn crates(parts: &[&str]) -> Found {
    match parts {
        ["crates", name, ..] => {
            vec![(format!("https://static.crates.io/rss/crates/{name}.xml"), "the versions of a crate on crates.io")]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(page: &str) -> Option<String> {
        by_rule(&Url::parse(page).unwrap()).first().map(|one| one.url.to_string())
    }

    #[test]
    fn pages_of_known_sites_lead_to_their_feeds_without_being_read() {
        for (page, feed) in [
            ("https://github.com/tarnbase/server", "https://github.com/tarnbase/server/releases.atom"),
            ("https://github.com/tarnbase/server.git", "https://github.com/tarnbase/server/releases.atom"),
            ("https://github.com/tarnbase/server/releases/tag/v2", "https://github.com/tarnbase/server/releases.atom"),
            ("https://github.com/tarnbase/server/tags", "https://github.com/tarnbase/server/tags.atom"),
            (
                "https://github.com/tarnbase/server/commits/main/",
                "https://github.com/tarnbase/server/commits/main.atom",
            ),
            (
                "https://github.com/tarnbase/server/security/advisories",
                "https://api.github.com/repos/tarnbase/server/security-advisories?per_page=100",
            ),
            (
                "https://github.com/advisories?query=type%3Areviewed+ecosystem%3Apip",
                "https://api.github.com/advisories?per_page=100&ecosystem=pip",
            ),
            ("https://gitlab.com/group/sub/project/-/issues", "https://gitlab.com/group/sub/project/-/releases.atom"),
            ("https://arxiv.org/list/cs.CR/recent", "https://rss.arxiv.org/rss/cs.CR"),
            ("https://arxiv.org/archive/cs", "https://rss.arxiv.org/rss/cs"),
            (
                "https://arxiv.org/search/?query=prompt+injection&searchtype=all",
                "https://export.arxiv.org/api/query?search_query=all:%22prompt+injection%22\
                 &sortBy=submittedDate&sortOrder=descending&max_results=50",
            ),
            ("https://www.reddit.com/r/netsec/", "https://www.reddit.com/r/netsec/.rss"),
            ("https://pypi.org/project/torch/#history", "https://pypi.org/rss/project/torch/releases.xml"),
            ("https://crates.io/crates/quick-xml/versions", "https://static.crates.io/rss/crates/quick-xml.xml"),
        ] {
            assert_eq!(first(page).as_deref(), Some(feed), "{page}");
        }
    }

    #[test]
    fn feeds_and_other_pages_of_these_sites_have_no_rule() {
        for page in [
            "https://github.com/",
            "https://github.com/tarnbase",
            "https://github.com/security/advanced-security",
            "https://github.com/tarnbase/server/releases.atom",
            "https://github.com/tarnbase/server/commits/main.atom",
            "https://gitlab.com/group",
            "https://gitlab.com/group/project/-/releases.atom",
            "https://arxiv.org/abs/2601.00001",
            "https://arxiv.org/search/",
            "https://arxiv.org/list/../x",
            "https://www.reddit.com/r/netsec/.rss",
            "https://notgithub.com/a/b",
            "https://github.com.example/a/b",
        ] {
            assert_eq!(first(page), None, "{page}");
        }
    }
}
