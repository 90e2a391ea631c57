//! A small generator of numbers, so that every run with the same seed does the same.

/// The state of the generator (xorshift64).
pub struct Seed(u64);

impl Seed {
    /// A generator that belongs to these numbers.
    pub fn of(numbers: &[u64]) -> Seed {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for number in numbers {
            // splitmix64, so that numbers which lie close together lead far apart.
            state = state.wrapping_add(*number).wrapping_add(0x9e37_79b9_7f4a_7c15);
            state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            state ^= state >> 31;
        }
        Seed(state | 1)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap_or(u64::MAX).max(1)).unwrap_or_default()
    }

    /// Whether it is the one case of so many.
    pub fn one_in(&mut self, cases: usize) -> bool {
        self.below(cases) == 0
    }

    /// One of several things.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        from.get(self.below(from.len()))
    }
}
