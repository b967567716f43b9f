//! The actions of a template, each as the steps that do the same.

use std::time::Duration;

use super::super::document::At;
use super::super::sketch::{Sketch, Step};
use super::super::terms::{self, line};
use super::super::write::Out;
use super::source::{Action, Template};
use super::{target, wait};

/// Adds the steps of an action. Gives what an action that starts after it waits for.
pub(super) fn place(
    sketch: &mut Sketch,
    template: &Template<'_>,
    action: &Action<'_>,
    after: Vec<String>,
    aimed: &mut Vec<String>,
) -> Vec<String> {
    if let Some(text) =
        action.at.loose("description").and_then(|at| at.text()).filter(|text| !text.is_empty())
    {
        sketch.remarks.push(format!("`{}`: {}", line(&action.name), line(text)));
    }
    match action.id.as_str() {
        "aws:fis:wait" => match action.parameter("duration").and_then(terms::duration) {
            Some(duration) => {
                rest(sketch, action, &["duration"]);
                vec![wait(sketch, &action.name, duration, after)]
            }
            None => left(sketch, action, "it does not say how long", "`wait: 5m`", after),
        },
        "aws:cloudwatch:assert-alarm-state" => asserted(sketch, action, after),
        id => match native(id) {
            Some(native) => act(sketch, template, action, native, (after, aimed)),
            None => left(sketch, action, "firedrill has no such action", closest(id), after),
        },
    }
}

/// firedrill's action for one of FIS, and the key under which FIS names its target.
struct Native {
    action: &'static str,
    key: &'static str,
    irreversible: bool,
}

fn native(id: &str) -> Option<Native> {
    let native = |action, key, irreversible| Some(Native { action, key, irreversible });
    match id {
        "aws:ec2:stop-instances" => native("ec2.stop_instances", "Instances", false),
        "aws:ec2:terminate-instances" => native("ec2.terminate_instances", "Instances", true),
        "aws:ec2:reboot-instances" => native("ec2.reboot_instances", "Instances", false),
        "aws:rds:reboot-db-instances" => native("rds.reboot_db_instance", "DBInstances", false),
        "aws:rds:failover-db-cluster" => native("rds.failover_db_cluster", "Clusters", false),
        "aws:ecs:stop-task" => native("ecs.stop_task", "Tasks", false),
        _ => None,
    }
}

fn act(
    sketch: &mut Sketch,
    template: &Template<'_>,
    action: &Action<'_>,
    native: Native,
    (after, aimed): (Vec<String>, &mut Vec<String>),
) -> Vec<String> {
    let named = action.targets.iter().find(|(key, _)| key == native.key);
    let aim = named.and_then(|(_, name)| template.targets.iter().find(|target| target.name == *name));
    let Some(aim) = aim else {
        let why = format!("it names no target of the template as `{}`", native.key);
        return left(sketch, action, &why, "", after);
    };
    let first = !aimed.contains(&aim.name);
    aimed.push(aim.name.clone());
    let selected = match target::selector(sketch, aim, native.action) {
        Ok(selected) => selected,
        Err((why, proposal)) => {
            if first {
                sketch.left(&aim.at, &format!("the target `{}`", line(&aim.name)), &why, &proposal);
            }
            return left(sketch, action, "its target is not carried over", "", after);
        }
    };
    let target = sketch.target(&aim.name, selected);
    let mut arguments = vec![("target".to_owned(), Out::text(&target))];
    let hold = parameters(sketch, action, &mut arguments);
    for (key, name) in action.targets.iter().filter(|(key, _)| key != native.key) {
        let at = action.at.loose("targets").or(action.at.get("target")).unwrap_or_else(|| action.at.clone());
        let what = format!("the target `{}` of `{}`, as `{}`", line(name), line(&action.name), line(key));
        sketch.left(&at, &what, "the action has no such target", "");
    }
    let deed = Out::Map(vec![(native.action.to_owned(), Out::Map(arguments))]);
    let rest = if native.irreversible { vec![("irreversible", Out::bare(true))] } else { Vec::new() };
    let step = Step { name: action.name.clone(), deed: ("action", deed), rest, after, target: Some(target) };
    let name = sketch.step(step);
    let Some(hold) = hold else { return vec![name] };
    // FIS starts them itself: in firedrill that is the undo.
    sketch.remarks.push(format!(
        "`{}`: FIS starts the instances after {}; here they are held stopped that long, and firedrill starts them when it undoes \
         the run.",
        line(&action.name),
        crate::notation::units::show(hold)
    ));
    vec![wait(sketch, &format!("hold {name}"), hold, vec![name.clone()])]
}

