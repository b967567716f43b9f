//! One run at a time in an environment of an account: a lock that the kernel lets go of with the process.
//!
//! The lock file lies outside of the store, in the user's state folder, so that two checkouts of a project on one machine
//! know of each other. It does not reach other machines: there the account's own guard rails have to do.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::chain::hex;
use super::open::OpenRun;

/// The lock on an environment; held for as long as this lives.
#[derive(Debug)]
pub struct EnvironmentLock {
    file: File,
}

/// Why an environment cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("{holder} is under way in `{environment}`")]
    Held {
        /// The environment.
        environment: String,
        /// Who holds it: `run 2026… (process 4711)`.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("{} cannot be locked: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl EnvironmentLock {
    /// Takes the lock on the environment of `run`, in `folder`.
    ///
    /// # Errors
    /// Another run holds it, or the file cannot be used.
    pub fn take(folder: &Path, run: &OpenRun) -> Result<EnvironmentLock, LockError> {
        let path = folder.join(file_name(run));
        let failed = |source| LockError::Io { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let opening = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opening.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whoever holds it may not have written its name yet.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() {
                    "another run".to_owned()
                } else {
                    holder.trim().to_owned()
                };
                return Err(LockError::Held { environment: run.environment.clone(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut lock = EnvironmentLock { file };
        lock.name(run).map_err(failed)?;
        Ok(lock)
    }

    /// Says who holds it, for whoever comes next.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn name(&mut self, run: &OpenRun) -> io::Result<()> {
        let name = match run.run.as_str() {
            "" => format!("a run (process {})\n", run.pid),
            id => format!("run {id} (process {})\n", run.pid),
        };
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(name.as_bytes())
    }
}

/// A name that is the same for the same place, and fit for any file system.
fn file_name(run: &OpenRun) -> String {
    let absent = String::new();
    let parts = [
        &run.environment,
        run.account.as_ref().unwrap_or(&absent),
        run.region.as_ref().unwrap_or(&absent),
        run.endpoint_url.as_ref().unwrap_or(&absent),
    ];
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    let check = hex(&digest.finalize());
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = run.environment.chars().take(40).map(plain).collect();
    format!("{name}-{}.lock", check.get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_in_one_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = |environment: &str, account: &str| OpenRun {
            run: format!("run-in-{environment}"),
            environment: environment.to_owned(),
            account: Some(account.to_owned()),
            pid: 1,
            ..OpenRun::default()
        };
        let first = EnvironmentLock::take(folder.path(), &place("staging", "1")).expect("free");
        let second = EnvironmentLock::take(folder.path(), &place("staging", "1")).expect_err("held");
        let said = second.to_string();
        assert_eq!(said, "run run-in-staging (process 1) is under way in `staging`");
        EnvironmentLock::take(folder.path(), &place("staging", "2")).expect("another account");
        EnvironmentLock::take(folder.path(), &place("production", "1")).expect("another environment");
        drop(first);
        EnvironmentLock::take(folder.path(), &place("staging", "1")).expect("free again");
    }
}
