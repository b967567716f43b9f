//! Where a template stands, and what it says: one shape for the AWS CLI's, CloudFormation's and Terraform's.

use indexmap::IndexMap;

use super::super::Left;
use super::super::document::At;
use super::super::sketch::Variable;
use super::super::terms::{line, literal, snake};

mod intrinsic;

use intrinsic::Reader;

/// A template as it was found.
pub(in super::super) struct Found<'d> {
    /// The template's own mapping.
    at: At<'d>,
    /// What it is called where it stands.
    name: Option<String>,
    /// The whole CloudFormation template around it.
    stack: Option<At<'d>>,
}

/// An experiment template.
pub(super) struct Template<'d> {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) targets: Vec<Target<'d>>,
    pub(super) actions: Vec<Action<'d>>,
    pub(super) stops: Vec<Stop<'d>>,
    pub(super) variables: IndexMap<String, Variable>,
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
const TERRAFORM: &str = "aws_fis_experiment_template";

/// The templates of a document.
pub(in super::super) fn templates<'d>(top: &At<'d>) -> Vec<Found<'d>> {
    let direct = top.get("experimentTemplate").unwrap_or_else(|| top.clone());
    let is_action = |at: &At<'_>| at.loose("actionId").is_some();
    let actions = direct.loose("actions").map(|at| at.entries()).unwrap_or_default();
    if direct.get("actions").is_some() && actions.iter().any(|(_, at)| is_action(at)) {
        return vec![Found { at: direct, name: None, stack: None }];
    }
    let mut found = Vec::new();
    for (name, resource) in top.get("Resources").map(|at| at.entries()).unwrap_or_default() {
        if let (Some(TYPE), Some(at)) = (resource.text_of("Type"), resource.get("Properties")) {
            found.push(Found { at, name: Some(name.to_owned()), stack: Some(top.clone()) });
        }
    }
    let values = top.get("planned_values").or(top.get("values"));
    if let Some(root) = values.and_then(|values| values.get("root_module")) {
        modules(&root, &mut found);
    }
    found
}

fn modules<'d>(module: &At<'d>, found: &mut Vec<Found<'d>>) {
    for resource in module.get("resources").map(|at| at.items()).unwrap_or_default() {
        if let (Some(TERRAFORM), Some(at)) = (resource.text_of("type"), resource.get("values")) {
            found.push(Found { at, name: resource.text_of("name").map(str::to_owned), stack: None });
        }
    }
    for child in module.get("child_modules").map(|at| at.items()).unwrap_or_default() {
        modules(&child, found);
    }
}

/// Reads a template. `several` when the document holds more than one; `file` is called as the file is.
pub(super) fn read<'d>(found: Found<'d>, several: bool, file: &str) -> Template<'d> {
    let Found { at, name, stack } = found;
    let mut reader = Reader::new(stack);
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
        left: Vec::new(),
    };
    for (key, value) in at.entries() {
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
            "description" => {}
            // What AWS or Terraform adds by itself.
            "id"
            | "arn"
            | "creationtime"
            | "lastupdatetime"
            | "tagsall"
            | "timeouts"
            | "targetaccountconfigurationscount"
            | "region" => {}
            _ => left(&format!("`{}`", line(key)), "firedrill does not know what it means", ""),
        }
    }
    let (variables, left) = reader.finish();
    template.variables = variables;
    template.left.extend(left);
    template
}

/// A mapping, or a list of `key` and `value`.
fn pairs<'d>(reader: &mut Reader<'d>, at: &At<'d>) -> Vec<(String, String)> {
    if at.is_list() {
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
    Target {
        name: name.to_owned(),
        resource_type: at.loose("resourceType").and_then(|at| reader.text(&at)).unwrap_or_default(),
        arns: texts(reader, at.loose("resourceArns")),
        tags: tags.map(|at| pairs(reader, &at)).unwrap_or_default(),
        filters,
        parameters: parameters.map(|at| pairs(reader, &at)).unwrap_or_default(),
        selection: at.loose("selectionMode").and_then(|at| reader.text(&at)).unwrap_or_default(),
        at,
    }
}

fn action<'d>(reader: &mut Reader<'d>, name: &str, at: At<'d>) -> Action<'d> {
    let parameters = at.loose("parameters").or(at.loose("parameter"));
    let mut given = Vec::new();
    for parameter in parameters.iter().flat_map(|at| if at.is_list() { at.items() } else { Vec::new() }) {
        let key = parameter.loose("key").and_then(|at| at.text().map(str::to_owned)).unwrap_or_default();
        given.push((key, parameter.loose("value").and_then(|at| reader.text(&at)), parameter));
    }
    for (key, parameter) in parameters.iter().flat_map(|at| at.entries()) {
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
