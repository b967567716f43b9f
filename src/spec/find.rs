//! Where a file is that another one names: by its path, or by the name that stands in it.

use std::path::{Path, PathBuf};

use super::{kind, source};
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned, clip, nearest};
use crate::notation::yaml::Value;
use crate::run::event::FileKind;

/// How many folders up the project may begin.
const HIGHEST: usize = 6;

/// The folder that files of a kind are looked for in, by name.
fn folder(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Experiment => "experiments",
        FileKind::Runbook => "runbooks",
    }
}

/// The code of a file of this kind that is not found.
pub(super) fn unknown(kind: FileKind) -> Code {
    match kind {
        FileKind::Experiment => Code::UnknownExperiment,
        FileKind::Runbook => Code::UnknownRunbook,
    }
}

/// The file of this kind that is named in the file `from`. Whether it is of that kind is known only of one that was
/// named by its name.
pub(super) fn file(from: &Path, named: &Spanned<String>, kind: FileKind) -> Result<PathBuf, Box<Problem>> {
    match is_path(&named.value) {
        true => by_path(from, named, kind),
        false => by_name(from, named, kind),
    }
}

fn by_path(from: &Path, named: &Spanned<String>, kind: FileKind) -> Result<PathBuf, Box<Problem>> {
    let path = from.parent().unwrap_or(Path::new(".")).join(&named.value);
    // Only what can be read to its end at once.
    match path.is_file() {
        true => Ok(path),
        false => Err(Box::new(
            Problem::new(unknown(kind), named.span, format!("there is no file `{}`", clip(&named.value)))
                .label("relative to this file"),
        )),
    }
}

fn by_name(from: &Path, named: &Spanned<String>, kind: FileKind) -> Result<PathBuf, Box<Problem>> {
    let (folders, noun) = (folders(from, folder(kind)), kind.noun());
    let mut known: Vec<(String, PathBuf)> = Vec::new();
    for file in folders.iter().flat_map(|folder| super::yaml_files(folder)) {
        if let Some(name) = name_of(&file, kind) {
            if name == named.value {
                return Ok(file);
            }
            known.push((name, file));
        }
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    let problem =
        Problem::new(unknown(kind), named.span, format!("no {noun} is called `{}`", clip(&named.value)));
    Err(Box::new(match nearest(&named.value, &names) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None if known.is_empty() => problem
            .label(format!("looked for in a folder `{}` beside this file, or above it", folder(kind)))
            .help(match kind {
                FileKind::Experiment => "or name its file: `experiment: ../experiments/flip-route53.yaml`",
                FileKind::Runbook => "or name its file: `runbook: ../runbooks/database-failover.yaml`",
            }),
        None => problem
            .label(format!("not {} {noun} of this project", article(kind)))
            .help(format!("there is: {}", names.join(", "))),
    }))
}

fn article(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Experiment => "an",
        FileKind::Runbook => "a",
    }
}

/// Where the project of a file begins: the folder with its `firedrill.yaml` or its `.git`, when there is one.
pub(super) fn project(from: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(from).unwrap_or_else(|_| from.to_owned());
    absolute.ancestors().skip(1).take(HIGHEST).find(|above| begins(above)).map(Path::to_owned)
}

fn begins(folder: &Path) -> bool {
    folder.join("firedrill.yaml").is_file() || folder.join(".git").exists()
}

/// The folders of this name beside a file and above it, nearest first, no higher than its project.
fn folders(from: &Path, called: &str) -> Vec<PathBuf> {
    let absolute = std::path::absolute(from).unwrap_or_else(|_| from.to_owned());
    let mut found = Vec::new();
    for above in absolute.ancestors().skip(1).take(HIGHEST) {
        found.push(above.join(called));
        if above.file_name().is_some_and(|name| name == called) {
            found.push(above.to_owned());
        }
        if begins(above) {
            break;
        }
    }
    found.retain(|folder| folder.is_dir());
    found
}

/// The name that stands in a file, if it is of this kind.
fn name_of(file: &Path, of: FileKind) -> Option<String> {
    let (_, root, _) = source::read(file).ok()?;
    let Value::Map(top) = &root.value else { return None };
    if kind(&root) != Some(of.word()) {
        return None;
    }
    match &top.iter().find(|(key, _)| key.text == "name")?.1.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// Whether a file is named by its path.
pub(super) fn is_path(named: &str) -> bool {
    named.contains('/') || named.ends_with(".yaml") || named.ends_with(".yml")
}

/// The file's name without its ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The file as the system knows it.
pub(super) fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The path as people would write it: from the current folder, where it is in it.
pub(super) fn shown(path: &Path) -> PathBuf {
    let canonical = canonical(path);
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok());
    match here.and_then(|here| canonical.strip_prefix(here).map(Path::to_owned).ok()) {
        Some(short) => short,
        None => path.to_owned(),
    }
}
