//! README.md and docs/operations.md against the commands and the configuration that there are: what stands there can be
//! typed and written as it stands. No command is carried out here.

use std::{fs, path::Path};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};
use sigtrail::{
    cli::args::Args,
    config,
    model::settings::{Config, RemindSettings, UrgentSettings},
};

const PAGES: [&str; 2] = ["README.md", "docs/operations.md"];

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The fenced blocks of one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let (mut blocks, mut open): (Vec<String>, Option<bool>) = (Vec::new(), None);
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(named), None) => {
                open = Some(named == language);
                blocks.extend((named == language).then(String::new));
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(true)) => {
                let block = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

/// What stands between backticks outside of blocks.
fn spans(page: &str) -> Vec<&str> {
    let mut is_block = false;
    let prose = page.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_block ^= is_fence;
        !is_block && !is_fence
    });
    prose.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// The words after `sigtrail` of everything on a page that is typed: in blocks for the shell, between backticks, and in the
/// first column of README.md's table of commands, where the name of the program is left out.
fn typed(page: &str) -> Vec<String> {
    let block_lines = blocks(page, "sh");
    let in_blocks = block_lines.iter().flat_map(|block| block.lines());
    let programs = ["sigtrail ", "target/dist/sigtrail ", "sudo -u sigtrail sigtrail "];
    let after_program = |line: &str| programs.iter().find_map(|program| line.strip_prefix(program)).map(str::to_owned);
    let mut typed: Vec<String> = in_blocks.chain(spans(page)).filter_map(after_program).collect();
    if let Some((_, table)) = page.split_once("| command | what it does |\n| --- | --- |\n") {
        let rows = table.lines().map_while(|line| line.strip_prefix("| ")?.split_once(" | "));
        typed.extend(rows.flat_map(|(first, _)| first.split('`').skip(1).step_by(2)).map(str::to_owned));
    }
    typed
}

/// A command line as a person would type it: comments and redirections cut, quotes read, an example for each placeholder.
fn words(typed: &str) -> Vec<String> {
    let line = typed.split(" #").next().unwrap().split(" > ").next().unwrap();
    let (mut words, mut is_quoted) = (vec!["sigtrail".to_owned()], false);
    for part in line.split('"') {
        if is_quoted {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(|word| {
                let word = word.trim_matches(['[', ']']).trim_end_matches("...").trim_end_matches(']');
                match word {
                    "STORY" => "17".to_owned(),
                    "SHELL" => "bash".to_owned(),
                    word => word.to_owned(),
                }
            }));
        }
        is_quoted = !is_quoted;
    }
    if let Some(at) = words.iter().position(|word| word == "--entry") {
        "17".clone_into(&mut words[at + 1]);
    }
    words
}

/// Whether these words only name a command, without saying anything of what it is to do.
fn is_a_name(words: &[String]) -> bool {
    let mut command = Args::command();
    words.iter().skip(1).all(|word| {
        let next = command.find_subcommand(word).cloned();
        next.map(|next| command = next).is_some()
    })
}

#[test]
fn every_command_on_the_pages_can_be_typed_as_it_stands() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for name in PAGES {
        for line in typed(&page(name)) {
            let words = words(&line);
            count += 1;
            match Args::try_parse_from(&words) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::MissingRequiredArgument && is_a_name(&words) => {}
                Err(error) => wrong.push(format!("{name}: {line}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 60, "{count} commands");
    // What leaves out an argument, or names an option that there is not, is found.
    for line in ["feeds release FEED --as all", "digest --que", "ack --as acted"] {
        let words = words(line);
        assert!(Args::try_parse_from(&words).is_err() && !is_a_name(&words), "{line}");
    }
}

#[test]
fn every_command_there_is_stands_in_the_readme() {
    let readme = page("README.md");
    let all = typed(&readme);
    let cargo = readme.contains("cargo run --release -- demo").then(|| "demo".to_owned());
    let named: Vec<String> =
        all.iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).chain(cargo).collect();
    for command in Args::command().get_subcommands() {
        assert!(named.iter().any(|name| name == command.get_name()), "README.md has no `{}`", command.get_name());
    }
}

/// The shipped files with one example of a page in the place of `config/sigtrail.toml`, or of the owner in
/// `config/owners.toml`, loaded; a maildir is where the example has it.
fn loaded_with(example: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    config::init(folder.path()).unwrap();
    for part in ["new", "cur", "tmp"] {
        fs::create_dir_all(folder.path().join("returned").join(part)).unwrap();
    }
    let maildir = folder.path().join("returned").display().to_string();
    let example = example.replace("/var/lib/sigtrail/returned", &maildir);
    if let Some(owner) = example.strip_prefix("[[owner]]\n") {
        let path = folder.path().join("config/owners.toml");
        let owners = fs::read_to_string(&path).unwrap();
        let (before, others) = owners.split_once("[[owner]]\n").unwrap();
        let (_, others) = others.split_once("[[owner]]\n").unwrap();
        fs::write(path, format!("{before}[[owner]]\n{owner}\n[[owner]]\n{others}")).unwrap();
    } else {
        let sender = if example.contains("[mail]") { "" } else { "[mail]\nfrom = \"sigtrail@example.com\"\n" };
        fs::write(folder.path().join("config/sigtrail.toml"), format!("{sender}{example}")).unwrap();
    }
    let (config, warnings) = config::load_at(folder.path(), "2026-11-20T08:00:00Z".parse().unwrap()).unwrap();
    // A credential is made by systemd, and not on this machine.
    let unexpected: Vec<_> = warnings.iter().filter(|one| !one.message.starts_with("password file `/run/")).collect();
    assert!(unexpected.is_empty(), "{example}{unexpected:#?}");
    config
}

#[test]
fn every_example_of_the_configuration_is_taken_as_it_stands() {
    let examples = blocks(&page("docs/operations.md"), "toml");
    let mut tables = Vec::new();
    for example in &examples {
        let config = loaded_with(example);
        // What the page calls a default is one.
        assert_eq!((config.remind, config.urgent), (RemindSettings::default(), UrgentSettings::default()));
        assert_eq!(config.retention.entries.get_years(), 4);
        tables.extend(example.lines().filter(|line| line.starts_with('[')).map(str::to_owned));
        if example.starts_with("[[owner]]") {
            let maria = &config.owners[0];
            assert!(maria.until.is_some() && maria.quiet_hours.is_some() && maria.away.len() == 1);
        }
    }
    for table in ["[mail]", "[inbound]", "[web]", "[metrics]", "[remind]", "[urgent]", "[retention]", "[[owner]]"] {
        assert!(tables.iter().any(|one| one == table), "docs/operations.md has no example of {table}");
    }
}

#[test]
fn every_credential_of_the_examples_stands_in_the_unit_and_in_a_drop_in() {
    let (operations, unit) = (page("docs/operations.md"), page("systemd/sigtrail.service"));
    let drop_ins = blocks(&operations, "ini").concat();
    let files = blocks(&operations, "toml").concat();
    let credentials: Vec<&str> =
        files.split("/run/credentials/sigtrail.service/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(credentials, ["smtp-password", "imap-password"]);
    for name in credentials {
        let line = format!("LoadCredential={name}:/etc/sigtrail/credentials/{name}\n");
        assert!(unit.contains(&format!("\n#{line}")) && drop_ins.contains(&line), "{name}");
    }
}
