//! A file in the making: what a converter found, laid out as firedrill's YAML.
//!
//! Before it is given away, the file is checked as `firedrill check` would. A part that does not pass (an id that
//! nothing can have, a URL that is none) is taken out and listed, so that what is written is always right.

use std::ops::Range;
use std::path::Path;

use indexmap::IndexMap;

use super::document::At;
use super::write::{Out, entry, item, remark};
use super::{Left, Written, terms};
use crate::notation::decode::Problem;
use crate::spec::values::variables_in;

/// How often a part may be taken out: a file has no more parts than this.
const MOST_ROUNDS: usize = 200;

/// What is to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    /// `Experiment` or `Runbook`.
    pub(super) kind: &'static str,
    /// What it was made from, for the first line.
    pub(super) origin: String,
    /// Its name, already made of what a name may hold.
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) hypothesis: Option<String>,
    pub(super) owner: Option<String>,
    /// What whoever takes it over should know.
    pub(super) remarks: Vec<String>,
    pub(super) variables: IndexMap<String, Variable>,
    pub(super) objectives: Vec<(String, Out)>,
    pub(super) targets: IndexMap<String, Out>,
    pub(super) probes: IndexMap<String, Out>,
    pub(super) rails: Vec<Out>,
    pub(super) steps: Vec<Step>,
    pub(super) left: Vec<Left>,
}

/// A variable to declare.
#[derive(Clone, Debug, Default)]
pub(super) struct Variable {
    pub(super) about: String,
    pub(super) default: Option<String>,
    pub(super) secret: bool,
    /// Whether the file that was read declares it, so that it is told when nothing uses it.
    pub(super) told: Option<Box<Left>>,
}

