//! Holding back: the new entries of a flood, and what is changed of entries that are held.

use super::{EntryPlan, EntryPlans, Fate};
use crate::{flood, model::id::EntryNo};

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
    /// It waits for the decision.
    Waits,
    /// A person decided that it is not for us.
    NotForUs,
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
pub fn hold_flood(plans: &mut EntryPlans, usual: usize) {
    if !may_be_flood(plans) || !flood::is_flood(new_ones(plans), usual) {
        return;
    }
    let mut sent = 0;
    for plan in plans.entries.iter_mut().filter(|plan| plan.is_as_new()) {
        let must_go_out = plan.fate == Fate::Assigned && flood::must_go_out(&plan.judged.tags, plan.judged.marks);
        if must_go_out && sent < flood::MOST_SENT {
            sent += 1;
        } else {
            plan.end_at(Fate::Held);
        }
    }
    plans.flood = Some(Flood { usual, sent });
}

/// Leaves a changed entry where the flood that brought it is: held, or not for us. What must not wait goes out.
pub fn keep_back<E>(plans: &mut EntryPlans, held: impl Fn(EntryNo) -> Result<Option<HeldBack>, E>) -> Result<(), E> {
    for plan in &mut plans.entries {
        let Some((entry, _)) = plan.revises else { continue };
        if flood::must_go_out(&plan.judged.tags, plan.judged.marks) {
            continue;
        }
        match held(entry)? {
            Some(HeldBack::Waits) => plan.end_at(Fate::Held),
            Some(HeldBack::NotForUs) => plan.end_at(Fate::NotForUs),
            None => {}
        }
    }
    Ok(())
}

impl EntryPlan {
    /// Whether nobody could have been told of it before.
    fn is_as_new(&self) -> bool {
        self.revises.is_none() || self.left_baseline
    }

    pub(super) fn end_at(&mut self, fate: Fate) {
        self.fate = fate;
        self.assigned.clear();
        self.withheld.clear();
        self.updates.clear();
        self.is_listed_again = false;
    }
}
