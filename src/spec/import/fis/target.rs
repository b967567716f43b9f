//! The targets of a template as firedrill's: the same resources, or none.

use super::super::sketch::Sketch;
use super::super::terms::{line, snake};
use super::super::write::Out;
use super::source::Target;

/// Why a target is left, and what to do instead.
type Refusal = (String, String);

fn refuse<T>(why: impl Into<String>, proposal: impl Into<String>) -> Result<T, Refusal> {
    Err((why.into(), proposal.into()))
}

/// The selector of a target for an action. A refusal is a target that would choose other resources.
pub(super) fn selector(sketch: &mut Sketch, target: &Target<'_>, action: &str) -> Result<Out, Refusal> {
    if target.partial {
        let why =
            "a tag or a parameter of it has no value that can be read, and without it more would be chosen";
        return refuse(why, "write the target: `tags: { app: … }`");
    }
    let (kind, selector) = match (target.resource_type.as_str(), action.split('.').next()) {
        ("aws:ec2:instance", Some("ec2")) => ("ec2.instance", instances(sketch, target)?),
        ("aws:rds:db", Some("rds")) => ("rds.instance", databases(sketch, target)?),
        ("aws:rds:cluster", Some("rds")) => ("rds.cluster", cluster(sketch, target)?),
        ("aws:ecs:task", Some("ecs")) => ("ecs.task", tasks(sketch, target)?),
        (kind, _) => {
            return refuse(format!("`{}` is no resource of this action", line(kind)), "`firedrill actions`");
        }
    };
    Ok(Out::Map(vec![(kind.to_owned(), Out::Map(selector))]))
}

type Entries = Vec<(String, Out)>;

/// What stands last in an ARN: `i-0abc…`, a DB identifier.
fn last(arn: &str, between: char) -> Result<&str, Refusal> {
    match arn.rsplit_once(between) {
        Some((_, id)) if !id.is_empty() && arn.starts_with("arn:") => Ok(id),
        // A variable may hold the whole ARN.
        _ => refuse(format!("`{}` names no resource by its ARN", line(arn)), "write its id in the target"),
    }
}

fn identified(target: &Target<'_>, between: char, entries: &mut Entries) -> Result<(), Refusal> {
    let ids: Result<Vec<&str>, Refusal> = target.arns.iter().map(|arn| last(arn, between)).collect();
    match ids?.as_slice() {
        [] => {}
        [id] => entries.push(("id".to_owned(), Out::text(*id))),
        ids => entries.push(("ids".to_owned(), Out::texts(ids.iter().copied()))),
    }
    if !target.tags.is_empty() {
        let tags = target.tags.iter().map(|(key, value)| (key.clone(), Out::text(value.clone()))).collect();
        entries.push(("tags".to_owned(), Out::Map(tags)));
    }
    if entries.is_empty() {
        return refuse("it says neither ARNs nor tags", "`tags: { app: … }`");
    }
    Ok(())
}

fn no_parameters(target: &Target<'_>) -> Result<(), Refusal> {
    match target.parameters.first() {
        None => Ok(()),
        Some((name, _)) => refuse(
            format!("its parameter `{}` has no counterpart, and without it more would be chosen", line(name)),
            "",
        ),
    }
}

fn no_filters(target: &Target<'_>) -> Result<(), Refusal> {
    match target.filters.first() {
        None => Ok(()),
        Some((path, _)) => refuse(
            format!("its filter `{}` has no counterpart, and without it more would be chosen", line(path)),
            "",
        ),
    }
}

/// The selection mode.
fn pick(sketch: &mut Sketch, target: &Target<'_>, entries: &mut Entries) -> Result<(), Refusal> {
    let mode = target.selection.trim();
    let share = |name: &str| {
        mode.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?.trim().parse::<u32>().ok()
    };
    let (key, number) = match (share("COUNT"), share("PERCENT")) {
        (Some(count), _) => ("count", count),
        (_, Some(percent)) => ("percent", percent),
        _ if mode == "ALL" || mode.is_empty() => return Ok(()),
        _ => {
            return refuse(
                format!("its selection mode is `{}`", line(mode)),
                "`pick: { count: 1 }` or `{ percent: 30 }`",
            );
        }
    };
    if key == "percent" {
        let why = "FIS rounds the number down, firedrill up";
        let at = target.at.loose("selectionMode").unwrap_or_else(|| target.at.clone());
        sketch.left(
            &at,
            &format!("the rounding of `{}`", line(&target.name)),
            why,
            "`pick: { count: 1 }` says it exactly",
        );
    }
    entries.push(("pick".to_owned(), Out::map([(key, Out::bare(number))])));
    Ok(())
}

