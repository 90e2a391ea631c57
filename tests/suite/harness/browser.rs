//! A real browser: Chromium without a window, driven through chromedriver in the words of W3C's `WebDriver`
//! (<https://www.w3.org/TR/webdriver2/>) and, where those have none, of Chromium's `DevTools`. It reaches loopback only.
//! It needs the Debian packages `chromium` and `chromium-driver`; elsewhere the test says that it is skipped.

use std::{
    collections::BTreeSet,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// One browser at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Everything ends by itself after this, in seconds, should a test be killed before it can stop it.
const LIFE: &str = "600";
/// The longest that one command may take.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);
/// The key under which an element comes (`WebDriver`, section 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// What may have a role and a name that a person would look for.
const NAMED: &str = "a,button,input,textarea,select,summary,h1,h2,h3,[role]";

/// Keys as `WebDriver` spells them (section 17.4.2).
pub const TAB: &str = "\u{e004}";
/// The space bar.
pub const SPACE: &str = " ";
/// The enter key.
pub const ENTER: &str = "\u{e007}";
/// The arrow down.
pub const DOWN: &str = "\u{e015}";

/// A running browser with one window; it ends, with all that it started, when it is dropped.
pub struct Browser {
    address: SocketAddr,
    session: String,
    driver: Child,
    home: TempDir,
    // Last, so that the next browser starts when this one is gone.
    _turn: MutexGuard<'static, ()>,
}

/// An element of the open page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element(String);

impl Browser {
    /// Starts one for this test, or says aloud why not. One runs at a time.
    pub fn start(test: &str) -> Option<Browser> {
        Self::with(test, true)
    }

    /// One that runs no script of any page.
    pub fn without_scripts(test: &str) -> Option<Browser> {
        Self::with(test, false)
    }

    fn with(test: &str, scripts: bool) -> Option<Browser> {
        for program in ["chromium", "chromedriver"] {
            if !is_there(program) {
                println!("skipped: {test} needs {program} in the PATH");
                return None;
            }
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let home = tempfile::tempdir().unwrap();
        let (driver, port) = start_driver(&home);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut browser = Browser { address, session: String::new(), driver, home, _turn: turn };
        let made = browser.call("POST", "/session", &capabilities(&browser, scripts));
        made["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        // What the browser shows before it is asked for anything.
        browser.open("about:blank");
        browser.asked();
        Some(browser)
    }

    /// One command, or what the driver says against it.
    fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let text = if method == "POST" { body.to_string() } else { String::new() };
        let answer = ask(self.address, method, path, &text);
        let value = answer.map_err(|error| format!("{method} {path}: {error}"))?["value"].take();
        if value["error"].is_null() { Ok(value) } else { Err(format!("{method} {path}: {}", value["message"])) }
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_call(method, path, body).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.call("GET", &format!("/session/{}{path}", self.session), &Value::Null)
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}{path}", self.session), body)
    }

    /// A command of Chromium's `DevTools`.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Opens an address and waits until the page is there.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Does what leads to another page, and waits until that is there.
    #[track_caller]
    pub fn leave(&self, act: impl FnOnce()) {
        self.run("document.isLeft = true", &[]);
        act();
        let script = json!({ "script": "return !document.isLeft && document.readyState === 'complete'", "args": [] });
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            // While pages change, there is nothing that a script could run in.
            if self.try_call("POST", &format!("/session/{}/execute/sync", self.session), &script) == Ok(true.into()) {
                return;
            }
            thread::sleep(PAUSE);
        }
        panic!("still at {}", self.url());
    }

    /// Presses the button whose name begins so, with the mouse, and waits for what comes of it.
    #[track_caller]
    pub fn send(&self, button: &str) {
        let button = self.find("button", button);
        self.leave(|| self.click(&button));
    }

    /// The address of the open page.
    pub fn url(&self) -> String {
        text(&self.get("/url"))
    }

    /// The title of the open page.
    pub fn title(&self) -> String {
        text(&self.get("/title"))
    }

    /// Everything that is shown, as text, in the order of the document.
    pub fn text(&self) -> String {
        text(&self.run("return document.body.innerText", &[]))
    }

    /// The document as it stands now.
    pub fn source(&self) -> String {
        text(&self.get("/source"))
    }

    /// Runs the body of a function in the page, whatever the page's policy and whether or not its own scripts run.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// All elements that a CSS selector names, in the order of the document.
    #[track_caller]
    pub fn all(&self, selector: &str) -> Vec<Element> {
        let found = self.post("/elements", &json!({ "using": "css selector", "value": selector }));
        found.as_array().unwrap().iter().map(|one| Element(text(&one[ELEMENT]))).collect()
    }

    /// The elements of this role whose name begins so, as a screen reader is told them.
    #[track_caller]
    pub fn find_all(&self, role: &str, name: &str) -> Vec<Element> {
        let mut found = self.all(NAMED);
        found.retain(|one| self.role(one) == role && self.name(one).starts_with(name));
        found
    }

    /// The first of them.
    #[track_caller]
    pub fn find(&self, role: &str, name: &str) -> Element {
        let Some(one) = self.find_all(role, name).into_iter().next() else {
            panic!("no {role} `{name}` at {}:\n{}", self.url(), self.text());
        };
        one
    }

    /// The field of this name, in whatever form.
    #[track_caller]
    pub fn field(&self, name: &str) -> Element {
        let Some(one) = self.all(&format!("[name='{name}']")).into_iter().next() else {
            panic!("no field `{name}` at {}:\n{}", self.url(), self.text());
        };
        one
    }

    /// The role of an element, as computed from the markup.
    pub fn role(&self, element: &Element) -> String {
        text(&self.get(&format!("/element/{}/computedrole", element.0)))
    }

    /// The accessible name of an element.
    pub fn name(&self, element: &Element) -> String {
        text(&self.get(&format!("/element/{}/computedlabel", element.0)))
    }

    /// An attribute of an element, as it stands in the markup.
    pub fn attribute(&self, element: &Element, name: &str) -> Option<String> {
        self.get(&format!("/element/{}/attribute/{name}", element.0)).as_str().map(ToOwned::to_owned)
    }

    /// Whether a choice is chosen.
    pub fn is_chosen(&self, element: &Element) -> bool {
        self.get(&format!("/element/{}/selected", element.0)) == true
    }

    /// Clicks with the mouse.
    #[track_caller]
    pub fn click(&self, element: &Element) {
        self.post(&format!("/element/{}/click", element.0), &json!({}));
    }

    /// Types into a field.
    #[track_caller]
    pub fn fill(&self, element: &Element, words: &str) {
        self.post(&format!("/element/{}/value", element.0), &json!({ "text": words }));
    }

    /// Moves the mouse over an element, if it can be seen.
    #[track_caller]
    pub fn hover(&self, element: &Element) {
        let script = "arguments[0].scrollIntoView({ block: 'center' });
            const { left, right, top, bottom } = arguments[0].getBoundingClientRect();
            return right > left && left + right > 0 && left + right < 2 * innerWidth && top + bottom < 2 * innerHeight";
        if self.run(script, &[json!({ ELEMENT: element.0 })]) == true {
            self.actions(&json!({ "type": "pointer", "id": "mouse", "actions": [
                { "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": { ELEMENT: element.0 } }
            ] }));
        }
    }

    /// Presses and lets go of these keys, one after the other, wherever the focus is.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes = keys
            .chars()
            .map(String::from)
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]);
        self.actions(&json!({ "type": "key", "id": "keyboard", "actions": strokes.collect::<Vec<_>>() }));
    }

    fn actions(&self, source: &Value) {
        self.post("/actions", &json!({ "actions": [source] }));
    }

    /// What has the focus.
    pub fn focused(&self) -> Element {
        Element(text(&self.get("/element/active")[ELEMENT]))
    }

    /// A window this wide, in CSS pixels, in light or dark; a phone when it is narrow.
    pub fn look(&self, width: u32, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "media": "", "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// As it is printed on A4, by whoever reads in the dark.
    pub fn look_printed(&self) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "media": "print", "features": [{ "name": "prefers-color-scheme", "value": "dark" }] }),
        );
        let metrics = json!({ "width": 794, "height": 1123, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// A picture of the whole page, however long, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        let size = self.devtools("Page.getLayoutMetrics", &json!({}))["cssContentSize"].take();
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let taken = self.devtools(
            "Page.captureScreenshot",
            &json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }),
        );
        STANDARD.decode(text(&taken["data"])).unwrap()
    }

    /// The addresses that were asked for since the last time.
    pub fn asked(&self) -> BTreeSet<String> {
        let entries = self.post("/se/log", &json!({ "type": "performance" }));
        let messages = entries
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| -> Value { serde_json::from_str(entry["message"].as_str().unwrap()).unwrap() });
        let requests = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        requests.map(|request| text(&request["message"]["params"]["request"]["url"])).collect()
    }

    /// Every cookie that the browser holds, of whatever site.
    pub fn cookies(&self) -> Vec<Value> {
        self.devtools("Storage.getCookies", &json!({}))["cookies"].as_array().unwrap().clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The whole group: the driver, the browser and its parts. A panic in here would hide that of the test.
        if let Ok(group) = i32::try_from(self.driver.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.driver.wait();
    }
}

