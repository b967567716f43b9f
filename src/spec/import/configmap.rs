//! Recovery procedures as a Kubernetes ConfigMap holds them: each becomes a runbook.
//!
//! A command becomes a `run` step when it needs no shell, else a sentence for a person. What is to be verified in prose
//! is a person's step, and the probe that could do it is proposed. Who is told and when it is exercised belongs to a
//! game day.

use super::document::{self, At, Document};
use super::sketch::{Sketch, Step};
use super::terms::{self, line, literal};
use super::write::Out;
use super::{Left, shell, tell_unread};
use crate::command::plain_command;

/// Whether a document, or a text that a ConfigMap holds, has this key.
pub(super) fn holds(top: &At<'_>, key: &str) -> bool {
    if says(top, key) {
        return true;
    }
    inner(top).iter().any(|(_, documents)| {
        documents.as_ref().is_ok_and(|documents| documents.iter().any(|document| says(&document.top(), key)))
    })
}

/// `services` is a common word: those meant here have SLOs.
fn says(top: &At<'_>, key: &str) -> bool {
    let Some(found) = top.get(key) else { return false };
    key != "services" || found.items().iter().any(|service| service.get("slos").is_some())
}

pub(super) type Inner<'d> = (At<'d>, Result<Vec<Document>, String>);

/// The texts of a ConfigMap, each read as YAML.
pub(super) fn inner<'d>(top: &At<'d>) -> Vec<Inner<'d>> {
    if top.text_of("kind") != Some("ConfigMap") {
        return Vec::new();
    }
    let entries = top.get("data").map(|data| data.entries()).unwrap_or_default();
    let read = |at: At<'d>| {
        let text = at.text().unwrap_or_default();
        let documents = document::read(text.as_bytes()).map_err(|(_, problems)| {
            problems.first().map_or_else(|| "it is not YAML".to_owned(), |problem| problem.message.clone())
        });
        (at, documents)
    };
    entries.into_iter().map(|(_, at)| read(at)).collect()
}

/// What `convert` makes of each part with the key `key`, with its places in this document.
pub(super) fn each(top: &At<'_>, key: &str, convert: impl Fn(&At<'_>) -> Vec<Sketch>) -> Vec<Sketch> {
    if says(top, key) {
        return convert(top);
    }
    let mut sketches: Vec<Sketch> = Vec::new();
    let mut left = Vec::new();
    for (at, documents) in inner(top) {
        let documents = match documents {
            Ok(documents) => documents,
            Err(why) => {
                left.push(Left::new(&at, "a text of the ConfigMap", &why, "mend it"));
                continue;
            }
        };
        let mut any = false;
        for document in &documents {
            let top = document.top();
            if says(&top, key) {
                any = true;
                let mut converted = convert(&top);
                tell_unread(&top, &mut converted);
                sketches.extend(
                    converted.into_iter().map(|sketch| Sketch { left: placed(&at, sketch.left), ..sketch }),
                );
            }
        }
        if !any {
            left.push(Left::new(&at, "a text of the ConfigMap", "it holds nothing of this kind", ""));
        }
    }
    around(top, &mut sketches);
    if let Some(first) = sketches.first_mut() {
        first.left.extend(left);
    }
    sketches
}

/// What Kubernetes knows of a ConfigMap: its name goes along, anything else is left.
fn around(top: &At<'_>, sketches: &mut [Sketch]) {
    if let Some(version) = top.get("apiVersion").filter(|at| at.text() == Some("v1")) {
        version.known();
    }
    let metadata = top.get("metadata").map(|at| at.entries()).unwrap_or_default();
    for (key, at) in metadata {
        if let ("name" | "generateName", Some(name)) = (key, at.text()) {
            sketches
                .iter_mut()
                .for_each(|sketch| sketch.origin = format!("{} (`{}`)", sketch.origin, line(name)));
        } else if let Some(first) = sketches.first_mut() {
            first.left(&at, &format!("`{}`", line(key)), "it concerns Kubernetes, not the file's reader", "");
        }
    }
}

/// The places in a text as places in the document around it.
fn placed(at: &At<'_>, left: Vec<Left>) -> Vec<Left> {
    let place = |left: Left| {
        let span = left.span.and_then(|span| at.outer(span)).or(at.line().map(|_| at.span));
        let line = span.and_then(|span| at.line_of(span));
        Left { span, line, pointer: format!("{}: {}", at.pointer, left.pointer), ..left }
    };
    left.into_iter().map(place).collect()
}

