//! Answers from other processes: `firedrill confirm` puts a letter into the run's folder, and the run says
//! beside it what became of it.
//!
//! Both are written under another name first, synced and renamed, so that half of one is never read. Whoever
//! can write into the folder can answer: it is no proof of who somebody is.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::event::{Answer, Via};
use super::people::Given;
use crate::interlock::approval::Person;

/// The folder in a run's folder.
pub const FOLDER: &str = "answers";
/// The longest letter, in bytes.
const LONGEST: u64 = 16 * 1024;
/// No more letters than this are taken in at a time.
const AT_ONCE: usize = 64;
/// How often a sender looks whether there is a reply.
const LOOK: Duration = Duration::from_millis(50);

/// An answer on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// The step.
    pub step: String,
    /// Who answers.
    pub by: Person,
    /// In which role.
    pub role: Option<String>,
    /// What.
    pub answer: Answer,
    /// Why.
    pub because: Option<String>,
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    /// Why it does not count; `None` when it does.
    refused: Option<String>,
}

/// Where a run finds its letters.
pub struct Mailbox {
    dir: PathBuf,
    /// Letters that were read and could not be taken away: they count once.
    read: Mutex<BTreeSet<PathBuf>>,
}

impl Mailbox {
    /// Makes the folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(run: &Path) -> io::Result<Mailbox> {
        let dir = run.join(FOLDER);
        std::fs::create_dir_all(&dir)?;
        Ok(Mailbox { dir, read: Mutex::default() })
    }

    /// Reads each new letter, lets `take` decide on it, and replies.
    pub fn each(&self, take: &mut dyn FnMut(Given) -> Result<(), String>) {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut letters: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
            .filter(|path| !self.read.lock().unwrap_or_else(PoisonError::into_inner).contains(path))
            .take(AT_ONCE)
            .collect();
        letters.sort();
        for path in letters {
            let refused = read(&path).and_then(&mut *take).err();
            // A sender that hears nothing says so; the run goes on.
            let _ = write(&path.with_extension("told"), &Reply { refused });
            if std::fs::remove_file(&path).is_err() {
                self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
            }
        }
    }
}

fn read(path: &Path) -> Result<Given, String> {
    let unreadable = |error: io::Error| format!("the answer cannot be read: {error}");
    let file = std::fs::symlink_metadata(path).map_err(unreadable)?;
    if !file.is_file() {
        return Err("the answer is no file".to_owned());
    }
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > LONGEST {
        return Err(format!("the answer is longer than {} KiB", LONGEST / 1024));
    }
    let Letter { step, by, role, answer, because } =
        serde_json::from_slice(&text).map_err(|error| format!("the answer cannot be understood: {error}"))?;
    Ok(Given { step, by, role, answer, because, via: Via::Confirm })
}

/// What a sender hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It counts.
    Taken,
    /// It does not, and why.
    Refused(String),
    /// Nothing: the run is gone, or too busy.
    Nothing,
}

/// Sends an answer to the run in this folder, and waits for what becomes of it while `alive`, and no longer than
/// `within`. An answer that nobody took is taken back.
///
/// # Errors
/// The folder cannot be written.
pub fn send(run: &Path, letter: &Letter, within: Duration, alive: &dyn Fn() -> bool) -> io::Result<Heard> {
    let name = format!("{:020}-{:08x}", crate::clock::boottime_ns(), rand::random::<u32>());
    let path = run.join(FOLDER).join(format!("{name}.json"));
    let reply = path.with_extension("told");
    write(&path, letter)?;
    let began = Instant::now();
    loop {
        let lives = alive();
        if let Ok(text) = std::fs::read(&reply) {
            let _ = std::fs::remove_file(&reply);
            let told: Reply = serde_json::from_slice(&text).map_err(io::Error::other)?;
            return Ok(told.refused.map_or(Heard::Taken, Heard::Refused));
        }
        if !lives || began.elapsed() > within {
            // Whoever is told that nothing came of it must not be surprised by it later.
            return match std::fs::remove_file(&path) {
                Err(_) if reply.exists() => continue,
                _ => Ok(Heard::Nothing),
            };
        }
        std::thread::sleep(LOOK);
    }
}

fn write(path: &Path, what: &impl Serialize) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(&serde_json::to_vec(what).map_err(io::Error::other)?)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(step: &str) -> Letter {
        Letter {
            step: step.to_owned(),
            by: Person { name: "Anna".to_owned(), user: "anna".to_owned(), host: "desk".to_owned() },
            role: None,
            answer: Answer::Done,
            because: Some("line one\nline two".to_owned()),
        }
    }

    #[test]
    fn a_letter_is_taken_once_and_its_sender_hears_what_became_of_it() {
        let run = tempfile::tempdir().expect("a folder");
        let mailbox = Mailbox::open(run.path()).expect("opened");
        let (mut seen, mut told) = (Vec::new(), Vec::new());
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                ["a", "b"].map(|step| send(run.path(), &letter(step), Duration::from_secs(20), &|| true))
            });
            while !sender.is_finished() {
                mailbox.each(&mut |given| {
                    seen.push(given.step.clone());
                    if given.step == "a" { Ok(()) } else { Err("not now".to_owned()) }
                });
                std::thread::sleep(Duration::from_millis(1));
            }
            told.extend(sender.join().expect("no panic").map(|heard| heard.expect("sent")));
        });
        assert_eq!(seen, ["a", "b"]);
        assert_eq!(told, [Heard::Taken, Heard::Refused("not now".to_owned())]);
        let left: Vec<_> = std::fs::read_dir(run.path().join(FOLDER)).expect("read").collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn a_letter_to_a_run_that_is_gone_is_taken_back() {
        let run = tempfile::tempdir().expect("a folder");
        let mailbox = Mailbox::open(run.path()).expect("opened");
        let heard = send(run.path(), &letter("a"), Duration::from_secs(20), &|| false).expect("sent");
        assert_eq!(heard, Heard::Nothing);
        mailbox.each(&mut |given| panic!("{given:?} was left"));
    }

    #[test]
    fn what_is_no_letter_is_refused() {
        let run = tempfile::tempdir().expect("a folder");
        let mailbox = Mailbox::open(run.path()).expect("opened");
        let path = |name: &str| run.path().join(FOLDER).join(name);
        std::fs::write(path("1.json"), "{\"step\":\"a\"}").expect("written");
        std::fs::write(path("2.json"), vec![b' '; 20_000]).expect("written");
        std::os::unix::fs::symlink("/etc/passwd", path("3.json")).expect("linked");
        std::fs::create_dir(path("4.json")).expect("made");
        std::fs::write(path("5.txt"), "not for us").expect("written");
        for _ in 0..2 {
            mailbox.each(&mut |given| panic!("{given:?} is no letter"));
        }
        let told = |name: &str| std::fs::read_to_string(path(name)).expect("a reply");
        assert!(told("1.told").contains("cannot be understood"), "{}", told("1.told"));
        assert!(told("2.told").contains("longer than 16 KiB"), "{}", told("2.told"));
        assert!(told("3.told").contains("no file") && told("4.told").contains("no file"));
        assert!(path("5.txt").exists());
    }
}
