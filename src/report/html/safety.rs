//! What guarded the run: guardrails, and what its caller was allowed to do.

use maud::{Markup, html};

use super::parts::{said, sign, table, text};
use crate::report::facts::{Origin, clean};
use crate::report::{Report, SafetyReport, safety::PermissionReport, words};

pub(super) fn section(report: &Report, origin: Origin) -> Markup {
    let safety = &report.safety;
    html! {
        @if !safety.guardrails.is_empty() || !safety.permissions.is_empty() {
            section {
                h2 { "What guarded the run" }
                (guardrails(safety, origin))
                (permissions(safety))
            }
        }
    }
}

fn guardrails(safety: &SafetyReport, origin: Origin) -> Markup {
    html! {
        @if safety.guardrails.is_empty() {
            p.quiet { "The experiment names no guardrail." }
        } @else {
            ul.checks {
                @for rail in &safety.guardrails {
                    @match rail.tripped_at {
                        Some(at) => li.fail {
                            (sign("fail"))
                            span {
                                strong { "Stopped the run at " (origin.wall(at)) " UTC: " } (clean(&rail.rule))
                                @if let Some(because) = &rail.because { span.why { (clean(because)) } }
                            }
                        }
                        None => li.pass { (sign("pass")) span { (clean(&rail.rule)) span.why { "did not stop the run" } } }
                    }
                }
            }
        }
    }
}

fn permissions(safety: &SafetyReport) -> Markup {
    let all = safety.permissions.len();
    let open: Vec<&PermissionReport> = safety.reservations().collect();
    let row = |one: &PermissionReport| {
        vec![
            html! { code { (clean(&one.action)) } },
            said(&one.resources.join(", ")),
            said(one.step.as_deref().unwrap_or("what watches")),
            html! { (clean(&one.answer.replace('_', " "))) @if one.optional { " (can be done without)" } },
            said(&one.because),
        ]
    };
    let columns = [text("IAM action"), text("On"), text("Needed by"), text("Answer"), text("Known by")];
    html! {
        @if all > 0 {
            h3 { "Permissions, asked before anything was touched" }
            @if open.is_empty() {
                p { "All " (words::count(all as u64)) " that the drill needs were granted." }
            } @else {
                p { (words::count((all - open.len()) as u64)) " of " (words::count(all as u64)) " that the drill needs were found to be granted." }
                (table(&columns, &open.iter().map(|one| row(one)).collect::<Vec<_>>()))
            }
            details {
                summary { "Every permission" }
                (table(&columns, &safety.permissions.iter().map(row).collect::<Vec<_>>()))
            }
        }
    }
}