fn instances(sketch: &mut Sketch, target: &Target<'_>) -> Result<Entries, Refusal> {
    no_parameters(target)?;
    let mut entries = Vec::new();
    identified(target, '/', &mut entries)?;
    let mut state = false;
    for (path, values) in &target.filters {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        match (path.as_str(), values.as_slice()) {
            ("State.Name", ["running"]) => state = true,
            ("State.Name", [one @ ("stopped" | "pending" | "stopping")]) => {
                state = true;
                entries.push(("state".to_owned(), Out::text(*one)));
            }
            ("Placement.AvailabilityZone", [zone]) => {
                entries.push(("availability_zone".to_owned(), Out::text(*zone)));
            }
            _ => {
                return refuse(
                    format!(
                        "its filter `{}` has no counterpart, and without it more would be chosen",
                        line(path)
                    ),
                    "a target knows id, ids, tags, availability_zone, auto_scaling_group and state",
                );
            }
        }
    }
    if !state {
        sketch.remarks.push(format!(
            "`{}`: FIS also chooses what is stopped already when no filter says otherwise; firedrill only what is running.",
            line(&target.name)
        ));
    }
    pick(sketch, target, &mut entries)?;
    Ok(entries)
}

fn databases(sketch: &mut Sketch, target: &Target<'_>) -> Result<Entries, Refusal> {
    no_parameters(target)?;
    no_filters(target)?;
    let mut entries = Vec::new();
    identified(target, ':', &mut entries)?;
    pick(sketch, target, &mut entries)?;
    Ok(entries)
}

/// firedrill takes a cluster by its identifier alone.
fn cluster(sketch: &mut Sketch, target: &Target<'_>) -> Result<Entries, Refusal> {
    no_parameters(target)?;
    no_filters(target)?;
    let mode = target.selection.trim();
    if !matches!(mode, "" | "ALL" | "COUNT(1)") {
        return refuse(
            format!("its selection mode is `{}`", line(mode)),
            "firedrill fails over one cluster in a step",
        );
    }
    let mut entries = Vec::new();
    match target.arns.as_slice() {
        [arn] if target.tags.is_empty() => entries.push(("id".to_owned(), Out::text(last(arn, ':')?))),
        _ => {
            let tags: Vec<String> = target.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let chosen = match tags.is_empty() {
                true => "one of several clusters".to_owned(),
                false => format!("the cluster with the tags {}", tags.join(", ")),
            };
            let name = snake(&target.name, "cluster");
            let id = sketch.variable(&name, line(&chosen));
            let why = "firedrill takes a DB cluster by its identifier alone";
            let tags = target.at.loose("resourceTags").or(target.at.get("resource_tag"));
            let at = tags.or(target.at.loose("resourceArns")).unwrap_or_else(|| target.at.clone());
            sketch.left(
                &at,
                &format!("the choice of `{}`", line(&target.name)),
                why,
                &format!("give it: --var {name}=…"),
            );
            entries.push(("id".to_owned(), Out::text(id)));
        }
    }
    Ok(entries)
}

fn tasks(sketch: &mut Sketch, target: &Target<'_>) -> Result<Entries, Refusal> {
    let mut entries = Vec::new();
    if !target.filters.is_empty() || !target.tags.is_empty() {
        return refuse(
            "firedrill chooses no ECS tasks by tag or filter, and without them more would be chosen",
            "`ecs.task: { cluster: …, service: … }`",
        );
    }
    for (name, value) in &target.parameters {
        match name.as_str() {
            "cluster" | "service" => entries.push((name.clone(), Out::text(value.clone()))),
            _ => return refuse(format!("its parameter `{}` has no counterpart", line(name)), ""),
        }
    }
    match target.arns.as_slice() {
        [] => {}
        [arn] => {
            let mut parts = arn.rsplit('/');
            let (id, cluster) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            if !entries.iter().any(|(key, _)| key == "cluster")
                && !cluster.is_empty()
                && !cluster.contains(':')
            {
                entries.push(("cluster".to_owned(), Out::text(cluster)));
            }
            entries.push(("id".to_owned(), Out::text(id)));
        }
        _ => {
            return refuse(
                "a target is one task by its ARN, or those of a service",
                "a target and a step for each",
            );
        }
    }
    if !entries.iter().any(|(key, _)| key == "cluster") {
        return refuse("it does not say in which cluster", "`ecs.task: { cluster: …, service: … }`");
    }
    pick(sketch, target, &mut entries)?;
    Ok(entries)
}
