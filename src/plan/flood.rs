//! Holding back: the new entries of a flood, and what is changed of entries that are held.

use std::collections::{HashMap, hash_map::Entry};

use super::{EntryPlan, EntryPlans, Fate, Judged};
use crate::{
    flood,
    model::id::{EntryNo, FloodNo},
    route::Judgement,
};

/// A document that brought many more new entries than usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood {
    /// The most that one poll brought before.
    pub usual: usize,
    /// How many of its new entries are not held.
    pub sent: usize,
}

/// Where an entry of a flood is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBack {
    /// It waits for the decision, or to be released by it.
    Waits(FloodNo),
    /// It is not for us: it matched nothing, and only what matches was wanted.
    Unmatched(FloodNo),
    /// It is not for us: nothing of the flood was wanted.
    Unwanted(FloodNo),
}

/// How a plan looks at the floods of its feed.
pub struct Floods<'f, E> {
    /// Where an entry of a flood is; `None`: it goes the way of every other.
    pub held_back: &'f dyn Fn(EntryNo) -> Result<Option<HeldBack>, E>,
    /// How many entries of a flood were not held, or not for long.
    pub sent: &'f dyn Fn(FloodNo) -> Result<usize, E>,
    /// Where an entry goes that must match something.
    pub if_matching: &'f dyn Fn(&Judged) -> Judgement,
}

/// Whether the new entries could be a flood, so that it is worth asking what is usual.
pub fn may_be_flood(plans: &EntryPlans) -> bool {
    !plans.baseline && new_ones(plans) > flood::LEAST
}

fn new_ones(plans: &EntryPlans) -> usize {
    plans.entries.iter().filter(|plan| plan.is_as_new()).count()
}

/// Holds the new entries of a flood, and those that left the baseline. The first few of those that are exploited and surely about a component go
/// where they would.
pub fn hold_flood(plans: &mut EntryPlans, history: &flood::History) {
    if !may_be_flood(plans) || !flood::is_flood(new_ones(plans), history.usual()) {
        return;
    }
    let mut sent = 0;
    for plan in plans.entries.iter_mut().filter(|plan| plan.is_as_new()) {
        if plan.must_go_out() && sent < flood::MOST_SENT {
            sent += 1;
        } else {
            plan.end_at(Fate::Held);
        }
    }
    plans.flood = Some(Flood { usual: history.most(), sent });
}

/// Leaves a changed entry where the flood that brought it is: held, or not for us. What must not wait goes out, but
/// never more than the first few of a flood, whenever they say so. What only had to match something goes out
/// when it does.
pub fn keep_back<E>(plans: &mut EntryPlans, floods: &Floods<'_, E>) -> Result<(), E> {
    let mut sent: HashMap<FloodNo, usize> = HashMap::new();
    for plan in &mut plans.entries {
        let Some((entry, _)) = plan.revises else { continue };
        let Some(held_back) = (floods.held_back)(entry)? else { continue };
        plan.held_back = Some(held_back);
        let (flood, stays) = match held_back {
            HeldBack::Waits(flood) => (flood, Fate::Held),
            HeldBack::Unwanted(flood) => (flood, Fate::NotForUs),
            HeldBack::Unmatched(_) => {
                let judgement = (floods.if_matching)(&plan.judged);
                plan.go(judgement);
                continue;
            }
        };
        if plan.must_go_out() {
            let sent = match sent.entry(flood) {
                Entry::Occupied(sent) => sent.into_mut(),
                Entry::Vacant(place) => place.insert((floods.sent)(flood)?),
            };
            if *sent < flood::MOST_SENT {
                *sent += 1;
                continue;
            }
        }
        plan.end_at(stays);
    }
    Ok(())
}

impl EntryPlan {
    /// Whether nobody could have been told of it before.
    fn is_as_new(&self) -> bool {
        let is_back = matches!(self.held_back, Some(HeldBack::Unmatched(_))) && self.fate != Fate::NotForUs;
        self.revises.is_none() || self.left_baseline || is_back
    }

    fn must_go_out(&self) -> bool {
        self.fate == Fate::Assigned && flood::must_go_out(&self.judged.tags, self.judged.marks)
    }

    pub(super) fn end_at(&mut self, fate: Fate) {
        self.fate = fate;
        self.assigned.clear();
        self.withheld.clear();
        self.updates.clear();
        self.is_listed_again = false;
    }
}
