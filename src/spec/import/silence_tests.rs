//! Nothing is dropped in silence: every value of every file of `tests/imports` matters to what is written or said.
//!
//! Each value is changed, and each mapping is given a key that nobody knows, one at a time. The file must then be refused,
//! or something in what is written or said must change, or the place must have been listed as left as it was. How a
//! value is carried over is not asked: what may be lost on the way is.

use std::path::{Path, PathBuf};

use super::document::{self, At, Document};
use super::{Format, Imported, configmap, fis, import, recognise};
use crate::notation::yaml::Span;

/// A change of a file: of what stands at a place, and what stands there then.
struct Change {
    pointer: String,
    at: Span,
    with: String,
}

const EXTRA: &str = "zq-extra";
const EXTRA_VALUE: &str = "zq-value";

fn changed_scalar(text: &str, plain: bool) -> String {
    match text {
        _ if !plain => text.strip_suffix(['"', '\'']).map_or_else(
            || format!("{text}zq"),
            |body| format!("{body}zq{}", text.chars().last().unwrap_or_default()),
        ),
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        "yes" => "no".to_owned(),
        "no" => "yes".to_owned(),
        number if number.parse::<i64>().is_ok() => {
            format!("{}", number.parse::<i64>().unwrap_or_default() + 1)
        }
        word => format!("{word}zq"),
    }
}

/// A text, and where its places stand in the file.
struct Within<'t> {
    file: &'t str,
    text: &'t str,
    outer: &'t dyn Fn(Span) -> Option<Span>,
    pointer: String,
}

impl Within<'_> {
    /// The changes of all that stands at a place.
    fn changes(&self, at: &At<'_>, all: &mut Vec<Change>) {
        let pointer = format!("{}{}", self.pointer, at.pointer);
        let span = at.node.span;
        if at.is_map() {
            let entries = at.entries();
            let Some((_, first)) = entries.first() else { return };
            let flow = self.text.get(span.start..).is_some_and(|source| source.starts_with('{'));
            let start = if flow { span.start + 1 } else { first.span.start };
            let at = (self.outer)(Span { start, end: start }).expect("a place");
            let with = match flow {
                true => format!("\"{EXTRA}\": \"{EXTRA_VALUE}\", "),
                false => {
                    let line = self.file.get(..at.start).and_then(|before| before.rfind('\n'));
                    let margin = " ".repeat(at.start - line.map_or(0, |line| line + 1));
                    format!("{EXTRA}: {EXTRA_VALUE}\n{margin}")
                }
            };
            all.push(Change { pointer: format!("{pointer}/{EXTRA}"), at, with });
            entries.iter().for_each(|(_, at)| self.changes(at, all));
        } else if at.is_list() {
            at.items().iter().for_each(|at| self.changes(at, all));
        } else if let Some(written) =
            self.text.get(span.start..span.end).filter(|written| !written.is_empty())
        {
            // The lines of a block are changed by what they hold.
            if !written.starts_with(['|', '>']) && !written.contains('\n') {
                // Of a text in quotes within quotes no place is known.
                let Some(at) = (self.outer)(span) else { return };
                let with = changed_scalar(written, !written.starts_with(['"', '\'']));
                all.push(Change { pointer, at, with });
            }
        }
    }
}

/// What of a document is imported: a template in its stack, the texts of a ConfigMap, else all of it.
fn all_changes(document: &Document, text: &str, format: Format) -> Vec<Change> {
    let top = document.top();
    let mut all = Vec::new();
    let own = |span: Span| Some(span);
    if format == Format::Fis {
        let whole = Within { file: text, text, outer: &own, pointer: String::new() };
        fis::templates(&top).iter().for_each(|found| whole.changes(&found.at, &mut all));
        return all;
    }
    Within { file: text, text, outer: &own, pointer: String::new() }.changes(&top, &mut all);
    for (at, inner) in configmap::inner(&top) {
        let written = at.text().unwrap_or_default();
        for inner in inner.iter().flatten() {
            let outer = |span: Span| {
                let at = at.outer(Span { end: span.end.max(span.start + 1), ..span })?;
                Some(Span { start: at.start, end: at.start + (span.end - span.start) })
            };
            let pointer = format!("{}: ", at.pointer);
            Within { file: text, text: written, outer: &outer, pointer }.changes(&inner.top(), &mut all);
        }
    }
    all
}

fn told(imported: &Imported) -> String {
    let files = imported.files.iter().map(|file| format!("{}\n{}", file.name, file.text));
    files.chain(imported.left.iter().map(|left| format!("{left}\n"))).collect()
}

/// Lines and columns shift when something is put in: they are no sign that it was read.
fn without_lines(told: &str) -> String {
    let mut out = String::new();
    let mut rest = told;
    while let Some((before, after)) = rest.split_once("line ") {
        out.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    (out + rest).split_whitespace().filter(|word| *word != "#").collect::<Vec<_>>().join(" ")
}

fn is_left(imported: &Imported, pointer: &str) -> bool {
    imported.left.iter().any(|left| {
        let below = pointer.strip_prefix(left.pointer.as_str());
        !left.pointer.is_empty() && below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
    })
}

/// What marks the format, and nothing of what the file says.
fn is_mark(pointer: &str, format: Format) -> bool {
    format != Format::Fis && matches!(pointer, "/apiVersion" | "/kind")
}

/// What came of the changes of a file.
struct Tried {
    all: usize,
    /// How many made a file that is no such file any more.
    refused: usize,
    /// Those of which nothing came.
    silent: Vec<String>,
}

fn tried(path: &Path) -> Tried {
    let text = std::fs::read_to_string(path).expect("text");
    let before = import(path, text.as_bytes(), None).unwrap_or_else(|error| panic!("{error}"));
    let documents = document::read(text.as_bytes()).expect("YAML");
    let [document] = documents.as_slice() else { panic!("one document") };
    let format = recognise(&document.top()).expect("a format");
    let said = without_lines(&told(&before));
    let changes = all_changes(document, &text, format);
    let refused = std::cell::Cell::new(0);
    let is_silent = |change: &&Change| {
        let mut changed = text.clone();
        changed.replace_range(change.at.start..change.at.end, &change.with);
        let Ok(after) = import(path, changed.as_bytes(), None) else {
            refused.set(refused.get() + 1);
            return false;
        };
        without_lines(&told(&after)) == said
            && !is_left(&before, &change.pointer)
            && !is_mark(&change.pointer, format)
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let silent = changes.iter().filter(is_silent);
    let silent = silent.map(|change| format!("{file} {}: {}", change.pointer, change.with.trim())).collect();
    Tried { all: changes.len(), refused: refused.get(), silent }
}

#[test]
fn nothing_is_dropped_in_silence() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imports");
    let files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("files").flatten().map(|entry| entry.path()).collect();
    let results: Vec<Tried> = std::thread::scope(|scope| {
        let workers: Vec<_> = files.iter().map(|file| scope.spawn(|| tried(file))).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    });
    let count = |of: fn(&Tried) -> usize| results.iter().map(of).sum::<usize>();
    let (all, refused) = (count(|tried| tried.all), count(|tried| tried.refused));
    println!("{all} changes of {} files, {refused} of them refused", files.len());
    assert!(all > 1000 && refused * 20 < all, "{refused} of {all} changes made no file of the kind");
    let silent: Vec<String> = results.into_iter().flat_map(|tried| tried.silent).collect();
    assert!(silent.is_empty(), "{} of {all} are dropped in silence:\n{}", silent.len(), silent.join("\n"));
}
