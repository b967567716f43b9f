//! Interlocks: what an environment demands before anything in it is changed.
//!
//! Everything here only looks. Each rule that does not hold is a [`Refusal`] that names the rule, where it is
//! written, and what to do.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use jiff::Timestamp;

use self::approval::{Person, Tally};
use crate::aws::find::Found;
use crate::aws::marks::{self, Marked};
use crate::aws::{Aws, Fault};
use crate::plan::{Doing, Plan};
use crate::spec::environment::{Environment, LAB};
use crate::spec::interlock::{Interlocks, Limits, Override, Rule};

pub mod approval;
pub mod calendar;
pub mod ourselves;

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's key, such as `windows`.
    pub rule: &'static str,
    /// Where it is written.
    pub place: String,
    /// What does not hold.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interlock `{}` ({}): {}", self.rule, self.place, self.what)
    }
}

/// What a step acts on.
struct Acted<'p> {
    step: &'p str,
    target: &'p str,
    found: &'p Found,
}

fn acted(plan: &Plan) -> Vec<Acted<'_>> {
    let acting = plan.steps.iter().filter_map(|step| match &step.doing {
        Doing::Action(planned) => Some((step, planned)),
        Doing::Program(_) | Doing::Ask(_) | Doing::Wait(_) | Doing::WaitUntil(_) => None,
    });
    acting
        .map(|(step, planned)| {
            let target = planned.action.target().value.as_str();
            Acted { step: &step.name, target, found: &planned.found }
        })
        .collect()
}

/// Holds what a plan acts on against the environment's rules about resources: `protected`, `opt_in`, `limits`,
/// and that firedrill does not take away what it stands on itself.
///
/// # Errors
/// The tags of a resource could not be read: what is not known is not acted on.
pub async fn of_targets(
    environment: &Environment,
    plan: &Plan,
    aws: Option<&Aws>,
) -> Result<Vec<Refusal>, Fault> {
    let rules = &environment.interlocks;
    let acted = acted(plan);
    let mut refusals = rules.limits.as_ref().map(|limits| of_limits(limits, &acted)).unwrap_or_default();
    let (Some(aws), false) = (aws, acted.is_empty()) else { return Ok(refusals) };
    let hosted = acted.iter().any(|acted| {
        let kind = acted.found.kind();
        kind.starts_with("ec2.") || kind.starts_with("ecs.")
    });
    let ourselves = match hosted && environment.name != LAB {
        true => ourselves::look().await,
        false => ourselves::Ourselves::default(),
    };
    let mut seen = BTreeSet::new();
    for acted in &acted {
        // Several steps may act on one target, which is looked up once.
        if !seen.insert((acted.target, acted.found.ids())) {
            continue;
        }
        let marked = marks::marks(aws, acted.found).await?;
        refusals.extend(of_tags(rules, acted.step, acted.found, &marked));
        let own = ourselves::stands_on(&ourselves, environment, &marked);
        refusals.extend(own.into_iter().map(|what| Refusal {
            rule: "own path",
            place: "always holds".to_owned(),
            what: format!("step `{}`: {what}", acted.step),
            help:
                "run firedrill from elsewhere, reach AWS by another way, or choose other targets".to_owned(),
        }));
    }
    Ok(refusals)
}

