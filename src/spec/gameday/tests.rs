use super::*;
use crate::spec::fixture::folder;
use crate::spec::{Checked, check, find_experiments};

const RUNBOOK: &str = "kind: Runbook\nname: failover\nvariables: { replica: { about: the replica } }\nsteps:\n  - { name: decide, approve: { question: Fail over?, by: [incident-commander, database-owner] } }\n  - { name: fence, manual: \"Fence ${replica}\", role: database-owner, expected: 20m }\n";
const EXPERIMENT: &str = "kind: Experiment\nname: stop-it\nobjectives: { rto: 2m }\ntargets: { web: { ec2.instance: { tags: { app: web } } } }\nprobes: { shop: { http: { url: http://shop.test/health } } }\nsteps: [{ name: stop it, action: { ec2.stop_instances: { target: web } } }]\n";
const PROJECT: &str = "environments:\n  staging: { region: eu-west-1, values: { replica: orders-2 } }\n  canary: { region: eu-west-1 }\n";
const DAY: &str = "kind: GameDay
name: autumn
environment: staging
participants: [{ name: Anna, role: [incident-commander, database-owner] }]
go_no_go: { question: Do we begin?, by: incident-commander }
drills:
  - experiment: stop-it
  - wait: 15m
  - runbook: ../runbooks/failover.yaml
communication: [{ tell: all, what: We drill., when: 1d before, channel: mail }]
";

/// A project with a game day in which one text stands in another's place.
fn project(replace: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let day = replace.iter().fold(DAY.to_owned(), |day, (from, to)| {
        assert!(day.contains(from), "{from}");
        day.replace(from, to)
    });
    let here = folder(&[
        ("firedrill.yaml", PROJECT),
        ("experiments/stop.yaml", EXPERIMENT),
        ("runbooks/failover.yaml", RUNBOOK),
        ("experiments/day.yaml", &day),
    ]);
    let path = here.path().join("experiments/day.yaml");
    (here, path)
}

fn told(replace: &[(&str, &str)]) -> Vec<String> {
    let (_here, path) = project(replace);
    let problems = match check(&path) {
        Ok(Checked::GameDay(found)) | Err(found) => found.problems,
        other => panic!("{other:?}"),
    };
    problems.into_iter().map(|problem| format!("{} {}", problem.code, problem.message)).collect()
}

#[test]
fn a_day_is_read_with_its_drills_found() {
    let with = "  - runbook: ../runbooks/failover.yaml\n    environment: canary\n    with: { replica: \"${file:replica}\" }\n    dry_run: true\n";
    let (here, path) = project(&[("  - runbook: ../runbooks/failover.yaml\n", with)]);
    let loaded = load(&path).expect("a game day");
    assert_eq!(loaded.warnings, []);
    let day = loaded.day;
    assert_eq!((day.name.as_str(), day.participants.len(), day.agenda.len()), ("autumn", 1, 3));
    let [first, second] = day.drills().collect::<Vec<_>>()[..] else { panic!("two drills") };
    assert_eq!((first.kind, first.name.as_str()), (FileKind::Experiment, "stop-it"));
    assert_eq!(first.environment.as_deref(), Some("staging"));
    assert_eq!((second.kind, second.name.as_str(), second.dry_run), (FileKind::Runbook, "failover", true));
    assert_eq!(second.environment.as_deref(), Some("canary"));
    assert!(second.path.ends_with("failover.yaml") && second.path.is_file(), "{}", second.path.display());
    // Whoever holds it may stand elsewhere.
    let base = std::path::absolute(here.path().join("experiments/replica")).expect("a path");
    assert_eq!(second.with["replica"], format!("${{file:{}}}", base.display()));
    assert!(matches!(&day.agenda[1], Item::Wait { time, .. } if time.as_secs() == 900));
}

#[test]
fn the_bundled_game_day_is_right_and_no_experiment_of_its_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let loaded = load(&folder.join("quarterly-gameday.yaml")).expect("a game day");
    assert_eq!(loaded.warnings, []);
    let schedule = loaded.day.schedule.expect("a schedule");
    let after = "2026-08-20T00:00:00[UTC]".parse().expect("a time");
    let next = schedule.next(&after).expect("the next one");
    assert_eq!(next.to_string(), "2026-11-10T10:00:00+01:00[Europe/Berlin]");
    let found = find_experiments(&[folder]).expect("experiments");
    assert!(
        !found.iter().any(|file| file.ends_with("quarterly-gameday.yaml")) && found.len() == 5,
        "{found:?}"
    );
}

#[test]
fn the_project_knows_its_environments_and_what_they_give() {
    assert_eq!(told(&[]), Vec::<String>::new());
    let unknown = told(&[("environment: staging", "environment: stagin")]);
    assert_eq!(unknown, ["FD0602 no environment is called `stagin`"]);
    let missing = told(&[("environment: staging", "environment: canary")]);
    assert_eq!(missing, ["FD0205 the runbook `failover` has no value for `replica` in `canary`"]);
    let given = [
        ("environment: staging", "environment: canary"),
        ("failover.yaml", "failover.yaml\n    with: { replica: orders-3 }"),
    ];
    assert_eq!(told(&given), Vec::<String>::new());
    // The lab gives what the bundled drills need; what it gives is known to it alone.
    assert_eq!(told(&[("environment: staging", "environment: lab")]), Vec::<String>::new());
    assert_eq!(
        told(&[("environment: staging\n", "")]),
        ["FD0707 the experiment `stop-it` names things of AWS, and no environment to find them in"]
    );
}

