use super::*;
use crate::run::guardrail::Watch;
use crate::sample::{Cause, Class};

#[path = "guardrail_tests.rs"]
mod rails;

fn elapsed(limit: u64, undo_within: Option<u64>) -> Watch {
    Watch::Elapsed { limit: Duration::from_secs(limit), undo_within: undo_within.map(Duration::from_secs) }
}

fn script(steps: &[&str]) -> Script {
    Script {
        steps: steps
            .iter()
            .enumerate()
            .map(|(i, name)| ScriptStep {
                name: (*name).to_owned(),
                after: if i == 0 { vec![] } else { vec![i - 1] },
                go_on_after_failure: false,
                by_hand: false,
            })
            .collect(),
        probes: vec![ScriptProbe {
            name: "web".to_owned(),
            every: Duration::from_millis(100),
            deadline: Duration::from_secs(2),
            must_stay_up: false,
        }],
        steady_state: SteadyState { watch: 2.0, availability: 1.0 },
        recovery: Recovery { confirm: 3.0, within: 60.0, observe: 0.0 },
        guardrails: vec![],
        measure_from: None,
        dry_run: false,
    }
}

/// Drives a conductor through time, a probe sample each 100 ms.
struct Drive {
    conductor: Conductor,
    now: u64,
    log: Vec<(u64, Decision)>,
}

impl Drive {
    fn new(script: Script) -> Drive {
        let mut conductor = Conductor::new(script);
        let log = conductor.begin(Moment::ZERO).into_iter().map(|d| (0, d)).collect();
        Drive { conductor, now: 0, log }
    }

    fn push(&mut self, input: Input) {
        let now = Moment(self.now * 1_000_000);
        let decisions = self.conductor.handle(now, input);
        self.log.extend(decisions.into_iter().map(|d| (self.now, d)));
    }

    /// Samples of `class` until `until` milliseconds.
    fn samples(&mut self, until: u64, class: Class) {
        while self.now < until {
            let at = Moment(self.now * 1_000_000);
            self.push(Input::Sample(Sample {
                probe: 0,
                seq: (self.now / 100) as u32,
                scheduled: at,
                sent: at,
                done: at,
                class,
                cause: Cause::None,
                ..Sample::default()
            }));
            self.push(Input::Tick);
            self.now += 100;
        }
    }

    fn step_done(&mut self, step: usize) {
        self.push(Input::StepFinished { step, outcome: StepOutcome::Done, detail: None });
    }

    fn at(&self, decision: &Decision) -> Option<u64> {
        self.log.iter().find(|(_, seen)| seen == decision).map(|(at, _)| *at)
    }

    fn entered(&self, phase: Phase) -> Option<u64> {
        self.at(&Decision::Record(EventKind::PhaseEntered { phase }))
    }

    fn ending(&self) -> Option<&Ending> {
        self.log.iter().find_map(|(_, d)| if let Decision::Finish(ending) = d { Some(ending) } else { None })
    }
}

#[test]
fn a_drill_goes_through_its_phases_in_order() {
    let mut drive = Drive::new(script(&["break it"]));
    drive.samples(2500, Class::Ok);
    assert_eq!(drive.at(&Decision::Start(0)), Some(2000));
    drive.push(Input::FaultSent { step: 0 });
    drive.samples(4000, Class::FailFast);
    drive.step_done(0);
    assert_eq!(drive.entered(Phase::Recovery), Some(4000));
    drive.samples(12_000, Class::Ok);
    // Good from 4.0 s, confirmed for 3 s, and one deadline more.
    assert_eq!(drive.entered(Phase::Observation), Some(9000));
    assert_eq!(drive.at(&Decision::ReadLedgers), Some(9000));
    drive.push(Input::LedgersRead);
    assert!(drive.at(&Decision::Undo).is_some());
    drive.push(Input::UndoFinished);
    assert_eq!(drive.ending(), Some(&Ending::Completed));
}

#[test]
fn an_unhealthy_start_touches_nothing() {
    let mut drive = Drive::new(script(&["break it"]));
    drive.samples(1000, Class::Ok);
    drive.samples(1100, Class::Timeout);
    drive.samples(6000, Class::Ok);
    assert_eq!(drive.at(&Decision::Start(0)), None);
    drive.push(Input::UndoFinished);
    assert!(matches!(drive.ending(), Some(Ending::Untouched { because }) if because.contains("web showed")));
}

#[test]
fn recovery_is_not_confirmed_while_the_fault_may_still_take_hold() {
    let mut drive = Drive::new(script(&["break it"]));
    drive.samples(2500, Class::Ok);
    drive.push(Input::FaultSent { step: 0 });
    drive.samples(10_000, Class::Ok);
    assert_eq!(drive.entered(Phase::Recovery), None, "the step is still under way");
    drive.step_done(0);
    drive.samples(16_000, Class::Ok);
    assert_eq!(drive.entered(Phase::Observation), Some(15_000));
}

