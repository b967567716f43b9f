//! Problems, shown to people and to machines.
//!
//! One problem is drawn as the compiler draws its own: the file, the line, the place, a label and
//! what to do. It decides nothing: what is wrong and where was found by whoever reports it.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::code::Code;
use super::decode::Problem;
use super::fix::Fix;
use super::yaml::Span;
use crate::redact;

/// No more than this many problems of a file are drawn; the last line counts all of them.
const MAX_SHOWN: usize = 50;

/// A place in lines and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// From 1.
    pub end_line: usize,
    /// From 1, in characters; one past the last.
    pub end_column: usize,
}

/// Another place that matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where.
    #[serde(flatten)]
    pub region: Region,
    /// Why it matters.
    pub label: String,
}

/// A change of the text that mends a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What is done, for people.
    pub what: String,
    /// What goes.
    #[serde(flatten)]
    pub region: Region,
    /// What comes.
    pub text: String,
}

/// A problem with its place in lines and columns, as machines read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Located {
    /// The file's path as given.
    pub file: String,
    /// Where.
    #[serde(flatten)]
    pub region: Region,
    /// The stable code, such as `FD0101`.
    #[serde(serialize_with = "as_shown")]
    pub code: Code,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// A word about the place; empty when there is none.
    pub label: String,
    /// Other places that matter.
    pub related: Vec<Related>,
    /// What to do about it.
    pub help: Option<String>,
    /// What `--fix` would do about it; null when nothing is certain.
    pub fix: Option<Edit>,
}

impl Located {
    /// The message, the word about the place and the advice, a line each.
    pub fn told(&self) -> String {
        let label = Some(&self.label).filter(|label| !label.is_empty());
        let lines = [Some(&self.message), label, self.help.as_ref()];
        lines.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

fn as_shown<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

/// The problems of one file, sorted by place and each once.
#[derive(Clone, Debug)]
pub struct Sheet<'a> {
    path: &'a str,
    text: &'a str,
    lines: Vec<usize>,
    problems: Vec<&'a Problem>,
}

/// The text with the passwords in it hidden, as many bytes as before. A drawing ends in a build's log.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for password in redact::passwords(text).into_iter().filter(|password| !password.contains("${")) {
        // A part of the text: where it stands, not what it says, is hidden, since it may be short.
        let start = password.as_ptr() as usize - text.as_ptr() as usize;
        masked.replace_range(start..start + password.len(), &"*".repeat(password.len()));
    }
    masked
}

impl<'a> Sheet<'a> {
    /// The problems found in `text`, which was read from `path`.
    pub fn new(path: &'a str, text: &'a str, problems: &'a [Problem]) -> Sheet<'a> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut sorted: Vec<&Problem> = problems.iter().collect();
        sorted.sort_by_key(|problem| (problem.span, problem.warning));
        // An alias shows its anchor's problems again.
        sorted.dedup();
        Sheet { path, text, lines, problems: sorted }
    }

    /// The file's path as given.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The text that the places refer to; empty when the file could not be read.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// How many errors and how many warnings.
    pub fn counts(&self) -> (usize, usize) {
        let warnings = self.problems.iter().filter(|problem| problem.warning).count();
        (self.problems.len() - warnings, warnings)
    }

    /// Every problem, in the order of the file.
    pub fn located(&self) -> Vec<Located> {
        self.problems.iter().map(|problem| self.locate(problem)).collect()
    }

