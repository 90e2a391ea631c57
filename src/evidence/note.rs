//! Signed heads of the log: C2SP signed notes (c2sp.org/signed-note) with the text of C2SP checkpoints
//! (c2sp.org/tlog-checkpoint), Ed25519 only. Reading is strict. Where keys are kept is `key`'s business.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::merkle::Hash;
use crate::hex::hex;

/// The longest note, in bytes, that is read: room for 16 post-quantum signatures beside ours.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;
/// The most signature lines of a note that are read.
pub const MAX_SIGNATURES: usize = 64;
/// The file beside the database that holds the log's verifier key: one line, readable for all.
pub const PUBLIC_KEY_FILE: &str = "evidence-key.pub";
/// What a signature line starts with: an em dash and a space.
pub const SIGNATURE_MARK: &str = "\u{2014} ";
/// The signature type of Ed25519 in key ids and verifier keys.
const ED25519: u8 = 1;

/// Why a note, or a verifier key, is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note has not the form of a signed note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// The note's text is not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// The text of a verifier key is not one.
    #[error("not a verifier key (NAME+ID+KEY): {0}")]
    Key(&'static str),
    /// No signature is from the key that is asked for.
    #[error("not signed by the key {0}")]
    OtherKey(String),
    /// The signature is from the key that is asked for and does not fit the text.
    #[error("the signature of {0} is wrong")]
    BadSignature(String),
    /// The checkpoint is of another log.
    #[error("is a checkpoint of the log `{found}`, not of `{expected}`")]
    OtherLog {
        /// The origin that the key stands for.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
}

/// A public key with its name and id, as C2SP writes it: `NAME+ID+KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The public key under this name, which must not be empty nor hold white space or `+`.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::Key("the name is empty or holds white space, a control character or `+`"));
        }
        if key.is_weak() {
            return Err(NoteError::Key("the key is weak"));
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// Reads a verifier key; one line end is allowed at the end. The id must fit name and key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let (name, rest) = text.split_once('+').ok_or(NoteError::Key("no `+`"))?;
        let (id, key) = rest.split_once('+').ok_or(NoteError::Key("no second `+`"))?;
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Key("the key is not base64"))?;
        let key = match bytes.split_first() {
            Some((&ED25519, key)) => <[u8; 32]>::try_from(key).map_err(|_| NoteError::Key("not 32 bytes of key"))?,
            _ => return Err(NoteError::Key("not of the type Ed25519")),
        };
        let key = VerifyingKey::from_bytes(&key).map_err(|_| NoteError::Key("not a point of the curve"))?;
        let verifier = Self::new(name, key)?;
        if hex(&verifier.id()) != id {
            return Err(NoteError::Key("the id does not fit name and key"));
        }
        Ok(verifier)
    }

    /// The key's name, which is the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id: the first four bytes of SHA-256 over name, line feed, signature type and key.
    pub fn id(&self) -> [u8; 4] {
        key_id(&self.name, &self.key)
    }

    /// What two people compare: lower-case hex SHA-256 of the verifier key and a line feed, which is what
    /// `sha256sum key.pub` prints.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(format!("{self}\n")))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), STANDARD.encode(key))
    }
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key.as_bytes()).finalize();
    let mut id = [0; 4];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    id
}

