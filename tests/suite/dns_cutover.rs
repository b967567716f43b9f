//! A record that really moves: two knots flipped one after the other, an unbound that caches, and two
//! sites behind the name. Every measured instant is held against the time of the update itself.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::support::{Ran, root, said};
use crate::support_dns::{Knot, Site, Unbound, ends, free_port, holds, installed, lane, stamps};

const OLD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 21);
const NEW: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 22);
const TTL: u32 = 2;
const PROGRAMS: [&str; 4] = ["knotd", "knsupdate", "kdig", "unbound"];

/// What stands for the whole test.
struct Bed {
    knots: [Knot; 2],
    unbound: Unbound,
    sites: [Site; 2],
    folder: tempfile::TempDir,
}

impl Bed {
    async fn start() -> Bed {
        let folder = tempfile::tempdir().expect("a folder");
        let knots = ["first", "second"].map(|name| Knot::serve(folder.path(), name, OLD, TTL));
        let unbound = Unbound::asking(folder.path(), &[&knots[0], &knots[1]]);
        let port = free_port();
        let sites = [Site::open(OLD, port).await, Site::open(NEW, port).await];
        Bed { knots, unbound, sites, folder }
    }

    fn stamps(&self, which: usize) -> PathBuf {
        self.folder.path().join(format!("flipped-{which}"))
    }

    /// Moves the record in one knot, and a while later in the other.
    fn script(&self, pause: &str) -> PathBuf {
        let flip = |which: usize| self.knots[which].flip(NEW, TTL, &self.stamps(which));
        let path = self.folder.path().join("flip.sh");
        let text = format!("set -eu\n{}sleep {pause}\n{}", flip(0), flip(1));
        std::fs::write(&path, text).expect("written");
        path
    }

    fn name_server(&self, which: usize) -> String {
        format!("127.0.0.1:{}", self.knots[which].port)
    }

    fn resolver(&self) -> String {
        format!("127.0.0.1:{}", self.unbound.port)
    }

    fn experiment(&self, rto: &str, names: &str, pause: &str) -> PathBuf {
        let text = format!(
            "kind: Experiment\nname: move-the-record\nobjectives: {{ rto: {rto} }}\nprobes:\n  names:\n    \
             dns: {{ name: app.drill.test, servers: [\"{}\", \"{}\"], resolvers: [\"{}\"], decides: cutover{names} }}\n    \
             every: 100ms\n  app:\n    http: {{ url: \"http://app.drill.test:{}/\", connection: [fresh, kept] }}\n    \
             every: 200ms\nsteady_state: {{ for: 3s }}\nsteps:\n  - name: move the record\n    run: [bash, {:?}]\n\
             recovery: {{ confirm: 2s, within: 60s, observe: 9s }}\n",
            self.name_server(0),
            self.name_server(1),
            self.resolver(),
            self.sites[0].address.port(),
            self.script(pause).display().to_string()
        );
        let path = self.folder.path().join("move-the-record.yaml");
        std::fs::write(&path, text).expect("written");
        path
    }

    async fn drill(&self, rto: &str, names: &str, pause: &str) -> Ran {
        let file = self.experiment(rto, names, pause);
        let project = self.folder.path().join("firedrill.yaml");
        let environment =
            format!("environments:\n  bed:\n    resolver: \"{}\"\n    confirm: none\n", self.resolver());
        std::fs::write(&project, environment).expect("written");
        let store = self.folder.path().join("runs");
        let run = move || {
            let project = project.display().to_string();
            Ran::run(&file, Path::new(&store), &["--env", "bed", "--project", &project])
        };
        tokio::task::spawn_blocking(run).await.expect("ran")
    }
}

