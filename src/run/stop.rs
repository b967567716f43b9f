//! A file that stops a run: for another terminal, another user, or a machine that watches. Beside it, the
//! parameter of Systems Manager that does the same from afar.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::people::tidy;

pub mod parameter;

/// The file in a run's folder whose being there stops the run.
pub const STOP_FILE: &str = "stop";
/// How much of what it says is taken in.
const MOST: usize = 300;

/// The files that stop a run by being there.
#[derive(Clone, Debug, Default)]
pub struct StopFiles {
    files: Vec<PathBuf>,
    seen: bool,
}

impl StopFiles {
    /// The run's own file, and another one if the environment names it.
    pub fn of(dir: &Path, environment: Option<&Path>) -> StopFiles {
        let own = dir.join(STOP_FILE);
        StopFiles {
            files: std::iter::once(own).chain(environment.map(Path::to_owned)).collect(),
            seen: false,
        }
    }

    /// Who or what asks the run to stop; `None` while nobody does, and after it was told once.
    pub fn asked(&mut self) -> Option<String> {
        if self.seen {
            return None;
        }
        let file = self.files.iter().find(|file| file.exists())?;
        self.seen = true;
        // What it says is a courtesy; that it is there is the order.
        let line = first_line(&std::fs::read(file).unwrap_or_default());
        Some(if line.is_empty() { format!("the file {}", file.display()) } else { line })
    }
}

/// What somebody says in passing: one line, not long, fit to be shown.
fn first_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.get(..MOST.min(text.len())).unwrap_or_default()).into_owned();
    tidy(text.lines().next().unwrap_or_default(), MOST)
}

/// Asks the run in this folder to stop. Asking twice is asking once.
///
/// # Errors
/// The folder cannot be written.
pub fn ask(dir: &Path, by: &str) -> io::Result<()> {
    // Under another name first: half a line must not be what is read.
    let part = dir.join(format!("{STOP_FILE}.{}", std::process::id()));
    let mut file = std::fs::File::create(&part)?;
    writeln!(file, "{by}")?;
    file.sync_all()?;
    std::fs::rename(&part, dir.join(STOP_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stops_once_and_says_who() {
        let dir = tempfile::tempdir().expect("a folder");
        let outside = dir.path().join("outside");
        let mut files = StopFiles::of(dir.path(), Some(&outside));
        assert_eq!(files.asked(), None);
        ask(dir.path(), "firedrill abort by sre@bastion: \u{1b}[31mtoo much\nsecond line").expect("written");
        assert_eq!(files.asked().as_deref(), Some("firedrill abort by sre@bastion: [31mtoo much"));
        assert_eq!(files.asked(), None);
    }

    #[test]
    fn an_empty_file_of_the_environment_stops_too() {
        let dir = tempfile::tempdir().expect("a folder");
        let outside = dir.path().join("outside");
        let mut files = StopFiles::of(&dir.path().join("run"), Some(&outside));
        std::fs::write(&outside, [0xff, 0xfe]).expect("written");
        assert!(files.asked().expect("asked").contains('\u{fffd}'));
        std::fs::write(&outside, "").expect("written");
        let mut files = StopFiles::of(&dir.path().join("run"), Some(&outside));
        assert_eq!(files.asked(), Some(format!("the file {}", outside.display())));
    }
}
