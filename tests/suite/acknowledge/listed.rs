//! The list of a digest's stories: where it begins, and what each is marked with.

use super::Office;
use crate::harness::world::rss;

const TITLES: [&str; 3] = ["sign-in bypass", "a second hole", "a third hole"];

#[test]
fn a_list_begins_somewhere_whatever_its_address_says() {
    let office = Office::open();
    for (from, first) in [
        ("0", 0),
        ("1", 0),
        ("2", 1),
        ("3", 2),
        ("4", 0),
        ("99", 0),
        ("18446744073709551615", 0),
        ("18446744073709551616", 0),
        ("abc", 0),
        ("-1", 0),
        ("", 0),
    ] {
        let page = office.get(&format!("{}?from={from}", office.all));
        assert_eq!(page.status, 200, "{from}");
        for (n, title) in TITLES.iter().enumerate() {
            assert_eq!(page.body.contains(title), n >= first, "{title} from {from}: {}", page.body);
        }
        assert!(page.body.contains("One answer for all 3 open stories"), "{from}: {}", page.body);
    }
}

#[test]
fn a_fix_that_is_stated_is_marked_on_the_page() {
    let mut office = Office::open();
    let (all, story) = (office.all.clone(), office.stories[0].clone());
    for path in [&all, &story] {
        assert!(!office.get(path).body.contains("class=\"mark fix\""), "{path}");
    }
    office.world.wait(jiff::SignedDuration::from_hours(4));
    let title = "Quillgate: sign-in bypass CVE-2099-10007";
    office.world.publish("cert", &rss(&[(title, "a1", "A crafted cookie skips the sign-in. Fixed in 9.1.4.")]));
    office.world.tick();
    for path in [&all, &story] {
        let page = office.get(path).body;
        assert!(page.contains("<span class=\"mark fix\">Fix 9.1.4</span>"), "{path}: {page}");
    }
}
