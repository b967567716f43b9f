//! Chaos Toolkit experiments.
//!
//! The hypothesis becomes probes that watch the whole run, the method becomes steps. Rollbacks are held against what
//! firedrill undoes by itself: they are said to be covered, carried over as a program's undo, or left.

use super::document::At;
use super::sketch::{Sketch, Step};
use super::terms;
use super::write::Out;

mod actions;
mod probes;
mod tolerance;
mod values;

use values::Values;

/// What is read of an experiment; anything else is told.
const KEYS: [&str; 8] = [
    "title",
    "description",
    "configuration",
    "secrets",
    "steady-state-hypothesis",
    "method",
    "rollbacks",
    "tags",
];

/// An experiment as it is carried over.
pub(super) struct Carried {
    pub(super) sketch: Sketch,
    pub(super) values: Values,
    /// What firedrill undoes by itself: the actions of the steps that were carried over.
    undone: Vec<&'static str>,
}

impl Carried {
    /// A number, also one that the configuration says.
    fn number(&mut self, at: &At<'_>) -> Option<f64> {
        at.number().or_else(|| self.values.number(at.text()?, &mut self.sketch))
    }
}

/// Converts one experiment. `name` stands for it when it has no title.
pub(super) fn sketch(top: &At<'_>, name: &str, file: &str) -> Sketch {
    let title = top.text_of("title").map(terms::line).filter(|title| !title.is_empty());
    let mut carried = Carried {
        sketch: Sketch {
            kind: "Experiment",
            origin: format!("{file}, a Chaos Toolkit experiment"),
            name: terms::slug(title.as_deref().unwrap_or(name), "imported"),
            title: title.as_deref().map(terms::literal),
            ..Sketch::default()
        },
        values: Values::default(),
        undone: Vec::new(),
    };
    carried.values.read(top, &mut carried.sketch);
    hypothesis(&mut carried, top);
    method(&mut carried, top);
    rollbacks(&mut carried, top);
    rest(&mut carried.sketch, top);
    carried.sketch
}

fn hypothesis(carried: &mut Carried, top: &At<'_>) {
    let steady = top.get("steady-state-hypothesis");
    let said = steady.as_ref().and_then(|steady| steady.text_of("title"));
    let said = [said, top.text_of("description")].into_iter().flatten().map(terms::line);
    let said: Vec<String> = said.filter(|text| !text.is_empty()).collect();
    carried.sketch.hypothesis = (!said.is_empty()).then(|| terms::literal(&said.join(". ")));
    let Some(steady) = steady else { return };
    for (key, at) in steady.entries() {
        match key {
            "title" => {}
            "probes" => at.items().iter().for_each(|at| probes::watch(carried, at)),
            "controls" => controls(&mut carried.sketch, &at),
            _ => unknown(&mut carried.sketch, key, &at),
        }
    }
}

fn method(carried: &mut Carried, top: &At<'_>) {
    let Some(method) = top.get("method") else { return };
    // What the next activity waits for.
    let mut before: Vec<String> = Vec::new();
    for at in method.items() {
        match at.text_of("ref") {
            Some(name) => before = reference(carried, top, (&at, name), before),
            None => before = activity(carried, &at, before),
        }
    }
}

