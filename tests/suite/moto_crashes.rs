//! Death at every event, on moto: a drill of two faults that can be undone is killed (SIGKILL) when half of each line of
//! its journal is on disk; then `recover` puts back what is left, and moto must stand as it did before.

use std::path::PathBuf;
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::moto_drills::Bed;
use crate::support::{firedrill, said};
use crate::support_lab::lines;

/// How many motos are killed over at once.
const AT_ONCE: usize = 3;
const ADDRESS: &str = "192.0.2.9";

/// Stops every instance and moves the record.
fn drill(bed: &Bed) -> PathBuf {
    let text = format!(
        "kind: Experiment\nname: drill\nobjectives: {{ rto: 10s }}\ntargets:\n  site: {{ ec2.instance: {{ tags: {{ app: storefront }}, at_most: 3 }} }}\n  \
         www: {{ route53.record: {{ zone: {}, name: www.example.com, type: A }} }}\nprobes:\n  api:\n    http: {{ url: \"{}/moto-api/\" }}\n\
         steady_state: {{ for: 500ms }}\nsteps:\n  - name: lose the site\n    action: {{ ec2.stop_instances: {{ target: site }} }}\n  \
         - name: move the record\n    action: {{ route53.flip_record: {{ target: www, values: [\"{ADDRESS}\"] }} }}\n\
         recovery: {{ confirm: 500ms, within: 20s, observe: 1s }}\n",
        bed.zone,
        bed.moto.relay.url()
    );
    let path = bed.folder.path().join("crash.yaml");
    std::fs::write(&path, text).expect("written");
    path
}

/// One verb on this moto, with a store of its own for each place.
fn verb(bed: &Bed, name: &str, place: &str, crash: bool) -> Output {
    let mut command = firedrill();
    command.arg(name);
    if name == "run" {
        command.arg(bed.folder.path().join("crash.yaml")).args(["--seed", "7"]);
    }
    command.args(["--env", "staging", "--project"]).arg(bed.folder.path().join("firedrill.yaml"));
    command.arg("--store").arg(store(bed, place));
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("XDG_STATE_HOME", bed.folder.path().join("state"));
    if crash {
        command.env("FIREDRILL_CRASH", place);
    }
    command.output().expect("the binary runs")
}

fn store(bed: &Bed, place: &str) -> PathBuf {
    bed.folder.path().join(format!("runs-{}", place.replace(':', "-")))
}

fn run_of(bed: &Bed, place: &str) -> Option<PathBuf> {
    std::fs::read_dir(store(bed, place)).ok()?.flatten().map(|entry| entry.path()).next()
}

/// The instances' states, and the record sets, as moto has them.
async fn standing(bed: &Bed) -> Vec<String> {
    let config = bed.moto.arranging().await;
    let answer = aws_sdk_ec2::Client::new(&config).describe_instances().send().await.expect("described");
    let instances = answer.reservations().iter().flat_map(|reservation| reservation.instances());
    let state =
        |state: Option<&aws_sdk_ec2::types::InstanceState>| format!("{:?}", state.and_then(|s| s.name()));
    let mut standing: Vec<String> =
        instances.map(|one| format!("{:?} {}", one.instance_id(), state(one.state()))).collect();
    standing.sort();
    let route53 = aws_sdk_route53::Client::new(&config);
    let answer = route53.list_resource_record_sets().hosted_zone_id(&bed.zone).send().await;
    standing.extend(answer.expect("listed").resource_record_sets().iter().map(|set| format!("{set:?}")));
    standing
}

/// How often the faults were sent since the relay had counted this many requests.
fn faults(bed: &Bed, since: usize) -> (usize, usize) {
    let requests = bed.moto.relay.requests();
    let sent = requests.get(since..).unwrap_or_default();
    let stop =
        |request: &&crate::support_moto::Request| request.mutates() && request.operation() == "StopInstances";
    let stops = sent.iter().filter(stop).count();
    let names = |body: &[u8]| String::from_utf8_lossy(body).matches(ADDRESS).count();
    let flips = sent.iter().filter(|request| {
        // The undo says the record back: only a change that upserts the new address is the fault.
        let body = String::from_utf8_lossy(&request.body);
        request.mutates() && names(&request.body) > 0 && body.contains("<Action>UPSERT</Action>")
    });
    (stops, flips.count())
}

/// Kills at one place and recovers; whether there was such a place, or what is wrong.
async fn one(bed: &Bed, place: &str, before: &[String]) -> Result<bool, String> {
    let since = bed.moto.relay.requests().len();
    let died = verb(bed, "run", place, true);
    if std::os::unix::process::ExitStatusExt::signal(&died.status) != Some(9) {
        return Ok(false);
    }
    let recovered = verb(bed, "recover", place, false);
    if recovered.status.code() != Some(0) {
        return Err(format!("recover: {}", said(&recovered)));
    }
    let (stops, flips) = faults(bed, since);
    if stops > 1 || flips > 1 {
        return Err(format!("{stops} stops and {flips} flips were sent: {}", said(&recovered)));
    }
    let after = standing(bed).await;
    if after != before {
        return Err(format!("not as before: {after:#?}\n{}", said(&recovered)));
    }
    let again = verb(bed, "recover", place, false);
    if again.status.code() != Some(0) || !said(&again).contains("nothing to put back") {
        return Err(format!("a second recover: {}", said(&again)));
    }
    Ok(true)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

#[test]
fn moto_stands_as_before_wherever_the_drill_was_killed() {
    let Some(bed) = runtime().block_on(Bed::arrange()) else { return };
    drill(&bed);
    let whole = verb(&bed, "run", "whole", false);
    let events = run_of(&bed, "whole").map(|run| lines(&run)).unwrap_or_default();
    assert!(events > 20, "{}", said(&whole));
    drop(bed);
    let places: Vec<String> = (1..=events).map(|line| format!("{line}:cut")).collect();
    let (next, reached) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let runtime = runtime();
                let bed = runtime.block_on(Bed::arrange()).expect("it was there before");
                drill(&bed);
                let before = runtime.block_on(standing(&bed));
                while let Some(place) = places.get(next.fetch_add(1, Ordering::SeqCst)) {
                    match runtime.block_on(one(&bed, place, &before)) {
                        Ok(there) => {
                            reached.fetch_add(usize::from(there), Ordering::SeqCst);
                        }
                        Err(why) => {
                            wrong.lock().expect("no panic").push(format!("line {place}: {why}"));
                            // What is left would only be found again at every later place.
                            return;
                        }
                    }
                }
            });
        }
    });
    let reached = reached.into_inner();
    println!("moto: {events} events, killed and recovered at {reached} of {} places", places.len());
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(reached * 10 >= places.len() * 8, "{reached} of {} places were reached", places.len());
}
