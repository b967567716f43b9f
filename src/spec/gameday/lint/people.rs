//! Rules about people: every question can be answered, every step has somebody, everybody is there for something.

use std::collections::HashSet;

use super::drills;
use crate::notation::code::Code;
use crate::notation::decode::{Problem, clip, nearest};
use crate::notation::yaml::Span;
use crate::spec::experiment::{Approval, Does, Experiment};
use crate::spec::gameday::agenda::DrillDraft;
use crate::spec::gameday::draft::Draft;
use crate::spec::gameday::people::{GoNoGo, Message, Moment, Participant};

/// Who takes part, when all of them could be read.
struct Roster<'d>(Vec<&'d Participant>);

impl Roster<'_> {
    fn of(draft: &Draft) -> Option<Roster<'_>> {
        draft.participants.as_ref()?.iter().map(Option::as_ref).collect::<Option<_>>().map(Roster)
    }

    fn roles(&self) -> Vec<&str> {
        self.0.iter().flat_map(|one| &one.role.0).map(String::as_str).collect()
    }

    fn has(&self, role: &str) -> bool {
        self.roles().contains(&role)
    }

    /// How many of them may answer a question that is asked of these roles: of anybody, when there are none.
    fn may_answer(&self, by: &[String]) -> usize {
        self.0.iter().filter(|one| by.is_empty() || one.role.0.iter().any(|role| by.contains(role))).count()
    }

    /// What to do about a role that nobody has.
    fn advice(&self, problem: Problem, role: &str) -> Problem {
        let mut roles = self.roles();
        let mut seen = HashSet::new();
        roles.retain(|role| seen.insert(*role));
        // Either of the two may be the one that is misspelt.
        let near = nearest(role, &roles);
        let who = near.and_then(|near| self.0.iter().find(|one| one.role.0.iter().any(|role| role == near)));
        match (near, who) {
            (Some(near), Some(who)) => problem
                .label(format!("is it `{}` that is meant?", clip(near)))
                .related(who.role.span, "a role that somebody has")
                .help("write the two alike"),
            _ => problem
                .label("nobody takes part in this role")
                .help(format!("there is: {}", roles.join(", "))),
        }
    }
}

pub(super) fn people(draft: &Draft, problems: &mut Vec<Problem>) {
    if let Some(list) = &draft.participants {
        once(list, problems);
    }
    never(draft, problems);
    let Some(roster) = Roster::of(draft) else { return };
    if let Some(Some(asked)) = &draft.go_no_go {
        go_no_go(asked, asked.span, &roster, problems);
    }
    for drill in drills(draft) {
        if let Some(experiment) = drill.found.as_ref().and_then(|found| found.experiment.as_ref()) {
            questions(drill, experiment, &roster, problems);
            steps(drill, experiment, &roster, problems);
        }
    }
}

/// Nobody is named twice: one who has two roles has a list of them.
fn once(list: &[Option<Participant>], problems: &mut Vec<Problem>) {
    let mut seen: Vec<&Participant> = Vec::new();
    for one in list.iter().flatten() {
        match seen.iter().find(|other| other.name.0 == one.name.0) {
            Some(first) => problems.push(
                Problem::new(
                    Code::ParticipantTwice,
                    one.name.span,
                    format!("`{}` is named twice", clip(&one.name.0)),
                )
                .label("again")
                .related(first.name.span, "the first time")
                .help("one who has several roles has a list of them: `role: [scribe, database-owner]`"),
            ),
            None => seen.push(one),
        }
    }
}

fn go_no_go(asked: &GoNoGo, span: Span, roster: &Roster<'_>, problems: &mut Vec<Problem>) {
    if !matches!(asked.when.value, Moment::Before(_) | Moment::Start) {
        problems.push(
            Problem::new(Code::NotAMoment, asked.when.span, "the go/no-go is asked before the first drill")
                .label("expected `at start`, or earlier: `15m before`"),
        );
    }
    let least = asked.at_least.value;
    if least == 0 {
        let problem = Problem::new(Code::NobodyDecides, asked.at_least.span, "somebody must say go");
        return problems.push(problem.label("at least 1"));
    }
    if let Some(by) = &asked.by {
        for role in by.0.iter().filter(|role| !roster.has(role)) {
            let what = format!("`{}` is asked for a go, and no participant has that role", clip(role));
            problems.push(roster.advice(Problem::new(Code::RoleNobodyHas, by.span, what), role));
        }
        if by.0.iter().any(|role| !roster.has(role)) {
            return;
        }
    }
    let by = asked.by.as_ref().map(|by| by.0.as_slice()).unwrap_or_default();
    let able = roster.may_answer(by);
    if able < usize::from(least) {
        let place = asked.at_least.span;
        let place = if place == Span::default() { span } else { place };
        problems.push(
            Problem::new(
                Code::NobodyDecides,
                place,
                format!("{least} must say go, and of those who take part {able} may"),
            )
            .label("the game day could never begin")
            .help("ask fewer, or have more participants with these roles"),
        );
    }
}

