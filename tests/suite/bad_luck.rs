//! What can be wrong with the world before a drill begins: for each, the binary must end in bounded
//! time with exit code 3, name the call or the resource, say what to do next, have changed nothing,
//! and show no secret.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use firedrill::lab::{Lab, Provocation, Settings};

use crate::support::{firedrill, mutations, said};
use crate::support_moto::{Endpoint, Reply, Request, answer, identity};

/// The keys and passwords here, none of which may ever be shown.
const SECRETS: [&str; 2] = ["aws-secret-that-nobody-may-see", "db-password-that-nobody-may-see"];
/// Long enough for the retries of a reading call, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(15);

const REBOOT: &str = "action: { rds.reboot_db_instance: { target: it, force_failover: true } }";
const TERMINATE: &str = "action: { ec2.terminate_instances: { target: it } }\n    irreversible: true";
const ORDERS: &str = "rds.instance: { id: orders-db }";

fn lab() -> Lab {
    Lab::start(Settings { seed: 4, ..Settings::default() }).expect("a lab")
}

/// A folder with a project file and an experiment.
struct Bed {
    folder: tempfile::TempDir,
    credentials: bool,
    /// A probe in place of the one that is always good.
    probe: Option<String>,
}

impl Bed {
    /// One environment, `staging`, with these lines.
    fn of(lines: &str) -> Bed {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("environments:\n  staging:\n    region: eu-west-1\n    confirm: none\n{lines}");
        std::fs::write(folder.path().join("firedrill.yaml"), text).expect("written");
        Bed { folder, credentials: true, probe: None }
    }

    fn at(url: &str) -> Bed {
        Bed::of(&format!("    accounts: [\"123456789012\"]\n    endpoint_url: {url}\n"))
    }

    /// As somebody has it who points an environment at a lab of another process.
    fn in_lab(lab: &Lab) -> Bed {
        let (account, url, resolver) = (lab.account(), lab.endpoint_url(), lab.resolver());
        Bed::of(&format!(
            "    accounts: [\"{account}\"]\n    endpoint_url: {url}\n    resolver: {resolver}\n"
        ))
    }

    fn experiment(&self, target: &str, step: &str) -> PathBuf {
        let always_good = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = always_good.local_addr().expect("it is bound");
        // It is never accepted from: to be connected to is enough for the probe.
        std::mem::forget(always_good);
        let good = format!("tcp: {{ address: \"{address}\" }}");
        let probe = self.probe.as_deref().unwrap_or(&good);
        let text = format!(
            "kind: Experiment\nname: drill\nobjectives: {{ rto: 10s }}\ntargets:\n  it: {{ {target} }}\n\
             probes:\n  orders:\n    {probe}\n    every: 500ms\nsteady_state: {{ for: 1s }}\nsteps:\n  \
             - name: the fault\n    timeout: 3s\n    {step}\nrecovery: {{ confirm: 1s, within: 15s }}\n"
        );
        let path = self.folder.path().join("drill.yaml");
        std::fs::write(&path, text).expect("written");
        path
    }

    fn command(&self, verb: &str, file: &PathBuf) -> Command {
        let mut command = firedrill();
        command.arg(verb).arg(file).args(["--env", "staging", "--seed", "7", "--project"]);
        command.arg(self.folder.path().join("firedrill.yaml"));
        if verb == "run" {
            command.arg("--store").arg(self.folder.path().join("runs"));
        }
        for name in ["AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL"] {
            command.env_remove(name);
        }
        for name in ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
            command.env_remove(name);
        }
        if self.credentials {
            command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", SECRETS[0]);
        }
        command
    }

    /// Runs one verb: it must end with 3 in time, with these words on standard error; the words.
    fn fails(&self, verb: &str, file: &PathBuf, within: Duration, words: &[&str]) -> String {
        let began = Instant::now();
        let output = self.command(verb, file).output().expect("the binary runs");
        let took = began.elapsed();
        let all = said(&output);
        println!("{verb} took {took:.1?}: {all}\n");
        assert_eq!(output.status.code(), Some(3), "{verb}: {all}");
        assert!(took < within, "{verb} took {took:.1?}: {all}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        for word in words {
            assert!(error.contains(word), "{verb} does not say `{word}`: {all}");
        }
        self.shows_no_secret(&all);
        error
    }

    /// Planned and run: both fail before anything begins, in the same words, and leave nothing behind.
    fn cannot_start(&self, target: &str, step: &str, words: &[&str]) {
        let file = self.experiment(target, step);
        for verb in ["plan", "run"] {
            let error = self.fails(verb, &file, SOON, words);
            assert!(error.contains("\n  help: "), "{verb} says nothing to do next: {error}");
            assert!(error.contains("cannot run as things are; nothing was changed"), "{verb}: {error}");
        }
        assert!(!self.folder.path().join("runs").exists(), "a run that never began is stored");
    }

    fn shows_no_secret(&self, all: &str) {
        let mut texts = vec![all.to_owned()];
        let mut folders = vec![self.folder.path().join("runs")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path => {
                        texts.push(String::from_utf8_lossy(&std::fs::read(path).expect("read")).into_owned())
                    }
                }
            }
        }
        for secret in SECRETS {
            assert!(texts.iter().all(|text| !text.contains(secret)), "a secret is shown: {all}");
        }
    }
}

