//! Runs that have not come to their end: a small file in a run's folder says so from before the first line of its
//! journal until everything is put back.
//!
//! `open.json` is made (and synced) before anything else of a run, and removed last. Whatever kills the process in
//! between leaves it there, so that the next run and `firedrill recover` find what was left without reading
//! every journal of the store. Whether the process lives is not written anywhere: the lock on its journal
//! tells, and the kernel lets go of that with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::JOURNAL_FILE;
use super::writer::sync_dir;
use crate::run::event::EnvironmentFacts;

/// The file in a run's folder.
pub const OPEN_FILE: &str = "open.json";

/// What is written of a run that is not over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// The run's id.
    pub run: String,
    /// The environment's name.
    pub environment: String,
    /// The AWS account, once proven.
    pub account: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// Where AWS's API is, when it is not AWS.
    pub endpoint_url: Option<String>,
    /// The process.
    pub pid: u32,
}

impl OpenRun {
    /// A run of this process.
    pub fn new(run: &str, environment: &EnvironmentFacts) -> OpenRun {
        OpenRun {
            run: run.to_owned(),
            environment: environment.name.clone(),
            account: environment.account.clone(),
            region: environment.region.clone(),
            endpoint_url: environment.endpoint_url.as_deref().map(without_login),
            pid: std::process::id(),
        }
    }

    /// Whether both act on the same environment of the same account.
    pub fn same_place(&self, other: &OpenRun) -> bool {
        let place = |one: &OpenRun| {
            (one.environment.clone(), one.account.clone(), one.region.clone(), one.endpoint_url.clone())
        };
        place(self) == place(other)
    }

    /// Writes it into the run's folder; when this returns, it is on disk.
    ///
    /// # Errors
    /// The folder cannot be written, or holds a run already.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(dir.join(OPEN_FILE))?;
        file.write_all(&text)?;
        file.sync_all()?;
        sync_dir(dir)
    }
}

/// A URL without its user and password, which neither belong on disk nor tell places apart.
fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Says that a run is over and everything is put back.
///
/// # Errors
/// The file cannot be removed; that it is not there is none.
pub fn close(dir: &Path) -> io::Result<()> {
    match std::fs::remove_file(dir.join(OPEN_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_dir(dir),
    }
}

/// A run that is not over.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// Its folder.
    pub dir: PathBuf,
    /// What its file says. A file that was being written when the process died says nothing.
    pub opened: OpenRun,
    /// Whether a process is still at it.
    pub alive: bool,
}

/// The runs of a store that are not over, oldest first.
pub fn unfinished(store: &Path) -> Vec<Unfinished> {
    let folders = std::fs::read_dir(store).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut open: Vec<Unfinished> = folders.filter_map(|dir| look(&dir)).collect();
    open.sort_by(|a, b| a.dir.cmp(&b.dir));
    open
}

/// Whether the run in this folder is over: `None` when it is.
pub fn look(dir: &Path) -> Option<Unfinished> {
    let text = std::fs::read(dir.join(OPEN_FILE)).ok()?;
    let opened: OpenRun = serde_json::from_slice(&text).unwrap_or_default();
    let name = || dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let run = if opened.run.is_empty() { name() } else { opened.run.clone() };
    Some(Unfinished { dir: dir.to_owned(), opened: OpenRun { run, ..opened }, alive: alive(dir) })
}

/// Whether a process is writing the journal of this run.
pub fn alive(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join(JOURNAL_FILE)) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_open_until_it_is_closed_and_alive_while_its_journal_is_held() {
        let store = tempfile::tempdir().expect("a folder");
        let dir = store.path().join("20260101-000000-x-0001");
        std::fs::create_dir(&dir).expect("made");
        let facts = EnvironmentFacts { name: "staging".to_owned(), ..EnvironmentFacts::default() };
        let opened = OpenRun::new("20260101-000000-x-0001", &facts);
        opened.write(&dir).expect("written");
        assert!(opened.write(&dir).is_err(), "a second run in the same folder");
        let held = File::create(dir.join(JOURNAL_FILE)).expect("made");
        held.lock().expect("locked");
        let found = unfinished(store.path());
        assert_eq!((found.len(), found[0].alive, &found[0].opened), (1, true, &opened));
        drop(held);
        assert!(!unfinished(store.path())[0].alive);
        close(&dir).expect("closed");
        close(&dir).expect("closed already");
        assert!(unfinished(store.path()).is_empty());
    }

    #[test]
    fn a_password_in_the_endpoint_is_not_written_and_the_place_is_the_same() {
        let at = |url: &str| {
            let endpoint_url = Some(url.to_owned());
            OpenRun::new("x", &EnvironmentFacts { endpoint_url, ..EnvironmentFacts::default() })
        };
        let plain = at("http://127.0.0.1:5000/aws?a=b@c");
        assert_eq!(plain.endpoint_url.as_deref(), Some("http://127.0.0.1:5000/aws?a=b@c"));
        let login = at("http://sre:s3cr3t@127.0.0.1:5000/aws?a=b@c");
        assert_eq!(login, plain);
        // As a journal's header has it.
        assert!(at("http://sre:***@127.0.0.1:5000/aws?a=b@c").same_place(&plain));
    }

    #[test]
    fn a_torn_file_still_says_that_the_run_is_open() {
        let store = tempfile::tempdir().expect("a folder");
        let dir = store.path().join("20260101-000000-x-0001");
        std::fs::create_dir(&dir).expect("made");
        std::fs::write(dir.join(OPEN_FILE), "{\"run\":\"20").expect("written");
        let found = look(&dir).expect("open");
        assert_eq!(found.opened.run, "20260101-000000-x-0001");
        assert!(!found.alive);
    }
}