    /// Every problem drawn, and a last line that counts them. Empty when there are none.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for problem in self.problems.iter().take(MAX_SHOWN) {
            out.push_str(&self.draw(problem, &renderer));
            out.push_str("\n\n");
        }
        if let Some(summary) = self.summary() {
            out.push_str(&summary);
            out.push('\n');
        }
        out
    }

    /// `3 errors and 1 warning in experiments/x.yaml`; `None` when there are none.
    pub fn summary(&self) -> Option<String> {
        let (errors, warnings) = self.counts();
        let counted = match (errors, warnings) {
            (0, 0) => return None,
            (_, 0) => count(errors, "error"),
            (0, _) => count(warnings, "warning"),
            _ => format!("{} and {}", count(errors, "error"), count(warnings, "warning")),
        };
        let shown = match self.problems.len() {
            all if all > MAX_SHOWN => format!(" (the first {MAX_SHOWN} are shown)"),
            _ => String::new(),
        };
        Some(format!("{counted} in {}{shown}", printable(self.path)))
    }

    /// The problems as commands of GitHub Actions, one per line.
    pub fn github(&self) -> String {
        let mut out = String::new();
        for at in self.located() {
            let Region { line, column, end_line, end_column } = at.region;
            let _ = writeln!(
                out,
                "::{} file={},line={},col={},endLine={},endColumn={},title={}::{}",
                at.severity,
                escape_property(&at.file),
                line,
                column,
                end_line,
                end_column,
                at.code,
                escape_data(&at.told()),
            );
        }
        out
    }

    fn draw(&self, problem: &Problem, renderer: &Renderer) -> String {
        let level = if problem.warning { Level::WARNING } else { Level::ERROR };
        let title = level.primary_title(printable(&masked(&problem.message))).id(problem.code.to_string());
        if self.text.is_empty() {
            let mut group = title.element(Origin::path(printable(self.path)));
            if let Some(help) = self.help(problem) {
                group = group.element(Level::HELP.message(help));
            }
            return renderer.render(&[group]);
        }
        let window = self.window(problem);
        let base = window.start;
        // As many bytes as before, so that the places still hold.
        let source = masked(self.text.get(window).unwrap_or_default()).replace(c1_control, "\u{b7}");
        let mark = |span: Span| {
            let clipped = self.first_line(span);
            clipped.start - base..clipped.end - base
        };
        let mut primary = AnnotationKind::Primary.span(mark(problem.span));
        if !problem.label.is_empty() {
            primary = primary.label(printable(&problem.label));
        }
        let mut snippet = Snippet::source(source)
            .line_start(self.place(base).0)
            .path(printable(self.path))
            .annotation(primary);
        for (span, label) in &problem.related {
            snippet = snippet.annotation(AnnotationKind::Context.span(mark(*span)).label(printable(label)));
        }
        let mut group = title.element(snippet);
        if let Some(help) = self.help(problem) {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }

    /// What to do about a problem, and whether `--fix` does it.
    fn help(&self, problem: &Problem) -> Option<String> {
        let mended = self.fix(problem).map(|_| "fix with --fix");
        match (&problem.help, mended) {
            (Some(help), Some(mended)) => Some(printable(&format!("{help} ({mended})"))),
            (Some(help), None) => Some(printable(help)),
            (None, Some(mended)) => Some(mended.to_owned()),
            (None, None) => None,
        }
    }

    /// The problem's fix, as long as the text lets it be made.
    fn fix<'p>(&self, problem: &'p Problem) -> Option<&'p Fix> {
        problem.fix.as_ref().filter(|fix| fix.edit(self.text).is_some())
    }

    /// The lines that the problem's places stand in, so that a long file is not drawn from its top.
    fn window(&self, problem: &Problem) -> Range<usize> {
        let spans = || std::iter::once(problem.span).chain(problem.related.iter().map(|(span, _)| *span));
        let first = spans().map(|span| self.line_of(span.start)).min().unwrap_or_default();
        let last = spans().map(|span| self.line_of(span.start)).max().unwrap_or_default();
        let start = self.lines.get(first).copied().unwrap_or_default();
        let end = self.lines.get(last + 1).copied().unwrap_or(self.text.len());
        start..end
    }

    /// The part of the place that stands in its first line, on character boundaries.
    fn first_line(&self, span: Span) -> Range<usize> {
        let start = self.boundary(span.start);
        let rest = self.text.get(start..).unwrap_or_default();
        let line_end = start + rest.find(['\n', '\r']).unwrap_or(rest.len());
        start..self.boundary(span.end).clamp(start, line_end)
    }

    fn boundary(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at.min(self.text.len()))
    }

    /// The index of the line that the byte at `at` stands in.
    fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// Line and column of a byte, both from 1.
    fn place(&self, at: usize) -> (usize, usize) {
        let at = self.boundary(at);
        let line = self.line_of(at);
        let start = self.lines.get(line).copied().unwrap_or_default();
        // A byte order mark takes no column.
        let before = self.text.get(start..at).unwrap_or_default().trim_start_matches('\u{feff}');
        (line + 1, before.chars().count() + 1)
    }

    fn locate(&self, problem: &Problem) -> Located {
        let related = problem.related.iter();
        let edit = |fix: &Fix| {
            let (range, text) = fix.edit(self.text)?;
            Some(Edit { what: masked(&fix.what), region: self.region(range), text: text.to_owned() })
        };
        Located {
            file: self.path.to_owned(),
            region: self.region(problem.span.start..problem.span.end),
            code: problem.code,
            severity: if problem.warning { "warning" } else { "error" },
            message: masked(&problem.message),
            label: problem.label.clone(),
            related: related
                .map(|(span, label)| Related {
                    region: self.region(span.start..span.end),
                    label: label.clone(),
                })
                .collect(),
            help: problem.help.clone(),
            fix: problem.fix.as_ref().and_then(edit),
        }
    }

    fn region(&self, range: Range<usize>) -> Region {
        let (line, column) = self.place(range.start);
        let (end_line, end_column) = self.place(range.end.max(range.start));
        Region { line, column, end_line, end_column }
    }
}

