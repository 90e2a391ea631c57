//! Which addresses and URLs may be asked for a feed. Pure: nothing here resolves a name or opens a connection;
//! the decision is made again, by `fetch`, on every address that is dialled.
//!
//! The tables follow the IANA IPv4 and IPv6 special-purpose address registries (RFC 6890, RFC 8190) and deny
//! more than they must: no feed lives in a special range, whatever the registry says of its reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::model::settings::AddressRange;

/// The IPv4 ranges that are not ordinary unicast, each with its prefix length.
const SPECIAL_V4: [(Ipv4Addr, u8); 19] = [
    (Ipv4Addr::UNSPECIFIED, 8),           // this network, RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private use, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback, RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link local, cloud metadata, RFC 3927
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private use, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments, RFC 6890
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation, RFC 5737
    (Ipv4Addr::new(192, 31, 196, 0), 24), // AS112, RFC 7535
    (Ipv4Addr::new(192, 52, 193, 0), 24), // automatic multicast tunnelling, RFC 7450
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private use, RFC 1918
    (Ipv4Addr::new(192, 175, 48, 0), 24), // AS112, RFC 7534
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, RFC 1112
    (Ipv4Addr::BROADCAST, 32),            // limited broadcast, RFC 8190
];

/// The ranges inside `2000::/3` (RFC 4291: global unicast) that are not ordinary unicast.
const SPECIAL_V6: [(Ipv6Addr, u8); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments with Teredo, RFC 2928, RFC 4380
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, RFC 3056; out of use since RFC 7526
    (Ipv6Addr::new(0x2620, 0x004f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112, RFC 7534
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

/// The translation prefix of NAT64, RFC 6052.
const NAT64: AddressRange =
    AddressRange { address: IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)), prefix: 96 };

/// Whether an address is ordinary unicast of the public internet. An IPv6 address that carries an IPv4 address
/// (mapped, NAT64, ISATAP) is what it carries; the forms that are out of use (compatible, 6to4, Teredo) never are.
pub fn is_global_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(network, prefix)| in_v4(ip, *network, *prefix))
}

fn is_global_v6(ip: Ipv6Addr) -> bool {
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return is_global_v4(mapped);
    }
    if contains(NAT64, IpAddr::V6(ip)) {
        return is_global_v4(last_four(ip));
    }
    let in_unicast_space = in_v6(ip, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    let special = SPECIAL_V6.iter().any(|(network, prefix)| in_v6(ip, *network, *prefix));
    in_unicast_space && !special && (!is_isatap(ip) || is_global_v4(last_four(ip)))
}

/// ISATAP's interface identifier, RFC 5214 section 6.1: `0000:5efe` or `0200:5efe` before the IPv4 address.
fn is_isatap(ip: Ipv6Addr) -> bool {
    let [_, _, _, _, flags, mark, _, _] = ip.segments();
    mark == 0x5efe && flags & !0x0200 == 0
}

/// The IPv4 address in the last 32 bits.
fn last_four(ip: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = ip.octets();
    Ipv4Addr::new(a, b, c, d)
}

/// Whether an address may be dialled: global unicast, or inside one of the allowed ranges. Loopback is dialled
/// only when a range names it, that is, lies inside loopback itself: `0.0.0.0/0` does not open it.
pub fn may_dial(ip: IpAddr, allow: &[AddressRange]) -> bool {
    let plain = ip.to_canonical();
    is_global_unicast(plain)
        || allow.iter().any(|range| contains(*range, plain) && (!plain.is_loopback() || names_loopback(*range)))
}

fn names_loopback(range: AddressRange) -> bool {
    match range.address {
        IpAddr::V4(network) => network.is_loopback() && range.prefix >= 8,
        IpAddr::V6(network) => network.is_loopback() && range.prefix == 128,
    }
}

/// Whether a range holds an address of its own family.
pub fn contains(range: AddressRange, ip: IpAddr) -> bool {
    match (range.address, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => in_v4(ip, network, range.prefix),
        (IpAddr::V6(network), IpAddr::V6(ip)) => in_v6(ip, network, range.prefix),
        _ => false,
    }
}

fn in_v4(ip: Ipv4Addr, network: Ipv4Addr, prefix: u8) -> bool {
    let ignored = 32_u32.saturating_sub(u32::from(prefix));
    let difference = ip.to_bits() ^ network.to_bits();
    difference.checked_shr(ignored).unwrap_or(0) == 0
}

