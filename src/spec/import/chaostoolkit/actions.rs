//! The actions of a method, and what of them firedrill does itself.
//!
//! A target that could choose more than the original is never written: then the whole action is left.

use super::super::document::At;
use super::super::sketch::Step;
use super::super::terms::{line, literal, seconds};
use super::super::write::Out;
use super::{Carried, kind};
use crate::command::plain_command;

/// Carries an action over as a step that waits for `after`. Gives what comes after it waits for.
pub(super) fn step(carried: &mut Carried, at: &At<'_>, after: Vec<String>) -> Vec<String> {
    let name = line(at.text_of("name").unwrap_or("action"));
    let what = format!("the action `{name}`");
    match kind(at) {
        Some("process") => {
            let Some(argv) = argv(carried, at) else {
                carried.sketch.left(at, &what, "it names no program", "");
                return after;
            };
            let mut rest = Vec::new();
            let provider = at.get("provider");
            if let Some(at) = provider.and_then(|provider| provider.get("timeout")) {
                match carried.number(&at).and_then(seconds).filter(|timeout| !timeout.is_zero()) {
                    Some(timeout) => rest.push(("timeout", Out::time(timeout))),
                    None => carried.sketch.left(
                        &at,
                        &format!("the timeout of `{name}`"),
                        "it is no number of seconds",
                        "`timeout: 1m` in the step",
                    ),
                }
            }
            let step = Step { name, deed: ("run", Out::texts(argv)), rest, after, target: None };
            vec![carried.sketch.step(step)]
        }
        Some("http") => {
            let provider = at.get("provider");
            let text = |key: &str| provider.as_ref().and_then(|provider| provider.text_of(key));
            let (method, url) = (text("method").unwrap_or("GET"), text("url").unwrap_or("…"));
            let why = "firedrill's steps send no HTTP request themselves";
            let proposal =
                format!("let a program do it: `run: [curl, -fsS, -X, {}, {:?}]`", line(method), literal(url));
            carried.sketch.left(at, &what, why, &proposal);
            after
        }
        Some("python") | None => python(carried, at, &name, after),
        Some(other) => {
            let why = format!("Chaos Toolkit has no provider of the type `{}`", line(other));
            carried.sketch.left(at, &what, &why, "");
            after
        }
    }
}

/// The program of a process provider and its arguments; through a shell only when it needs one.
pub(super) fn argv(carried: &mut Carried, at: &At<'_>) -> Option<Vec<String>> {
    let provider = at.get("provider")?;
    let path = provider.text_of("path").filter(|path| !path.trim().is_empty())?;
    let mut words = match plain_command(path) {
        Some(words) if words.len() == 1 => words,
        // Chaos Toolkit takes the whole path as the program's name.
        _ => vec![path.to_owned()],
    };
    match provider.get("arguments") {
        None => {}
        Some(arguments) if arguments.is_map() => {
            for (key, value) in arguments.entries() {
                words.push(key.to_owned());
                words.extend(value.text().filter(|text| !text.is_empty()).map(str::to_owned));
            }
        }
        Some(arguments) if arguments.is_list() => {
            words.extend(arguments.items().iter().filter_map(|at| at.text().map(str::to_owned)));
        }
        Some(arguments) => {
            let text = arguments.text()?;
            match plain(carried, text) {
                Some(plain) => words.extend(plain),
                None => {
                    let command = carried.values.shell(&format!("{path} {text}"), &mut carried.sketch);
                    return Some(vec!["sh".to_owned(), "-c".to_owned(), command]);
                }
            }
        }
    }
    Some(words.iter().map(|word| carried.values.text(word, &mut carried.sketch)).collect())
}

/// The words of a text whose references stay whole; `None` when only a shell could tell them.
fn plain(carried: &Carried, text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("${") {
        let (name, after) = inside.split_once('}').filter(|(name, _)| carried.values.knows(name))?;
        masked.push_str(&format!("{before}\u{fdd0}{}\u{fdd1}", names.len()));
        names.push(name);
        rest = after;
    }
    masked.push_str(rest);
    let words = plain_command(&format!("x {masked}"))?;
    let restore = |word: &String| {
        let mut word = word.clone();
        for (index, name) in names.iter().enumerate() {
            word = word.replace(&format!("\u{fdd0}{index}\u{fdd1}"), &format!("${{{name}}}"));
        }
        word
    };
    Some(words.iter().skip(1).map(restore).collect())
}

