//! A real load balancer: HAProxy in front of two backends, one of which is killed or taken out. The
//! outage and who served are held against HAProxy's own log.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::support::{Ran, said};
use crate::support_dns::{Process, accepts, ends, free_port, holds, installed, lane, stamped, stamps};

/// HAProxy before two backends `a` and `b`, each an HAProxy that answers by itself.
struct Bed {
    balancer: Process,
    backends: [Process; 2],
    port: u16,
    admin: u16,
    folder: tempfile::TempDir,
}

impl Bed {
    fn start() -> Bed {
        let folder = tempfile::tempdir().expect("a folder");
        let ports = [free_port(), free_port()];
        let [a, b] = ports;
        let backends = [("a", a), ("b", b)].map(|(name, port)| backend(folder.path(), name, port));
        let (port, admin) = (free_port(), free_port());
        let config = format!(
            "global\n  maxconn 200\n  log stdout format raw local0 info\n  \
             stats socket ipv4@127.0.0.1:{admin} level admin\n\
             defaults\n  mode http\n  log global\n  retries 0\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n\
             frontend f\n  bind 127.0.0.1:{port}\n  log-format \"request %Ts.%ms %s %ST\"\n  default_backend site\n\
             backend site\n  option httpchk GET /\n  http-response set-header x-served-by %s\n  \
             default-server inter 300ms fall 2 rise 2\n  server a 127.0.0.1:{a} check\n  server b 127.0.0.1:{b} check backup\n"
        );
        let balancer = haproxy(folder.path(), "balancer", &config).until(|| accepts(port) && accepts(admin));
        Bed { balancer, backends, port, admin, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a drill whose step is one line of shell, with the times before and after it.
    fn drill(&self, line: &str) -> Ran {
        let script = self.file("step.sh");
        let text = format!("set -eu\n{}", stamped(line, &self.file("stamps")));
        std::fs::write(&script, text).expect("written");
        let experiment = format!(
            "kind: Experiment\nname: lose-a-backend\nobjectives: {{ rto: 10s }}\nprobes:\n  site:\n    \
             http: {{ url: \"http://127.0.0.1:{}/\", identity_header: x-served-by }}\n    every: 20ms\n\
             steady_state: {{ for: 2s }}\nsteps:\n  - name: lose backend a\n    run: [bash, {:?}]\n\
             recovery: {{ confirm: 2s, within: 30s, observe: 4s }}\n",
            self.port,
            script.display().to_string()
        );
        let path = self.file("lose-a-backend.yaml");
        std::fs::write(&path, experiment).expect("written");
        Ran::run(&path, &self.file("runs"), &[])
    }

    /// What HAProxy says of each request: when it was accepted, in seconds of the run, by whom it was
    /// served, and how.
    fn requests(&self, ran: &Ran) -> Vec<(f64, String, u16)> {
        let began: Timestamp =
            ran.header()["header"]["began"].as_str().expect("a time").parse().expect("a timestamp");
        let began = began.as_nanosecond() as f64 / 1e9;
        let log = self.balancer.log();
        let requests = log.lines().filter_map(|line| {
            let mut words = line.strip_prefix("request ")?.split_whitespace();
            let at = words.next()?.parse::<f64>().ok()? - began;
            Some((at, words.next()?.to_owned(), words.next()?.parse().ok()?))
        });
        requests.collect()
    }
}

fn haproxy(folder: &Path, name: &str, config: &str) -> Process {
    let path = folder.join(format!("{name}.cfg"));
    std::fs::write(&path, config).expect("written");
    Process::start(
        "haproxy",
        &["-db", "-f", path.to_str().expect("UTF-8")],
        folder.join(format!("{name}.log")),
    )
}

fn backend(folder: &Path, name: &str, port: u16) -> Process {
    let config = format!(
        "defaults\n  mode http\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n\
         frontend f\n  bind 127.0.0.1:{port}\n  http-request return status 200 content-type text/plain string {name}\n"
    );
    haproxy(folder, name, &config).until(|| accepts(port))
}

/// HAProxy writes milliseconds, cut.
const MILLISECOND: f64 = 0.001;

#[test]
fn a_killed_backend_is_down_for_as_long_as_haproxy_says() {
    if !installed(&["haproxy"]) {
        return;
    }
    let bed = Bed::start();
    let ran = bed.drill(&format!("kill -9 {}", bed.backends[0].pid()));
    assert_eq!(ran.code(), 0, "{}", said(&ran.output));
    let outages = ran.probe("site")["outages"].as_array().expect("outages");
    let [outage] = outages.as_slice() else { panic!("not one outage: {outages:?}") };
    let killed = stamps(&bed.file("stamps"), &ran);
    holds("begin", &outage["begin"], killed);

    let requests = bed.requests(&ran);
    let fault = ran.report["fault"]["injected_at"]["lo"].as_f64().expect("a fault");
    let failed: Vec<f64> =
        requests.iter().filter(|(at, _, status)| *at > fault - 0.1 && *status >= 500).map(|r| r.0).collect();
    let (first, last) = (failed[0], *failed.last().expect("some"));
    let before = requests.iter().filter(|(at, _, status)| *at < first && *status == 200).map(|r| r.0);
    let after = requests.iter().filter(|(at, _, status)| *at > last && *status == 200).map(|r| r.0);
    let before = before.fold(0.0, f64::max);
    let after = after.fold(f64::INFINITY, f64::min) + MILLISECOND;
    // By the log, it began between the last that it served and the first that it failed, and ended between
    // the last that it failed and the first that it served.
    holds("begin", &outage["begin"], (before, first + MILLISECOND));
    holds("end", &outage["end"], (last, after));
    let (lo, hi) = ends(&outage["duration"]);
    println!("outage {lo:.3}–{hi:.3} s; by HAProxy's log {:.3}–{:.3} s", last - first, after - before);
    assert!(lo <= after - before && hi >= last - first, "{outage}: HAProxy saw {first} to {last}");
    assert!(hi - lo < 0.5, "{outage}");
    let bad = ran.probe("site")["bad"].as_u64();
    assert_eq!(bad, Some(failed.len() as u64), "HAProxy failed {} requests", failed.len());

    // Who served before and after.
    let lane = lane(&ran, "site");
    assert_eq!(lane["clean"], true, "{lane}");
    let new = requests.iter().find(|(_, who, status)| who == "b" && *status == 200).expect("b served").0;
    holds("first answer from b", &lane["first_new"], (new, new + MILLISECOND));
    let served: Vec<(&str, &str)> = ran.report["cutover"]["identities"]
        .as_array()
        .expect("identities")
        .iter()
        .map(|identity| (identity["who"].as_str().expect("who"), identity["site"].as_str().expect("a site")))
        .collect();
    // What HAProxy answered itself, while nobody served, has no such header.
    assert!(served.contains(&("a", "old")) && served.contains(&("b", "new")), "{served:?}");
}

#[test]
fn a_backend_that_is_taken_out_hands_over_without_an_outage() {
    if !installed(&["haproxy"]) {
        return;
    }
    let bed = Bed::start();
    // HAProxy answers a command with a line, once it has been carried out.
    let command = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}; echo 'disable server site/a' >&3; cat <&3 >/dev/null",
        bed.admin
    );
    let ran = bed.drill(&command);
    assert_eq!(ran.code(), 0, "{}", said(&ran.output));
    assert_eq!(ran.probe("site")["bad"].as_u64(), Some(0), "{}", said(&ran.output));
    let disabled = stamps(&bed.file("stamps"), &ran);
    let lane = lane(&ran, "site");
    holds("first answer from b", &lane["first_new"], disabled);
    holds("last answer from a", &lane["last_old"], disabled);
    // By HAProxy's log as well.
    let requests = bed.requests(&ran);
    let last = requests.iter().filter(|(_, who, _)| who == "a").map(|request| request.0).fold(0.0, f64::max);
    let first = requests.iter().find(|(_, who, _)| who == "b").expect("b served").0;
    holds("the change", &lane["first_new"], (last, first + MILLISECOND));
    let (lo, hi) = ends(&lane["first_new"]);
    println!("a → b in {lo:.3}–{hi:.3} s; disabled in {:.3}–{:.3} s", disabled.0, disabled.1);
}
