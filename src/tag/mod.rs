//! Which components and topics an entry is about, each with its proof. Pure: the stack's terms and the entry's own words
//! decide. Who gets what for a tag is `route`'s business.
//!
//! **Terms.** A term is found as whole tokens, in any case unless it says `exact`, in title, summary, body and categories.
//! Words are compared after Unicode compatibility normalisation (NFKC) and lower-casing; white space, however much, is one space, every dash
//! is `-`, and a phrase is found with hyphens between its words too (`prompt injection`, `prompt-injection`). Places are
//! given in bytes of the original text.
//!
//! **Whole tokens.** A name goes on where people write it on: `c` is not in `c++` or `c#`, `node` not in
//! `node.js`, `net` not in `.net`, `tor` not in `editor` or `tor_browser`.
//!
//! * A version may hang on it: `openssl-3.0`, `openssl_3.0`, `openssl@3`, `nginx-v1.2`, and after four letters or more
//!   also without anything between: `log4j2`, `python3.11`.
//! * A hyphen and a small word make another name of a component, because packages are named so (`django-cms`,
//!   `rust-openssl`). The name counts where it begins with a capital letter (`Windows-Nutzer`), where the other half does
//!   (`openssl-Lücke`) and before the likes of `-related`; not where the compound speaks of something else (`Kubernetes-based`,
//!   `non-Windows`). Topics are ordinary words and count in any compound (`spear-phishing`).
//! * A dot and a letter make another name (`example.github`, `github.com`), unless a sentence ends there. An address of
//!   the web names what it leads to, not what the entry is about: words within one do not count.
//! * A term with a dot, hyphen, slash or colon of its own (`node.js`, `openssl.org`, `org.example:lib`) is so particular
//!   that only letters and digits on either side make it another name.
//! * Scripts that put no space between words (Chinese, Japanese, Korean, Thai, ...) end a token: `OpenSSLの脆弱性`.
//!
//! **Context.** A term with `near` counts when one of those phrases stands anywhere in the entry; an occurrence inside one of its
//! `not` phrases never counts. Regular expressions see the original text, as they are written.
//!
//! **Confidence**, 0 to 100: how likely the entry is about the thing; it orders and explains, it never drops.
//!
//! | place | component | topic |
//! | --- | --- | --- |
//! | title | 50 | 30 |
//! | categories | 40 | 20 |
//! | summary, body | 30 | 20 |
//! | the feed's own `topics` | | 20 |
//!
//! A required context that was found adds 10 and a required case adds 5. Package names and versions, which will be worth more than any
//! word, begin at 70.

mod bounds;
mod compile;
mod feed;
mod fold;
mod matcher;
mod pattern;
mod snippet;

pub(crate) use bounds::is_unspaced;
pub use compile::{Matcher, MatcherError};
pub use feed::feed_tags;
pub use matcher::{Considered, Verdict};
pub use pattern::check_regex;