/// Converts a ConfigMap, or the procedures alone.
pub(super) fn sketches(top: &At<'_>, file: &str) -> Vec<Sketch> {
    each(top, "recovery_procedures", |top| procedures(top, file))
}

fn procedures(top: &At<'_>, file: &str) -> Vec<Sketch> {
    let mut sketches: Vec<Sketch> = Vec::new();
    let found = top.get("recovery_procedures").map(|at| at.items()).unwrap_or_default();
    for at in found {
        sketches.push(procedure(&at, file));
    }
    let Some(first) = sketches.first_mut() else { return sketches };
    for (key, at) in top.entries() {
        match key {
            "recovery_procedures" => {}
            "communication_plan" => communication(first, &at),
            "testing_schedule" => schedule(first, &at),
            _ => first.left(&at, &format!("`{}`", line(key)), "firedrill does not know what it means", ""),
        }
    }
    sketches
}

fn procedure(at: &At<'_>, file: &str) -> Sketch {
    let title = at.text_of("name").or(at.text_of("title")).map(line).filter(|title| !title.is_empty());
    let mut sketch = Sketch {
        kind: "Runbook",
        origin: format!("{file}, a ConfigMap with recovery procedures"),
        name: terms::slug(title.as_deref().unwrap_or_default(), "procedure"),
        title: title.as_deref().map(literal),
        ..Sketch::default()
    };
    for (key, value) in at.entries() {
        match key {
            "name" | "title" | "steps" => {}
            "owner" => sketch.owner = value.text().map(|owner| literal(&line(owner))),
            "rto" | "rpo" => match value.text().and_then(terms::duration) {
                Some(time) => sketch.objectives.push((key.to_owned(), Out::time(time))),
                None => {
                    let text = line(value.text().unwrap_or("…"));
                    sketch.left(
                        &value,
                        &format!("the {key} `{text}`"),
                        "it is no time",
                        &format!("`{key}: 5m`"),
                    );
                }
            },
            "description" => sketch.remarks.push(line(value.text().unwrap_or_default())),
            _ => {
                sketch.left(&value, &format!("`{}`", line(key)), "firedrill does not know what it means", "")
            }
        }
    }
    for at in at.get("steps").map(|steps| steps.items()).unwrap_or_default() {
        steps(&mut sketch, &at);
    }
    if sketch.steps.is_empty() {
        sketch.left(at, "the procedure", "it has no steps", "write down what is done");
        add(
            &mut sketch,
            "carry it out",
            "manual",
            Out::text("Carry the procedure out: its steps were not written down."),
            Vec::new(),
        );
    }
    sketch
}

fn add(sketch: &mut Sketch, name: &str, deed: &'static str, out: Out, rest: Vec<(&'static str, Out)>) {
    let after = sketch.steps.last().map(|step| step.name.clone()).into_iter().collect();
    sketch.step(Step { name: name.to_owned(), deed: (deed, out), rest, after, target: None });
}

/// One step of a procedure: what is done, and what is verified then.
fn steps(sketch: &mut Sketch, at: &At<'_>) {
    let said = at.text().or(at.text_of("action")).or(at.text_of("name")).or(at.text_of("description"));
    let said = said.map(line).filter(|said| !said.is_empty()).unwrap_or_else(|| "step".to_owned());
    let mut rest: Vec<(&'static str, Out)> = Vec::new();
    let mut named = false;
    for (key, value) in at.entries() {
        if matches!(key, "command" | "verification") {
            continue;
        }
        let time = value.text().and_then(terms::duration).filter(|time| !time.is_zero());
        match (key, time) {
            ("action" | "name" | "description", _)
                if !named && value.text().map(line).as_ref() == Some(&said) =>
            {
                named = true;
            }
            ("owner" | "role" | "responsible", _) => {
                let person = literal(&line(value.text().unwrap_or_default()));
                rest.push((if key == "role" { "role" } else { "owner" }, Out::text(person)));
            }
            ("expected" | "duration" | "estimated_time" | "expected_duration", Some(time)) => {
                rest.push(("expected", Out::time(time)));
            }
            ("timeout", Some(time)) => rest.push(("timeout", Out::time(time))),
            _ => sketch.left(&value, &format!("`{}`", line(key)), "it has no counterpart in a step", ""),
        }
    }
    match at.get("command").filter(|at| at.text().is_some()) {
        Some(command) => run(sketch, &said, &command, rest),
        None => add(sketch, &said, "manual", Out::text(literal(&said)), rest),
    }
    for check in at.get("verification").map(|at| at.items()).unwrap_or_default() {
        let Some(text) = check.text().map(line).filter(|text| !text.is_empty()) else { continue };
        add(sketch, &text, "manual", Out::text(literal(&text)), Vec::new());
        let why = "what prose asks for only a person can verify: it is a `manual` step";
        sketch.left(&check, &format!("`{text}`"), why, probe_for(&text));
    }
}

fn run(sketch: &mut Sketch, said: &str, command: &At<'_>, mut rest: Vec<(&'static str, Out)>) {
    let text = command.text().unwrap_or_default();
    let words = plain_command(text).filter(|words| words.first().is_some_and(|word| shell::is_program(word)));
    let Some(words) = words else {
        let sentence = format!("{said}. Run: {}", text.trim());
        let sentence: String =
            sentence.chars().filter(|c| !c.is_control() || *c == '\n').take(1900).collect();
        add(sketch, said, "manual", Out::text(literal(&sentence)), rest);
        let why = "only a shell could run it: it is a `manual` step";
        sketch.left(
            command,
            "the command",
            why,
            "`run: [sh, -c, \"…\"]`, or a script of its own: `run: [./fail-over.sh]`",
        );
        return;
    };
    // What a recovery does is meant to stay.
    rest.push(("undo", Out::text("none")));
    add(sketch, said, "run", Out::texts(words.iter().map(|word| literal(word))), rest);
}

