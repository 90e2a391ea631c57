//! Whether it is this machine that has no network, or the feeds that are gone: told by how many hosts could be connected
//! to lately.

use std::collections::{BTreeMap, VecDeque};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::model::time::Time;

/// So many hosts must have been tried before anything is said of the network.
const FEWEST_HOSTS: usize = 5;
/// Out of so many hosts ...
const PARTS: usize = 5;
/// ... this many must be out of reach.
const PARTS_OUT_OF_REACH: usize = 4;
/// What was seen longer ago says nothing of now.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// Which hosts could be connected to lately: the last five of them, each once, the newest last.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    recent: VecDeque<(String, bool, Time)>,
}

impl Reach {
    /// Takes in what a round of polls found: each host with whether any request to it got as far as a connection. Rounds of
    /// fewer hosts are judged together with those before. Some: this machine has no network, judged by so many hosts.
    pub fn after(&mut self, round: &BTreeMap<String, bool>, now: Time) -> Option<usize> {
        self.recent.retain(|(host, _, at)| !round.contains_key(host) && now.duration_since(*at).abs() <= FRESH);
        let before = self.recent.iter().rev().take(FEWEST_HOSTS.saturating_sub(round.len()));
        let seen: Vec<bool> = round.values().copied().chain(before.map(|(_, reached, _)| *reached)).collect();
        let lost = seen.iter().filter(|reached| !**reached).count();
        self.recent.extend(round.iter().map(|(host, reached)| (host.clone(), *reached, now)));
        let surplus = self.recent.len().saturating_sub(FEWEST_HOSTS);
        self.recent.drain(..surplus);
        let is_cut_off = seen.len() >= FEWEST_HOSTS && lost * PARTS >= seen.len() * PARTS_OUT_OF_REACH;
        is_cut_off.then_some(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        "2026-11-20T08:00:00Z".parse().unwrap()
    }

    fn round(reached: &str, lost: &str) -> BTreeMap<String, bool> {
        let hosts =
            |names: &str, reached| names.chars().map(move |name| (format!("{name}.example"), reached)).collect();
        let mut round: BTreeMap<String, bool> = hosts(reached, true);
        round.extend::<BTreeMap<_, _>>(hosts(lost, false));
        round
    }

    #[test]
    fn four_hosts_in_five_out_of_reach_are_no_fault_of_theirs() {
        for (reached, lost, expected) in [
            ("", "abcde", Some(5)),
            ("a", "bcde", Some(4)),
            ("ab", "cdefgh", None),
            ("ab", "cdefghij", Some(8)),
            ("", "abcd", None),
            ("abcde", "", None),
        ] {
            assert_eq!(Reach::default().after(&round(reached, lost), now()), expected, "{reached} {lost}");
        }
    }

    #[test]
    fn small_rounds_are_judged_together_with_those_before() {
        let mut reach = Reach::default();
        assert_eq!(reach.after(&round("abcdefgh", ""), now()), None);
        assert_eq!(reach.after(&round("", "ij"), now()), None, "two of five");
        assert_eq!(reach.after(&round("", "kl"), now()), Some(4), "four of five");
        assert_eq!(reach.after(&round("", "i"), now()), Some(4));
        assert_eq!(reach.after(&round("abcde", ""), now()), None, "the network is back");
        assert_eq!(reach.after(&round("", "i"), now()), None, "and that host is really gone");
        let mut reach = Reach::default();
        assert_eq!(reach.after(&round("", "abcd"), now()), None);
        let later = now() + SignedDuration::from_hours(2);
        assert_eq!(reach.after(&round("", "e"), later), None, "what was two hours ago says nothing of now");
    }
}