fn of_limits(limits: &Rule<Limits>, acted: &[Acted<'_>]) -> Vec<Refusal> {
    let refusal = |what: String, help: &str| Refusal {
        rule: "limits",
        place: limits.place.clone(),
        what,
        help: help.to_owned(),
    };
    let mut refusals = Vec::new();
    let all: BTreeSet<(&str, String)> = acted
        .iter()
        .flat_map(|acted| acted.found.ids().into_iter().map(|id| (acted.found.kind(), id)))
        .collect();
    if let Some(most) = limits.is.targets.filter(|most| all.len() > *most as usize) {
        refusals.push(refusal(
            format!("the steps act on {} resources, and `targets` allows {most}", all.len()),
            "pick fewer: `pick: { count: 1 }` in the target",
        ));
    }
    let mut said = BTreeSet::new();
    for Acted { target, found, .. } in acted {
        let Some(percent) = limits.is.percent else { break };
        let most = (found.candidates * percent as usize).div_ceil(100);
        if found.resources.len() > most && said.insert(*target) {
            let (chosen, of) = (found.resources.len(), found.candidates);
            refusals.push(refusal(
                format!(
                    "target `{target}`: {chosen} of {of} that match are chosen, and `percent: {percent}` allows {most}"
                ),
                "pick fewer: `pick: { percent: … }` in the target",
            ));
        }
    }
    refusals
}

fn of_tags(rules: &Interlocks, step: &str, found: &Found, marked: &[Marked]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let nothing = Marked::default();
    for id in found.ids() {
        // One that did not come with its marks carries none: protected by nothing, and opted in by nothing.
        let marked = marked.iter().find(|marked| marked.id == id);
        if marked.is_none() {
            refusals.push(Refusal {
                rule: "protected",
                place: rules.protected.place.clone(),
                what: format!("step `{step}`: the tags of {id} cannot be read: it is gone"),
                help: "plan again: the victims may be others by now".to_owned(),
            });
        }
        let marked = marked.unwrap_or(&nothing);
        for (key, value) in rules.protected.is.iter().filter(|(key, value)| marked.carries(key, value)) {
            refusals.push(Refusal {
                rule: "protected",
                place: rules.protected.place.clone(),
                what: format!("step `{step}`: {id}, or what it is part of, carries the tag `{key}: {value}`"),
                help: "choose other targets, or ask whoever tagged it to take the tag off".to_owned(),
            });
        }
        let Some(opt_in) = &rules.opt_in else { continue };
        for (key, value) in opt_in.is.iter().filter(|(key, value)| !marked.carries(key, value)) {
            refusals.push(Refusal {
                rule: "opt_in",
                place: opt_in.place.clone(),
                what: format!("step `{step}`: {id} does not carry the tag `{key}: {value}`"),
                help: "choose targets that carry it, or have their owner tag them".to_owned(),
            });
        }
    }
    refusals
}

/// Until when things may be changed, and what is to be written down about that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// When the window closes.
    pub closes: Option<Timestamp>,
    /// That it was overridden, and why.
    pub note: Option<String>,
}

/// Holds an instant against the environment's windows and freezes. `reason` is why they should be overridden.
///
/// # Errors
/// The rule that does not hold.
pub fn of_time(rules: &Interlocks, now: Timestamp, reason: Option<&str>) -> Result<Open, Refusal> {
    let shut = match calendar::standing(rules, now) {
        Ok(closes) => return Ok(Open { closes, note: None }),
        Err(shut) => shut,
    };
    let opens = match shut.opens {
        Some(opens) => format!("it opens at {}", calendar::told(rules, opens)),
        None => "it does not open within a year".to_owned(),
    };
    let refusal = |help: String| {
        Err(Refusal { rule: shut.rule, place: shut.place.clone(), what: shut.why.clone(), help })
    };
    match (rules.r#override, reason.map(str::trim)) {
        (Override::Allowed, Some(reason)) if !reason.is_empty() => {
            let note = format!(
                "interlock `{}` ({}) overridden: {}. Reason: {reason}",
                shut.rule, shut.place, shut.why
            );
            Ok(Open { closes: None, note: Some(note) })
        }
        (Override::Allowed, _) => {
            refusal(format!("{opens}; --outside-window REASON overrides it, and is journalled"))
        }
        (Override::Never, Some(_)) => refusal(format!(
            "{opens}; --outside-window counts only in an environment that says `override: allowed`"
        )),
        (Override::Never, None) => refusal(opens),
    }
}