/// The parameters of an action as its arguments. Gives for how long instances are held stopped.
fn parameters(
    sketch: &mut Sketch,
    action: &Action<'_>,
    arguments: &mut Vec<(String, Out)>,
) -> Option<Duration> {
    let mut hold = None;
    for (name, value, at) in &action.parameters {
        let value = value.as_deref().unwrap_or_default();
        match (action.id.as_str(), name.as_str()) {
            ("aws:rds:reboot-db-instances", "forceFailover") if value.eq_ignore_ascii_case("true") => {
                arguments.push(("force_failover".to_owned(), Out::bare(true)));
            }
            ("aws:rds:reboot-db-instances", "forceFailover") if value.eq_ignore_ascii_case("false") => {}
            ("aws:ec2:stop-instances", "startInstancesAfterDuration") => {
                hold = terms::duration(value);
                let (why, instead) = match hold {
                    None => ("it is no duration that can be read", "a step `wait: 5m` after it"),
                    Some(_) => (
                        "the instances are started when the run ends, and not before the steps after this one",
                        "where that matters, a step `ec2.start_instances` behind the wait",
                    ),
                };
                sketch.left(at, "startInstancesAfterDuration", why, instead);
            }
            ("aws:ec2:stop-instances", "completeIfInstancesTerminated") => {
                let why = "whether the stop took hold is told by the instances' own states";
                sketch.left(at, "completeIfInstancesTerminated", why, "");
            }
            _ => parameter_left(sketch, action, name, at),
        }
    }
    hold
}

fn parameter_left(sketch: &mut Sketch, action: &Action<'_>, name: &str, at: &At<'_>) {
    let what = format!("the parameter `{}` of `{}`", line(name), line(&action.name));
    sketch.left(at, &what, "it has no counterpart", "");
}

/// Lists the parameters that are none of these, and the targets of an action that has none.
fn rest(sketch: &mut Sketch, action: &Action<'_>, known: &[&str]) {
    for (name, _, at) in action.parameters.iter().filter(|(name, _, _)| !known.contains(&name.as_str())) {
        parameter_left(sketch, action, name, at);
    }
}

/// An alarm that must be in a state when the action comes: as a guardrail, it must be all the time.
fn asserted(sketch: &mut Sketch, action: &Action<'_>, after: Vec<String>) -> Vec<String> {
    let states = action.parameter("alarmStates").unwrap_or_default();
    let alarms: Vec<&str> =
        action.parameter("alarmArns").unwrap_or_default().split(',').map(str::trim).collect();
    let names: Vec<&str> = alarms.iter().filter_map(|arn| Some(arn.rsplit_once(":alarm:")?.1)).collect();
    let ok = states.split(',').all(|state| matches!(state.trim(), "OK" | "INSUFFICIENT_DATA"));
    if !ok || names.is_empty() || names.len() != alarms.len() {
        let proposal = "`detection:` and `alarms:` say when an alarm must fire; `stop_when: [{ alarm: … }]` when it must not";
        return left(sketch, action, "firedrill asserts no alarm state in between", proposal, after);
    }
    rest(sketch, action, &["alarmArns", "alarmStates"]);
    for name in names {
        let rail = Out::map([("alarm", Out::text(name))]);
        if !sketch.rails.contains(&rail) {
            sketch.rails.push(rail);
        }
    }
    sketch.remarks.push(format!(
        "`{}` became a guardrail: the alarm must not be in ALARM all the time, not only at that point.",
        line(&action.name)
    ));
    after
}

fn left(
    sketch: &mut Sketch,
    action: &Action<'_>,
    why: &str,
    proposal: &str,
    after: Vec<String>,
) -> Vec<String> {
    let what = format!("the action `{}` ({})", line(&action.name), line(&action.id));
    sketch.left(&action.at, &what, why, proposal);
    after
}

/// What firedrill has in place of an action of FIS.
fn closest(id: &str) -> &'static str {
    let mut parts = id.split(':').skip(1);
    let (service, action) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (service, action) {
        ("ec2", "send-spot-instance-interruptions") => {
            "`ec2.terminate_instances`, without the two minutes of notice"
        }
        ("ec2", _) => "`ec2.stop_instances` of some instances of the group",
        ("ecs", "drain-container-instances") => {
            "`ecs.stop_task` with `pick: { percent: … }` and `availability_zone`"
        }
        ("ecs", _) => {
            "`ecs.stop_task`; what slows a task down is a program: `run: [aws, ssm, send-command, …]` with an `undo`"
        }
        ("ssm", "send-command") => "a program: `run: [aws, ssm, send-command, …]` with an `undo`",
        ("ssm", _) => "a program: `run: [aws, ssm, start-automation-execution, …]` with an `undo`",
        ("arc", _) => {
            "a program: `run: [aws, arc-zonal-shift, start-zonal-shift, …]` with an `undo` that cancels it"
        }
        ("network", _) => "a program that changes the network ACLs, with an `undo` that puts them back",
        ("elasticache", _) => {
            "a program: `run: [aws, elasticache, test-failover, …]`, and a `redis.ledger` probe"
        }
        ("eks", _) => "a program: `run: [kubectl, …]` with an `undo`",
        (
            "dynamodb" | "s3" | "memorydb" | "dsql" | "kinesis" | "lambda" | "ebs" | "directconnect" | "fis",
            _,
        ) => {
            "keep it in FIS, and start it from a step: `run: [aws, fis, start-experiment, …]`, `undo: [aws, fis, stop-experiment, …]`"
        }
        _ => {
            "`firedrill actions` lists what there is; anything else is a program: `run: [program, argument]` with an `undo`"
        }
    }
}
