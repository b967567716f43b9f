//! What is different between a frozen plan and the same plan made anew, each in a sentence.

use std::fmt::Display;

use super::{Frozen, FrozenTarget, FrozenValue};
use crate::aws::find::Resource;
use crate::run::event::PlannedStep;

/// What changes by itself while nothing is different.
const VOLATILE: &[&str] = &["running_count"];

/// Differences in what a plan is made from: version, file, place, seed and values.
pub fn of_circumstances(then: &Frozen, now: &Frozen) -> Vec<String> {
    let mut found = Vec::new();
    changed(&mut found, "firedrill's version", &then.firedrill, &now.firedrill);
    if then.experiment.sha256 != now.experiment.sha256 {
        found.push(format!(
            "the experiment {} is another text than was frozen{}",
            now.experiment.path,
            first_line(&then.experiment.text, &now.experiment.text)
        ));
    }
    for (name, sha256) in &now.experiment.runbooks {
        // A runbook that is new or gone shows in the experiment's own text.
        if then.experiment.runbooks.get(name).is_some_and(|then| then != sha256) {
            found.push(format!("the runbook `{name}` is another text than was frozen"));
        }
    }
    changed(&mut found, "the environment", &then.environment.name, &now.environment.name);
    let option = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    for (what, then, now) in [
        ("the AWS account", &then.environment.account, &now.environment.account),
        ("the region", &then.environment.region, &now.environment.region),
        ("`endpoint_url`", &then.environment.endpoint_url, &now.environment.endpoint_url),
        ("the role", &then.environment.role, &now.environment.role),
    ] {
        changed(&mut found, what, &option(then), &option(now));
    }
    changed(&mut found, "the seed", &then.seed, &now.seed);
    let before = found.len();
    let names = then.values.keys().chain(now.values.keys().filter(|name| !then.values.contains_key(*name)));
    for name in names {
        found.extend(of_value(name, then.values.get(name), now.values.get(name)));
    }
    if found.len() == before && then.secrets != now.secrets {
        found.push("a secret that the drill reads from the environment or a file is another one".to_owned());
    }
    found
}

/// Differences in what is done, to whom, and how it is undone.
pub fn of_steps(then: &Frozen, now: &Frozen) -> Vec<String> {
    let mut found = Vec::new();
    for step in &then.steps {
        match now.steps.iter().find(|other| other.name == step.name) {
            Some(other) => of_step(&mut found, step, other),
            None => found.push(format!("step `{}` is gone", step.name)),
        }
    }
    let new = now.steps.iter().filter(|step| !then.steps.iter().any(|other| other.name == step.name));
    found.extend(new.map(|step| format!("step `{}` is new", step.name)));
    for target in &then.targets {
        if let Some(other) = now.targets.iter().find(|other| other.step == target.step) {
            of_target(&mut found, target, other);
        }
    }
    found
}

fn changed<T: PartialEq + Display>(found: &mut Vec<String>, what: &str, then: &T, now: &T) {
    if then != now {
        found.push(format!("{what} is {now}, and was {then}"));
    }
}

/// Where two texts begin to differ, if they show it.
fn first_line(then: &str, now: &str) -> String {
    let (mut old, mut new) = (then.lines(), now.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (one, other) if one != other => {
                let clip = |line: Option<&str>| {
                    line.map_or("nothing".to_owned(), |line| {
                        format!("`{}`", crate::notation::decode::clip(line.trim()))
                    })
                };
                return format!(": line {number} is {}, and was {}", clip(other), clip(one));
            }
            _ => {}
        }
    }
    String::new()
}

fn of_value(name: &str, then: Option<&FrozenValue>, now: Option<&FrozenValue>) -> Option<String> {
    match (then, now) {
        (Some(then), Some(now)) if then.shown != now.shown => {
            Some(format!("the value of `{name}` is `{}`, and was `{}`", now.shown, then.shown))
        }
        (Some(then), Some(now)) if then.hash != now.hash => {
            Some(format!("the secret in the value of `{name}` is another one"))
        }
        (Some(_), None) => Some(format!("`{name}` has no value any more")),
        (None, Some(now)) => Some(format!("`{name}` has a value now: `{}`", now.shown)),
        _ => None,
    }
}

