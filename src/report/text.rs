//! What `run` prints at its end: the verdict, the targets against what was observed, and where
//! to read on. At most as wide as the style says; nothing from outside can steer the terminal.

use crate::journal::Record;
use crate::report::facts::{self, Origin, clean};
use crate::report::facts_judged as judged;
use crate::report::table::{Cell, Style, Table, Tone, wrap};
use crate::report::{Objective, Outcome, Report, Verdict, cutover, people, words};

/// The report for a terminal. `kept` names the files that hold it, such as `report.html`.
pub fn render(report: &Report, record: &Record, style: Style, kept: &[String]) -> String {
    let origin = Origin::of(report, record);
    let mut out = Lines { style, lines: Vec::new() };
    out.head(report);
    out.objectives(report);
    out.outages(report, origin);
    out.breakdown(report, origin);
    out.cutover(report, origin);
    out.recovery(report);
    out.budgets(report, origin);
    out.ledgers(report);
    out.steps(report, origin);
    out.undo(report);
    out.notes(report);
    out.run(report, origin, kept);
    out.lines.join("\n") + "\n"
}

/// One line per run: experiment, verdict, and RTO, RPO and availability with their targets.
pub fn summary_table(reports: &[Report], style: Style) -> String {
    let mut table =
        Table::new(&["Experiment", "Verdict", "RTO (target)", "RPO (target)", "Availability (target)"]);
    for report in reports {
        let mut row: Vec<Cell> =
            vec![clean(&report.experiment).into(), Cell::new(facts::headline(report), outcome_tone(report))];
        for name in ["rto", "rpo", "availability"] {
            row.push(facts::figure(report, name).map_or_else(
                || Cell::new("–", Tone::Quiet),
                |objective| {
                    let brief = objective.observed.map_or_else(
                        || "not measured".to_owned(),
                        |observed| words::value(observed, &objective.unit),
                    );
                    let tone = if objective.verdict == Verdict::Pass {
                        Tone::Plain
                    } else {
                        tone(objective.verdict)
                    };
                    Cell::new(format!("{brief} ({})", facts::target(objective)), tone)
                },
            ));
        }
        table.row(row);
    }
    table.lines(style, 0).join("\n") + "\n"
}

fn outcome_tone(report: &Report) -> Tone {
    match report.verdict {
        Outcome::Inconclusive if report.dry_run || report.tabletop => Tone::Calm,
        Outcome::Pass => Tone::Good,
        Outcome::Fail => Tone::Bad,
        Outcome::Inconclusive | Outcome::Aborted => Tone::Unsure,
    }
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Fail => Tone::Bad,
        Verdict::Inconclusive => Tone::Unsure,
    }
}

/// Indent of a section's body.
const BODY: usize = 2;

struct Lines {
    style: Style,
    lines: Vec<String>,
}

impl Lines {
    fn head(&mut self, report: &Report) {
        let word = facts::headline(report).to_uppercase();
        let about = match &report.title {
            Some(title) => format!("{}: {}", report.experiment, title),
            None => report.experiment.clone(),
        };
        let room = self.style.width.saturating_sub(word.len() + 2);
        for (i, line) in wrap(&clean(&about), room).iter().enumerate() {
            let first = if i == 0 { word.as_str() } else { "" };
            let pad = " ".repeat(word.len() + 2 - first.len());
            let verdict = self.style.paint(first, outcome_tone(report));
            self.lines.push(format!("{verdict}{pad}{}", self.style.paint(line, Tone::Strong)));
        }
        self.paragraph(&clean(&report.because), word.len() + 2);
    }

    fn objectives(&mut self, report: &Report) {
        if report.objectives.is_empty() {
            return;
        }
        let mut table = Table::new(&["Objective", "Observer", "Target", "Observed", "Verdict"]);
        for objective in &report.objectives {
            table.row(vec![
                facts::objective(&objective.name).into(),
                clean(&objective.observer).into(),
                facts::target(objective).into(),
                facts::observed(objective, report).into(),
                Cell::new(facts::verdict(objective.verdict), tone(objective.verdict)),
            ]);
        }
        self.lines.push(String::new());
        self.lines.extend(table.lines(self.style, BODY));
        for objective in report.objectives.iter().filter(|o| o.verdict != Verdict::Pass) {
            self.reason(objective);
        }
    }

