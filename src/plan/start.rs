//! What must hold before anything is touched, whatever the steps do: the alarms, and the time for the undo.

use super::PlanError;
use crate::aws::cloudwatch::{self, Alarm};
use crate::aws::{Aws, Fault};
use crate::notation::units::show;
use crate::run::event::{PlannedStep, Precondition};
use crate::spec::experiment::{Experiment, Guardrail};
use crate::watch;

/// Looks at the alarms that the experiment names, and at its times.
///
/// # Errors
/// An alarm that does not exist, or whose state cannot be asked: a guardrail that nobody can read protects nobody.
pub(super) async fn conditions(
    experiment: &Experiment,
    aws: Option<&Aws>,
    steps: &[PlannedStep],
) -> Result<Vec<Precondition>, PlanError> {
    let mut conditions = Vec::new();
    if let Some(aws) = aws {
        let failed = |source| PlanError::StopWhen { source };
        let guardrails = states(aws, &experiment.guardrail_alarms()).await.map_err(failed)?;
        conditions.extend(guardrails.iter().map(guardrail));
        let expected: Vec<String> = experiment.alarms.iter().map(|alarm| alarm.value.clone()).collect();
        let expected = states(aws, &expected).await.map_err(|source| PlanError::Alarms { source })?;
        conditions.extend(expected.iter().map(expected_effect));
    }
    conditions.extend(experiment.stop_when.iter().filter_map(|rule| undo_fits(rule, experiment, steps)));
    Ok(conditions)
}

async fn states(aws: &Aws, names: &[String]) -> Result<Vec<Alarm>, Fault> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    watch::known(aws, names).await?;
    cloudwatch::alarms(aws, names).await
}

fn why(alarm: &Alarm) -> String {
    let reason = alarm.reason.as_deref().filter(|reason| !reason.is_empty());
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

fn guardrail(alarm: &Alarm) -> Precondition {
    let found = match alarm.state.as_str() {
        "ALARM" => format!("it is in ALARM{}: see to what it tells of first", why(alarm)),
        "INSUFFICIENT_DATA" => {
            "it is in INSUFFICIENT_DATA: it may be a quiet metric, or an alarm that can never fire".to_owned()
        }
        state => state.to_owned(),
    };
    let what = format!("the guardrail alarm {} is not firing", alarm.name);
    Precondition { what, holds: alarm.state != "ALARM", found }
}

fn expected_effect(alarm: &Alarm) -> Precondition {
    let firing = alarm.state == "ALARM";
    let found = match firing {
        true => format!("it is in ALARM already{}: nobody could tell the drill's effect from it", why(alarm)),
        false => alarm.state.clone(),
    };
    Precondition { what: format!("the alarm {} has still to fire", alarm.name), holds: !firing, found }
}

/// Whether there is time left for the undo once the steady state was shown.
fn undo_fits(rule: &Guardrail, experiment: &Experiment, steps: &[PlannedStep]) -> Option<Precondition> {
    let Guardrail::Elapsed(rule) = rule else { return None };
    let undone: Vec<&PlannedStep> = steps.iter().filter(|step| step.undo.is_some()).collect();
    if undone.is_empty() {
        return None;
    }
    let usual: f64 = undone.iter().filter_map(|step| step.undo_usual).map(|usual| usual.to).sum();
    let usual = std::time::Duration::try_from_secs_f64(usual).unwrap_or_default();
    let needed = rule.undo_within.unwrap_or(usual);
    let first = experiment.steady_state.r#for;
    let holds = first.saturating_add(needed) < rule.elapsed;
    let how = if rule.undo_within.is_some() { "may take" } else { "usually takes up to" };
    let advice = if holds { "" } else { ": the run would be stopped at once; raise `elapsed`" };
    let found =
        format!("the steady state takes {}, and the undo {how} {}{advice}", show(first), show(needed));
    Some(Precondition {
        what: format!("{} leave time for the drill and its undo", show(rule.elapsed)),
        holds,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(state: &str) -> Alarm {
        Alarm {
            name: "budget".to_owned(),
            state: state.to_owned(),
            reason: Some("crossed".to_owned()),
            updated: None,
        }
    }

    #[test]
    fn only_an_alarm_that_fires_blocks_the_start() {
        assert!(guardrail(&alarm("OK")).holds);
        let quiet = guardrail(&alarm("INSUFFICIENT_DATA"));
        assert!(quiet.holds && quiet.found.contains("INSUFFICIENT_DATA"), "{quiet:?}");
        let firing = guardrail(&alarm("ALARM"));
        assert!(!firing.holds && firing.found.contains("ALARM (crossed)"), "{firing:?}");
        assert!(expected_effect(&alarm("OK")).holds);
        assert!(!expected_effect(&alarm("ALARM")).holds);
    }
}
