//! Nothing is dropped in silence: every value of every file of `tests/imports` matters to what is written or said.
//!
//! Each value is changed, and each mapping is given a key that nobody knows, one at a time. The file must then be refused,
//! or something in what is written or said must change, or the place must have been listed as left as it was. How a
//! value is carried over is not asked: what may be lost on the way is.

use std::path::Path;

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

/// The changes of all that stands at a place; `outer` says where a place of its text stands in the file.
fn changes(
    at: &At<'_>,
    text: &str,
    outer: &dyn Fn(Span) -> Option<Span>,
    pointer: &str,
    all: &mut Vec<Change>,
) {
    let place = format!("{pointer}{}", at.pointer);
    let span = at.node.span;
    if at.is_map() {
        let source = text.get(span.start..).unwrap_or_default();
        let entries = at.entries();
        let Some((_, first)) = entries.first() else { return };
        let column =
            |at: usize| at - text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |line| line + 1);
        let (start, with) = match source.starts_with('{') {
            true => (span.start + 1, format!("\"{EXTRA}\": \"{EXTRA_VALUE}\", ")),
            false => {
                let margin = " ".repeat(column(first.span.start));
                (first.span.start, format!("{EXTRA}: {EXTRA_VALUE}\n{margin}"))
            }
        };
        if let Some(at) = outer(Span { start, end: start }) {
            let margin = " ".repeat(at.start.saturating_sub(start).min(0));
            all.push(Change { pointer: format!("{place}/{EXTRA}"), at, with: with + &margin });
        }
        entries.iter().for_each(|(_, at)| changes(at, text, outer, pointer, all));
    } else if at.is_list() {
        at.items().iter().for_each(|at| changes(at, text, outer, pointer, all));
    } else if let Some(written) = text.get(span.start..span.end).filter(|written| !written.is_empty()) {
        let block = written.starts_with(['|', '>']) || written.contains('\n');
        if let (Some(at), false) = (outer(span), block) {
            let with = changed_scalar(written, at_is_plain(written));
            all.push(Change { pointer: place, at, with });
        }
    }
}

fn at_is_plain(written: &str) -> bool {
    !written.starts_with(['"', '\''])
}

/// What of a document is imported: a template in its stack, the texts of a ConfigMap, else all of it.
fn all_changes(document: &Document, text: &str, format: Format) -> Vec<Change> {
    let top = document.top();
    let mut all = Vec::new();
    let own = |span: Span| Some(span);
    if format == Format::Fis {
        for found in fis::templates(&top) {
            changes(&found.at, text, &own, "", &mut all);
        }
        return all;
    }
    changes(&top, text, &own, "", &mut all);
    for (at, inner) in configmap::inner(&top) {
        let written = at.text().unwrap_or_default();
        for inner in inner.iter().flatten() {
            let outer = |span: Span| {
                let at = at.outer(Span { end: span.end.max(span.start + 1), ..span })?;
                Some(Span { start: at.start, end: at.start + (span.end - span.start) })
            };
            changes(&inner.top(), written, &outer, &format!("{}: ", at.pointer), &mut all);
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

#[test]
fn nothing_is_dropped_in_silence() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imports");
    let (mut silent, mut tried) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder).expect("files").flatten() {
        let path = entry.path();
        let text = std::fs::read_to_string(&path).expect("text");
        let before = import(&path, text.as_bytes(), None).unwrap_or_else(|error| panic!("{error}"));
        let documents = document::read(text.as_bytes()).expect("YAML");
        let [document] = documents.as_slice() else { panic!("one document") };
        let format = recognise(&document.top()).expect("a format");
        let said = without_lines(&told(&before));
        for change in all_changes(document, &text, format) {
            let mut changed = text.clone();
            changed.replace_range(change.at.start..change.at.end, &change.with);
            tried += 1;
            let Ok(after) = import(&path, changed.as_bytes(), None) else { continue };
            let same = without_lines(&told(&after)) == said;
            if same && !is_left(&before, &change.pointer) && !is_mark(&change.pointer, format) {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                silent.push(format!("{file} {}: {}", change.pointer, change.with.trim()));
            }
        }
    }
    assert!(tried > 700, "{tried} changes");
    assert!(silent.is_empty(), "{} of {tried} are dropped in silence:\n{}", silent.len(), silent.join("\n"));
}
