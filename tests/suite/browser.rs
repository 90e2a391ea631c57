//! The digest and the page in a real browser, as people meet them: with the mouse, with the keyboard, without scripts,
//! on a phone and on a wide screen.

mod looks;
mod scene;

use std::collections::BTreeSet;

use scene::Scene;

use crate::harness::browser::{Browser, DOWN, ENTER, Element, SPACE, TAB};

/// No way through a page is longer than this, in stops of the tab key.
const STOPS: usize = 120;

/// How a person works a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Mouse,
    Keyboard,
}

impl Hand {
    /// Opens what a link leads to.
    #[track_caller]
    fn follow(self, browser: &Browser, link: &Element) {
        match self {
            Hand::Mouse => browser.leave(|| browser.click(link)),
            Hand::Keyboard => {
                tab_to(browser, |focused| focused == link);
                browser.leave(|| browser.press(ENTER));
            }
        }
    }

    /// Chooses an answer.
    #[track_caller]
    fn choose(self, browser: &Browser, answer: &str) {
        let choice = browser.find("radio", answer);
        match self {
            Hand::Mouse => browser.click(&choice),
            Hand::Keyboard => {
                tab_to(browser, |focused| browser.role(focused) == "radio");
                for _ in 0..10 {
                    if browser.focused() == choice {
                        break;
                    }
                    browser.press(DOWN);
                }
                browser.press(SPACE);
            }
        }
        assert!(browser.is_chosen(&choice), "{self:?} cannot choose {answer}");
    }

    /// Writes into a field.
    #[track_caller]
    fn write(self, browser: &Browser, field: &str, words: &str) {
        let field = browser.field(field);
        match self {
            Hand::Mouse => browser.fill(&field, words),
            Hand::Keyboard => {
                tab_to(browser, |focused| *focused == field);
                browser.press(words);
            }
        }
    }

    /// Sends the form.
    #[track_caller]
    fn send(self, browser: &Browser) {
        match self {
            Hand::Mouse => browser.send("Record"),
            Hand::Keyboard => {
                let button = browser.find("button", "Record");
                tab_to(browser, |focused| *focused == button);
                browser.leave(|| browser.press(ENTER));
            }
        }
    }
}

/// Goes on with the tab key until the right thing has the focus, which is seen wherever it is.
#[track_caller]
fn tab_to(browser: &Browser, is_right: impl Fn(&Element) -> bool) {
    for _ in 0..STOPS {
        let focused = browser.focused();
        if is_right(&focused) {
            let ring = "const style = getComputedStyle(document.activeElement); return style.outlineStyle";
            assert_ne!(browser.run(ring, &[]), "none", "the focus is not seen at {}", browser.name(&focused));
            return;
        }
        browser.press(TAB);
    }
    panic!("not reached with the keyboard at {}:\n{}", browser.url(), browser.text());
}

/// From a story in the mail to two answers in its chain, the second a correction of the first.
fn decide_and_correct(browser: &Browser, scene: &mut Scene, hand: Hand, story: usize) {
    let before = scene.world.records_of("acknowledged");
    browser.open(&scene.file_of(scene.letter("daily-maria")));
    let watching = browser.find_all("link", "Watching");
    hand.follow(browser, &watching[story - 1]);
    assert!(browser.is_chosen(&browser.find("radio", "Watching")), "the mail's link chooses");

    // A reason is asked for, and nothing that was typed is lost.
    hand.choose(browser, "Not relevant");
    hand.write(browser, "reference_kind", "Ticket");
    hand.write(browser, "reference", "CHG-118");
    hand.send(browser);
    assert!(browser.title().starts_with("Error: "), "{}", browser.title());
    let problem = browser.run("return document.activeElement.innerText", &[]).to_string();
    assert!(problem.contains("There is a problem"), "the focus is on what is wrong: {problem}");
    assert!(browser.is_chosen(&browser.find("radio", "Not relevant")));
    assert_eq!(browser.attribute(&browser.field("reference"), "value").as_deref(), Some("CHG-118"));
    assert_eq!(scene.world.records_of("acknowledged"), before);

    let (first, second) = (format!("seen by {hand:?}"), format!("portal off, says {hand:?}"));
    hand.write(browser, "note", &first);
    hand.send(browser);
    let text = browser.text();
    assert!(text.contains("Recorded.") && text.contains(&first), "{text}");
    hand.choose(browser, "Acted");
    hand.write(browser, "note", &second);
    hand.write(browser, "corrects", "corrects");
    hand.send(browser);
    let text = browser.text();
    let chain = ["Not relevant", first.as_str(), "CHG-118", "Acted", second.as_str()].map(|words| text.find(words));
    assert!(chain.iter().all(Option::is_some) && chain.is_sorted(), "{chain:?} in {text}");
    let after = scene.world.records_of("acknowledged");
    assert_eq!(after.len(), before.len() + 2, "a correction is a record of its own");
    assert_eq!(after[..=before.len()], [&before[..], &after[before.len()..=before.len()]].concat());
}

