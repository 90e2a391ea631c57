//! How many wrong links an address may ask for: a budget each, in a table of bounded size. Pure: `now` is an argument.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// How many wrong links an address may ask for at once: a mail program that cuts links needs a few, a scanner of a whole
/// mailbox some dozens.
const BUDGET: u32 = 120;
/// After this time one more may be asked for.
const ONE_MORE: Duration = Duration::from_secs(1);
/// The most addresses that are kept.
const MOST: usize = 4_096;
/// Who has a full budget needs no row; where that frees none, so many of those that spent least go.
const GO_AT_ONCE: usize = 1_024;

/// What each address has left.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    left: HashMap<IpAddr, Left>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    /// How many wrong links may be asked for, as of `at`.
    budget: u32,
    at: Duration,
}

impl Left {
    /// What is left `now`.
    fn now(self, now: Duration) -> Left {
        let gained = now.saturating_sub(self.at).as_nanos() / ONE_MORE.as_nanos();
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        let budget = self.budget.saturating_add(gained).min(BUDGET);
        // What is left of a second counts for the next one.
        let at = if budget == BUDGET { now } else { self.at.saturating_add(ONE_MORE.saturating_mul(gained)) };
        Left { budget, at }
    }
}

impl Budgets {
    /// Counts a wrong link of this address, `now` after some beginning; `Err`: none may be asked for, and after which
    /// time the next one may.
    pub(super) fn spend(&mut self, address: IpAddr, now: Duration) -> Result<(), Duration> {
        let whose = counted_as(address);
        let left = self.left.get(&whose).map_or(Left { budget: BUDGET, at: now }, |left| left.now(now));
        let Some(budget) = left.budget.checked_sub(1) else {
            return Err(ONE_MORE.saturating_sub(now.saturating_sub(left.at)));
        };
        if self.left.len() >= MOST && !self.left.contains_key(&whose) {
            self.make_room(now);
        }
        self.left.insert(whose, Left { budget, at: left.at });
        Ok(())
    }

    fn make_room(&mut self, now: Duration) {
        self.left.retain(|_, left| left.now(now).budget < BUDGET);
        if self.left.len() < MOST {
            return;
        }
        let mut by_budget: Vec<(u32, IpAddr)> =
            self.left.iter().map(|(address, left)| (left.now(now).budget, *address)).collect();
        by_budget.sort_unstable_by(|a, b| b.cmp(a));
        for (_, address) in by_budget.iter().take(GO_AT_ONCE) {
            self.left.remove(address);
        }
    }
}

/// What an address is counted as: itself, or the /64 of IPv6 that one subscriber has all of.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_000);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn spend_all(budgets: &mut Budgets, address: &str, now: Duration) -> u32 {
        (0..10 * BUDGET).take_while(|_| budgets.spend(ip(address), now).is_ok()).count().try_into().unwrap()
    }

    #[test]
    fn a_budget_is_spent_and_comes_back_one_by_one() {
        let mut budgets = Budgets::default();
        assert_eq!(spend_all(&mut budgets, "192.0.2.1", START), BUDGET);
        let wait = budgets.spend(ip("192.0.2.1"), START + ONE_MORE / 4).unwrap_err();
        assert_eq!(wait, ONE_MORE * 3 / 4);
        assert_eq!(spend_all(&mut budgets, "192.0.2.1", START + ONE_MORE), 1);
        assert_eq!(spend_all(&mut budgets, "192.0.2.1", START + ONE_MORE * 5 / 2), 1, "half of one is kept");
        assert_eq!(spend_all(&mut budgets, "192.0.2.1", START + ONE_MORE * 3), 1);
        assert_eq!(spend_all(&mut budgets, "192.0.2.1", START + ONE_MORE * 100_000), BUDGET, "and no more than all");
        assert!(budgets.spend(ip("192.0.2.2"), START).is_ok(), "others are not concerned");
    }

    #[test]
    fn a_whole_64_of_ipv6_is_one_and_an_address_of_ipv4_in_ipv6_is_itself() {
        let mut budgets = Budgets::default();
        assert_eq!(spend_all(&mut budgets, "2001:db8:1:2::1", START), BUDGET);
        assert!(budgets.spend(ip("2001:db8:1:2:ffff::9"), START).is_err());
        assert!(budgets.spend(ip("2001:db8:1:3::1"), START).is_ok());
        assert_eq!(spend_all(&mut budgets, "::ffff:192.0.2.1", START), BUDGET);
        assert!(budgets.spend(ip("192.0.2.1"), START).is_err());
    }

    #[test]
    fn the_table_stays_small_and_forgets_last_who_spent_most() {
        let mut budgets = Budgets::default();
        assert_eq!(spend_all(&mut budgets, "192.0.2.1", START), BUDGET);
        for n in 0..200_000_u32 {
            let address = IpAddr::V4((0x0a00_0000 + n).into());
            assert!(budgets.spend(address, START).is_ok());
            assert!(budgets.left.len() <= MOST);
        }
        assert!(budgets.spend(ip("192.0.2.1"), START).is_err());
        let later = START + ONE_MORE * 200;
        for n in 0..u32::try_from(MOST).unwrap() {
            assert!(budgets.spend(IpAddr::V4((0x0b00_0000 + n).into()), later).is_ok());
        }
        assert!(budgets.left.len() <= MOST);
    }
}
