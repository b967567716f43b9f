//! From measures to the report: recovery, states and the error budget of one probe.

use std::collections::BTreeMap;

use crate::journal::Record;
use crate::measure::budget::Budget;
use crate::measure::outage::{Basis, Outage};
use crate::measure::service::{Recovery, State, States};
use crate::measure::{Interval, Measures};
use crate::report::{
    BudgetReport, LeastReport, PageReport, RecoveryReport, SliceReport, StateSpan, StatesReport, WorstReport,
};
use crate::run::event::RtoMeasured;
use crate::timeline::Timeline;

/// How each second was for the probe at a position, and what it says of the error budget.
pub(super) fn seen(measures: &Measures, at: usize) -> (StatesReport, Option<BudgetReport>) {
    let states = measures.states.get(at).map(states).unwrap_or_default();
    (states, measures.budgets.get(at).and_then(Option::as_ref).map(budget))
}

/// Who saw the longest recovery, by the definition that the target is held against.
pub(super) fn worst(record: &Record, timeline: &Timeline, measures: &Measures) -> Option<WorstReport> {
    timeline.fault.as_ref()?;
    let measured = record.header.objectives.rto_measured;
    let by = |recovery: &Recovery| match measured {
        RtoMeasured::FromInjection => Some(recovery.from_injection),
        RtoMeasured::FromFirstFailure => Some(recovery.from_first_failure),
        RtoMeasured::TotalDown => Some(recovery.total_down),
        RtoMeasured::FullRecovery => recovery.full,
    };
    let longest = |seconds: &Interval| (seconds.hi.unwrap_or(f64::INFINITY), seconds.lo);
    let found = timeline.tracks.iter().zip(&measures.services).filter(|(track, _)| !track.facts.must_stay_up);
    let found = found.filter_map(|(track, service)| Some((track, service.recovery.as_ref().and_then(by)?)));
    // Of two that are alike the first one is named.
    let worst = found.reduce(|a, b| {
        let (a_long, b_long) = (longest(&a.1), longest(&b.1));
        if b_long > a_long { b } else { a }
    });
    Some(WorstReport {
        measured: measured.name().to_owned(),
        worst_observer: worst.map(|(track, _)| track.facts.name.clone()),
    })
}

pub(super) fn recovery(recovery: &Recovery) -> RecoveryReport {
    RecoveryReport {
        from_injection: recovery.from_injection,
        from_first_failure: recovery.from_first_failure,
        from_detection: recovery.from_detection,
        total_down: recovery.total_down,
        full_recovery: recovery.full,
    }
}

pub(super) fn least(outage: &Outage) -> LeastReport {
    LeastReport {
        safe: outage.least.safe,
        issue: outage.least.issue,
        used: match outage.basis {
            Basis::Issue => "issue",
            Basis::Outcome => "safe",
        }
        .to_owned(),
    }
}

fn states(states: &States) -> StatesReport {
    let seconds: BTreeMap<String, u64> =
        State::ALL.iter().map(|state| (state.name().to_owned(), states.count(*state))).collect();
    let spans = states.spans.iter().filter(|span| span.2 != State::Up);
    StatesReport {
        seconds,
        spans: spans
            .map(|(from, to, state)| StateSpan {
                from: f64::from(*from),
                to: f64::from(*to),
                state: state.name().to_owned(),
            })
            .collect(),
        falls: states.falls,
        flapping: states.flapping,
    }
}

fn budget(budget: &Budget) -> BudgetReport {
    let declared = &budget.declared;
    BudgetReport {
        slo: declared.slo,
        over: declared.over,
        spent: budget.spent,
        slices: budget.slices.zip(declared.time_slice).map(|(found, slice)| SliceReport {
            window: slice.window,
            target: slice.target,
            good: found.good,
            bad: found.bad,
            unknown: found.unknown,
        }),
        pages: budget
            .pages
            .iter()
            .map(|page| PageReport {
                burn_rate: page.burn,
                long: page.long,
                short: page.short,
                needs: page.needs,
                highest: page.highest,
                fired_at: page.fired,
            })
            .collect(),
    }
}