/// What a Python function becomes: firedrill's action, its target and its arguments.
struct Native {
    action: &'static str,
    target: (&'static str, Vec<(String, Out)>),
    arguments: Vec<(String, Out)>,
    irreversible: bool,
}

fn python(carried: &mut Carried, at: &At<'_>, name: &str, after: Vec<String>) -> Vec<String> {
    let Some(provider) = at.get("provider") else {
        carried.sketch.left(at, &format!("the action `{name}`"), "it has no provider", "");
        return after;
    };
    let module = provider.text_of("module").unwrap_or_default();
    let function = provider.text_of("func").unwrap_or_default();
    let arguments = Arguments { at: provider.get("arguments") };
    let native = native(carried, module, function, &arguments);
    let native = match native {
        Ok(native) => native,
        Err((why, proposal)) => {
            carried.sketch.left(at, &format!("the action `{name}` ({module}.{function})"), &why, &proposal);
            return after;
        }
    };
    let Native { action, target: (kind, selector), arguments, irreversible } = native;
    let target = carried.sketch.target(name, Out::Map(vec![(kind.to_owned(), Out::Map(selector))]));
    let mut given = vec![("target".to_owned(), Out::text(&target))];
    given.extend(arguments);
    let deed = Out::Map(vec![(action.to_owned(), Out::Map(given))]);
    let rest = if irreversible { vec![("irreversible", Out::bare(true))] } else { Vec::new() };
    if !irreversible && !carried.undone.contains(&action) {
        carried.undone.push(action);
    }
    let step = Step { name: name.to_owned(), deed: ("action", deed), rest, after, target: Some(target) };
    let name = carried.sketch.step(step);
    for (key, extra) in provider.entries() {
        match key {
            "type" | "module" | "func" | "arguments" => {}
            "secrets" => {
                let why = "credentials are the environment's";
                carried.sketch.left(
                    &extra,
                    &format!("`secrets` of `{name}`"),
                    why,
                    "`profile:` or `role:` in firedrill.yaml",
                );
            }
            _ => super::unknown(&mut carried.sketch, key, &extra),
        }
    }
    vec![name]
}

/// Why an action is left, and what firedrill has instead.
type Refusal = (String, String);

fn refuse<T>(why: impl Into<String>, proposal: impl Into<String>) -> Result<T, Refusal> {
    Err((why.into(), proposal.into()))
}

/// The arguments of a Python function.
struct Arguments<'d> {
    at: Option<At<'d>>,
}

impl<'d> Arguments<'d> {
    fn get(&self, name: &str) -> Option<At<'d>> {
        self.at.as_ref()?.get(name)
    }

    fn text(&self, carried: &mut Carried, name: &str) -> Option<String> {
        let text = self.get(name)?.text()?.to_owned();
        Some(carried.values.text(&text, &mut carried.sketch)).filter(|text| !text.is_empty())
    }

    fn texts(&self, carried: &mut Carried, name: &str) -> Option<Vec<String>> {
        let items = self.get(name)?.items();
        let texts: Option<Vec<String>> =
            items.iter().map(|at| Some(carried.values.text(at.text()?, &mut carried.sketch))).collect();
        texts.filter(|texts| !texts.is_empty())
    }

    fn truth(&self, name: &str) -> bool {
        self.get(name).is_some_and(|at| at.truth())
    }

    /// Every argument is one of these, or the action would do something else than it says.
    fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let given = self.at.as_ref().map(At::entries).unwrap_or_default();
        match given.iter().find(|(key, _)| !known.contains(key)) {
            Some((key, _)) => {
                refuse(format!("its argument `{}` has no counterpart", line(key)), "`firedrill actions`")
            }
            None => Ok(()),
        }
    }
}

