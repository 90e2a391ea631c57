//! The page in a real browser that runs whatever it is given: Chromium without a window, where it is installed.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::Office;

/// The longest that one page may take; a hang ceiling.
const PATIENCE: Duration = Duration::from_secs(90);

fn browser() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// The document as it stands after the browser has loaded it and run everything in it. Nothing but loopback is
/// reached.
#[expect(clippy::disallowed_methods, reason = "a browser is another program; only the tests start it")]
fn loaded(browser: &Path, profile: &Path, url: &str) -> String {
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
        ])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--virtual-time-budget=3000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--dump-dom", url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = child.stdout.take().unwrap();
    let reading = thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    end(&mut child);
    reading.join().unwrap().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a ceiling against hangs needs a clock that runs")]
fn end(child: &mut Child) {
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the browser did not end within {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_02_a_browser_that_runs_everything_acknowledges_nothing() {
    let Some(browser) = browser() else {
        eprintln!("skipped: a_02_a_browser_that_runs_everything_acknowledges_nothing needs chromium in the PATH");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control.html");
    fs::write(&control, "<!DOCTYPE html><p>still</p><script>document.body.append('a script ran')</script>").unwrap();
    let ran = loaded(&browser, folder.path(), &format!("file://{}", control.display()));
    assert!(ran.contains("a script ran</body>"), "this browser runs no script, so it shows nothing: {ran}");

    let mut office = Office::open();
    let paths = [office.all.clone(), office.stories[0].clone(), format!("{}?as=acted", office.stories[1])];
    for path in paths {
        let document = loaded(&browser, folder.path(), &format!("http://{}{path}", office.page.address));
        let lower = document.to_ascii_lowercase();
        assert!(lower.contains("<form") && lower.contains("quillgate"), "{document}");
        assert!(
            !lower.contains("<script") && !lower.contains("http-equiv") && !lower.contains("javascript:"),
            "{document}"
        );
        for handler in [" onload", " onerror", " onclick", " onfocus", " onsubmit", " autofocus onfocus"] {
            assert!(!lower.contains(handler), "{handler} in {document}");
        }
    }
    assert_eq!(office.acknowledged(), 0);
}
