//! The four mission drills by the binary itself, against moto behind a counting relay: planned and
//! rehearsed without one mutating call, then run, seen in moto's own state, and undone.

use std::path::{Path, PathBuf};
use std::process::Output;

use aws_sdk_ec2::types::{InstanceStateName, InstanceType, ResourceType, Tag, TagSpecification};
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use serde_json::Value;

use crate::support::{firedrill, said};
use crate::support_moto::Moto;

/// moto with something to break in it, and an environment that leads to it.
pub(crate) struct Bed {
    pub(crate) moto: Moto,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) zone: String,
}

impl Bed {
    pub(crate) async fn arrange() -> Option<Bed> {
        let moto = Moto::start()?;
        let config = moto.arranging().await;
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::Instance)
            .tags(Tag::builder().key("app").value("storefront").build())
            .build();
        let ec2 = aws_sdk_ec2::Client::new(&config);
        let run = ec2.run_instances().image_id("ami-12345678").instance_type(InstanceType::T3Micro);
        run.min_count(3).max_count(3).tag_specifications(tags).send().await.expect("instances");
        let rds = aws_sdk_rds::Client::new(&config);
        rds.create_db_instance()
            .db_instance_identifier("orders-db")
            .db_instance_class("db.t3.micro")
            .engine("postgres")
            .master_username("admin1")
            .master_user_password("password1")
            .allocated_storage(20)
            .multi_az(true)
            .send()
            .await
            .expect("a database");
        let replica = rds.create_db_instance_read_replica().db_instance_identifier("orders-db-replica");
        replica.source_db_instance_identifier("orders-db").send().await.expect("a replica");
        let route53 = aws_sdk_route53::Client::new(&config);
        let zone = route53.create_hosted_zone().name("example.com").caller_reference("1").send().await;
        let zone = zone.expect("a zone").hosted_zone.expect("a zone").id;
        let record = ResourceRecordSet::builder()
            .name("www.example.com")
            .r#type(RrType::A)
            .ttl(60)
            .resource_records(ResourceRecord::builder().value("192.0.2.1").build().expect("a record"))
            .build()
            .expect("a record set");
        let create = Change::builder().action(ChangeAction::Create).resource_record_set(record).build();
        let batch = ChangeBatch::builder().changes(create.expect("a change")).build().expect("a batch");
        route53
            .change_resource_record_sets()
            .hosted_zone_id(&zone)
            .change_batch(batch)
            .send()
            .await
            .expect("made");
        let folder = tempfile::tempdir().expect("a folder");
        let bed = Bed { moto, folder, zone: zone.trim_start_matches("/hostedzone/").to_owned() };
        bed.write_project();
        Some(bed)
    }

    fn write_project(&self) {
        let text = format!(
            "environments:\n  staging:\n    region: eu-west-1\n    accounts: [\"123456789012\"]\n    endpoint_url: {}\n    confirm: none\n",
            self.moto.relay.url()
        );
        std::fs::write(self.folder.path().join("firedrill.yaml"), text).expect("written");
    }

    pub(crate) fn experiment(&self, target: &str, step: &str) -> PathBuf {
        let text = format!(
            "kind: Experiment\nname: drill\nobjectives: {{ rto: 10s }}\ntargets:\n  it: {{ {target} }}\nprobes:\n  api:\n    http: {{ url: \"{}/moto-api/\" }}\n\
             steady_state: {{ for: 1s }}\nsteps:\n  - name: the fault\n    timeout: 3s\n    {step}\nrecovery: {{ confirm: 1s, within: 20s }}\n",
            self.moto.relay.url()
        );
        let path = self.folder.path().join("drill.yaml");
        std::fs::write(&path, text).expect("written");
        path
    }

    async fn firedrill(&self, arguments: &[&str], file: &Path) -> Output {
        let mut command = firedrill();
        command
            .arg(arguments[0])
            .arg(file)
            .args(&arguments[1..])
            .args(["--env", "staging", "--seed", "7", "--project"])
            .arg(self.folder.path().join("firedrill.yaml"))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        tokio::task::spawn_blocking(move || command.output().expect("ran")).await.expect("ran")
    }

    /// Plans it and rehearses it, holding that nothing was changed; then runs it.
    async fn drill(&self, file: &Path) -> (Output, Value) {
        let plan = self.firedrill(&["plan"], file).await;
        assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
        let store = self.folder.path().display().to_string();
        let dry = self.firedrill(&["run", "--dry-run", "--store", &store], file).await;
        assert_eq!(dry.status.code(), Some(0), "{}", said(&dry));
        assert_eq!(self.moto.relay.mutations(), Vec::<String>::new(), "a plan or dry run changed something");
        let ran = self.firedrill(&["run", "--output", "json", "--store", &store], file).await;
        let report =
            serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&ran)));
        (ran, report)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_terminated_unfelt_and_that_passes() {
    let Some(bed) = Bed::arrange().await else { return };
    let file = bed.experiment(
        "ec2.instance: { tags: { app: storefront }, pick: { count: 1 } }",
        "action: { ec2.terminate_instances: { target: it } }\n    irreversible: true",
    );
    let (ran, report) = bed.drill(&file).await;
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    assert_eq!(report["objectives"][0]["observed"]["lo"], 0.0, "{report}");
    assert_eq!(bed.moto.relay.mutations(), ["TerminateInstances"]);
    let ec2 = aws_sdk_ec2::Client::new(&bed.moto.arranging().await);
    let answer = ec2.describe_instances().send().await.expect("described");
    let states = answer.reservations().iter().flat_map(|r| r.instances()).filter_map(|i| i.state()?.name());
    let gone = states.filter(|state| **state == InstanceStateName::Terminated).count();
    assert_eq!(gone, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_moto_only_nods_at_is_inconclusive() {
    let Some(bed) = Bed::arrange().await else { return };
    let file = bed.experiment(
        "rds.instance: { id: orders-db }",
        "action: { rds.reboot_db_instance: { target: it, force_failover: true } }",
    );
    let (ran, report) = bed.drill(&file).await;
    assert_eq!(ran.status.code(), Some(3), "{}", said(&ran));
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(bed.moto.relay.mutations(), ["RebootDBInstance"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_is_called_once() {
    let Some(bed) = Bed::arrange().await else { return };
    let file = bed.experiment(
        "rds.instance: { id: orders-db-replica }",
        "action: { rds.promote_read_replica: { target: it } }\n    irreversible: true",
    );
    let (ran, _) = bed.drill(&file).await;
    // moto accepts a promotion and goes on listing the source.
    assert_eq!(ran.status.code(), Some(3), "{}", said(&ran));
    assert_eq!(bed.moto.relay.mutations(), ["PromoteReadReplica"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_flipped_and_restored_exactly() {
    let Some(bed) = Bed::arrange().await else { return };
    let route53 = aws_sdk_route53::Client::new(&bed.moto.arranging().await);
    let records = || async {
        let answer = route53.list_resource_record_sets().hosted_zone_id(&bed.zone).send().await;
        format!("{:?}", answer.expect("listed").resource_record_sets)
    };
    let before = records().await;
    let file = bed.experiment(
        &format!("route53.record: {{ zone: {}, name: www.example.com, type: A }}", bed.zone),
        "action: { route53.flip_record: { target: it, values: [\"192.0.2.9\"] } }",
    );
    let (ran, report) = bed.drill(&file).await;
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    assert_eq!(report["undo"]["complete"], true, "{report}");
    assert_eq!(bed.moto.relay.mutations().len(), 2, "{:?}", bed.moto.relay.mutations());
    assert_eq!(records().await, before);
    let flipped = bed
        .moto
        .relay
        .requests()
        .iter()
        .any(|request| String::from_utf8_lossy(&request.body).contains("192.0.2.9"));
    assert!(flipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_account_and_a_missing_target_change_nothing() {
    let Some(bed) = Bed::arrange().await else { return };
    let store = bed.folder.path().display().to_string();
    let file = bed
        .experiment("rds.instance: { id: no-such-db }", "action: { rds.reboot_db_instance: { target: it } }");
    let absent = bed.firedrill(&["run", "--store", &store], &file).await;
    assert_eq!(absent.status.code(), Some(3), "{}", said(&absent));
    assert!(String::from_utf8_lossy(&absent.stderr).contains("no-such-db"), "{}", said(&absent));

    let project = bed.folder.path().join("firedrill.yaml");
    let text = std::fs::read_to_string(&project).expect("read").replace("123456789012", "999999999999");
    std::fs::write(&project, text).expect("written");
    let file = bed
        .experiment("rds.instance: { id: orders-db }", "action: { rds.reboot_db_instance: { target: it } }");
    let wrong = bed.firedrill(&["run", "--store", &store], &file).await;
    assert_eq!(wrong.status.code(), Some(3), "{}", said(&wrong));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("account"), "{}", said(&wrong));
    assert_eq!(bed.moto.relay.mutations(), Vec::<String>::new());
}
