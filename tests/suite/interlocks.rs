//! Interlocks and frozen plans by the binary itself: each refusal comes before one mutating call, names its rule and
//! its place, and says what to do.

use std::path::{Path, PathBuf};
use std::process::Output;

use aws_sdk_ec2::types::{InstanceType, ResourceType, Tag, TagSpecification};
use firedrill::interlock::approval::{self, Approval, Person};
use firedrill::lab::{Lab, Settings};
use firedrill::plan::frozen::Frozen;

use crate::support::{firedrill, mutations, said};
use crate::support_moto::{Endpoint, Moto, Request, answer};

const STOP: &str = "action: { ec2.stop_instances: { target: it } }";
// Not of an Auto Scaling group, which would replace what is stopped.
const WEB: &str = "ec2.instance: { tags: { app: www, site: a }, pick: { count: 1 } }";
const ALL_WEB: &str = "ec2.instance: { tags: { app: www, site: a } }";

/// A folder with a project file and experiments.
struct Bed {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Bed {
    /// One environment, `staging`, at this endpoint, with these lines from line 7 on.
    fn at(url: &str, account: &str, rules: &str) -> Bed {
        let folder = tempfile::tempdir().expect("a folder");
        let bed = Bed { folder, variables: Vec::new() };
        bed.write_project(url, account, rules);
        bed
    }

    fn in_lab(lab: &Lab, rules: &str) -> Bed {
        Bed::at(&lab.endpoint_url(), lab.account(), rules)
    }