fn native(
    carried: &mut Carried,
    module: &str,
    function: &str,
    given: &Arguments<'_>,
) -> Result<Native, Refusal> {
    match (module, function) {
        ("chaosaws.ec2.actions", _) => ec2(carried, function, given),
        ("chaosaws.asg.actions", "terminate_random_instances" | "stop_random_instances") => {
            group(carried, function, given)
        }
        ("chaosaws.rds.actions", _) => rds(carried, function, given),
        ("chaosaws.ecs.actions", _) => ecs(carried, function, given),
        ("chaosaws.fis.actions", _) => refuse(
            "it starts an experiment of AWS FIS",
            "import its template: aws fis get-experiment-template --id … > template.json; firedrill import template.json",
        ),
        _ => refuse(format!("`{module}.{function}` is a Python function"), closest(module)),
    }
}

fn ec2(carried: &mut Carried, function: &str, given: &Arguments<'_>) -> Result<Native, Refusal> {
    let (action, irreversible) = match function {
        "stop_instances" | "stop_instance" => ("ec2.stop_instances", false),
        "start_instances" => ("ec2.start_instances", false),
        "terminate_instances" | "terminate_instance" => ("ec2.terminate_instances", true),
        "restart_instances" | "reboot_instances" => ("ec2.reboot_instances", false),
        _ => return refuse(format!("`{function}` has no counterpart"), closest("chaosaws.ec2.actions")),
    };
    given.only(&["instance_id", "instance_ids", "az", "filters", "force"])?;
    let mut selector = Vec::new();
    if let Some(ids) = given.texts(carried, "instance_ids").or_else(|| given.texts(carried, "instance_id")) {
        selector.push(one_or_several(ids));
    } else if given.get("instance_ids").or(given.get("instance_id")).is_some() {
        return refuse("its instance ids are no list of texts", "write them in the target: `ids: […]`");
    }
    if let Some(zone) = given.text(carried, "az") {
        selector.push(("availability_zone".to_owned(), Out::text(zone)));
    }
    filters(carried, given, &mut selector)?;
    if selector.iter().all(|(key, _)| key == "state") {
        return refuse(
            "it would choose every instance of the region",
            "say whom it means, such as `tags: { app: storefront }`",
        );
    }
    let alone =
        matches!(function, "stop_instance" | "terminate_instance") && given.get("instance_id").is_none();
    if alone {
        selector.push(("pick".to_owned(), Out::map([("count", Out::bare(1))])));
    }
    if function == "start_instances" && !selector.iter().any(|(key, _)| key == "state") {
        selector.push(("state".to_owned(), Out::text("stopped")));
    }
    let mut arguments = Vec::new();
    if action == "ec2.stop_instances" && given.truth("force") {
        arguments.push(("force".to_owned(), Out::bare(true)));
    }
    Ok(Native { action, target: ("ec2.instance", selector), arguments, irreversible })
}

fn one_or_several(ids: Vec<String>) -> (String, Out) {
    match ids.as_slice() {
        [id] => ("id".to_owned(), Out::text(id)),
        _ => ("ids".to_owned(), Out::texts(ids)),
    }
}

/// EC2's own filters: `[{ Name: tag:app, Values: [shop] }]`.
fn filters(
    carried: &mut Carried,
    given: &Arguments<'_>,
    selector: &mut Vec<(String, Out)>,
) -> Result<(), Refusal> {
    let Some(filters) = given.get("filters") else { return Ok(()) };
    if !filters.is_list() {
        return refuse(
            "its filters are no list",
            "write them as a target: `firedrill actions ec2.stop_instances`",
        );
    }
    let mut tags = Vec::new();
    for filter in filters.items() {
        let name = filter.loose("name").and_then(|at| at.text()).unwrap_or_default().to_owned();
        let values = filter.loose("values").map(|at| at.items()).unwrap_or_default();
        let values: Vec<String> = values
            .iter()
            .filter_map(|at| Some(carried.values.text(at.text()?, &mut carried.sketch)))
            .collect();
        let mut put = |key: &str, value: &String| selector.push((key.to_owned(), Out::text(value)));
        match (name.as_str(), values.as_slice()) {
            (_, values) if values.iter().any(|value| value.contains(['*', '?'])) => {
                return refuse(
                    format!("its filter `{}` is a pattern", line(&name)),
                    "a target's tags are exact",
                );
            }
            ("tag:aws:autoscaling:groupName", [group]) => put("auto_scaling_group", group),
            ("availability-zone", [zone]) => put("availability_zone", zone),
            ("instance-state-name", [state])
                if matches!(state.as_str(), "running" | "stopped" | "pending") =>
            {
                if state != "running" {
                    put("state", state);
                }
            }
            ("instance-id", ids) if !ids.is_empty() => selector.push(one_or_several(ids.to_vec())),
            (tag, [value]) if tag.strip_prefix("tag:").is_some_and(|key| !key.is_empty()) => {
                tags.push((tag.strip_prefix("tag:").unwrap_or_default().to_owned(), Out::text(value)));
            }
            _ => {
                return refuse(
                    format!(
                        "its filter `{}` has no counterpart, and without it more would be chosen",
                        line(&name)
                    ),
                    "a target knows id, ids, tags (one value each), availability_zone, auto_scaling_group and state",
                );
            }
        }
    }
    if !tags.is_empty() {
        selector.push(("tags".to_owned(), Out::Map(tags)));
    }
    Ok(())
}

