//! Files of other tools as firedrill's own: Chaos Toolkit experiments, AWS FIS experiment templates, the ConfigMap
//! runbooks of Kubernetes users, and SLO definitions.
//!
//! Pure: text in, text out. It reads no other file and calls nothing. What cannot be carried over is listed with its
//! place, the reason and what firedrill has in its stead; nothing is dropped in silence, and nothing is written that
//! would choose more victims than the original did.

use std::fmt;
use std::path::Path;

use crate::notation::code::Code;
use crate::notation::decode::Problem;
use crate::notation::diagnostic::count;
use crate::notation::yaml::Span;
use crate::spec::source::Diagnostics;

mod chaostoolkit;
mod configmap;
mod document;
mod fis;
mod shell;
mod sketch;
mod slo;
mod terms;
mod write;

use document::{At, Document};
use sketch::Sketch;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A Chaos Toolkit experiment, JSON or YAML.
    ChaosToolkit,
    /// An AWS FIS experiment template: as the AWS CLI prints it, in CloudFormation, or in Terraform's JSON.
    Fis,
    /// A Kubernetes ConfigMap that holds recovery procedures, or the procedures alone.
    ConfigMap,
    /// Service level objectives with Prometheus queries.
    Slo,
}

/// What a file became.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Whose file it was.
    pub format: Format,
    /// The files to write, each under a name of its own.
    pub files: Vec<Written>,
    /// What was not carried over, in the order of the file.
    pub left: Vec<Left>,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name: lower-case letters, digits, `-` and `.yaml`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Something that was not carried over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What it is.
    pub what: String,
    /// The line it stands in, from 1, when that is known.
    pub line: Option<usize>,
    /// Its JSON pointer; empty for the whole file.
    pub pointer: String,
    /// Its bytes in the file, when they are known.
    pub span: Option<Span>,
    /// Why it was not carried over.
    pub why: String,
    /// What firedrill has in its stead, or what to do; may be empty.
    pub proposal: String,
}

impl Left {
    fn new(at: &At<'_>, what: &str, why: &str, proposal: &str) -> Left {
        let line = at.line();
        Left {
            what: terms::line(what),
            line,
            pointer: at.pointer.clone(),
            span: line.map(|_| at.span),
            why: terms::line(why),
            proposal: terms::line(proposal),
        }
    }

    /// What of a part nobody read, and nothing in `left` tells.
    fn unread(at: &At<'_>, left: &[Left]) -> Vec<Left> {
        let told: Vec<&str> =
            left.iter().map(|left| left.pointer.as_str()).filter(|at| !at.is_empty()).collect();
        let unread = at.unread(&told);
        let tell = |at: &At<'_>| {
            let what = format!("`{}`", terms::line(&at.called()));
            Left::new(at, &what, "firedrill does not know what it means", "")
        };
        unread.iter().map(tell).collect()
    }

    fn nowhere(what: &str, why: &str, proposal: &str) -> Left {
        let (what, why, proposal) = (terms::line(what), terms::line(why), terms::line(proposal));
        Left { what, line: None, pointer: String::new(), span: None, why, proposal }
    }
}

/// `line 12, /method/2: what: why. Proposal`, on one line.
impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Left { what, line, pointer, why, proposal, .. } = self;
        match (line, pointer.as_str()) {
            (Some(line), "") => write!(f, "line {line}: ")?,
            (Some(line), pointer) => write!(f, "line {line}, {pointer}: ")?,
            (None, "") => {}
            (None, pointer) => write!(f, "{pointer}: ")?,
        }
        write!(f, "{what}: {why}")?;
        match proposal.as_str() {
            "" => Ok(()),
            proposal => write!(f, "; {proposal}"),
        }
    }
}

/// Turns a file into firedrill's own; `format` is whose it is, or what its content says. `path` names it in errors and
/// in what is written. The error is a file that cannot be read as that.
pub fn import(path: &Path, bytes: &[u8], format: Option<Format>) -> Result<Imported, Diagnostics> {
    let shown = path.display().to_string();
    let documents = document::read(bytes).map_err(|(text, problems)| Diagnostics {
        path: shown.clone(),
        text,
        problems,
    })?;
    let text = String::from_utf8_lossy(bytes).into_owned();
    let refused = |span: Span, message: String, help: &str| Diagnostics {
        path: shown.clone(),
        text: text.clone(),
        problems: vec![Problem::new(Code::NotForeign, span, message).help(help)],
    };
    let known: Vec<(&Document, Format)> =
        documents.iter().filter_map(|document| Some((document, recognise(&document.top())?))).collect();
    let found = known.iter().find(|(_, known)| format.is_none_or(|format| format == *known));
    let Some((_, format)) = found else {
        let start = documents.first().map(|document| document.top().span).unwrap_or_default();
        let span = Span { end: start.start, ..start };
        return Err(match (format, known.first()) {
            (Some(format), Some((_, other))) => refused(
                span,
                format!("this is no {}, but {}", format.noun(), other.a_noun()),
                &format!("import it as what it is: --format {}", other.word()),
            ),
            (Some(format), None) => refused(span, format!("this is no {}", format.noun()), format.shape()),
            (None, _) => refused(span, "whose file this is cannot be told".to_owned(), SHAPES),
        });
    };
    let mut imported = Imported { format: *format, files: Vec::new(), left: Vec::new() };
    for document in &documents {
        let top = document.top();
        match known.iter().find(|(known, of)| std::ptr::eq(*known, document) && of == format) {
            Some(_) => {
                for sketch in convert(*format, path, &top) {
                    imported.add(sketch);
                }
            }
            None => {
                let kind = top.text_of("kind").unwrap_or("of another kind");
                let what = format!("a document, {kind}");
                imported.left.push(Left::new(&top, &what, "it holds nothing to import", ""));
            }
        }
    }
    if imported.files.is_empty() {
        let span = documents.first().map(|document| document.top().span).unwrap_or_default();
        let message = format!("there is nothing to import in this {}", format.noun());
        return Err(refused(Span { end: span.start, ..span }, message, format.shape()));
    }
    Ok(imported)
}

