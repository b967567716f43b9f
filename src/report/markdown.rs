//! The report for a pull request, a ticket or a wiki: GitHub-flavoured Markdown, short.
//!
//! Text from outside is escaped: it can open no tag, no link, no table cell and mention nobody.

use crate::journal::Record;
use crate::report::facts::{self, Origin};
use crate::report::facts_judged as judged;
use crate::report::safety::PermissionReport;
use crate::report::{Outcome, ProbeReport, Report, Verdict, cutover, people, words};

/// The report as Markdown.
pub fn render(report: &Report, record: &Record) -> String {
    let origin = Origin::of(report, record);
    let mut out = String::new();
    head(&mut out, report, origin);
    objectives(&mut out, report);
    outages(&mut out, report, origin);
    cut_over(&mut out, report, origin);
    recovery(&mut out, report);
    budgets(&mut out, report, origin);
    breakdown(&mut out, report, origin);
    ledgers(&mut out, report);
    steps(&mut out, report, origin);
    lists(&mut out, report);
    foot(&mut out, report);
    out
}

fn head(out: &mut String, report: &Report, origin: Origin) {
    let mark = match report.verdict {
        Outcome::Inconclusive if report.dry_run || report.tabletop => "🔵",
        Outcome::Pass => "✅",
        Outcome::Fail => "❌",
        Outcome::Inconclusive | Outcome::Aborted => "⚠️",
    };
    let title = report.title.as_deref().unwrap_or(&report.experiment);
    out.push_str(&format!("## {mark} {}: {}\n\n", facts::headline(report), escape(title)));
    out.push_str(&format!("{}\n\n", escape(&report.because)));
    let mut line = format!(
        "`{}` in {} on {}, {} long",
        code(&report.experiment),
        escape(&report.environment),
        origin.day(),
        words::duration((report.duration * 10.0).round() / 10.0)
    );
    if let Some(owner) = &report.owner {
        line.push_str(&format!(", owned by {}", escape(owner)));
    }
    out.push_str(&line);
    out.push_str(".\n\n");
}

fn objectives(out: &mut String, report: &Report) {
    let rows: Vec<Vec<String>> = report
        .objectives
        .iter()
        .map(|objective| {
            let mark = match objective.verdict {
                Verdict::Pass => "✅",
                Verdict::Fail => "❌",
                Verdict::Inconclusive => "⚠️",
            };
            vec![
                facts::objective(&objective.name),
                escape(&objective.observer),
                facts::target(objective),
                escape(&facts::observed(objective, report)),
                format!("{mark} {}", facts::verdict(objective.verdict)),
                escape(&objective.because),
            ]
        })
        .collect();
    table(out, &["Objective", "Observer", "Target", "Observed", "Verdict", "Because"], &rows);
}

fn outages(out: &mut String, report: &Report, origin: Origin) {
    let rows: Vec<Vec<String>> = report
        .probes
        .iter()
        .flat_map(|probe| probe.outages.iter().map(move |outage| (probe, outage)))
        .map(|(probe, outage)| {
            vec![
                escape(&probe.name),
                facts::began(outage, origin),
                facts::lasted(outage),
                facts::depth(outage),
                escape(&facts::causes(&outage.errors)),
            ]
        })
        .collect();
    table(out, &["Outage of", "Began", "Lasted", "Depth", "Errors"], &rows);
}

fn breakdown(out: &mut String, report: &Report, origin: Origin) {
    let Some(breakdown) = report.breakdown.as_ref().filter(|found| found.points.len() > 1) else { return };
    let rows: Vec<Vec<String>> = breakdown
        .points
        .iter()
        .map(|point| {
            vec![
                facts::point(&point.name),
                words::span(origin.relative(point.at)),
                escape(&point.by.replace('_', " ")),
                escape(&point.what),
            ]
        })
        .collect();
    table(out, &["Breakdown", "After the fault", "Seen by", "What was seen"], &rows);
}

fn cut_over(out: &mut String, report: &Report, origin: Origin) {
    let Some(found) = &report.cutover else { return };
    let rows: Vec<Vec<String>> = cutover::rows(found, origin)
        .iter()
        .map(|row| row.iter().map(|cell| escape(cell)).collect())
        .collect();
    out.push_str(&format!("Cut-over, {}:\n\n", origin.label()));
    table(out, &cutover::COLUMNS, &rows);
    for (name, at) in cutover::milestones(found, origin) {
        out.push_str(&format!("- {name}: {}\n", escape(&at)));
    }
    out.push('\n');
}

fn recovery(out: &mut String, report: &Report) {
    let columns = judged::recoveries(report);
    let mut head = vec!["Recovery of"];
    head.extend(columns.iter().map(|(_, said)| *said));
    head.push("Seconds");
    let row = |probe: &ProbeReport| {
        let mut row = vec![escape(&probe.name)];
        row.extend(columns.iter().map(|(name, _)| judged::recovered(probe, name)));
        row.push(judged::states(probe));
        row
    };
    let rows: Vec<Vec<String>> = judged::shaken(report).map(row).collect();
    table(out, &head, &rows);
}

