//! Moments: one type for all of them, and its two spellings. Nothing here reads a clock.

use jiff::Timestamp;

/// A moment in UTC.
pub type Time = Timestamp;

/// Whole milliseconds since 1970-01-01T00:00:00Z, the store's spelling of a moment.
pub fn millis(time: Time) -> i64 {
    time.as_millisecond()
}

/// The moment of the store's milliseconds; out of range gives the nearest moment there is.
pub fn from_millis(millis: i64) -> Time {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// RFC 3339 in UTC with milliseconds, the log's spelling of a moment: `2026-11-20T08:00:00.000Z`.
pub fn rfc3339(time: Time) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_spellings_agree() {
        let time = from_millis(1_794_304_800_123);
        assert_eq!(rfc3339(time), "2026-11-10T10:00:00.123Z");
        assert_eq!(millis(time), 1_794_304_800_123);
        assert_eq!(from_millis(i64::MAX), Timestamp::MAX);
    }
}