/// The text without characters that would command a terminal.
pub fn printable(text: &str) -> String {
    annotate_snippets::normalize_untrusted_str(text).replace(c1_control, "\u{b7}")
}

fn c1_control(c: char) -> bool {
    ('\u{80}'..='\u{9f}').contains(&c)
}

/// `1 error`, `3 errors`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    #[test]
    fn a_problem_is_drawn_with_its_place_and_advice() {
        let text = "kind: Experiment\nsteps:\n  - name: fail over\n\n\n\n    after: fail-over\n";
        let problems = [
            Problem::new(
                Code::UnknownStep,
                span(57, 66),
                "step `settle` waits for an unknown step `fail-over`",
            )
            .label("no step has this name")
            .related(span(34, 43), "did you mean this step?")
            .help("names are matched exactly"),
            Problem::new(Code::NoFault, span(0, 16), "something else").warning(),
        ];
        insta::assert_snapshot!(Sheet::new("experiments/x.yaml", text, &problems).render(false), @r"
        warning[FD0306]: something else
         --> experiments/x.yaml:1:1
          |
        1 | kind: Experiment
          | ^^^^^^^^^^^^^^^^

        error[FD0210]: step `settle` waits for an unknown step `fail-over`
         --> experiments/x.yaml:7:11
          |
        3 |   - name: fail over
          |           --------- did you mean this step?
        ...
        7 |     after: fail-over
          |           ^^^^^^^^^ no step has this name
          |
          = help: names are matched exactly

        1 error and 1 warning in experiments/x.yaml
        ");
    }

    #[test]
    fn columns_count_characters_and_carriage_returns_are_no_part_of_a_line() {
        let text = "\u{feff}é: 🔥\r\nключ: ü\r\n";
        let problems = [
            Problem::new(Code::NoFault, span(7, 11), "hot"),
            Problem::new(Code::NoFault, span(13, text.len()), "all of it"),
        ];
        let sheet = Sheet::new("x.yaml", text, &problems);
        let places: Vec<_> = sheet
            .located()
            .iter()
            .map(|Located { region: at, .. }| (at.line, at.column, at.end_line, at.end_column))
            .collect();
        assert_eq!(places, [(1, 4, 1, 5), (2, 1, 3, 1)]);
        assert!(!sheet.render(false).contains('\r'));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let problems = [Problem::new(Code::NoFault, span(0, 1), "found `\u{1b}[2J`")
            .label("\u{1b}]0;x\u{7}")
            .help("\u{9b}1m")];
        let shown = Sheet::new("\u{1b}.yaml", "a: \u{9b}\n", &problems).render(false);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    }

    #[test]
    fn a_flood_of_problems_is_counted_not_shown() {
        let text = "x\n".repeat(1000);
        let problems: Vec<_> = (0..1000)
            .map(|i| Problem::new(Code::NoFault, span(2 * i, 2 * i + 1), format!("no. {i}")))
            .collect();
        let shown = Sheet::new("x.yaml", &text, &problems).render(false);
        assert!(shown.contains("no. 49") && !shown.contains("no. 50"));
        assert!(shown.ends_with("1000 errors in x.yaml (the first 50 are shown)\n"));
    }

    #[test]
    fn github_reads_commands() {
        let problems = [Problem::new(Code::NoFault, span(3, 4), "100% wrong").help("fix it")];
        assert_eq!(
            Sheet::new("a,b.yaml", "a: b\n", &problems).github(),
            "::error file=a%2Cb.yaml,line=1,col=4,endLine=1,endColumn=5,title=FD0306::100%25 wrong%0Afix it\n"
        );
    }
}
