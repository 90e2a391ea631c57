//! The catalogue against what is shipped and against samples: every source has a sample of its structure, invented in
//! content and real in shape (elements, name spaces, kinds of identifiers and dates), and it is read to the stated facts.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use sigtrail::{
    catalogue::{self, Standing},
    config,
    model::entry::{Document, Entry},
    reader,
};

/// What is stated of a sample: the number of its entries, and of the first one its identifier, link, title and date
/// (published, else updated); an empty text where there is none.
struct Fact {
    shape: &'static str,
    entries: usize,
    id: &'static str,
    link: &'static str,
    title: &'static str,
    date: &'static str,
}

const FACTS: &[Fact] = &[
    Fact {
        shape: "alas-rss",
        entries: 2,
        id: "https://alas.example/ALAS-2026-2001.html",
        link: "https://alas.example/ALAS-2026-2001.html",
        title: "ALAS-2026-2001 (important): libmarrow",
        date: "2026-11-18T22:15:00Z",
    },
    Fact {
        shape: "arch-atom",
        entries: 1,
        id: "ASA-202611-1",
        link: "https://arch.example/ASA-202611-1",
        title: "[ASA-202611-1] libmarrow: denial of service",
        date: "2026-11-18T18:40:22Z",
    },
    Fact {
        shape: "arxiv-atom-api",
        entries: 2,
        id: "http://arxiv.example/abs/2611.90001v1",
        link: "https://arxiv.example/abs/2611.90001v1",
        title: "Hidden instructions in calendar invitations",
        date: "2026-11-18T17:59:02Z",
    },
    Fact {
        shape: "arxiv-rss",
        entries: 2,
        id: "oai:arXiv.org:2611.90001v1",
        link: "https://arxiv.example/abs/2611.90001",
        title: "Hidden instructions in calendar invitations",
        date: "2026-11-20T05:00:00Z",
    },
    Fact {
        shape: "aws-rss",
        entries: 1,
        id: "e7f0c9a12b3d4e5f60718293a4b5c6d7e8f90a1b",
        link: "https://aws.example/security/security-bulletins/AWS-2026-090/",
        title: "CVE-2099-40001 - Issue with the container agent",
        date: "2026-11-19T19:58:45Z",
    },
    Fact {
        shape: "azure-status-rss",
        entries: 1,
        id: "XK7M-9PG",
        link: "https://azure.example/en-us/status/",
        title: "Virtual machines - West Europe - Investigating",
        date: "2026-11-19T20:52:11Z",
    },
    Fact {
        shape: "bsi-rss",
        entries: 1,
        id: "https://bsi.example/SharedDocs/Cybersicherheitswarnungen/DE/2026/2026-299999-1032.html",
        link: "https://bsi.example/SharedDocs/Cybersicherheitswarnungen/DE/2026/2026-299999-1032.html",
        title: "Quillgate VPN: Aktive Ausnutzung (Version 1.1)",
        date: "2026-11-19T15:30:00Z",
    },
    Fact {
        shape: "cccs-atom",
        entries: 1,
        id: "https://cyber.example/en/alerts-advisories/quillgate-security-advisory-av26-901",
        link: "https://cyber.example/en/alerts-advisories/quillgate-security-advisory-av26-901",
        title: "Quillgate security advisory (AV26-901)",
        date: "2026-11-19T18:50:00Z",
    },
    Fact {
        shape: "cert-bund-rss",
        entries: 2,
        id: "WID-SEC-2026-9001",
        link: "https://wid.example/portal/wid/securityadvisory?name=WID-SEC-2026-9001",
        title: "[NEU] [hoch] Quillgate VPN: Schwachstelle ermöglicht Umgehen von Sicherheitsvorkehrungen",
        date: "2026-11-19T16:38:02Z",
    },
    Fact {
        shape: "cert-eu-rss",
        entries: 2,
        id: "https://cert-eu.example/publications/security-advisories/2026-044/",
        link: "https://cert-eu.example/publications/security-advisories/2026-044/",
        title: "2026-044: Critical Vulnerability in Quillgate VPN",
        date: "2026-11-19T14:12:09Z",
    },
    Fact {
        shape: "certcc-atom",
        entries: 2,
        id: "https://kb.example/vuls/id/990001",
        link: "https://kb.example/vuls/id/990001",
        title: "VU#990001: Quillgate VPN does not check its cookies",
        date: "2026-11-19T15:00:00.123456Z",
    },
    Fact {
        shape: "cisa-rss",
        entries: 2,
        id: "/node/41001",
        link: "https://cisa.example/news-events/ics-advisories/icsa-26-323-01",
        title: "Quillgate Portal Gateway",
        date: "2026-11-19T12:00:00Z",
    },
    Fact {
        shape: "cisco-rss",
        entries: 1,
        id: "https://sec.cisco.example/security/center/content/CiscoSecurityAdvisory/cisco-sa-example-dos-A1b2C3",
        link: "https://sec.cisco.example/security/center/content/CiscoSecurityAdvisory/cisco-sa-example-dos-A1b2C3?vs_f=Cisco%20Security%20Advisory&vs_cat=Security%20Intelligence&vs_type=RSS&vs_k=1",
        title: "Cisco Example Router Software Denial of Service Vulnerability",
        date: "2026-11-18T16:00:00Z",
    },
    Fact {
        shape: "debian-rdf",
        entries: 2,
        id: "https://lists.debian.example/debian-security-announce/2026/msg00301.html",
        link: "https://lists.debian.example/debian-security-announce/2026/msg00301.html",
        title: "DSA-9801-1 libmarrow - security update",
        date: "2026-11-19T00:00:00Z",
    },
    Fact {
        shape: "drupal-rss",
        entries: 2,
        id: "https://agency.example/news/2026/11/profile",
        link: "https://agency.example/news/2026/11/profile",
        title: "A profile of the risk framework for generative AI",
        date: "2026-11-17T19:00:00Z",
    },
    Fact {
        shape: "eu-kev",
        entries: 2,
        id: "CVE-2099-10007",
        link: "",
        title: "CVE-2099-10007: Quillgate VPN Authentication Bypass",
        date: "2026-11-19T00:00:00Z",
    },
    Fact {
        shape: "euvd",
        entries: 1,
        id: "EUVD-2099-50007",
        link: "https://psirt.quillgate.example/2099/11",
        title: "CVE-2099-10007: Quillgate VPN before 9.1.4 lets a crafted cookie skip the sign-in.",
        date: "2026-11-19T15:00:00Z",
    },
    Fact {
        shape: "fortinet-rss",
        entries: 1,
        id: "https://fortiguard.example/psirt/FG-IR-26-901",
        link: "https://fortiguard.example/psirt/FG-IR-26-901",
        title: "Path traversal in the example manager",
        date: "2026-11-10T07:00:00Z",
    },
    Fact {
        shape: "freebsd-rss",
        entries: 1,
        id: "https://security.freebsd.example/advisories/FreeBSD-SA-26:21.libmarrow.asc",
        link: "https://security.freebsd.example/advisories/FreeBSD-SA-26:21.libmarrow.asc",
        title: "FreeBSD-SA-26:21.libmarrow",
        date: "2026-11-18T08:00:00Z",
    },
    Fact {
        shape: "github-advisories-atom",
        entries: 1,
        id: "https://github.example/advisories/GHSA-2cjx-4v5g-6h7m",
        link: "https://github.example/advisories/GHSA-2cjx-4v5g-6h7m",
        title: "[tarnbase] tarnbase client runs what the server sends",
        date: "2026-11-18T18:30:36Z",
    },
    Fact {
        shape: "github-advisories-json",
        entries: 1,
        id: "GHSA-2cjx-4v5g-6h7m",
        link: "https://github.example/advisories/GHSA-2cjx-4v5g-6h7m",
        title: "CVE-2099-70002: tarnbase client runs what the server sends",
        date: "2026-11-18T18:30:36Z",
    },
    Fact {
        shape: "github-advisories-jsonfeed",
        entries: 1,
        id: "https://github.example/advisories/GHSA-9x8w-7v6q-5r4p",
        link: "https://github.example/advisories/GHSA-9x8w-7v6q-5r4p",
        title: "[libmarrow-sys] libmarrow-sys panics on long names",
        date: "2026-11-18T20:10:01Z",
    },
    Fact {
        shape: "github-commits-atom",
        entries: 1,
        id: "tag:github.example,2008:Grit::Commit/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
        link: "https://github.example/chips/product-security/commit/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
        title: "Add bulletin 5901 for the container toolkit",
        date: "2026-11-18T16:00:00Z",
    },
    Fact {
        shape: "github-releases-atom",
        entries: 2,
        id: "tag:github.example,2008:Repository/900001/v4.2.0",
        link: "https://github.example/tarnbase/server/releases/tag/v4.2.0",
        title: "4.2.0",
        date: "2026-11-17T10:20:30Z",
    },
    Fact {
        shape: "gitlab-atom",
        entries: 1,
        id: "https://gitlab.example/releases/2026/11/12/patch-release-gitlab-22-6-1-released/",
        link: "https://gitlab.example/releases/2026/11/12/patch-release-gitlab-22-6-1-released/",
        title: "GitLab Patch Release: 22.6.1, 22.5.3, 22.4.5",
        date: "2026-11-12T00:00:00Z",
    },
    Fact {
        shape: "google-cloud-atom",
        entries: 2,
        id: "tag:google.com,2016:google-cloud-security-bulletins#November_19_2026",
        link: "https://cloud.example/support/bulletins#gcp-2026-070",
        title: "November 19, 2026",
        date: "2026-11-19T08:00:00Z",
    },
    Fact {
        shape: "govuk-atom",
        entries: 1,
        id: "https://gov.example/government/publications/frontier-report#2026-11-16T10:00:00+00:00",
        link: "https://gov.example/government/publications/frontier-report",
        title: "Frontier report",
        date: "2026-11-16T10:00:00Z",
    },
    Fact {
        shape: "huggingface-rss",
        entries: 2,
        id: "https://models.example/blog/safer-formats",
        link: "https://models.example/blog/safer-formats",
        title: "Safer formats for weights",
        date: "2026-11-19T00:00:00Z",
    },
    Fact {
        shape: "hugo-rss",
        entries: 2,
        id: "https://research.example/2026/11/18/vector-store/",
        link: "https://research.example/2026/11/18/vector-store/",
        title: "We reviewed a vector store",
        date: "2026-11-18T12:00:00Z",
    },
    Fact {
        shape: "incident-rss",
        entries: 1,
        id: "90001",
        link: "https://incidents.example/cite/9001#r90001",
        title: "Assistant sends invoices to the wrong customers",
        date: "2026-11-19T00:00:00Z",
    },
    Fact {
        shape: "jenkins-rss",
        entries: 2,
        id: "",
        link: "https://jenkins.example/security/advisory/2026-11-18/",
        title: "Jenkins Security Advisory 2026-11-18",
        date: "2026-11-18T00:00:00Z",
    },
    Fact {
        shape: "jpcert-rdf",
        entries: 2,
        id: "https://jpcert.example/english/at/2026/at260030.html",
        link: "https://jpcert.example/english/at/2026/at260030.html",
        title: "Alert Regarding Quillgate VPN (CVE-2099-10007)",
        date: "2026-11-19T01:00:00Z",
    },
    Fact {
        shape: "k8s-jsonfeed",
        entries: 2,
        id: "CVE-2099-90001",
        link: "https://github.example/kubernetes/kubernetes/issues/139001",
        title: "",
        date: "2026-11-17T14:02:16Z",
    },
    Fact {
        shape: "kev",
        entries: 2,
        id: "CVE-2099-10007",
        link: "https://psirt.quillgate.example/2099/11",
        title: "CVE-2099-10007: Quillgate VPN Authentication Bypass Vulnerability",
        date: "2026-11-19T00:00:00Z",
    },
    Fact {
        shape: "minimal-rss",
        entries: 2,
        id: "",
        link: "https://alliance.example/news/open-test",
        title: "An open test for agents",
        date: "2026-11-16T12:00:00Z",
    },
    Fact {
        shape: "msrc-blog-rss",
        entries: 1,
        id: "https://msrc.example/blog/2026/11/portal/",
        link: "https://msrc.example/blog/2026/11/portal/",
        title: "How we found a hole in our own portal",
        date: "2026-11-18T08:00:00Z",
    },
    Fact {
        shape: "msrc-rss",
        entries: 2,
        id: "CVE-2099-30001",
        link: "https://msrc.example/update-guide/vulnerability/CVE-2099-30001",
        title: "CVE-2099-30001 Windows Kernel Elevation of Privilege Vulnerability",
        date: "2026-11-10T08:00:00Z",
    },
    Fact {
        shape: "ncsc-rss",
        entries: 2,
        id: "https://ncsc.example/blog-post/prompt-injection",
        link: "https://ncsc.example/blog-post/prompt-injection",
        title: "Prompt injection is not a bug that can be fixed",
        date: "2026-11-19T09:30:00Z",
    },
    Fact {
        shape: "node-rss",
        entries: 1,
        id: "/blog/vulnerability/november-2026-security-releases",
        link: "https://nodejs.example/en/blog/vulnerability/november-2026-security-releases",
        title: "Tuesday, November 17, 2026 Security Releases",
        date: "2026-11-17T15:30:00Z",
    },
    Fact {
        shape: "openai-rss",
        entries: 1,
        id: "https://supplier.example/index/retirement-2024-models",
        link: "https://supplier.example/index/retirement-2024-models",
        title: "Retirement of the 2024 models",
        date: "2026-11-19T18:00:00Z",
    },
    Fact {
        shape: "paloalto-rss",
        entries: 1,
        id: "https://security.paloalto.example/CVE-2099-60001",
        link: "https://security.paloalto.example/CVE-2099-60001",
        title: "CVE-2099-60001 Example Firewall: Command injection in the management interface (Severity: HIGH)",
        date: "2026-11-11T17:00:00Z",
    },
    Fact {
        shape: "reddit-atom",
        entries: 1,
        id: "t3_9zzz01",
        link: "https://forum.example/r/netsec/comments/9zzz01/quillgate/",
        title: "Taking apart the Quillgate cookie",
        date: "2026-11-19T20:11:12Z",
    },
    Fact {
        shape: "rhsa-rss",
        entries: 2,
        id: "https://access.redhat.example/errata/RHSA-2026:20001",
        link: "https://access.redhat.example/errata/RHSA-2026:20001",
        title: "RHSA-2026:20001: Important: libmarrow security update",
        date: "2026-11-19T11:32:46Z",
    },
    Fact {
        shape: "rolie",
        entries: 1,
        id: "VA-26-323-01",
        link: "https://csaf.example/IT/white/2026/va-26-323-01.json",
        title: "Tarnbase Server sends keys in error pages",
        date: "2026-11-18T00:00:00Z",
    },
    Fact {
        shape: "rustsec-atom",
        entries: 1,
        id: "https://rustsec.example/advisories/RUSTSEC-2026-9001.html",
        link: "https://rustsec.example/advisories/RUSTSEC-2026-9001.html",
        title: "RUSTSEC-2026-9001: Vulnerability in libmarrow-sys",
        date: "2026-11-18T12:00:00Z",
    },
    Fact {
        shape: "seclists-rss",
        entries: 2,
        id: "https://lists.example/oss-sec/2026/q4/301",
        link: "https://lists.example/oss-sec/2026/q4/301",
        title: "CVE-2099-20002: libmarrow: crash on long archive names",
        date: "2026-11-19T21:03:10Z",
    },
    Fact {
        shape: "siemens-atom",
        entries: 2,
        id: "https://cert-portal.example/productcert/html/ssa-990001.html#1.2",
        link: "https://cert-portal.example/productcert/html/ssa-990001.html",
        title: "SSA-990001 V1.2 (Last Update: 2026-11-10): Denial of Service Vulnerability in Example Controllers",
        date: "2026-11-10T00:00:00Z",
    },
    Fact {
        shape: "ubuntu-rss",
        entries: 2,
        id: "https://ubuntu.example/security/notices/USN-9901-1",
        link: "https://ubuntu.example/security/notices/USN-9901-1",
        title: "USN-9901-1: libmarrow vulnerability",
        date: "2026-11-19T17:42:45Z",
    },
    Fact {
        shape: "wordpress-rss",
        entries: 2,
        id: "https://genai.example/?p=9001",
        link: "https://genai.example/2026/11/19/agents-top-ten/",
        title: "The agents’ top ten, second edition",
        date: "2026-11-19T14:00:00Z",
    },
    Fact {
        shape: "zdi-rss",
        entries: 1,
        id: "ZDI-26-999_ZDI-CAN-29999",
        link: "http://zdi.example/advisories/ZDI-26-999/",
        title: "ZDI-26-999: Tarnbase Server Deserialization Remote Code Execution Vulnerability",
        date: "2026-11-18T06:00:00Z",
    },
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The samples, by their names without the ending.
fn samples() -> Vec<(String, PathBuf)> {
    let folder = root().join("tests/suite/fixtures/shapes");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<(String, PathBuf)> =
        files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect();
    samples.sort();
    samples
}

fn read(path: &Path) -> Document {
    reader::read(fs::read(path).unwrap(), None, None).unwrap()
}

fn or_empty(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

fn date(entry: &Entry) -> String {
    entry.published.or(entry.updated).map(|time| time.to_string()).unwrap_or_default()
}

#[test]
fn the_sample_of_every_shape_is_read_to_the_stated_facts() {
    let samples = samples();
    assert_eq!(samples.len(), FACTS.len());
    for ((name, path), fact) in samples.iter().zip(FACTS) {
        assert_eq!(name, fact.shape);
        let document = read(path);
        assert_eq!((document.partial, &document.warnings[..]), (false, &[][..]), "{name}");
        assert_eq!(document.entries.len(), fact.entries, "{name}");
        let first = &document.entries[0];
        let found = [or_empty(first.guid.as_ref()), or_empty(first.link.as_ref()), or_empty(first.title.as_ref())];
        assert_eq!(found, [fact.id, fact.link, fact.title], "{name}");
        assert_eq!(date(first), fact.date, "{name}");
        // A bare list has no room for a title of its own.
        let is_bare = fs::read(path).unwrap().starts_with(b"[");
        assert_eq!(document.title.is_none(), is_bare, "{name}");
    }
}

#[test]
fn every_source_of_the_catalogue_has_a_sample_of_its_format_and_no_sample_is_idle() {
    let samples = samples();
    let mut used = BTreeSet::new();
    for listed in catalogue::all().iter().filter(|listed| listed.status != Standing::NoFeed) {
        let (name, path) = samples.iter().find(|(name, _)| *name == listed.shape).expect(&listed.id);
        assert_eq!(read(path).format.as_str(), listed.format, "{}", listed.id);
        used.insert(name);
    }
    assert_eq!(used.len(), samples.len(), "samples that no source has");
}

#[test]
fn every_shipped_feed_is_in_the_catalogue_and_its_group_has_a_kind_and_a_reason() {
    let (config, _) = config::load(root()).unwrap();
    assert!(config.feeds.len() >= 10);
    for feed in &config.feeds {
        let listed = catalogue::by_address(feed.url.as_str()).unwrap_or_else(|| panic!("{} is not listed", feed.id));
        assert_eq!(listed.id, feed.id.as_str());
        assert_eq!(listed.url.as_deref(), Some(feed.url.as_str()));
        let group = config.group(feed.group.as_ref().unwrap()).unwrap();
        assert_eq!(group.id.as_str(), listed.group_id);
        let kind = sigtrail::model::feed::GroupKind::ALL.into_iter().find(|(word, _)| *word == listed.kind);
        assert_eq!(group.kind, kind.map(|(_, kind)| kind), "{}", feed.id);
        assert!(group.reason.as_ref().is_some_and(|reason| reason.len() > 20), "{}", feed.id);
        assert_ne!(listed.status, Standing::Unsure, "{} is shipped and not sure", feed.id);
    }
}
