//! The long checks: what takes minutes or hours, or more of the machine than `cargo test` may ask for. Each is a role of
//! this program, prints what it did and saw, and ends with 1 where a promise was broken. `.ci/long` runs all of them.
//!
//! ```text
//! cargo bench --bench long -- mutants  [--mutants 1000000] [--seed 1] [--minutes 60] [--slice 1/10]
//! cargo bench --bench long -- fuzz     [--target xml|json|cleaner|date|url|header] [--runs 1000000] [--seed 1]
//! cargo bench --bench long -- soak     [--feeds 200] [--minutes 60] [--seed 1]
//! cargo bench --bench long -- restarts [--restarts 1000] [--minutes 60] [--seed 1]
//! cargo bench --bench long -- watched  (H-48)   cargo bench --bench long -- names  (H-31)
//! cargo bench --bench long -- kills    [--points 10000] [--kills 1000] [--seed 1]
//! cargo bench --bench long -- bodies   [--bodies 1000000] [--seed 1]
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench starts what it watches and says what it found"
)]

mod bodies;
mod damage;
mod fuzz;
#[path = "../../tests/suite/harness/mod.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the tests' harness, of which a long check uses a part"
)]
mod harness;
mod kills;
mod mutants;
mod names;
mod publisher;
mod restarts;
mod seed;
mod service;
mod soak;
mod trace;
mod watched;

use std::{error::Error, process::ExitCode, str::FromStr};

/// What a role gives: whether its promises were kept.
type Outcome = Result<bool, Box<dyn Error>>;

/// The options of a role: `--name value` pairs.
struct Options(Vec<String>);

impl Options {
    /// The text of an option.
    fn text(&self, name: &str) -> Option<&str> {
        let mut words = self.0.iter().skip_while(|word| *word != name).skip(1);
        words.next().map(String::as_str)
    }

    /// The value of an option, or what it is without one.
    fn value<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        match self.text(name) {
            Some(text) => text.parse().map_err(|_| format!("{name} {text}: this cannot be read")),
            None => Ok(default),
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // cargo adds `--bench` at the end.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let role = arguments.next().unwrap_or_default();
    let options = Options(arguments.collect());
    let kept = match role.as_str() {
        "mutants" => mutants::run(&options)?,
        "fuzz" => fuzz::run(&options)?,
        "soak" => soak::run(&options)?,
        "restarts" => restarts::run(&options)?,
        "watched" => watched::run()?,
        "names" => names::run()?,
        "kills" => kills::run(&options)?,
        "bodies" => bodies::run(&options)?,
        _ => {
            println!(
                "which one: mutants, fuzz, soak, restarts, watched, names, kills, bodies? `.ci/long` runs all of them"
            );
            return Ok(ExitCode::SUCCESS);
        }
    };
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
