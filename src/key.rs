//! The two secrets of a state folder: the key that signs the log and the key that signs links. Made once, never
//! overwritten, never in the database. What is signed with them is `evidence`'s and `token`'s business.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding},
};

use crate::{
    evidence::note::{NoteError, PUBLIC_KEY_FILE, VerifierKey},
    hex::hex,
    token::LinkKey,
};

/// The file of the key that signs the log: PKCS#8 in PEM (RFC 5958, RFC 8410, RFC 7468).
pub const EVIDENCE_KEY: &str = "evidence-key";
/// The file of the key that signs links: 32 random bytes.
pub const LINK_KEY: &str = "link-key";

/// The file of the key before that one: what was made with it works to its end.
pub const OLDER_LINK_KEY: &str = "link-key.old";

/// The longest key file that is read, in bytes.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// Why there is no key to work with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system said no.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is a log and its key is gone. A new one is never made in silence.
    #[error(
        "{0} is missing, and the log that it signed is still there; put the file back from where you keep it: \
         without it this log can be verified but not continued"
    )]
    Missing(PathBuf),
    /// Others may read the key.
    #[error("{path} may be read by others (mode {mode:03o}); whoever read it can sign in your name: chmod 0400 it")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is there and is no such key.
    #[error("{path}: {why}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The log's name cannot name a key.
    #[error("the log's name `{name}`: {error}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        error: NoteError,
    },
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// The key that signs the log, with its public half under the log's name.
#[derive(Debug, Clone)]
pub struct EvidenceKey {
    /// Signs.
    pub signing: SigningKey,
    /// Verifies; its name is the log's origin.
    pub verifier: VerifierKey,
}

/// The evidence key of this state folder. It is made where there is none and no log yet; where there is a log, a
/// missing key is an error. The public half is kept beside it, readable for all.
pub fn evidence_key(state: &Path, origin: &str, log_exists: bool) -> Result<EvidenceKey, KeyError> {
    let path = state.join(EVIDENCE_KEY);
    let signing = match read_secret(&path)? {
        Some(bytes) => parse_pem(&path, &bytes)?,
        None if log_exists => return Err(KeyError::Missing(path)),
        None => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed)?;
            let pem = SigningKey::from_bytes(&seed).to_pkcs8_pem(LineEnding::LF);
            let pem = pem.map_err(|error| KeyError::Form { path: path.clone(), why: error.to_string() })?;
            parse_pem(&path, &make_once(&path, pem.as_bytes(), 0o400)?)?
        }
    };
    let verifier = VerifierKey::new(origin, signing.verifying_key())
        .map_err(|error| KeyError::Name { name: origin.to_owned(), error })?;
    keep_public(&state.join(PUBLIC_KEY_FILE), &verifier)?;
    Ok(EvidenceKey { signing, verifier })
}

/// The key that signs links, made where there is none, and the one before it, where somebody kept it: to change the key
/// is to rename its file.
pub fn link_key(state: &Path) -> Result<LinkKey, KeyError> {
    let key = LinkKey::new(newest_link_key(state)?);
    let path = state.join(OLDER_LINK_KEY);
    let Some(older) = read_secret(&path)? else { return Ok(key) };
    Ok(key.after(older.try_into().map_err(|_| KeyError::Form { path, why: "not 32 bytes".to_owned() })?))
}

fn newest_link_key(state: &Path) -> Result<[u8; 32], KeyError> {
    let path = state.join(LINK_KEY);
    let bytes = if let Some(bytes) = read_secret(&path)? {
        bytes
    } else {
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh)?;
        make_once(&path, &fresh, 0o400)?
    };
    bytes.try_into().map_err(|_| KeyError::Form { path, why: "not 32 bytes".to_owned() })
}

fn parse_pem(path: &Path, bytes: &[u8]) -> Result<SigningKey, KeyError> {
    let form = |why: String| KeyError::Form { path: path.to_owned(), why };
    let text = std::str::from_utf8(bytes).map_err(|_| form("not a PEM file".to_owned()))?;
    SigningKey::from_pkcs8_pem(text).map_err(|error| form(format!("not an Ed25519 key in PKCS#8 PEM ({error})")))
}

