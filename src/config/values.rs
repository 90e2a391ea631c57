//! What single values mean: durations, sizes, addresses, zones, schedules and identifiers. Each reader says what
//! is wrong with a text in words; where it stands and what it is for is not known here.

use std::{net::IpAddr, ops::Range};

use jiff::{SignedDuration, Span, tz::TimeZone};
use url::{Host, Url};

use super::{problem::has_user_info, spelling::nearest};
use crate::{
    model::{id::slug, settings::AddressRange},
    schedule::Schedule,
};

/// What is wrong with a text.
#[derive(Debug, Clone)]
pub(super) struct Flaw {
    pub message: String,
    pub label: String,
    pub hint: String,
    /// The bytes of the text that it is about, where it is not about all of it.
    pub part: Option<Range<usize>>,
}

impl Flaw {
    pub(super) fn new(message: impl Into<String>, label: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), label: label.into(), hint: hint.into(), part: None }
    }

    /// What is wrong and what to do, for somebody who has no file before them.
    pub(super) fn in_one_line(&self) -> String {
        let more = [&self.label, &self.hint].into_iter().filter(|more| !more.is_empty());
        more.fold(self.message.clone(), |line, more| line + "; " + more)
    }
}

/// The longest identifier, in characters.
const LONGEST_ID: usize = 64;

/// An identifier: lower-case ASCII letters, digits and `-`.
pub(super) fn identifier(text: &str) -> Result<String, Flaw> {
    let well = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if well && !text.starts_with('-') && !text.ends_with('-') && text.len() <= LONGEST_ID {
        return Ok(text.to_owned());
    }
    let mut meant = slug(text);
    meant.truncate(LONGEST_ID);
    let hint = if meant.is_empty() { "write something like \"cisa\"".to_owned() } else { format!("write \"{meant}\"") };
    Err(Flaw::new(
        format!("invalid identifier `{text}`"),
        format!("only a-z, 0-9 and `-` between them, at most {LONGEST_ID}"),
        hint,
    ))
}

/// A number and its unit, with nothing between them.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// A duration of fixed length, `30s`, `15m`, `1h`, `3d` or `2w`, between two bounds.
pub(super) fn duration(text: &str, least: &str, most: &str) -> Result<SignedDuration, Flaw> {
    let bounds = || format!("from \"{least}\" to \"{most}\"");
    let Some(duration) = plain_duration(text) else {
        let near = if number_and_unit(text).is_some_and(|(_, unit)| unit.is_empty()) {
            format!("write \"{text}s\" for seconds or \"{text}m\" for minutes")
        } else {
            "write a number and one of s, m, h, d, w, such as \"15m\"".to_owned()
        };
        return Err(Flaw::new(format!("invalid duration `{text}`"), "a number and a unit", near));
    };
    let within = plain_duration(least).is_none_or(|least| duration >= least)
        && plain_duration(most).is_none_or(|most| duration <= most);
    if within {
        Ok(duration)
    } else {
        Err(Flaw::new(format!("duration `{text}` out of range"), bounds(), format!("write a duration {}", bounds())))
    }
}

fn plain_duration(text: &str) -> Option<SignedDuration> {
    let (number, unit) = number_and_unit(text)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    i64::try_from(number.checked_mul(seconds)?).ok().map(SignedDuration::from_secs)
}

/// A time span of the calendar: `90d`, `18mo` or `4y`, up to a hundred years.
pub(super) fn calendar_span(text: &str) -> Result<Span, Flaw> {
    let span = number_and_unit(text).and_then(|(number, unit)| {
        let number = i64::try_from(number).ok().filter(|number| *number > 0)?;
        match unit {
            "d" if number <= 36_500 => Span::new().try_days(number).ok(),
            "w" if number <= 5_200 => Span::new().try_weeks(number).ok(),
            "mo" if number <= 1_200 => Span::new().try_months(number).ok(),
            "y" if number <= 100 => Span::new().try_years(number).ok(),
            _ => None,
        }
    });
    span.ok_or_else(|| {
        Flaw::new(
            format!("invalid time span `{text}`"),
            "a number and one of d, w, mo, y, up to \"100y\"",
            "write something like \"4y\" or \"18mo\"",
        )
    })
}