#[test]
fn a_question_is_asked_of_those_who_may_answer() {
    let nobody = ("role: [incident-commander, database-owner]", "role: scribe, about: notes");
    let go = ("by: incident-commander", "by: scribe");
    let told_of = told(&[nobody, go]);
    assert_eq!(
        told_of,
        [
            "FD0318 `decide` of `failover` waits for a go of 1 as incident-commander or database-owner, and no participant may give it",
            "FD0717 `fence` of `failover` is for `database-owner`, and no participant has that role",
        ]
    );
    // Read aloud, whoever is there may say how it would go.
    let aloud = ("failover.yaml", "failover.yaml\n    tabletop: true");
    assert_eq!(
        told(&[nobody, go, aloud]),
        [
            "FD0717 `decide` of `failover` is for `incident-commander`, and no participant has that role",
            "FD0717 `decide` of `failover` is for `database-owner`, and no participant has that role",
        ]
    );
    // One of the roles that may decide is enough.
    let one = ("role: [incident-commander, database-owner]", "role: [database-owner, scribe]");
    assert_eq!(told(&[one, go]), Vec::<String>::new());
}

#[test]
fn care_is_asked_for_outside_of_the_lab_alone() {
    let careless = [
        ("go_no_go: { question: Do we begin?, by: incident-commander }\n", ""),
        ("communication: [{ tell: all, what: We drill., when: 1d before, channel: mail }]\n", ""),
    ];
    let codes = |replace: &[(&str, &str)]| {
        let codes = told(replace).into_iter();
        codes.filter_map(|told| told.split(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(codes(&careless), ["FD0719", "FD0720"]);
    let in_lab = [careless.as_slice(), &[("environment: staging", "environment: lab")]].concat();
    assert_eq!(codes(&in_lab), Vec::<String>::new());
}

#[test]
fn a_day_is_not_run_and_says_how_its_drills_are() {
    let with = "failover.yaml\n    with: { replica: \"orders 3\" }\n    tabletop: true";
    let (_here, path) = project(&[("failover.yaml", with)]);
    let refused = super::super::load(&path, &crate::spec::Given::default()).expect_err("no experiment");
    let [problem] = refused.problems.as_slice() else { panic!("one problem: {refused}") };
    assert_eq!(problem.code, Code::NotYet);
    let help = problem.help.as_deref().expect("help");
    let lines: Vec<&str> = help.lines().skip(1).collect();
    assert!(lines[0].ends_with("stop.yaml --env staging"), "{help}");
    assert!(lines[1].ends_with("failover.yaml --var 'replica=orders 3' --tabletop"), "{help}");
    // One that is wrong is told what is wrong.
    let (_here, path) = project(&[("stop-it", "stopit")]);
    let refused = super::super::load(&path, &crate::spec::Given::default()).expect_err("wrong");
    assert_eq!(refused.problems[0].code, Code::UnknownExperiment);
}

#[test]
fn values_that_do_not_fit_are_told_here_and_a_file_that_is_wrong_there() {
    let (here, path) = project(&[("stop-it", "stop-it\n    with: { steady: soon }")]);
    let text = EXPERIMENT.replace(
        "steps:",
        "variables: { steady: { default: 10s } }\nsteady_state: { for: \"${steady}\" }\nsteps:",
    );
    std::fs::write(here.path().join("experiments/stop.yaml"), &text).expect("written");
    let problem = load(&path).expect_err("wrong").problems.remove(0);
    assert!(problem.message.contains("is not right with these values: line"), "{}", problem.message);
    std::fs::write(here.path().join("experiments/stop.yaml"), text.replace("10s", "soon")).expect("written");
    let problem = load(&path).expect_err("wrong").problems.remove(0);
    assert!(problem.message.contains("is not right: line"), "{}", problem.message);
    assert!(problem.help.expect("help").contains("firedrill check"));
}

#[test]
fn a_day_with_too_many_drills_is_refused_at_once() {
    let many: String = (0..2000).map(|_| "  - experiment: stop-it\n").collect();
    let problems = told(&[("  - experiment: stop-it\n", &many)]);
    assert!(problems.iter().any(|problem| problem.contains("more than 50 entries")), "{problems:?}");
}

/// Steps beside each other take as long as the longest of them, and steps after each other their sum.
#[test]
fn a_day_is_as_long_as_the_longest_way_through_its_steps() {
    let told_of = |lasts: &str, second: &str| {
        let schedule =
            "schedule: { every: quarter, on: second tuesday, at: \"10:00\", time_zone: UTC, lasts: ";
        let named = format!("name: autumn\n{schedule}{lasts} }}");
        let (here, path) = project(&[("name: autumn", &named), ("  - wait: 15m\n", "")]);
        let steps = format!("  - {{ name: one, wait: 70m }}\n  - {{ name: two, wait: 70m{second} }}\n");
        std::fs::write(here.path().join("runbooks/failover.yaml"), RUNBOOK.to_owned() + &steps)
            .expect("written");
        let problems = load(&path).map_or_else(|wrong| wrong.problems, |loaded| loaded.warnings);
        problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
    };
    let beside = ", after: [fence]";
    assert_eq!(told_of("2h", beside), Vec::<String>::new());
    let least = "the drills and waits take 2h20m10s at least, and the day lasts 2h";
    assert_eq!(told_of("2h", ""), [least]);
    // What people do counts as long as it is expected to take, and a recovery as long as it is waited for.
    let most = "the drills and waits may take 1h40m10s, and the day lasts 1h35m";
    assert_eq!(told_of("95m", beside), [most]);
}