fn budgets(out: &mut String, report: &Report, origin: Origin) {
    let said = judged::budgets(report, origin);
    out.extend(
        said.iter().map(|(probe, sentence)| format!("- **{}** {}\n", escape(probe), escape(sentence))),
    );
    if !said.is_empty() {
        out.push('\n');
    }
}

fn ledgers(out: &mut String, report: &Report) {
    for ledger in &report.rpo {
        let mut parts = vec![facts::lost(ledger)];
        parts.extend(facts::ledger_rest(ledger));
        out.push_str(&format!("- Ledger **{}**: {}\n", escape(&ledger.probe), escape(&parts.join(", "))));
        if !ledger.lost_ranges.is_empty() {
            out.push_str(&format!("  - lost numbers: {}\n", facts::ranges(&ledger.lost_ranges)));
        }
    }
    if !report.rpo.is_empty() {
        out.push('\n');
    }
}

fn steps(out: &mut String, report: &Report, origin: Origin) {
    let rows: Vec<Vec<String>> = report
        .steps
        .iter()
        .map(|step| {
            let note = step.evidence.as_ref().or(step.detail.as_ref());
            vec![
                escape(&step.name),
                escape(&step.outcome),
                step.started.map(|at| origin.instant(at)).unwrap_or_default(),
                step.finished.map(|at| origin.instant(at)).unwrap_or_default(),
                note.map(|text| escape(text)).unwrap_or_default(),
            ]
        })
        .collect();
    out.extend(people::said(report).iter().map(|line| format!("- {}\n", escape(line))));
    if report.procedure.is_some() {
        out.push('\n');
    }
    if !people::any(&report.steps) {
        return table(out, &["Step", "Outcome", "Started", "Finished", "What was seen"], &rows);
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .zip(&report.steps)
        .map(|(mut row, step)| {
            let owner =
                step.owner.iter().chain(&step.role).map(String::as_str).collect::<Vec<_>>().join(", ");
            row.extend([escape(&people::timed(step)), escape(&owner), escape(&people::who(step))]);
            row
        })
        .collect();
    let head = ["Step", "Outcome", "Started", "Finished", "What was seen", "Took", "Owner", "Who said so"];
    table(out, &head, &rows);
}

fn lists(out: &mut String, report: &Report) {
    if !report.undo.complete {
        out.push_str(&format!("**Not put back**; `firedrill recover {}`, or by hand:\n\n", report.run));
        out.extend(report.undo.left.iter().map(|left| format!("- {}\n", escape(left))));
        out.push('\n');
    }
    for rail in report.safety.guardrails.iter().filter(|rail| rail.tripped_at.is_some()) {
        let because = rail.because.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        out.push_str(&format!("**Stopped by a guardrail**: {}{}\n\n", escape(&rail.rule), escape(&because)));
    }
    let open: Vec<String> = report.safety.reservations().map(unsure).collect();
    if !open.is_empty() {
        out.push_str("Permissions that were not found to be granted:\n\n");
        out.extend(open.iter().map(|line| format!("- {line}\n")));
        out.push('\n');
    }
    if !report.notes.is_empty() {
        out.push_str("Notes:\n\n");
        out.extend(report.notes.iter().map(|note| format!("- {}\n", escape(note))));
        out.push('\n');
    }
}

fn unsure(one: &PermissionReport) -> String {
    let answer = one.answer.replace('_', " ");
    format!("`{}`: {answer}, {}", code(&one.action), escape(&one.because))
}

fn foot(out: &mut String, report: &Report) {
    let evidence = &report.evidence;
    out.push_str(&format!(
        "<sub>run `{}` · firedrill {} · seed {} · {} · experiment `{}` · journal `{}`</sub>\n",
        code(&report.run),
        escape(&evidence.firedrill),
        report.seed,
        words::counted(evidence.samples, "sample", "samples"),
        short(&evidence.experiment_sha256),
        short(&evidence.journal_sha256),
    ));
}

fn short(hash: &str) -> String {
    code(&hash.chars().take(12).collect::<String>())
}

fn table(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len())));
    for row in rows {
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    out.push('\n');
}

/// Text in which nothing is markup. `@` is kept from naming a person by a word joiner.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in facts::clean(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Text for a code span, where nothing can be escaped: what could end it is replaced.
fn code(text: &str) -> String {
    let alike = |c| match c {
        '`' => '\'',
        '|' => '¦',
        '<' => '‹',
        '>' => '›',
        c => c,
    };
    facts::clean(text).chars().map(alike).collect()
}