    fn reason(&mut self, objective: &Objective) {
        let name = facts::objective(&objective.name);
        self.paragraph(&format!("{name}: {}", clean(&objective.because)), BODY);
    }

    fn outages(&mut self, report: &Report, origin: Origin) {
        let all: Vec<_> =
            report.probes.iter().flat_map(|p| p.outages.iter().map(move |outage| (p, outage))).collect();
        if report.fault.is_none() && all.is_empty() {
            return;
        }
        self.section("Outages");
        if all.is_empty() {
            self.paragraph("None was seen by any probe.", BODY);
            return;
        }
        let began = format!("Began, {}", origin.label());
        let mut table = Table::new(&["Probe", "Lasted", &began, "Depth", "Errors"]);
        for (probe, outage) in all.iter().take(12) {
            table.row(vec![
                clean(&probe.name).into(),
                facts::lasted(outage).into(),
                words::span(origin.relative(outage.begin)).into(),
                facts::depth(outage).into(),
                Cell::new(facts::causes(&outage.errors), Tone::Quiet),
            ]);
        }
        self.lines.extend(table.lines(self.style, BODY));
        if all.len() > 12 {
            self.paragraph(&format!("and {} more", all.len() - 12), BODY);
        }
    }

    fn cutover(&mut self, report: &Report, origin: Origin) {
        let Some(found) = &report.cutover else { return };
        self.section(&format!("Cut-over, {}", origin.label()));
        let mut table = Table::new(&cutover::COLUMNS);
        for row in cutover::rows(found, origin) {
            table.row(row.into_iter().map(Cell::from).collect());
        }
        self.lines.extend(table.lines(self.style, BODY));
        for (name, at) in cutover::milestones(found, origin) {
            self.paragraph(&format!("{name}: {at}"), BODY);
        }
    }

    fn recovery(&mut self, report: &Report) {
        let shaken: Vec<_> = judged::shaken(report).collect();
        if shaken.is_empty() {
            return;
        }
        self.section("Recovery");
        let columns = judged::recoveries(report);
        let mut head = vec!["Probe"];
        head.extend(columns.iter().map(|(_, said)| *said));
        let mut table = Table::new(&head);
        for probe in &shaken {
            let mut row: Vec<Cell> = vec![clean(&probe.name).into()];
            row.extend(columns.iter().map(|(name, _)| Cell::from(judged::recovered(probe, name))));
            table.row(row);
        }
        self.lines.extend(table.lines(self.style, BODY));
        for probe in shaken.iter().filter(|probe| probe.states.flapping) {
            self.paragraph(&format!("{}: {}", clean(&probe.name), judged::states(probe)), BODY);
        }
    }

    fn budgets(&mut self, report: &Report, origin: Origin) {
        let said = judged::budgets(report, origin);
        if said.is_empty() {
            return;
        }
        self.section("Error budget");
        for (probe, sentence) in said {
            self.paragraph(&format!("{}: {sentence}", clean(probe)), BODY);
        }
    }

    fn breakdown(&mut self, report: &Report, origin: Origin) {
        let Some(breakdown) = report.breakdown.as_ref().filter(|found| found.points.len() > 1) else {
            return;
        };
        self.section("Breakdown");
        let mut table = Table::bare();
        for point in &breakdown.points {
            table.row(vec![
                facts::point(&point.name).into(),
                words::span(origin.relative(point.at)).into(),
                Cell::new(clean(&point.what), Tone::Quiet),
            ]);
        }
        self.lines.extend(table.lines(self.style, BODY));
        if let Some(repair) = breakdown.from_detection {
            self.paragraph(&format!("From detection to the last recovery: {}", words::span(repair)), BODY);
        }
    }

