//! JSON Schema of each kind of file, for editors that complete and explain: made from the very types that the
//! files are read into.
//!
//! A schema knows the keys, what they are for and what their values look like. What looks across a file, such as
//! whether a probe can decide an objective, only `check` knows.

use std::time::Duration;

use serde_json::{Value, json};

use super::environment::Settings;
use super::experiment::{Objectives, OnFailure, Program, Recovery, SteadyState, Undo};
use super::people::Approval;
use super::values::Variable;
use super::{gameday, guardrail};
use crate::action::Action;
use crate::aws::find::Target;
use crate::notation::decode::Decode;
use crate::notation::shape::{self, Shapes, described};
use crate::probe::Probe;
use crate::words;

words! {
    /// A kind of file that has a schema.
    pub enum Kind {
        /// A drill: what is broken, what must stay true, and the targets.
        "experiment" => Experiment,
        /// A procedure that people follow.
        "runbook" => Runbook,
        /// Drills in order, with their schedule and their people.
        "gameday" => GameDay,
        /// `firedrill.yaml`: where drills run.
        "project" => Project,
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Experiment, Kind::Runbook, Kind::GameDay, Kind::Project];

    /// The name of the file that the schema is kept in: `experiment.v1.json`.
    pub fn file_name(self) -> String {
        format!("{}.v1.json", self.word())
    }
}

/// The schema of a kind of file.
pub fn of(kind: Kind) -> Value {
    let mut shapes = Shapes::default();
    let (title, root) = match kind {
        Kind::Experiment => ("A firedrill experiment", drill(&mut shapes, "Experiment")),
        Kind::Runbook => ("A firedrill runbook", drill(&mut shapes, "Runbook")),
        Kind::GameDay => ("A firedrill game day", gameday::shape::of(&mut shapes)),
        Kind::Project => ("The project file of firedrill, firedrill.yaml", project(&mut shapes)),
    };
    shapes.finish(&format!("firedrill/{}", kind.file_name()), title, root)
}

/// An experiment or a runbook: they differ in what they must and may not say.
fn drill(shapes: &mut Shapes, kind: &str) -> Value {
    let text = || shape::scalar("text");
    let names = shape::list(text());
    let mut keys: Vec<(&str, Value, &str)> = vec![
        ("kind", json!({ "const": kind }), "What the file is."),
        ("name", text(), "Names it in histories and reports: lower-case letters, digits and `-`."),
        ("title", text(), "One line for people."),
        ("owner", text(), "Who owns it."),
        ("controls", names.clone(), "The controls that it is evidence for, such as `SOC2-A1.3`."),
        (
            "variables",
            shape::mapping(Variable::schema(shapes)),
            "The values that it is given by its environment.",
        ),
        ("objectives", Objectives::schema(shapes), "The declared targets."),
        ("targets", shape::mapping(Target::schema(shapes)), "Whom the actions are aimed at, by name."),
        ("alarms", names, "CloudWatch alarms by name, watched from before the fault: what is to detect it."),
        ("probes", shape::mapping(watch(shapes)), "What watches, by name, as a client would."),
        ("steady_state", SteadyState::schema(shapes), "What must hold before anything is touched."),
        (
            "stop_when",
            shape::list(guardrail::schema(shapes)),
            "Guardrails: any of them stops the run and undoes it.",
        ),
        (
            "steps",
            shape::list(step(shapes)),
            "What is done. A step waits for the one before unless `after` says otherwise.",
        ),
        (
            "measure_from",
            text(),
            "The step that the RTO counts from; without it the first `action` or `run`.",
        ),
        ("recovery", Recovery::schema(shapes), "When recovery counts as proven."),
    ];
    if kind == "Experiment" {
        keys.insert(3, ("hypothesis", text(), "What is to be shown."));
    }
    let keys = keys.into_iter().map(|(key, shape, about)| (key, described(shape, about))).collect();
    shape::object("", keys, &["kind", "name", "steps"])
}

/// A probe of a file: its kind, and what stands beside it.
fn watch(shapes: &mut Shapes) -> Value {
    let duration = Duration::schema(shapes);
    let beside = vec![
        ("every", duration.clone(), "The spacing of the samples; without it the kind's usual one."),
        ("edge_every", duration, "A finer spacing while an outage begins or ends."),
        ("sentinel", shape::truth(), "Keeps a connection open that tells of its breaking at once."),
        ("must_stay_up", shape::truth(), "An outage of it is a failure of its own, and stops the run."),
    ];
    probe(shapes, beside)
}

/// One check of a step: a probe, and how long it may take until it is good.
fn check(shapes: &mut Shapes) -> Value {
    let within = Duration::schema(shapes);
    probe(shapes, vec![("within", within, "How long it may take until the answer is good.")])
}