/// The questions of a drill can be answered by those who take part. Read aloud, anybody may.
fn questions(drill: &DrillDraft, experiment: &Experiment, roster: &Roster<'_>, problems: &mut Vec<Problem>) {
    if drill.tabletop != Some(false) {
        return;
    }
    for step in &experiment.steps {
        let Does::Approve(Approval { by, at_least, .. }) = &step.does else { continue };
        let able = roster.may_answer(by);
        if able >= usize::from(*at_least) {
            continue;
        }
        let of = if by.is_empty() { String::new() } else { format!(" as {}", by.join(" or ")) };
        let what = format!(
            "`{}` of `{}` waits for a go of {at_least}{of}, and {} may give it",
            clip(&step.name.value),
            clip(drill.name()),
            match able {
                0 => "no participant".to_owned(),
                able => format!("only {able}"),
            },
        );
        problems.push(
            Problem::new(Code::NobodyDecides, drill.named.span, what)
                .label("it would wait until it fails")
                .help("give a participant that role: `role: [incident-commander, …]` may be a list"),
        );
    }
}

/// The steps that people carry out have somebody of their role.
fn steps(drill: &DrillDraft, experiment: &Experiment, roster: &Roster<'_>, problems: &mut Vec<Problem>) {
    let mut told: HashSet<&str> = HashSet::new();
    let mut missing: Vec<(&str, &str)> = Vec::new();
    for step in &experiment.steps {
        let by = match &step.does {
            Does::Approve(approval) if drill.tabletop == Some(true) => approval.by.as_slice(),
            _ => &[],
        };
        // Of the roles that may decide one is enough.
        let by = if by.iter().any(|role| roster.has(role)) { &[] } else { by };
        for role in step.role.iter().chain(by) {
            let role = role.trim();
            if !roster.has(role) && told.insert(role) {
                missing.push((role, step.name.value.as_str()));
            }
        }
    }
    for (role, step) in missing {
        let what = format!("`{}` of `{}` is for `{}`", clip(step), clip(drill.name()), clip(role));
        let problem = Problem::new(
            Code::StepForNobody,
            drill.named.span,
            format!("{what}, and no participant has that role"),
        );
        problems.push(roster.advice(problem, role).warning());
    }
}

/// Every message has a time that can come.
fn never(draft: &Draft, problems: &mut Vec<Problem>) {
    if !matches!(draft.go_no_go, Some(None)) {
        return;
    }
    let messages = draft.communication.iter().flatten().flatten();
    for message in messages.filter(|message| message.when.value == Moment::NoGo) {
        problems.push(
            Problem::new(Code::NeverHappens, message.when.span, "there is no go/no-go that could be a no-go")
                .label("never told")
                .help("declare `go_no_go:`, or tell it `on abort`")
                .warning(),
        );
    }
}

/// Everybody is asked for by something, or says what they do there.
pub(super) fn idle(draft: &Draft, problems: &mut Vec<Problem>) {
    let Some(roster) = Roster::of(draft) else { return };
    let mut asked: HashSet<&str> = HashSet::new();
    for drill in drills(draft) {
        let experiment = drill.found.as_ref().and_then(|found| found.experiment.as_ref());
        for step in experiment.iter().flat_map(|experiment| &experiment.steps) {
            asked.extend(step.role.as_deref().map(str::trim));
            if let Does::Approve(approval) = &step.does {
                asked.extend(approval.by.iter().map(String::as_str));
            }
        }
    }
    let go = draft.go_no_go.iter().flatten().filter_map(|asked| asked.by.as_ref());
    asked.extend(go.flat_map(|by| &by.0).map(String::as_str));
    let told = draft.communication.iter().flatten().flatten().flat_map(|Message { tell, .. }| &tell.0);
    asked.extend(told.map(String::as_str));
    for one in &roster.0 {
        if one.about.is_none() && !one.role.0.iter().any(|role| asked.contains(role.as_str())) {
            let roles = one.role.0.iter().map(|role| format!("`{}`", clip(role))).collect::<Vec<_>>();
            problems.push(
                Problem::new(
                    Code::IdleParticipant,
                    one.role.span,
                    format!("no drill, no question and no message asks for {}", roles.join(" or ")),
                )
                .label(format!("what does `{}` do?", clip(&one.name.0)))
                .help("say it: `about: writes down what is seen, and when`")
                .warning(),
            );
        }
    }
}