fn group(carried: &mut Carried, function: &str, given: &Arguments<'_>) -> Result<Native, Refusal> {
    given.only(&["asg_names", "instance_count", "instance_percent", "az", "force"])?;
    let names = given.texts(carried, "asg_names").unwrap_or_default();
    let [group] = names.as_slice() else {
        return refuse(
            "it is not aimed at exactly one Auto Scaling group by name",
            "a target and a step for each group",
        );
    };
    let mut selector = vec![("auto_scaling_group".to_owned(), Out::text(group))];
    if let Some(zone) = given.text(carried, "az") {
        selector.push(("availability_zone".to_owned(), Out::text(zone)));
    }
    // Without a number, chaosaws takes everything in the zone.
    let whole = given.get("az").is_some();
    match pick(carried, given, "instance_count", "instance_percent")? {
        Some(pick) => selector.push(("pick".to_owned(), pick)),
        None if whole => {}
        None => return refuse("it does not say how many", "`pick: { count: 1 }` in the target"),
    }
    let stop = function == "stop_random_instances";
    let arguments = match given.truth("force") && stop {
        true => vec![("force".to_owned(), Out::bare(true))],
        false => Vec::new(),
    };
    let action = if stop { "ec2.stop_instances" } else { "ec2.terminate_instances" };
    Ok(Native { action, target: ("ec2.instance", selector), arguments, irreversible: !stop })
}

fn pick(
    carried: &mut Carried,
    given: &Arguments<'_>,
    count: &str,
    percent: &str,
) -> Result<Option<Out>, Refusal> {
    let share = match (given.text(carried, count), given.text(carried, percent)) {
        (None, None) => return Ok(None),
        (Some(count), None) => ("count", count),
        (None, Some(percent)) => ("percent", percent),
        _ => return refuse("it says both a number and a percentage", "`pick: { count: 1 }` in the target"),
    };
    Ok(Some(Out::map([(share.0, Out::number(&share.1))])))
}

fn rds(carried: &mut Carried, function: &str, given: &Arguments<'_>) -> Result<Native, Refusal> {
    let instance = |carried: &mut Carried, known: &[&str]| {
        given.only(known)?;
        match given.text(carried, "db_instance_identifier") {
            Some(id) => Ok(vec![("id".to_owned(), Out::text(id))]),
            None => refuse("it does not say which DB instance", "`rds.instance: { id: … }`"),
        }
    };
    let native = |action, selector, arguments, irreversible| {
        Ok(Native { action, target: ("rds.instance", selector), arguments, irreversible })
    };
    match function {
        "reboot_db_instance" => {
            let selector = instance(carried, &["db_instance_identifier", "force_failover"])?;
            let arguments = match given.truth("force_failover") {
                true => vec![("force_failover".to_owned(), Out::bare(true))],
                false => Vec::new(),
            };
            native("rds.reboot_db_instance", selector, arguments, false)
        }
        "stop_db_instance" => {
            let selector = instance(carried, &["db_instance_identifier"])?;
            native("rds.stop_db_instance", selector, Vec::new(), false)
        }
        "start_db_instance" => {
            let selector = instance(carried, &["db_instance_identifier"])?;
            native("rds.start_db_instance", selector, Vec::new(), false)
        }
        "promote_read_replica" => {
            let selector = instance(carried, &["db_instance_identifier"])?;
            native("rds.promote_read_replica", selector, Vec::new(), true)
        }
        "failover_db_cluster" => {
            given.only(&["db_cluster_identifier", "target_db_instance_identifier"])?;
            let Some(id) = given.text(carried, "db_cluster_identifier") else {
                return refuse("it does not say which cluster", "`rds.cluster: { id: … }`");
            };
            let key = "target_db_instance_identifier";
            let member = given.text(carried, key);
            let arguments = member.map(|member| (key.to_owned(), Out::text(member))).into_iter().collect();
            let target = ("rds.cluster", vec![("id".to_owned(), Out::text(id))]);
            Ok(Native { action: "rds.failover_db_cluster", target, arguments, irreversible: false })
        }
        _ => refuse(format!("`{function}` has no counterpart"), closest("chaosaws.rds.actions")),
    }
}