fn of_step(found: &mut Vec<String>, then: &PlannedStep, now: &PlannedStep) {
    let of = |what: &str| format!("step `{}`: {what}", then.name);
    let undo = |step: &PlannedStep| match (&step.undo, step.irreversible) {
        (Some(undo), _) => format!("`{undo}`"),
        (None, true) => "none, it is irreversible".to_owned(),
        (None, false) => "nothing".to_owned(),
    };
    changed(found, &of("what it is"), &then.kind, &now.kind);
    changed(found, &of("what it does"), &format!("`{}`", then.summary), &format!("`{}`", now.summary));
    changed(found, &of("its undo"), &undo(then), &undo(now));
    changed(found, &of("what it waits for"), &then.after.join(", "), &now.after.join(", "));
    for condition in then.preconditions.iter().filter(|condition| condition.holds) {
        let holds = now.preconditions.iter().any(|other| other.what == condition.what && other.holds);
        if !holds {
            found.push(of(&format!("it relied on `{}`, which does not hold any more", condition.what)));
        }
    }
}

fn of_target(found: &mut Vec<String>, then: &FrozenTarget, now: &FrozenTarget) {
    let of = |what: String| format!("step `{}`, target `{}`: {what}", then.step, then.target);
    if then.asked != now.asked {
        found.push(of(format!("it asks for {}, and asked for {}", now.asked, then.asked)));
    }
    if then.scope != now.scope {
        let scope = |target: &FrozenTarget| target.scope.clone().unwrap_or_default();
        found.push(of(format!("it is in {}, and was in {}", scope(now), scope(then))));
    }
    let other = |list: &[Resource], id: &str| list.iter().find(|resource| resource.id == id).cloned();
    for resource in &then.resources {
        match other(&now.resources, &resource.id) {
            None => found.push(of(format!("{} is not chosen any more", resource.id))),
            Some(now) => of_resource(resource, &now).into_iter().for_each(|what| found.push(of(what))),
        }
    }
    let new = now.resources.iter().filter(|resource| other(&then.resources, &resource.id).is_none());
    new.for_each(|resource| found.push(of(format!("{} is another victim", resource.id))));
}