/// Holds the approvals beside a frozen plan (its path and SHA-256) against what the environment demands. Gives
/// what is to be written down about them.
///
/// # Errors
/// The rule that does not hold.
pub fn of_people(
    rules: &Interlocks,
    plan: Option<(&Path, &str)>,
    runner: &Person,
    now: Timestamp,
) -> Result<Option<String>, Refusal> {
    let Some(rule) = &rules.approvals else { return Ok(None) };
    let people = if rule.is == 1 { "1 person".to_owned() } else { format!("{} people", rule.is) };
    let refusal = |what: String, help: String| {
        Err(Refusal { rule: "approvals", place: rule.place.clone(), what, help })
    };
    let Some((path, sha256)) = plan else {
        return refusal(
            format!("{people} beside the one who runs must approve the plan, and this is no frozen plan"),
            "freeze it: firedrill plan FILE --env ENV -o plan.json; approve it: firedrill approve plan.json --by \
             NAME; then: firedrill run plan.json"
                .to_owned(),
        );
    };
    let approve = format!("have it approved: firedrill approve {} --by NAME", path.display());
    let found = match approval::read_all(path) {
        Ok(found) => found,
        Err(error) => {
            return refusal(format!("the approvals beside the plan cannot be read: {error}"), approve);
        }
    };
    let tally: Tally = approval::tally(found, sha256, runner, (now, rules.approval_valid));
    if tally.counted.len() < usize::from(rule.is) {
        let refused: String = tally.refused.iter().map(|why| format!("\n  does not count: {why}")).collect();
        let what = format!(
            "{people} beside {runner} must approve the plan, and {} did{refused}",
            tally.counted.len()
        );
        return refusal(what, approve);
    }
    Ok(Some(format!("plan {sha256} approved by {}; run by {runner}", approval::names(&tally))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::find::{Resource, Target};
    use crate::aws::target::EcsService;

    fn found(chosen: usize, candidates: usize) -> Found {
        let target = Target::EcsService(EcsService { cluster: "c".to_owned(), service: "s".to_owned() });
        let resources =
            (0..chosen).map(|n| Resource { id: format!("r-{n}"), ..Resource::default() }).collect();
        Found { target, scope: None, resources, candidates }
    }

    fn limited(targets: Option<u32>, percent: Option<u32>, found: &[Found]) -> Vec<String> {
        let rule = Rule { is: Limits { targets, percent }, place: "firedrill.yaml:9".to_owned() };
        let acted: Vec<Acted<'_>> =
            found.iter().map(|found| Acted { step: "s", target: "t", found }).collect();
        of_limits(&rule, &acted).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn limits_count_each_resource_once_and_round_up() {
        let twice = [found(2, 4), found(2, 4)];
        assert_eq!(limited(Some(2), Some(50), &twice), Vec::<String>::new());
        assert_eq!(
            limited(Some(1), None, &twice),
            ["interlock `limits` (firedrill.yaml:9): the steps act on 2 resources, and `targets` allows 1"]
        );
        assert_eq!(
            limited(None, Some(25), &twice),
            [
                "interlock `limits` (firedrill.yaml:9): target `t`: 2 of 4 that match are chosen, and `percent: 25` allows 1"
            ]
        );
        assert_eq!(limited(None, Some(1), &[found(1, 1)]), Vec::<String>::new(), "one of one is allowed");
    }

    fn tagged(rules: &Interlocks, tags: &[(&str, &str)]) -> Vec<&'static str> {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let marked = Marked { id: "r-0".to_owned(), tags, ..Marked::default() };
        of_tags(rules, "s", &found(1, 1), &[marked]).iter().map(|refusal| refusal.rule).collect()
    }

    #[test]
    fn one_protecting_tag_is_enough_and_every_opt_in_tag_is_needed() {
        let standard = Interlocks::default();
        assert_eq!(tagged(&standard, &[("firedrill", "never")]), ["protected"]);
        assert_eq!(tagged(&standard, &[("firedrill", "always"), ("never", "firedrill")]), [""; 0]);
        let both = [("drill", "yes"), ("tier", "web")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let opt_in = Some(Rule { is: both.into_iter().collect(), place: String::new() });
        let strict = Interlocks { opt_in, ..Interlocks::default() };
        assert_eq!(tagged(&strict, &[("drill", "yes")]), ["opt_in"]);
        assert_eq!(tagged(&strict, &[("drill", "yes"), ("tier", "web")]), [""; 0]);
        assert_eq!(tagged(&strict, &[]), ["opt_in", "opt_in"]);
    }

    #[test]
    fn a_resource_whose_tags_are_not_known_is_refused() {
        let refusals = of_tags(&Interlocks::default(), "s", &found(1, 1), &[]);
        assert!(refusals.len() == 1 && refusals[0].what.contains("cannot be read"), "{refusals:?}");
    }

    #[test]
    fn a_window_is_overridden_only_with_a_reason_where_that_is_allowed() {
        let place = "firedrill.yaml:4".to_owned();
        let day = "2026-11-21".parse().expect("a date");
        let freeze = Some(Rule { is: vec![crate::spec::interlock::Freeze { from: day, to: day }], place });
        let mut rules = Interlocks { freeze, ..Interlocks::default() };
        let now = "2026-11-21T10:00:00Z".parse().expect("a time");
        let refused = of_time(&rules, now, Some("an audit")).expect_err("never");
        assert!(refused.help.contains("override: allowed"), "{refused:?}");
        rules.r#override = Override::Allowed;
        for reason in [None, Some(" ")] {
            let refused = of_time(&rules, now, reason).expect_err("no reason");
            assert!(refused.help.starts_with("it opens at Sun 2026-11-22 00:00 UTC"), "{refused:?}");
        }
        let open = of_time(&rules, now, Some("an audit")).expect("overridden");
        assert_eq!(
            open.note.as_deref(),
            Some(
                "interlock `freeze` (firedrill.yaml:4) overridden: changes are frozen on 2026-11-21 (UTC). Reason: an audit"
            )
        );
    }
}