fn ecs(carried: &mut Carried, function: &str, given: &Arguments<'_>) -> Result<Native, Refusal> {
    let Some(cluster) = given.text(carried, "cluster") else {
        return refuse("it does not say which cluster", "`ecs.task: { cluster: …, service: … }`");
    };
    let mut selector = vec![("cluster".to_owned(), Out::text(cluster))];
    let service = given.text(carried, "service");
    if function == "update_desired_count" {
        given.only(&["cluster", "service", "desired_count"])?;
        let (Some(service), Some(count)) = (service, given.text(carried, "desired_count")) else {
            return refuse("it does not say which service, or how many tasks", "`ecs.update_service`");
        };
        selector.push(("service".to_owned(), Out::text(service)));
        let arguments = vec![("desired_count".to_owned(), Out::number(&count))];
        return Ok(Native {
            action: "ecs.update_service",
            target: ("ecs.service", selector),
            arguments,
            irreversible: false,
        });
    }
    if !matches!(function, "stop_task" | "stop_random_tasks") {
        return refuse(format!("`{function}` has no counterpart"), closest("chaosaws.ecs.actions"));
    }
    given.only(&["cluster", "service", "task_id", "task_count", "task_percent", "reason"])?;
    selector.extend(service.map(|service| ("service".to_owned(), Out::text(service))));
    let id = given.text(carried, "task_id");
    match pick(carried, given, "task_count", "task_percent")? {
        _ if id.is_some() => selector.extend(id.map(|id| ("id".to_owned(), Out::text(id)))),
        Some(pick) => selector.push(("pick".to_owned(), pick)),
        // chaosaws draws one.
        None => selector.push(("pick".to_owned(), Out::map([("count", Out::bare(1))]))),
    }
    let reason = given.text(carried, "reason");
    let arguments = reason.map(|reason| ("reason".to_owned(), Out::text(reason))).into_iter().collect();
    Ok(Native { action: "ecs.stop_task", target: ("ecs.task", selector), arguments, irreversible: false })
}

/// What firedrill has in place of a module of chaosaws.
fn closest(module: &str) -> &'static str {
    if module.starts_with("chaosk8s") {
        return "a program: `run: [kubectl, …]` with an `undo`";
    }
    match module.split('.').nth(1).unwrap_or_default() {
        "ec2" | "asg" => {
            "`ec2.stop_instances`, `ec2.terminate_instances` or `ec2.reboot_instances` with a target; else `run: [aws, …]` with an `undo`"
        }
        "rds" => {
            "`rds.reboot_db_instance`, `rds.failover_db_cluster` or `rds.stop_db_instance`; else `run: [aws, rds, …]` with an `undo`"
        }
        "ecs" => "`ecs.stop_task` or `ecs.update_service`; else `run: [aws, ecs, …]` with an `undo`",
        "route53" => {
            "`route53.flip_record` moves a record's traffic; else `run: [aws, route53, …]` with an `undo`"
        }
        "elbv2" | "awslambda" | "elasticache" | "ssm" | "s3" | "cloudwatch" | "eks" | "emr" | "iam"
        | "msk" => "a program: `run: [aws, …]` with an `undo`",
        _ => "a program: `run: [python3, action.py]` with an `undo`",
    }
}
