//! The page in a real browser that runs whatever it is given and follows whatever it finds, as a careful scanner does:
//! Chromium without a window, where it is installed.

use std::{collections::BTreeSet, fs};

use crate::harness::browser::Browser;

use super::Office;

/// The addresses of all links of the open page, in the order of the page.
fn links(browser: &Browser) -> Vec<String> {
    let all = browser.all("a[href]");
    let targets = all.iter().map(|link| browser.attribute(link, "href").unwrap());
    targets.filter(|target| !target.starts_with('#')).collect()
}

/// Moves the mouse over everything, sends no form.
fn touch(browser: &Browser) {
    for element in browser.all("a,button,input:not([type=hidden]),textarea,select,summary,label,h1,li") {
        browser.hover(&element);
    }
}

#[test]
fn a_02_a_browser_that_runs_everything_acknowledges_nothing() {
    let Some(browser) = Browser::start("a_02_a_browser_that_runs_everything_acknowledges_nothing") else { return };
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control.html");
    fs::write(&control, "<!DOCTYPE html><title>still</title><script>document.title = 'a script ran'</script>").unwrap();
    browser.open(&format!("file://{}", control.display()));
    assert_eq!(browser.title(), "a script ran", "this browser runs no script, so it shows nothing");

    let mut office = Office::open();
    let mut open: Vec<String> =
        [&office.all, &office.stories[0], &office.stories[1], &office.stories[2]].map(ToOwned::to_owned).to_vec();
    open.push(format!("{}?as=acted", office.stories[1]));
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        browser.open(&format!("http://{}{path}", office.page.address));
        let document = browser.source().to_ascii_lowercase();
        assert!(document.contains("sigtrail"), "{document}");
        for word in ["<script", "http-equiv", "javascript:", " onload", " onerror", " onclick", " onfocus", " onsubmit"]
        {
            assert!(!document.contains(word), "{word} in {document}");
        }
        touch(&browser);
        open.extend(links(&browser).into_iter().filter(|link| link.starts_with('/')));
        assert!(seen.len() < 100, "the pages lead to ever more pages: {seen:?}");
    }
    assert!(seen.len() >= 5, "every link was opened: {seen:?}");
    assert_eq!(office.acknowledged(), 0);
}
