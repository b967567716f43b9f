//! `FD07xx`: game days.

use super::{Lesson, error, warning};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    error(
        Code::NoDrill,
        "A game day is there to hold drills: `drills:` names an experiment or a runbook at least. A wait between drills is none.",
        "\nkind: GameDay\ndrills: [{ wait: 15m }]\n",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: experiments/drill.yaml }, { wait: 15m }, { runbook: restore }]\n",
    ),
    error(
        Code::UnknownExperiment,
        "An experiment is named by the path of its file, seen from the game day's own file, or by the name that stands in it: \
         then it is looked for in a folder `experiments` beside the game day's file, or above it.",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: experiments/dirll.yaml }]\n",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: experiments/drill.yaml }]\n",
    ),
    error(
        Code::FileNotAnExperiment,
        "The entry says `experiment`, and the file is of another kind. A runbook is held with `runbook`; a game day cannot hold \
         another one.",
        "\nkind: GameDay\ndrills: [{ experiment: runbooks/restore.yaml }]\n",
        "\nkind: GameDay\ndrills: [{ runbook: runbooks/restore.yaml }]\n",
    ),
    error(
        Code::ExperimentWrong,
        "The experiment itself has errors, or with the values that the entry gives it: on the day it would not begin. \
         `firedrill check` of that file says all that is wrong with it.",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: experiments/broken.yaml }]\n",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: experiments/drill.yaml }]\n",
    ),
    error(
        Code::DrillOutside,
        "The drill's file lies outside of the project, which begins where `firedrill.yaml` or `.git` is. Where the project is \
         checked out on the day, it would be missing, or another one.",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: ../elsewhere/drill.yaml }]\n",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: experiments/drill.yaml }]\n",
    ),
    warning(
        Code::DrillTwice,
        "The same drill is held twice, in the same environment and with the same values: a line copied and not changed, or a \
         repetition that shows nothing new.",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: drill }, { experiment: experiments/drill.yaml }]\n",
        "\nkind: GameDay\nenvironment: lab\ndrills: [{ experiment: drill, dry_run: true }, { experiment: drill }]\n",
    ),
    error(
        Code::DrillNowhere,
        "The drill names things of AWS, and neither it nor the game day says in which environment they are found. An \
         environment is declared in firedrill.yaml; `lab` is built in.",
        "\nkind: GameDay\ndrills: [{ experiment: experiments/drill.yaml }]\n",
        "\nkind: GameDay\nenvironment: staging\ndrills: [{ experiment: experiments/drill.yaml }]\n",
    ),
    error(
        Code::NotADay,
        "A day of a schedule is a day of the week, and which of them: the first to the fourth, or the last. Not every month has \
         a fifth. It may be counted in one month of the period: `first monday of the second month`, and of a year `first \
         monday of march`.",
        "\nkind: GameDay\nschedule: { every: month, on: fifth tuesday, at: \"10:00\", time_zone: UTC }\n",
        "\nkind: GameDay\nschedule: { every: month, on: last tuesday, at: \"10:00\", time_zone: UTC }\n",
    ),
    error(
        Code::DayDoesNotFit,
        "The day is not one that each period has exactly once: a week has one Tuesday, and a quarter has thirteen, of which one \
         is meant. Days are counted from the first day of the period, or of the month that `of` names.",
        "\nkind: GameDay\nschedule: { every: quarter, on: tuesday, at: \"10:00\", time_zone: UTC }\n",
        "\nkind: GameDay\nschedule: { every: quarter, on: second tuesday, at: \"10:00\", time_zone: UTC }\n",
    ),
    warning(
        Code::ClocksSkip,
        "When daylight saving begins, clocks go forward past an hour, and on one of the game days it is this one. It would start \
         when they do. Which day that is follows from the zone's rules as they are known today.",
        "\nkind: GameDay\nschedule: { every: year, on: last sunday of march, at: \"02:30\", time_zone: Europe/Berlin }\n",
        "\nkind: GameDay\nschedule: { every: year, on: last sunday of march, at: \"10:00\", time_zone: Europe/Berlin }\n",
    ),
    warning(
        Code::FreezesOverlap,
        "Two freezes share days. Nothing is wrong with the days, but one of the two may have another end than its author thought.",
        "\nkind: GameDay\nschedule:\n  { every: quarter, on: second tuesday, at: \"10:00\", time_zone: UTC, freeze: [2026-11-20..2026-12-31, 2026-12-24] }\n",
        "\nkind: GameDay\nschedule:\n  { every: quarter, on: second tuesday, at: \"10:00\", time_zone: UTC, freeze: [2026-11-20..2026-12-31, 2027-04-02] }\n",
    ),
    warning(
        Code::YearFrozen,
        "A game day that falls on a freeze is left out, not moved, and the freezes leave out all of a year in a row. An auditor \
         who asks for the year's drill gets none.",
        "\nkind: GameDay\nschedule:\n  { every: year, on: second tuesday of december, at: \"10:00\", time_zone: UTC, freeze: [2026-11-20..2026-12-31] }\n",
        "\nkind: GameDay\nschedule:\n  { every: year, on: second tuesday of october, at: \"10:00\", time_zone: UTC, freeze: [2026-11-20..2026-12-31] }\n",
    ),
    error(
        Code::DayTooShort,
        "The waits of the agenda, and what each drill takes at least (its steady state, its waits, what it measures after the \
         fault), are longer than the day lasts: it can never end in time.",
        "\nkind: GameDay\nschedule: { every: quarter, on: second tuesday, at: \"10:00\", time_zone: UTC, lasts: 1h }\ndrills: [{ runbook: restore }, { wait: 2h }]\n",
        "\nkind: GameDay\nschedule: { every: quarter, on: second tuesday, at: \"10:00\", time_zone: UTC, lasts: 4h }\ndrills: [{ runbook: restore }, { wait: 2h }]\n",
    ),
    warning(
        Code::DayMayBeTooShort,
        "Should every drill take as long as it may (`elapsed`, or else the steps' timeouts and `recovery.within`), the day is over \
         before the last one. People leave, and a drill is left half judged.",
        "\nkind: GameDay\nenvironment: lab\nschedule: { every: quarter, on: second tuesday, at: \"10:00\", time_zone: UTC, lasts: 5m }\ndrills: [{ experiment: drill }]\n",
        "\nkind: GameDay\nenvironment: lab\nschedule: { every: quarter, on: second tuesday, at: \"10:00\", time_zone: UTC, lasts: 1h }\ndrills: [{ experiment: drill }]\n",
    ),
    error(
        Code::ParticipantTwice,
        "The same person is listed twice. Whoever counts the people that may say go would count one of them twice; one who has \
         several roles has a list of them.",
        "\nkind: GameDay\nparticipants: [{ name: Anna, role: scribe, about: takes notes }, { name: Anna, role: observer, about: looks on }]\n",
        "\nkind: GameDay\nparticipants: [{ name: Anna, role: [scribe, observer], about: takes notes and looks on }]\n",
    ),
    error(
        Code::RoleNobodyHas,
        "The go/no-go is asked of a role, and no participant has it. Both stand in this file, so that one of them is misspelt, or \
         somebody is missing.",
        "\nkind: GameDay\nparticipants: [{ name: Anna, role: incident-comander, about: decides }]\ngo_no_go: { question: Do we begin?, by: incident-commander }\n",
        "\nkind: GameDay\nparticipants: [{ name: Anna, role: incident-commander }]\ngo_no_go: { question: Do we begin?, by: incident-commander }\n",
    ),
    warning(
        Code::StepForNobody,
        "A step of the drill says in which role a person carries it out, and no participant has that role. It can still be \
         carried out by somebody else; whoever wrote it had a reason.",
        "\nkind: GameDay\ndrills: [{ runbook: runbooks/fence.yaml }]\n",
        "\nkind: GameDay\nparticipants: [{ name: Anna, role: database-owner }]\ndrills: [{ runbook: runbooks/fence.yaml }]\n",
    ),
    warning(
        Code::IdleParticipant,
        "No step of a drill, no question and no message asks for this person's role. Observers and scribes are welcome: `about` \
         says what they do, so that everybody who reads the file knows it too.",
        "\nkind: GameDay\nparticipants: [{ name: Anna, role: scribe }]\n",
        "\nkind: GameDay\nparticipants: [{ name: Anna, role: scribe, about: \"writes down what is seen, and when\" }]\n",
    ),
    warning(
        Code::NoGoNoGo,
        "Something is changed outside of the lab, and nobody is asked on the day whether it is a good one: an incident may be \
         open, a release under way, or the month's error budget spent.",
        "\nkind: GameDay\nenvironment: staging\ndrills: [{ experiment: drill }]\n",
        "\nkind: GameDay\nenvironment: staging\ndrills: [{ experiment: drill }]\ngo_no_go: { question: Do we begin?, by: scribe }\n",
    ),
    warning(
        Code::NobodyTold,
        "Something is changed outside of the lab, and nobody is told of it. Whoever sees an alert on that day does not know \
         whether it is a drill.",
        "\nkind: GameDay\nenvironment: staging\ndrills: [{ experiment: drill }]\n",
        "\nkind: GameDay\nenvironment: staging\ndrills: [{ experiment: drill }]\ncommunication: [{ tell: customer care, what: We drill tomorrow at ten., when: 1d before, channel: mail }]\n",
    ),
    error(
        Code::NotAMoment,
        "A time of a game day is one of `1d before`, `at start`, `on no-go`, `on abort`, `at end` and `1h after`, so that a \
         program can keep it. Before is counted from the start, after from the end.",
        "\nkind: GameDay\ncommunication: [{ tell: customer care, what: We drill tomorrow., when: the day before, channel: mail }]\n",
        "\nkind: GameDay\ncommunication: [{ tell: customer care, what: We drill tomorrow., when: 1d before, channel: mail }]\n",
    ),
    warning(
        Code::NeverHappens,
        "The message is to be sent on a no-go, and the game day has no go/no-go: it would never be sent.",
        "\nkind: GameDay\ncommunication: [{ tell: customer care, what: It is off., when: on no-go, channel: mail }]\n",
        "\nkind: GameDay\ngo_no_go: { question: Do we begin?, by: scribe }\ncommunication: [{ tell: customer care, what: It is off., when: on no-go, channel: mail }]\n",
    ),
];
