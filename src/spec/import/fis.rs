//! AWS FIS experiment templates: as the AWS CLI prints them, in CloudFormation, or as Terraform shows them.
//!
//! The three forms are read into one template (`source`), which becomes an experiment here. FIS starts actions at once
//! unless they say `startAfter`, has no undo of its own, and measures nothing; where that differs from firedrill, the
//! file says so.

use super::document::At;
use super::sketch::{Sketch, Step};
use super::terms;
use super::write::Out;

mod action;
mod source;
mod target;

pub(super) use source::templates;
use source::{Action, Template};

/// An action that became steps: the name of the first, what comes after it waits for, and what it waits for itself.
struct Placed {
    name: String,
    last: Vec<String>,
}

/// Converts every template of a document.
pub(super) fn sketches(top: &At<'_>, name: &str, file: &str) -> Vec<Sketch> {
    let templates = templates(top);
    let several = templates.len() > 1;
    templates.into_iter().map(|found| sketch(source::read(found, several, name), file)).collect()
}

fn sketch(template: Template<'_>, file: &str) -> Sketch {
    let mut sketch = Sketch {
        kind: "Experiment",
        origin: format!("{file}, an AWS FIS experiment template"),
        name: terms::slug(&template.name, "imported"),
        title: template.description.clone(),
        variables: template.variables.clone(),
        left: template.left.clone(),
        ..Sketch::default()
    };
    stops(&mut sketch, &template);
    let order = order(&template.actions);
    let mut placed: Vec<Placed> = Vec::new();
    for action in order {
        let after = action.start_after.iter().flat_map(|name| {
            placed
                .iter()
                .find(|placed| placed.name == *name)
                .map(|placed| placed.last.clone())
                .unwrap_or_default()
        });
        let mut after: Vec<String> = after.collect();
        after.sort();
        after.dedup();
        let last = action::place(&mut sketch, &template, action, after);
        placed.push(Placed { name: action.name.clone(), last });
    }
    if sketch.steps.iter().any(|step| step.deed.0 == "action") {
        sketch.remarks.push(
            "FIS leaves what it did as it is, unless the action says otherwise; firedrill undoes it at the end of the run.".to_owned(),
        );
    }
    sketch
}

/// The actions so that each stands after those it starts after, otherwise as they are.
fn order<'t>(actions: &'t [Action<'t>]) -> Vec<&'t Action<'t>> {
    let mut ordered: Vec<&Action<'_>> = Vec::new();
    let mut rest: Vec<&Action<'_>> = actions.iter().collect();
    while !rest.is_empty() {
        let waits = |action: &Action<'_>| {
            action
                .start_after
                .iter()
                .any(|name| rest.iter().any(|other| other.name == *name && other.name != action.name))
        };
        // A circle, which AWS refuses, ends here all the same.
        let next = rest.iter().position(|action| !waits(action)).unwrap_or(0);
        ordered.push(rest.remove(next));
    }
    ordered
}

fn stops(sketch: &mut Sketch, template: &Template<'_>) {
    let mut any = false;
    for stop in &template.stops {
        match (stop.source.as_str(), &stop.value) {
            ("none", _) => {}
            ("aws:cloudwatch:alarm", Some(alarm)) => {
                any = true;
                let name = alarm.rsplit_once(":alarm:").map_or(alarm.as_str(), |(_, name)| name);
                sketch.rails.push(Out::map([("alarm", Out::text(name))]));
            }
            (source, _) => {
                let why = format!("the source `{}` is not one that firedrill can ask", terms::line(source));
                sketch.left(
                    &stop.at,
                    "a stop condition",
                    &why,
                    "`stop_when:` knows alarms, probes, elapsed time and Prometheus",
                );
            }
        }
    }
    if !any {
        sketch.remarks.push(
            "Nothing stops the run before its steps and its looking are over: add a guardrail, such as \
             `stop_when: [{ elapsed: 30m }]`."
                .to_owned(),
        );
    }
}

/// A step that waits.
fn wait(sketch: &mut Sketch, name: &str, duration: std::time::Duration, after: Vec<String>) -> String {
    sketch.step(Step {
        name: name.to_owned(),
        deed: ("wait", Out::time(duration)),
        rest: Vec::new(),
        after,
        target: None,
    })
}
