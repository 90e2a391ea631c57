//! TLS and logins: what a server has to show before it gets a message.

use sigtrail::model::{
    delivery::SendOutcome,
    settings::{MailTls, MailTransport},
};

use super::{BODY, MARIA, accepted, impatient, mailer_for, send, starttls, unreachable, with_login};
use crate::harness::smtp_server::{Act, Certificate, Offers, SmtpServer, Stage};

#[test]
fn a_message_goes_under_starttls_and_under_tls() {
    let server = SmtpServer::offering(starttls());
    accepted(&send(&mailer_for(&server.settings(MailTls::Starttls))));
    let commands: Vec<String> = server.commands();
    let words: Vec<&str> = commands.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(words, ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT"]);
    let server = SmtpServer::offering(Offers { tls: true, ..Offers::default() });
    accepted(&send(&mailer_for(&server.settings(MailTls::Tls))));
    assert_eq!(server.mailbox(MARIA)[0].raw, BODY);
}

#[test]
fn m_22_a_server_without_starttls_gets_nothing_when_it_is_asked_for() {
    let server = SmtpServer::start();
    unreachable(&send(&mailer_for(&server.settings(MailTls::Starttls))), "does not offer STARTTLS");
    assert_eq!(server.count("MAIL"), 0);
}

#[test]
fn m_22_a_certificate_for_another_name_is_refused() {
    for (tls, offers) in [(MailTls::Starttls, starttls()), (MailTls::Tls, Offers { tls: true, ..Offers::default() })] {
        let server = SmtpServer::offering(Offers { certificate: Certificate::For("mail.example.com"), ..offers });
        unreachable(&send(&mailer_for(&server.settings(tls))), "no TLS with");
        assert_eq!((server.count("MAIL"), server.count("AUTH")), (0, 0));
    }
}

#[test]
fn m_22_a_certificate_that_has_expired_is_refused() {
    let server = SmtpServer::offering(Offers { certificate: Certificate::ExpiredFor("127.0.0.1"), ..starttls() });
    unreachable(&send(&mailer_for(&server.settings(MailTls::Starttls))), "expired");
    assert_eq!(server.count("MAIL"), 0);
}

#[test]
fn m_22_a_certificate_that_nobody_vouches_for_is_refused() {
    let server = SmtpServer::offering(starttls());
    let mut settings = server.settings(MailTls::Starttls);
    if let MailTransport::Smtp { ca_file, .. } = &mut settings.transport {
        *ca_file = None;
    }
    unreachable(&send(&mailer_for(&settings)), "no TLS with");
}

#[test]
fn m_22_a_starttls_that_is_refused_is_no_reason_to_go_on_in_the_clear() {
    let server = SmtpServer::offering(starttls());
    let mailer = mailer_for(&server.settings(MailTls::Starttls));
    server.script(Stage::Starttls, Act::reply(502, "5.5.1 not today"));
    unreachable(&send(&mailer), "refused STARTTLS: 502 5.5.1 not today");
    server.script(Stage::Starttls, Act::reply(454, "4.7.0 TLS not available"));
    let outcome = send(&mailer);
    assert!(matches!(outcome, SendOutcome::Deferred { code: 454, .. }), "{outcome:?}");
    assert_eq!(server.count("MAIL"), 0);
}

#[test]
fn m_22_replies_that_were_slipped_in_before_the_handshake_are_refused() {
    let server = SmtpServer::offering(starttls());
    let mailer = mailer_for(&server.settings(MailTls::Starttls));
    server.script(Stage::Starttls, Act::Inject("250 AUTH PLAIN".into()));
    unreachable(&send(&mailer), "before the TLS handshake");
    assert_eq!((server.count("MAIL"), server.count("EHLO")), (0, 1));
    accepted(&send(&mailer));
}

#[test]
fn a_port_of_the_other_kind_of_tls_is_told_in_words_that_help() {
    let server = SmtpServer::start();
    let mut settings = server.settings(MailTls::Tls);
    unreachable(&send(&mailer_for(&settings)), "tls = \"starttls\"");
    let server = SmtpServer::offering(Offers { tls: true, ..Offers::default() });
    settings = server.settings(MailTls::Starttls);
    let mailer = impatient(&settings);
    unreachable(&send(&mailer), "tls = \"tls\"");
}

fn with_password() -> Offers {
    Offers { login: Some(("sigtrail".into(), "s3cret word".into())), ..starttls() }
}

#[test]
fn a_login_goes_by_plain_or_by_login_as_the_server_offers() {
    for mechanisms in ["PLAIN LOGIN", "LOGIN", "CRAM-MD5 PLAIN"] {
        let server = SmtpServer::offering(Offers { mechanisms, ..with_password() });
        let file = server.password_file("s3cret word\r\n");
        accepted(&send(&mailer_for(&with_login(server.settings(MailTls::Starttls), "sigtrail", file))));
    }
    let server = SmtpServer::offering(Offers { mechanisms: "GSSAPI", ..with_password() });
    let file = server.password_file("s3cret word");
    let mailer = mailer_for(&with_login(server.settings(MailTls::Starttls), "sigtrail", file));
    unreachable(&send(&mailer), "no login by PLAIN or LOGIN");
}

#[test]
fn m_23_a_refused_login_is_told_in_words_and_tried_once_in_a_burst() {
    let server = SmtpServer::offering(with_password());
    let file = server.password_file("wrong");
    let mailer = mailer_for(&with_login(server.settings(MailTls::Starttls), "sigtrail", file));
    let mut session = mailer.session();
    unreachable(&session.send(MARIA, BODY, ""), "refused the login: 535 5.7.8");
    for _ in 0..10 {
        let outcome = session.send(MARIA, BODY, "");
        unreachable(&outcome, "not tried again in this burst");
        assert!(!outcome.text().contains("wrong"));
    }
    assert_eq!((server.count("AUTH"), server.mails().len()), (1, 0));
}

#[test]
fn m_23_a_login_that_is_refused_for_now_is_deferred_and_one_that_falls_silent_unreachable() {
    let server = SmtpServer::offering(with_password());
    let file = server.password_file("s3cret word");
    let settings = with_login(server.settings(MailTls::Starttls), "sigtrail", file);
    let mailer = impatient(&settings);
    server.script(Stage::Auth, Act::reply(454, "4.7.0 temporary failure"));
    assert_eq!(send(&mailer), SendOutcome::Deferred { code: 454, reply: "4.7.0 temporary failure".into() });
    server.script(Stage::Auth, Act::Stall);
    unreachable(&send(&mailer), "broke off at the login: nothing came within 1500 ms");
    accepted(&send(&mailer));
}

#[test]
fn a_server_that_knows_no_ehlo_gets_nothing_where_tls_is_asked_for() {
    let server = SmtpServer::offering(starttls());
    server.script(Stage::Ehlo, Act::reply(502, "5.5.1 what?"));
    unreachable(&send(&mailer_for(&server.settings(MailTls::Starttls))), "does not know EHLO (502 5.5.1 what?)");
    assert_eq!((server.count("HELO"), server.count("MAIL")), (0, 0));
}

#[test]
fn m_23_a_password_that_was_changed_is_used_by_the_next_session() {
    let server = SmtpServer::offering(with_password());
    let file = server.password_file("old");
    let mailer = mailer_for(&with_login(server.settings(MailTls::Starttls), "sigtrail", file));
    unreachable(&send(&mailer), "refused the login");
    server.password_file("s3cret word\n");
    accepted(&send(&mailer));
}

#[test]
fn m_23_a_password_file_that_is_missing_or_empty_is_named() {
    let server = SmtpServer::offering(with_password());
    let mailer =
        mailer_for(&with_login(server.settings(MailTls::Starttls), "sigtrail", "/nonexistent/password".into()));
    unreachable(&send(&mailer), "the password file /nonexistent/password cannot be read");
    let file = server.password_file("\n");
    let mailer = mailer_for(&with_login(server.settings(MailTls::Starttls), "sigtrail", file));
    unreachable(&send(&mailer), "holds no password");
    assert_eq!(server.count("AUTH"), 0);
}
