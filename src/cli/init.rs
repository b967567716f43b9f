//! `firedrill init`: a project to start from.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::check::PROJECT_FILE;

const PROJECT: &str = include_str!("init/firedrill.yaml");
const EXPERIMENT: &str = include_str!("../../experiments/terminate-instance.yaml");

/// Where to write.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// The folder to write into.
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
}

/// Writes a project file and a first experiment into `folder`. Never overwrites: when one of the files is
/// there, nothing is written. Gives the exit code.
pub fn init(folder: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let files = [
        (folder.join(PROJECT_FILE), PROJECT),
        (folder.join("experiments/terminate-instance.yaml"), EXPERIMENT),
    ];
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        writeln!(err, "error: {} is there already; nothing was written", path.display())?;
        writeln!(err, "help: give another folder: firedrill init DIR")?;
        return Ok(2);
    }
    for (path, text) in &files {
        if let Err(error) = write(path, text) {
            writeln!(err, "error: {} cannot be written: {error}", path.display())?;
            return Ok(2);
        }
        writeln!(out, "wrote {}", path.display())?;
    }
    let [(project, _), (experiment, _)] = &files;
    writeln!(out, "\nTry it in the lab, which needs no account:")?;
    writeln!(out, "  firedrill run {} --env lab", experiment.display())?;
    writeln!(out, "Then fill in {} and rehearse it in staging:", project.display())?;
    writeln!(out, "  firedrill run {} --env staging --dry-run", experiment.display())?;
    Ok(0)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::{CheckArgs, check};

    #[test]
    fn what_it_writes_passes_check_and_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(init(folder.path(), &mut out, &mut err).expect("written"), 0);
        let args = CheckArgs { paths: vec![folder.path().to_owned()], ..CheckArgs::default() };
        let mut problems = Vec::new();
        assert_eq!(check(&args, false, &mut problems, &mut err).expect("written"), 0);
        assert_eq!(String::from_utf8(problems).expect("text"), "");
        assert!(String::from_utf8(err).expect("text").contains("2 files checked"));

        std::fs::remove_file(folder.path().join(PROJECT_FILE)).expect("removed");
        let mut err = Vec::new();
        assert_eq!(init(folder.path(), &mut out, &mut err).expect("written"), 2);
        assert!(String::from_utf8(err).expect("text").contains("is there already; nothing was written"));
        assert!(!folder.path().join(PROJECT_FILE).exists());
    }
}
