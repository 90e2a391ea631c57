//! Real servers at both ends: postfix takes the digests, delivers one and returns another; dovecot serves the mailbox that
//! it comes back to.

use std::{fs, path::Path};

use jiff::SignedDuration;
use serde_json::Value;
use sigtrail::jobs::inbound::look_due;

use super::{FRIDAY, holders, reasons, sigtrail, states};
use crate::harness::{
    dovecot::Dovecot,
    page::{Page, nonce_of},
    postfix::Postfix,
    world::{World, rss},
};

/// Maria has Quillgate, and Jon, whose mailbox is gone, has libmarrow; Ines stands in for Jon.
fn office(postfix: &Postfix, inbound: &str) -> World {
    let world = World::at(FRIDAY);
    let port = world.smtp.port();
    let mut world = world
        .replace_setting(&format!("port = {port}\n"), &format!("port = {}\n", postfix.port()))
        .owner("maria", "Maria Lopez", "")
        .owner("jon", "Jon Bright", "deputy = \"ines\"")
        .owner("ines", "Ines Ruiz", "")
        .component("libmarrow", "libmarrow", "jon", &["libmarrow"])
        .component("quillgate", "Quillgate VPN", "maria", &["quillgate"])
        .settings(inbound)
        .feed("cert", "");
    let items = [("libmarrow crash", "a1", "Long names."), ("Quillgate: a hole", "a3", "Crafted cookies.")];
    world.publish("cert", &rss(&items));
    world.tick();
    assert_eq!(states(&mut world), ["accepted", "accepted"], "postfix takes both");
    world
}

/// The text of a mail as it lies in a mailbox.
fn text(mail: &[u8]) -> String {
    let message = mail_parser::MessageParser::default().parse(mail).unwrap();
    message.body_text(0).unwrap().into_owned()
}

/// Opens the link of the first story in a mail and answers.
fn answer(page: &Page, mail: &[u8], disposition: &str) {
    let text = text(mail);
    let path = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("https://sigtrail.example.com"))
        .find(|path| path.ends_with("/1"))
        .unwrap_or_else(|| panic!("no link to a story: {text}"));
    let form = page.get(path);
    assert_eq!(form.status, 200);
    let nonce = nonce_of(&form.body);
    let reply = page.post(path, &format!("disposition={disposition}&note=done&reference=&nonce={nonce}"));
    assert!(reply.status < 400, "{}", reply.body);
}

/// Lets time pass until a digest with this story has left for this owner, and takes it from the mailbox.
fn digest_with(world: &mut World, postfix: &Postfix, owner: &str, title: &str) -> Vec<u8> {
    for _ in 0..40 {
        let stories = world.stories();
        let story = stories.iter().find(|story| story.title().is_some_and(|known| known.contains(title))).unwrap();
        let has_left = world.context().store.read(|read| {
            let digest =
                read.assignments(story.no)?.iter().find(|one| one.owner.as_str() == owner).and_then(|one| one.digest);
            Ok(digest.map(|digest| read.delivery_of(digest)).transpose()?.is_some_and(|row| row.delivered_at.is_some()))
        });
        if has_left.unwrap() {
            let is_it = |mails: Vec<Vec<u8>>| mails.into_iter().find(|mail| text(mail).contains(title));
            return is_it(postfix.wait_for(&format!("{owner}@example.com"), 1)).expect("the digest is the first mail");
        }
        world.wait(SignedDuration::from_hours(3));
        world.tick();
    }
    panic!("{owner} gets no mail");
}

/// The records of a pack, in order.
fn records(pack: &Path) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(pack.join("records")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>())
        .collect()
}

