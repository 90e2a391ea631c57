//! A real Postfix as the mail server: it wants a login, it does not know somebody, it takes a mail and returns it later.

use sigtrail::{
    mail::{Mailer, Outgoing},
    model::{
        delivery::{Attempted, RelayFault, SendOutcome},
        settings::{MailSettings, MailTls, MailTransport},
    },
};

use super::{MINUTE, has, mail_turn, one_story_for_jon, queued};
use crate::harness::postfix::{Postfix, Wishes};

const BODY: &[u8] = b"Message-ID: <d1.abc@example.com>\r\nSubject: digest\r\n\r\nOne story.\r\n";

fn attempt(settings: &MailSettings, to: &str) -> Attempted {
    let mailer = Mailer::open(settings, std::path::Path::new("/nonexistent")).unwrap();
    mailer.session().hand_over(&Outgoing { to, message_id: "d1.abc@example.com", bytes: BODY, file: "" })
}

#[test]
fn m_23_a_real_server_takes_the_right_login_under_starttls_and_no_other() {
    let wishes = Wishes { login: Some(("sigtrail", "s3cret word")), ..Wishes::default() };
    let Some(postfix) = Postfix::start_as(&wishes) else { return };
    let folder = tempfile::tempdir().unwrap();
    let with = |password: &str| {
        let file = folder.path().join("password");
        std::fs::write(&file, password).unwrap();
        let mut settings = postfix.settings(MailTls::Starttls);
        if let MailTransport::Smtp { login, .. } = &mut settings.transport {
            *login = Some(("sigtrail@example.com".into(), file));
        }
        attempt(&settings, "maria@example.com")
    };
    let wrong = with("another word");
    assert_eq!(wrong.trouble.as_ref().map(|trouble| trouble.fault), Some(RelayFault::Login), "{wrong:?}");
    assert!(wrong.outcome.text().contains("refused the login: 535"), "{wrong:?}{}", postfix.log());
    let right = with("s3cret word\n");
    assert!(matches!(right.outcome, SendOutcome::Accepted { code: 250, .. }), "{right:?}");
    assert_eq!(right.trouble, None);
    postfix.wait_for("maria@example.com", 1);
    // Without TLS it offers no login, and nothing is sent in the clear.
    let mut plain = postfix.settings(MailTls::None);
    if let MailTransport::Smtp { login, .. } = &mut plain.transport {
        *login = Some(("sigtrail@example.com".into(), folder.path().join("password")));
    }
    let refused = attempt(&plain, "maria@example.com");
    assert!(refused.outcome.text().contains("no login by PLAIN or LOGIN"), "{refused:?}");
    let without = attempt(&postfix.settings(MailTls::Starttls), "maria@example.com");
    assert!(!matches!(without.outcome, SendOutcome::Accepted { .. }), "{without:?}");
}

#[test]
fn m_12_a_real_server_that_does_not_know_the_owner_hands_the_story_to_the_deputy() {
    let wishes = Wishes { known: Some(vec!["ines@example.com", "sigtrail@example.com"]), ..Wishes::default() };
    let Some(postfix) = Postfix::start_as(&wishes) else { return };
    let mut world = postfix.serve(one_story_for_jon(), "");
    let first = world.tick().deliveries.deliveries;
    let Some(SendOutcome::Rejected { code: 550, reply }) = &first[0].outcome else { panic!("{first:?}") };
    assert!(reply.contains("5.1.1"), "{reply}");
    mail_turn(&mut world);
    let ines = postfix.wait_for("ines@example.com", 1);
    let text = String::from_utf8_lossy(&ines[0]);
    assert!(text.contains("libmarrow crash"), "{text}");
    assert_eq!(queued(&mut world), 0);
    assert_eq!(postfix.mailbox("jon@example.com").len(), 0);
}

#[test]
fn a_real_server_that_returns_a_mail_later_names_it_and_its_recipient_to_the_envelope_sender() {
    let wishes = Wishes { returned: vec!["jon@example.com"], ..Wishes::default() };
    let Some(postfix) = Postfix::start_as(&wishes) else { return };
    let mut world = postfix.serve(one_story_for_jon(), "envelope_from = \"bounces@example.com\"\n");
    let sent = world.tick().deliveries.deliveries;
    assert!(matches!(sent[0].outcome, Some(SendOutcome::Accepted { .. })), "{sent:?}");
    world.wait(MINUTE);
    assert!(!has(&mut world, "delivery-given-up"), "a server took it; what comes back is another story");
    let returned = postfix.wait_for("bounces@example.com", 1);
    assert_eq!(returned.len(), 1);
    let report = String::from_utf8_lossy(&returned[0]).into_owned();
    let composed = world.records_of("digest-composed");
    let message_id = composed[0]["fields"]["message_id"].as_str().unwrap();
    let id = message_id.split('@').next().unwrap();
    for line in [
        format!("Original-Envelope-Id: {id}"),
        "Original-Recipient: rfc822;jon@example.com".to_owned(),
        "Action: failed".to_owned(),
        "Status: 5.1.1".to_owned(),
        format!("Message-ID: <{message_id}>"),
    ] {
        assert!(report.contains(&line), "{line} is not in:\n{report}");
    }
    assert!(
        report.contains("text/rfc822-headers") && !report.contains("libmarrow crash\n"),
        "only the header comes back"
    );
}