/// An activity that stands elsewhere and is done once more.
fn reference(
    carried: &mut Carried,
    top: &At<'_>,
    (at, name): (&At<'_>, &str),
    before: Vec<String>,
) -> Vec<String> {
    let what = format!("the reference to `{name}`");
    let places = ["method", "rollbacks"].into_iter().filter_map(|key| top.get(key));
    let activities: Vec<At<'_>> = places.flat_map(|at| at.items()).collect();
    let named = activities.iter().find(|other| other.text_of("name") == Some(name));
    match named {
        Some(action) if action.text_of("type") != Some("probe") => activity(carried, action, before),
        found => {
            let probes = top.get("steady-state-hypothesis").and_then(|steady| steady.get("probes"));
            let watched = probes.map(|at| at.items()).unwrap_or_default();
            let known = found.is_some() || watched.iter().any(|probe| probe.text_of("name") == Some(name));
            let why = match known {
                true => "firedrill's probes watch all the time, so that asking one more time adds nothing",
                false => "the experiment has no activity of this name",
            };
            carried.sketch.left(at, &what, why, "");
            before
        }
    }
}

/// An activity of the method with its pauses. Gives what the next one waits for.
fn activity(carried: &mut Carried, at: &At<'_>, before: Vec<String>) -> Vec<String> {
    let background = at.get("background").is_some_and(|at| at.truth());
    let mut after = pause(carried, at, "before", before.clone());
    match at.text_of("type") {
        Some("probe") => probes::asked_once(carried, at),
        _ => {
            typed(&mut carried.sketch, at, &["action", "probe"]);
            after = actions::step(carried, at, after);
        }
    }
    after = pause(carried, at, "after", after);
    if let Some(controlled) = at.get("controls") {
        controls(&mut carried.sketch, &controlled);
    }
    if background { before } else { after }
}

/// A pause as a step that waits. Gives what comes after it waits for.
fn pause(carried: &mut Carried, at: &At<'_>, when: &str, after: Vec<String>) -> Vec<String> {
    let Some(pause) = at.get("pauses").and_then(|pauses| pauses.get(when)) else { return after };
    let of = at.text_of("name").unwrap_or("the activity");
    let duration = carried.number(&pause).and_then(terms::seconds);
    let Some(duration) = duration else {
        let text = pause.text().unwrap_or("…");
        let why = "a wait is a time that the file says";
        let proposal = format!(
            "add a step: `wait: \"${{pause}}\"`, and the variable with a unit, such as 30s; here it is `{text}`"
        );
        carried.sketch.left(&pause, &format!("the pause {when} `{of}`"), why, &proposal);
        return after;
    };
    if duration.is_zero() {
        return after;
    }
    let name = carried.sketch.step(Step {
        name: format!("pause {when} {of}"),
        deed: ("wait", Out::time(duration)),
        rest: Vec::new(),
        after,
        target: None,
    });
    vec![name]
}

/// Where an inverse is: the action, and the `chaosaws` functions that take it back.
const INVERSES: [(&str, &str); 5] = [
    ("ec2.stop_instances", "start_instances"),
    ("ec2.start_instances", "stop_instances"),
    ("rds.stop_db_instance", "start_db_instance"),
    ("ecs.update_service", "update_desired_count"),
    ("rds.start_db_instance", "stop_db_instance"),
];

fn rollbacks(carried: &mut Carried, top: &At<'_>) {
    let Some(rollbacks) = top.get("rollbacks") else { return };
    let items = rollbacks.items();
    let programs = items.iter().filter(|at| kind(at) == Some("process")).count();
    let runs: Vec<usize> =
        (0..carried.sketch.steps.len()).filter(|index| ran(&carried.sketch, *index)).collect();
    for at in items {
        typed(&mut carried.sketch, &at, &["action", "probe"]);
        let name = at.text_of("name").or(at.text_of("ref")).unwrap_or("rollback").to_owned();
        let what = format!("the rollback `{}`", terms::line(&name));
        let function = at.get("provider").and_then(|provider| provider.text_of("func"));
        let own =
            INVERSES.iter().find(|(action, func)| function == Some(func) && carried.undone.contains(action));
        let module = at.get("provider").and_then(|provider| provider.text_of("module")).unwrap_or_default();
        let own = own.filter(|_| kind(&at) == Some("python") && module.starts_with("chaosaws."));
        if let Some((action, _)) = own {
            let arguments = at.get("provider").and_then(|provider| provider.get("arguments"));
            let arguments =
                arguments.map(|at| format!(" of {}", terms::line(&at.shown()))).unwrap_or_default();
            carried.sketch.remarks.push(format!(
                "The rollback `{}` ({module}.{}{arguments}) is not needed: firedrill undoes {action} itself, also when the run is \
                 stopped or dies.",
                terms::line(&name),
                function.unwrap_or_default()
            ));
            continue;
        }
        let only = if let (1, [only]) = (programs, runs.as_slice()) { Some(*only) } else { None };
        let argv = if kind(&at) == Some("process") { actions::argv(carried, &at) } else { None };
        if let (Some(_), Some(timeout)) =
            (&argv, at.get("provider").and_then(|provider| provider.get("timeout")))
        {
            let why = "how long an undo may take is not said by its step";
            carried.sketch.left(
                &timeout,
                &format!("the timeout of {what}"),
                why,
                "`timeout 30 PROGRAM` in it",
            );
        }
        match (argv, only.and_then(|only| carried.sketch.steps.get_mut(only))) {
            (Some(argv), Some(step)) => {
                step.rest.push(("undo", Out::texts(argv)));
                let remark =
                    format!("The rollback `{}` became the undo of `{}`.", terms::line(&name), step.name);
                carried.sketch.remarks.push(remark);
            }
            (Some(argv), None) => {
                let undo = argv.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
                let why = "which step it takes back is not said: firedrill undoes each step that was done, the last one first";
                carried.sketch.left(&at, &what, why, &format!("write it beside its step: `undo: [{undo}]`"));
            }
            (None, _) => {
                let why = match function {
                    Some(function) => format!("`{function}` takes back nothing that was carried over"),
                    None => "no step that was carried over is taken back by it".to_owned(),
                };
                let proposal = "firedrill undoes its own actions; for anything else, `undo: [program, argument]` in the step";
                carried.sketch.left(&at, &what, &why, proposal);
            }
        }
    }
}

/// Tells an activity that is of none of these types.
fn typed(sketch: &mut Sketch, at: &At<'_>, known: &[&str]) {
    let Some(kind) = at.get("type") else { return };
    let text = kind.text().unwrap_or("…");
    if !known.contains(&text) {
        let why = format!("an activity here is of the type {}", known.join(" or "));
        sketch.left(&kind, &format!("the type `{}`", terms::line(text)), &why, "");
    }
}

fn ran(sketch: &Sketch, index: usize) -> bool {
    sketch.steps.get(index).is_some_and(|step| step.deed.0 == "run")
}

/// The provider's type.
fn kind<'d>(at: &At<'d>) -> Option<&'d str> {
    at.get("provider")?.text_of("type")
}

