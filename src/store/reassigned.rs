//! Assignments that are taken back, and who has their stories instead.

use rusqlite::params;

use super::{StoreError, Write, assignment::Told};
use crate::{
    model::{
        digest::HandOver,
        id::{AssignmentNo, ConfigVersion, EntryNo, FeedNo, OwnerId, StoryNo},
        time::{Time, millis},
    },
    route::{Assigned, StoodIn, Withheld},
};

/// An assignment that is taken back, and what becomes of its story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassigned {
    /// The assignment.
    pub assignment: AssignmentNo,
    /// Why.
    pub why: HandOver,
    /// Who gets the story now.
    pub to: Option<Assigned>,
    /// Who may not see it any more, and whom to ask.
    pub withheld: Option<Withheld>,
}

impl Write<'_> {
    /// Takes an assignment back and gives its story to whom it belongs now; whoever has it already is not told of it
    /// twice. What was answered or taken back meanwhile stays as it is, and so does what would go back to somebody
    /// from whom it came.
    pub fn reassign(&mut self, moved: &Reassigned, config: ConfigVersion, now: Time) -> Result<(), StoreError> {
        let (story, source, feed, from): (i64, (i64, u32), i64, String) = self
            .tx
            .prepare_cached(
                "SELECT assignment.story, assignment.entry, revision, feed, owner FROM assignment
                 JOIN entry ON entry.no = assignment.entry WHERE assignment.no = ?1",
            )?
            .query_row([moved.assignment.0], |row| {
                Ok((row.get(0)?, (row.get(1)?, row.get(2)?), row.get(3)?, row.get(4)?))
            })?;
        let (story, source, from) = (StoryNo(story), (EntryNo(source.0), source.1), OwnerId::new(from));
        if self.read().is_answered(moved.assignment)? {
            // What was answered before it was told is not for anybody any more.
            return if self.read().waits(moved.assignment)? { self.supersede(moved.assignment, now) } else { Ok(()) };
        }
        if self.goes_in_a_circle(moved, &from)? || !self.take_back(moved, &from, now)? {
            return Ok(());
        }
        if let Some(assigned) = &moved.to {
            // Who passed this story on themselves is not asked for it: it is with whoever has it in their place.
            let holder = self.read().held_instead_of(story, &assigned.owner)?.map(|(_, held)| held.owner);
            let assigned = &Assigned { owner: holder.unwrap_or(assigned.owner.clone()), ..assigned.clone() };
            if assigned.owner != from && self.ask_again(story, &assigned.owner, now)? {
                self.assign_again(story, source, assigned, config, now)?;
            } else if !self.assign(story, source, Told { assigned, update: None }, config, now)? {
                // The story is with them already: the log still says that this share of it came to them.
                self.record_routed(story, source, assigned, config, now)?;
            }
            if assigned.owner != from {
                self.hand_over(moved, (story, &from, &assigned.owner), (config, false), now)?;
            }
        }
        if let Some(withheld) = &moved.withheld {
            self.withhold(story, FeedNo(feed), withheld, config, now)?;
        }
        Ok(())
    }

    /// Takes an assignment of this owner back; whether it still stood. Whoever gets it back is simply told again.
    fn take_back(&mut self, moved: &Reassigned, from: &OwnerId, now: Time) -> Result<bool, StoreError> {
        let is_told_again = moved.to.as_ref().is_some_and(|to| to.owner == *from);
        let why = if is_told_again { "" } else { moved.why.as_str() };
        let taken = self.tx.execute(
            "INSERT INTO reassigned (assignment, at, why) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![moved.assignment.0, millis(now), why],
        )?;
        Ok(taken > 0)
    }

    /// Takes back what somebody was told of a story and has answered for themselves, so that they can be asked for somebody
    /// else's share of it; whether there was such a thing.
    fn ask_again(&mut self, story: StoryNo, owner: &OwnerId, now: Time) -> Result<bool, StoreError> {
        let Some(standing) = self.read().standing(story, owner)? else { return Ok(false) };
        let is_answered = self.read().is_answered(standing)?;
        if is_answered {
            self.supersede(standing, now)?;
        }
        Ok(is_answered)
    }

    /// Asks whoever stands in for somebody who is away once more, for that share of a story, where they have answered it
    /// for themselves: what they have is taken back, and they are given it like any news.
    pub(super) fn ask_for_others(&mut self, story: StoryNo, stood_in: &[StoodIn], now: Time) -> Result<(), StoreError> {
        for StoodIn { meant, by } in stood_in {
            if !self.is_stood_in(story, &meant.owner)? {
                self.ask_again(story, by, now)?;
            }
        }
        Ok(())
    }

    /// Whether an owner has a story, or somebody has it in their place.
    fn is_stood_in(&self, story: StoryNo, owner: &OwnerId) -> Result<bool, StoreError> {
        let read = self.read();
        Ok(read.standing(story, owner)?.is_some() || read.held_instead_of(story, owner)?.is_some())
    }

    /// Notes that somebody gets a story in the place of an owner who is away and does not have it: so that the owner can
    /// be told of it, and it is not asked of them when a second source brings it.
    pub(super) fn stood_in(
        &mut self,
        story: StoryNo,
        source: (EntryNo, u32),
        StoodIn { meant, by }: &StoodIn,
        config: ConfigVersion,
        now: Time,
    ) -> Result<(), StoreError> {
        if self.is_stood_in(story, &meant.owner)? {
            return Ok(());
        }
        self.assign_again(story, source, meant, config, now)?;
        let Some(assignment) = self.read().standing(story, &meant.owner)? else { return Ok(()) };
        let moved = Reassigned { assignment, why: HandOver::Away, to: None, withheld: None };
        self.take_back(&moved, &meant.owner, now)?;
        self.hand_over(&moved, (story, &meant.owner, by), (config, true), now)
    }
}
