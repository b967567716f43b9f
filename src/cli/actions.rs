//! `firedrill actions`: what a step can do.

use std::io::{self, Write};

use clap::Args;

use super::reference;
use crate::action::Action;
use crate::notation::decode::{Context, Decode as _, Unresolved};
use crate::notation::yaml::{self, Node, Value};

/// What to describe.
#[derive(Args, Clone, Debug)]
pub struct ActionsArgs {
    /// One action, to be described in full; without it, all are listed.
    pub name: Option<String>,
}

/// Lists the actions, or prints everything about one. Gives the exit code.
pub fn actions(name: Option<&str>, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let all = Action::reference();
    let Some(name) = name else {
        reference::list("What a step's `action:` can be", &all, out)?;
        writeln!(out, "\n`firedrill actions NAME` says more. A step can also `run` a program, or `wait`.")?;
        return Ok(0);
    };
    match all.iter().find(|one| one.name == name) {
        Some(one) => {
            reference::page(one, &facts(name), &example(name), out)?;
            Ok(0)
        }
        None => reference::no_such("action", name, Action::NAMES, err),
    }
}

/// What the action itself knows: its target, its permissions, whether it can be undone.
fn facts(name: &str) -> Vec<String> {
    let Some(action) = instance(name) else { return Vec::new() };
    let mut facts = vec![
        format!("Acts on: {}", action.accepts()),
        format!("IAM permissions: {}", action.act().permissions().join(", ")),
    ];
    if action.irreversible() {
        facts.push("Needs `irreversible: true` in its step.".to_owned());
    }
    facts
}

/// The action that the example shows.
fn instance(name: &str) -> Option<Action> {
    let root = yaml::parse(example(name).as_bytes()).root?;
    let steps = value(&root, "steps")?;
    let Value::List(steps) = &steps.value else { return None };
    Action::decode(value(steps.first()?, "action")?, &mut Context::new(&Unresolved))
}

fn value<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node),
        _ => None,
    }
}

/// The targets and the steps of an experiment that uses the action.
pub fn example(name: &str) -> String {
    let (target, selector) = match name {
        "ec2.start_instances" => {
            ("web", "ec2.instance: { tags: { app: storefront }, state: stopped, pick: { count: 1 } }")
        }
        "rds.start_db_instance" => ("database", "rds.instance: { id: orders-db, status: stopped }"),
        "rds.promote_read_replica" => ("replica", "rds.instance: { id: orders-db-replica }"),
        "rds.failover_db_cluster" => ("catalog", "rds.cluster: { id: catalog }"),
        "ecs.stop_task" => ("task", "ecs.task: { cluster: shop, service: checkout, pick: { count: 1 } }"),
        "ecs.update_service" => ("service", "ecs.service: { cluster: shop, service: checkout }"),
        name if name.starts_with("ec2.") => {
            ("web", "ec2.instance: { tags: { app: storefront }, pick: { count: 1 } }")
        }
        name if name.starts_with("route53.") => {
            ("www", "route53.record: { zone: example.com, name: www.example.com, type: A }")
        }
        _ => ("database", "rds.instance: { id: orders-db }"),
    };
    let more = match name {
        "rds.reboot_db_instance" => ", force_failover: true",
        "ecs.stop_task" => ", reason: failover drill",
        "ecs.update_service" => ", force_new_deployment: true",
        "route53.flip_record" => ", values: [192.0.2.10]",
        _ => "",
    };
    let consent = match name {
        "ec2.terminate_instances" | "rds.promote_read_replica" => "\n    irreversible: true",
        _ => "",
    };
    let words = name.split_once('.').map_or(name, |(_, operation)| operation).replace('_', " ");
    format!(
        "targets:\n  {target}:\n    {selector}\nsteps:\n  - name: {words}\n    action:\n      {name}: {{ target: {target}{more} }}{consent}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Given, load};

    #[test]
    fn every_example_is_a_right_experiment() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in Action::NAMES {
            let path = folder.path().join("x.yaml");
            let rest = "kind: Experiment\nname: x\nobjectives: { rto: 1m }\nprobes: { web: { http: { url: http://h/ } } }\n";
            std::fs::write(&path, format!("{rest}{}", example(name))).expect("written");
            let loaded = load(&path, &Given::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(loaded.warnings, [], "{name}");
            assert!(facts(name)[1].contains(':'), "{name}: {:?}", facts(name));
            assert_eq!(loaded.experiment.steps[0].does.kind(), *name);
        }
    }

    #[test]
    fn one_action_is_described_in_full() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(actions(Some("rds.reboot_db_instance"), &mut out, &mut err).expect("written"), 0);
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("force_failover  (default false)"), "{text}");
        assert!(
            text.contains("rds.reboot_db_instance: { target: database, force_failover: true }"),
            "{text}"
        );
        assert_eq!(actions(Some("rds.reboot"), &mut Vec::new(), &mut err).expect("written"), 2);
        assert!(String::from_utf8(err).expect("text").starts_with("error: no action is called `rds.reboot`"));
    }

    #[test]
    fn the_list_names_every_action() {
        let mut out = Vec::new();
        assert_eq!(actions(None, &mut out, &mut Vec::new()).expect("written"), 0);
        let text = String::from_utf8(out).expect("text");
        assert!(Action::NAMES.iter().all(|name| text.contains(name)), "{text}");
    }
}