fn convert(format: Format, path: &Path, top: &At<'_>) -> Vec<Sketch> {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let file = path.file_name().map_or_else(|| name.clone(), |name| name.to_string_lossy().into_owned());
    let file = terms::line(&file);
    let mut sketches = match format {
        Format::ChaosToolkit => vec![chaostoolkit::sketch(top, &name, &file)],
        // Of what stands around a template, nothing is expected to be read.
        Format::Fis => return fis::sketches(top, &name, &file),
        Format::ConfigMap => configmap::sketches(top, &file),
        Format::Slo => slo::sketches(top, &file),
    };
    tell_unread(top, &mut sketches);
    sketches
}

/// Lists in the first sketch what none of them read.
fn tell_unread(top: &At<'_>, sketches: &mut [Sketch]) {
    let left: Vec<Left> = sketches.iter().flat_map(|sketch| sketch.left.iter().cloned()).collect();
    if let Some(first) = sketches.first_mut() {
        first.left.extend(Left::unread(top, &left));
    }
}

/// Whose file it is, by what it holds.
fn recognise(top: &At<'_>) -> Option<Format> {
    if top.get("method").is_some() || top.get("steady-state-hypothesis").is_some() {
        return Some(Format::ChaosToolkit);
    }
    if !fis::templates(top).is_empty() {
        return Some(Format::Fis);
    }
    if configmap::holds(top, "recovery_procedures") {
        return Some(Format::ConfigMap);
    }
    configmap::holds(top, "services").then_some(Format::Slo)
}

const SHAPES: &str = "known: a Chaos Toolkit experiment (`method`), an AWS FIS template (`targets` and `actions`, \
    AWS::FIS::ExperimentTemplate, `terraform show -json`, or `.tf.json`), a ConfigMap with `recovery_procedures`, SLOs \
    (`services`, each with `slos`)";

impl Format {
    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Format::ChaosToolkit => "chaostoolkit",
            Format::Fis => "fis",
            Format::ConfigMap => "configmap",
            Format::Slo => "slo",
        }
    }

    /// The format in words, with its article.
    pub fn a_noun(self) -> String {
        let article = if matches!(self, Format::Fis | Format::Slo) { "an" } else { "a" };
        format!("{article} {}", self.noun())
    }

    /// The format in words.
    pub fn noun(self) -> &'static str {
        match self {
            Format::ChaosToolkit => "Chaos Toolkit experiment",
            Format::Fis => "AWS FIS experiment template",
            Format::ConfigMap => "ConfigMap with recovery procedures",
            Format::Slo => "SLO definition",
        }
    }

    fn shape(self) -> &'static str {
        match self {
            Format::ChaosToolkit => "it has `title`, `steady-state-hypothesis` and `method`",
            Format::Fis => {
                "it is what `aws fis get-experiment-template` prints, a template with AWS::FIS::ExperimentTemplate, what \
                 `terraform show -json` prints, or a `.tf.json` with aws_fis_experiment_template"
            }
            Format::ConfigMap => {
                "its `data` holds a text with `recovery_procedures`, each with `name` and `steps`"
            }
            Format::Slo => "it has `services`, each with `name` and `slos`",
        }
    }
}

impl Imported {
    fn add(&mut self, sketch: Sketch) {
        let taken: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        let mut name = sketch.name.clone();
        for n in 2.. {
            if !taken.contains(&format!("{name}.yaml").as_str()) {
                break;
            }
            name = format!("{}-{n}", sketch.name);
        }
        let (file, left) = Sketch { name, ..sketch }.finish();
        self.files.push(file);
        self.left.extend(left);
    }

    /// How much was not carried over: `3 things`.
    pub fn left_count(&self) -> String {
        count(self.left.len(), "thing")
    }
}

/// What a file of others is to a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Foreign {
    /// It is accepted as it stands. What it leaves to people: each place, what it is, and what firedrill would do.
    Accepted(Format, Vec<(Span, String, String)>),
    /// It is one that `firedrill import` reads, and a check does not.
    Importable(Format),
}

/// Whose file a text is, when it is another tool's.
pub fn foreign(text: &str) -> Option<Foreign> {
    let documents = document::read(text.as_bytes()).ok()?;
    let known = documents.iter().find_map(|document| recognise(&document.top()))?;
    if !matches!(known, Format::ConfigMap | Format::Slo) {
        return Some(Foreign::Importable(known));
    }
    let mut found = Vec::new();
    for document in &documents {
        let top = document.top();
        if recognise(&top) != Some(known) {
            continue;
        }
        // What Kubernetes says of a ConfigMap is its own business.
        let around = top.get("data").is_some();
        let left = convert(known, Path::new("this file"), &top).into_iter().flat_map(|sketch| sketch.left);
        let left = left.filter(|left| !around || left.pointer.starts_with("/data/"));
        found.extend(left.map(|left| {
            let span = left.span.unwrap_or_default();
            (span, format!("{}: {}", left.what, left.why), left.proposal)
        }));
    }
    Some(Foreign::Accepted(known, found))
}

#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;