fn in_v6(ip: Ipv6Addr, network: Ipv6Addr, prefix: u8) -> bool {
    let ignored = 128_u32.saturating_sub(u32::from(prefix));
    let difference = ip.to_bits() ^ network.to_bits();
    difference.checked_shr(ignored).unwrap_or(0) == 0
}

/// Whether a URL may be asked for a feed: `http` or `https`, a host, no user name or password, and one of the
/// `ports` (none given: any).
///
/// # Errors
/// What is wrong with it, in words for the person who wrote it. They repeat nothing of the URL but its scheme
/// and port, so that a password in it stays out of logs.
pub fn check_url(url: &Url, ports: &[u16]) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("only http and https are fetched, not {}", shortened(url.scheme())));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the address names no host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address with a user name or password is not fetched".to_owned());
    }
    match url.port_or_known_default() {
        Some(0) => Err("port 0 cannot be fetched".to_owned()),
        Some(port) if !ports.is_empty() && !ports.contains(&port) => {
            Err(format!("port {port} is not one of allow_ports"))
        }
        _ => Ok(()),
    }
}

/// The address that a URL names literally, in whatever spelling (`0x7f.1`, `2130706433`): the parser has already
/// turned it into one.
pub fn literal(url: &Url) -> Option<IpAddr> {
    match url.host() {
        Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        Some(Host::Domain(_)) | None => None,
    }
}

