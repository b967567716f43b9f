//! Each way that a run can end, with its exit code: on drills that name nothing of AWS, against a
//! small HTTP service of the test's own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Ran, firedrill, said};

/// Answers 200, but 503 for `outage` from the moment that the file `broken` appears; for ever when
/// the outage is `None`.
struct Service {
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Service {
    fn start(outage: Option<Duration>) -> Service {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let broken = folder.path().join("broken");
        std::thread::spawn(move || {
            let mut since: Option<Instant> = None;
            for stream in listener.incoming().flatten() {
                if since.is_none() && broken.exists() {
                    since = Some(Instant::now());
                }
                let down = since.is_some_and(|since| outage.is_none_or(|outage| since.elapsed() < outage));
                let there = broken.exists();
                answer(stream, down && there);
            }
        });
        Service { address, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes an experiment whose one step runs `program`.
    fn experiment(&self, program: &[&str], objectives: &str, more: &str) -> PathBuf {
        let path = self.file("drill.yaml");
        let text = format!(
            "kind: Experiment\nname: drill\nobjectives: {objectives}\nprobes:\n  web:\n    http: {{ url: \"http://{}/\" }}\n    every: 50ms\n\
             steady_state: {{ for: 1s }}\nsteps:\n  - name: break it\n    run: {program:?}\nrecovery: {{ confirm: 1s, within: 20s }}\n{more}",
            self.address
        );
        std::fs::write(&path, text).expect("written");
        path
    }

    fn touch(&self) -> Vec<String> {
        vec!["touch".to_owned(), self.file("broken").display().to_string()]
    }

    fn run(&self, file: &Path) -> Ran {
        Ran::run(file, self.folder.path(), &["--seed", "1"])
    }
}

fn answer(mut stream: TcpStream, down: bool) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = stream.read(&mut [0; 2048]);
    let status = if down { "503 Service Unavailable" } else { "200 OK" };
    let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn a_fault_that_nothing_shows_is_inconclusive() {
    let service = Service::start(None);
    let ran = service.run(&service.experiment(&["true"], "{ rto: 5s }", ""));
    assert_eq!(ran.code(), 3, "{}", said(&ran.output));
    assert_eq!(ran.report["verdict"], "inconclusive");
    let because = ran.report["because"].as_str().unwrap_or_default().to_owned();
    assert!(because.contains("took hold") || because.contains("take hold"), "{because}");
}

#[test]
fn one_bad_answer_after_a_fault_that_does_nothing_is_no_evidence() {
    // Shorter than the probe's spacing: one sample is bad, or none.
    let service = Service::start(Some(Duration::from_millis(40)));
    let ran = service.run(&service.experiment(&words(&service.touch()), "{ rto: 5s }", ""));
    assert_eq!(ran.code(), 3, "{}", said(&ran.output));
}

#[test]
fn rto_counts_from_the_step_that_acts_first_whatever_its_place_in_the_file() {
    let service = Service::start(Some(Duration::from_millis(1500)));
    let file = service.experiment(&["true"], "{ rto: 1s }", "");
    let text = std::fs::read_to_string(&file).expect("read");
    let steps = format!(
        "  - name: late\n    after: [early]\n    run: [\"sleep\", \"0.1\"]\n  - name: early\n    after: []\n    run: {:?}\nrecovery:",
        service.touch()
    );
    let text = text.replace("  - name: break it\n    run: [\"true\"]\n", "").replace("recovery:", &steps);
    std::fs::write(&file, text).expect("written");
    let ran = service.run(&file);
    assert_eq!(ran.code(), 1, "{}", said(&ran.output));
    assert_eq!(ran.report["fault"]["step"], "early");
}

#[test]
fn an_outage_within_its_target_passes() {
    let service = Service::start(Some(Duration::from_millis(1500)));
    let ran = service.run(&service.experiment(&words(&service.touch()), "{ rto: 5s }", ""));
    assert_eq!(ran.code(), 0, "{}", said(&ran.output));
    let duration = &ran.probe("web")["outages"][0]["duration"];
    let (lo, hi) = (duration["lo"].as_f64().unwrap_or(9.0), duration["hi"].as_f64().unwrap_or(0.0));
    assert!(lo <= 1.5 && 1.5 <= hi + 0.05 && hi - lo < 0.5, "{duration}");
}

#[test]
fn an_outage_beyond_its_target_fails() {
    let service = Service::start(Some(Duration::from_secs(3)));
    let ran = service.run(&service.experiment(&words(&service.touch()), "{ rto: 1s }", ""));
    assert_eq!(ran.code(), 1, "{}", said(&ran.output));
    assert_eq!(ran.report["verdict"], "fail");
}

#[test]
fn an_outage_that_does_not_end_is_censored_and_fails() {
    let service = Service::start(None);
    let file = service.experiment(&words(&service.touch()), "{ rto: 2s }", "");
    let text = std::fs::read_to_string(&file).expect("read").replace("within: 20s", "within: 6s");
    std::fs::write(&file, text).expect("written");
    let ran = service.run(&file);
    assert_eq!(ran.code(), 1, "{}", said(&ran.output));
    let observed = &ran.list("objectives")[0]["observed"];
    assert!(observed["hi"].is_null() && observed["lo"].as_f64().is_some_and(|lo| lo >= 5.0), "{observed}");
}

#[test]
fn an_unhealthy_start_touches_nothing() {
    let service = Service::start(None);
    std::fs::write(service.file("broken"), "").expect("written");
    let marker = service.file("touched");
    let program = ["touch", marker.to_str().expect("text")];
    let ran = service.run(&service.experiment(&program, "{ rto: 5s }", ""));
    assert_eq!(ran.code(), 3, "{}", said(&ran.output));
    assert!(!marker.exists(), "the step ran although the steady state did not hold");
}

#[test]
fn a_dry_run_rehearses_and_changes_nothing() {
    let service = Service::start(None);
    let file = service.experiment(&words(&service.touch()), "{ rto: 5s }", "");
    let ran = Ran::run(&file, service.folder.path(), &["--dry-run"]);
    assert_eq!(ran.code(), 0, "{}", said(&ran.output));
    assert_eq!(ran.report["dry_run"], true);
    assert!(!service.file("broken").exists());
}

#[test]
fn a_step_that_fails_is_never_a_pass_and_is_undone() {
    let service = Service::start(None);
    let undone = service.file("undone");
    let step = format!(
        "steps:\n  - name: break it\n    run: [\"false\"]\n    undo: [\"touch\", {:?}]\n",
        undone.display().to_string()
    );
    let file = service.experiment(&["false"], "{ rto: 5s }", "");
    let text = std::fs::read_to_string(&file).expect("read");
    let old = "steps:\n  - name: break it\n    run: [\"false\"]\n";
    assert!(text.contains(old), "{text}");
    std::fs::write(&file, text.replace(old, &step)).expect("written");
    let ran = service.run(&file);
    assert_eq!(ran.code(), 3, "{}", said(&ran.output));
    assert!(undone.exists(), "the failed step was not undone");
    assert_eq!(ran.report["undo"]["complete"], true);
}

#[test]
fn a_guardrail_aborts_and_undoes() {
    let service = Service::start(None);
    let broken = service.file("broken");
    let file = service.experiment(
        &words(&service.touch()),
        "{ rto: 10s }",
        "stop_when:\n  - probe: web\n    down_for: 2s\n",
    );
    let text = std::fs::read_to_string(&file).expect("read");
    let undo = format!("    undo: [\"rm\", {:?}]\nrecovery:", broken.display().to_string());
    std::fs::write(&file, text.replace("recovery:", &undo)).expect("written");
    let ran = service.run(&file);
    assert_eq!(ran.code(), 4, "{}", said(&ran.output));
    assert_eq!(ran.report["verdict"], "aborted");
    assert!(!broken.exists(), "not undone");
}

#[test]
fn ctrl_c_aborts_and_undoes_and_a_second_one_is_not_needed() {
    let service = Service::start(None);
    let broken = service.file("broken");
    let file = service.experiment(&words(&service.touch()), "{ rto: 10s }", "");
    let text = std::fs::read_to_string(&file).expect("read");
    let undo = format!("    undo: [\"rm\", {:?}]\nrecovery:", broken.display().to_string());
    std::fs::write(&file, text.replace("recovery:", &undo)).expect("written");
    let child = firedrill()
        .arg("run")
        .arg(&file)
        .arg("--store")
        .arg(service.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let deadline = Instant::now() + Duration::from_secs(15);
    while !broken.exists() {
        assert!(Instant::now() < deadline, "the fault was never injected");
        std::thread::sleep(Duration::from_millis(50));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let asked = Instant::now();
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(!broken.exists(), "not undone: {}", said(&output));
    assert!(asked.elapsed() < Duration::from_secs(10), "stopping took {:?}", asked.elapsed());
}

#[test]
fn the_undo_goes_on_when_nobody_listens_any_more() {
    let service = Service::start(None);
    let broken = service.file("broken");
    let file = service.experiment(&words(&service.touch()), "{ rto: 10s }", "");
    let text = std::fs::read_to_string(&file).expect("read");
    let undo = format!("    undo: [\"rm\", {:?}]\nrecovery:", broken.display().to_string());
    std::fs::write(&file, text.replace("recovery:", &undo)).expect("written");
    let mut child = firedrill();
    let child = child.arg("run").arg(&file).arg("--store").arg(service.folder.path()).stderr(Stdio::piped());
    let mut child = child.stdout(Stdio::null()).spawn().expect("started");
    let deadline = Instant::now() + Duration::from_secs(15);
    while !broken.exists() {
        assert!(Instant::now() < deadline, "the fault was never injected");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(child.stderr.take());
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    assert_eq!(child.wait().expect("ended").code(), Some(4));
    assert!(!broken.exists(), "not undone");
}

#[test]
fn no_drill_starts_after_one_that_was_aborted_or_is_not_undone() {
    let service = Service::start(None);
    let file = service.experiment(&["true"], "{ rto: 5s }", "");
    let text = std::fs::read_to_string(&file).expect("read");
    let first = service.file("a.yaml");
    std::fs::write(&first, text.replace("recovery:", "    undo: [\"false\"]\nrecovery:")).expect("written");
    let marker = service.file("second");
    let second = service.file("b.yaml");
    let touch = format!("run: [\"touch\", {:?}]", marker.display().to_string());
    std::fs::write(&second, text.replace("run: [\"true\"]", &touch)).expect("written");
    let output =
        firedrill().arg("run").args([&first, &second]).arg("--store").arg(service.folder.path()).output();
    let output = output.expect("ran");
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(!marker.exists(), "the second drill ran");
}

#[test]
fn a_slip_in_the_last_file_is_found_before_the_first_runs() {
    let service = Service::start(None);
    let file = service.experiment(&words(&service.touch()), "{ rto: 5s }", "");
    let text = std::fs::read_to_string(&file).expect("read");
    let last = service.file("z.yaml");
    std::fs::write(&last, text.replace("rto: 5s", "rto: soon")).expect("written");
    let output =
        firedrill().arg("run").args([&file, &last]).arg("--store").arg(service.folder.path()).output();
    assert_eq!(output.expect("ran").status.code(), Some(2));
    assert!(!service.file("broken").exists(), "the first drill ran");
}

#[test]
fn a_verification_that_held_before_is_no_evidence() {
    let service = Service::start(None);
    let verify = format!("    verify:\n      - http: {{ url: \"http://{}/\" }}\nrecovery:", service.address);
    let file = service.experiment(&["true"], "{ rto: 5s }", "");
    let text = std::fs::read_to_string(&file).expect("read").replace("recovery:", &verify);
    std::fs::write(&file, text).expect("written");
    let ran = service.run(&file);
    assert_eq!(ran.code(), 3, "{}", said(&ran.output));
}

#[test]
fn a_secret_is_hidden_wherever_it_would_be_written_and_names_stay_what_they_are() {
    let service = Service::start(None);
    let file = service.experiment(&["true"], "{ rto: 5s }", "");
    let text = std::fs::read_to_string(&file).expect("read");
    let text = text.replace("objectives:", "variables:\n  token: { secret: true }\nobjectives:");
    let text = text
        .replace("run: [\"true\"]", "run: [\"sh\", \"-c\", \"echo ${token}; echo ${token} >&2; exit 1\"]");
    // The secret is also the step's name, which must not be touched.
    std::fs::write(&file, text.replace("name: break it", "name: hunter22")).expect("written");
    let ran = Ran::run(&file, service.folder.path(), &["--var", "token=hunter22"]);
    assert_eq!(ran.report["steps"][0]["name"], "hunter22");
    assert_eq!(ran.report["steps"][0]["outcome"], "failed", "{}", said(&ran.output));
    for name in ["journal.jsonl", "report.json", "report.html"] {
        let text = std::fs::read_to_string(ran.dir.join(name)).expect("read");
        assert!(!text.contains("echo hunter22") && !text.contains("1: hunter22"), "the secret is in {name}");
    }
    assert!(!said(&ran.output).contains("echo hunter22"), "{}", said(&ran.output));
}

#[test]
fn a_broken_file_is_refused_with_its_place() {
    let service = Service::start(None);
    let file = service.experiment(&["true"], "{ rto: soon }", "");
    let output = firedrill().arg("run").arg(&file).output().expect("ran");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("drill.yaml:3:20") && stderr.contains("a duration such as"), "{stderr}");
}

#[test]
fn an_action_without_an_environment_is_refused_before_anything_is_called() {
    let output = firedrill().args(["run", "experiments/terminate-instance.yaml"]).output().expect("ran");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let output = firedrill().args(["run", "experiments", "--env", "no-such"]).output().expect("ran");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no environment is called `no-such`"));
}