/// One request to the driver, which keeps the connection open whatever it is asked to do.
fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        line.clear();
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer)?;
    serde_json::from_slice(&answer).map_err(io::Error::other)
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// Whether a program is in the PATH.
pub fn is_there(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// The driver, and the port that it chose.
#[expect(clippy::disallowed_methods, reason = "a browser is another program; only the tests start it")]
fn start_driver(home: &TempDir) -> (Child, u16) {
    let mut driver = Command::new("timeout")
        .args(["--kill-after=5", LIFE, "chromedriver", "--port=0"])
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(driver.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    let port = lines
        .filter_map(|line| line.split_once("started successfully on port ").map(|(_, port)| port.to_owned()))
        .find_map(|port| port.trim_end_matches('.').parse().ok());
    (driver, port.expect("chromedriver says its port"))
}

fn capabilities(browser: &Browser, scripts: bool) -> Value {
    let profile = format!("--user-data-dir={}", browser.home.path().join("profile").display());
    let options = json!({
        "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--disable-breakpad", "--hide-scrollbars", "--force-color-profile=srgb",
            // No name is looked up, and what is not on loopback goes to a proxy that is not there.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--proxy-server=127.0.0.1:9",
            profile,
        ],
        "prefs": { "profile.managed_default_content_settings.javascript": if scripts { 1 } else { 2 } },
    });
    let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "performance": "ALL" } });
    json!({ "capabilities": { "alwaysMatch": wanted } })
}
