//! `config/sigtrail.toml`: the state folder, the page, fetching, the log's name and retention. Mail is `mail`'s business,
//! what happens when nobody answers is `remind`'s.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Span};
use toml::de::{DeTable, DeValue};
use url::Url;

use super::{
    fields::{Fields, Shape, number_in},
    mail,
    problem::{At, Report},
    remind,
    values::{self, Flaw},
};
use crate::model::settings::{
    AddressRange, EvidenceSettings, FastAnswer, FetchSettings, MailSettings, RemindSettings, RetentionSettings,
    UrgentSettings, WebSettings,
};

const TOP: Shape = Shape {
    title: "",
    keys: &[
        ("state", "\"var\""),
        ("mail", "[mail]"),
        ("web", "[web]"),
        ("fetch", "[fetch]"),
        ("remind", "[remind]"),
        ("urgent", "[urgent]"),
        ("evidence", "[evidence]"),
        ("retention", "[retention]"),
    ],
    elsewhere: &[("smtp", "mail servers are set in [mail]")],
};
const WEB: Shape = Shape {
    title: "[web]",
    keys: &[
        ("listen", "\"127.0.0.1:8090\""),
        ("base_url", "\"https://sigtrail.example.com\""),
        ("fast_answer", "\"accept\""),
    ],
    elsewhere: &[("port", "the port is part of listen = \"127.0.0.1:8090\"")],
};
const FETCH: Shape = Shape {
    title: "[fetch]",
    keys: &[
        ("contact", "\"https://example.com/security\""),
        ("every", "\"1h\""),
        ("min_interval", "\"15m\""),
        ("per_host_gap", "\"1s\""),
        ("timeout", "\"30s\""),
        ("max_wire", "\"10MiB\""),
        ("max_decoded", "\"20MiB\""),
        ("allow_addresses", "[\"10.20.0.0/16\"]"),
        ("allow_ports", "[80, 443]"),
    ],
    elsewhere: &[("proxy", "sigtrail uses no proxy"), ("user_agent", "write contact = \"...\"; the rest is fixed")],
};
const EVIDENCE: Shape = Shape { title: "[evidence]", keys: &[("origin", "\"example.com/sigtrail\"")], elsewhere: &[] };
const RETENTION: Shape = Shape { title: "[retention]", keys: &[("entries", "\"4y\"")], elsewhere: &[] };

/// The meaning of the file.
#[derive(Debug)]
pub(super) struct Settings {
    pub state: PathBuf,
    pub mail: Option<MailSettings>,
    pub web: Option<WebSettings>,
    pub fetch: FetchSettings,
    pub remind: RemindSettings,
    pub urgent: UrgentSettings,
    pub evidence: Option<EvidenceSettings>,
    pub retention: RetentionSettings,
}

/// Reads the file; relative paths are meant from the root.
pub(super) fn check<'t>(file: usize, tree: &'t DeTable<'t>, root: &Path, report: &mut Report<'_>) -> Settings {
    let top = Fields::open(&TOP, tree, At { file, span: 0..0 }, report);
    let state = top.text("state", report).map_or("var", |state| state.text);
    let mail = match top.table("mail", &mail::SHAPE, report) {
        Some(table) => mail::check(&table, root, report),
        None if top.has("mail") => None,
        None => {
            let hint = "add [mail] with from = \"sigtrail <sigtrail@example.com>\"";
            report.whole_file(file, "missing table [mail]").hint(hint);
            None
        }
    };
    let web = match top.table("web", &WEB, report) {
        Some(table) => web(&table, report),
        None => default_web(),
    };
    let mut fetch = top.table("fetch", &FETCH, report).map_or_else(default_fetch, |table| fetch(&table, report));
    if report.is_broken(file) {
        // What the file really says is not known, so no feed is measured by it.
        fetch.allow_ports.clear();
        fetch.min_interval = SignedDuration::ZERO;
    }
    let remind = top.table("remind", &remind::REMIND, report).map(|table| remind::check(&table, report));
    let urgent = top.table("urgent", &remind::URGENT, report).map(|table| remind::urgent(&table, report));
    let evidence = top.table("evidence", &EVIDENCE, report);
    let origin = match evidence.filter(|table| table.has("origin")) {
        Some(table) => table.read("origin", report, values::origin),
        None => mail.as_ref().map(default_origin),
    };
    let retention = top.table("retention", &RETENTION, report);
    let entries = retention.and_then(|table| table.read("entries", report, values::calendar_span));
    Settings {
        state: below(root, state),
        mail,
        web,
        fetch,
        remind: remind.unwrap_or_default(),
        urgent: urgent.unwrap_or_default(),
        evidence: origin.map(|origin| EvidenceSettings { origin }),
        retention: RetentionSettings { entries: entries.unwrap_or_else(|| Span::new().years(4)) },
    }
}

