//! What was typed into the form, and what is wrong with it. No storing and no showing.

use url::form_urlencoded;

use crate::{
    answer::refusal,
    compose::words,
    model::acknowledgement::{Disposition, MAX_NOTE, Reference, ReferenceKind, Unfit},
};

/// The fields of the form as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// What is said; `None`: nothing chosen, or a word that we do not know.
    pub disposition: Option<Disposition>,
    /// Why, in the person's own words; lines end in LF.
    pub note: String,
    /// What it refers to, one line.
    pub reference: String,
    /// What that leads to; `None`: nothing chosen, or a word that we do not know.
    pub kind: Option<ReferenceKind>,
    /// Whether the form asked for that kind; one that does not means a ticket.
    pub asks_kind: bool,
    /// The record of the earlier answer that this one corrects; of what is no number, one that is nobody's.
    pub corrects: Option<u64>,
    /// The form's nonce.
    pub nonce: String,
}

/// A field that cannot be taken as it is, with what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The field's name.
    pub field: &'static str,
    /// What to do, in words.
    pub words: String,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded` fields; the first of a name counts, unknown ones are left alone.
    pub(super) fn read(body: &[u8]) -> Form {
        let mut form = Form::default();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            if seen.iter().any(|known| *known == name) {
                continue;
            }
            match &*name {
                "disposition" => form.disposition = Disposition::parse(&value),
                "note" => form.note = paragraphs(&value),
                "reference" => form.reference = words::line(&value),
                "reference_kind" => (form.kind, form.asks_kind) = (ReferenceKind::parse(&value), true),
                "corrects" if value.is_empty() => {}
                "corrects" => form.corrects = Some(value.parse().unwrap_or(u64::MAX)),
                "nonce" => form.nonce = value.into_owned(),
                _ => continue,
            }
            seen.push(name.into_owned());
        }
        form
    }

    /// Everything that is wrong, in the order of the fields.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if let Some(words) = refusal(self.disposition, Some(&self.note)) {
            let field = if self.disposition.is_none() { "disposition" } else { "note" };
            mistakes.push(Mistake { field, words: words.to_owned() });
        }
        for (field, text) in [("note", &self.note), ("reference", &self.reference)] {
            let length = text.chars().count();
            if length > MAX_NOTE {
                let words = format!(
                    "Use at most {} characters; there are {}",
                    words::grouped(MAX_NOTE as u64),
                    words::grouped(length as u64)
                );
                mistakes.push(Mistake { field, words });
            }
        }
        if !self.reference.is_empty() && self.kind.is_none() && self.asks_kind {
            mistakes.push(Mistake { field: "kind", words: "Choose what the reference is".to_owned() });
        }
        mistakes
    }

    /// What was typed, to be copied where no form shows it any more.
    pub(super) fn typed(&self) -> String {
        let typed = [self.note.as_str(), self.reference.as_str()].into_iter().filter(|text| !text.is_empty());
        typed.collect::<Vec<_>>().join("\n")
    }

    /// What the answer refers to.
    pub(super) fn references(&self) -> Vec<Reference> {
        let kind = self.kind.unwrap_or(ReferenceKind::Ticket);
        some(&self.reference).map(|text| Reference { kind, text }).into_iter().collect()
    }
}

/// What does not fit what was said before, at the field that can mend it.
pub(super) fn misfit(unfit: Unfit) -> Mistake {
    let field = match unfit {
        Unfit::NothingToClose => "disposition",
        Unfit::ClosedWithoutTrace => "note",
        Unfit::NotTheirs => "corrects",
    };
    Mistake { field, words: unfit.as_str().to_owned() }
}

/// Clean lines with LF between them, without empty ones at the ends.
fn paragraphs(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(words::line).collect();
    lines.join("\n").trim().to_owned()
}

/// A text, or nothing where it is empty.
pub(super) fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_read_and_cleaned() {
        let form = Form::read(
            b"disposition=not-relevant&note=+not%0D%0A%0D%0Aours%00%E2%80%AE+&reference=CHG-118%0D%0Ax&nonce=abc&other=1&note=second",
        );
        assert_eq!(form.disposition, Some(Disposition::NotRelevant));
        assert_eq!(form.note, "not\n\nours");
        assert_eq!(form.reference, "CHG-118 x");
        assert_eq!(form.nonce, "abc");
        assert_eq!(form.mistakes(), []);
    }

    #[test]
    fn nothing_chosen_and_a_missing_reason_are_said_in_plain_words() {
        let nothing = Form::read(b"disposition=nonsense&note=x");
        assert_eq!(nothing.mistakes()[0].words, "Choose what you say");
        assert_eq!(nothing.mistakes()[0].field, "disposition");
        let no_reason = Form::read(b"disposition=not-relevant&note=+%0A+");
        assert_eq!(no_reason.mistakes()[0].words, "Say why this is not relevant");
        assert_eq!(no_reason.mistakes()[0].field, "note");
    }

    #[test]
    fn a_text_that_is_too_long_is_refused_with_its_length() {
        let form = Form { disposition: Some(Disposition::Acted), note: "ä".repeat(2_001), ..Form::default() };
        assert_eq!(form.mistakes()[0].words, "Use at most 2,000 characters; there are 2,001");
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let form = Form::read(b"%ff%fe=%&note=%ff&&&==");
        assert_eq!(form.disposition, None);
        assert_eq!(form.note, "\u{fffd}");
    }
}
