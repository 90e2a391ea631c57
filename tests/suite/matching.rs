//! Judging on whole entries: what `match` prints, and how well a plain stack tags and joins real, hand-judged items (where
//! `SIGTRAIL_CORPUS` names them).

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

use serde_json::Value;
use sigtrail::{
    cli::matching::json_line,
    model::{
        entry::Entry,
        stack::{Case, Component, Pattern, Term, Topic},
    },
    story::{StoryKey, keys},
    tag::Matcher,
};

/// A term from its shorthand: `=Go` is exact, `vault&hashicorp|vaultproject.io` needs one of these near, `x!y|z` does not
/// count inside those.
fn term(shorthand: &str) -> Term {
    let (rest, not) = shorthand.split_once('!').unwrap_or((shorthand, ""));
    let (text, near) = rest.split_once('&').unwrap_or((rest, ""));
    let list = |text: &str| text.split('|').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let case = if text.starts_with('=') { Case::Exact } else { Case::Any };
    let text = text.trim_start_matches('=').to_owned();
    Term { pattern: Pattern::Text { text, case }, near: list(near), not: list(not) }
}

fn component(id: &str, terms: &[&str]) -> Component {
    Component {
        id: id.into(),
        name: id.into(),
        owner: "jon".into(),
        terms: terms.iter().map(|text| term(text)).collect(),
    }
}

fn topic(id: &str, terms: &[&str]) -> Topic {
    Topic { id: id.into(), name: id.into(), owner: "jon".into(), terms: terms.iter().map(|text| term(text)).collect() }
}

