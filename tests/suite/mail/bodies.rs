//! Bodies on the wire: they arrive as they were sent, or do not leave.

use super::{MARIA, accepted, plain, unfit};
use crate::harness::smtp_server::SmtpServer;

/// Bodies made of what a server could take for something else, from a fixed seed.
struct Bodies(u64);

impl Bodies {
    fn number(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn next_body(&mut self) -> Vec<u8> {
        const PIECES: [&str; 12] =
            [".", "..", ".\r\n", "\r\n", "\r\n.\r\n", "\r\n..", "QUIT", "MAIL FROM:<x>", " ", "\t", "=3D", "a"];
        let mut body = b"Subject: x\r\n\r\n".to_vec();
        for _ in 0..self.number(12) {
            body.extend_from_slice(PIECES[usize::try_from(self.number(12)).unwrap()].as_bytes());
        }
        if self.number(50) == 0 {
            let longest = usize::try_from(self.number(998)).unwrap() + 1;
            body.extend_from_slice(b"\r\n.");
            body.extend(std::iter::repeat_n(b'.', longest - 1));
        }
        body.extend_from_slice(b"\r\n");
        body
    }
}

#[test]
fn m_09_ten_thousand_bodies_arrive_as_they_were_sent() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    let mut session = mailer.session();
    let mut bodies = Bodies(20_261_122);
    let sent: Vec<Vec<u8>> = std::iter::repeat_with(|| bodies.next_body()).take(10_000).collect();
    for body in &sent {
        accepted(&session.send(MARIA, body, ""));
    }
    drop(session);
    let received = server.mails();
    assert_eq!(received.len(), sent.len());
    for (sent, mail) in sent.iter().zip(&received) {
        assert_eq!(sent, &mail.raw, "{:?}", String::from_utf8_lossy(sent));
    }
    assert_eq!(server.count("QUIT"), 1, "nothing inside a body was taken for a command");
}

#[test]
fn m_09_bytes_that_are_not_canonical_never_reach_the_wire() {
    let server = SmtpServer::start();
    let mailer = plain(&server);
    let mut session = mailer.session();
    let long = [b'a'; 999];
    for bad in [b"a\n.\nMAIL FROM:<x@example.com>\r\n".as_slice(), b"a\rb\r\n", b"a\0\r\n", &long, b""] {
        unfit(&session.send(MARIA, bad, ""), "not canonical");
    }
    assert_eq!((server.connections(), server.commands().len()), (0, 0));
}

#[test]
fn m_09_bytes_beyond_ascii_go_only_where_8bitmime_is_offered() {
    let body = "Subject: x\r\n\r\nGrüße\r\n".as_bytes();
    let server = SmtpServer::start();
    accepted(&plain(&server).session().send(MARIA, body, ""));
    assert_eq!(server.mails()[0].raw, body);
    assert_eq!(server.count("MAIL FROM:<SIGTRAIL@EXAMPLE.COM> BODY=8BITMIME"), 1);
    server.offer(|offers| offers.wide = false);
    unfit(&plain(&server).session().send(MARIA, body, ""), "does not offer 8BITMIME");
}