/// A path as it is meant from the root.
pub(super) fn below(root: &Path, path: &str) -> PathBuf {
    if root.as_os_str().is_empty() || root == Path::new(".") { PathBuf::from(path) } else { root.join(path) }
}

fn default_origin(mail: &MailSettings) -> String {
    let domain = mail.from_address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    format!("{}/sigtrail", domain.to_ascii_lowercase())
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8090))
}

fn default_web() -> Option<WebSettings> {
    let listen = default_listen();
    let base_url = Url::parse(&format!("http://{listen}")).ok()?;
    Some(WebSettings { listen, base_url, fast_answer: FastAnswer::default() })
}

fn web(table: &Fields<'_>, report: &mut Report<'_>) -> Option<WebSettings> {
    let words = [("accept", FastAnswer::Accept), ("confirm", FastAnswer::Confirm)];
    let fast_answer = table.word("fast_answer", &words, report).unwrap_or_default();
    let listen = if table.has("listen") { table.read("listen", report, socket)? } else { default_listen() };
    if table.has("base_url") {
        let base_url = table.read("base_url", report, base_address)?;
        return Some(WebSettings { listen, base_url, fast_answer });
    }
    if !listen.ip().is_loopback() {
        let hint = "add base_url = \"https://sigtrail.example.com\", the address that owners open";
        let at = table.key_at("listen");
        report.error(&at, "missing key `base_url` in [web]").label("not a loopback address").hint(hint);
        return None;
    }
    let base_url = Url::parse(&format!("http://{listen}")).ok()?;
    Some(WebSettings { listen, base_url, fast_answer })
}

fn socket(text: &str) -> Result<SocketAddr, Flaw> {
    text.parse().map_err(|_| {
        let hint = match text.rsplit_once(':').map_or((text, ""), |pair| pair) {
            ("localhost", port) if port.parse::<u16>().is_ok() => format!("write \"127.0.0.1:{port}\""),
            ("" | "*", port) if port.parse::<u16>().is_ok() => {
                format!("write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for every interface")
            }
            _ => "write an address and a port, such as \"127.0.0.1:8090\" or \"[::1]:8090\"".to_owned(),
        };
        Flaw::new(format!("invalid address `{text}` to listen on"), "an IP address and a port", hint)
    })
}

fn base_address(text: &str) -> Result<Url, Flaw> {
    let url = values::web_address(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        let hint = "remove what follows the path";
        return Err(Flaw::new(format!("`{text}` cannot begin a link"), "has a query or fragment", hint));
    }
    if url.scheme() == "http" && !values::is_loopback(&url) {
        return Err(Flaw::new(
            "links that anybody on the way could read",
            "http is for loopback only",
            format!("write \"https{}\"", text.get(4..).unwrap_or_default()),
        ));
    }
    // A slash at the end would stand twice in every link.
    let trimmed = url.as_str().trim_end_matches('/');
    Ok(Url::parse(trimmed).unwrap_or(url))
}

fn default_fetch() -> FetchSettings {
    FetchSettings {
        contact: None,
        every: SignedDuration::from_hours(1),
        min_interval: SignedDuration::from_mins(15),
        per_host_gap: SignedDuration::from_secs(1),
        timeout: SignedDuration::from_secs(30),
        max_wire: 10 << 20,
        max_decoded: 20 << 20,
        allow_addresses: Vec::new(),
        allow_ports: vec![80, 443],
    }
}