#[test]
fn match_json_answers_a_line_with_its_tags() {
    let stack = [component("quillgate", &["Quillgate VPN"])];
    let matcher = Matcher::new(&stack, &[topic("spying", &["spyware"])]).unwrap();
    let answer =
        json_line(&matcher, r#"{"key": "a#1", "title": "QUILLGATE VPN patched", "text": "no spyware", "more": 1}"#);
    let answer: Value = serde_json::from_str(&answer.unwrap()).unwrap();
    assert_eq!(
        answer,
        serde_json::json!({"key": "a#1", "tags": [
            {"id": "quillgate", "kind": "component", "term": "Quillgate VPN", "field": "title",
             "snippet": "QUILLGATE VPN patched", "method": "term", "confidence": 50},
            {"id": "spying", "kind": "topic", "term": "spyware", "field": "summary",
             "snippet": "no spyware", "method": "term", "confidence": 20},
        ]})
    );
    let nothing = json_line(&matcher, r#"{"key": 7, "title": null}"#).unwrap();
    assert_eq!(nothing, r#"{"key":7,"tags":[]}"#);
    assert!(json_line(&matcher, "{").unwrap_err().contains("not a line of `match --json`"));
    assert!(json_line(&matcher, r#"{"title": "t"}"#).unwrap_err().contains("missing field `key`"));
}

#[test]
fn any_text_is_tagged_without_harm() {
    let matcher = Matcher::new(&[component("it", &["c++", "語", "ﬁ", ".net"])], &[]).unwrap();
    for text in ["", "\u{0}", "語語語", "c++c++", "e\u{301}\u{301}ﬁ.net", "\u{FFFD}.net\u{202e}c++"] {
        let entry = Entry { title: Some(text.into()), body: Some(text.repeat(50)), ..Entry::default() };
        for tag in matcher.tags(&entry) {
            assert!(tag.snippet.chars().count() <= 160 && tag.start <= tag.end);
        }
    }
}

/// The folder of the hand-judged items; `None`, said aloud, where the corpus is not there.
fn corpus(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SIGTRAIL_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: {test}: SIGTRAIL_CORPUS is not set");
    }
    folder
}

fn lines(path: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Right, wrong and missed tags.
#[derive(Default, Clone, Copy)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Score {
    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }

    fn words(self) -> String {
        let Score { right, wrong, missed } = self;
        let (p, r) = (self.precision(), self.recall());
        format!("precision {p:.3} recall {r:.3} F1 {:.3} ({right}/{wrong}/{missed})", 2.0 * p * r / (p + r).max(1e-9))
    }
}

/// The stack that a person would write first: names, well-known parts, exact case where the name is a word.
fn plain_stack() -> (Vec<Component>, Vec<Topic>) {
    let components = [
        ("openssl", vec!["openssl", "libssl", "libcrypto"]),
        ("openssh", vec!["openssh", "sshd"]),
        ("linux-kernel", vec!["linux kernel", "kernel&linux"]),
        ("ubuntu", vec!["=Ubuntu"]),
        ("debian", vec!["=Debian"]),
        ("glibc", vec!["glibc", "GNU C library"]),
        ("nginx", vec!["nginx", "ingress-nginx"]),
        ("postgresql", vec!["postgresql", "postgres", "psycopg", "pgx"]),
        ("redis", vec!["redis", "valkey"]),
        ("docker", vec!["docker", "moby", "buildkit", "containerd", "runc"]),
        ("kubernetes", vec!["kubernetes", "kubelet", "kube-apiserver"]),
        ("terraform", vec!["terraform"]),
        ("vault", vec!["vault&hashicorp"]),
        ("aws", vec!["=AWS", "Amazon Web Services", "SageMaker", "Amazon S3", "Amazon EKS", "Amazon Bedrock"]),
        ("github", vec!["GitHub Actions", "=GitHub"]),
        ("gitlab", vec!["gitlab"]),
        ("jenkins", vec!["jenkins"]),
        ("python", vec!["CPython", "PyPI", "=Python"]),
        ("pytorch", vec!["pytorch", "torchvision", "torchserve"]),
        ("transformers", vec!["huggingface_hub", "transformers&hugging face|huggingface", "hugging face hub"]),
        ("langchain", vec!["langchain", "langgraph"]),
        ("ray", vec!["=Ray&anyscale|ray cluster"]),
        ("triton", vec!["Triton Inference Server"]),
        ("nvidia", vec!["nvidia gpu driver", "CUDA toolkit", "nvidia container toolkit"]),
        ("vllm", vec!["vllm"]),
        ("fastapi", vec!["fastapi", "starlette", "uvicorn"]),
        ("django", vec!["django"]),
        ("requests", vec!["urllib3", "python-requests", "psf/requests"]),
        ("nodejs", vec!["node.js", "nodejs"]),
        ("npm", vec!["npm"]),
        ("react", vec!["next.js", "react.js", "=React&javascript|frontend|next.js"]),
        ("express", vec!["express.js", "expressjs"]),
        ("go", vec!["golang", "golang.org/x", "=Go&golang|go.dev|goroutine"]),
        ("rust", vec!["rustc", "=Cargo&rust", "=Rust&rustc|cargo|rust-lang"]),
        ("tokio", vec!["tokio", "hyper&rust|tokio", "axum", "reqwest", "rustls"]),
        ("chrome", vec!["google chrome", "chromium", "=Chrome"]),
        ("windows", vec!["microsoft windows", "=Windows", "win32k", "MSXML"]),
        (
            "microsoft-365",
            vec![
                "microsoft 365",
                "office 365",
                "sharepoint",
                "=Exchange&microsoft",
                "=Teams&microsoft",
                "=Outlook",
                "entra id",
            ],
        ),
        ("macos", vec!["macos", "=Safari", "mac os x"]),
        ("slack", vec!["=Slack"]),
        ("okta", vec!["okta", "auth0"]),
        ("cloudflare", vec!["cloudflare"]),
        ("fortinet", vec!["fortinet", "fortigate", "fortios", "fortiweb"]),
        ("atlassian", vec!["=Jira", "=Confluence", "atlassian"]),
        ("grafana", vec!["grafana", "=Loki&grafana"]),
        ("prometheus", vec!["prometheus"]),
        ("openai-api", vec!["openai api", "chatgpt enterprise", "OpenAI"]),
        ("anthropic-api", vec!["anthropic", "claude code"]),
        ("cursor", vec!["=Cursor&code editor|IDE|anysphere"]),
        ("vscode", vec!["visual studio code", "vs code", "vscode"]),
    ];
    let topics = [
        ("prompt-injection", vec!["prompt injection", "jailbreak", "jailbreaks", "jailbreaking"]),
        (
            "model-security",
            vec!["model poisoning", "data poisoning", "adversarial examples", "model theft", "backdoored model"],
        ),
        (
            "ai-policy",
            vec!["AI Act", "AI safety institute", "AI security institute", "frontier AI", "AI regulation", "AISI"],
        ),
        (
            "supply-chain",
            vec!["supply chain", "malicious package", "malicious packages", "embedded malicious code", "typosquatting"],
        ),
        ("ransomware", vec!["ransomware!Known ransomware campaign use|ransomware campaign use"]),
        ("phishing", vec!["phishing", "social engineering", "help desk", "account takeover"]),
        (
            "exploited",
            vec!["exploited in the wild", "actively exploited", "known exploited", "active exploitation", "zero-day"],
        ),
    ];
    (
        components.iter().map(|(id, terms)| component(id, terms)).collect(),
        topics.iter().map(|(id, terms)| topic(id, terms)).collect(),
    )
}

#[test]
fn a_plain_stack_tags_judged_items_better_than_word_boundaries_do() {
    let Some(folder) = corpus("tags of judged items") else { return };
    let (components, topics) = plain_stack();
    let matcher = Matcher::new(&components, &topics).unwrap();
    let mut judged: HashMap<(String, String), (bool, bool, String)> = HashMap::new();
    for pair in lines(&folder.join("signal/pairs.jsonl")) {
        let id = pair["component"].as_str().or(pair["topic"].as_str()).unwrap();
        let value = (pair["relevant"] == true, pair["doubt"] == true, word(&pair, "why").to_owned());
        judged.insert((word(&pair, "key").to_owned(), id.to_owned()), value);
    }
    let mut scores: HashMap<String, Score> = HashMap::new();
    let mut wrong: HashMap<(String, String), u32> = HashMap::new();
    let mut seen: HashSet<(String, String)> = HashSet::new();
    let mut detail = String::new();
    for item in lines(&folder.join("signal/items.jsonl")) {
        let answer: Value = serde_json::from_str(&json_line(&matcher, &item.to_string()).unwrap()).unwrap();
        for tag in answer["tags"].as_array().unwrap() {
            let pair = (word(&item, "key").to_owned(), word(tag, "id").to_owned());
            let (relevant, doubt, why) = judged.get(&pair).cloned().unwrap_or((false, false, "unlisted".to_owned()));
            seen.insert(pair.clone());
            let score = scores.entry(format!("{} {}", word(tag, "kind"), pair.1)).or_default();
            if doubt {
                continue;
            } else if relevant {
                score.right += 1;
            } else {
                score.wrong += 1;
                *wrong.entry((word(tag, "kind").to_owned(), why.clone())).or_default() += 1;
                let _ = writeln!(
                    detail,
                    "wrong {why} {} {} {}: {}",
                    pair.1,
                    word(tag, "field"),
                    word(tag, "term"),
                    word(tag, "snippet")
                );
            }
        }
    }
    for ((key, id), (relevant, doubt, why)) in &judged {
        if *relevant && !*doubt && !seen.contains(&(key.clone(), id.clone())) {
            let kind = if topics.iter().any(|topic| topic.id.as_str() == id) { "topic" } else { "component" };
            scores.entry(format!("{kind} {id}")).or_default().missed += 1;
            let _ = writeln!(detail, "missed {why} {id}: {key}");
        }
    }
    if std::env::var_os("SIGTRAIL_DETAIL").is_some() {
        println!("{detail}");
    }
    let total = |kind: &str| {
        scores.iter().filter(|(name, _)| name.starts_with(kind)).fold(Score::default(), |sum, (_, one)| Score {
            right: sum.right + one.right,
            wrong: sum.wrong + one.wrong,
            missed: sum.missed + one.missed,
        })
    };
    let mut names: Vec<_> = scores.iter().collect();
    names.sort_by_key(|(name, _)| name.as_str());
    for (name, score) in names {
        println!("{name}: {}", score.words());
    }
    let (on_components, on_topics) = (total("component"), total("topic"));
    println!("components: {}\ntopics: {}\nwrong by class: {wrong:?}", on_components.words(), on_topics.words());
    assert!(on_components.precision() > 0.209 && on_components.recall() > 0.9, "{}", on_components.words());
    assert!(on_topics.precision() > 0.358, "{}", on_topics.words());
}

#[test]
fn judged_stories_join_and_judged_strangers_do_not() {
    let Some(folder) = corpus("stories of judged items") else { return };
    let mut keyed: HashMap<String, HashSet<StoryKey>> = HashMap::new();
    for item in lines(&folder.join("signal/items.jsonl")) {
        let some = |name: &str| item[name].as_str().map(str::to_owned);
        let entry = Entry {
            guid: some("id"),
            link: some("link"),
            title: some("title"),
            summary: some("text"),
            ..Entry::default()
        };
        keyed.insert(word(&item, "key").to_owned(), keys(&entry).joins.into_iter().collect());
    }
    let mut scores = Score::default();
    for story in lines(&folder.join("signal/stories.jsonl")) {
        let pair = |name: &str| -> Vec<String> {
            story[name].as_array().into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect()
        };
        let share = |a: &str, b: &str| match (keyed.get(a), keyed.get(b)) {
            (Some(a), Some(b)) => !a.is_disjoint(b),
            _ => false,
        };
        for members in pair("members").windows(2) {
            if share(&members[0], &members[1]) {
                scores.right += 1;
            } else {
                scores.missed += 1;
                println!("not joined: {} {} ({})", members[0], members[1], word(&story, "why"));
            }
        }
        if let [a, b] = pair("not_same").as_slice()
            && share(a, b)
        {
            scores.wrong += 1;
            println!("joined although strangers: {a} {b} ({})", word(&story, "why"));
        }
    }
    println!("stories: {}", scores.words());
    assert!(scores.precision() > 0.9 && scores.recall() > 0.7, "{}", scores.words());
}
