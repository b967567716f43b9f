//! Rules about programs: those that a step runs, or is undone by, are there.
//!
//! A file may be checked on another machine than the one that runs the drill, so that this only warns.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::notation::code::Code;
use crate::notation::decode::{Problem, clip};
use crate::spec::draft::Draft;
use crate::spec::experiment::{Does, Program, Undo};

/// Each program can be found where it will be looked for.
pub(super) fn programs(draft: &Draft, problems: &mut Vec<Problem>) {
    for step in &draft.steps {
        let Some(deed) = &step.deed else { continue };
        if let Some(Does::Run(program)) = &deed.value {
            problems.extend(missing(program, "this step runs it"));
        }
        let beside = match &step.undo {
            Some(Some(Undo::Program(program))) => Some(program),
            _ => None,
        };
        for program in beside.into_iter().chain(&deed.undo) {
            problems.extend(missing(program, "this step is undone by it"));
        }
    }
}

fn missing(program: &Program, label: &str) -> Option<Problem> {
    let name = program.argv.first()?;
    // A path from the root is another machine's affair; a PATH of its own is not this one's.
    let elsewhere = name.starts_with('/') || name.contains("${") || program.env.contains_key("PATH");
    if elsewhere || found(name, env::var_os("PATH").as_deref()) {
        return None;
    }
    let (message, help) = match name.contains('/') {
        true => (
            format!("the program `{}` is not there", clip(name)),
            "the path is taken from the folder that firedrill is run in",
        ),
        false => (
            format!("the program `{}` is not on the PATH", clip(name)),
            "install it where the drill is run, or write its path",
        ),
    };
    Some(Problem::new(Code::ProgramNotFound, program.place, message).label(label).help(help).warning())
}

/// Whether a program can be started: from the current folder when its name has a `/`, else from the PATH.
fn found(name: &str, path: Option<&OsStr>) -> bool {
    let runs = |file: &Path| {
        file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    match path {
        _ if name.contains('/') => runs(Path::new(name)),
        Some(path) => env::split_paths(path).any(|folder| runs(&folder.join(name))),
        // Without a PATH it is the system's to say where it looks.
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_an_executable_file_on_the_path() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, mode) in [("tool", 0o755), ("text", 0o644)] {
            let file = folder.path().join(name);
            std::fs::write(&file, "").expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
        }
        std::fs::create_dir(folder.path().join("folder")).expect("made");
        let path = env::join_paths(["/no/such/folder".as_ref(), folder.path()]).expect("a path");
        assert!(found("tool", Some(&path)));
        for missing in ["text", "folder", "other", "./tool"] {
            assert!(!found(missing, Some(&path)), "{missing}");
        }
        assert!(found(&folder.path().join("tool").display().to_string(), Some(OsStr::new(""))));
        assert!(found("anything", None));
    }
}
