//! Terraform's forms: what `terraform show -json` prints of a state or a plan, and a configuration in `.tf.json`.
//!
//! A plan does not know everything: what is known after `apply` alone is told. In a configuration `${var.name}` and other
//! references become variables; a default, and a local value that is a plain one, go along.

use super::super::super::document::At;
use super::super::super::terms::{line, literal};
use super::intrinsic::{Dialect, Reader};
use super::{Found, variable_for};

const TERRAFORM: &str = "aws_fis_experiment_template";
const ALARM: &str = "aws_cloudwatch_metric_alarm";

/// The templates of a plan, a state or a configuration.
pub(super) fn templates<'d>(top: &At<'d>) -> Vec<Found<'d>> {
    let mut found = Vec::new();
    for resource in planned(top) {
        if let (Some(TERRAFORM), Some(at)) = (resource.text_of("type"), resource.get("values")) {
            let change = resource.text_of("address").and_then(|address| change_of(top, address));
            found.push(Found { beside: unknown(change.as_ref()), ..named(&resource, at) });
        }
    }
    if found.is_empty() {
        for resource in changes(top) {
            let after = resource.get("change").and_then(|change| change.get("after"));
            if let (Some(TERRAFORM), Some(at)) = (resource.text_of("type"), after) {
                found.push(Found { beside: unknown(Some(&resource)), ..named(&resource, at) });
            }
        }
    }
    for (kind, name, at) in configured(top) {
        if kind == TERRAFORM {
            let dialect = Dialect::Configuration(top.clone());
            found.push(Found { dialect, ..Found::plain(at, Some(name.to_owned())) });
        }
    }
    found
}

fn named<'d>(resource: &At<'d>, at: At<'d>) -> Found<'d> {
    Found::plain(at, resource.text_of("name").map(str::to_owned))
}

/// The addresses of what is no template.
pub(super) fn others(top: &At<'_>) -> Vec<String> {
    let other = |resource: &At<'_>| {
        let kind = resource.text_of("type").filter(|kind| *kind != TERRAFORM)?;
        Some(line(resource.text_of("address").unwrap_or(kind)))
    };
    let planned = planned(top);
    let listed = if planned.is_empty() { changes(top) } else { planned };
    let configured = configured(top).into_iter().filter(|(kind, _, _)| *kind != TERRAFORM);
    let configured = configured.map(|(kind, name, _)| line(&format!("{kind}.{name}")));
    listed.iter().filter_map(other).chain(configured).collect()
}

/// The resources of a plan or a state, in all its modules.
fn planned<'d>(top: &At<'d>) -> Vec<At<'d>> {
    fn module_of<'d>(module: &At<'d>, resources: &mut Vec<At<'d>>) {
        resources.extend(module.get("resources").map(|at| at.items()).unwrap_or_default());
        for child in module.get("child_modules").map(|at| at.items()).unwrap_or_default() {
            module_of(&child, resources);
        }
    }
    let mut resources = Vec::new();
    let values = top.get("planned_values").or(top.get("values"));
    if let Some(root) = values.and_then(|values| values.get("root_module")) {
        module_of(&root, &mut resources);
    }
    resources
}

/// What a plan would change.
fn changes<'d>(top: &At<'d>) -> Vec<At<'d>> {
    top.get("resource_changes").map(|at| at.items()).unwrap_or_default()
}

fn change_of<'d>(top: &At<'d>, address: &str) -> Option<At<'d>> {
    changes(top).into_iter().find(|change| change.text_of("address") == Some(address))
}

/// What a plan knows only once it was applied, beside what AWS adds by itself.
fn unknown<'d>(change: Option<&At<'d>>) -> Vec<(At<'d>, &'static str)> {
    fn collect<'d>(at: &At<'d>, found: &mut Vec<(At<'d>, &'static str)>) {
        const WHY: &str =
            "it is known only after `terraform apply`: import what `terraform show -json` prints then";
        if at.is_map() || at.is_list() {
            at.entries().iter().for_each(|(_, at)| collect(at, found));
            if at.is_list() {
                at.items().iter().for_each(|at| collect(at, found));
            }
        } else if at.truth() {
            found.push((at.clone(), WHY));
        }
    }
    let mut found = Vec::new();
    let unknown = change.and_then(|change| change.get("change")?.get("after_unknown"));
    for (key, at) in unknown.iter().flat_map(|at| at.entries()) {
        if !matches!(key, "id" | "arn" | "tags_all" | "creation_time" | "last_update_time") {
            collect(&at, &mut found);
        }
    }
    found
}