/// Whether this can be the name of a key, and the origin of a log.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// A head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many records it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: three lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note. The key's name is the origin.
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let mut signature = key_id(&self.origin, &key.verifying_key()).to_vec();
        signature.extend_from_slice(&key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n{SIGNATURE_MARK}{} {}\n", self.origin, STANDARD.encode(signature))
    }

    /// Reads the text of a note. Lines after the third are allowed, as C2SP has it, but not empty ones.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let text = text.strip_suffix('\n').ok_or(NoteError::Checkpoint("no line end at the end"))?;
        let mut lines = text.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(NoteError::Checkpoint("no origin"))?;
        let size = lines.next().and_then(read_size).ok_or(NoteError::Checkpoint("no proper size"))?;
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok()?.try_into().ok());
        let root = root.ok_or(NoteError::Checkpoint("no proper root"))?;
        if lines.any(str::is_empty) {
            return Err(NoteError::Checkpoint("an empty line"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

fn read_size(line: &str) -> Option<u64> {
    let plain = line.bytes().all(|byte| byte.is_ascii_digit()) && (line == "0" || !line.starts_with('0'));
    if plain { line.parse().ok() } else { None }
}

/// Opens a signed checkpoint: the note's form, the signature of this key, the checkpoint's form, and that it is of
/// the log that the key is named after. Signatures of other keys are passed over.
pub fn open(note: &str, key: &VerifierKey) -> Result<Checkpoint, NoteError> {
    let (text, signatures) = split_note(note)?;
    let mut signed = false;
    for line in signatures {
        let (name, id, signature) = read_signature(line)?;
        if name != key.name || id != key.id() {
            continue;
        }
        let fits = Signature::from_slice(&signature)
            .is_ok_and(|signature| key.key.verify_strict(text.as_bytes(), &signature).is_ok());
        if !fits {
            return Err(NoteError::BadSignature(key_label(name, id)));
        }
        signed = true;
    }
    if !signed {
        return Err(NoteError::OtherKey(key_label(&key.name, key.id())));
    }
    let checkpoint = Checkpoint::parse(text)?;
    if checkpoint.origin != key.name {
        return Err(NoteError::OtherLog { expected: key.name.clone(), found: checkpoint.origin });
    }
    Ok(checkpoint)
}

fn key_label(name: &str, id: [u8; 4]) -> String {
    format!("{name}+{}", hex(&id))
}

/// A note's text, with its last line end, and its signature lines.
fn split_note(note: &str) -> Result<(&str, Vec<&str>), NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::Form("too long"));
    }
    if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Form("a control character"));
    }
    let body = note.strip_suffix('\n').ok_or(NoteError::Form("no line end at the end"))?;
    let (text, lines) = body.rsplit_once("\n\n").ok_or(NoteError::Form("no empty line before the signatures"))?;
    let text = note.get(..=text.len()).ok_or(NoteError::Form("no text"))?;
    let lines: Vec<&str> = lines.split('\n').take(MAX_SIGNATURES + 1).collect();
    if lines.len() > MAX_SIGNATURES {
        return Err(NoteError::Form("too many signatures"));
    }
    Ok((text, lines))
}