fn fetch(table: &Fields<'_>, report: &mut Report<'_>) -> FetchSettings {
    let default = default_fetch();
    let mut duration = |key: &str, least: &str, most: &str, default: SignedDuration| {
        table.read(key, report, |text| values::duration(text, least, most)).unwrap_or(default)
    };
    let every = duration("every", "1s", "31d", default.every);
    let min_interval = duration("min_interval", "0s", "31d", default.min_interval);
    let per_host_gap = duration("per_host_gap", "0s", "1h", default.per_host_gap);
    let timeout = duration("timeout", "1s", "10m", default.timeout);
    if every < min_interval {
        let key = if table.has("every") { "every" } else { "min_interval" };
        let hint = "write a longer `every` or a shorter `min_interval`";
        let label = format!("`every` is {every:#}, `min_interval` is {min_interval:#}");
        report.error(&table.key_at(key), "`every` is below `min_interval`").label(label).hint(hint);
    }
    FetchSettings {
        contact: table.read("contact", report, contact),
        every,
        min_interval,
        per_host_gap,
        timeout,
        max_wire: table.read("max_wire", report, values::size).unwrap_or(default.max_wire),
        max_decoded: table.read("max_decoded", report, values::size).unwrap_or(default.max_decoded),
        allow_addresses: addresses(table, report),
        allow_ports: ports(table, report).unwrap_or(default.allow_ports),
    }
}

/// A web or mail address, plain enough for a header.
fn contact(text: &str) -> Result<String, Flaw> {
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    let well = text.is_ascii()
        && !text.contains([' ', '(', ')', '<', '>', '\\', '"'])
        && (values::web_address(text).is_ok() || values::mail_address(address).is_ok());
    if well {
        return Ok(text.to_owned());
    }
    Err(Flaw::new(
        format!("invalid contact `{text}`"),
        "a web or mail address, plain ASCII",
        "write something like \"https://example.com/security\"",
    ))
}

fn addresses(table: &Fields<'_>, report: &mut Report<'_>) -> Vec<AddressRange> {
    let mut ranges = Vec::new();
    for text in table.texts("allow_addresses", report).unwrap_or_default() {
        match values::address_range(text.text) {
            Ok(range) => {
                if range.prefix == 0 {
                    let hint = "name the ranges that feeds really live in";
                    let message = format!("`{}` allows every address", text.text);
                    report.warning(&text.at, message).label("feeds may then lead into your own network").hint(hint);
                }
                ranges.push(range);
            }
            Err(flaw) => text.flaw(flaw, report),
        }
    }
    ranges
}

fn ports(table: &Fields<'_>, report: &mut Report<'_>) -> Option<Vec<u16>> {
    let mut ports: Vec<u16> = Vec::new();
    for item in table.items("allow_ports", report)? {
        let at = At { file: table.at.file, span: item.span() };
        let port = match item.get_ref() {
            DeValue::Integer(integer) => number_in(integer, (1, 65_535)).and_then(|port| u16::try_from(port).ok()),
            _ => None,
        };
        match port {
            None => {
                let hint = "write allow_ports = [80, 443]";
                report.error(&at, "not a port").label("a port is a whole number from 1 to 65535").hint(hint);
            }
            Some(port) if ports.contains(&port) => {
                report
                    .error(&at, format!("port {port} stands twice in `allow_ports`"))
                    .label("again")
                    .hint("remove it");
            }
            Some(port) => ports.push(port),
        }
    }
    Some(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_meant_from_the_root_unless_they_are_absolute() {
        assert_eq!(below(Path::new("."), "var"), Path::new("var"));
        assert_eq!(below(Path::new("demo"), "var"), Path::new("demo/var"));
        assert_eq!(below(Path::new("/etc/sigtrail"), "/var/lib/sigtrail"), Path::new("/var/lib/sigtrail"));
    }

    #[test]
    fn links_begin_without_a_slash_at_the_end_of_their_path() {
        assert_eq!(base_address("https://example.com/trail/").map(String::from).unwrap(), "https://example.com/trail");
        assert!(base_address("http://[::1]:8090/").is_ok());
        assert!(base_address("http://127.0.0.1.example.com/").is_err());
    }
}