/// The probe that could verify what a sentence asks for.
fn probe_for(text: &str) -> &'static str {
    let text = text.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&["integrity", "complete", "loss", "lost"]) {
        "a ledger counts what was lost: a `postgres.ledger` probe in the experiment that runs this runbook"
    } else if any(&["dns", "propagat", "resolv", "traffic rout"]) {
        "`verify: [{ dns: { name: www.example.com, expect: [192.0.2.1] } }]` in the step before"
    } else if any(&["database", "replica", "postgres", "connectivity", "writer"]) {
        "`verify: [{ postgres: { dsn: \"${dsn}\", role: writer } }]` in the step before"
    } else if any(&["health", "endpoint", "service", "application", "traffic", "page", "http", "respon"]) {
        "`verify: [{ http: { url: \"${service_url}/health\" } }]` in the step before"
    } else {
        "`verify: [{ command: { run: [./check.sh] } }]` in the step before"
    }
}

fn communication(sketch: &mut Sketch, plan: &At<'_>) {
    for at in plan.items() {
        let of = |names: &[&str]| {
            let found = names.iter().find_map(|name| at.text_of(name)).map(line);
            found.filter(|text| !text.is_empty()).unwrap_or_else(|| "…".to_owned())
        };
        let who = of(&["stakeholder", "name", "team", "who"]);
        let (contact, channel) =
            (of(&["contact", "email"]), of(&["notification_method", "channel", "method"]));
        let why = "who is told is the game day's business, not the procedure's";
        let proposal = format!(
            "in a `kind: GameDay`: `communication: [{{ tell: {who:?}, what: …, when: at start, channel: {}, contact: {contact:?} }}]`",
            terms::slug(&channel, "channel"),
        );
        sketch.left(&at, &format!("telling `{who}`"), why, &proposal);
    }
}

fn schedule(sketch: &mut Sketch, schedule: &At<'_>) {
    for at in schedule.items() {
        let what = line(at.text_of("type").or(at.text_of("name")).unwrap_or("exercise"));
        let often = at.text_of("frequency").unwrap_or_default().to_lowercase();
        let every = match often.trim() {
            "weekly" => "week",
            "monthly" => "month",
            "quarterly" => "quarter",
            "half-yearly" | "semi-annually" | "semiannually" | "biannually" => "half-year",
            "annually" | "yearly" => "year",
            _ => "…",
        };
        let people: Vec<String> = at
            .get("participants")
            .map(|at| at.items())
            .unwrap_or_default()
            .iter()
            .filter_map(|at| Some(format!("{{ name: {:?}, role: … }}", line(at.text()?))))
            .collect();
        let tabletop = if what.to_lowercase().contains("tabletop") {
            "; `tabletop: true` beside the runbook has it read aloud"
        } else {
            ""
        };
        let proposal = format!(
            "in a `kind: GameDay`: `schedule: {{ every: {every}, on: …, at: …, time_zone: … }}`, `participants: [{}]`{tabletop}",
            people.join(", ")
        );
        sketch.left(
            &at,
            &format!("the schedule of `{what}`"),
            "when it is exercised is the game day's business",
            &proposal,
        );
    }
}
