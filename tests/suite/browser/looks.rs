//! How the digest and the page look: axe-core finds nothing, nothing is wider than the window, and, where
//! `SIGTRAIL_PICTURES` names a folder, a picture of each state is put there.

#![expect(clippy::string_slice, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use regex::{Captures, Regex};
use serde_json::{Value, json};

use super::scene::{STATES, Scene};
use crate::harness::{browser::Browser, page::nonce_of};

/// The rules that are asked for, by axe's names of the guidelines.
const RULES: &[&str] = &["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/// A mail is shown within another document, whose landmarks are not its own.
const NOT_IN_A_MAIL: &[&str] = &["landmark-one-main", "region"];
const PAGE_WIDTHS: [u32; 2] = [320, 1280];
const MAIL_WIDTHS: [u32; 4] = [320, 480, 800, 1280];

/// Runs axe; contrast that it could not compute counts as a fault.
const SCRIPT: &str = "return axe.run(document, arguments[0]).then(found => ({
    passes: found.passes.length,
    wrong: found.violations.concat(found.incomplete.filter(rule => rule.id === 'color-contrast')).flatMap(rule =>
        rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 160)}: ${node.any.concat(node.all, node.none)
            .map(check => check.message).join('; ')}`)) }))";

/// What of a printed page is not as it should be.
const PRINTED: &str = "
    const style = (element, pseudo) => getComputedStyle(element, pseudo);
    const faults = [];
    if (style(document.body).color !== 'rgb(27, 33, 40)') faults.push(`ink ${style(document.body).color}`);
    if (style(document.body).backgroundColor !== 'rgb(255, 255, 255)') faults.push('paper is not white');
    for (const element of document.querySelectorAll('form, nav, .skip'))
        if (style(element).display !== 'none') faults.push(element.tagName);
    for (const link of document.querySelectorAll('article a[href], .chain a[href]'))
        if (!(link.textContent + style(link, '::after').content).includes(link.getAttribute('href')))
            faults.push(`${link.href} is not written out`);
    return faults";

/// A browser with what judges its pages.
struct Judge {
    browser: Browser,
    axe: Option<String>,
    pictures: Option<PathBuf>,
    faults: Vec<String>,
}

impl Judge {
    fn start(test: &str) -> Option<Judge> {
        let axe = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(axe).ok();
        if axe.is_none() {
            eprintln!("skipped: axe-core in {test}: npm install --prefix target/npm axe-core");
        }
        let pictures = std::env::var_os("SIGTRAIL_PICTURES").map(PathBuf::from);
        if let Some(folder) = &pictures {
            fs::create_dir_all(folder).unwrap();
        }
        Some(Judge { browser: Browser::start(test)?, axe, pictures, faults: Vec::new() })
    }

    /// Judges the open page at these widths, light and dark.
    fn look(&mut self, name: &str, widths: &[u32], left_out: &[&str]) {
        if let Some(axe) = &self.axe {
            self.browser.run(axe, &[]);
        }
        for width in widths {
            for is_dark in [false, true] {
                let place = format!("{name}-{width}-{}", if is_dark { "dark" } else { "light" });
                self.browser.look(*width, is_dark);
                self.fits(&place, *width);
                self.accessible(&place, is_dark, left_out);
                if let Some(folder) = &self.pictures {
                    fs::write(folder.join(format!("{place}.png")), self.browser.picture()).unwrap();
                }
            }
        }
    }

    fn fits(&mut self, place: &str, width: u32) {
        let is = self.browser.run("return document.documentElement.scrollWidth", &[]);
        if is.as_u64() > Some(width.into()) {
            self.faults.push(format!("{place}: {is} px wide"));
        }
    }

    fn accessible(&mut self, place: &str, is_dark: bool, left_out: &[&str]) {
        if self.axe.is_none() {
            return;
        }
        let off = left_out.iter().map(|rule| ((*rule).to_owned(), json!({ "enabled": false })));
        let mut rules: serde_json::Map<String, Value> = off.collect();
        rules.insert("target-size".to_owned(), json!({ "enabled": true }));
        // In the dark, nothing is another but the colours.
        let options = if is_dark {
            json!({ "runOnly": { "type": "rule", "values": ["color-contrast"] } })
        } else {
            json!({ "runOnly": { "type": "tag", "values": RULES }, "rules": rules })
        };
        let found = self.browser.run(SCRIPT, &[options]);
        assert!(found["passes"].as_u64() > Some(if is_dark { 0 } else { 5 }), "{place}: axe saw nothing: {found}");
        let wrong = found["wrong"].as_array().unwrap().iter().filter_map(|one| one.as_str());
        self.faults.extend(wrong.map(|one| format!("{place}: {one}")));
    }

    /// Judges the open page as it is printed: light, with no form and no way to elsewhere, and with addresses in full.
    fn print(&mut self, name: &str) {
        self.browser.look_printed();
        let found = self.browser.run(PRINTED, &[]);
        for fault in found.as_array().unwrap() {
            self.faults.push(format!("{name} printed: {fault}"));
        }
        self.fits(&format!("{name} printed"), 794);
        if let Some(folder) = &self.pictures {
            fs::write(folder.join(format!("{name}-printed.png")), self.browser.picture()).unwrap();
        }
    }

    #[track_caller]
    fn end(self) {
        assert!(self.faults.is_empty(), "{} faults:\n{}", self.faults.len(), self.faults.join("\n"));
    }
}

#[test]
fn every_state_of_the_page_is_accessible_and_fits_in_light_and_dark() {
    let mut scene = Scene::open();
    let test = "every_state_of_the_page_is_accessible_and_fits_in_light_and_dark";
    let Some(mut judge) = Judge::start(test) else { return };
    for state in STATES {
        (state.reach)(&judge.browser, &mut scene);
        let text = judge.browser.text();
        if !text.contains(state.says) {
            judge.faults.push(format!("{}: `{}` is not said:\n{text}", state.name, state.says));
        }
        judge.look(&format!("page-{}", state.name), &PAGE_WIDTHS, &[]);
    }
    judge.end();
}

#[test]
fn a_page_is_printed_light_without_its_forms_and_with_its_addresses_in_full() {
    let test = "a_page_is_printed_light_without_its_forms_and_with_its_addresses_in_full";
    let mut scene = Scene::open();
    let Some(mut judge) = Judge::start(test) else { return };
    let all = scene.all("daily-maria");
    let path = scene.story(1).strip_prefix(&scene.origin()).unwrap().to_owned();
    let sent = format!(
        "disposition=acted&note=portal+off&reference_kind=ticket&reference=https://tickets.example/CHG-118&nonce={}",
        nonce_of(&scene.page.get(&path).body)
    );
    assert_eq!(scene.page.post(&path, &sent).status, 303);
    let wrong = format!("{all}/wrong");
    for (name, address) in [("story", &scene.story(1)), ("digest", &all), ("not-yours", &wrong)] {
        judge.browser.open(address);
        judge.print(&format!("page-{name}"));
    }
    assert!(judge.browser.text().contains("Quillgate VPN (component)"), "the form's list stands on paper too");
    assert_eq!(scene.acknowledged(), 1);
    judge.end();
}

#[test]
fn m_29_every_digest_is_accessible_and_fits_at_four_widths_in_light_and_dark() {
    let test = "m_29_every_digest_is_accessible_and_fits_at_four_widths_in_light_and_dark";
    let mut scene = Scene::open();
    scene.go_on();
    let Some(mut judge) = Judge::start(test) else { return };
    // One of each step; later ones of the same step look the same.
    for letter in scene.letters.iter().filter(|one| !one.name.ends_with(|last: char| last.is_ascii_digit())) {
        judge.browser.open(&scene.file_of(letter));
        judge.look(&format!("digest-{}", letter.name), &MAIL_WIDTHS, NOT_IN_A_MAIL);
    }
    judge.end();
}

/// What a client makes of the HTML of a mail.
type Change = fn(&str) -> String;

/// How some clients change a mail, and what its reader is left with.
const CLIENTS: &[(&str, Change)] =
    &[("colours-wiped", without_colours), ("no-style", without_style), ("lightness-inverted", inverted)];

#[test]
fn m_29_a_digest_stays_readable_without_colours_without_style_and_with_its_lightness_inverted() {
    let test = "m_29_a_digest_stays_readable_without_colours_without_style_and_with_its_lightness_inverted";
    let scene = Scene::open();
    let Some(mut judge) = Judge::start(test) else { return };
    let letter = scene.letter("daily-maria");
    judge.browser.open(&scene.file_of(letter));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = words(&judge.browser.text());
    for (client, change) in CLIENTS {
        // Now the client chooses between light and dark, and axe takes what has no colour for light.
        let changed = change(&letter.html.replace("light dark", "light"));
        judge.browser.open(&scene.file(client, &changed));
        assert_eq!(words(&judge.browser.text()), text, "{client}: other words, or in another order");
        // Without any style, nobody breaks a word that is wider than the window.
        if *client != "no-style" {
            judge.look(&format!("digest-{client}"), &PAGE_WIDTHS, NOT_IN_A_MAIL);
        }
    }
    judge.end();
}

/// Without the rules for the dark.
fn without_dark(html: &str) -> String {
    let (before, rest) = html.split_once("@media (prefers-color-scheme").expect("rules for the dark");
    let mut depth = 0;
    let end = rest.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '{') - i32::from(*c == '}');
        *c == '}' && depth == 0
    });
    format!("{before}{}", &rest[end.expect("they end").0 + 1..])
}

/// As K-9 Mail to version 10: every colour is gone, the dark ones with them.
fn without_colours(html: &str) -> String {
    let html = without_dark(html);
    Regex::new(r"(background-)?color:[^;}\x22]*[;]?").unwrap().replace_all(&html, "").into_owned()
}

/// As a client that takes nothing but the elements.
fn without_style(html: &str) -> String {
    let html = Regex::new(r"(?s)<style>.*?</style>").unwrap().replace_all(html, "");
    Regex::new(r#" (style|class|align|width|bgcolor)="[^"]*""#).unwrap().replace_all(&html, "").into_owned()
}

/// As Gmail on iOS and Outlook: the light colours with their lightness turned over, whatever the mail says of the dark.
fn inverted(html: &str) -> String {
    let html = without_dark(html);
    let turned = |found: &Captures<'_>| {
        let parts = [1, 2, 3].map(|at| i32::from_str_radix(&found[at], 16).unwrap());
        // HSL with another lightness: what is added to each part is the same.
        let shift = 255 - parts.iter().max().unwrap() - parts.iter().min().unwrap();
        parts.iter().fold("#".to_owned(), |colour, part| format!("{colour}{:02x}", part + shift))
    };
    Regex::new("#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})").unwrap().replace_all(&html, turned).into_owned()
}