/// A step to write.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) name: String,
    /// `action`, `run`, `wait` or `manual`, and what.
    pub(super) deed: (&'static str, Out),
    /// The other keys.
    pub(super) rest: Vec<(&'static str, Out)>,
    /// The steps it waits for.
    pub(super) after: Vec<String>,
    /// The target it is aimed at.
    pub(super) target: Option<String>,
}

/// A part of the file that can be taken out.
#[derive(Clone, Debug)]
enum Part {
    Objective(String),
    Variable(String),
    Target(String),
    Probe(String),
    Rail(usize),
    Step(String),
}

impl Sketch {
    /// Lists what was not carried over.
    pub(super) fn left(&mut self, at: &At<'_>, what: &str, why: &str, proposal: &str) {
        self.left.push(Left::new(at, what, why, proposal));
    }

    /// Declares a variable, unless it is declared.
    pub(super) fn variable(&mut self, name: &str, about: impl Into<String>) -> String {
        self.variables
            .entry(name.to_owned())
            .or_insert_with(|| Variable { about: about.into(), ..Variable::default() });
        format!("${{{name}}}")
    }

    /// Adds a step under a name that no other has, which it gives.
    pub(super) fn step(&mut self, step: Step) -> String {
        let name =
            unused(&terms::step(&step.name), " ", |name| self.steps.iter().any(|step| step.name == name));
        self.steps.push(Step { name: name.clone(), ..step });
        name
    }

    /// Adds a probe under a name that no other has.
    pub(super) fn probe(&mut self, name: &str, probe: Out) -> String {
        let name = unused(&terms::name(name, "probe"), "_", |name| self.probes.contains_key(name));
        self.probes.insert(name.clone(), probe);
        name
    }

    /// Adds a target, or gives the name of one that is the same.
    pub(super) fn target(&mut self, name: &str, target: Out) -> String {
        if let Some((same, _)) = self.targets.iter().find(|(_, known)| **known == target) {
            return same.clone();
        }
        let name = unused(&terms::name(name, "target"), "_", |name| self.targets.contains_key(name));
        self.targets.insert(name.clone(), target);
        name
    }

    /// The file, and all that it does not hold.
    pub(super) fn finish(mut self) -> (Written, Vec<Left>) {
        self.steps.iter_mut().for_each(|step| step.after.retain(|name| *name != step.name));
        for _ in 0..MOST_ROUNDS {
            self.complete();
            self.forget_unused();
            let (text, parts) = self.render();
            let wrong = wrong(&text);
            let mut out = false;
            for problem in &wrong {
                let found = parts.iter().find(|(range, _)| range.contains(&problem.span.start));
                if let Some((_, part)) = found {
                    self.take_out(part, problem);
                    out = true;
                    break;
                }
            }
            if !out {
                for problem in &wrong {
                    let what = format!("{} in what was written", problem.message);
                    self.left.push(Left::nowhere(&what, "it is not right", "mend it: firedrill check"));
                }
                break;
            }
        }
        self.left.sort_by_key(|left| left.line);
        // What is done twice is left once.
        let mut told: Vec<Left> = Vec::new();
        std::mem::take(&mut self.left).into_iter().for_each(|left| {
            if !told.iter().rev().take_while(|known| known.line == left.line).any(|known| *known == left) {
                told.push(left);
            }
        });
        self.left = told;
        let (text, _) = self.render();
        (Written { name: format!("{}.yaml", self.name), text }, self.left)
    }

    /// Adds what an experiment cannot do without, as variables that somebody must give.
    fn complete(&mut self) {
        if self.kind != "Experiment" {
            return;
        }
        if self.probes.is_empty() {
            let url = self.variable(
                "service_url",
                "what customers use: a URL that answers 200 while the service is well",
            );
            let expect = Out::map([("status", Out::bare(200))]);
            let http = Out::map([("url", Out::text(url)), ("expect", expect)]);
            self.probes.insert("service".to_owned(), Out::map([("http", http)]));
            self.remarks.push(
                "Nothing in it is measured as customers see it: the probe `service` was added; give `service_url`.".to_owned(),
            );
        }
        if !self.steps.iter().any(|step| matches!(step.deed.0, "action" | "run")) {
            let program = self.variable("fault_program", "a program that breaks what this drill is about");
            self.step(Step {
                name: "break it".to_owned(),
                deed: ("run", Out::texts([program])),
                rest: Vec::new(),
                after: Vec::new(),
                target: None,
            });
            self.remarks.push(
                "Nothing in it breaks anything that firedrill can break: put an action (`firedrill actions`) in place of \
                 the step `break it`."
                    .to_owned(),
            );
        }
    }

    /// Takes out a part that would not pass, and what cannot be without it.
    fn take_out(&mut self, part: &Part, problem: &Problem) {
        let what = match part {
            Part::Objective(name) => {
                self.objectives.retain(|(known, _)| known != name);
                format!("the objective `{name}`")
            }
            Part::Variable(name) => {
                // What refers to it is found next.
                self.variables.shift_remove(name);
                format!("the variable `{name}`")
            }
            Part::Target(name) => {
                self.targets.shift_remove(name);
                let aimed = |step: &&Step| step.target.as_ref() == Some(name);
                let gone: Vec<String> =
                    self.steps.iter().filter(aimed).map(|step| step.name.clone()).collect();
                gone.iter().for_each(|step| self.remove_step(step));
                let steps = gone.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                match gone.is_empty() {
                    true => format!("the target `{name}`"),
                    false => format!("the target `{name}`, and what is aimed at it: {steps}"),
                }
            }
            Part::Probe(name) => {
                self.probes.shift_remove(name);
                format!("the probe `{name}`")
            }
            Part::Rail(index) => {
                if *index < self.rails.len() {
                    self.rails.remove(*index);
                }
                "a guardrail".to_owned()
            }
            Part::Step(name) => match self.by_hand(name) {
                true => format!("the program of the step `{name}`, which is a `manual` step now"),
                false => {
                    self.remove_step(name);
                    format!("the step `{name}`")
                }
            },
        };
        let proposal = problem.help.clone().unwrap_or_else(|| problem.label.clone());
        self.left.push(Left::nowhere(&what, &problem.message, &proposal));
    }

    /// A program of a procedure that would be refused becomes a sentence: a procedure without one of its steps would
    /// be worse than one that a person corrects.
    fn by_hand(&mut self, name: &str) -> bool {
        let procedure = self.kind == "Runbook";
        let found = self.steps.iter_mut().find(|step| step.name == name && step.deed.0 == "run");
        let Some(step) = found.filter(|_| procedure) else { return false };
        let Out::List(words) = &step.deed.1 else { return false };
        let words = words.iter().map(|word| if let Out::Text(word) = word { word.as_str() } else { "" });
        let line = words.collect::<Vec<_>>().join(" ");
        let sentence: String = format!("{}. Run, corrected: {line}", step.name).chars().take(1900).collect();
        step.deed = ("manual", Out::text(sentence));
        step.rest.retain(|(key, _)| *key != "undo");
        true
    }

    /// Takes a step out; what waited for it waits for what it waited for.
    fn remove_step(&mut self, name: &str) {
        let Some(index) = self.steps.iter().position(|step| step.name == name) else { return };
        let gone = self.steps.remove(index);
        for step in &mut self.steps {
            if step.after.iter().any(|after| after == name) {
                step.after.retain(|after| after != name);
                step.after.extend(gone.after.iter().filter(|after| **after != step.name).cloned());
                step.after.dedup();
            }
        }
    }

    /// Declares only what is used.
    fn forget_unused(&mut self) {
        loop {
            let used: Vec<String> = self.texts();
            let is_used = |name: &str| used.iter().any(|text| variables_in(text).contains(&name));
            let idle: Vec<String> = self.variables.keys().filter(|name| !is_used(name)).cloned().collect();
            if idle.is_empty() {
                return;
            }
            for name in idle {
                let told = self.variables.shift_remove(&name).and_then(|variable| variable.told);
                self.left.extend(told.map(|left| *left));
            }
        }
    }

    fn texts(&self) -> Vec<String> {
        fn collect(out: &Out, texts: &mut Vec<String>) {
            match out {
                Out::Text(text) | Out::Bare(text) => texts.push(text.clone()),
                Out::List(items) => items.iter().for_each(|item| collect(item, texts)),
                Out::Map(entries) => entries.iter().for_each(|(_, value)| collect(value, texts)),
            }
        }
        let mut texts: Vec<String> = self.variables.values().filter_map(|v| v.default.clone()).collect();
        texts.extend(self.variables.values().map(|variable| variable.about.clone()));
        texts.extend([&self.title, &self.hypothesis, &self.owner].into_iter().flatten().cloned());
        self.objectives.iter().for_each(|(_, out)| collect(out, &mut texts));
        self.targets
            .values()
            .chain(self.probes.values())
            .chain(&self.rails)
            .for_each(|out| collect(out, &mut texts));
        for step in &self.steps {
            texts.push(step.name.clone());
            collect(&step.deed.1, &mut texts);
            step.rest.iter().for_each(|(_, out)| collect(out, &mut texts));
        }
        texts
    }

    /// The step that breaks something, where a program is run before it: a load generator is no fault.
    fn measure_from(&self) -> Option<&str> {
        let mut doing = self.steps.iter().filter(|step| matches!(step.deed.0, "action" | "run"));
        let first = doing.next().filter(|first| first.deed.0 == "run")?;
        let action = doing.find(|step| step.deed.0 == "action").filter(|_| self.kind == "Experiment")?;
        (first.name != action.name).then_some(action.name.as_str())
    }

    /// The text, and where its parts stand in it.
    fn render(&self) -> (String, Vec<(Range<usize>, Part)>) {
        let mut text = String::new();
        let mut parts = Vec::new();
        self.head(&mut text);
        let put = |text: &mut String, key: &str, value: &Option<String>| {
            if let Some(value) = value.as_ref().filter(|value| !value.trim().is_empty()) {
                entry(key, &Out::text(value.clone()), 0, 0, text);
            }
        };
        entry("kind", &Out::text(self.kind), 0, 0, &mut text);
        entry("name", &Out::text(&self.name), 0, 0, &mut text);
        put(&mut text, "title", &self.title);
        put(&mut text, "hypothesis", &self.hypothesis);
        put(&mut text, "owner", &self.owner);
        let variables = self.variables.iter().map(|(name, variable)| (name, variable.out()));
        section(&mut text, &mut parts, "variables", variables, 0, Part::Variable);
        let objectives = self.objectives.iter().map(|(name, out)| (name, out.clone()));
        section(&mut text, &mut parts, "objectives", objectives, 0, Part::Objective);
        let targets = self.targets.iter().map(|(name, out)| (name, out.clone()));
        section(&mut text, &mut parts, "targets", targets, 1, Part::Target);
        let probes = self.probes.iter().map(|(name, out)| (name, out.clone()));
        section(&mut text, &mut parts, "probes", probes, 1, Part::Probe);
        if !self.rails.is_empty() {
            text.push_str("\nstop_when:\n");
            for (index, rail) in self.rails.iter().enumerate() {
                let start = text.len();
                item(rail, 2, 0, &mut text);
                parts.push((start..text.len(), Part::Rail(index)));
            }
        }
        if let Some(from) = self.measure_from() {
            text.push('\n');
            entry("measure_from", &Out::text(from), 0, 0, &mut text);
        }
        text.push_str("\nsteps:\n");
        let mut before: Vec<String> = Vec::new();
        for step in &self.steps {
            let start = text.len();
            item(&step.out(&before), 2, 1, &mut text);
            parts.push((start..text.len(), Part::Step(step.name.clone())));
            before = vec![step.name.clone()];
        }
        (text, parts)
    }

    fn head(&self, text: &mut String) {
        remark(
            "",
            &format!("Imported from {}. Check it, then rehearse it: `firedrill run --dry-run`.", self.origin),
            text,
        );
        self.remarks.iter().for_each(|line| remark("", line, text));
        if self.kind == "Experiment" && self.objectives.is_empty() {
            let line = "It declares no objective: say what was promised, such as `objectives: { rto: 2m }`.";
            remark("", line, text);
        }
        if !self.left.is_empty() {
            text.push_str("#\n");
            remark("", "not carried over:", text);
            self.left.iter().for_each(|left| remark("- ", &left.to_string(), text));
            text.push_str("#\n");
        }
    }
}

fn section<'s>(
    text: &mut String,
    parts: &mut Vec<(Range<usize>, Part)>,
    key: &str,
    entries: impl Iterator<Item = (&'s String, Out)>,
    blocks: usize,
    part: fn(String) -> Part,
) {
    let mut any = false;
    for (name, value) in entries {
        if !any {
            text.push_str(&format!("\n{key}:\n"));
            any = true;
        }
        let start = text.len();
        entry(name, &value, 2, blocks, text);
        parts.push((start..text.len(), part(name.clone())));
    }
}

impl Variable {
    fn out(&self) -> Out {
        let mut entries = Vec::new();
        if !self.about.is_empty() {
            entries.push(("about".to_owned(), Out::text(self.about.clone())));
        }
        entries.extend(self.default.iter().map(|default| ("default".to_owned(), Out::text(default.clone()))));
        if self.secret {
            entries.push(("secret".to_owned(), Out::bare(true)));
        }
        Out::Map(entries)
    }
}

impl Step {
    /// The step, saying what it waits for only when that is not the step `before` it.
    fn out(&self, before: &[String]) -> Out {
        let mut entries = vec![("name".to_owned(), Out::text(self.name.clone()))];
        if self.after != before {
            entries.push(("after".to_owned(), Out::texts(self.after.clone())));
        }
        entries.push((self.deed.0.to_owned(), self.deed.1.clone()));
        entries.extend(self.rest.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        Out::Map(entries)
    }
}

/// The errors of a file that is about to be written.
fn wrong(text: &str) -> Vec<Problem> {
    let checked = crate::spec::check_text(Path::new("imported.yaml"), text.as_bytes());
    let problems = match checked {
        Ok(checked) => checked.problems(),
        Err(diagnostics) => diagnostics.problems,
    };
    problems.into_iter().filter(|problem| !problem.warning).collect()
}

/// The name, with a number when it is taken.
fn unused(name: &str, between: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(name) {
        return name.to_owned();
    }
    let numbered = (2..).map(|n| format!("{name}{between}{n}"));
    numbered.into_iter().find(|name| !taken(name)).unwrap_or_else(|| name.to_owned())
}
