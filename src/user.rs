//! Whom the process runs as: root on a state of another user first becomes that user.

use std::{fs::Metadata, io, os::unix::fs::MetadataExt as _, path::Path};

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

/// Whether this is root at a folder of somebody else: nothing of it is touched before [`become_owner_of`].
pub fn is_guest_at(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|meta| is_guest(&meta))
}

fn is_guest(meta: &Metadata) -> bool {
    Uid::effective().is_root() && meta.uid() != 0
}

/// As root, becomes the user that this folder belongs to, for good. Anybody else stays who they are; a folder that
/// does not exist changes nothing.
pub fn become_owner_of(folder: &Path) -> io::Result<()> {
    let Ok(meta) = std::fs::metadata(folder) else { return Ok(()) };
    if !is_guest(&meta) {
        return Ok(());
    }
    let group = Gid::from_raw(meta.gid());
    setgroups(&[group])?;
    setgid(group)?;
    setuid(Uid::from_raw(meta.uid()))?;
    Ok(())
}
