//! Where a template stands, and what it says: one shape for the AWS CLI's, CloudFormation's and Terraform's.
//!
//! Every key of a template is read, listed as left, or found unread at the end; a key that is empty says nothing.

use indexmap::IndexMap;

use super::super::Left;
use super::super::document::At;
use super::super::sketch::Variable;
use super::super::terms::{line, literal, snake};

mod intrinsic;
mod terraform;

use intrinsic::{Dialect, Reader};

/// A template as it was found.
#[derive(Clone)]
pub(in super::super) struct Found<'d> {
    /// The template's own mapping.
    pub(in super::super) at: At<'d>,
    /// What it is called where it stands.
    name: Option<String>,
    /// What its values are written in.
    dialect: Dialect<'d>,
    /// What stands beside the template and concerns it: each with why it is left.
    beside: Vec<(At<'d>, &'static str)>,
}

impl<'d> Found<'d> {
    fn plain(at: At<'d>, name: Option<String>) -> Found<'d> {
        Found { at, name, dialect: Dialect::Plain, beside: Vec::new() }
    }
}

/// An experiment template.
pub(super) struct Template<'d> {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) targets: Vec<Target<'d>>,
    pub(super) actions: Vec<Action<'d>>,
    pub(super) stops: Vec<Stop<'d>>,
    pub(super) variables: IndexMap<String, Variable>,
    pub(super) remarks: Vec<String>,
    pub(super) left: Vec<Left>,
}

/// Whom an action is aimed at.
pub(super) struct Target<'d> {
    pub(super) at: At<'d>,
    pub(super) name: String,
    pub(super) resource_type: String,
    pub(super) arns: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) filters: Vec<(String, Vec<String>)>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) selection: String,
    /// Whether some of its tags or parameters cannot be read: without them more would be chosen.
    pub(super) partial: bool,
}

/// What is done.
pub(super) struct Action<'d> {
    pub(super) at: At<'d>,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) parameters: Vec<(String, Option<String>, At<'d>)>,
    /// Under which key, and whom.
    pub(super) targets: Vec<(String, String)>,
    pub(super) start_after: Vec<String>,
}

/// What stops it.
pub(super) struct Stop<'d> {
    pub(super) at: At<'d>,
    pub(super) source: String,
    pub(super) value: Option<String>,
}

impl Action<'_> {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _, _)| known == name).and_then(|(_, value, _)| value.as_deref())
    }
}

const TYPE: &str = "AWS::FIS::ExperimentTemplate";

/// The templates of a document.
pub(in super::super) fn templates<'d>(top: &At<'d>) -> Vec<Found<'d>> {
    let direct = top.get("experimentTemplate").unwrap_or_else(|| top.clone());
    let is_action = |at: &At<'_>| at.loose("actionId").is_some();
    let actions = direct.loose("actions").map(|at| at.entries()).unwrap_or_default();
    if direct.get("actions").is_some() && actions.iter().any(|(_, at)| is_action(at)) {
        return vec![Found::plain(direct, None)];
    }
    let found = stack(top);
    if found.is_empty() { terraform::templates(top) } else { found }
}

/// The templates of a CloudFormation stack.
fn stack<'d>(top: &At<'d>) -> Vec<Found<'d>> {
    let mut found = Vec::new();
    for (name, resource) in top.get("Resources").map(|at| at.entries()).unwrap_or_default() {
        if let (Some(TYPE), Some(at)) = (resource.text_of("Type"), resource.get("Properties")) {
            let own =
                resource.entries().into_iter().filter(|(key, _)| !matches!(*key, "Type" | "Properties"));
            let beside = own.map(|(_, at)| (at, "it concerns the stack, not the drill")).collect();
            let dialect = Dialect::Stack(top.clone());
            found.push(Found { at, name: Some(name.to_owned()), dialect, beside });
        }
    }
    found
}

/// What a stack, a plan or a configuration holds beside its templates, by name.
pub(super) fn others(top: &At<'_>) -> Vec<String> {
    let resources = top.get("Resources").map(|at| at.entries()).unwrap_or_default();
    let other = |at: &At<'_>| at.get("Type").is_none_or(|kind| kind.text() != Some(TYPE));
    let names = resources.iter().filter(|(_, at)| other(at)).map(|(name, _)| line(name));
    names.chain(terraform::others(top)).collect()
}