/// The kinds of the records about one story, in order, with what became of it: of its entry, of the digests that told of
/// it, and of their deliveries.
fn chain(records: &[Value], title: &str) -> Vec<String> {
    let of = |record: &Value, field: &str| record["fields"][field].as_i64();
    let first = records.iter().find(|record| record["fields"]["title"] == title).unwrap();
    let (entry, story) = (of(first, "entry"), of(first, "story"));
    let tells = |record: &&Value| {
        record["kind"] == "digest-composed"
            && record["fields"]["kind"] != "passed"
            && record["fields"]["stories"].as_array().unwrap().iter().any(|one| one.as_i64() == story)
    };
    let digests: Vec<Option<i64>> = records.iter().filter(tells).map(|record| of(record, "digest")).collect();
    let is_one = |record: &&Value| digests.contains(&of(record, "digest"));
    let starts = records.iter().filter(|record| record["kind"] == "delivery-started").filter(is_one);
    let deliveries: Vec<Option<i64>> = starts.map(|record| of(record, "delivery")).collect();
    let mut chain = Vec::new();
    for record in records {
        let kind = record["kind"].as_str().unwrap();
        let is_ours = match kind {
            "entry-received" | "entry-tagged" | "entry-routed" => of(record, "entry") == entry,
            "digest-composed" => tells(&record),
            "delivery-started" | "delivery-finished" | "bounced" => deliveries.contains(&of(record, "delivery")),
            "acknowledged" => record["fields"]["stories"].as_array().unwrap().iter().any(|one| one.as_i64() == story),
            _ => false,
        };
        if is_ours {
            let what = &record["fields"][if kind == "acknowledged" { "disposition" } else { "outcome" }];
            chain.push(what.as_str().map_or_else(|| kind.to_owned(), |what| format!("{kind} {what}")));
        }
    }
    chain
}

#[test]
fn a_digest_is_answered_and_another_bounces_and_the_pack_shows_both_chains() {
    let Some(postfix) = Postfix::start_returning("jon@example.com", "sigtrail@example.com") else { return };
    let (returned, owner) = postfix.returned();
    let Some(dovecot) = Dovecot::serve(&returned, owner) else { return };
    let tls = format!("port = {}\ntls = \"tls\"\nca_file = \"{}\"", dovecot.tls_port, dovecot.ca_file().display());
    let mut world = office(&postfix, &dovecot.inbound(&tls));
    let page = Page::open(&mut world);

    let to_maria = postfix.wait_for("maria@example.com", 1).remove(0);
    answer(&page, &to_maria, "acted");
    postfix.wait_for_returned(1);
    world.wait(SignedDuration::from_mins(5));
    let report = world.tick().inbound;
    assert_eq!((report.messages, report.reports.len(), report.trouble), (1, 1, None));
    assert!(report.reports[0].has_moved && report.reports[0].owner.as_str() == "jon");
    assert_eq!(holders(&mut world, "libmarrow"), ["ines"]);
    assert!(reasons(&mut world).iter().any(|(reason, who)| reason.as_str() == "delivery-bounced" && who == "jon"));
    let to_ines = digest_with(&mut world, &postfix, "ines", "libmarrow crash");
    assert!(text(&to_ines).contains("libmarrow crash"));
    answer(&page, &to_ines, "watching");

    let root = world.root.path();
    let mail = root.join("maria-1.eml");
    fs::write(&mail, &to_maria).unwrap();
    let exported = sigtrail(root, &["evidence", "export", "pack"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let verified = sigtrail(root, &["evidence", "verify", "pack", "--mail", mail.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success() && said.contains("1 from mail"), "{said}");
    let records = records(&root.join("pack"));
    let told = ["entry-received", "entry-tagged", "entry-routed", "digest-composed", "delivery-started"];
    let chain_to = |disposition: &str, between: &[&str]| {
        let all = [&told[..], &["delivery-finished accepted"], between, &[disposition]].concat();
        all.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(chain(&records, "Quillgate: a hole"), chain_to("acknowledged acted", &[]));
    let over = ["bounced", "entry-routed", "digest-composed", "delivery-started", "delivery-finished accepted"];
    assert_eq!(chain(&records, "libmarrow crash"), chain_to("acknowledged watching", &over));
}

#[test]
fn m_24_what_a_real_server_returns_into_a_maildir_moves_the_digest_that_it_names() {
    let Some(postfix) = Postfix::start_returning("jon@example.com", "sigtrail@example.com") else { return };
    let (returned, _) = postfix.returned();
    let mut world = office(&postfix, &format!("[inbound]\nmaildir = \"{}\"\n", returned.display()));
    postfix.wait_for_returned(1);
    world.wait(SignedDuration::from_mins(5));
    let report = look_due(&world.context()).unwrap();
    assert!(report.reports.len() == 1 && report.reports[0].has_moved, "{report:?}");
    assert_eq!(states(&mut world), ["accepted", "bounced"]);
    assert_eq!(holders(&mut world, "libmarrow"), ["ines"]);
    assert_eq!(holders(&mut world, "Quillgate"), ["maria"]);
    let bounced = world.records_of("bounced");
    assert_eq!(bounced[0]["fields"]["status"], "5.1.1");
    assert_eq!(fs::read_dir(returned.join("new")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(returned.join("cur")).unwrap().count(), 1);
}