/// A number of bytes, `512KiB`, `10MiB` or `1GiB`, between 1 KiB and 1 GiB.
pub(super) fn size(text: &str) -> Result<u64, Flaw> {
    let bytes = number_and_unit(text).and_then(|(number, unit)| {
        let unit: u64 = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(unit)
    });
    match bytes {
        Some(bytes) if (1 << 10..=1 << 30).contains(&bytes) => Ok(bytes),
        Some(_) => Err(Flaw::new(
            format!("size `{text}` out of range"),
            "from \"1KiB\" to \"1GiB\"",
            "write a size from \"1KiB\" to \"1GiB\"",
        )),
        None => Err(Flaw::new(
            format!("invalid size `{text}`"),
            "a number and a unit",
            "write a number and one of B, KiB, MiB, GiB, such as \"10MiB\"",
        )),
    }
}

/// A range of addresses: `10.20.0.0/16`, `fd00::/8`, or one address.
pub(super) fn address_range(text: &str) -> Result<AddressRange, Flaw> {
    let invalid = || {
        Flaw::new(
            format!("invalid address range `{text}`"),
            "an address and the number of its leading bits",
            "write something like \"10.20.0.0/16\"",
        )
    };
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| invalid())?;
    let widest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => widest,
        Some(prefix) => prefix.parse::<u8>().ok().filter(|prefix| *prefix <= widest).ok_or_else(invalid)?,
    };
    let network = network_of(address, prefix);
    if network != address {
        return Err(Flaw::new(
            format!("address range `{text}` has bits beyond its prefix"),
            "the address is not the first of its range",
            format!("write \"{network}/{prefix}\" for the range or \"{address}/{widest}\" for the address"),
        ));
    }
    Ok(AddressRange { address, prefix })
}

fn network_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// What to say of an address without a scheme, and what to write for it.
fn without_scheme(shown: &str) -> (&'static str, String) {
    let rest = shown.strip_prefix("//").unwrap_or(shown);
    let host = rest.split('/').next().unwrap_or_default();
    if host.trim_matches('.').contains(['.', ':']) {
        ("no https:// in front of it", format!("write \"https://{rest}\""))
    } else {
        ("no host", "write the whole address, something like \"https://example.com/feed.xml\"".to_owned())
    }
}

/// An http or https address with a host and without user name or password.
pub(super) fn web_address(text: &str) -> Result<Url, Flaw> {
    // What follows a ? may be a secret as well.
    let shown = text.split('?').next().unwrap_or_default();
    let invalid = |label: &str, hint: String| Flaw::new(format!("invalid URL `{shown}`"), label, hint);
    if has_user_info(text) {
        // The secret itself is not repeated in the message.
        let label = "secrets do not belong in this file";
        return Err(Flaw::new("a URL with a user name or password", label, "remove the part before the @"));
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(_) if !text.contains("://") => {
            let (label, hint) = without_scheme(shown);
            return Err(invalid(label, hint));
        }
        Err(error) => return Err(invalid(&error.to_string(), "write something like \"https://example.com/\"".into())),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(&format!("the scheme is `{}`", url.scheme()), "only http and https can be fetched".into()));
    }
    match url.host() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(Flaw::new("a URL with a user name or password", "secrets do not belong in this file", "remove them"))
        }
        None | Some(Host::Domain("")) => {
            Err(invalid("no host", "write something like \"https://example.com/feed.xml\"".into()))
        }
        Some(_) => Ok(url),
    }
}

/// A feed's address: a web address without a fragment, which no request ever sends.
pub(super) fn feed_address(text: &str) -> Result<Url, Flaw> {
    let url = web_address(text)?;
    if url.fragment().is_none() {
        return Ok(url);
    }
    let at = text.find('#').unwrap_or(0);
    let flaw = Flaw::new("a URL with a fragment", "never sent to the server", "remove `#` and what follows");
    Err(Flaw { part: Some(at..text.len()), ..flaw })
}

/// Whether a URL's host is this machine itself.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// A time zone of the IANA database: `Europe/London`.
pub(super) fn zone(text: &str) -> Result<TimeZone, Flaw> {
    if text == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(text).map_err(|_| {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let hint = match nearest(text, names.iter().map(String::as_str)) {
            _ if names.len() < 2 => "this machine has no time zone database; install tzdata".to_owned(),
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write a name of the IANA database, such as \"Europe/London\"".to_owned(),
        };
        Flaw::new(format!("unknown time zone `{text}`"), "not in the time zone database", hint)
    })
}

/// A schedule's text, judged and then kept as it is.
pub(super) fn schedule(text: &str) -> Result<String, Flaw> {
    Schedule::parse(text).map(|_| text.to_owned()).map_err(|error| Flaw {
        message: error.message,
        label: error.label,
        hint: error.hint,
        part: Some(error.span),
    })
}

