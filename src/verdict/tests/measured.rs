//! Which recovery time the target means, and how much of an error budget may be spent.

use super::*;

fn rto_counted(measured: RtoMeasured) -> Objective {
    let mut record = drill();
    record.header.objectives.rto_measured = measured;
    objective(&build(&record), "rto", "storefront", "s").clone()
}

#[test]
fn the_target_is_held_against_the_recovery_time_that_it_names() {
    let call = rto_counted(RtoMeasured::FromInjection).observed.unwrap();
    let failure = rto_counted(RtoMeasured::FromFirstFailure);
    assert!(failure.because.contains("again 1.89–2.11 s after its first failure"), "{}", failure.because);
    assert!(failure.observed.unwrap().hi < call.hi);
    let down = rto_counted(RtoMeasured::TotalDown);
    assert!(down.because.contains("was down for 1.89–2.11 s in all"), "{}", down.because);
    let full = rto_counted(RtoMeasured::FullRecovery);
    assert!(full.because.contains("served as much as before"), "{}", full.because);
    assert_eq!((full.observed, full.verdict), (Some(call), Verdict::Pass));
}

#[test]
fn full_recovery_without_a_baseline_cannot_be_said() {
    let mut record = drill();
    record.header.objectives =
        Objectives { rto: Some(5.0), rto_measured: RtoMeasured::FullRecovery, ..Objectives::default() };
    record.samples.retain(|sample| sample.sent.secs() > 9.5);
    let report = build(&record);
    let rto = objective(&report, "rto", "storefront", "s");
    assert_eq!((rto.verdict, rto.observed), (Verdict::Inconclusive, None));
    assert!(rto.because.contains("too few answers before the fault"), "{}", rto.because);
}

#[test]
fn an_error_budget_is_spent_in_part_or_not() {
    // 2 s of outage, of the 2592 s that 99.9 % of 30 days allow.
    for (spend_at_most, verdict) in
        [(0.1, Verdict::Pass), (0.0001, Verdict::Fail), (2.0 / 2592.0, Verdict::Fail)]
    {
        let mut record = drill();
        record.header.objectives = Objectives {
            error_budget: Some(ErrorBudget {
                slo: 0.999,
                over: 2_592_000.0,
                spend_at_most,
                time_slice: None,
            }),
            ..Objectives::default()
        };
        if spend_at_most > 0.0005 && spend_at_most < 0.1 {
            // One bad sample more than the budget allows.
            let more = record.samples.iter_mut().filter(|sample| sample.sent.secs() > 25.0);
            more.step_by(100).take(2).for_each(|sample| sample.class = Class::FailFast);
        }
        let report = build(&record);
        let spent = objective(&report, "error_budget", "storefront", "budget");
        assert_eq!(spent.verdict, verdict, "{}", spent.because);
        assert!(spent.because.contains("of the error budget of 99.9 % over 30 d"), "{}", spent.because);
        assert!(report.objectives.iter().all(|objective| objective.name == "error_budget"));
    }
}
