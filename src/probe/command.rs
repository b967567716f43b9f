//! `command`: a program whose exit status is the answer.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem};
use crate::notation::shape::Shapes;
use crate::notation::yaml::{Node, Value};
use crate::record;

pub(crate) mod ask;
mod child;

record! {
    /// Runs a program, without a shell; good when it exits with 0. Any other exit status is a failure. At its
    /// timeout the program is killed with all that it started. It gets the environment variables
    /// `PATH`, `HOME`, `USER`, `LANG`, `TZ` and `TMPDIR` and those that are given to it, and no others.
    pub struct Command {
        /// The program and its arguments.
        pub run: Argv,
        /// Environment variables for it, by name: the place for what is secret.
        pub env: Option<IndexMap<String, String>>,
        /// What a good run looks like, besides its exit status.
        pub expect: Option<Expect>,
        /// Whether the first line of its output names who answered.
        pub names_who: bool = false,
        /// How long it may take.
        pub timeout: Duration = Duration::from_secs(5),
    }
}

record! {
    /// What a program's run must show.
    pub struct Expect {
        /// Text that its standard output must contain (within its first 64 KiB).
        pub stdout_contains: Option<String>,
    }
}

impl Command {
    /// One line for people: `run ./probe.sh --quick`.
    pub fn summary(&self) -> String {
        match self.expect.as_ref().and_then(|expect| expect.stdout_contains.as_ref()) {
            Some(text) => format!("run {}, output contains `{text}`", self.run),
            None => format!("run {}", self.run),
        }
    }
}

/// A program and its arguments; not empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Argv(pub Vec<String>);

impl fmt::Display for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Decode for Argv {
    fn expects() -> String {
        "a list of a program and its arguments, such as [redis-cli, ping]".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        Vec::<String>::schema(shapes)
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::List(words) if words.is_empty() => {
                cx.report(
                    Problem::new(Code::NoProgram, node.span, "no program to run")
                        .label(format!("expected {}", Self::expects())),
                );
                None
            }
            Value::Scalar { .. } => {
                let problem = cx.mismatch(Code::NotAList, node, &Self::expects());
                let help = "there is no shell: write [program, argument]; for a shell, [sh, -c, \"…\"]";
                cx.report(problem.help(help));
                None
            }
            _ => Vec::<String>::decode(node, cx).map(Argv),
        }
    }
}

#[cfg(test)]
mod tests;