fn rto<'a>(ran: &'a Ran, observer: &str) -> &'a serde_json::Value {
    let found = ran.list("objectives").iter().find(|o| o["name"] == "rto" && o["observer"] == observer);
    found.unwrap_or_else(|| panic!("no RTO of {observer}: {}", said(&ran.output)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_turn_holds_the_time_of_the_update() {
    if !installed(&PROGRAMS) {
        return;
    }
    let bed = Bed::start().await;
    let ran = bed.drill("30s", "", "1.5").await;
    assert_eq!(ran.code(), 0, "{}", said(&ran.output));
    let (first, second) = (stamps(&bed.stamps(0), &ran), stamps(&bed.stamps(1), &ran));
    let cutover = &ran.report["cutover"];

    // Each name server, to within one spacing (and what the machine was late).
    for (which, truth) in [(0, first), (1, second)] {
        let lane = lane(&ran, &format!("names/{}", bed.name_server(which)));
        assert_eq!((lane["observer"].as_str(), lane["clean"].as_bool()), (Some("authoritative"), Some(true)));
        holds("first new answer", &lane["first_new"], truth);
        holds("last old answer", &lane["last_old"], truth);
        let (lo, hi) = ends(&lane["first_new"]);
        println!(
            "name server {which}: turned in {lo:.3}–{hi:.3} s, updated in {:.3}–{:.3} s",
            truth.0, truth.1
        );
        assert!(hi - lo < 0.5, "{lane}");
    }
    holds("first name server", &cutover["authoritative_first"], first);
    holds("all name servers", &cutover["authoritative_all"], second);
    assert_eq!(cutover["ttl"].as_f64(), Some(f64::from(TTL)));

    // The resolver turned once the first had, and at the latest a TTL after the last had. It counts in
    // whole seconds, so up to one more.
    let resolver = lane(&ran, &format!("names/{}", bed.resolver()));
    let latest = (first.0, second.1 + f64::from(TTL) + 1.0);
    holds("resolver", &resolver["first_new"], latest);
    let (_, hi) = ends(&resolver["first_new"]);
    println!("resolver: turned by {hi:.3} s, which may be as late as {:.3} s", latest.1);
    assert!(hi < latest.1 + 0.5, "{resolver}: later than {latest:?}");
    assert!(resolver["ttl"][1].as_u64().is_some_and(|ttl| ttl <= u64::from(TTL)), "{resolver}");
    // What others may see is bounded by the last server and the TTL, however lucky this resolver was.
    let (_, everyone) = ends(&cutover["everyone"]);
    assert!(everyone >= second.0 + f64::from(TTL), "{cutover}");

    let names = rto(&ran, "names");
    assert_eq!(names["verdict"], "pass", "{names}");
    let fault = ran.report["fault"]["injected_at"]["lo"].as_f64().expect("a fault");
    assert!(ends(&names["observed"]).1 >= everyone - fault - 1e-6, "{names}");
    assert!(names["because"].as_str().is_some_and(|why| why.contains("its TTL is 2 s")), "{names}");
    traffic(&ran, first, latest.1);
    shown(&ran);
}

/// Traffic that asks for the name moves with the resolver; kept connections stay where they are.
fn traffic(ran: &Ran, first: (f64, f64), latest: f64) {
    let fresh = lane(ran, "app/fresh");
    holds("fresh connections", &fresh["first_new"], (first.0, latest));
    assert!(ends(&fresh["first_new"]).1 < latest + 1.0, "{fresh}");
    holds("the new site", &ran.report["cutover"]["new_first"], (first.0, latest));
    let kept = lane(ran, "app/kept");
    assert_eq!(ends(&kept["last_old"]).1, f64::INFINITY, "{kept}");
    let shares = ran.report["cutover"]["shares"].as_array().expect("shares");
    let of = |observer: &str| shares.iter().find(|share| share["observer"] == observer).expect("a share");
    let end = |observer: &str| {
        let buckets = of(observer)["answers"].as_array().expect("buckets");
        // The last bucket that is whole.
        buckets[buckets.len() - 2].clone()
    };
    let (old, new) = (OLD.to_string(), NEW.to_string());
    let who = of("fresh")["who"].as_array().expect("who").iter().map(|who| who.as_str().expect("a name"));
    let who: Vec<&str> = who.collect();
    assert!(who.len() == 2 && who[0].starts_with(&old) && who[1].starts_with(&new), "{who:?}");
    assert!(end("fresh")[0] == 0 && end("fresh")[1].as_u64() > Some(0), "{}", end("fresh"));
    assert!(end("kept")[0].as_u64() > Some(0), "{}", end("kept"));
}

/// Every format tells it.
fn shown(ran: &Ran) {
    let page = std::fs::read_to_string(ran.dir.join("report.html")).expect("a page");
    for text in ["Cut-over: who answered when", "shares-title", "name server", "kept connections"] {
        assert!(page.contains(text), "the page does not say `{text}`");
    }
    let told = String::from_utf8_lossy(&ran.output.stderr).into_owned();
    for text in ["Cut-over, since the fault", "All name servers answer anew", "to the end"] {
        assert!(told.contains(text), "not told: `{text}` in {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lucky_resolver_does_not_make_an_rto() {
    if !installed(&PROGRAMS) {
        return;
    }
    let bed = Bed::start().await;
    // The second knot turns after 3 s, and the TTL is 2 s: whatever was seen here, other caches may hold the old
    // record for longer than 4 s.
    let ran = bed.drill("4s", "", "3").await;
    let names = rto(&ran, "names");
    assert_ne!(names["verdict"], "pass", "{names}");
    assert!(ends(&names["observed"]).1 >= 5.0, "{names}");
    assert_ne!(ran.code(), 0, "{}", said(&ran.output));
    // Unless only they count.
    let here = Bed::start().await;
    let ran = here.drill("30s", ", observers: this_resolver_only", "1").await;
    let observed = ends(&rto(&ran, "names")["observed"]);
    let turned =
        (0..2).map(|which| ends(&lane(&ran, &format!("names/{}", here.name_server(which)))["first_new"]).1);
    let resolver = ends(&lane(&ran, &format!("names/{}", here.resolver()))["first_new"]).1;
    let last =
        turned.fold(resolver, f64::max) - ran.report["fault"]["injected_at"]["lo"].as_f64().expect("one");
    assert!((observed.1 - last).abs() < 1e-6, "{observed:?} is not {last}");
}

/// How many seeds the lab's drill is run with.
const SEEDS: u64 = 5;

#[test]
fn the_labs_name_server_turns_when_the_lab_says() {
    let store = tempfile::tempdir().expect("a folder");
    for seed in 1..=SEEDS {
        let seed = seed.to_string();
        let short = ["--var", "steady=2s", "--var", "confirm=2s", "--var", "observe=8s"];
        let mut arguments = vec!["--env", "lab", "--seed", &seed];
        arguments.extend(short);
        let ran = Ran::run(&root().join("experiments/flip-route53.yaml"), store.path(), &arguments);
        let truth = ran.json("lab-truth.json");
        let origin = ran.header()["header"]["origin_ns"].as_u64().expect("an origin") as f64;
        let told = |what: &str| {
            let events = truth["events"].as_array().expect("events").iter();
            let mut told = events.filter(|e| e["text"].as_str().is_some_and(|text| text.contains(what)));
            let first =
                told.next().unwrap_or_else(|| panic!("the lab does not say `{what}`: {}", said(&ran.output)));
            (first["at_ns"].as_u64().expect("a time") as f64 - origin) / 1e9
        };
        let turned = (told("reaches the name server"), told("is served"));
        let names = lane(&ran, "names/ns.lab.test");
        for edge in ["first_new", "last_old"] {
            holds(edge, &names[edge], turned);
        }
        let cutover = &ran.report["cutover"];
        holds("all name servers", &cutover["authoritative_all"], turned);
        assert_eq!(cutover["ttl"].as_f64(), Some(1.0), "{cutover}");
        let (lo, hi) = ends(&names["first_new"]);
        println!("seed {seed}: turned in {lo:.3}–{hi:.3} s, by the lab at {:.4} s", turned.1);
        let names = rto(&ran, "names");
        let fault = ran.report["fault"]["injected_at"]["lo"].as_f64().expect("a fault");
        // Until the record's TTL is over, for those who cache; the customers' probe counts it as well.
        for observer in [names, rto(&ran, "www")] {
            assert!(ends(&observer["observed"]).1 >= turned.1 + 1.0 - fault - 0.001, "{observer}");
            assert_eq!(observer["verdict"], "pass", "{observer}");
        }
    }
}
