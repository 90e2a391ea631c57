//! A command under strace, and its calls of the system as far as they name files, programs, processes or sockets.

use std::{
    error::Error,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// One call of the system, as strace writes it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name, such as `openat`.
    pub name: String,
    /// What stands between its brackets; up to the break where another thread came between.
    pub arguments: String,
}

/// Whether this machine has strace.
pub fn is_there() -> bool {
    Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command to its end under strace, watching these kinds of calls.
///
/// # Errors
/// Where the command cannot be started or ends badly.
pub fn traced(command: &Command, kinds: &str, folder: &Path) -> Result<Vec<Call>, Box<dyn Error>> {
    let file = folder.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-s", "4096", "-e", &format!("trace={kinds}"), "-o"]).arg(&file);
    strace.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    // Cargo sets it for what it runs, and the loader would try every one of its folders.
    strace.env_remove("LD_LIBRARY_PATH");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    let done = strace.output()?;
    if !done.status.success() {
        let words = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(format!("{:?} ended with {}: {words}", command.get_args().collect::<Vec<_>>(), done.status).into());
    }
    let text = fs::read(&file)?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(call).collect())
}

/// `4711 openat(AT_FDCWD</site>, "a", O_RDONLY) = 3</site/a>`
fn call(line: &str) -> Option<Call> {
    let (_, rest) = line.split_once(' ')?;
    let (name, arguments) = rest.trim_start().split_once('(')?;
    let is_name = name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
    is_name.then(|| Call { name: name.to_owned(), arguments: arguments.to_owned() })
}

impl Call {
    /// Every path that the call names: relative ones from the folder that stands before them.
    pub fn paths(&self) -> Vec<PathBuf> {
        let (mut paths, mut folder, mut rest) = (Vec::new(), OsString::new(), self.arguments.as_str());
        while let Some(at) = rest.find(['<', '"']) {
            let (_, from) = rest.split_at_checked(at).unwrap_or_default();
            let Some(end) = from.get(1..).and_then(|inside| end_of(inside, from.starts_with('<'))) else { break };
            let inside = from.get(1..=end).unwrap_or_default();
            if from.starts_with('<') {
                folder = inside.into();
            } else {
                paths.push(Path::new(&folder).join(inside));
            }
            rest = from.get(end + 2..).unwrap_or_default();
        }
        paths
    }

    /// Whether the call may change what is on the disk.
    pub fn changes(&self) -> bool {
        match self.name.as_str() {
            "open" | "openat" | "openat2" => {
                ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| self.arguments.contains(flag))
            }
            name => {
                ["mkdir", "rename", "unlink", "rmdir", "link", "creat", "truncate", "chmod", "chown", "mknod", "utime"]
                    .iter()
                    .any(|verb| name.contains(verb) && !name.starts_with("readlink"))
            }
        }
    }

    /// Whether the call starts a program, or a process rather than a thread.
    pub fn starts(&self) -> bool {
        match self.name.as_str() {
            "execve" | "execveat" | "fork" | "vfork" => true,
            "clone" | "clone3" => !self.arguments.contains("CLONE_THREAD"),
            _ => false,
        }
    }
}

/// Where a quoted text, or a path in angle brackets, ends.
fn end_of(inside: &str, is_path: bool) -> Option<usize> {
    let mut escaped = false;
    inside.char_indices().find_map(|(at, one)| {
        let is_end = if is_path { one == '>' } else { one == '"' && !escaped };
        escaped = one == '\\' && !escaped;
        is_end.then_some(at)
    })
}
