//! `[web]` and `[metrics]` of `config/sigtrail.toml`: what listens where, and which proxies are believed. Nothing is
//! opened here.

use std::net::SocketAddr;

use url::Url;

use super::{
    fields::{Fields, Shape},
    problem::Report,
    values::{self, Flaw},
};
use crate::model::settings::{AddressRange, ClientHeader, FastAnswer, MetricsSettings, WebSettings};

const WEB: Shape = Shape {
    title: "[web]",
    keys: &[
        ("listen", "\"127.0.0.1:8090\""),
        ("base_url", "\"https://sigtrail.example.com\""),
        ("fast_answer", "\"accept\""),
        ("trusted_proxies", "[\"127.0.0.1/32\"]"),
        ("client_header", "\"X-Forwarded-For\""),
    ],
    elsewhere: &[("port", "the port is part of listen = \"127.0.0.1:8090\"")],
};
const METRICS: Shape = Shape {
    title: "[metrics]",
    keys: &[("listen", "\"127.0.0.1:8091\"")],
    elsewhere: &[("port", "the port is part of listen = \"127.0.0.1:8091\"")],
};

/// Reads both tables of the file.
pub(super) fn check(top: &Fields<'_>, report: &mut Report<'_>) -> (Option<WebSettings>, Option<MetricsSettings>) {
    let web = match top.table("web", &WEB, report) {
        Some(table) => web(&table, report),
        None => default_web(),
    };
    let metrics = top.table("metrics", &METRICS, report).and_then(|table| metrics(&table, web.as_ref(), report));
    (web, metrics)
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8090))
}

/// The page where the file says nothing of it.
fn default_web() -> Option<WebSettings> {
    let listen = default_listen();
    let base_url = Url::parse(&format!("http://{listen}")).ok()?;
    Some(WebSettings {
        listen,
        base_url,
        fast_answer: FastAnswer::default(),
        trusted_proxies: Vec::new(),
        client_header: ClientHeader::XForwardedFor,
    })
}

fn web(table: &Fields<'_>, report: &mut Report<'_>) -> Option<WebSettings> {
    let listen = if table.has("listen") { table.read("listen", report, socket)? } else { default_listen() };
    let words = [("accept", FastAnswer::Accept), ("confirm", FastAnswer::Confirm)];
    let fast_answer = table.word("fast_answer", &words, report).unwrap_or_default();
    let (trusted_proxies, client_header) = proxies(table, report);
    let of = |base_url| WebSettings { listen, base_url, fast_answer, trusted_proxies, client_header };
    if table.has("base_url") {
        return Some(of(table.read("base_url", report, base_address)?));
    }
    if !listen.ip().is_loopback() {
        let hint = "add base_url = \"https://sigtrail.example.com\", the address that owners open";
        let at = table.key_at("listen");
        report.error(&at, "missing key `base_url` in [web]").label("not a loopback address").hint(hint);
        return None;
    }
    Some(of(Url::parse(&format!("http://{listen}")).ok()?))
}

/// Whose word about the client is believed, and which header says it.
fn proxies(table: &Fields<'_>, report: &mut Report<'_>) -> (Vec<AddressRange>, ClientHeader) {
    let mut ranges = Vec::new();
    for text in table.texts("trusted_proxies", report).unwrap_or_default() {
        match values::address_range(text.text) {
            Ok(range) if range.prefix == 0 => {
                let hint = "name the addresses of the reverse proxy, such as \"127.0.0.1/32\"";
                let message = format!("`{}` believes everybody", text.text);
                report.error(&text.at, message).label("anybody could say to be anybody").hint(hint);
            }
            Ok(range) => ranges.push(range),
            Err(flaw) => text.flaw(flaw, report),
        }
    }
    if table.has("client_header") && !table.has("trusted_proxies") {
        let message = "`client_header` has no effect without `trusted_proxies`";
        let hint = "add trusted_proxies = [\"127.0.0.1/32\"], or remove the line";
        report.error(&table.key_at("client_header"), message).label("nobody is believed").hint(hint);
    }
    let header = table.read("client_header", report, client_header);
    (ranges, header.unwrap_or(ClientHeader::XForwardedFor))
}

/// One of the two headers, in any case, as names of headers are (RFC 9110 section 5.1).
fn client_header(text: &str) -> Result<ClientHeader, Flaw> {
    let known = ClientHeader::ALL.into_iter().find(|header| header.as_str().eq_ignore_ascii_case(text));
    known.ok_or_else(|| {
        Flaw::new(
            format!("`{text}` is no header that names a client"),
            "two are read",
            "write \"X-Forwarded-For\" or \"Forwarded\", whichever the proxy sets",
        )
    })
}

fn metrics(table: &Fields<'_>, web: Option<&WebSettings>, report: &mut Report<'_>) -> Option<MetricsSettings> {
    if !table.has("listen") {
        table.missing("listen", report);
    }
    let listen = table.read("listen", report, socket)?;
    if web.is_some_and(|web| web.listen == listen && listen.port() != 0) {
        let hint = "write another port, such as \"127.0.0.1:8091\"";
        let message = format!("the page listens at {listen} as well");
        report.error(&table.key_at("listen"), message).label("taken by [web]").hint(hint);
    }
    Some(MetricsSettings { listen })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_begin_without_a_slash_at_the_end_of_their_path() {
        assert_eq!(base_address("https://example.com/trail/").map(String::from).unwrap(), "https://example.com/trail");
        assert!(base_address("http://[::1]:8090/").is_ok());
        assert!(base_address("http://127.0.0.1.example.com/").is_err());
    }
}
