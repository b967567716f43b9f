//! What a drill needs to be allowed, step by step, and whether its caller is.

use super::{Doing, Plan, Planned, PlannedAction, Undo};
use crate::aws::permissions::{self, Home, Need, beside, finding, marking, need, resting, spared, watching};
use crate::aws::{Aws, Fault, Identity, WHO_AM_I, cloudwatch};
use crate::run::event::{MayI, PermissionCheck};
use crate::spec::experiment::{self, Experiment};
use crate::watch::Watcher;

/// What to do about a denial.
pub const HELP: &str = "allow it for this identity: `firedrill iam-policy FILE --env ENVIRONMENT` prints a policy with \
                        all that the drill needs";

/// What a drill needs to be allowed.
struct Needs {
    /// For each step in the order of the plan.
    steps: Vec<Vec<Need>>,
    /// For watchers, probes and alarms, as far as no step needs it too.
    beside: Vec<Need>,
}

impl Plan {
    /// Asks AWS whether the caller may do what each step needs, its undo included, and what watches beside.
    /// Changes nothing.
    ///
    /// # Errors
    /// The caller is not told.
    pub async fn check_permissions(&mut self, experiment: &Experiment, aws: &Aws) -> Result<(), Fault> {
        let home = Home::of(&aws.identity().await?, aws.region());
        let needs = self.needs(experiment, &home, aws);
        let all: Vec<Need> = needs.steps.iter().flatten().chain(&needs.beside).cloned().collect();
        let mut once: Vec<Need> = Vec::new();
        for need in all {
            if !once.contains(&need) {
                once.push(need);
            }
        }
        let answers = aws.may(&once).await;
        let answer = |need: &Need| once.iter().position(|one| one == need).map(|at| answers[at].clone());
        for (fact, needs) in self.facts.iter_mut().zip(&needs.steps) {
            fact.permission_checks = needs.iter().filter_map(answer).collect();
        }
        self.permission_checks = needs.beside.iter().filter_map(answer).collect();
        Ok(())
    }

    /// What the drill needs, asking for permissions itself included: for a policy.
    pub fn all_needs(&self, experiment: &Experiment, identity: &Identity, aws: &Aws) -> Vec<Need> {
        let needs = self.needs(experiment, &Home::of(identity, aws.region()), aws);
        let mut all: Vec<Need> = needs.steps.into_iter().flatten().chain(needs.beside).collect();
        all.push(Need::everywhere(WHO_AM_I));
        // Where the caller is no user or role, IAM cannot be asked.
        let principal = permissions::principal(identity, aws.role());
        all.extend(principal.ok().map(|arn| Need::on(permissions::SIMULATE, vec![arn])));
        all
    }

    fn needs(&self, experiment: &Experiment, home: &Home, aws: &Aws) -> Needs {
        let steps: Vec<Vec<Need>> = self.steps.iter().map(|step| of_step(step, home)).collect();
        let mut beside: Vec<Need> = Vec::new();
        let checks = experiment.steps.iter().flat_map(experiment::Step::checks).map(|check| &check.probe);
        let probes = experiment.probes.iter().map(|watch| &watch.probe).chain(checks);
        beside.extend(probes.flat_map(|probe| probe.needs(home)));
        beside.extend(self.watched(home));
        if !experiment.guardrail_alarms().is_empty() {
            beside.push(permissions::beside(cloudwatch::DESCRIBE_ALARMS));
        }
        beside.extend(aws.stop_parameter().map(|name| permissions::parameter(name, home)));
        let mut known: Vec<Need> = steps.iter().flatten().cloned().collect();
        beside.retain(|need| {
            let covered = known.iter().any(|other| covers(other, need));
            if !covered {
                known.push(need.clone());
            }
            !covered
        });
        Needs { steps, beside }
    }

    /// What the watchers need.
    fn watched(&self, home: &Home) -> Vec<Need> {
        let touched: Vec<&PlannedAction> = self.steps.iter().filter_map(action_of).collect();
        let mut needs: Vec<Need> = Vec::new();
        for planned in touched {
            let asked = watching(&planned.found).into_iter();
            needs.extend(asked.map(|action| need(action, &planned.found, home).optional()));
        }
        let facts = self.watchers.iter().map(Watcher::facts).chain(&self.later);
        for action in facts.flat_map(|facts| &facts.permissions) {
            if !needs.iter().any(|need| need.action == *action) {
                needs.push(beside(action));
            }
        }
        needs
    }

    /// What the caller may not do, though the drill needs it: a line each.
    pub(super) fn denied(&self) -> Vec<String> {
        let of_steps = self.facts.iter().flat_map(|fact| {
            let denied = fact.permission_checks.iter().filter(|check| check.stops());
            denied.map(|check| format!("step `{}`: {check}", fact.name))
        });
        let beside = self.permission_checks.iter().filter(|check| check.stops());
        of_steps.chain(beside.map(|check| format!("probes and alarms: {check}"))).collect()
    }

    /// What does not keep the drill from running, and should be known before it does: of what nobody could tell
    /// whether it is allowed, and what is denied and can be done without. A line each.
    pub fn reservations(&self) -> Vec<String> {
        let all =
            || self.facts.iter().flat_map(|fact| &fact.permission_checks).chain(&self.permission_checks);
        let untold = grouped(all().filter(|check| check.answer == MayI::CannotTell)).into_iter();
        let untold =
            untold.map(|(because, actions)| format!("cannot tell whether you may {actions}: {because}"));
        let without = all().filter(|check| check.is_denied() && check.optional);
        untold.chain(without.map(|check| format!("{check}; the drill does without"))).collect()
    }

    /// Whether the caller may not do something that the drill needs.
    pub fn is_denied(&self) -> bool {
        !self.denied().is_empty()
    }
}

/// Reason to actions, in the order in which they are met.
pub(super) fn grouped<'c>(checks: impl Iterator<Item = &'c PermissionCheck>) -> Vec<(String, String)> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for check in checks {
        match groups.iter_mut().find(|(because, _)| *because == check.because) {
            Some((_, actions)) if actions.contains(&check.action.as_str()) => {}
            Some((_, actions)) => actions.push(&check.action),
            None => groups.push((check.because.clone(), vec![&check.action])),
        }
    }
    groups.into_iter().map(|(because, actions)| (because, actions.join(", "))).collect()
}

/// Whether who has one need granted has the other one granted too.
fn covers(one: &Need, other: &Need) -> bool {
    one.action == other.action
        && one.tags == other.tags
        && (one.optional <= other.optional)
        && other.resources.iter().all(|arn| one.resources.contains(arn))
        && other.granted.iter().all(|arn| one.granted.contains(arn))
}

fn action_of(step: &Planned) -> Option<&PlannedAction> {
    match &step.doing {
        Doing::Action(planned) => Some(planned),
        _ => None,
    }
}

fn of_step(step: &Planned, home: &Home) -> Vec<Need> {
    let Some(PlannedAction { action, found }) = action_of(step) else { return Vec::new() };
    let mut names = finding(&found.target);
    names.extend(marking(found));
    let mut own = true;
    for name in action.act().permissions() {
        // An action names its own call before those of its undo.
        let wanted = !permissions::mutates(name) || own || matches!(step.undo, Undo::Own);
        own = own && !permissions::mutates(name);
        if wanted && !names.contains(name) && !spared(name, &found.target) {
            names.push(*name);
        }
    }
    let resting = resting(found).into_iter().filter(|name| !names.contains(name));
    let resting: Vec<Need> = resting.map(|name| need(name, found, home).optional()).collect();
    names.into_iter().map(|name| need(name, found, home)).chain(resting).collect()
}
