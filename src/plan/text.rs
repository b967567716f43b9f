//! A plan for people, and for machines.

use std::fmt::Write;
use std::time::Duration;

use super::Plan;
use super::permit::grouped;
use crate::notation::units::show;
use crate::run::event::{BY_PEOPLE, Handling, Header, MayI, PermissionCheck};

impl Plan {
    /// The plan as text: what would happen to what, in which order, and how it would be undone.
    pub fn text(&self, header: &Header) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_text(header, &mut out);
        out
    }

    /// When things would happen, for a rehearsal.
    pub fn timeline(&self, header: &Header) -> String {
        super::timeline::text(header)
    }

    fn write_safety(&self, header: &Header, out: &mut String) -> std::fmt::Result {
        let safety = &header.safety;
        if !safety.guardrails.is_empty() {
            writeln!(out, "\nStopped and undone when")?;
        }
        for rule in &safety.guardrails {
            writeln!(out, "  {rule}")?;
        }
        if !safety.permissions.is_empty() {
            writeln!(out, "   needs      {}", safety.permissions.join(", "))?;
        }
        if !safety.preconditions.is_empty() {
            writeln!(out, "\nBefore anything is touched")?;
        }
        for condition in &safety.preconditions {
            let mark = if condition.holds { "ok " } else { "NOT" };
            writeln!(out, "  {mark}         {}: {}", condition.what, condition.found)?;
        }
        Ok(())
    }

    fn write_text(&self, header: &Header, out: &mut String) -> std::fmt::Result {
        let environment = &header.environment;
        let title = header.experiment.title.as_deref().unwrap_or_default();
        writeln!(out, "{}: {title}", header.experiment.name)?;
        write!(out, "  in        {}", environment.name)?;
        if let (Some(account), Some(region)) = (&environment.account, &environment.region) {
            write!(out, " (account {account}, {region})")?;
        }
        writeln!(out)?;
        if let Some(identity) = &environment.identity {
            writeln!(out, "  as        {identity}")?;
        }
        writeln!(out, "  seed      {}", header.seed)?;
        if !header.probes.is_empty() {
            writeln!(out, "\nProbes, from before the fault until recovery is confirmed")?;
        }
        for probe in &header.probes {
            let stay = if probe.must_stay_up { ", must stay up" } else { "" };
            let rate = crate::notation::units::show(
                std::time::Duration::try_from_secs_f64(probe.every).unwrap_or_default(),
            );
            writeln!(out, "  {:<20} every {rate}{stay}: {}", probe.name, probe.summary)?;
        }
        if !header.probes.is_empty() {
            writeln!(
                out,
                "\nSteady state for {} s, then the steps; then good for {} s in a row, within {} s",
                header.steady_state.watch, header.recovery.confirm, header.recovery.within
            )?;
        }
        self.write_safety(header, out)?;
        for (number, step) in header.plan.iter().enumerate() {
            writeln!(out, "\n{}. {} ({})", number + 1, step.name, step.kind)?;
            writeln!(out, "   does       {}", step.summary)?;
            if !step.after.is_empty() {
                writeln!(out, "   after      {}", step.after.join(", "))?;
            }
            for condition in &step.preconditions {
                let mark = if condition.holds { "ok " } else { "NOT" };
                writeln!(out, "   {mark}        {}: {}", condition.what, condition.found)?;
            }
            if step.permission_checks.is_empty() && !step.permissions.is_empty() {
                writeln!(out, "   needs      {}", step.permissions.join(", "))?;
            }
            write_checks(&step.permission_checks, out)?;
            write_handling(&step.handling, out)?;
            let by_people = BY_PEOPLE.contains(&step.kind.as_str());
            match (&step.undo, step.irreversible, step.mutates && !by_people) {
                (Some(undo), _, _) => writeln!(out, "   undo       {undo}")?,
                (None, true, _) => writeln!(out, "   undo       none: it is IRREVERSIBLE")?,
                (None, false, true) => writeln!(out, "   undo       nothing to undo")?,
                (None, false, false) => {}
            }
        }
        if !header.watchers.is_empty() {
            writeln!(out, "\nWatched beside the probes, from before the fault")?;
        }
        for watcher in &header.watchers {
            writeln!(out, "  {}", watcher.name)?;
            writeln!(out, "   needs      {}", watcher.permissions.join(", "))?;
        }
        for missing in &self.unwatched {
            writeln!(out, "  NOT        {missing}")?;
        }
        if !header.permission_checks.is_empty() {
            writeln!(out, "\nNeeded beside the steps, by watchers, probes and alarms")?;
            write_checks(&header.permission_checks, out)?;
        }
        Ok(())
    }
}

/// Who carries a step out, and how long it should take.
fn write_handling(handling: &Handling, out: &mut String) -> std::fmt::Result {
    if let Some(about) = &handling.about {
        writeln!(out, "   about      {}", about.split_whitespace().collect::<Vec<_>>().join(" "))?;
    }
    let who: Vec<&str> = handling.owner.iter().chain(&handling.role).map(String::as_str).collect();
    if !who.is_empty() {
        writeln!(out, "   who        {}", who.join(", "))?;
    }
    if handling.at_least > 0 {
        let by = if handling.by.is_empty() { "anybody".to_owned() } else { handling.by.join(", ") };
        writeln!(out, "   go         by {} of: {by}", handling.at_least)?;
    }
    match handling.expected.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(expected) => writeln!(out, "   expected   {}", show(expected)),
        None => Ok(()),
    }
}

/// What the caller may do in one line for each way in which that is known; what not, in a line of its own.
fn write_checks(checks: &[PermissionCheck], out: &mut String) -> std::fmt::Result {
    let with = |answer| grouped(checks.iter().filter(move |check| check.answer == answer));
    for (because, actions) in with(MayI::Allowed) {
        writeln!(out, "   may        {actions} (by {because})")?;
    }
    for check in checks.iter().filter(|check| check.is_denied()) {
        let without = if check.optional { "; the drill does without" } else { "" };
        writeln!(out, "   NOT        {check}{without}")?;
    }
    for (because, actions) in with(MayI::CannotTell) {
        writeln!(out, "   UNKNOWN    cannot tell whether you may {actions}: {because}")?;
    }
    Ok(())
}