    fn write_project(&self, url: &str, account: &str, rules: &str) {
        let text = format!(
            "environments:\n  staging:\n    region: eu-west-1\n    accounts: [\"{account}\"]\n    endpoint_url: {url}\n    \
             confirm: none\n{rules}"
        );
        std::fs::write(self.path("firedrill.yaml"), text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn experiment(&self, target: &str, step: &str) -> PathBuf {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = port.local_addr().expect("it is bound");
        // It is never accepted from: to be connected to is enough for the probe.
        std::mem::forget(port);
        let targets =
            if target.is_empty() { String::new() } else { format!("targets:\n  it: {{ {target} }}\n") };
        let text = format!(
            "kind: Experiment\nname: drill\nobjectives: {{ rto: 10s }}\n{targets}probes:\n  web:\n    tcp: {{ address: \
             \"{address}\" }}\nsteady_state: {{ for: 1s }}\nsteps:\n  - name: the fault\n    timeout: 3s\n    {step}\n\
             recovery: {{ confirm: 1s, within: 15s }}\n"
        );
        let path = self.path("drill.yaml");
        std::fs::write(&path, text).expect("written");
        path
    }

    fn firedrill(&self, verb: &str, file: &Path, arguments: &[&str]) -> Output {
        let mut command = firedrill();
        command.arg(verb).arg(file).args(arguments);
        if verb != "approve" {
            command.arg("--project").arg(self.path("firedrill.yaml"));
        }
        if verb == "run" {
            command.arg("--store").arg(self.path("runs"));
        }
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.output().expect("the binary runs")
    }

    /// Runs it in staging: it must end with this code and say these words; the words.
    fn refuses(&self, file: &Path, arguments: &[&str], code: i32, words: &[&str]) {
        let arguments = [&["--env", "staging", "--seed", "7"], arguments].concat();
        ends(&self.firedrill("run", file, &arguments), code, words);
        assert!(!self.path("runs").exists(), "a run that never began is stored");
    }

    fn freeze(&self, file: &Path, arguments: &[&str]) -> PathBuf {
        let plan = self.path("plan.json");
        let name = plan.display().to_string();
        let arguments = [&["--seed", "7", "-o", name.as_str()], arguments].concat();
        ends(&self.firedrill("plan", file, &arguments), 0, &["frozen in"]);
        plan
    }
}

fn ends(output: &Output, code: i32, words: &[&str]) {
    let all = said(output);
    assert_eq!(output.status.code(), Some(code), "{all}");
    for word in words {
        assert!(all.contains(word), "it does not say `{word}`: {all}");
    }
}

fn lab() -> Lab {
    Lab::start(Settings { seed: 4, ..Settings::default() }).expect("a lab")
}

/// Holds that the lab was only looked at.
fn untouched(lab: &Lab) {
    let calls = lab.calls();
    assert!(calls.keys().any(|call| call.starts_with("Describe") || call.starts_with("List")), "{calls:?}");
    assert_eq!(mutations(lab), Vec::<String>::new(), "an interlock let it change something");
}

/// Of each service, a target of the lab, a step, and a tag that the target or what it is part of carries.
fn services(zone: &str) -> [(String, &'static str, &'static str); 5] {
    let record = format!("route53.record: {{ zone: {zone}, name: www.lab.test, type: A }}");
    let task = "ecs.task: { cluster: shop, service: checkout, pick: { count: 1 } }";
    let service = "ecs.service: { cluster: shop, service: checkout }";
    [
        (WEB.to_owned(), STOP, "app: www"),
        (
            "rds.instance: { id: orders-db }".to_owned(),
            "action: { rds.reboot_db_instance: { target: it, force_failover: true } }",
            "app: orders",
        ),
        (task.to_owned(), "action: { ecs.stop_task: { target: it } }", "app: checkout"),
        (
            service.to_owned(),
            "action: { ecs.update_service: { target: it, desired_count: 1 } }",
            "app: checkout",
        ),
        (record, "action: { route53.flip_record: { target: it, values: [\"127.0.0.9\"] } }", "app: edge"),
    ]
}

#[test]
fn a_protected_resource_and_one_that_is_not_opted_in_are_never_touched() {
    let lab = lab();
    for (target, step, tag) in services(&lab.values()["zone_id"]) {
        let protected = Bed::in_lab(&lab, &format!("    protected: {{ tags: {{ {tag} }} }}\n"));
        let file = protected.experiment(&target, step);
        let carries = format!("carries the tag `{tag}`");
        let words =
            ["interlock `protected`", "firedrill.yaml:7", carries.as_str(), "help: choose other targets"];
        protected.refuses(&file, &[], 3, &words);
        ends(&protected.firedrill("plan", &file, &["--env", "staging"]), 3, &words);

        let opt_in = Bed::in_lab(&lab, "    opt_in:\n      tags: { drill: welcome }\n");
        let words = ["interlock `opt_in`", "does not carry the tag `drill: welcome`"];
        opt_in.refuses(&opt_in.experiment(&target, step), &["--dry-run"], 3, &words);

        let welcome = Bed::in_lab(&lab, &format!("    opt_in: {{ tags: {{ {tag} }} }}\n"));
        let file = welcome.experiment(&target, step);
        ends(&welcome.firedrill("plan", &file, &["--env", "staging"]), 0, &["the fault"]);
    }
    untouched(&lab);
}

#[test]
fn what_is_frozen_outside_its_window_or_too_much_is_refused() {
    let lab = lab();
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    // Three days on is neither today nor a neighbour of it, in any zone.
    let day = now.date().checked_add(jiff::Span::new().days(3)).expect("a date").strftime("%a").to_string();
    let window = format!("    windows: [{{ days: [{}], from: 09:00, to: 10:00 }}]\n", day.to_lowercase());
    let frozen = "    time_zone: Europe/Berlin\n    freeze: [2000-01-01..9999-12-30]\n".to_owned();
    let cases = [
        (window.clone(), WEB, ["interlock `windows`", "firedrill.yaml:7", "help: it opens at"]),
        (frozen.clone(), WEB, ["interlock `freeze`", "firedrill.yaml:8", "does not open within a year"]),
        (
            "    limits: { targets: 1 }\n".to_owned(),
            ALL_WEB,
            ["interlock `limits`", "firedrill.yaml:7", "`targets` allows 1"],
        ),
        (
            "    limits: { percent: 50 }\n".to_owned(),
            ALL_WEB,
            ["interlock `limits`", "2 of 2 that match", "allows 1"],
        ),
    ];
    for (rules, target, words) in cases {
        let bed = Bed::in_lab(&lab, &rules);
        bed.refuses(&bed.experiment(target, STOP), &[], 3, &words);
    }
    let stubborn = Bed::in_lab(&lab, &frozen);
    let file = stubborn.experiment(WEB, STOP);
    stubborn.refuses(&file, &["--outside-window", "audit"], 3, &["`override: allowed`"]);
    // Planning and rehearsing change nothing: they are allowed, and say what is lacking.
    ends(
        &stubborn.firedrill("plan", &file, &["--env", "staging"]),
        0,
        &["it could not be run now: interlock `freeze`"],
    );
    untouched(&lab);
}

#[test]
fn an_override_with_its_reason_is_journalled() {
    let bed = Bed::at(
        "http://127.0.0.1:1",
        "111122223333",
        "    freeze: [2000-01-01..9999-12-30]\n    override: allowed\n",
    );
    let file = bed.experiment("", "run: [\"true\"]");
    bed.refuses(&file, &[], 3, &["--outside-window REASON overrides it"]);
    bed.firedrill("run", &file, &["--env", "staging", "--outside-window", "the auditors are here"]);
    let journal = journal(&bed);
    assert!(journal.contains("overridden: changes are frozen from 2000-01-01"), "{journal}");
    assert!(journal.contains("Reason: the auditors are here"), "{journal}");
}

/// The journal of the only run.
fn journal(bed: &Bed) -> String {
    let mut runs = std::fs::read_dir(bed.path("runs")).expect("a run is stored");
    let run = runs.next().expect("a run").expect("a folder").path();
    std::fs::read_to_string(run.join("journal.jsonl")).expect("a journal")
}

#[test]
fn a_name_must_be_given_where_the_environment_demands_it() {
    let lab = lab();
    let bed = Bed::in_lab(&lab, "    require_confirm: true\n    limits: { percent: 50 }\n");
    let file = bed.experiment(ALL_WEB, STOP);
    bed.refuses(&file, &["--yes"], 2, &["needs confirmation", "say --confirm staging"]);
    bed.refuses(&file, &["--confirm", "production"], 2, &["`--confirm production` is not the environment"]);
    // The right name is let through to the next interlock.
    bed.refuses(&file, &["--confirm", "staging"], 3, &["interlock `limits`"]);
    untouched(&lab);
}

#[test]
fn firedrill_does_not_take_away_what_it_stands_on() {
    let lab = lab();
    let plain = Bed::in_lab(&lab, "");
    let file = plain.experiment(WEB, STOP);
    let plan = plain.freeze(&file, &["--env", "staging"]);
    let victim = Frozen::read(&plan).expect("a plan").0.targets[0].resources[0].id.clone();

    let metadata = {
        let victim = victim.clone();
        Endpoint::start(move |request: &Request| match request.operation().as_str() {
            "PUT /latest/api/token" => answer("200 OK", "text/plain", "token"),
            "GET /latest/meta-data/instance-id"
                if request.head.contains("x-aws-ec2-metadata-token: token") =>
            {
                answer("200 OK", "text/plain", &victim)
            }
            _ => answer("401 Unauthorized", "text/plain", ""),
        })
    };
    let mut on_instance = Bed::in_lab(&lab, "");
    on_instance.variables = vec![
        ("AWS_EC2_METADATA_DISABLED".to_owned(), "false".to_owned()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(), metadata.url()),
    ];
    let runs_on = format!("{victim} is the EC2 instance on which firedrill itself runs");
    let file = on_instance.experiment(WEB, STOP);
    on_instance.refuses(&file, &[], 3, &["interlock `own path`", &runs_on, "run firedrill from elsewhere"]);
    on_instance.variables[0].1 = "true".to_owned();
    ends(&on_instance.firedrill("plan", &file, &["--env", "staging", "--seed", "7"]), 0, &[]);

    let reference = Bed::in_lab(&lab, "    references: [\"WWW.lab.test:443\"]\n");
    let (record, flip, _) = &services(&lab.values()["zone_id"])[4];
    let words = ["interlock `own path`", "`references`"];
    reference.refuses(&reference.experiment(record, flip), &[], 3, &words);
    untouched(&lab);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_that_protects_by_default_does_so_in_moto_too() {
    let Some(moto) = Moto::start() else { return };
    let config = moto.arranging().await;
    let tag = Tag::builder().key("firedrill").value("never").build();
    let tags = TagSpecification::builder().resource_type(ResourceType::Instance).tags(tag).build();
    let run = aws_sdk_ec2::Client::new(&config).run_instances().image_id("ami-12345678");
    let run = run.instance_type(InstanceType::T3Micro).min_count(1).max_count(1).tag_specifications(tags);
    let made = run.send().await.expect("an instance");
    let instance = made.instances()[0].instance_id().expect("an id").to_owned();
    let route53 = aws_sdk_route53::Client::new(&config);
    let zone = route53.create_hosted_zone().name("example.com").caller_reference("1").send().await;
    let zone = zone.expect("a zone").hosted_zone.expect("a zone").id;
    let zone = zone.trim_start_matches("/hostedzone/").to_owned();
    let never = aws_sdk_route53::types::Tag::builder().key("firedrill").value("never").build();
    let change = route53.change_tags_for_resource().resource_id(&zone).add_tags(never);
    change.resource_type(aws_sdk_route53::types::TagResourceType::Hostedzone).send().await.expect("tagged");

    let bed = Bed::at(&moto.relay.url(), "123456789012", "");
    let words = ["interlock `protected` (the default of every environment)", "`firedrill: never`"];
    let file = bed.experiment(&format!("ec2.instance: {{ id: {instance} }}"), STOP);
    bed.refuses(&file, &[], 3, &words);
    let record =
        format!("route53.record: {{ zone: {zone}, name: example.com, type: NS }}").replace("NS", "TXT");
    let record_set = aws_sdk_route53::types::ResourceRecordSet::builder()
        .name("example.com")
        .r#type(aws_sdk_route53::types::RrType::Txt)
        .ttl(60)
        .resource_records(
            aws_sdk_route53::types::ResourceRecord::builder().value("\"a\"").build().expect("a record"),
        )
        .build()
        .expect("a record set");
    let create = aws_sdk_route53::types::Change::builder()
        .action(aws_sdk_route53::types::ChangeAction::Create)
        .resource_record_set(record_set)
        .build()
        .expect("a change");
    let batch = aws_sdk_route53::types::ChangeBatch::builder().changes(create).build().expect("a batch");
    route53
        .change_resource_record_sets()
        .hosted_zone_id(&zone)
        .change_batch(batch)
        .send()
        .await
        .expect("made");
    let flip = "action: { route53.flip_record: { target: it, values: [\"\\\"b\\\"\"] } }";
    bed.refuses(&bed.experiment(&record, flip), &[], 3, &words);
    assert_eq!(moto.relay.mutations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_plan_whose_victim_is_gone_is_not_run() {
    let Some(moto) = Moto::start() else { return };
    let ec2 = aws_sdk_ec2::Client::new(&moto.arranging().await);
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let tags = TagSpecification::builder().resource_type(ResourceType::Instance);
    let tags = tags.tags(tag("app", "www")).tags(tag("site", "a")).build();
    let run = ec2.run_instances().image_id("ami-12345678").instance_type(InstanceType::T3Micro);
    run.min_count(3).max_count(3).tag_specifications(tags).send().await.expect("instances");
    let bed = Bed::at(&moto.relay.url(), "123456789012", "");
    let plan = bed.freeze(&bed.experiment(WEB, STOP), &["--env", "staging"]);
    let victim = Frozen::read(&plan).expect("a plan").0.targets[0].resources[0].id.clone();
    ends(&bed.firedrill("run", &plan, &["--dry-run"]), 0, &[]);
    ec2.terminate_instances().instance_ids(&victim).send().await.expect("terminated");
    let gone = format!("step `the fault`, target `it`: {victim} is not chosen any more");
    let words =
        ["does not hold any more; nothing was changed", &gone, "is another victim", "its undo is `start "];
    ends(&bed.firedrill("run", &plan, &[]), 3, &words);
    assert_eq!(moto.relay.mutations(), Vec::<String>::new());
}

#[test]
fn a_frozen_plan_is_run_as_it_is_or_not_at_all() {
    let lab = lab();
    let bed = Bed::in_lab(&lab, "");
    let file = bed.experiment(WEB, STOP);
    let plan = bed.freeze(&file, &["--env", "staging"]);
    let text = std::fs::read_to_string(&plan).expect("a plan");
    let run = |arguments: &[&str]| bed.firedrill("run", &plan, arguments);
    let write = |text: &str| std::fs::write(&plan, text).expect("written");

    ends(&run(&["--env", "lab"]), 2, &["was planned for `staging`, not for `lab`"]);
    ends(&run(&["--seed", "8"]), 2, &["was planned with seed 7"]);
    write(&text.replace("\"seed\": 7", "\"seed\": 8"));
    ends(&run(&[]), 2, &["it was edited after it was written", "never edited"]);
    write("{ \"schema\": \"firedrill/plan/v1\"");
    ends(&run(&[]), 2, &["is no plan that can be run"]);

    let (frozen, _) = {
        write(&text);
        Frozen::read(&plan).expect("a plan")
    };
    type Change = fn(&mut Frozen);
    let changes: [(Change, &str); 3] = [
        (|plan| plan.firedrill = "0.0.1".to_owned(), "firedrill's version is"),
        (|plan| plan.environment.account = Some("999988887777".to_owned()), "and was 999988887777"),
        (|plan| plan.steps[0].undo = None, "its undo is `start i-"),
    ];
    for (change, words) in changes {
        let mut other = frozen.clone();
        change(&mut other);
        write(&other.sealed().expect("sealed"));
        ends(&run(&[]), 3, &["does not hold any more; nothing was changed", words]);
    }

    write(&text);
    let spec = std::fs::read_to_string(&file).expect("text");
    std::fs::write(&file, spec.replace("rto: 10s", "rto: 9s")).expect("written");
    ends(&run(&[]), 3, &["is another text than was frozen: line 3 is `objectives: { rto: 9s }`"]);
    std::fs::write(&file, "kind: Experiment\n").expect("written");
    ends(&run(&[]), 3, &["does not hold any more", "the experiment is not right any more"]);
    std::fs::remove_file(&file).expect("removed");
    ends(&run(&[]), 3, &["does not hold any more", "cannot be read"]);
    assert!(!bed.path("runs").exists(), "a run that never began is stored");
    untouched(&lab);

    std::fs::write(&file, spec).expect("written");
    let output = run(&[]);
    let all = said(&output);
    assert!(bed.path("runs").exists(), "{all}");
    let journal = journal(&bed);
    assert!(journal.contains("run as frozen in ") && journal.contains("\"seed\":7"), "{journal}");
    assert_eq!(lab.calls().get("StopInstances"), Some(&1), "{all}");
}

#[test]
fn a_frozen_plan_holds_no_secret_and_finds_a_changed_one() {
    let bed = Bed::at(
        "http://127.0.0.1:1",
        "111122223333",
        "    values: { word: \"${env:A_WORD}\", open: visible }\n",
    );
    let file = bed.experiment("", "run: [\"true\", \"${word}\", \"${open}\"]");
    let text = std::fs::read_to_string(&file).expect("text");
    let variables = "variables: { word: { secret: true }, open: {} }\n";
    std::fs::write(&file, text.replace("objectives", &format!("{variables}objectives"))).expect("written");
    let mut bed = bed;
    bed.variables = vec![("A_WORD".to_owned(), "correct-horse".to_owned())];
    let plan = bed.freeze(&file, &["--env", "staging"]);
    let kept = std::fs::read_to_string(&plan).expect("a plan");
    assert!(!kept.contains("correct-horse") && kept.contains("visible"), "{kept}");
    ends(&bed.firedrill("run", &plan, &["--dry-run"]), 0, &[]);
    bed.variables[0].1 = "battery-staple".to_owned();
    let output = bed.firedrill("run", &plan, &["--dry-run"]);
    ends(&output, 3, &["the secret in the value of `word` is another one"]);
    assert!(!said(&output).contains("staple"), "{}", said(&output));
}

#[test]
fn a_plan_frozen_in_the_lab_holds_in_the_next_lab() {
    let bed = Bed::at("http://127.0.0.1:1", "111122223333", "");
    let (record, _, _) = &services("lab.test")[4];
    let flip = "action: { route53.flip_record: { target: it, values: [\"${standby_address}\"] } }";
    let file = bed.experiment(record, flip);
    let text = std::fs::read_to_string(&file).expect("text");
    let variables = "variables: { standby_address: {} }\n";
    std::fs::write(&file, text.replace("objectives", &format!("{variables}objectives"))).expect("written");
    let plan = bed.freeze(&file, &["--env", "lab"]);
    ends(&bed.firedrill("run", &plan, &["--dry-run"]), 0, &[]);
}

#[test]
fn a_plan_that_needs_approvals_is_run_when_others_gave_them() {
    let bed = Bed::at("http://127.0.0.1:1", "111122223333", "    approvals: 2\n    approval_valid: 1h\n");
    let file = bed.experiment("", "run: [\"true\"]");
    bed.refuses(
        &file,
        &[],
        3,
        &["interlock `approvals`", "firedrill.yaml:7", "this is no frozen plan", "firedrill plan FILE"],
    );
    let plan = bed.freeze(&file, &["--env", "staging"]);
    let run = || bed.firedrill("run", &plan, &["--by", "Rita"]);
    ends(&run(), 3, &["2 people beside Rita", "and 0 did", "firedrill approve"]);
    ends(&bed.firedrill("approve", &plan, &["--by", " "]), 2, &["needs a name"]);
    // The same user of this machine, whatever they call themselves.
    ends(&bed.firedrill("approve", &plan, &["--by", "Anna"]), 0, &["approved by Anna", "run true"]);
    ends(&bed.firedrill("approve", &plan, &["--by", "Anna"]), 2, &["cannot be written"]);
    ends(&run(), 3, &["and 0 did", "does not count: plan.json.approved-by-Anna.json", "may be who runs it"]);

    let sha256 = Frozen::read(&plan).expect("a plan").1;
    let now = jiff::Timestamp::now();
    let approve = |name: &str, ago: i64| {
        let by = Person { name: name.to_owned(), user: name.to_lowercase(), host: "elsewhere".to_owned() };
        let at = now.checked_sub(jiff::SignedDuration::from_mins(ago)).expect("a time");
        approval::write(&plan, &Approval { plan: sha256.clone(), by, at }).expect("written");
    };
    approve("Ben", 5);
    approve("Carla", 61);
    ends(&run(), 3, &["and 1 did", "it has expired"]);
    assert!(!bed.path("runs").exists(), "a run that never began is stored");
    approve("Dora", 59);
    let output = run();
    assert!(bed.path("runs").exists(), "{}", said(&output));
    let journal = journal(&bed);
    assert!(
        journal.contains("approved by Ben (ben@elsewhere), Dora (dora@elsewhere); run by Rita"),
        "{journal}"
    );
}
