//! What programs printed, kept for later steps.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::notation::decode::clip;
use crate::program::Program;
use crate::spec::outputs::Flow;

/// The longest output that is kept, in bytes.
const LONGEST: usize = 4096;

/// The outputs of a run so far.
#[derive(Default)]
pub struct Outputs(Mutex<BTreeMap<String, String>>);

impl Outputs {
    /// Keeps what a step is to keep. Gives the names and the values.
    ///
    /// # Errors
    /// An output that is not there, or cannot be used.
    pub fn keep(&self, flow: &Flow, stdout: &str) -> Result<Vec<(String, String)>, String> {
        let mut found = Vec::new();
        for (name, pointer) in &flow.kept {
            let value = match pointer {
                Some(pointer) => in_json(stdout, pointer),
                None => last_line(stdout),
            };
            found.push((name.clone(), value.map_err(|why| format!("its output `{name}`: {why}"))?));
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(found.iter().map(|(name, value)| (format!("{}{name}", flow.scope), value.clone())));
        Ok(found)
    }

    /// The text with the outputs in it that the step uses.
    ///
    /// # Errors
    /// One of them was not produced.
    pub fn fill(&self, flow: &Flow, text: &str) -> Result<String, String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filled = text.to_owned();
        for name in &flow.used {
            let reference = format!("${{output:{name}}}");
            if !filled.contains(&reference) {
                continue;
            }
            let Some(value) = all.get(&format!("{}{name}", flow.scope)) else {
                return Err(format!(
                    "the output `{name}` is not there: the step that prints it did not end well"
                ));
            };
            filled = filled.replace(&reference, value);
        }
        Ok(filled)
    }

    /// The program with the outputs in its arguments and its environment.
    ///
    /// # Errors
    /// One of them was not produced.
    pub fn fill_program(&self, flow: &Flow, program: &Program) -> Result<Program, String> {
        let argv: Result<Vec<String>, String> =
            program.argv.iter().map(|word| self.fill(flow, word)).collect();
        let env = program.env.iter().map(|(name, value)| Ok((name.clone(), self.fill(flow, value)?)));
        Ok(Program { argv: argv?, env: env.collect::<Result<_, String>>()?, timeout: program.timeout })
    }
}

fn last_line(stdout: &str) -> Result<String, String> {
    let line = stdout.lines().rev().map(str::trim).find(|line| !line.is_empty());
    usable(line.ok_or("the program printed nothing")?)
}

fn in_json(stdout: &str, pointer: &str) -> Result<String, String> {
    let value: Value =
        serde_json::from_str(stdout).map_err(|error| format!("the program did not print JSON: {error}"))?;
    match value.pointer(pointer) {
        Some(Value::String(text)) => usable(text),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => usable(&value.to_string()),
        Some(_) => Err(format!("at {pointer} stands no text and no number")),
        None => Err(format!("there is nothing at {pointer}")),
    }
}

fn usable(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".to_owned()),
        text if text.len() > LONGEST => Err(format!("it is longer than {LONGEST} bytes")),
        text if text.contains(char::is_control) => {
            let shown: String = text.chars().filter(|c| !c.is_control()).collect();
            Err(format!("it holds control characters: `{}`", clip(&shown)))
        }
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(scope: &str, kept: &[(&str, Option<&str>)], used: &[&str]) -> Flow {
        let kept = kept.iter().map(|(name, at)| ((*name).to_owned(), at.map(str::to_owned))).collect();
        Flow { scope: scope.to_owned(), kept, used: used.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn the_last_line_is_kept_and_filled_in_where_it_is_used() {
        let outputs = Outputs::default();
        outputs.keep(&flow("", &[("id", None)], &[]), "working…\nsnap-1 \n\n").expect("kept");
        let uses = flow("", &[], &["id"]);
        assert_eq!(
            outputs.fill(&uses, "restore ${output:id}, ${output:id}").expect("filled"),
            "restore snap-1, snap-1"
        );
        // What the step does not use by name is text.
        assert_eq!(outputs.fill(&flow("", &[], &[]), "${output:id}").expect("filled"), "${output:id}");
        let other = flow("book / ", &[], &["id"]);
        assert!(outputs.fill(&other, "${output:id}").expect_err("another scope").contains("not there"));
    }

    #[test]
    fn json_is_pointed_into() {
        let outputs = Outputs::default();
        let kept = flow("", &[("arn", Some("/db/arn")), ("port", Some("/db/port"))], &[]);
        let found = outputs.keep(&kept, r#"{"db":{"arn":"a:b","port":5432}}"#).expect("kept");
        assert_eq!(found, [("arn".to_owned(), "a:b".to_owned()), ("port".to_owned(), "5432".to_owned())]);
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let outputs = Outputs::default();
        let line = flow("", &[("x", None)], &[]);
        let json = flow("", &[("x", Some("/a"))], &[]);
        let too_long = "y".repeat(LONGEST + 1);
        for (flow, stdout, why) in [
            (&line, " \n", "printed nothing"),
            (&line, "a\u{1b}[2Jb", "control characters: `a[2Jb`"),
            (&line, too_long.as_str(), "longer than"),
            (&json, "oops", "did not print JSON"),
            (&json, r#"{"b":1}"#, "nothing at /a"),
            (&json, r#"{"a":{}}"#, "no text and no number"),
            (&json, r#"{"a":""}"#, "it is empty"),
        ] {
            let refused = outputs.keep(flow, stdout).expect_err("refused");
            assert!(refused.contains(why), "{refused}");
        }
    }
}
