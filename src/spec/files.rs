//! Which files a path means.

use std::path::{Path, PathBuf};

use super::{Checked, Diagnostics, check};
use crate::notation::code::Code;

/// Folders deeper than this are not looked into.
const DEEPEST: usize = 32;

/// The YAML files under a folder, sorted; hidden folders and build output left out.
pub fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(folder, 0, &mut files);
    files
}

/// The experiments that the paths mean: a file as it is named, and of a folder all files of
/// `kind: Experiment`, right or wrong, each file once.
pub fn find_experiments(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Diagnostics> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        let files = match path.is_dir() {
            true => experiments_in(path)?,
            false => vec![path.clone()],
        };
        for file in files {
            if !found.contains(&file) {
                found.push(file);
            }
        }
    }
    Ok(found)
}

fn experiments_in(folder: &Path) -> Result<Vec<PathBuf>, Diagnostics> {
    let mut found = Vec::new();
    for file in yaml_files(folder) {
        match check(&file) {
            Ok(Checked::Experiment(_)) => found.push(file),
            Ok(_) => {}
            Err(diagnostics) => return Err(diagnostics),
        }
    }
    match found.is_empty() {
        true => Err(Diagnostics::unreadable(
            Code::NoExperimentHere,
            folder,
            "no experiment is in this folder (a runbook is run by its own file)",
        )),
        false => Ok(found),
    }
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = name.as_encoded_bytes().starts_with(b".") || name == "target" || name == "node_modules";
        // Of the entry itself: a link to a folder could lead in circles.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !skipped && depth < DEEPEST {
            collect(&path, depth + 1, files);
        } else if is_yaml(&path) && (kind.is_file() || (!kind.is_dir() && path.is_file())) {
            files.push(path);
        }
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}