/// Reads a template. `several` when the document holds more than one; `file` is called as the file is.
pub(super) fn read<'d>(found: Found<'d>, several: bool, file: &str) -> Template<'d> {
    let Found { at, name, dialect, beside } = found;
    let mut reader = Reader::new(dialect);
    let tags = at.loose("tags").map(|tags| pairs(&mut reader, &tags)).unwrap_or_default();
    let tag = tags.iter().find(|(key, _)| key == "Name").map(|(_, value)| value.clone());
    let named = tag.or(name.filter(|_| several)).unwrap_or_else(|| file.to_owned());
    let mut template = Template {
        name: named,
        description: at.loose("description").and_then(|at| reader.text(&at)),
        targets: Vec::new(),
        actions: Vec::new(),
        stops: Vec::new(),
        variables: IndexMap::new(),
        remarks: provenance(&at),
        left: beside
            .iter()
            .map(|(at, why)| Left::new(at, &format!("`{}`", line(&at.called())), why, ""))
            .collect(),
    };
    for (key, value) in at.entries() {
        if value.is_empty() {
            continue;
        }
        let mut left = |what: &str, why: &str, proposal: &str| {
            template.left.push(Left::new(&value, what, why, proposal))
        };
        match key.replace('_', "").to_ascii_lowercase().as_str() {
            "targets" => template
                .targets
                .extend(value.entries().into_iter().map(|(name, at)| target(&mut reader, name, at))),
            "target" => template.targets.extend(
                value
                    .items()
                    .into_iter()
                    .map(|at| target(&mut reader, at.text_of("name").unwrap_or_default(), at)),
            ),
            "actions" => template
                .actions
                .extend(value.entries().into_iter().map(|(name, at)| action(&mut reader, name, at))),
            "action" => template.actions.extend(
                value
                    .items()
                    .into_iter()
                    .map(|at| action(&mut reader, at.text_of("name").unwrap_or_default(), at)),
            ),
            "stopconditions" | "stopcondition" => {
                template.stops.extend(value.items().into_iter().map(|at| stop(&mut reader, at)))
            }
            "rolearn" => left(
                "roleArn",
                "firedrill acts with the environment's role",
                "`role:` of the environment in firedrill.yaml",
            ),
            "logconfiguration" => left(
                "logConfiguration",
                "every run keeps its own journal",
                "`--store DIR`; `firedrill report`",
            ),
            "experimentoptions" => left(
                "experimentOptions",
                "a target that finds nobody stops the run before it begins; other accounts are other environments",
                "",
            ),
            "experimentreportconfiguration" => left(
                "experimentReportConfiguration",
                "firedrill writes its own report",
                "`firedrill report RUN --format html`",
            ),
            "tags" if tags.iter().all(|(key, _)| key == "Name") => {}
            "tags" => left(
                "the tags",
                "firedrill's experiments carry none",
                "`controls:` names what a drill is evidence for",
            ),
            "description" | "id" | "arn" | "creationtime" | "lastupdatetime" => {}
            "region" => left(
                "`region`",
                "where a drill runs is the environment's business",
                "`region:` of the environment in firedrill.yaml",
            ),
            "tagsall" => {
                let all = pairs(&mut reader, &value);
                if all.iter().any(|tag| !tags.contains(tag)) {
                    left("the tags that Terraform adds", "firedrill's experiments carry none", "");
                }
            }
            "targetaccountconfigurationscount" if value.text() == Some("0") => {}
            "targetaccountconfigurationscount" => left(
                "the target accounts",
                "firedrill acts in the account of its environment",
                "other accounts are other environments",
            ),
            "count" | "foreach" => left(
                &format!("`{}`", line(key)),
                "whether there is one of it, several or none is Terraform's to say",
                "",
            ),
            "timeouts" | "lifecycle" | "dependson" | "provider" => {
                left(&format!("`{}`", line(key)), "it concerns Terraform, not the drill", "");
            }
            _ => left(&format!("`{}`", line(key)), "firedrill does not know what it means", ""),
        }
    }
    let (variables, left) = reader.finish();
    template.variables = variables;
    template.left.extend(left);
    template
}

/// What AWS says of the template itself, so that it can be found again.
fn provenance(at: &At<'_>) -> Vec<String> {
    let text = |name: &str| at.loose(name).and_then(|at| at.text()).map(line).filter(|text| !text.is_empty());
    let known = [
        ("", text("arn").or_else(|| text("id"))),
        ("created ", text("creationTime")),
        ("changed ", text("lastUpdateTime")),
    ];
    let (arn, id) = (text("arn"), text("id"));
    let other = match (&arn, &id) {
        (Some(arn), Some(id)) if !arn.ends_with(id.as_str()) => Some(id.clone()),
        _ => None,
    };
    let known = known.into_iter().chain([("", other)]);
    let parts: Vec<String> = known.filter_map(|(word, text)| Some(format!("{word}{}", text?))).collect();
    if parts.is_empty() { Vec::new() } else { vec![format!("In AWS it is {}.", parts.join(", "))] }
}