/// Name, key id and signature of a signature line.
fn read_signature(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    let form = NoteError::Form("a signature line that is none");
    let Some((name, encoded)) = line.strip_prefix(SIGNATURE_MARK).and_then(|rest| rest.split_once(' ')) else {
        return Err(form);
    };
    let decoded = STANDARD.decode(encoded).ok().filter(|_| is_key_name(name));
    let Some((id, signature)) = decoded.as_ref().and_then(|bytes| bytes.split_first_chunk::<4>()) else {
        return Err(form);
    };
    if signature.is_empty() { Err(form) } else { Ok((name, *id, signature.to_vec())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "example.com/sigtrail";

    fn signing(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn verifier() -> VerifierKey {
        VerifierKey::new(ORIGIN, signing(1).verifying_key()).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: ORIGIN.into(), size: 118, root: [0xab; 32] }
    }

    fn sign_text(text: &str, name: &str, seed: u8) -> String {
        let key = signing(seed);
        let mut signature = key_id(name, &key.verifying_key()).to_vec();
        signature.extend_from_slice(&key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n{SIGNATURE_MARK}{name} {}\n", STANDARD.encode(signature))
    }

    #[test]
    fn a_checkpoint_is_three_lines_and_a_signature() {
        let note = checkpoint().sign(&signing(1));
        let lines: Vec<&str> = note.split('\n').collect();
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[..4], [ORIGIN, "118", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=", ""]);
        assert!(lines[4].starts_with("— example.com/sigtrail "));
        assert_eq!(note, sign_text(&checkpoint().text(), ORIGIN, 1));
        assert_eq!(open(&note, &verifier()), Ok(checkpoint()));
    }

    #[test]
    fn a_verifier_key_is_what_other_tools_compute() {
        // The public key of RFC 8032, section 7.1, test 1; the id by sha256sum over the name, 0x0a, 0x01 and it.
        let secret = crate::hex::unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let key = SigningKey::from_bytes(&secret.unwrap()).verifying_key();
        let verifier = VerifierKey::new(ORIGIN, key).unwrap();
        assert_eq!(verifier.to_string(), "example.com/sigtrail+2ce9c1d6+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea");
        assert_eq!(VerifierKey::parse(&format!("{verifier}\n")), Ok(verifier.clone()));
        assert_eq!(verifier.fingerprint(), hex(&Sha256::digest(format!("{verifier}\n"))));
    }

    #[test]
    fn e_06_a_verifier_key_that_does_not_fit_is_refused() {
        let good = verifier().to_string();
        let [name, id, key] = good.split('+').collect::<Vec<_>>().try_into().unwrap();
        for bad in [
            String::new(),
            name.to_owned(),
            format!("{name}+{id}"),
            format!("+{id}+{key}"),
            format!("example.com/other+{id}+{key}"),
            format!("{name}+{}+{key}", id.to_uppercase()),
            format!("{name}+00000000+{key}"),
            format!("{name}+{id}+{key}="),
            format!("{name}+{id}+Ag{}", key.get(2..).unwrap()),
            format!("{name}+{id}+{key}\n\n"),
            format!(" {good}"),
        ] {
            assert!(VerifierKey::parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn e_06_every_departure_from_the_form_is_refused() {
        let note = checkpoint().sign(&signing(1));
        let (text, signature) = note.split_once("\n\n").unwrap();
        let root = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
        let vectors: Vec<String> = vec![
            String::new(),
            "\n".into(),
            note.trim_end().to_owned(),
            format!("{note}\n"),
            format!("\n{note}"),
            note.replace('\n', "\r\n"),
            note.replace("\n\n", "\n"),
            note.replace("\n\n", "\n\n\n"),
            note.replace('—', "-"),
            note.replace("— ", "—"),
            note.replace("— ", "—  "),
            note.replace("118", "119"),
            note.replace("118", "0118"),
            note.replace("118", "+118"),
            note.replace("118", "118 "),
            note.replace(root, "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6t="),
            note.replace("sigtrail\n", "sigtrall\n"),
            note.replace(ORIGIN, "example.com/other"),
            format!("{text}\nextra\n\n{signature}"),
            format!("{text}\n\n{}", signature.to_lowercase()),
            format!("{text}\n\n{}\n", signature.trim_end().trim_end_matches('=')),
            format!("{text}\n\n{signature}trailing\n"),
            format!("{text}\n\n{signature}— example.com/x \n"),
            format!("{text}\n\n{signature}— example.com/x AAAA\n"),
            format!("{text}\n\n{signature}— example.com/x AAAAAA\n"),
            format!("{text}\n\n{signature}— example+x AAAAAAA=\n"),
            format!("{text}\n\n{signature}— a\u{a0}b AAAAAAA=\n"),
            format!("{text}\u{1}\n\n{signature}"),
            format!("{text}\t\n\n{signature}"),
            format!("{text}\n\n{}", signature.repeat(MAX_SIGNATURES + 1)),
            format!("{}\n\n{signature}", "x".repeat(MAX_NOTE_BYTES)),
            format!("{text}\n\n— {ORIGIN} {}\n", STANDARD.encode([verifier().id().as_slice(), &[0; 64]].concat())),
            format!("{text}\n\n— {ORIGIN} {}\n", STANDARD.encode([verifier().id().as_slice(), &[0; 63]].concat())),
        ];
        for vector in vectors {
            assert!(open(&vector, &verifier()).is_err(), "{vector:?}");
        }
    }

    #[test]
    fn e_06_what_is_well_signed_and_no_checkpoint_of_this_log_is_refused() {
        let root = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
        let mut vectors = Vec::new();
        for body in [
            format!("{ORIGIN}\n0118\n{root}\n"),
            format!("{ORIGIN}\n-1\n{root}\n"),
            format!("{ORIGIN}\n+1\n{root}\n"),
            format!("{ORIGIN}\n\n{root}\n"),
            format!("{ORIGIN}\n1e3\n{root}\n"),
            format!("{ORIGIN}\n1 \n{root}\n"),
            format!("{ORIGIN}\n00\n{root}\n"),
            format!("{ORIGIN}\n18446744073709551616\n{root}\n"),
            format!("{ORIGIN}\n٣\n{root}\n"),
            format!("{ORIGIN}\n1\n\n"),
            format!("{ORIGIN}\n1\n{}\n", root.trim_end_matches('=')),
            format!("{ORIGIN}\n1\n{}\n", root.replace('s', "t")),
            format!("{ORIGIN}\n1\n{}\n", root.replace("q6", "-6")),
            format!("{ORIGIN}\n1\nAAAA\n"),
            format!("{ORIGIN}\n1\n {root}\n"),
            format!("{ORIGIN}\n1\n{root}\n\n"),
            format!("{ORIGIN}\n1\n{root}\n\nx\n"),
            format!("{ORIGIN}\n1\n{root}\nx\n\n"),
            format!("{ORIGIN}\n1\n"),
            format!("{ORIGIN}\n"),
            format!("\n1\n{root}\n"),
            format!("example.com/other\n1\n{root}\n"),
        ] {
            vectors.push(sign_text(&body, ORIGIN, 1));
        }
        // A good form, signed by others only.
        for (name, seed) in [(ORIGIN, 2), ("example.com/other", 1), ("example.com/witness", 3)] {
            vectors.push(sign_text(&checkpoint().text(), name, seed));
        }
        for vector in vectors {
            assert!(open(&vector, &verifier()).is_err(), "{vector:?}");
        }
    }

    #[test]
    fn e_06_what_the_form_allows_is_taken() {
        let zero = Checkpoint { size: 0, ..checkpoint() };
        assert_eq!(open(&zero.sign(&signing(1)), &verifier()), Ok(zero));
        let extended = format!("{}an extension line\n", checkpoint().text());
        assert_eq!(open(&sign_text(&extended, ORIGIN, 1), &verifier()), Ok(checkpoint()));
        let witness = sign_text(&checkpoint().text(), "example.com/witness", 3);
        let (_, witness) = witness.split_once("\n\n").unwrap();
        let mut note = checkpoint().sign(&signing(1));
        (0..15).for_each(|_| note.push_str(witness));
        assert_eq!(open(&note, &verifier()), Ok(checkpoint()), "unknown signatures are passed over");
    }

    #[test]
    fn e_06_a_known_key_with_one_bad_signature_rejects_the_note() {
        let good = checkpoint().sign(&signing(1));
        let other = Checkpoint { size: 1, ..checkpoint() }.sign(&signing(1));
        let (_, bad_line) = other.split_once("\n\n").unwrap();
        let error = open(&format!("{good}{bad_line}"), &verifier()).unwrap_err();
        assert!(matches!(error, NoteError::BadSignature(_)), "{error}");
    }

    #[test]
    fn e_14_a_log_that_renames_itself_is_refused() {
        let renamed = Checkpoint { origin: "example.com/new".into(), ..checkpoint() };
        assert!(matches!(open(&renamed.sign(&signing(1)), &verifier()), Err(NoteError::OtherKey(_))));
        let dressed = sign_text(&renamed.text(), ORIGIN, 1);
        assert!(matches!(open(&dressed, &verifier()), Err(NoteError::OtherLog { .. })));
    }

    #[test]
    fn every_flipped_bit_of_a_note_is_noticed() {
        let note = checkpoint().sign(&signing(1)).into_bytes();
        for i in 0..note.len() * 8 {
            let mut flipped = note.clone();
            flipped[i / 8] ^= 1 << (i % 8);
            let taken = String::from_utf8(flipped).is_ok_and(|note| open(&note, &verifier()).is_ok());
            assert!(!taken, "bit {i}");
        }
    }
}
