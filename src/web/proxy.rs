//! For whom a request comes: the other end of the connection, or whom a reverse proxy that is believed names. Pure.

use std::net::{IpAddr, SocketAddr};

use crate::{
    address::contains,
    model::settings::{AddressRange, ClientHeader},
};

/// The most hops of a header that are looked at, from the nearest on.
const MOST_HOPS: usize = 32;

/// The client's address. `values` are those of the header that is believed, in their order. From the nearest hop on,
/// each one that is believed may name the next; the first one that is not believed is the client, whatever it says
/// itself.
pub(super) fn client<'v>(
    peer: IpAddr,
    trusted: &[AddressRange],
    header: ClientHeader,
    values: impl DoubleEndedIterator<Item = &'v str>,
) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|range| contains(*range, ip));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    for hop in values.rev().flat_map(|value| elements(value).into_iter().rev()).take(MOST_HOPS) {
        let named = match header {
            ClientHeader::XForwardedFor => address(hop.trim()),
            ClientHeader::Forwarded => forwarded_for(hop),
        };
        // Who is not named by an address is counted with the proxy that does not say more.
        let Some(named) = named else { return client };
        client = named;
        if !is_trusted(client) {
            return client;
        }
    }
    client
}

/// The elements of a list (RFC 9110 section 5.6.1); a comma between quotes is none.
fn elements(value: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let split = value.split(move |c: char| {
        if is_escaped {
            is_escaped = false;
        } else {
            match c {
                '\\' if is_quoted => is_escaped = true,
                '"' => is_quoted = !is_quoted,
                ',' => return !is_quoted,
                _ => {}
            }
        }
        false
    });
    split.filter(|element| !element.trim().is_empty()).collect()
}

/// The address of the parameter `for` of an element (RFC 7239 section 6): not `unknown`, not an invented name.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let node = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, node)| node.trim()).next()?;
    let bare = node.strip_prefix('"').map_or(Some(node), |rest| rest.strip_suffix('"'))?;
    address(bare)
}

/// An address with or without a port; IPv6 with a port stands in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn trusted() -> Vec<AddressRange> {
        vec![
            AddressRange { address: ip("127.0.0.1"), prefix: 32 },
            AddressRange { address: ip("10.9.0.0"), prefix: 16 },
            AddressRange { address: ip("2001:db8:f::"), prefix: 48 },
        ]
    }

    fn via(peer: &str, header: ClientHeader, values: &[&str]) -> IpAddr {
        client(ip(peer), &trusted(), header, values.iter().copied())
    }

    #[test]
    fn only_a_proxy_that_is_named_is_believed() {
        use ClientHeader::XForwardedFor;
        assert_eq!(via("198.51.100.7", XForwardedFor, &["203.0.113.1"]), ip("198.51.100.7"));
        assert_eq!(via("127.0.0.2", XForwardedFor, &["203.0.113.1"]), ip("127.0.0.2"));
        assert_eq!(via("127.0.0.1", XForwardedFor, &["203.0.113.1"]), ip("203.0.113.1"));
        assert_eq!(via("::ffff:127.0.0.1", XForwardedFor, &["203.0.113.1"]), ip("203.0.113.1"));
        assert_eq!(via("127.0.0.1", XForwardedFor, &[]), ip("127.0.0.1"));
        assert_eq!(client(ip("127.0.0.1"), &[], XForwardedFor, ["203.0.113.1"].into_iter()), ip("127.0.0.1"));
    }

    #[test]
    fn the_right_most_hop_that_is_not_believed_is_the_client() {
        use ClientHeader::XForwardedFor;
        for (values, client) in [
            (&["6.6.6.6, 203.0.113.1"][..], "203.0.113.1"),
            (&["6.6.6.6", "203.0.113.1"], "203.0.113.1"),
            (&["6.6.6.6, 203.0.113.1, 10.9.1.1"], "203.0.113.1"),
            (&["203.0.113.1, 127.0.0.1,10.9.1.1 ,"], "203.0.113.1"),
            (&["127.0.0.1, 10.9.1.1"], "127.0.0.1"),
            (&["203.0.113.1, nonsense"], "127.0.0.1"),
            (&["203.0.113.1, unknown, 10.9.1.1"], "10.9.1.1"),
            (&["203.0.113.1:4711"], "203.0.113.1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["2001:db8::1, 2001:db8:f::9"], "2001:db8::1"),
            (&["::ffff:203.0.113.1"], "203.0.113.1"),
            (&[" "], "127.0.0.1"),
        ] {
            assert_eq!(via("127.0.0.1", XForwardedFor, values), ip(client), "{values:?}");
        }
    }

    #[test]
    fn the_header_of_rfc_7239_is_read_as_it_says() {
        use ClientHeader::Forwarded;
        for (values, client) in [
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"][..], "192.0.2.60"),
            (&["For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
            (&["for=192.0.2.43, for=198.51.100.17"], "198.51.100.17"),
            (&["for=6.6.6.6", "by=\"x,y\"; FOR = \"192.0.2.43:47011\""], "192.0.2.43"),
            (&["for=6.6.6.6, for=192.0.2.43, for=10.9.0.1"], "192.0.2.43"),
            (&["for=192.0.2.43, for=unknown"], "127.0.0.1"),
            (&["for=192.0.2.43, for=\"_gazonk\""], "127.0.0.1"),
            (&["for=192.0.2.43, by=10.9.0.1"], "127.0.0.1"),
            (&["for=\"192.0.2.43"], "127.0.0.1"),
            (&["for=6.6.6.6, x=\"a\\\",for=7.7.7.7\";for=192.0.2.43"], "192.0.2.43"),
        ] {
            assert_eq!(via("127.0.0.1", Forwarded, values), ip(client), "{values:?}");
        }
    }

    #[test]
    fn a_chain_without_an_end_is_looked_at_to_a_bound() {
        let long = "10.9.0.1,".repeat(100_000);
        assert_eq!(via("127.0.0.1", ClientHeader::XForwardedFor, &[&format!("203.0.113.1,{long}")]), ip("10.9.0.1"));
    }
}