/// Whether it is a block of Terraform's with a key and a value, which stands alone or in a list of them.
fn is_block(at: &At<'_>) -> bool {
    at.is_list() || matches!(at.called().as_str(), "resource_tag" | "target" | "parameter")
}

/// A mapping, or a list of `key` and `value`.
fn pairs<'d>(reader: &mut Reader<'d>, at: &At<'d>) -> Vec<(String, String)> {
    if is_block(at) {
        let pair = |at: At<'d>| {
            let key = at.loose("key")?.text()?.to_owned();
            Some((key, reader.text(&at.loose("value")?)?))
        };
        return at.items().into_iter().filter_map(pair).collect();
    }
    at.entries().into_iter().filter_map(|(key, at)| Some((key.to_owned(), reader.text(&at)?))).collect()
}

fn texts<'d>(reader: &mut Reader<'d>, at: Option<At<'d>>) -> Vec<String> {
    at.map(|at| at.items()).unwrap_or_default().iter().filter_map(|at| reader.text(at)).collect()
}

fn target<'d>(reader: &mut Reader<'d>, name: &str, at: At<'d>) -> Target<'d> {
    let tags = at.loose("resourceTags").or(at.get("resource_tag"));
    let parameters = at.loose("parameters").or(at.loose("parameter"));
    let filters = at.loose("filters").or(at.loose("filter")).map(|at| at.items()).unwrap_or_default();
    let filter = |at: &At<'d>| {
        let path = at.loose("path").and_then(|at| reader.text(&at)).unwrap_or_default();
        (path, texts(reader, at.loose("values")))
    };
    let filters: Vec<(String, Vec<String>)> = filters.iter().map(filter).collect();
    let tags_read = tags.as_ref().map(|at| pairs(reader, at)).unwrap_or_default();
    let parameters_read = parameters.as_ref().map(|at| pairs(reader, at)).unwrap_or_default();
    // A block of Terraform's that stands alone is one, whatever it holds.
    let size = |at: &At<'d>| if is_block(at) && at.is_map() { 1 } else { at.len() };
    let given = |at: &Option<At<'d>>| at.as_ref().map_or(0, size);
    let partial = given(&tags) != tags_read.len() || given(&parameters) != parameters_read.len();
    Target {
        name: name.to_owned(),
        partial,
        resource_type: at.loose("resourceType").and_then(|at| reader.text(&at)).unwrap_or_default(),
        arns: texts(reader, at.loose("resourceArns")),
        tags: tags_read,
        filters,
        parameters: parameters_read,
        selection: at.loose("selectionMode").and_then(|at| reader.text(&at)).unwrap_or_default(),
        at,
    }
}

fn action<'d>(reader: &mut Reader<'d>, name: &str, at: At<'d>) -> Action<'d> {
    let parameters = at.loose("parameters").or(at.loose("parameter"));
    let mut given = Vec::new();
    for parameter in parameters.iter().filter(|at| is_block(at)).flat_map(At::items) {
        let key = parameter.loose("key").and_then(|at| at.text().map(str::to_owned)).unwrap_or_default();
        given.push((key, parameter.loose("value").and_then(|at| reader.text(&at)), parameter));
    }
    for (key, parameter) in parameters.iter().filter(|at| !is_block(at)).flat_map(At::entries) {
        given.push((key.to_owned(), reader.text(&parameter), parameter));
    }
    let targets = at.loose("targets").or(at.get("target"));
    Action {
        name: line(name),
        id: at.loose("actionId").and_then(|at| reader.text(&at)).unwrap_or_default(),
        parameters: given,
        targets: targets.map(|at| pairs(reader, &at)).unwrap_or_default(),
        start_after: texts(reader, at.loose("startAfter")).iter().map(|name| line(name)).collect(),
        at,
    }
}

fn stop<'d>(reader: &mut Reader<'d>, at: At<'d>) -> Stop<'d> {
    let source = at.loose("source").and_then(|at| reader.text(&at)).unwrap_or_default();
    let value = at.loose("value").and_then(|at| reader.alarm(&at));
    Stop { source, value, at }
}

/// A name for a variable that stands for what is called so.
fn variable_for(name: &str) -> String {
    snake(&literal(name), "value")
}
