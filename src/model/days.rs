//! The days on which a feed brought something new: what its rhythm is learned from. What a rhythm means is `health`'s
//! business.

use super::time::Time;

/// How many days are remembered.
const SPAN: i32 = 448;
/// The words that hold them, a bit for each day.
const WORDS: usize = 7;
const SECONDS: i64 = 86_400;

/// A day in UTC, as the number of days since 1970-01-01.
pub type DayNo = i32;

/// The day of a moment.
pub fn day_no(at: Time) -> DayNo {
    DayNo::try_from(at.as_second().div_euclid(SECONDS)).unwrap_or(DayNo::MAX)
}

/// The days of the last 448 on which a feed brought a new entry. The first document of a feed does not count: it says
/// nothing about when its entries came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActiveDays {
    last: DayNo,
    /// Bit `i` stands for the day `i` days before the last one.
    bits: [u64; WORDS],
}

impl ActiveDays {
    /// Remembers that something new came at this moment. Days that lie ahead of it were marked by a clock that was
    /// ahead, and are forgotten.
    pub fn mark(&mut self, at: Time) {
        let day = day_no(at);
        let mut marked = Self { last: day, bits: [0; WORDS] };
        marked.set(day);
        for known in self.days().filter(|known| *known < day) {
            marked.set(known);
        }
        *self = marked;
    }

    /// The same days as a clock would have marked them that showed `to` where this one showed `from`, in whole days. Days
    /// that another clock marked stay.
    #[must_use]
    pub fn moved(self, from: Time, to: Time) -> Self {
        let is_of_this_clock = if to > from { self.last <= day_no(from) } else { self.last > day_no(to) };
        let seconds = to.duration_since(from).as_secs();
        let by = DayNo::try_from((seconds + seconds.signum() * SECONDS / 2) / SECONDS).unwrap_or(0);
        if is_of_this_clock { Self { last: self.last.saturating_add(by), ..self } } else { self }
    }

    fn set(&mut self, day: DayNo) {
        let back = self.last.saturating_sub(day);
        let Ok(back) = usize::try_from(back) else { return };
        if let Some(word) = self.bits.get_mut(back / 64) {
            *word |= 1 << (back % 64);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// The days, newest first.
    pub fn days(&self) -> impl Iterator<Item = DayNo> + '_ {
        let last = self.last;
        (0..SPAN).filter_map(move |back| {
            let place = usize::try_from(back).unwrap_or(0);
            let word = self.bits.get(place / 64).copied().unwrap_or(0);
            (word >> (place % 64) & 1 == 1).then_some(last - back)
        })
    }

    /// The store's spelling: the last day and the bits, all of them with the lowest byte first; `None`: there is none.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let mut bytes = self.last.to_le_bytes().to_vec();
        // Words that hold nothing are left away: most feeds are young.
        let used = self.bits.iter().rposition(|word| *word != 0).map_or(0, |place| place + 1);
        bytes.extend(self.bits.iter().take(used).flat_map(|word| word.to_le_bytes()));
        Some(bytes)
    }

    /// Reads the store's spelling; what cannot be read is none.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let Some((last, bits)) = bytes.split_first_chunk() else { return Self::default() };
        let mut days = Self { last: DayNo::from_le_bytes(*last), bits: [0; WORDS] };
        for (word, chunk) in days.bits.iter_mut().zip(bits.as_chunks().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn marked(days: &[&str]) -> ActiveDays {
        let mut active = ActiveDays::default();
        for day in days {
            active.mark(at(&format!("{day}T23:59:59Z")));
        }
        active
    }

    #[test]
    fn days_move_with_a_clock_that_is_set_and_back() {
        let at = |text: &str| -> Time { text.parse().unwrap() };
        let mut days = ActiveDays::default();
        for text in ["2026-11-02T08:00:00Z", "2026-11-16T08:00:00Z"] {
            days.mark(at(text));
        }
        let (wrong, right) = (at("2026-11-20T08:00:00Z"), at("2027-01-20T02:00:00Z"));
        let moved = days.moved(wrong, right);
        let first: Vec<DayNo> = moved.days().collect();
        assert_eq!(first, [day_no(at("2027-01-16T08:00:00Z")), day_no(at("2027-01-02T08:00:00Z"))]);
        assert_eq!(moved.moved(right, wrong), days);
        assert_eq!(days.moved(at("1970-01-02T00:00:00Z"), wrong), days, "another clock marked them");
    }

    #[test]
    fn days_are_remembered_once_newest_first_and_read_back() {
        let active = marked(&["2025-09-01", "2026-11-02", "2026-11-02", "2026-11-03", "2026-11-20"]);
        let last = day_no(at("2026-11-20T00:00:00Z"));
        assert_eq!(active.days().collect::<Vec<_>>(), [last, last - 17, last - 18, last - 445]);
        assert_eq!(ActiveDays::from_bytes(&active.to_bytes().unwrap()), active);
        assert!(active.to_bytes().unwrap().len() <= 60);
    }

    #[test]
    fn what_is_older_than_the_span_is_forgotten() {
        assert_eq!(marked(&["2025-08-01", "2026-11-20"]).days().count(), 1);
    }

    #[test]
    fn days_that_a_clock_marked_ahead_are_forgotten() {
        let active = marked(&["2026-11-02", "2036-11-02", "2026-11-03"]);
        assert_eq!(active.days().count(), 1, "the jump ahead forgot the past, the way back forgets the future");
        assert_eq!(active.days().next(), Some(day_no(at("2026-11-03T00:00:00Z"))));
    }

    #[test]
    fn nothing_is_stored_for_none_and_nonsense_reads_as_none() {
        assert_eq!(ActiveDays::default().to_bytes(), None);
        for nonsense in [&b""[..], b"abc", b"\x01\x00\x00\x00"] {
            assert!(ActiveDays::from_bytes(nonsense).is_empty());
        }
    }
}
