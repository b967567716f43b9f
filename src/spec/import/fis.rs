//! AWS FIS experiment templates: as the AWS CLI prints them, in CloudFormation, or in Terraform's JSON.
//!
//! The forms are read into one template (`source`), which becomes an experiment here. FIS starts actions at once
//! unless they say `startAfter`, has no undo of its own, and measures nothing; where that differs from firedrill, the
//! file says so.

use super::Left;
use super::document::At;
use super::sketch::{Sketch, Step};
use super::terms::{self, line};
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
    let convert = |found: source::Found<'_>| {
        let at = found.at.clone();
        let mut sketch = sketch(source::read(found, several, name), file);
        sketch.left.extend(Left::unread(&at, &sketch.left));
        sketch
    };
    let mut sketches: Vec<Sketch> = templates.into_iter().map(convert).collect();
    let others = source::others(top);
    if let (Some(first), false) = (sketches.first_mut(), others.is_empty()) {
        const SHOWN: usize = 5;
        let names: Vec<String> = others.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        let more =
            if others.len() > SHOWN { format!(" and {} more", others.len() - SHOWN) } else { String::new() };
        let what = format!("what stands beside the templates: {}{more}", names.join(", "));
        first.left(top, &what, "only experiment templates are imported", "");
    }
    sketches
}

fn sketch(template: Template<'_>, file: &str) -> Sketch {
    let mut sketch = Sketch {
        kind: "Experiment",
        origin: format!("{file}, an AWS FIS experiment template"),
        name: terms::slug(&template.name, "imported"),
        title: template.description.clone(),
        variables: template.variables.clone(),
        left: template.left.clone(),
        remarks: template.remarks.clone(),
        ..Sketch::default()
    };
    sketch.remarks.extend(surroundings(&template));
    stops(&mut sketch, &template);
    let order = order(&template.actions);
    let mut placed: Vec<Placed> = Vec::new();
    let mut aimed: Vec<String> = Vec::new();
    for action in order {
        for name in action.start_after.iter().filter(|name| template.actions.iter().all(|a| a.name != **name))
        {
            let at = action.at.loose("startAfter").unwrap_or_else(|| action.at.clone());
            let what = format!("that `{}` starts after `{name}`", action.name);
            sketch.left(&at, &what, "the template has no such action", "`after:` of the step");
        }
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
        let last = action::place(&mut sketch, &template, action, after, &mut aimed);
        placed.push(Placed { name: action.name.clone(), last });
    }
    for target in template.targets.iter().filter(|target| !aimed.contains(&target.name)) {
        let why = "no action that was carried over is aimed at it";
        sketch.left(&target.at, &format!("the target `{}`", line(&target.name)), why, "");
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
            ("none", value) if value.as_ref().is_none_or(String::is_empty) => {}
            ("aws:cloudwatch:alarm", Some(alarm)) => {
                any = true;
                let name = alarm.rsplit_once(":alarm:").map_or(alarm.as_str(), |(_, name)| name);
                sketch.rails.push(Out::map([("alarm", Out::text(name))]));
            }
            ("aws:cloudwatch:alarm", None) => {
                sketch.left(&stop.at, "a stop condition", "it names no alarm", "`stop_when: [{ alarm: … }]`");
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

/// The accounts and regions that the ARNs say: an environment says them in firedrill.
fn surroundings(template: &Template<'_>) -> Option<String> {
    let arns = template.targets.iter().flat_map(|target| &target.arns);
    let stops = template.stops.iter().filter_map(|stop| stop.value.as_ref());
    let asserted = template.actions.iter().filter_map(|action| action.parameter("alarmArns"));
    let arns = arns.chain(stops).map(String::as_str).chain(asserted.flat_map(|arns| arns.split(',')));
    let mut places: Vec<String> = Vec::new();
    for arn in arns {
        let parts: Vec<&str> = arn.trim().split(':').collect();
        let ["arn", _, _, region, account, ..] = parts.as_slice() else { continue };
        let place = line(&format!("{account} in {region}"));
        if !region.is_empty() && !account.is_empty() && !arn.contains("${") && !places.contains(&place) {
            places.push(place);
        }
    }
    let said = format!(
        "Its ARNs are of the account {}: so must the environment be that it runs in.",
        places.join(", ")
    );
    (!places.is_empty()).then_some(said)
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