fn of_resource(then: &Resource, now: &Resource) -> Vec<String> {
    let mut found = Vec::new();
    let zone = |resource: &Resource| resource.zone.clone().unwrap_or_else(|| "no zone".to_owned());
    changed(&mut found, &format!("the zone of {}", then.id), &zone(then), &zone(now));
    changed(&mut found, &format!("the state of {}", then.id), &then.state, &now.state);
    let names = then.facts.keys().chain(now.facts.keys().filter(|name| !then.facts.contains_key(*name)));
    for name in names.filter(|name| !VOLATILE.contains(&name.as_str())) {
        let fact =
            |resource: &Resource| resource.facts.get(name).cloned().unwrap_or_else(|| "none".to_owned());
        changed(&mut found, &format!("`{name}` of {}", then.id), &fact(then), &fact(now));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{FrozenEnvironment, FrozenExperiment};
    use super::*;
    use crate::run::event::Precondition;

    fn resource(id: &str) -> Resource {
        Resource {
            id: id.to_owned(),
            zone: Some("eu-west-1a".to_owned()),
            state: "running".to_owned(),
            facts: BTreeMap::from([
                ("engine".to_owned(), "postgres".to_owned()),
                ("running_count".to_owned(), "2".to_owned()),
            ]),
        }
    }

    fn step() -> PlannedStep {
        PlannedStep {
            name: "stop".to_owned(),
            kind: "ec2.stop_instances".to_owned(),
            summary: "stop i-1".to_owned(),
            targets: vec!["i-1".to_owned()],
            after: Vec::new(),
            mutates: true,
            irreversible: false,
            undo: Some("start i-1".to_owned()),
            preconditions: vec![Precondition {
                what: "i-1 is running".to_owned(),
                holds: true,
                found: "running".to_owned(),
            }],
            permissions: Vec::new(),
            usual: None,
            undo_usual: None,
            permission_checks: Vec::new(),
            handling: Default::default(),
        }
    }

    fn frozen() -> Frozen {
        let value = |shown: &str, hash: Option<&str>| FrozenValue {
            shown: shown.to_owned(),
            hash: hash.map(str::to_owned),
            given: false,
        };
        Frozen {
            firedrill: "0.1.0".to_owned(),
            made_at: "2026-11-21T10:00:00Z".parse().expect("a time"),
            made_by: "anna@desk".to_owned(),
            experiment: FrozenExperiment {
                name: "x".to_owned(),
                path: "x.yaml".to_owned(),
                sha256: "aa".to_owned(),
                text: "kind: Experiment\nname: x\n".to_owned(),
                runbooks: BTreeMap::from([("failover".to_owned(), "aa".to_owned())]),
            },
            environment: FrozenEnvironment {
                name: "staging".to_owned(),
                account: Some("111122223333".to_owned()),
                region: Some("eu-west-1".to_owned()),
                endpoint_url: None,
                role: None,
            },
            seed: 7,
            salt: "s".to_owned(),
            values: BTreeMap::from([
                ("url".to_owned(), value("http://a", None)),
                ("dsn".to_owned(), value("***", Some("h1"))),
            ]),
            secrets: "hh".to_owned(),
            targets: vec![FrozenTarget {
                step: "stop".to_owned(),
                target: "web".to_owned(),
                asked: "ec2.instance (app=web)".to_owned(),
                scope: None,
                candidates: 2,
                resources: vec![resource("i-1")],
            }],
            steps: vec![step()],
        }
    }

    /// What is said when this is changed.
    fn said(change: impl FnOnce(&mut Frozen)) -> Vec<String> {
        let (then, mut now) = (frozen(), frozen());
        change(&mut now);
        let mut said = of_circumstances(&then, &now);
        said.extend(of_steps(&then, &now));
        said
    }

    #[test]
    fn a_plan_that_is_the_same_has_no_difference() {
        let other = |now: &mut Frozen| {
            now.made_by = "ben@desk".to_owned();
            now.targets[0].candidates = 3;
            now.targets[0].resources[0].facts.insert("running_count".to_owned(), "1".to_owned());
            now.steps[0].preconditions[0].found = "running since yesterday".to_owned();
        };
        assert_eq!(said(other), Vec::<String>::new());
    }

    #[test]
    fn every_difference_in_the_circumstances_is_told() {
        type Change = fn(&mut Frozen);
        let cases: [(Change, &str); 10] = [
            (|now| now.firedrill = "0.2.0".to_owned(), "firedrill's version is 0.2.0, and was 0.1.0"),
            (
                |now| {
                    now.experiment.sha256 = "bb".to_owned();
                    now.experiment.text = "kind: Experiment\nname: y\n".to_owned();
                },
                "the experiment x.yaml is another text than was frozen: line 2 is `name: y`, and was `name: x`",
            ),
            (|now| now.environment.name = "prod".to_owned(), "the environment is prod, and was staging"),
            (
                |now| now.environment.account = Some("444455556666".to_owned()),
                "the AWS account is 444455556666, and was 111122223333",
            ),
            (|now| now.environment.region = None, "the region is none, and was eu-west-1"),
            (
                |now| now.environment.endpoint_url = Some("http://h".to_owned()),
                "`endpoint_url` is http://h, and was none",
            ),
            (|now| now.environment.role = Some("arn:r".to_owned()), "the role is arn:r, and was none"),
            (|now| now.seed = 8, "the seed is 8, and was 7"),
            (|now| drop(now.values.remove("url")), "`url` has no value any more"),
            (
                |now| now.secrets = "other".to_owned(),
                "a secret that the drill reads from the environment or a file is another one",
            ),
        ];
        for (change, words) in cases {
            assert_eq!(said(change), [words]);
        }
        let other =
            |now: &mut Frozen| now.values.get_mut("url").expect("a value").shown = "http://b".to_owned();
        assert_eq!(said(other), ["the value of `url` is `http://b`, and was `http://a`"]);
        let secret = |now: &mut Frozen| {
            now.values.get_mut("dsn").expect("a value").hash = Some("h2".to_owned());
            now.secrets = "other".to_owned();
        };
        assert_eq!(said(secret), ["the secret in the value of `dsn` is another one"]);
    }

    #[test]
    fn every_difference_in_what_is_done_is_told() {
        type Change = fn(&mut Frozen);
        let cases: [(Change, &[&str]); 8] = [
            (|now| now.steps.clear(), &["step `stop` is gone"]),
            (
                |now| now.steps.push(PlannedStep { name: "more".to_owned(), ..step() }),
                &["step `more` is new"],
            ),
            (
                |now| now.steps[0].undo = Some("start i-2".to_owned()),
                &["step `stop`: its undo is `start i-2`, and was `start i-1`"],
            ),
            (
                |now| {
                    now.steps[0].undo = None;
                    now.steps[0].irreversible = true;
                },
                &["step `stop`: its undo is none, it is irreversible, and was `start i-1`"],
            ),
            (
                |now| now.steps[0].preconditions[0].holds = false,
                &["step `stop`: it relied on `i-1 is running`, which does not hold any more"],
            ),
            (
                |now| now.targets[0].resources = vec![resource("i-2")],
                &[
                    "step `stop`, target `web`: i-1 is not chosen any more",
                    "step `stop`, target `web`: i-2 is another victim",
                ],
            ),
            (
                |now| now.targets[0].resources[0].state = "stopped".to_owned(),
                &["step `stop`, target `web`: the state of i-1 is stopped, and was running"],
            ),
            (
                |now| drop(now.targets[0].resources[0].facts.remove("engine")),
                &["step `stop`, target `web`: `engine` of i-1 is none, and was postgres"],
            ),
        ];
        for (change, words) in cases {
            assert_eq!(said(change), words);
        }
    }
}
