//! What messages of real shapes are, what reports say of which digest, and that nobody's message takes long or panics.

use proptest::prelude::*;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef@example.com";
const LOCAL: &str = "0123456789abcdef0123456789abcdef";
const JON: &str = "jon@example.com";

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../tests/suite/fixtures/bounce/", $name, ".eml"))
    };
}

const REPORTS: [&str; 5] =
    [sample!("postfix"), sample!("exim"), sample!("exchange"), sample!("envelope-id-only"), sample!("german")];
const OTHERS: [&str; 7] = [
    sample!("qmail"),
    sample!("delayed"),
    sample!("delivered"),
    sample!("read-notification"),
    sample!("vacation"),
    sample!("out-of-office"),
    sample!("letter"),
];

/// A sample about one digest.
fn filled(sample: &str, message_id: &str, address: &str) -> String {
    let local = message_id.split('@').next().unwrap();
    sample.replace("MESSAGE_ID", message_id).replace("ENVELOPE_ID", local).replace("ADDRESS", address)
}

fn report(text: &str) -> Report {
    match read(text.as_bytes()) {
        Incoming::Report(report) => report,
        other => panic!("{other:?}: {text}"),
    }
}

/// What a sample says of our digest to Jon.
fn said(text: &str) -> Option<(Action, String)> {
    about(&report(text), ID, JON).map(|said| (said.action, said.text()))
}

#[test]
fn m_24_reports_of_five_kinds_of_servers_say_that_our_digest_failed_and_why() {
    let said = REPORTS.map(|sample| said(&filled(sample, ID, JON)).unwrap());
    assert!(said.iter().all(|(action, _)| *action == Action::Failed), "{said:?}");
    let texts = said.map(|(_, text)| text);
    assert!(texts[0].starts_with("5.1.1: smtp; 550 5.1.1 <jon@example.com>: Recipient address rejected: User unknown"));
    assert_eq!(texts[1], "5.0.0");
    assert!(texts[2].contains("5.1.10: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound"), "{}", texts[2]);
    assert_eq!(texts[3], "5.2.1: SMTP; 550 5.2.1 mailbox disabled");
    assert_eq!(texts[4], "5.2.2: smtp; 552 5.2.2 Das Postfach des Empfängers ist voll");
}

#[test]
fn m_24_lines_that_end_with_cr_lf_are_read_like_those_that_end_with_lf() {
    for sample in REPORTS.into_iter().chain(OTHERS) {
        let text = filled(sample, ID, JON);
        assert_eq!(read(text.as_bytes()), read(text.replace('\n', "\r\n").as_bytes()));
    }
}

#[test]
fn m_24_a_delay_and_a_delivery_are_told_from_a_failure() {
    let [_, delayed, delivered, ..] = OTHERS;
    assert_eq!(said(&filled(delayed, ID, JON)).unwrap().0, Action::Delayed);
    assert_eq!(said(&filled(delivered, ID, JON)).unwrap().0, Action::Delivered);
}

#[test]
fn m_24_a_bounce_in_words_only_is_no_report() {
    assert_eq!(read(filled(OTHERS[0], ID, JON).as_bytes()), Incoming::Other);
}

#[test]
fn m_26_what_programs_answer_is_told_from_letters_and_from_reports() {
    let kinds = OTHERS.map(|sample| read(filled(sample, ID, JON).as_bytes()));
    assert_eq!(kinds[3], Incoming::Notification);
    assert_eq!((&kinds[4], &kinds[5]), (&Incoming::AutoReply, &Incoming::AutoReply));
    assert_eq!(kinds[6], Incoming::Other);
    for head in ["Auto-Submitted: auto-generated", "precedence: AUTO_REPLY", "X-Autoreply: yes", "X-Autorespond: a"] {
        assert_eq!(read(format!("{head}\n\nacted\n").as_bytes()), Incoming::AutoReply, "{head}");
    }
    assert_eq!(read(b"Auto-Submitted: no (by hand)\n\nacted\n"), Incoming::Other);
}

#[test]
fn m_24_a_report_that_names_another_digest_or_another_recipient_is_not_about_ours() {
    let other = "ffffffffffffffffffffffffffffffff@example.com";
    for sample in REPORTS {
        assert_eq!(said(&filled(sample, other, JON)), None, "another id");
        assert_eq!(said(&filled(sample, ID, "maria@example.com")), None, "another recipient");
        let no_id = filled(sample, "", JON);
        assert_eq!(said(&no_id), None, "no id");
    }
    let foreign_domain = filled(sample!("exim"), &format!("{LOCAL}@example.net"), JON);
    assert_eq!(said(&foreign_domain), None, "our id at another domain");
    let postfix = filled(sample!("postfix"), ID, JON);
    let two_ids = postfix
        .replace(&format!("Original-Envelope-Id: {LOCAL}"), &format!("Original-Envelope-Id: {}", "f".repeat(32)));
    assert_eq!(said(&two_ids), None, "two digests at once");
    let theirs = postfix.replace(&format!("Original-Envelope-Id: {LOCAL}"), "Original-Envelope-Id: QQ4711");
    assert_eq!(said(&theirs).unwrap().0, Action::Failed, "a relay's own envelope id contradicts nothing");
    let message_of_others = postfix.replace(&format!("Message-ID: <{ID}>"), "Message-ID: <4711@example.org>");
    assert_eq!(said(&message_of_others), None, "it gives another message back");
}

