//! What `check` shows of the digests of somebody who is away.

use sigtrail::cli;

use super::{Files, OWNERS, now};

const FIRST: &str = "id = \"maria\"\n";

/// What `check` says of Maria in the table and in JSON, with this in her entry.
fn of_maria(more: &str) -> (String, serde_json::Value) {
    let files = Files::well();
    files.edit(OWNERS, FIRST, &format!("{FIRST}{more}\n"));
    let print = |json: bool| {
        let mut out = Vec::new();
        assert_eq!(cli::check::run(files.folder.path(), now(), json, false, &mut out).unwrap(), 0);
        String::from_utf8(out).unwrap()
    };
    let (table, lines) = (print(false), print(true));
    let row = table.lines().find(|line| line.starts_with("maria")).unwrap().to_owned();
    let mut lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    (row, lines.find(|line| line["owner"] == "maria" && line["next"].is_array()).unwrap())
}

#[test]
fn the_runs_of_an_absence_are_not_shown_as_the_owners_and_it_is_said_who_gets_the_stories() {
    let (row, json) = of_maria("away = [{ from = 2026-11-24, to = 2026-11-29 }]");
    let shown =
        "Mon 23 Nov 08:00  Mon 30 Nov 08:00  Tue 1 Dec 08:00  will be away until 29 Nov 2026: jon gets the stories";
    assert!(row.split_whitespace().collect::<Vec<_>>().join(" ").ends_with(&shown.replace("  ", " ")), "{row}");
    assert_eq!(json["next"][1], "2026-11-30T08:00:00Z");
    assert_eq!((&json["away_until"], &json["stands_in"]), (&"2026-11-29".into(), &"jon".into()));
    let (row, _) = of_maria("away = [{ from = 2026-11-20, to = 2026-11-22 }, { from = 2026-11-23, to = 2026-11-23 }]");
    assert!(row.contains(" Tue 24 Nov 08:00 ") && !row.contains("Mon 23 Nov"), "{row}");
    assert!(row.ends_with("  away until 23 Nov 2026: jon gets the stories"), "{row}");
}

#[test]
fn an_absence_beyond_the_runs_that_are_shown_or_between_them_is_not_spoken_of() {
    for away in ["{ from = 2026-12-20, to = 2027-01-03 }", "{ from = 2026-11-21, to = 2026-11-22 }"] {
        let (row, json) = of_maria(&format!("away = [{away}]"));
        assert!(row.ends_with("Wed 25 Nov 08:00"), "{row}");
        assert!(json["away_until"].is_null() && json["stands_in"].is_null(), "{json}");
    }
}

#[test]
fn who_is_away_without_anybody_else_to_ask_is_mailed_as_ever_after_it() {
    let files = Files::well();
    let alone = "away = [{ from = 2026-11-23, to = 2026-11-23 }]\n";
    let text = files.text(OWNERS).replace("deputy = \"jon\"\n", "");
    files.write(OWNERS, text.replacen(FIRST, &format!("{FIRST}{alone}"), 1));
    let mut out = Vec::new();
    assert_eq!(cli::check::run(files.folder.path(), now(), false, false, &mut out).unwrap(), 0);
    let out = String::from_utf8(out).unwrap();
    let row = out.lines().find(|line| line.starts_with("maria")).unwrap();
    assert!(row.ends_with("will be away until 23 Nov 2026: nobody stands in, all is mailed as ever"), "{out}");
}