/// Fails where anything was asked of anybody but the page, or anything was left behind.
#[track_caller]
fn assert_private(browser: &Browser, scene: &Scene) {
    let asked = browser.asked();
    let (own, others): (BTreeSet<_>, BTreeSet<_>) = asked.iter().partition(|url| url.starts_with(&scene.origin()));
    assert!(own.len() > 2, "the browser tells what it asks for: {asked:?}");
    let strange: Vec<_> = others.iter().filter(|url| !url.starts_with("file:") && !url.starts_with("data:")).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert_eq!(browser.cookies(), Vec::<serde_json::Value>::new());
    let kept =
        browser.run("try { return localStorage.length + sessionStorage.length } catch (error) { return 0 }", &[]);
    assert_eq!(kept, 0, "something is kept in the browser");
}

fn walk(browser: &Browser, mut scene: Scene) {
    for (story, (hand, width)) in
        [(Hand::Mouse, 1280), (Hand::Mouse, 320), (Hand::Keyboard, 1280), (Hand::Keyboard, 320)].into_iter().enumerate()
    {
        browser.look(width, false);
        decide_and_correct(browser, &mut scene, hand, story + 1);
    }
    assert_private(browser, &scene);
    assert_eq!(scene.acknowledged(), 8);
}

#[test]
fn a_14_a_story_is_decided_and_corrected_from_the_mail_with_mouse_or_keyboard_and_nothing_is_left_behind() {
    let test = "a_14_a_story_is_decided_and_corrected_from_the_mail_with_mouse_or_keyboard_and_nothing_is_left_behind";
    let scene = Scene::open();
    let Some(browser) = Browser::start(test) else { return };
    walk(&browser, scene);
}

#[test]
fn a_14_a_story_is_decided_and_corrected_where_no_script_runs() {
    let test = "a_14_a_story_is_decided_and_corrected_where_no_script_runs";
    let scene = Scene::open();
    let Some(browser) = Browser::without_scripts(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control.html");
    std::fs::write(&control, "<!DOCTYPE html><title>still</title><script>document.title = 'ran'</script>").unwrap();
    browser.open(&format!("file://{}", control.display()));
    assert_eq!(browser.title(), "still", "this browser runs scripts, so it shows nothing");
    walk(&browser, scene);
}

#[test]
fn the_skip_link_is_the_first_stop_of_the_keyboard_and_leads_into_the_form() {
    let test = "the_skip_link_is_the_first_stop_of_the_keyboard_and_leads_into_the_form";
    let scene = Scene::open();
    let Some(browser) = Browser::start(test) else { return };
    for page in [scene.story(1), scene.all("daily-maria")] {
        browser.open(&page);
        browser.press(TAB);
        let skip = browser.focused();
        assert!(browser.name(&skip).starts_with("Skip to"), "{}", browser.name(&skip));
        let shown = browser.run("return document.activeElement.getBoundingClientRect().left", &[]);
        assert!(shown.as_f64() >= Some(0.0), "the skip link is not seen when it has the focus: {shown}");
        browser.press(ENTER);
        browser.press(TAB);
        assert_eq!(browser.role(&browser.focused()), "radio", "{page}");
    }
}