    fn ledgers(&mut self, report: &Report) {
        if report.rpo.is_empty() {
            return;
        }
        self.section("Ledger");
        for ledger in &report.rpo {
            let mut parts = vec![facts::lost(ledger)];
            if let Some(seconds) = ledger.seconds
                && ledger.lost > 0
            {
                parts.push(format!("that is {} of writes", words::span(seconds)));
            }
            parts.extend(facts::ledger_rest(ledger));
            self.paragraph(&format!("{}: {}", clean(&ledger.probe), parts.join(", ")), BODY);
        }
    }

    fn steps(&mut self, report: &Report, origin: Origin) {
        if report.steps.is_empty() {
            return;
        }
        self.section("Steps");
        for line in people::said(report) {
            self.paragraph(&clean(&line), BODY);
        }
        let mut table = Table::bare();
        for step in &report.steps {
            let (mark, tone) = match step.outcome.as_str() {
                "done" => ("✓", Tone::Good),
                "skipped" => ("–", Tone::Quiet),
                "failed" => ("✗", Tone::Bad),
                _ => ("?", Tone::Unsure),
            };
            let note = step.evidence.as_ref().filter(|_| step.outcome == "done").or(step.detail.as_ref());
            table.row(vec![
                Cell::new(format!("{mark} {}", clean(&step.outcome)), tone),
                clean(&step.name).into(),
                step.started.map(|at| origin.instant(at)).unwrap_or_default().into(),
                Cell::new(people::timed(step), if step.slower { Tone::Unsure } else { Tone::Plain }),
                Cell::new(note.map(|text| clean(text)).unwrap_or_default(), Tone::Quiet),
            ]);
        }
        self.lines.extend(table.lines(self.style, BODY));
        self.people(report);
    }

    /// Whose each step is, and who said what of it: in full, where a table would cut it.
    fn people(&mut self, report: &Report) {
        let said = report.steps.iter().filter_map(|step| {
            let parts = [people::whose(step), people::who(step)];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            (!parts.is_empty()).then(|| format!("{}: {}", step.name, parts.join("; ")))
        });
        let said: Vec<String> = said.collect();
        if said.is_empty() {
            return;
        }
        self.section("People");
        said.iter().for_each(|line| self.paragraph(&clean(line), BODY));
    }

    fn undo(&mut self, report: &Report) {
        let undo = &report.undo;
        if undo.complete && undo.done.is_empty() {
            return;
        }
        self.section("Put back");
        for done in &undo.done {
            self.paragraph(&format!("✓ {}", clean(done)), BODY);
        }
        for left in &undo.left {
            let lines = wrap(&clean(left), self.style.width.saturating_sub(BODY + 12));
            for (i, line) in lines.iter().enumerate() {
                let mark = if i == 0 { "✗ NOT BACK" } else { "          " };
                self.lines.push(format!("  {} {line}", self.style.paint(mark, Tone::Bad)));
            }
        }
        if !undo.complete {
            let advice = format!("Put it back with `firedrill recover {}`, or by hand", clean(&report.run));
            self.lines.push(format!("  {}", self.style.paint(&advice, Tone::Strong)));
        }
    }

    fn notes(&mut self, report: &Report) {
        if report.notes.is_empty() {
            return;
        }
        self.section("Notes");
        for note in &report.notes {
            self.paragraph(&format!("• {}", clean(note)), BODY);
        }
    }

    fn run(&mut self, report: &Report, origin: Origin, kept: &[String]) {
        self.lines.push(String::new());
        let run = format!(
            "run {}, {}, {} in {}, seed {}",
            clean(&report.run),
            origin.day(),
            words::duration((report.duration * 10.0).round() / 10.0),
            clean(&report.environment),
            report.seed
        );
        for line in wrap(&run, self.style.width) {
            self.lines.push(self.style.paint(&line, Tone::Quiet));
        }
        // A path stays in one piece, so that it can be copied.
        self.lines.extend(kept.iter().map(|path| format!("report {}", clean(path))));
    }

    fn section(&mut self, name: &str) {
        self.lines.push(String::new());
        self.lines.push(self.style.paint(name, Tone::Strong));
    }

    fn paragraph(&mut self, text: &str, indent: usize) {
        for line in wrap(text, self.style.width.saturating_sub(indent)) {
            self.lines.push(format!("{}{line}", " ".repeat(indent)));
        }
    }
}