/// A mapping with one kind of probe among its keys.
fn probe(shapes: &mut Shapes, beside: Vec<(&'static str, Value, &str)>) -> Value {
    let mut keys = Probe::alternatives(shapes);
    let kinds: Vec<Value> = keys.iter().map(|(kind, _)| json!({ "required": [kind] })).collect();
    keys.extend(beside.into_iter().map(|(key, shape, about)| (key, described(shape, about))));
    let mut shape = shape::object("", keys, &[]);
    shape["oneOf"] = json!(kinds);
    shape
}

fn step(shapes: &mut Shapes) -> Value {
    shapes.define("firedrill::step", |shapes| {
        let text = || shape::scalar("text");
        let duration = Duration::schema(shapes);
        let check = check(shapes);
        let checks = shape::list(check.clone());
        let names = shape::any_of(vec![text(), shape::list(text())]);
        let deeds = vec![
            ("action", Action::schema(shapes), "A call of AWS: `firedrill actions` lists what it can be."),
            ("run", Program::schema(shapes), "A program with its arguments; there is no shell in between."),
            ("manual", text(), "What a person carries out."),
            (
                "approve",
                Approval::schema(shapes),
                "A go/no-go question. A no-go stops the run and undoes it.",
            ),
            ("wait", duration.clone(), "A time to let pass."),
            ("wait_until", shape::any_of(vec![check, checks.clone()]), "A condition to wait for."),
            ("runbook", text(), "A runbook whose steps stand in this step's place, by name or path."),
        ];
        let one: Vec<Value> = deeds.iter().map(|(deed, ..)| json!({ "required": [deed] })).collect();
        let mut keys = vec![("name", text(), "Its name: unique in the file.")];
        keys.extend(deeds);
        keys.extend([
            ("with", shape::mapping(text()), "The values of the runbook's variables."),
            ("verify", checks, "What must be seen before the step counts as done."),
            ("timeout", duration.clone(), "How long it may take."),
            ("on_failure", OnFailure::schema(shapes), "What happens to the run when it fails."),
            ("after", names, "The steps that it waits for; `[]` starts at once."),
            ("irreversible", shape::truth(), "Says that its author knows that it cannot be undone."),
            ("undo", Undo::schema(shapes), "How it is undone, in place of what the action knows."),
            ("owner", text(), "Who owns it."),
            ("role", text(), "In which role a person carries it out."),
            ("about", text(), "What it is about."),
            ("expected", duration, "How long it should take; what takes longer is shown, and is no failure."),
            (
                "output",
                text(),
                "Keeps the last line that the program prints, for later steps: `${output:name}`.",
            ),
            ("outputs", shape::mapping(text()), "Keeps values of the program's JSON, by JSON pointer."),
        ]);
        let keys = keys.into_iter().map(|(key, shape, about)| (key, described(shape, about))).collect();
        let mut shape = shape::object("One thing that is done.", keys, &[]);
        shape["oneOf"] = json!(one);
        shape["anyOf"] = json!([{ "required": ["name"] }, { "required": ["runbook"] }]);
        shape
    })
}

fn project(shapes: &mut Shapes) -> Value {
    let environments = shape::mapping(Settings::schema(shapes));
    let store = shape::scalar("a folder");
    shape::object(
        "",
        vec![
            ("environments", described(environments, "Where drills run, by name. `lab` is built in.")),
            ("store", described(store, "Where runs are kept, relative to this file.")),
        ],
        &[],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_schemas_are_those_of_the_types() {
        for kind in Kind::ALL {
            let path = format!("{}/schema/{}", env!("CARGO_MANIFEST_DIR"), kind.file_name());
            let now = serde_json::to_string_pretty(&of(kind)).expect("JSON") + "\n";
            if std::env::var_os("FIREDRILL_UPDATE_SCHEMA").is_some() {
                std::fs::write(&path, &now).expect("written");
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                stored == now,
                "{path} is not what the types say: FIREDRILL_UPDATE_SCHEMA=1 writes it anew"
            );
        }
    }

    #[test]
    fn every_reference_leads_to_a_definition_and_every_key_is_explained() {
        for kind in Kind::ALL {
            let schema = of(kind);
            let text = schema.to_string();
            for part in text.split("\"#/definitions/").skip(1) {
                let name = part.split('"').next().unwrap_or_default();
                assert!(schema["definitions"][name].is_object(), "{name} is not defined");
            }
            for (name, definition) in schema["definitions"].as_object().expect("definitions") {
                for (key, shape) in definition["properties"].as_object().into_iter().flatten() {
                    assert!(shape["description"].is_string(), "{name}: `{key}` is not explained");
                }
            }
        }
    }
}