fn shortened(scheme: &str) -> String {
    scheme.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn range(text: &str) -> AddressRange {
        let (address, prefix) = text.split_once('/').unwrap();
        AddressRange { address: ip(address), prefix: prefix.parse().unwrap() }
    }

    /// The special ranges: first and last address, and the neighbours outside where those are ordinary.
    const RANGES: [(&str, &str, Option<&str>, Option<&str>); 37] = [
        ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
        ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
        ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
        ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
        ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
        ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
        ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
        ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
        ("192.31.196.0", "192.31.196.255", Some("192.31.195.255"), Some("192.31.197.0")),
        ("192.52.193.0", "192.52.193.255", Some("192.52.192.255"), Some("192.52.194.0")),
        ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
        ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
        ("192.175.48.0", "192.175.48.255", Some("192.175.47.255"), Some("192.175.49.0")),
        ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
        ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
        ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
        ("224.0.0.0", "239.255.255.255", Some("223.255.255.255"), None),
        ("240.0.0.0", "255.255.255.255", None, None),
        ("::", "::", None, None),
        ("::1", "::1", None, None),
        ("::2", "::ffff:ffff", None, None),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", None, None),
        ("100::", "100::ffff:ffff:ffff:ffff", None, None),
        ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", None, None),
        ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
        ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", None, None),
        ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
        ("2001:20::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", None, Some("2001:200::")),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db7:ffff::"), Some("2001:db9::")),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:ffff::"), Some("2003::")),
        ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", Some("2620:4f:7fff::"), Some("2620:4f:8001::")),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3ffe:ffff::"), Some("3fff:1000::")),
        ("4000::", "5fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
        ("fe80::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
    ];

    #[test]
    fn h_21_only_global_unicast_passes_at_every_boundary_of_the_special_ranges() {
        for (first, last, before, after) in RANGES {
            for denied in [first, last] {
                assert!(!is_global_unicast(ip(denied)), "{denied} passed");
                assert!(!may_dial(ip(denied), &[]), "{denied} may be dialled");
            }
            for ordinary in before.into_iter().chain(after) {
                assert!(is_global_unicast(ip(ordinary)), "{ordinary} was denied");
            }
        }
        for ordinary in ["1.1.1.1", "93.184.215.14", "2606:2800:21f:cb07::1", "2a00:1450:4001::1"] {
            assert!(is_global_unicast(ip(ordinary)), "{ordinary} was denied");
        }
    }

    #[test]
    fn h_22_an_address_inside_an_address_is_judged_by_what_it_carries() {
        let denied = [
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::ffff:192.168.1.1",
            "::127.0.0.1",
            "::10.0.0.1",
            "::8.8.8.8",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::127.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "2002:7f00:1::",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2001:0:0:0:0:0:80ff:fffe",
            "2001:0:7f00:1::1",
            "2001:0:5ef5:79fd:0:59d:f5ff:fffe",
            "fe80::5efe:127.0.0.1",
            "2a00:1450::5efe:127.0.0.1",
            "2a00:1450::200:5efe:10.0.0.1",
            "2a00:1450::5efe:192.168.1.1",
        ];
        for address in denied {
            assert!(!is_global_unicast(ip(address)), "{address} passed");
        }
        for address in ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2a00:1450::5efe:8.8.8.8"] {
            assert!(is_global_unicast(ip(address)), "{address} was denied");
        }
    }

    #[test]
    fn a_range_opens_what_it_names_and_nothing_else() {
        let allow = [range("10.20.0.0/16"), range("fd00:1::/32")];
        assert!(may_dial(ip("10.20.3.4"), &allow));
        assert!(may_dial(ip("::ffff:10.20.3.4"), &allow));
        assert!(may_dial(ip("fd00:1::5"), &allow));
        assert!(!may_dial(ip("10.21.0.1"), &allow));
        assert!(!may_dial(ip("64:ff9b::10.20.3.4"), &allow));
        assert!(may_dial(ip("10.0.0.1"), &[range("0.0.0.0/0")]));
    }

    #[test]
    fn loopback_opens_only_by_its_own_name() {
        assert!(may_dial(ip("127.0.0.2"), &[range("127.0.0.2/32")]));
        assert!(!may_dial(ip("127.0.0.1"), &[range("127.0.0.2/32")]));
        assert!(may_dial(ip("127.9.9.9"), &[range("127.0.0.0/8")]));
        assert!(may_dial(ip("::1"), &[range("::1/128")]));
        for wide in ["0.0.0.0/0", "::/0", "126.0.0.0/7", "127.0.0.0/7"] {
            assert!(!may_dial(ip("127.0.0.1"), &[range(wide)]), "{wide} opened loopback");
            assert!(!may_dial(ip("::1"), &[range(wide)]), "{wide} opened loopback");
            assert!(!may_dial(ip("::ffff:127.0.0.1"), &[range(wide)]), "{wide} opened loopback");
        }
    }

    #[test]
    fn h_26_a_url_is_judged_after_it_is_parsed() {
        let literal_loopback = [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://017700000001/",
            "http://127.1/",
            "http://127.0.1/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
            "http://\u{2460}\u{2461}\u{2466}.0.0.1/",
            "http:\\\\127.0.0.1\\",
            "ht\ttp://127.0.\n0.1/",
            "http://127%2e0%2e0%2e1/",
            "http:127.0.0.1/",
            "http:/127.0.0.1/",
            "http:////127.0.0.1/",
            "  http://127.0.0.1/  ",
            "HTTP://127.0.0.1:80/",
            "http://[::ffff:127.0.0.1]/",
        ];
        for text in literal_loopback {
            let url = Url::parse(text).unwrap();
            let address = literal(&url).unwrap_or_else(|| panic!("{text} is no literal: {url}"));
            assert!(!may_dial(address, &[]), "{text} may be dialled");
        }
        let unusable = ["http://", "http://a b/", "http://[::1", "http://xn--example-.org/", "http://a:99999/"];
        for text in unusable {
            assert!(Url::parse(text).is_err(), "{text} was parsed");
        }
        assert_eq!(Url::parse("https://\u{430}pple.com/").unwrap().host_str(), Some("xn--pple-43d.com"));
    }

    #[test]
    fn h_26_user_names_other_schemes_and_other_ports_are_refused_in_words() {
        let refused = [
            ("https://maria@feeds.example/a", "user name"),
            ("https://maria:secret@feeds.example/a", "user name"),
            ("https://:secret@feeds.example/a", "user name"),
            ("https://www.cisa.gov@127.0.0.1/a", "user name"),
            ("https://feeds.example:443@evil.example/", "user name"),
            ("ftp://feeds.example/a", "not ftp"),
            ("file:///etc/passwd", "not file"),
            ("gopher://feeds.example/", "not gopher"),
            ("data:text/xml,<rss/>", "not data"),
            ("javascript:alert(1)", "not javascript"),
            ("blob:https://feeds.example/1", "not blob"),
            ("ws://feeds.example/", "not ws"),
            ("http://feeds.example:25/", "port 25"),
            ("https://feeds.example:8443/", "port 8443"),
            ("http://feeds.example:0/", "port 0"),
        ];
        for (text, words) in refused {
            let said = check_url(&Url::parse(text).unwrap(), &[80, 443]).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
            assert!(!said.contains("secret"), "{text}: {said}");
        }
        for text in ["https://feeds.example/a", "http://feeds.example/a", "https://feeds.example:80/", "http://a.b./x"]
        {
            assert_eq!(check_url(&Url::parse(text).unwrap(), &[80, 443]), Ok(()), "{text}");
        }
        assert_eq!(check_url(&Url::parse("http://feeds.example:8080/").unwrap(), &[]), Ok(()));
    }
}
