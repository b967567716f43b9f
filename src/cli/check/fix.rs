//! `--fix`: mends files by what is certain, and writes them as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::diagnose;
use crate::notation::diagnostic::{masked, printable};
use crate::notation::mend::mend;

/// Mends the file at `path`, and says on `err` what was done. What cannot be mended is left as it is, and so is a file
/// that cannot be read: the check says why.
pub(super) fn fix(path: &Path, err: &mut dyn Write) -> io::Result<()> {
    let Ok(Ok(text)) = fs::read(path).map(String::from_utf8) else { return Ok(()) };
    let judge = |text: &str| diagnose(path, text.as_bytes()).map_or(Vec::new(), |found| found.problems);
    let Some(mut mended) = mend(&text, &judge) else { return Ok(()) };
    mended.done.sort_by_key(|done| done.line);
    if let Err(error) = replace(path, &text, &mended.text) {
        return writeln!(err, "error: {} is not changed: {error}", printable(&path.display().to_string()));
    }
    for done in &mended.done {
        let place = format!("{}:{}", path.display(), done.line);
        writeln!(err, "fixed {}: {}", printable(&place), printable(&masked(&done.what)))?;
    }
    Ok(())
}

/// Puts `after` in the place of `before`: a new file beside the old one, synced, and then renamed over it. A file that
/// was changed in between is left alone.
fn replace(path: &Path, before: &str, after: &str) -> io::Result<()> {
    // A link stays a link.
    let path = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}.firedrill", std::process::id()));
    let permissions = fs::metadata(&path)?.permissions();
    if permissions.readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
    }
    let written = File::create_new(&beside).and_then(|mut file| {
        file.set_permissions(permissions)?;
        file.write_all(after.as_bytes())?;
        file.sync_all()?;
        if fs::read(&path)? != before.as_bytes() {
            return Err(io::Error::other("somebody else has changed it meanwhile"));
        }
        fs::rename(&beside, &path)
    });
    if written.is_err() {
        // Nothing is left behind; that it cannot be removed is no news beside the error.
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_its_link_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("a.yaml"), folder.path().join("b.yaml"));
        fs::write(&file, "before").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
        symlink(&file, &link).expect("linked");
        replace(&link, "before", "after").expect("replaced");
        assert_eq!(fs::read_to_string(&file).expect("read"), "after");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 2);
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.yaml");
        fs::write(&file, "by somebody else").expect("written");
        replace(&file, "before", "after").expect_err("refused");
        assert_eq!(fs::read_to_string(&file).expect("read"), "by somebody else");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
}
