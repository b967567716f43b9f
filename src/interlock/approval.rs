//! Approvals: who has looked at a frozen plan and said yes, in a file beside the plan.
//!
//! An interlock against mistakes and against acting alone by habit. It is no cryptographic proof: whoever can
//! write files can write an approval, and a hash shows a slip of the hand, not a forger.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::plan::sealed::{self, Broken};

/// The format of an approval file.
pub const SCHEMA: &str = "firedrill/approval/v1";
/// A clock that is ahead of ours by no more than this is no reason to doubt an approval.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A person at a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name that they gave, or the operating system's.
    pub name: String,
    /// The operating system's user.
    pub user: String,
    /// The machine's name.
    pub host: String,
}

impl Person {
    /// Whoever runs this process; `name` is what they call themselves, else the user's name.
    pub fn here(name: Option<&str>) -> Person {
        let user = user();
        let name = name.map_or_else(|| user.clone(), |name| name.trim().to_owned());
        Person { name, user, host: host() }
    }

    /// Whether the two may be the same person: the same name, or the same user of the same machine.
    pub fn may_be(&self, other: &Person) -> bool {
        let key = |name: &str| name.trim().to_lowercase();
        let named = |one: &Person, other: &Person| {
            key(&one.name) == key(&other.name) || key(&one.name) == key(&other.user)
        };
        named(self, other) || named(other, self) || (self.user == other.user && self.host == other.host)
    }
}

impl std::fmt::Display for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}@{})", self.name, self.user, self.host)
    }
}

/// The user's name in `/etc/passwd`, else its number: not what a variable says, which anybody sets.
fn user() -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        (uid == id).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("user {id}"))
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"));
    name.map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// What an approval file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The SHA-256 of the plan that was approved.
    pub plan: String,
    /// By whom.
    pub by: Person,
    /// When.
    pub at: Timestamp,
}

/// The approvals of a plan that count, and what keeps the others from counting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Approvals of people who are distinct, and not the one who runs.
    pub counted: Vec<Approval>,
    /// A sentence for each that does not count.
    pub refused: Vec<String>,
}

/// Writes an approval beside the plan. Gives its path.
///
/// # Errors
/// There is one by this name already, or it cannot be written.
pub fn write(plan: &Path, approval: &Approval) -> io::Result<PathBuf> {
    let path = beside(plan, &approval.by.name);
    let text = sealed::seal(SCHEMA, "approval", approval)?;
    sealed::write_new(&path, &text)?;
    Ok(path)
}