#[test]
fn m_24_addresses_are_one_in_any_case_spelling_and_encoding() {
    let sample = sample!("exim");
    for same in ["JON@Example.COM", "<jon@example.com>", "jon+40example.com"] {
        let text = filled(sample, ID, JON).replace("rfc822;jon@example.com", &format!("rfc822; {same}"));
        assert!(said(&text).is_some(), "{same}");
    }
    let plus = filled(sample, ID, "ops+2B@example.com");
    assert!(about(&report(&plus), ID, "ops+2B@example.com").is_some());
    assert!(about(&report(&plus), ID, "ops+@example.com").is_some());
    let idna = filled(sample, ID, "jon@bücher.example");
    assert!(about(&report(&idna), ID, "jon@xn--bcher-kva.example").is_some());
    for other in ["jon@example.com.example", "on@example.com", "jon", "@example.com", ""] {
        assert!(about(&report(&filled(sample, ID, JON)), ID, other).is_none(), "{other}");
    }
}

#[test]
fn m_24_of_several_recipients_the_worst_word_about_ours_counts() {
    let block = "\nFinal-Recipient: rfc822; ines@example.com\nAction: failed\nStatus: 5.1.1\n\
                 \nFinal-Recipient: rfc822; jon@example.com\nAction: delayed\nStatus: 4.0.0\n\
                 \nFinal-Recipient: rfc822; jon@example.com\nAction: failed\nStatus: 5.4.7\n";
    let text = filled(sample!("delayed"), ID, "ines@example.com").replace("Connection timed out\n", block);
    assert_eq!(said(&text), Some((Action::Failed, "5.4.7".to_owned())));
}

#[test]
fn m_24_bombs_are_read_in_part_and_quickly() {
    let head = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n";
    let group = "Final-Recipient: rfc822; jon@example.com\nAction: failed\nStatus: 5.1.1\n\n";
    let many = report(&format!("{head}--b\nContent-Type: message/delivery-status\n\n{}--b--\n", group.repeat(60_000)));
    assert!(many.recipients.len() <= 100, "{}", many.recipients.len());
    let long = format!(
        "{head}--b\nContent-Type: message/delivery-status\n\nAction: failed\nDiagnostic-Code: {}",
        "x".repeat(10 << 20)
    );
    assert!(report(&long).recipients[0].diagnostic.len() <= 512);
    let folded = format!(
        "{head}--b\nContent-Type: message/delivery-status\n\nAction: failed\nDiagnostic-Code: a\n{}",
        " x\n".repeat(1 << 20)
    );
    assert!(report(&folded).recipients[0].diagnostic.len() <= 512);
    let nested = (0..100_000).fold(head.to_owned(), |text, n| {
        text + &format!("--b\nContent-Type: multipart/report; boundary=b{n}\n\n--b{n}\n")
    });
    assert_eq!(read(nested.as_bytes()), Incoming::Other);
    let fields = "A: b\n".repeat(2 << 20);
    assert_eq!(read(fields.as_bytes()), Incoming::Other);
    let parameters = format!("Content-Type: multipart/report{}\n\n", "; a=\"\\\"".repeat(1 << 20));
    assert_eq!(read(parameters.as_bytes()), Incoming::Other);
    let late =
        format!("{head}--b\n\n{}\n--b\nContent-Type: message/delivery-status\n\n{group}--b--\n", "x".repeat(LONGEST));
    assert_eq!(read(late.as_bytes()), Incoming::Other, "what stands beyond the limit is not there");
    for bytes in
        [vec![0; 10 << 20], vec![b'\n'; 10 << 20], vec![b'-'; 10 << 20], b"--b\n".repeat(2 << 20), vec![0xFF; 10 << 20]]
    {
        assert_eq!(read(&bytes), Incoming::Other);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn m_24_a_sample_with_changed_cut_and_repeated_bytes_never_panics_nor_counts_for_another_digest(
        which in 0..12_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8, any::<u8>()), 1..20)
    ) {
        let all: Vec<&str> = REPORTS.into_iter().chain(OTHERS).collect();
        let mut bytes = filled(all[which], ID, JON).into_bytes();
        for (place, kind, byte) in edits {
            if bytes.is_empty() { break; }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                3 => bytes.truncate(at),
                _ => { let copy = bytes[at..(at + usize::from(byte)).min(bytes.len())].to_vec(); bytes.extend(copy); }
            }
        }
        if let Incoming::Report(report) = read(&bytes) {
            prop_assert!(candidates(&report).len() <= 2);
            prop_assert!(about(&report, "ffffffffffffffffffffffffffffffff@example.com", JON).is_none());
            prop_assert!(about(&report, ID, "ines@example.com").is_none());
        }
    }

    #[test]
    fn m_24_no_bytes_panic(bytes in prop::collection::vec(prop::sample::select(b"ab-: ;=\"\\\r\n\tReport/\xFF\0".to_vec()), 0..300)) {
        let _ = read(&[b"Content-Type: multipart/report; boundary=a\n\n".as_slice(), &bytes].concat());
        let _ = read(&bytes);
    }
}
