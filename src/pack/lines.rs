//! A file read line by line and hashed on the way, so that no file is read twice. What the lines mean is not
//! known here.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::evidence::{merkle::Hash, record::MAX_RECORD};

/// The path of a file of the pack, which must be a regular one: a pipe would never end, a link leads elsewhere.
pub(super) fn regular_file(pack: &Path, name: &str) -> io::Result<PathBuf> {
    let path = pack.join(name);
    if std::fs::symlink_metadata(&path)?.is_file() {
        Ok(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

struct Hashing {
    file: File,
    sha256: Sha256,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.sha256.update(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}

/// The lines of one file.
pub(super) struct Lines {
    name: String,
    reader: BufReader<Hashing>,
    buffer: Vec<u8>,
    number: u64,
}

impl Lines {
    /// Opens the file `name` of the pack.
    pub(super) fn open(pack: &Path, name: &str) -> io::Result<Self> {
        let path = regular_file(pack, name)?;
        let reader = BufReader::with_capacity(1 << 16, Hashing { file: File::open(path)?, sha256: Sha256::new() });
        Ok(Self { name: name.to_owned(), reader, buffer: Vec::new(), number: 0 })
    }

    /// Goes to the next line; false at the end of the file. A line longer than a record may be is an error.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let limit = MAX_RECORD as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if read as u64 == limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("line {} is too long", self.number + 1)));
        }
        self.number += u64::from(read > 0);
        Ok(read > 0)
    }

    /// The present line, without its line end.
    pub(super) fn line(&self) -> &[u8] {
        &self.buffer
    }

    /// File and number of the present line.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.name, self.number)
    }

    /// Reads what is left and gives the hash of the whole file.
    pub(super) fn sha256(mut self) -> io::Result<Hash> {
        io::copy(&mut self.reader, &mut io::sink())?;
        Ok(self.reader.into_inner().sha256.finalize().into())
    }
}
