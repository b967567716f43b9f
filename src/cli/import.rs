//! `firedrill import`: other tools' files become firedrill's.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::notation::code::Code;
use crate::notation::diagnostic::{count, printable};
use crate::spec::Diagnostics;
use crate::spec::import::{Format, Imported, import};

/// A file larger than this is refused: `terraform show -json` of a large stack fits.
const MOST: usize = 32 * 1024 * 1024;

/// Whose file it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// What its content says.
    #[default]
    Auto,
    /// A Chaos Toolkit experiment, JSON or YAML.
    #[value(name = "chaostoolkit")]
    ChaosToolkit,
    /// An AWS FIS experiment template: from `aws fis get-experiment-template`, a CloudFormation template,
    /// `terraform show -json`, or `.tf.json`.
    Fis,
    /// A Kubernetes ConfigMap that holds recovery procedures: a runbook for each.
    #[value(name = "configmap")]
    ConfigMap,
    /// Service level objectives with Prometheus queries: an experiment for each service.
    Slo,
}

/// What to import, and where to.
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// The file; `-` for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to write: a file, or a folder when it ends with `/` or is one. Without it, to standard output.
    #[arg(short, long, value_name = "OUT.yaml|DIR")]
    pub output: Option<PathBuf>,
    /// Whose file it is.
    #[arg(long, value_enum, default_value_t = Kind::Auto)]
    pub format: Kind,
}

/// Imports the file. Gives the exit code.
pub fn run(args: &ImportArgs, colour: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let format = match args.format {
        Kind::Auto => None,
        Kind::ChaosToolkit => Some(Format::ChaosToolkit),
        Kind::Fis => Some(Format::Fis),
        Kind::ConfigMap => Some(Format::ConfigMap),
        Kind::Slo => Some(Format::Slo),
    };
    let name = if args.file.as_os_str() == "-" { Path::new("stdin") } else { &args.file };
    let imported = read(&args.file).and_then(|bytes| import(name, &bytes, format));
    let imported = match imported {
        Ok(imported) => imported,
        Err(diagnostics) => {
            writeln!(err, "{}", diagnostics.render(colour))?;
            return Ok(2);
        }
    };
    let paths = match &args.output {
        None => None,
        Some(output) => match paths(output, &imported) {
            Ok(paths) => Some(paths),
            Err(message) => {
                writeln!(err, "error: {}", printable(&message))?;
                return Ok(2);
            }
        },
    };
    match paths {
        None => print(&imported, out)?,
        Some(paths) => {
            for (path, file) in paths.iter().zip(&imported.files) {
                if let Err(error) = write(path, &file.text) {
                    writeln!(
                        err,
                        "error: {} cannot be written: {error}",
                        printable(&path.display().to_string())
                    )?;
                    return Ok(2);
                }
                writeln!(out, "wrote {}", printable(&path.display().to_string()))?;
            }
        }
    }
    tell(&imported, err)?;
    Ok(0)
}

fn read(path: &Path) -> Result<Vec<u8>, Diagnostics> {
    let unreadable = |error: &str| {
        let message = format!("the file cannot be read: {error}");
        Diagnostics::unreadable(Code::FileUnreadable, path, message)
    };
    let mut bytes = Vec::new();
    let most = MOST as u64 + 1;
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().take(most).read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    match read {
        Err(error) => Err(unreadable(&error.to_string())),
        Ok(_) if bytes.len() > MOST => Err(unreadable("it is larger than 32 MiB")),
        Ok(_) => Ok(bytes),
    }
}

/// Where each file is written to. None of them is there yet.
fn paths(output: &Path, imported: &Imported) -> Result<Vec<PathBuf>, String> {
    let folder = output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/");
    let paths: Vec<PathBuf> = match (folder, imported.files.as_slice()) {
        (true, files) => files.iter().map(|file| output.join(&file.name)).collect(),
        (false, [_]) => vec![output.to_owned()],
        (false, files) => {
            let (files, output) = (count(files.len(), "file"), output.display());
            return Err(format!("this makes {files}: give a folder, such as -o {output}/"));
        }
    };
    match paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        Some(there) => Err(format!("{} is there already; nothing was written", there.display())),
        None => Ok(paths),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// Several files as the documents of one stream, each under its name.
fn print(imported: &Imported, out: &mut dyn Write) -> io::Result<()> {
    for file in &imported.files {
        if imported.files.len() > 1 {
            writeln!(out, "---\n# {}", file.name)?;
        }
        out.write_all(file.text.as_bytes())?;
    }
    Ok(())
}

/// Says what was left out.
fn tell(imported: &Imported, err: &mut dyn Write) -> io::Result<()> {
    for left in &imported.left {
        writeln!(err, "not carried over: {}", printable(&left.to_string()))?;
    }
    let (what, files) = (imported.format.noun(), count(imported.files.len(), "file"));
    match imported.left.len() {
        0 => writeln!(err, "imported as {files} ({what}); everything was carried over")?,
        _ => {
            let left = imported.left_count();
            writeln!(err, "note: imported as {files} ({what}); {left} not carried over, listed at the top")?;
        }
    }
    Ok(())
}