/// The resources of a configuration: kind, name and body. A block may stand alone or in a list.
fn configured<'d>(top: &At<'d>) -> Vec<(&'d str, &'d str, At<'d>)> {
    let mut found = Vec::new();
    for block in top.get("resource").map(|at| at.items()).unwrap_or_default() {
        for (kind, of_kind) in block.entries() {
            for (name, bodies) in of_kind.items().iter().flat_map(|at| at.entries()) {
                found.extend(bodies.items().into_iter().filter(|at| at.is_map()).map(|at| (kind, name, at)));
            }
        }
    }
    found
}

/// The part of a configuration that a path of keys leads to; blocks in lists are looked into.
fn at_path<'d>(top: &At<'d>, path: &[&str]) -> Option<At<'d>> {
    let [key, rest @ ..] = path else { return Some(top.clone()) };
    top.items().iter().find_map(|at| at_path(&at.get(key)?, rest))
}

/// A reference such as `var.app`, `aws_instance.web[0].arn` or `each.key`, and nothing that is computed.
fn is_reference(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | '"');
    text.contains('.') && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fits)
}

impl<'d> Reader<'d> {
    /// The text of a value of a configuration, its references as variables.
    pub(super) fn interpolated(&mut self, at: &At<'d>, top: &At<'d>) -> Option<String> {
        let text = at.text()?;
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once("${") {
            out.push_str(before);
            if before.ends_with('$') {
                // Written twice, the sign stands for itself: in both languages.
                out.push_str("${");
                rest = inside;
                continue;
            }
            let closed = inside.split_once('}').filter(|(name, _)| is_reference(name.trim()));
            let Some((name, after)) = closed else { return Some(self.computed_by_terraform(at)) };
            out.push_str(&self.reference(name.trim(), top));
            rest = after;
        }
        out.push_str(rest);
        if out.contains("%{") { Some(self.computed_by_terraform(at)) } else { Some(out) }
    }

    fn computed_by_terraform(&mut self, at: &At<'d>) -> String {
        let expression = line(at.text().unwrap_or_default());
        let why = format!("what Terraform computes with `{expression}` is not read");
        self.computed(at, &why, &format!("what the configuration computes with {expression}"))
    }

    fn reference(&mut self, path: &str, top: &At<'d>) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let scalar = |at: Option<At<'d>>| at.and_then(|at| at.text()).filter(|text| !text.contains("${"));
        match parts.as_slice() {
            ["var", name] => {
                let declared = at_path(top, &["variable", name]);
                let of = |key: &str| declared.as_ref().and_then(|at| at_path(at, &[key]));
                let about =
                    of("description").and_then(|at| at.text()).unwrap_or("a variable of the configuration");
                let secret = of("sensitive").is_some_and(|at| at.truth());
                self.declared(&variable_for(name), about, scalar(of("default")), secret)
            }
            ["local", name] => {
                let value = scalar(at_path(top, &["locals", name]));
                self.declared(&variable_for(name), "a local value of the configuration", value, false)
            }
            _ => self.variable(&variable_for(path), &format!("{path} of the configuration")),
        }
    }

    /// The name of an alarm, which a stop condition gives by a reference to its ARN.
    pub(super) fn alarm_of_configuration(&mut self, at: &At<'d>, top: &At<'d>) -> Option<String> {
        let text = at.text()?;
        let inside = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).map(str::trim);
        let alarm = inside.and_then(|path| path.strip_prefix(ALARM)?.strip_prefix('.')?.strip_suffix(".arn"));
        if let Some(name) = alarm.and_then(|alarm| at_path(top, &["resource", ALARM, alarm, "alarm_name"])) {
            return self.interpolated(&name, top);
        }
        if inside.is_none() && text.contains(":alarm:") {
            return self.interpolated(at, top);
        }
        if !text.contains("${") {
            return Some(literal(text));
        }
        Some(self.unnamed_alarm(at))
    }
}