#[test]
fn recovery_that_does_not_come_is_given_up() {
    let mut drive = Drive::new(script(&["break it"]));
    drive.samples(2500, Class::Ok);
    drive.push(Input::FaultSent { step: 0 });
    drive.step_done(0);
    drive.samples(70_000, Class::FailFast);
    assert_eq!(drive.entered(Phase::FinalRead), Some(62_500));
    let timed_out = Decision::Record(EventKind::RecoveryTimedOut { probes: vec!["web".to_owned()] });
    assert_eq!(drive.at(&timed_out), Some(62_500));
}

#[test]
fn a_failed_step_skips_the_rest_and_undoes() {
    let mut drive = Drive::new(script(&["break it", "break more"]));
    drive.samples(2500, Class::Ok);
    drive.push(Input::FaultSent { step: 0 });
    drive.push(Input::StepFinished {
        step: 0,
        outcome: StepOutcome::Failed,
        detail: Some("refused".to_owned()),
    });
    assert_eq!(drive.at(&Decision::Start(1)), None);
    assert!(drive.at(&Decision::ReadLedgers).is_some());
    drive.push(Input::LedgersRead);
    drive.push(Input::UndoFinished);
    assert_eq!(drive.ending(), Some(&Ending::Failed { because: "step `break it`: refused".to_owned() }));
}

#[test]
fn an_abort_stops_the_steps_and_undoes_at_once() {
    let mut drive = Drive::new(script(&["break it", "break more"]));
    drive.samples(2500, Class::Ok);
    drive.push(Input::FaultSent { step: 0 });
    drive.push(Input::Abort { by: "Ctrl-C".to_owned() });
    let order: Vec<&Decision> = drive
        .log
        .iter()
        .map(|(_, d)| d)
        .filter(|d| matches!(d, Decision::StopSteps | Decision::StopProbing | Decision::Undo))
        .collect();
    assert_eq!(order, [&Decision::StopSteps, &Decision::StopProbing, &Decision::Undo]);
    drive.push(Input::Abort { by: "Ctrl-C".to_owned() });
    drive.push(Input::UndoFinished);
    assert_eq!(drive.ending(), Some(&Ending::Aborted { by: "Ctrl-C".to_owned() }));
}

#[test]
fn a_probe_that_must_stay_up_stops_the_run() {
    let mut script = script(&["break it"]);
    script.probes[0].must_stay_up = true;
    let mut drive = Drive::new(script);
    drive.samples(2500, Class::Ok);
    drive.push(Input::FaultSent { step: 0 });
    drive.samples(2700, Class::FailFast);
    assert_eq!(drive.at(&Decision::Undo), None, "two bad samples are a blip");
    drive.samples(3000, Class::FailFast);
    assert_eq!(drive.at(&Decision::Undo), Some(2700));
}

#[test]
fn guardrails_trip_on_time_and_on_a_long_outage() {
    let mut long = script(&["break it"]);
    long.guardrails = vec![Guardrail { rule: "elapsed: 4s".to_owned(), watch: elapsed(4, None) }];
    let mut drive = Drive::new(long);
    drive.samples(5000, Class::Ok);
    assert_eq!(drive.at(&Decision::Undo), Some(4000));

    let mut down = script(&["break it"]);
    down.guardrails = vec![Guardrail {
        rule: "web down_for: 5s".to_owned(),
        watch: Watch::DownFor { probe: 0, limit: Duration::from_secs(5) },
    }];
    let mut drive = Drive::new(down);
    drive.samples(2500, Class::Ok);
    drive.push(Input::FaultSent { step: 0 });
    drive.samples(9000, Class::FailFast);
    assert_eq!(drive.at(&Decision::Undo), Some(7500));
}

#[test]
fn a_dry_run_rehearses_the_steps_and_waits_for_no_recovery() {
    let mut dry = script(&["break it"]);
    dry.dry_run = true;
    let mut drive = Drive::new(dry);
    drive.samples(2500, Class::Ok);
    drive.push(Input::StepFinished { step: 0, outcome: StepOutcome::Skipped, detail: None });
    assert!(drive.at(&Decision::ReadLedgers).is_some());
    assert_eq!(drive.entered(Phase::Recovery), None);
}

#[test]
fn steps_with_nothing_before_them_start_together() {
    let mut both = script(&["a", "b", "c"]);
    both.steps[1].after = vec![];
    both.steps[2].after = vec![0, 1];
    let mut drive = Drive::new(both);
    drive.samples(2500, Class::Ok);
    assert_eq!(drive.at(&Decision::Start(1)), Some(2000));
    drive.step_done(0);
    assert_eq!(drive.at(&Decision::Start(2)), None);
    drive.step_done(1);
    assert!(drive.at(&Decision::Start(2)).is_some());
}