fn rest(sketch: &mut Sketch, top: &At<'_>) {
    for (key, at) in top.entries() {
        match key {
            "tags" => {
                sketch.left(
                    &at,
                    "the tags",
                    "firedrill's experiments carry none",
                    "`controls:` names what a drill is evidence for",
                );
            }
            "controls" => controls(sketch, &at),
            "extensions" | "contributions" | "dependencies" => {
                let why = "it concerns Chaos Toolkit's own extensions";
                sketch.left(&at, &format!("`{key}`"), why, "");
            }
            "runtime" => {
                let why = "firedrill always undoes what it did: after the run, on failure, on Ctrl-C, and `firedrill recover` after a crash";
                sketch.left(&at, "the runtime strategies", why, "");
            }
            // Of the format, which has had no other.
            "version" if at.text() == Some("1.0.0") => {}
            "version" => sketch.left(&at, "the version", "firedrill knows the format's 1.0.0", ""),
            _ if KEYS.contains(&key) => {}
            "rollback" => {
                let why = "Chaos Toolkit knows `rollbacks` only, and never ran it";
                sketch.left(
                    &at,
                    "`rollback`",
                    why,
                    "firedrill undoes its own actions; `undo: [program]` in a step is for others",
                );
            }
            _ => unknown(sketch, key, &at),
        }
    }
}

fn controls(sketch: &mut Sketch, at: &At<'_>) {
    let why = "they are Python code that runs inside Chaos Toolkit";
    let proposal = "what watches is a probe or a guardrail (`stop_when`); what acts is a step";
    sketch.left(at, "the controls", why, proposal);
}

fn unknown(sketch: &mut Sketch, key: &str, at: &At<'_>) {
    sketch.left(at, &format!("`{}`", terms::line(key)), "firedrill does not know what it means", "");
}