fn keep_public(path: &Path, verifier: &VerifierKey) -> Result<(), KeyError> {
    let line = format!("{verifier}\n");
    let kept = match std::fs::read(path) {
        Ok(kept) => kept,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_once(path, line.as_bytes(), 0o444)?,
        Err(error) => return Err(KeyError::File { path: path.to_owned(), error }),
    };
    if kept == line.as_bytes() {
        return Ok(());
    }
    let why = format!(
        "does not fit {EVIDENCE_KEY} and the log's name `{}`; one of the three was changed, and a log keeps its key and name",
        verifier.name()
    );
    Err(KeyError::Form { path: path.to_owned(), why })
}

/// The bytes of a secret file that nobody else may read; `None` where there is no such file.
fn read_secret(path: &Path) -> Result<Option<Vec<u8>>, KeyError> {
    let failed = |error| KeyError::File { path: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(MAX_KEY_FILE).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Makes a file that appears whole or not at all and is on the disk when this returns. Where another process was
/// first, its bytes are given.
fn make_once(path: &Path, bytes: &[u8], mode: u32) -> Result<Vec<u8>, KeyError> {
    let failed = |error| KeyError::File { path: path.to_owned(), error };
    let mut suffix = [0; 8];
    getrandom::fill(&mut suffix)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", hex(&suffix)));
    let draft = PathBuf::from(draft);
    let outcome = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // A link is refused where the name is taken; a rename would overwrite.
        std::fs::hard_link(&draft, path)
    })();
    let removed = std::fs::remove_file(&draft);
    match outcome {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return std::fs::read(path).map_err(failed),
        Err(error) => return Err(failed(error)),
    }
    removed.map_err(failed)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    const ORIGIN: &str = "example.com/sigtrail";

    fn names(state: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn keys_are_made_once_and_only_their_owner_may_read_them() {
        let state = tempfile::tempdir().unwrap();
        let key = evidence_key(state.path(), ORIGIN, false).unwrap();
        let link = newest_link_key(state.path()).unwrap();
        assert_eq!(evidence_key(state.path(), ORIGIN, true).unwrap().verifier, key.verifier);
        assert_eq!(newest_link_key(state.path()).unwrap(), link);
        assert_eq!(names(state.path()), [EVIDENCE_KEY, PUBLIC_KEY_FILE, LINK_KEY]);
        for secret in [EVIDENCE_KEY, LINK_KEY] {
            let mode = fs::metadata(state.path().join(secret)).unwrap().mode() & 0o777;
            assert_eq!(mode, 0o400, "{secret}");
        }
        let public = fs::read_to_string(state.path().join(PUBLIC_KEY_FILE)).unwrap();
        assert_eq!(VerifierKey::parse(&public).unwrap(), key.verifier);
        let pem = fs::read_to_string(state.path().join(EVIDENCE_KEY)).unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    }

    #[test]
    fn a_missing_key_beside_a_log_is_an_error_and_never_a_new_key() {
        let state = tempfile::tempdir().unwrap();
        let error = evidence_key(state.path(), ORIGIN, true).unwrap_err();
        assert!(error.to_string().contains("evidence-key is missing"), "{error}");
        assert!(names(state.path()).is_empty());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let state = tempfile::tempdir().unwrap();
        evidence_key(state.path(), ORIGIN, false).unwrap();
        let path = state.path().join(EVIDENCE_KEY);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        let error = evidence_key(state.path(), ORIGIN, true).unwrap_err();
        assert!(error.to_string().contains("mode 440"), "{error}");
    }

    #[test]
    fn another_key_or_another_name_beside_the_public_key_is_refused() {
        let state = tempfile::tempdir().unwrap();
        evidence_key(state.path(), ORIGIN, false).unwrap();
        let error = evidence_key(state.path(), "example.com/other", true).unwrap_err();
        assert!(error.to_string().contains("example.com/other"), "{error}");
        fs::remove_file(state.path().join(EVIDENCE_KEY)).unwrap();
        assert!(evidence_key(state.path(), ORIGIN, false).is_err(), "a new key does not fit the public one");
        assert!(matches!(evidence_key(state.path(), "two words", true), Err(KeyError::Name { .. })));
    }

    #[test]
    fn a_damaged_key_is_refused_and_kept() {
        let state = tempfile::tempdir().unwrap();
        for (name, text) in [(EVIDENCE_KEY, "-----BEGIN PRIVATE KEY-----\n"), (LINK_KEY, "short")] {
            let path = state.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        }
        assert!(matches!(evidence_key(state.path(), ORIGIN, false), Err(KeyError::Form { .. })));
        assert!(matches!(link_key(state.path()), Err(KeyError::Form { .. })));
        assert_eq!(fs::read(state.path().join(LINK_KEY)).unwrap(), b"short");
    }
}
