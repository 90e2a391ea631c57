//! The register edited by command: the real program, a `feeds.toml` written by a person, and what stands in it afterwards.
//! Nothing here asks the network for anything. Real lists of feeds stay outside: `SIGTRAIL_CORPUS` names their folder.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Output, time::Duration};

use serde_json::Value;
use sigtrail::{catalogue, clock::Stopwatch, config};

use crate::harness::{corpus, daemon::Site};

const REGISTER: &str = "# Our feeds. Ask Maria before you touch them.\n\n# ---- Authorities\n\n[[group]]\nid = \"tarn\"   # the CERT\n\
                        name = \"Tarn CERT\"\nreason = \"First word\"\nowner = \"jon\"\n\n# All of it.\n[[feed]]\n\
                        name = \"Tarn advisories\"\nurl = \"https://tarn.example/all.xml\"\nowner = \"jon\"\ngroup = \"tarn\"\n\
                        #every = \"2h\"\n\n# ---- Makers\n\n[[feed]]\nid = \"marrow\"\nname = \"libmarrow releases\"\n\
                        url = \"https://marrow.example/feed\"\nowner = \"maria\"\n";

/// A site with two feeds and a second owner.
fn site() -> Site {
    let site = Site::new(REGISTER, "transport = \"directory\"");
    let owners = site.read("config/owners.toml");
    let jon = "\n[[owner]]\nid = \"jon\"\nname = \"Jon Bright\"\naddress = \"jon@example.com\"\n";
    site.write("config/owners.toml", &(owners + jon));
    site
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command says on standard output and on standard error; it must end well.
fn done(site: &Site, words: &[&str]) -> (String, String) {
    let output = site.command(words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// What a command says that is refused; the register must be as it was.
fn refused(site: &Site, words: &[&str]) -> String {
    let before = site.read("feeds.toml");
    let output = site.command(words);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {}", text(&output.stdout));
    assert_eq!(text(&output.stdout), "", "{words:?}");
    assert_eq!(site.read("feeds.toml"), before, "{words:?}");
    text(&output.stderr)
}

/// A state that knows both feeds, and these. Nothing is asked of the network: they are off when it is made.
fn make_state(site: &Site, more: &str) {
    let off = REGISTER
        .replace("#every = \"2h\"", "enabled = false")
        .replace("owner = \"maria\"\n", "owner = \"maria\"\nenabled = false\n");
    site.write("feeds.toml", &format!("{off}{more}"));
    done(site, &["tick"]);
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn opml(outlines: &str) -> String {
    format!("<opml version=\"2.0\"><head><title>x</title></head><body>\n{outlines}\n</body></opml>\n")
}

#[test]
fn a_feed_is_added_to_the_end_and_every_other_byte_stays() {
    let site = site();
    let (out, talk) = done(&site, &["feeds", "add", "https://quillgate.example/psirt.xml"]);
    let added =
        "\n[[feed]]\nname = \"quillgate.example\"\nurl = \"https://quillgate.example/psirt.xml\"\nowner = \"maria\"\n";
    assert_eq!(site.read("feeds.toml"), format!("{REGISTER}{added}"));
    let path = site.path("feeds.toml").display().to_string();
    assert_eq!(out, format!("written  {path}:27  feed quillgate-example, owner maria\n"));
    assert!(talk.contains("owner: maria, the fallback; --owner names another\n"), "{talk}");
    assert!(talk.contains("feeds test quillgate-example\n"), "{talk}");
    assert!(talk.contains("next: nothing runs on this state; "), "{talk}");
    assert!(!site.state().exists());
    done(&site, &["check"]);
}

#[test]
fn a_feed_of_a_group_comes_behind_the_others_with_all_that_was_said_of_it() {
    let site = site();
    let output = site.command(&[
        "--json",
        "feeds",
        "add",
        "https://tarn.example/kev.json",
        "--name",
        "Tarn exploited",
        "--id",
        "tarn-kev",
        "--group",
        "tarn",
        "--every",
        "4h",
        "--unmatched",
        "none",
        "--baseline",
        "5",
        "--tlp",
        "GREEN",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let added = "\n[[feed]]\nid = \"tarn-kev\"\nname = \"Tarn exploited\"\nurl = \"https://tarn.example/kev.json\"\n\
                 owner = \"jon\"\ngroup = \"tarn\"\nevery = \"4h\"\nunmatched = \"none\"\nbaseline = 5\ntlp = \"GREEN\"\n";
    assert_eq!(site.read("feeds.toml"), REGISTER.replace("#every = \"2h\"\n", &format!("#every = \"2h\"\n{added}")));
    let line = &lines(&output)[0];
    assert_eq!(
        (line["feed"].as_str(), line["owner"].as_str(), line["line"].as_u64()),
        (Some("tarn-kev"), Some("jon"), Some(19))
    );
}

#[test]
fn every_source_of_the_catalogue_can_be_added_by_its_identifier_with_its_group() {
    let site = site();
    let listed = catalogue::all();
    for one in listed.iter().filter(|one| one.url.is_some()) {
        done(&site, &["feeds", "add", &one.id]);
    }
    let (config, warnings) = config::load(site.root.path()).unwrap();
    assert!(warnings.is_empty(), "{}", config::render(&warnings, &config.files, false));
    for one in listed {
        let feed = config.feeds.iter().find(|feed| feed.id.as_str() == one.id);
        assert_eq!(feed.is_some(), one.url.is_some(), "{}", one.id);
        let Some(feed) = feed else {
            assert!(refused(&site, &["feeds", "add", &one.id]).contains(&one.instead), "{}", one.id);
            continue;
        };
        let group = config.group(feed.group.as_ref().unwrap()).unwrap();
        assert_eq!((group.id.as_str(), group.reason.as_deref()), (one.group_id.as_str(), Some(one.reason.as_str())));
        assert!(group.kind.is_some() && feed.name == one.name, "{}", one.id);
    }
    let said = refused(&site, &["feeds", "add", "cisa-kev"]);
    assert!(said.contains("`cisa-kev` has this URL already (feeds.toml, line "), "{said}");
}

#[test]
fn what_check_would_refuse_is_refused_before_anything_is_written() {
    let site = site();
    let url = "https://new.example/feed";
    for (words, told) in [
        (&["https://tarn.example/all.xml"][..], "`tarn-advisories` has this URL already (feeds.toml, line 12)"),
        (&["https://TARN.example:443/all.xml"], "`tarn-advisories` has this URL already"),
        (
            &["http://tarn.example/all.xml/?utm_source=x"],
            "`tarn-advisories` is at https://tarn.example/all.xml already",
        ),
        (
            &[url, "--id", "marrow"],
            "there is a feed `marrow` already (feeds.toml, line 21); --id gives this one another",
        ),
        (&[url, "--name", "Tarn advisories"], "there is a feed `tarn-advisories` already"),
        (&[url, "--owner", "mria"], "no owner `mria` in config/owners.toml; did you mean `maria`?"),
        (&[url, "--group", "trn"], "unknown group `trn`"),
        (&[url, "--every", "1s"], "below fetch.min_interval"),
        (&[url, "--id", "Not An Id"], "invalid identifier"),
        (&[url, "--name", "two\nlines"], "a character that nobody sees"),
        (&[url, "--tlp", "white"], "unknown tlp `white`"),
        (&[url, "--topic", "nothing"], "unknown topic `nothing`"),
        (&["http://10.0.0.1/feed"], "address 10.0.0.1 is not public"),
        (&["http://0x7f.1/feed"], "address 127.0.0.1 is not public"),
        (&["https://me:hunter2@new.example/feed"], "a URL with a user name or password"),
        (&["file:///etc/passwd"], "the scheme is `file`"),
        (&["https://new.example/feed#top"], "a URL with a fragment"),
        (&["new.example/feed"], "write \"https://new.example/feed\""),
        (&["no-such-thing"], "`no-such-thing` is no URL, and the catalogue has none of this name"),
    ] {
        let said = refused(&site, &[&["feeds", "add"], words].concat());
        assert!(said.contains(told), "{words:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    // Everything wrong at once, each with its line.
    let said = refused(&site, &["feeds", "add", url, "--every", "1x", "--tlp", "white"]);
    assert!(said.contains("feeds.toml:31:9") && said.contains("feeds.toml:32:7"), "{said}");
    assert!(
        said.ends_with(
            "nothing was loaded\nfeeds.toml is shown as it would be, which is not as it is; nothing was written\n"
        ),
        "{said}"
    );
}

#[test]
fn a_register_with_errors_is_not_edited() {
    let site = site();
    site.write("feeds.toml", &REGISTER.replace("owner = \"maria\"", "owner = \"nobody\""));
    for words in [&["feeds", "add", "https://a.example/"][..], &["feeds", "drop", "marrow", "--reason", "x"]] {
        let said = refused(&site, words);
        assert!(said.contains("unknown owner `nobody`") && said.contains("feeds.toml:25:9"), "{said}");
    }
}

#[test]
fn an_edit_that_cannot_be_made_says_why_and_what_to_do() {
    let site = site();
    let add = ["feeds", "add", "https://a.example/feed"];
    fs::set_permissions(site.path("feeds.toml"), fs::Permissions::from_mode(0o444)).unwrap();
    let said = refused(&site, &add);
    assert!(said.contains("feeds.toml is read-only; where it is yours to edit, allow it with `chmod u+w`"), "{said}");
    fs::set_permissions(site.path("feeds.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    let listed = "feed = [{ name = \"A\", url = \"https://b.example/\", owner = \"maria\", group = \"g\" }]\n\
                  group = [{ id = \"g\", name = \"G\", owner = \"maria\" }]\n";
    site.write("feeds.toml", listed);
    let said = refused(&site, &add);
    assert!(said.contains("has its feeds in a list, `feed = [...]` (line 1), which no [[feed]] can follow; write it there by hand; nothing was written"), "{said}");
    let said = refused(&site, &["feeds", "drop", "a", "--reason", "Dead", "--group", "keep"]);
    assert!(said.contains("take it out by hand; nothing was written"), "{said}");
    let in_part = "group = [{ id = \"g\", name = \"G\", owner = \"maria\" }]\n\n[[feed]]\nname = \"A\"\n\
                   url = \"https://b.example/\"\nowner = \"maria\"\ngroup = \"g\"\n";
    site.write("feeds.toml", in_part);
    let said = refused(&site, &["feeds", "drop", "a", "--reason", "Dead", "--group", "drop"]);
    assert!(said.contains("take it out by hand, and drop the feed with --group keep; nothing was written"), "{said}");
    site.write(
        "list.opml",
        &opml("<outline text=\"Rel\" xmlUrl=\"/rel\"/><outline text=\"Net\" xmlUrl=\"//n.example/x\"/>"),
    );
    let output = site.command(&["feeds", "import", &site.path("list.opml").display().to_string()]);
    let said = text(&output.stderr);
    assert!(said.contains("write the whole address") && said.contains("\"https://n.example/x\""), "{said}");
    assert!(!said.contains("https:///"), "{said}");
}

#[test]
fn an_edit_keeps_the_files_mode_and_leaves_nothing_beside_it() {
    let site = site();
    fs::set_permissions(site.path("feeds.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    done(&site, &["feeds", "add", "https://a.example/"]);
    assert_eq!(fs::metadata(site.path("feeds.toml")).unwrap().permissions().mode() & 0o777, 0o640);
    let mut names: Vec<_> = fs::read_dir(site.root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["config", "feeds.toml"]);
}

#[test]
fn a_drop_takes_the_feed_out_records_the_reason_and_keeps_what_it_brought() {
    let site = site();
    make_state(&site, "");
    site.write("feeds.toml", REGISTER);
    let (out, talk) = done(&site, &["feeds", "drop", "marrow", "--reason", "Nothing of ours in two years"]);
    let (kept, _) = REGISTER.split_once("\n[[feed]]\nid = \"marrow\"").unwrap();
    assert_eq!(site.read("feeds.toml"), kept);
    assert!(out.starts_with("dropped  feed marrow (feeds.toml, line 21)\nrecorded as record "), "{out}");
    assert!(talk.contains("next: "), "{talk}");
    let count = |what: &str| site.number(&format!("SELECT count(*) FROM {what}"));
    assert_eq!(count("record WHERE bytes LIKE '%feed-dropped%' AND bytes LIKE '%marrow%'"), 1);
    assert_eq!(count("record WHERE bytes LIKE '%two years%'"), 0, "a text of a person is only a commitment");
    assert_eq!(count("personal WHERE text = 'Nothing of ours in two years'"), 1);
    assert_eq!(count("feed WHERE id = 'marrow'"), 1);
}

#[test]
fn a_feed_that_was_taken_out_by_hand_may_be_given_its_reason_later() {
    let site = site();
    make_state(&site, "");
    let (kept, _) = REGISTER.split_once("\n[[feed]]\nid = \"marrow\"").unwrap();
    site.write("feeds.toml", kept);
    let (out, talk) = done(&site, &["feeds", "drop", "marrow", "--reason", "Dead"]);
    assert!(out.starts_with("recorded as record ") && talk.contains("has no feed `marrow` any more"), "{out}{talk}");
    assert_eq!(site.read("feeds.toml"), kept);
    // Saying it again makes no second drop; the group of a feed that is not there goes by hand.
    let again = ["feeds", "drop", "marrow", "--reason", "Dead for good"];
    let record = out.split([' ', ';']).nth(3).unwrap();
    let (said, _) = done(&site, &again);
    assert_eq!(said, format!("recorded already as record {record}; nothing was written\n"));
    done(&site, &["tick"]);
    assert!(done(&site, &again).0.starts_with("recorded already"), "also when the configuration was loaded");
    let said = refused(&site, &[&again[..], &["--group", "drop"]].concat());
    assert!(said.contains("no group can go with it"), "{said}");
    let drops = "SELECT count(*) FROM record WHERE bytes LIKE '%feed-dropped%'";
    assert_eq!(site.number(drops), 1);
    // Once it was configured again, a drop is a new one.
    make_state(&site, "");
    site.write("feeds.toml", kept);
    assert!(done(&site, &again).0.starts_with("recorded as record "));
    assert_eq!(site.number(drops), 2);
    let said = refused(&site, &["feeds", "drop", "marow", "--reason", "Dead"]);
    assert!(said.contains("no feed `marow` in feeds.toml; there is tarn-advisories"), "{said}");
}

#[test]
fn a_group_that_loses_its_last_feed_is_kept_or_dropped_as_was_said() {
    let site = site();
    let words = ["feeds", "drop", "tarn-advisories", "--reason", "Dead"];
    let said = refused(&site, &words);
    assert!(said.contains("it is the last feed of the group `tarn`; say --group keep or --group drop"), "{said}");
    let said = refused(&site, &["feeds", "drop", "marrow", "--reason", "Dead", "--group", "drop"]);
    assert!(said.contains("belongs to no group"), "{said}");
    done(&site, &[&words[..], &["--group", "keep"]].concat());
    let kept = site.read("feeds.toml");
    assert!(kept.contains("id = \"tarn\"   # the CERT") && !kept.contains("All of it"), "{kept}");
    site.write("feeds.toml", REGISTER);
    let (out, _) = done(&site, &[&words[..], &["--group", "drop"]].concat());
    assert!(out.contains("dropped  group tarn\n") && out.contains("there is no state yet"), "{out}");
    assert_eq!(
        site.read("feeds.toml"),
        "# Our feeds. Ask Maria before you touch them.\n\n# ---- Authorities\n\n# ---- Makers\n\n[[feed]]\nid = \"marrow\"\n\
         name = \"libmarrow releases\"\nurl = \"https://marrow.example/feed\"\nowner = \"maria\"\n"
    );
    done(&site, &["check"]);
}

#[test]
fn a_drop_that_would_break_a_route_is_refused_with_the_routes_line() {
    let site = site();
    let stack = site.read("config/stack.toml");
    let route = "[[route]]\nwhen = { feed = [\"marrow\"] }\nto = [\"jon\"]\n";
    site.write("config/stack.toml", &(stack.clone() + route));
    let said = refused(&site, &["feeds", "drop", "marrow", "--reason", "Dead"]);
    let line = stack.lines().count() + 2;
    assert!(said.contains("unknown feed `marrow`") && said.contains(&format!("config/stack.toml:{line}:")), "{said}");
    assert!(refused(&site, &["feeds", "drop", "marrow", "--reason", " \u{200b} "]).contains("needs a reason"));
}

#[test]
fn a_list_is_imported_with_the_lines_of_what_was_left_out() {
    let site = site();
    site.write(
        "list.opml",
        &opml(
            "<outline text=\"Vendors\">\n<outline text=\"Quillgate\" xmlUrl=\"https://quillgate.example/psirt.xml\"/>\n\
             <outline text=\"Quillgate\" xmlUrl=\"https://quillgate.example/blog.xml#top\"/>\n\
             <outline text=\"Again\" xmlUrl=\"https://quillgate.example/psirt.xml\"/>\n</outline>\n\
             <outline text=\"Ours\" xmlUrl=\"https://tarn.example/all.xml\"/>\n\
             <outline text=\"Router\" xmlUrl=\"http://192.168.0.1/feed\"/>\n<outline type=\"rss\" text=\"Lost\"/>\n\
             <outline text=\"\u{65e5}\u{672c}\" xmlUrl=\"https://jp.example/\"/>",
        ),
    );
    let path = site.path("list.opml").display().to_string();
    let (out, talk) = done(&site, &["feeds", "import", &path]);
    let counts = "left out: 2 that cannot be followed, 1 duplicate, 1 already there\n";
    assert_eq!(out, format!("imported 3 feeds into {}; {counts}", site.path("feeds.toml").display()));
    assert!(talk.contains(&format!("{path}:8: left out: Router: address 192.168.0.1 is not public")), "{talk}");
    assert!(talk.contains(&format!("{path}:9: left out: Lost: no xmlUrl\n")), "{talk}");
    let register = site.read("feeds.toml");
    assert!(register.starts_with(REGISTER));
    assert_eq!(
        register.strip_prefix(REGISTER).unwrap(),
        "\n[[feed]]\nid = \"jp-example\"\nname = \"\u{65e5}\u{672c}\"\nurl = \"https://jp.example/\"\nowner = \"maria\"\n\
         \n# ---- Vendors\n\n[[feed]]\nname = \"Quillgate\"\nurl = \"https://quillgate.example/psirt.xml\"\nowner = \"maria\"\n\
         \n[[feed]]\nid = \"quillgate-2\"\nname = \"Quillgate\"\nurl = \"https://quillgate.example/blog.xml\"\nowner = \"maria\"\n"
    );
    // The same list again brings nothing, and is no mistake.
    let output = site.command(&["--json", "feeds", "import", &path]);
    assert_eq!(output.status.code(), Some(0));
    assert!(lines(&output).iter().all(|line| line["imported"] == false));
    assert_eq!(site.read("feeds.toml"), register);
}

#[test]
fn the_address_of_an_imported_feed_is_shown_unless_it_holds_a_password() {
    let site = site();
    site.write(
        "list.opml",
        &opml(
            "<outline text=\"At\" xmlUrl=\"https://video.example/@tarn/feed\"/>\n\
             <outline text=\"Secret\" xmlUrl=\"https://me:hunter2@video.example/feed\"/>\n\
             <outline text=\"Wrapped\" xmlUrl=\"feed:https://me:hunter2@video.example/feed\"/>",
        ),
    );
    let path = site.path("list.opml").display().to_string();
    let output = site.command(&["--json", "feeds", "import", &path]);
    let urls: Vec<Value> = lines(&output).iter().map(|line| line["url"].clone()).collect();
    assert_eq!(urls, ["https://video.example/@tarn/feed".into(), Value::Null, Value::Null]);
}

#[test]
fn a_name_that_is_made_up_is_not_that_of_a_feed_whose_history_the_state_keeps() {
    let site = site();
    let old =
        "\n[[feed]]\nname = \"quillgate.example\"\nurl = \"https://quillgate.example/old.xml\"\nowner = \"maria\"\n";
    make_state(&site, &format!("{old}enabled = false\n"));
    site.write("feeds.toml", REGISTER);
    let (out, _) = done(&site, &["feeds", "add", "https://quillgate.example/news.xml"]);
    assert!(out.contains("feed quillgate-example-news, owner maria\n"), "{out}");
    site.write("feeds.toml", REGISTER);
    site.write(
        "list.opml",
        &opml("<outline text=\"quillgate.example\" xmlUrl=\"https://quillgate.example/news.xml\"/>"),
    );
    done(&site, &["feeds", "import", &site.path("list.opml").display().to_string()]);
    assert!(site.read("feeds.toml").contains("id = \"quillgate-example-2\"\n"), "{}", site.read("feeds.toml"));
    // The feed itself comes back under its own name.
    site.write("feeds.toml", REGISTER);
    let (out, _) = done(&site, &["feeds", "add", "https://quillgate.example/old.xml"]);
    assert!(out.contains("feed quillgate-example, owner maria\n"), "{out}");
}

#[test]
fn an_import_says_who_answers_and_what_of_the_list_the_register_cannot_take() {
    let site = site();
    let outline = |number: usize, more: &str| {
        format!("<outline text=\"F{number}\" xmlUrl=\"https://f{number}.example/\" {more}/>\n")
    };
    let lines = outline(1, "sigtrail:group=\"gone\" sigtrail:owner=\"jon\"")
        + &outline(2, "sigtrail:group=\"lost\" sigtrail:owner=\"eve\"")
        + &outline(3, "sigtrail:group=\"gone\" sigtrail:owner=\"jon\"")
        + &outline(4, "sigtrail:group=\"tarn\"");
    site.write("list.opml", &opml(&lines));
    let (_, talk) = done(&site, &["feeds", "import", &site.path("list.opml").display().to_string()]);
    assert!(talk.contains("3 feeds name groups that feeds.toml does not have: gone, lost\n"), "{talk}");
    assert!(talk.contains("1 feed names owners that nobody in config/owners.toml is: eve\n"), "{talk}");
    assert!(talk.contains("owner: maria, the fallback; --owner names another\n"), "{talk}");
}

#[test]
fn a_drop_leaves_a_feed_that_is_switched_off_by_comments() {
    let site = site();
    let off = "# [[feed]]\n# name = \"For later\"\n# url = \"https://later.example/\"\n";
    site.write("feeds.toml", &format!("{REGISTER}{off}"));
    done(&site, &["feeds", "drop", "marrow", "--reason", "Dead"]);
    assert!(site.read("feeds.toml").ends_with(&format!("# ---- Makers\n{off}")), "{}", site.read("feeds.toml"));
    site.write("feeds.toml", &REGISTER.replace("# All of it.\n", off));
    done(&site, &["feeds", "drop", "tarn-advisories", "--reason", "Dead", "--group", "keep"]);
    assert!(site.read("feeds.toml").contains(off), "{}", site.read("feeds.toml"));
}

#[test]
fn h_19_an_imported_list_brings_only_names_and_addresses() {
    let site = site();
    site.write("canary", "secret");
    let canary = format!("file://{}", site.path("canary").display());
    let hostile = [
        "|~/fetch.py",
        "exec:touch touched",
        "filter:sh:https://a.example/",
        "`touch touched`",
        "$(touch touched)",
        "javascript:alert(1)",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://2130706433/",
        "https://me:pw@a.example/",
        "ftp://a.example/",
        &canary,
        "",
        "https://",
        "//a.example/x",
        "../../etc/passwd",
    ];
    let outlines: Vec<String> = hostile
        .iter()
        .map(|url| {
            format!(
                "<outline type=\"rss\" text=\"x\" xmlUrl=\"{}\" command=\"touch touched\"/>",
                url.replace('"', "&quot;")
            )
        })
        .collect();
    site.write("list.opml", &opml(&outlines.join("\n")));
    let path = site.path("list.opml").display().to_string();
    let output = site.command(&["feeds", "import", &path]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert_eq!(site.read("feeds.toml"), REGISTER);
    assert_eq!(text(&output.stderr).matches("left out: x: ").count(), hostile.len());
    assert!(!text(&output.stderr).contains("pw@") && !site.path("touched").exists());
    let output = site.command(&["--json", "feeds", "import", &path]);
    assert!(lines(&output).len() == hostile.len() && !text(&output.stdout).contains("pw@"));
    let name = "\"\n[[owner]]\nid = \"eve\"\n'''\u{202e}\u{1b}[2J";
    let name = name.replace('"', "&quot;").replace('\n', "&#10;");
    site.write("list.opml", &opml(&format!("<outline text=\"{name}\" xmlUrl=\"https://a.example/&quot;&#10;x\"/>")));
    done(&site, &["feeds", "import", &path]);
    let (config, _) = config::load(site.root.path()).unwrap();
    assert_eq!((config.owners.len(), config.feeds.len()), (2, 3));
    let feed = config.feeds.last().unwrap();
    assert_eq!(feed.name, "\" [[owner]] id = \"eve\" '''[2J");
    assert_eq!(feed.url.as_str(), "https://a.example/%22x");
}

#[test]
fn h_19_lists_and_registers_of_a_million_feeds_are_refused_in_words_and_at_once() {
    let site = site();
    let watch = Stopwatch::start();
    let one = "<outline text=\"A feed\" xmlUrl=\"https://a.example/\"/>\n";
    let path = site.path("list.opml").display().to_string();
    site.write("list.opml", &opml(&one.repeat(1_000_000)));
    assert!(refused(&site, &["feeds", "import", &path]).contains("it is larger than 10 MiB; nothing was written"));
    site.write("list.opml", &opml(&one.repeat(20_001)));
    assert!(refused(&site, &["feeds", "import", &path]).contains("it has more than 20000 outlines"));
    site.write("list.opml", "<html></html>");
    assert!(refused(&site, &["feeds", "import", &path]).contains("it is no OPML"));
    assert!(refused(&site, &["feeds", "import", "nowhere.opml"]).contains("nowhere.opml: No such file"));
    site.write(
        "feeds.toml",
        &"[[feed]]\nname = \"A\"\nurl = \"https://a.example/\"\nowner = \"maria\"\n".repeat(1_000_000),
    );
    let check = site.command(&["check"]);
    assert_eq!(check.status.code(), Some(2));
    assert!(text(&check.stdout).contains("feeds.toml is larger than 4 MiB"), "{}", text(&check.stdout));
    assert!(watch.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_thousand_feeds_are_imported_without_a_pause() {
    let site = site();
    let outline = |i| format!("<outline text=\"Feed {}\" xmlUrl=\"https://a.example/{i}\"/>\n", i % 10);
    site.write("list.opml", &opml(&(0..1_000).map(outline).collect::<Vec<_>>().concat()));
    let path = site.path("list.opml").display().to_string();
    let watch = Stopwatch::start();
    let (out, _) = done(&site, &["feeds", "import", &path, "--group", "tarn", "--owner", "jon"]);
    assert!(out.starts_with("imported 1000 feeds"), "{out}");
    assert!(watch.elapsed() < Duration::from_secs(20));
    let (config, _) = config::load(site.root.path()).unwrap();
    assert_eq!(config.feeds.iter().filter(|feed| feed.owner.as_str() == "jon").count(), 1_001);
    assert!(config.feeds.iter().any(|feed| feed.id.as_str() == "feed-9-100"));
}

#[test]
fn what_is_exported_and_imported_again_has_the_same_ids_names_urls_and_owners() {
    let site = site();
    let more = "\n[[feed]]\nid = \"odd\"\nname = \"<A> & \\\"B\\\" 'C' \u{1f600} \u{e9}\"\n\
                url = \"https://odd.example/?a=1&b=%22\"\nowner = \"jon\"\n\n\
                [[feed]]\nname = \"Off\"\nurl = \"https://off.example/\"\nowner = \"jon\"\nenabled = false\n";
    site.write("feeds.toml", &format!("{REGISTER}{more}"));
    let told = |site: &Site| {
        let (config, _) = config::load(site.root.path()).unwrap();
        let mut told: Vec<_> = config
            .feeds
            .iter()
            .filter(|feed| feed.enabled)
            .map(|feed| (feed.id.clone(), feed.name.clone(), feed.url.clone(), feed.owner.clone(), feed.group.clone()))
            .collect();
        told.sort();
        told
    };
    let before = told(&site);
    let (list, _) = done(&site, &["feeds", "export"]);
    site.write("list.opml", &list);
    let groups = REGISTER.split_once("\n# All of it.").unwrap().0;
    site.write("feeds.toml", groups);
    done(&site, &["feeds", "import", &site.path("list.opml").display().to_string()]);
    assert_eq!(told(&site), before);
    assert_eq!(before.len(), 3);
}

#[test]
fn h_45_no_cell_of_an_exported_register_is_a_formula_and_every_value_reads_back() {
    let site = site();
    let names = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "=HYPERLINK(\\\"https://evil.example\\\")"];
    let feeds: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            format!("\n[[feed]]\nid = \"f{i}\"\nname = \"{name}\"\nurl = \"https://a.example/{i}\"\nowner = \"jon\"\n")
        })
        .collect();
    site.write("feeds.toml", &format!("{REGISTER}{}", feeds.concat()));
    let (table, _) = done(&site, &["feeds", "export", "--format", "csv"]);
    let cells = |line: &str| -> Vec<String> {
        let inside = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap();
        inside.split("\",\"").map(|cell| cell.replace("\"\"", "\"")).collect()
    };
    let rows: Vec<Vec<String>> = table.split("\r\n").filter(|line| !line.is_empty()).map(cells).collect();
    assert_eq!((rows.len(), &rows[0][0], &rows[0][1]), (9, &"feed".to_owned(), &"name".to_owned()));
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{table}");
    for (row, name) in rows[3..].iter().zip(&names) {
        assert_eq!(row[1].strip_prefix('\'').unwrap(), name.replace("\\\"", "\""));
    }
    assert_eq!((rows[1][0].as_str(), rows[1][8].as_str(), rows[1][18].as_str()), ("tarn-advisories", "tarn", "new"));
    let json = site.command(&["--json", "feeds", "export"]);
    assert_eq!(lines(&json).len(), 8);
    assert_eq!(lines(&json)[2]["name"], "=1+1", "JSON needs no apostrophe");
    assert!(refused(&site, &["--json", "feeds", "export", "--format", "csv"]).contains("a format of its own"));
    assert!(!site.state().exists());
}

#[test]
fn the_real_lists_of_other_readers_are_imported() {
    let Some(folder) = corpus("the_real_lists_of_other_readers_are_imported") else { return };
    let mut seen = 0;
    for entry in fs::read_dir(folder.join("real")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "opml") {
            continue;
        }
        let site = site();
        let watch = Stopwatch::start();
        let output = site.command(&["--json", "feeds", "import", &path.display().to_string()]);
        assert_eq!(output.status.code(), Some(0), "{}: {}", path.display(), text(&output.stderr));
        let lines = lines(&output);
        let imported = lines.iter().filter(|line| line["imported"] == true).count();
        let written = fs::read_to_string(&path).unwrap();
        let bare =
            written.split("<!--").map(|part| part.split_once("-->").map_or(part, |(_, rest)| rest)).collect::<String>();
        assert_eq!(lines.len(), bare.matches("xmlUrl=\"").count(), "every feed of {} has a fate", path.display());
        let left = lines.len() - imported;
        println!("{}: {imported} imported, {left} left out, {:?}", path.display(), watch.elapsed());
        for line in lines.iter().filter(|line| line["imported"] == false) {
            println!("  {}: {} {}", line["line"], line["url"], line["reason"]);
        }
        assert_eq!(config::load(site.root.path()).unwrap().0.feeds.len(), imported + 2);
        assert!(left * 20 <= lines.len(), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 5, "{seen} lists");
}