/// An address of a person, without a display name (RFC 5321 section 4.1.2).
pub(super) fn mail_address(text: &str) -> Result<String, Flaw> {
    let plain = text.parse::<lettre::Address>().is_ok() && text.is_ascii() && !text.contains(['"', ' ', '<', '>']);
    if plain {
        return Ok(text.to_owned());
    }
    let hint = match text.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>')) {
        Some(inner) => format!("write \"{inner}\"; the name has its own key"),
        None => "write something like \"maria@example.com\"".to_owned(),
    };
    Err(Flaw::new(format!("invalid mail address `{text}`"), "name@domain, plain ASCII", hint))
}

/// A sender: `sigtrail <sigtrail@example.com>` or the address alone; display name and address.
pub(super) fn sender(text: &str) -> Result<(String, String), Flaw> {
    let (name, address) = match text.split_once('<') {
        Some((name, rest)) => (name.trim().trim_matches('"'), rest.strip_suffix('>').unwrap_or(rest)),
        None => ("sigtrail", text),
    };
    let address = mail_address(address).map_err(|flaw| {
        Flaw::new(
            format!("invalid sender `{text}`"),
            flaw.label,
            "write something like \"sigtrail <sigtrail@example.com>\"",
        )
    })?;
    let name = if name.is_empty() { "sigtrail" } else { name };
    Ok((name.to_owned(), address))
}

/// The log's name: a key name of a signed note, without blanks and `+`.
pub(super) fn origin(text: &str) -> Result<String, Flaw> {
    if text.chars().any(|c| c.is_whitespace() || c == '+') || text.len() > 200 {
        return Err(Flaw::new(
            format!("invalid origin `{text}`"),
            "no blanks, no `+`, at most 200 bytes",
            "write something like \"example.com/sigtrail\"",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_one_unit() {
        assert_eq!(duration("15m", "1s", "1d").unwrap(), SignedDuration::from_mins(15));
        assert_eq!(duration("3d", "1s", "31d").unwrap(), SignedDuration::from_hours(72));
        for bad in ["", "15", "m", "1h30m", "-1h", "1.5h", "15 m", "15M", "99999999999999999999h", "9999999999999999w"]
        {
            assert!(duration(bad, "1s", "31d").is_err(), "{bad}");
        }
        assert!(duration("32d", "1s", "31d").unwrap_err().message.contains("out of range"));
        assert!(duration("3600", "1s", "31d").unwrap_err().hint.starts_with("write \"3600s\""));
    }

    #[test]
    fn spans_of_the_calendar_know_months_and_years() {
        assert_eq!(calendar_span("4y").unwrap().get_years(), 4);
        assert_eq!(calendar_span("18mo").unwrap().get_months(), 18);
        for bad in ["0y", "4", "101y", "4h", "y", "99999999999999y"] {
            assert!(calendar_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_binary_and_bounded() {
        assert_eq!(size("10MiB").unwrap(), 10 << 20);
        for bad in ["10MB", "10", "0B", "2GiB", "MiB", "99999999999999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn address_ranges_start_where_they_say() {
        assert_eq!(address_range("10.20.0.0/16").unwrap().prefix, 16);
        assert_eq!(address_range("::1").unwrap().prefix, 128);
        assert_eq!(address_range("0.0.0.0/0").unwrap().prefix, 0);
        assert_eq!(address_range("::/0").unwrap().prefix, 0);
        assert!(address_range("10.20.3.4/16").unwrap_err().hint.contains("\"10.20.0.0/16\""));
        for bad in ["10.20.0.0/33", "10.20", "fd00::/129", "example.com", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(address_range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_in_a_url_is_not_repeated() {
        for url in
            ["https://me:hunter2@example.com/", "ftp://hunter2@example.com", "https://me:hunter2@example.com:99999/"]
        {
            let flaw = web_address(url).unwrap_err();
            assert!(!format!("{flaw:?}").contains("hunter2"), "{flaw:?}");
        }
    }

    #[test]
    fn senders_have_a_name_and_an_address() {
        let both = |name: &str, address: &str| (name.to_owned(), address.to_owned());
        assert_eq!(sender("Sig Trail <a@example.com>").unwrap(), both("Sig Trail", "a@example.com"));
        assert_eq!(sender("a@example.com").unwrap(), both("sigtrail", "a@example.com"));
        for bad in ["sigtrail", "<>", "a@b@c", "Sig <a@example.com> x", "Sig <a@example.com"] {
            assert!(sender(bad).is_err() || bad.ends_with("com"), "{bad}");
        }
    }
}