/// The approvals beside a plan, each with its file or with what is wrong with it.
///
/// # Errors
/// The folder cannot be read.
pub fn read_all(plan: &Path) -> io::Result<Vec<(PathBuf, Result<Approval, Broken>)>> {
    let prefix = format!("{}.approved-by-", plan.file_name().unwrap_or_default().to_string_lossy());
    let folder = plan.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name.ends_with(".json") {
            let read = sealed::read(&path, SCHEMA, "approval").map(|(approval, _)| approval);
            found.push((path, read));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

/// Which approvals count: of this plan, not expired, of people who are distinct and not `runner`.
pub fn tally(
    approvals: Vec<(PathBuf, Result<Approval, Broken>)>,
    plan: &str,
    runner: &Person,
    (now, valid): (Timestamp, Duration),
) -> Tally {
    let mut tally = Tally::default();
    let valid = SignedDuration::try_from(valid).unwrap_or(SignedDuration::MAX);
    for (path, read) in approvals {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let approval = match read {
            Ok(approval) => approval,
            Err(broken) => {
                tally.refused.push(format!("{file}: {broken}"));
                continue;
            }
        };
        let age = now.duration_since(approval.at);
        let twin = tally.counted.iter().find(|counted| counted.by.may_be(&approval.by));
        let why = if approval.plan != plan {
            Some("it approves another plan".to_owned())
        } else if age > valid {
            Some(format!("it has expired: it was given at {}", approval.at))
        } else if age < -SKEW {
            Some(format!("it was given in the future, at {}: a clock is wrong", approval.at))
        } else if approval.by.may_be(runner) {
            Some(format!("{} may be who runs it, {runner}", approval.by))
        } else {
            twin.map(|twin| format!("{} may be {}, who approved already", approval.by, twin.by))
        };
        match why {
            Some(why) => tally.refused.push(format!("{file}: {why}")),
            None => tally.counted.push(approval),
        }
    }
    tally
}

/// The file of an approval by this name.
fn beside(plan: &Path, name: &str) -> PathBuf {
    let slug: String = name
        .trim()
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '.' || c == '-' { c } else { '_' })
        .take(60)
        .collect();
    let file = format!("{}.approved-by-{slug}.json", plan.file_name().unwrap_or_default().to_string_lossy());
    plan.with_file_name(file)
}

/// The names of those whose approvals count.
pub fn names(tally: &Tally) -> String {
    let names: BTreeSet<String> = tally.counted.iter().map(|approval| approval.by.to_string()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn person(name: &str, user: &str, host: &str) -> Person {
        Person { name: name.to_owned(), user: user.to_owned(), host: host.to_owned() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn approval(by: Person, when: &str) -> (PathBuf, Result<Approval, Broken>) {
        let path = beside(Path::new("plan.json"), &by.name);
        (path, Ok(Approval { plan: "abc".to_owned(), by, at: at(when) }))
    }

    fn tallied(approvals: Vec<(PathBuf, Result<Approval, Broken>)>) -> Tally {
        let runner = person("Rita", "rita", "laptop");
        tally(approvals, "abc", &runner, (at("2026-11-21T12:00:00Z"), DAY))
    }

    #[test]
    fn the_one_who_runs_cannot_approve_under_any_name() {
        for by in [
            person("Rita", "anna", "desk"),
            person("Bob", "rita", "laptop"),
            person("RITA ", "root", "ci"),
            person("rita", "x", "y"),
        ] {
            let tally = tallied(vec![approval(by.clone(), "2026-11-21T11:00:00Z")]);
            assert!(
                tally.counted.is_empty() && tally.refused[0].contains("may be who runs it"),
                "{by}: {tally:?}"
            );
        }
    }

    #[test]
    fn one_person_counts_once() {
        let tally = tallied(vec![
            approval(person("Anna", "anna", "desk"), "2026-11-21T11:00:00Z"),
            approval(person("Anna B.", "anna", "desk"), "2026-11-21T11:00:00Z"),
            approval(person("anna", "root", "ci"), "2026-11-21T11:00:00Z"),
            approval(person("Ben", "ben", "desk"), "2026-11-21T11:00:00Z"),
        ]);
        assert_eq!(names(&tally), "Anna (anna@desk), Ben (ben@desk)");
        assert_eq!(tally.refused.len(), 2);
        assert!(tally.refused[0].ends_with("who approved already"), "{tally:?}");
    }

    #[test]
    fn an_approval_is_of_one_plan_and_for_a_time() {
        let anna = || person("Anna", "anna", "desk");
        let expired = tallied(vec![approval(anna(), "2026-11-20T11:59:59Z")]);
        assert!(expired.counted.is_empty() && expired.refused[0].contains("it has expired"), "{expired:?}");
        assert_eq!(tallied(vec![approval(anna(), "2026-11-20T12:00:00Z")]).counted.len(), 1);
        let early = tallied(vec![approval(anna(), "2026-11-21T12:05:01Z")]);
        assert!(early.refused[0].contains("in the future"), "{early:?}");
        let (path, read) = approval(anna(), "2026-11-21T11:00:00Z");
        let other = Approval { plan: "abd".to_owned(), ..read.expect("an approval") };
        assert!(tallied(vec![(path, Ok(other))]).refused[0].contains("another plan"));
    }

    #[test]
    fn an_approval_is_found_beside_its_plan_unless_it_was_edited() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = folder.path().join("plan.json");
        let given = Approval {
            plan: "abc".to_owned(),
            by: person("Anna ../B", "anna", "desk"),
            at: at("2026-11-21T11:00:00Z"),
        };
        let path = write(&plan, &given).expect("written");
        assert_eq!(path, folder.path().join("plan.json.approved-by-Anna_.._B.json"));
        assert!(write(&plan, &given).is_err(), "it is never overwritten");
        let read = read_all(&plan).expect("a folder");
        assert!(matches!(&read[..], [(_, Ok(read))] if *read == given), "{read:?}");
        let text = std::fs::read_to_string(&path).expect("text").replace("Anna ../B", "Carla");
        std::fs::write(&path, text).expect("written");
        let tally = tallied(read_all(&plan).expect("a folder"));
        assert!(tally.counted.is_empty() && tally.refused[0].contains("edited"), "{tally:?}");
        assert_eq!(read_all(&folder.path().join("other.json")).expect("a folder").len(), 0);
    }
}