/// That nothing but looking, and EC2's own rehearsals, has reached the lab.
fn untouched(lab: &Lab) {
    assert_eq!(mutations(lab), Vec::<String>::new());
}

/// An endpoint that knows who one is, and does this with all else.
fn knowing(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Endpoint {
    Endpoint::start(move |request| match request.operation().as_str() {
        "GetCallerIdentity" => identity(),
        _ => script(request),
    })
}

#[test]
fn no_credentials() {
    let endpoint = knowing(|_| Reply::Close);
    let bed = Bed { credentials: false, ..Bed::at(&endpoint.url()) };
    bed.cannot_start(ORDERS, REBOOT, &["no AWS credentials were found", "AWS_PROFILE", "`profile`"]);
    let bed = Bed {
        credentials: false,
        ..Bed::of(&format!("    profile: prod-drills\n    endpoint_url: {}\n", endpoint.url()))
    };
    bed.cannot_start(ORDERS, REBOOT, &["prod-drills", "`profile`"]);
    assert_eq!(endpoint.requests().len(), 0, "nothing can be sent without them");
}

#[test]
fn the_wrong_account() {
    let endpoint = knowing(|_| Reply::Close);
    let bed = Bed::of(&format!("    accounts: [\"999999999999\"]\n    endpoint_url: {}\n", endpoint.url()));
    bed.cannot_start(
        ORDERS,
        REBOOT,
        &["account 123456789012", "is not allowed", "999999999999", "user/firedrill", "`accounts`"],
    );
    let bed = Bed::of(&format!("    endpoint_url: {}\n", endpoint.url()));
    bed.cannot_start(ORDERS, REBOOT, &["allows no account", "accounts: [\"123456789012\"]"]);
    let asked: Vec<String> = endpoint.requests().iter().map(Request::operation).collect();
    assert_eq!(asked, ["GetCallerIdentity"; 4], "nothing else is asked of an account that is not ours");
}

#[test]
fn credentials_that_aws_does_not_know() {
    let lab = lab();
    let bed = Bed::in_lab(&lab);
    let file = bed.experiment(ORDERS, REBOOT);
    let output = bed.command("plan", &file).env("AWS_ACCESS_KEY_ID", "AKIASTRANGER").output().expect("ran");
    let all = said(&output);
    assert_eq!(output.status.code(), Some(3), "{all}");
    for word in ["sts:GetCallerIdentity", "InvalidClientTokenId", "does not accept these credentials"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    bed.shows_no_secret(&all);
}

#[test]
fn what_is_not_there() {
    let lab = lab();
    let bed = Bed::in_lab(&lab);
    let absent = "check the name or id, the region and the account";
    let words = ["target `it`", "rds:DescribeDBInstances of no-such-db", "DBInstanceNotFound", absent];
    bed.cannot_start("rds.instance: { id: no-such-db }", REBOOT, &words);
    let words = ["i-0123456789abcdef0", "InvalidInstanceID.NotFound", absent];
    bed.cannot_start("ec2.instance: { id: i-0123456789abcdef0 }", TERMINATE, &words);
    let words = ["app=no-such-app", "nothing matches", "check the tags"];
    bed.cannot_start("ec2.instance: { tags: { app: no-such-app } }", TERMINATE, &words);
    let flip = "action: { route53.flip_record: { target: it, values: [\"127.0.0.9\"] } }";
    let words = ["no-such.test", "there is no hosted zone of this name", "check the zone's name"];
    bed.cannot_start("route53.record: { zone: no-such.test, name: www.no-such.test, type: A }", flip, &words);
    let stop = "action: { ecs.stop_task: { target: it } }";
    let words = ["no-such-cluster", "ClusterNotFoundException", absent];
    bed.cannot_start("ecs.task: { cluster: no-such-cluster, pick: { count: 1 } }", stop, &words);
    untouched(&lab);
}

#[test]
fn more_than_at_most() {
    let lab = lab();
    let words = ["2 would be chosen, and `at_most` allows 1", "app=storefront", "pick: { count: 1 }"];
    Bed::in_lab(&lab).cannot_start(
        "ec2.instance: { tags: { app: storefront }, at_most: 1 }",
        TERMINATE,
        &words,
    );
    untouched(&lab);
}

#[test]
fn no_permission() {
    let lab = lab();
    let bed = Bed::in_lab(&lab);
    let storefront = "ec2.instance: { tags: { app: storefront }, pick: { count: 1 } }";
    lab.provoke("TerminateInstances", Provocation::AccessDenied);
    let words = ["step `the fault`", "UnauthorizedOperation", "you may not ec2:TerminateInstances on i-"];
    let file = bed.experiment(storefront, TERMINATE);
    for verb in ["plan", "run"] {
        bed.fails(verb, &file, SOON, &words);
    }
    lab.provoke("DescribeInstances", Provocation::AccessDenied);
    let words = ["ec2:DescribeInstances", "UnauthorizedOperation", "allow `ec2:DescribeInstances`"];
    bed.cannot_start(storefront, TERMINATE, &words);
    lab.provoke("DescribeDBInstances", Provocation::AccessDenied);
    let words = ["rds:DescribeDBInstances of orders-db", "AccessDenied", "allow `rds:DescribeDBInstances`"];
    bed.cannot_start(ORDERS, REBOOT, &words);
    untouched(&lab);
}

#[test]
fn throttled_for_ever() {
    let lab = lab();
    lab.provoke("DescribeDBInstances", Provocation::Throttle(u32::MAX));
    let words = [
        "rds:DescribeDBInstances: status 400 at attempt 2",
        "rds:DescribeDBInstances of orders-db: Rate exceeded (Throttling)",
        "help: wait, and make fewer calls at once",
    ];
    Bed::in_lab(&lab).cannot_start(ORDERS, REBOOT, &words);
    assert!(lab.calls()["DescribeDBInstances"] <= 8, "two verbs, four attempts each: {:?}", lab.calls());
    untouched(&lab);
}

#[test]
fn a_page_of_html() {
    let lab = lab();
    lab.provoke("DescribeDBInstances", Provocation::Html500);
    let words = ["rds:DescribeDBInstances of orders-db", "status 500 and an HTML page", "`endpoint_url`"];
    Bed::in_lab(&lab).cannot_start(ORDERS, REBOOT, &words);
    untouched(&lab);
    // Every call, the first one too: a proxy that stands in the way.
    let proxy = Endpoint::start(|_| answer("500 Internal Server Error", "text/html", "<html>sorry</html>"));
    let words = ["sts:GetCallerIdentity", "status 500 and an HTML page", "`endpoint_url`"];
    Bed::at(&proxy.url()).cannot_start(ORDERS, REBOOT, &words);
    assert_eq!(proxy.mutations(), Vec::<String>::new());
}

#[test]
fn nobody_at_the_endpoint() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let words = ["sts:GetCallerIdentity: the endpoint cannot be reached", "refused", "`endpoint_url`"];
    Bed::at(&url).cannot_start(ORDERS, REBOOT, &words);
}

/// An attempt has 10 s and a reading call 30 s in all: the slowest end that there is.
#[test]
fn an_endpoint_that_hangs() {
    let endpoint = knowing(|_| Reply::Hang);
    let bed = Bed::at(&endpoint.url());
    let file = bed.experiment(ORDERS, REBOOT);
    let words = [
        "rds:DescribeDBInstances: no answer at attempt 1",
        "rds:DescribeDBInstances of orders-db: no answer in time",
        "help: check the network",
    ];
    bed.fails("run", &file, Duration::from_secs(40), &words);
    assert_eq!(endpoint.mutations(), Vec::<String>::new());
}

#[test]
fn a_database_that_refuses_the_password() {
    let lab = lab();
    let dsn = lab.values()["orders_dsn"].clone();
    let (before, host) = dsn.split_once('@').expect("a DSN with a password");
    let user = before.rsplit_once(':').expect("a user").0;
    let dsn = format!("{user}:{}@{host}", SECRETS[1]);
    let probe = format!("postgres.ledger: {{ dsn: \"{dsn}\" }}");
    // As it should not be: the password in the file itself, which is warned of without showing it.
    let bed = Bed { probe: Some(probe), ..Bed::in_lab(&lab) };
    let file = bed.experiment(ORDERS, REBOOT);
    let words = ["probe `orders`", "password authentication failed", "nothing was changed", "\n  help: "];
    bed.fails("run", &file, SOON, &words);
    let checked = firedrill().arg("check").arg(&file).output().expect("the binary runs");
    assert!(said(&checked).contains("a password is written in the file"), "{}", said(&checked));
    bed.shows_no_secret(&said(&checked));
    untouched(&lab);
}

#[test]
fn names_that_do_not_resolve() {
    let lab = lab();
    let ledger = "postgres.ledger: { dsn: \"postgres://u@no-such-db.lab.test/orders\" }";
    let bed = Bed { probe: Some(ledger.to_owned()), ..Bed::in_lab(&lab) };
    let file = bed.experiment(ORDERS, REBOOT);
    let words = ["probe `orders`", "no-such-db.lab.test", "nothing was changed", "\n  help: "];
    bed.fails("run", &file, SOON, &words);

    let http = "http: { url: \"http://no-such-shop.lab.test:8080/health\" }";
    let bed = Bed { probe: Some(http.to_owned()), ..Bed::in_lab(&lab) };
    let file = bed.experiment(ORDERS, REBOOT);
    bed.fails("run", &file, SOON, &["orders", "no-such-shop.lab.test", "steady state"]);
    untouched(&lab);
}
