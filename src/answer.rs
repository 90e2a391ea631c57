//! What several answers to a story come to: which of them stand, and whether another one fits what was said before.

use std::collections::BTreeMap;

use crate::model::acknowledgement::{Answer, Disposition, GivenAnswer, Unfit};

/// An answer in the log, by its record.
pub trait Said {
    /// The number of its record.
    fn record(&self) -> u64;
    /// The record of the answer that it corrects.
    fn corrects(&self) -> Option<u64>;
}

impl Said for GivenAnswer {
    fn record(&self) -> u64 {
        self.record
    }

    fn corrects(&self) -> Option<u64> {
        self.corrects
    }
}

/// An answer that nobody has corrected.
#[derive(Debug, PartialEq, Eq)]
pub struct Stands<'a, A> {
    /// What is said now.
    pub answer: &'a A,
    /// What was said at its place before any correction: the same answer where there was none.
    pub first: &'a A,
}

/// The answers to one story that stand, in the order in which each was given first: a correction stands where the answer
/// stood that it corrects, so what was said after that is still the later word. A correction of an answer that is not
/// among them stands for itself. `answers` come in the order of their records.
pub fn standing<A: Said>(answers: &[A]) -> Vec<Stands<'_, A>> {
    let mut stands: Vec<Stands<'_, A>> = Vec::new();
    let mut places: BTreeMap<u64, usize> = BTreeMap::new();
    for answer in answers {
        let corrected = answer.corrects().and_then(|record| places.get(&record).copied());
        let place = corrected.unwrap_or(stands.len());
        match stands.get_mut(place) {
            Some(one) => one.answer = answer,
            None => stands.push(Stands { answer, first: answer }),
        }
        places.insert(answer.record(), place);
    }
    stands
}

/// Why an answer cannot be recorded, in words for the person who gave it.
pub fn refusal(disposition: Option<Disposition>, note: Option<&str>) -> Option<&'static str> {
    match disposition {
        None => Some("Choose what you say"),
        Some(Disposition::NotRelevant) if note.is_none_or(|note| note.trim().is_empty()) => {
            Some("Say why this is not relevant")
        }
        Some(_) => None,
    }
}

/// Whether an answer to a story fits what was said of that story before. Closing needs an answer by anybody that stands,
/// and a note or a reference, now or in one that stands; a correction names an own answer that was not corrected yet.
pub fn unfit(answer: &Answer, before: &[GivenAnswer]) -> Option<Unfit> {
    let standing = standing(before);
    if let Some(record) = answer.corrects
        && !standing.iter().any(|one| one.answer.record == record && one.answer.owner == answer.owner)
    {
        return Some(Unfit::NotTheirs);
    }
    if answer.disposition != Disposition::Closed {
        return None;
    }
    let mut others = standing.iter().filter(|one| answer.corrects != Some(one.answer.record)).peekable();
    if others.peek().is_none() {
        return Some(Unfit::NothingToClose);
    }
    let has_trace =
        answer.note.is_some() || !answer.references.is_empty() || others.any(|one| !one.answer.references.is_empty());
    (!has_trace).then_some(Unfit::ClosedWithoutTrace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        acknowledgement::{Haste, Reference, ReferenceKind, Via},
        id::{OwnerId, StoryNo},
    };

    fn given(record: u64, owner: &str, disposition: Disposition, corrects: Option<u64>) -> GivenAnswer {
        let at = "2026-11-20T09:31:00Z".parse().unwrap();
        GivenAnswer {
            at,
            happened: at,
            owner: OwnerId::new(owner),
            owner_name: owner.to_owned(),
            disposition,
            note: None,
            references: Vec::new(),
            corrects,
            haste: Haste::None,
            record,
        }
    }

    fn records(answers: &[GivenAnswer]) -> Vec<(u64, u64)> {
        standing(answers).iter().map(|one| (one.first.record, one.answer.record)).collect()
    }

    #[test]
    fn a_correction_stands_where_the_answer_stood_that_it_corrects() {
        use Disposition::{Acted, Closed, Discuss, Watching};
        let mut answers = vec![given(3, "maria", Watching, None), given(5, "maria", Closed, None)];
        assert_eq!(records(&answers), [(3, 3), (5, 5)]);
        answers.push(given(8, "maria", Acted, Some(3)));
        assert_eq!(records(&answers), [(3, 8), (5, 5)], "the closing is still the last word");
        answers.push(given(9, "maria", Discuss, Some(8)));
        assert_eq!(records(&answers), [(3, 9), (5, 5)], "a correction is corrected");
        answers.push(given(11, "maria", Watching, Some(5)));
        assert_eq!(records(&answers), [(3, 9), (5, 11)]);
        answers.push(given(12, "maria", Watching, Some(2)));
        assert_eq!(records(&answers), [(3, 9), (5, 11), (12, 12)], "the corrected one is not among them");
        assert_eq!(records(&[]), []);
    }

    #[test]
    fn what_was_corrected_closes_nothing_and_is_not_corrected_again() {
        let of = |disposition, corrects| Answer {
            owner: OwnerId::new("maria"),
            digest: None,
            stories: vec![StoryNo(1)],
            disposition,
            note: None,
            references: Vec::new(),
            corrects,
            happened: None,
            nonce: "n".to_owned(),
            via: Via::Shell,
            haste: Haste::None,
        };
        let ticket = Reference { kind: ReferenceKind::Ticket, text: "CHG-118".to_owned() };
        let with_ticket =
            |record| GivenAnswer { references: vec![ticket.clone()], ..given(record, "jon", Disposition::Acted, None) };
        let closed = of(Disposition::Closed, None);
        assert_eq!(unfit(&closed, &[]), Some(Unfit::NothingToClose));
        assert_eq!(unfit(&closed, &[with_ticket(1)]), None, "anybody's reference is a trace");
        let without = [with_ticket(1), given(2, "jon", Disposition::Watching, Some(1))];
        assert_eq!(unfit(&closed, &without), Some(Unfit::ClosedWithoutTrace), "the ticket was taken back");

        let before = [given(1, "maria", Disposition::Acted, None), given(2, "maria", Disposition::Watching, Some(1))];
        assert_eq!(unfit(&of(Disposition::Acted, Some(1)), &before), Some(Unfit::NotTheirs));
        assert_eq!(unfit(&of(Disposition::Acted, Some(2)), &before), None);
        assert_eq!(unfit(&of(Disposition::Closed, Some(2)), &before), Some(Unfit::NothingToClose));
        assert_eq!(unfit(&of(Disposition::Acted, Some(1)), &[with_ticket(1)]), Some(Unfit::NotTheirs), "it is jon's");
    }
}
