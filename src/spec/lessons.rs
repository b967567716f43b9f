//! What each code means, with a file that is wrong in that way and one that is right.
//!
//! `firedrill explain` prints it. The examples are checked like any file by this module's tests, so that what is
//! taught is what is enforced.

use crate::notation::code::Code;

mod file;
mod gamedays;
mod measures;
mod names;
mod project;
mod safety;
mod steps;
mod values;

/// What a code means.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// The code.
    pub code: Code,
    /// What is wrong, and why it matters.
    pub about: &'static str,
    /// A part of a file that is wrong in this way, or in words what cannot be shown as text.
    pub wrong: &'static str,
    /// The same, right.
    pub right: &'static str,
    /// Whether it only warns.
    pub warns: bool,
    /// Whether the examples are parts of files; else they are words.
    pub yaml: bool,
}

const fn error(code: Code, about: &'static str, wrong: &'static str, right: &'static str) -> Lesson {
    Lesson { code, about, wrong, right, warns: false, yaml: true }
}

const fn warning(code: Code, about: &'static str, wrong: &'static str, right: &'static str) -> Lesson {
    Lesson { code, about, wrong, right, warns: true, yaml: true }
}

/// For what no text can show: a file that is missing, or that is not text.
const fn told(code: Code, about: &'static str, wrong: &'static str, right: &'static str) -> Lesson {
    Lesson { code, about, wrong, right, warns: false, yaml: false }
}

/// All that is told, by hundreds.
const ALL: [&[Lesson]; 8] = [
    file::LESSONS,
    values::LESSONS,
    names::LESSONS,
    steps::LESSONS,
    measures::LESSONS,
    safety::LESSONS,
    project::LESSONS,
    gamedays::LESSONS,
];

/// What a code means. `None` would be a code that nobody explained; a test holds that there is none.
pub fn lesson(code: Code) -> Option<&'static Lesson> {
    ALL.iter().flat_map(|part| part.iter()).find(|lesson| lesson.code == code)
}

impl Lesson {
    /// The wrong example, ready to be printed.
    pub fn wrong(&self) -> &'static str {
        self.wrong.trim_matches('\n')
    }

    /// The right example, ready to be printed.
    pub fn right(&self) -> &'static str {
        self.right.trim_matches('\n')
    }
}

#[cfg(test)]
mod tests;
