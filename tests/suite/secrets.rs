//! The secret hunt: a distinctive secret at every place where one can enter, servers and programs that repeat
//! whatever they are given, and then every byte that firedrill says or stores is searched for them, in every
//! form in which a secret may come back.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::firedrill;

/// Where each secret enters, and the secret: each with characters that every encoding treats in its own way.
const SECRETS: [(&str, &str); 12] = [
    ("token", "Tk1\"<'&>/+=a7e19c5d30b2f846 token"),
    ("dsn_password", "Dp2/+@:?#84c1f9ab77d3e025dsn"),
    ("url_password", "Up3%&+=/5b0d2e9f41c6a837url"),
    ("environment", "Ev4\\\"+/=c2a96f13e8d5b740env"),
    ("file", "Fi5<>&\"'+/=90e4b7d2a1c35f68file"),
    ("argument", "Ar6 $'\"&+/=1f8c03b6e5d2a974arg"),
    ("program_environment", "Pe7+/=&<>\"7d40a9e2c6b1f385prog"),
    ("body", "Bo8\"\\<>+/=e3b95a0c7f1d2648body"),
    ("aws_secret", "As9+/6c2d8e0f4a1b7395AwsSecretKey+/"),
    ("aws_token", "IQoAt0+/=b4e8c1a6d9f30257SessionToken"),
    ("query", "Qu1&=+ /d2f7c0a9e4b81635query"),
    ("endpoint_password", "En2-a6f1d8b3c94e0725endpoint"),
];

fn secret(name: &str) -> &'static str {
    SECRETS.iter().find(|(known, _)| *known == name).map(|(_, secret)| *secret).expect("a known secret")
}

/// What a form or a URL leaves as it is.
const LOOSE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#').add(b'?').add(b'%');

/// The forms in which a secret may come back.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::to_string(secret).expect("JSON");
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut forms = vec![
        ("as it is", secret.to_owned()),
        ("in JSON", json[1..json.len() - 1].to_owned()),
        ("percent-encoded", percent.to_ascii_lowercase()),
        ("percent-encoded", percent),
        ("loosely percent-encoded", utf8_percent_encode(secret, LOOSE).to_string()),
        ("in HTML", html),
        ("debugged", format!("{secret:?}").trim_matches('"').to_owned()),
        // Cut in the middle, it is still most of a secret.
        ("in half", secret.chars().take(secret.chars().count() * 2 / 3).collect()),
    ];
    // In base64 a secret looks different at each of three places within what is encoded.
    for skipped in 0..3 {
        let mut bytes = vec![b'x'; skipped];
        bytes.extend_from_slice(secret.as_bytes());
        let whole = bytes.len() / 3 * 4;
        let from = if skipped == 0 { 0 } else { 4 };
        forms.push(("in base64", STANDARD.encode(&bytes)[from..whole].to_owned()));
        forms.push(("in URL-safe base64", URL_SAFE_NO_PAD.encode(&bytes)[from..whole].to_owned()));
    }
    forms
}

/// Every secret that the bytes hold, with its form and what stands around it.
fn leaks(place: &str, bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = BTreeMap::new();
    for (name, secret) in SECRETS {
        for (form, shown) in forms(secret) {
            if let Some(at) = text.find(&shown) {
                let from = text.floor_char_boundary(at.saturating_sub(120));
                let to = text.ceil_char_boundary((at + shown.len() + 60).min(text.len()));
                found.entry((name, form)).or_insert_with(|| {
                    format!("{place}: the {name} {form}: …{}…", text[from..to].replace('\n', "⏎"))
                });
            }
        }
    }
    found.into_values().collect()
}

/// Everything in a folder that the program wrote.
fn leaks_within(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => {
                    found.extend(leaks(&path.display().to_string(), &std::fs::read(&path).expect("read")))
                }
            }
        }
    }
    found
}

/// A server that repeats everything it is sent, in headers, body and reason, plain and encoded; as 200 until
/// the file `broken` appears, and as 500 from then on.
fn parrot(broken: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let broken = broken.clone();
            std::thread::spawn(move || repeat(&mut stream, broken.exists()));
        }
    });
    address
}

fn repeat(stream: &mut TcpStream, broken: bool) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
    let mut request = Vec::new();
    let mut chunk = [0; 8192];
    // The body follows the head at once; a little silence is the end.
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request);
        if text.contains("\r\n\r\n") && text.trim_end().ends_with('}') {
            break;
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let header = |name: &str| {
        let found = text.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
        found.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let token = header("authorization");
    let status = if broken { "500" } else { "200" };
    let body = format!(
        "no: {token} is not {}; you sent {text:?}; in base64 {}",
        utf8_percent_encode(&token, NON_ALPHANUMERIC),
        STANDARD.encode(&text)
    );
    let _ = write!(
        stream,
        "HTTP/1.1 {status} refused {token}\r\nx-who: {token}\r\nlocation: /?again={}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        utf8_percent_encode(&token, NON_ALPHANUMERIC),
        body.len()
    );
}

/// A server of no particular protocol that refuses with the words it is given: PostgreSQL's, MySQL's or
/// Redis's way of saying no.
fn refuser(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&answer);
                let _ = stream.read(&mut [0; 4096]);
            });
        }
    });
    address
}

fn postgres_error(words: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C28P01\0M{words}\0D{words}\0H{words}\0\0");
    let mut message = vec![b'E'];
    message.extend_from_slice(&u32::try_from(fields.len() + 4).expect("short").to_be_bytes());
    message.extend_from_slice(fields.as_bytes());
    message
}

fn mysql_error(words: &str) -> Vec<u8> {
    let mut body = vec![0xff, 0x15, 0x04];
    body.extend_from_slice(b"#28000");
    body.extend_from_slice(words.as_bytes());
    let mut packet = u32::try_from(body.len()).expect("short").to_le_bytes()[..3].to_vec();
    packet.push(0);
    packet.extend(body);
    packet
}

struct Bed {
    folder: tempfile::TempDir,
    parrot: SocketAddr,
}

impl Bed {
    fn new() -> Bed {
        let folder = tempfile::tempdir().expect("a folder");
        let parrot = parrot(folder.path().join("broken"));
        std::fs::write(folder.path().join("secret.txt"), format!("{}\n", secret("file"))).expect("written");
        Bed { folder, parrot }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An experiment in which every secret is used.
    fn experiment(&self, name: &str, probes: &str, program: &str, more: &str) -> PathBuf {
        let text = format!(
            r#"kind: Experiment
name: {name}
title: "with ${{token}} in it"
hypothesis: "nobody sees ${{file:secret.txt}}"
owner: "${{env:FD_TEST_SECRET}}"
controls: ["${{token}}"]
variables:
  token: {{ about: a token, secret: true }}
  argument: {{ about: an argument, secret: true }}
  inner: {{ about: for the program, secret: true }}
  body: {{ about: in a body, secret: true }}
  query: {{ about: in a query, secret: true }}
  url: {{ about: holds a password }}
  postgres: {{ about: a DSN, secret: true }}
  mysql: {{ about: a DSN, secret: true }}
  redis: {{ about: a DSN, secret: true }}
objectives: {{ rto: 2s }}
probes:
{probes}
steady_state: {{ for: 1s, availability: 0% }}
steps:
  - name: break it
    run:
      program: ["sh", "-c", '{program}', "${{argument}}", {broken:?}]
      env: {{ INNER: "${{inner}}" }}
      undo: ["sh", "-c", 'env; echo undo "$0" "$INNER"; exit 1', "${{argument}}"]
recovery: {{ confirm: 500ms, within: 3s }}
{more}"#,
            broken = self.path("broken").display().to_string(),
        );
        let path = self.path(&format!("{name}.yaml"));
        std::fs::write(&path, text).expect("written");
        path
    }

    fn command(&self, verb: &str) -> Command {
        let words = secrets_in_words();
        let encoded = |name: &str| utf8_percent_encode(secret(name), NON_ALPHANUMERIC).to_string();
        let (postgres, mysql) = (refuser(postgres_error(&words)), refuser(mysql_error(&words)));
        let redis = refuser(format!("-WRONGPASS {words}\r\n").into_bytes());
        let dsn =
            |scheme: &str, at: SocketAddr| format!("{scheme}://user:{}@{at}/0", encoded("dsn_password"));
        let mut command = firedrill();
        command.arg(verb).env("FD_TEST_SECRET", secret("environment"));
        command.env("AWS_SECRET_ACCESS_KEY", secret("aws_secret")).env("AWS_ACCESS_KEY_ID", "test");
        command.env("AWS_SESSION_TOKEN", secret("aws_token"));
        if verb != "report" && verb != "check" {
            let url = format!("http://user:{}@{}", encoded("url_password"), self.parrot);
            for (name, value) in [
                ("token", secret("token")),
                ("argument", secret("argument")),
                ("inner", secret("program_environment")),
                ("body", secret("body")),
                ("query", encoded("query").as_str()),
                ("url", &url),
                ("postgres", &dsn("postgres", postgres)),
                ("mysql", &dsn("mysql", mysql)),
                ("redis", &dsn("redis", redis)),
            ] {
                command.arg("--var").arg(format!("{name}={value}"));
            }
        }
        command
    }

    /// Runs a command to its end; what it said that it should not have.
    fn hunt(&self, mut command: Command, what: &str) -> (Option<i32>, Vec<String>, String) {
        let output = command.stdin(Stdio::null()).output().expect("the binary runs");
        let mut found = leaks(&format!("{what}, stdout"), &output.stdout);
        found.extend(leaks(&format!("{what}, stderr"), &output.stderr));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), found, said)
    }

    /// What every format of every stored run shows.
    fn reports(&self) -> Vec<String> {
        let mut found = Vec::new();
        let runs: Vec<PathBuf> =
            std::fs::read_dir(self.path("runs")).expect("runs").flatten().map(|entry| entry.path()).collect();
        assert!(!runs.is_empty(), "nothing was stored");
        for run in &runs {
            for format in ["text", "json", "md", "html", "junit", "csv", "jsonl", "hlog", "openmetrics"] {
                let mut command = self.command("report");
                command.arg(run.file_name().expect("a name")).arg("--store").arg(self.path("runs"));
                command.args(["--format", format]);
                let (code, leaked, said) = self.hunt(command, &format!("report --format {format}"));
                assert!(matches!(code, Some(0 | 1 | 3 | 4 | 5)), "{format}: {said}");
                found.extend(leaked);
            }
        }
        found.extend(leaks_within(&self.path("runs")));
        found
    }
}

/// What a malicious or careless server says: every secret, plain and encoded.
fn secrets_in_words() -> String {
    let words = SECRETS.iter().map(|(_, secret)| {
        format!(
            "{secret} {} {}",
            STANDARD.encode(format!("u:{secret}")),
            utf8_percent_encode(secret, NON_ALPHANUMERIC)
        )
    });
    format!("password authentication failed: {}", words.collect::<Vec<_>>().join(" and "))
}

const HTTP: &str = r#"  web:
    http:
      url: "${url}/path?key=${query}"
      method: POST
      headers: { Authorization: "Bearer ${token}", X-Env: "${env:FD_TEST_SECRET}" }
      body: '{"password": "${body}", "file": "${file:secret.txt}"}'
      identity_header: x-who
      expect: { status: 200, headers: { x-who: "Bearer ${token}" } }
    every: 100ms"#;

const REFUSED: &str = r#"
  pg:
    postgres: { dsn: "${postgres}" }
    every: 250ms
  my:
    mysql: { dsn: "${mysql}" }
    every: 250ms
  re:
    redis: { dsn: "${redis}" }
    every: 250ms
  said:
    command:
      run: [sh, -c, 'echo "$0 $INNER"; echo "$0 $INNER" >&2; exit 3', "${argument}"]
      env: { INNER: "${inner}" }
      names_who: true
      timeout: 1s
    every: 500ms"#;

/// Says everything, and breaks the service for a second.
const LOUD: &str = r#"env; echo "$0 $INNER"; echo "$0 $INNER" >&2; touch "$1"; sleep 1; rm "$1""#;

fn assert_none(found: Vec<String>) {
    let count = found.len();
    let mut found = found;
    found.dedup();
    assert!(found.is_empty(), "{count} leaks:\n{}", found.join("\n"));
}

#[test]
fn no_secret_is_shown_by_runs_that_pass_fail_and_cannot_begin() {
    let bed = Bed::new();
    let mut found = Vec::new();
    let mut codes = Vec::new();
    let loud = LOUD;
    let failing = LOUD.replace("sleep 1; rm \"$1\"", "exit 4");
    let every = format!("{HTTP}{REFUSED}");
    for (name, probes, program) in
        [("passes", HTTP, loud), ("fails", HTTP, failing.as_str()), ("refused", &every, loud)]
    {
        let _ = std::fs::remove_file(bed.path("broken"));
        let file = bed.experiment(name, probes, program, "");
        for verb in ["check", "plan", "run"] {
            let mut command = bed.command(verb);
            command.arg(&file);
            if verb == "run" {
                command.arg("--store").arg(bed.path("runs")).args(["--output", "json"]);
            }
            let (code, leaked, said) = bed.hunt(command, &format!("{verb} {name}"));
            codes.push((verb, name, code));
            println!("{verb} {name}: {code:?}\n{said}");
            found.extend(leaked);
        }
    }
    found.extend(bed.reports());
    // The program's words are there, and so was the hunt's ground: an undo that fails, by the way, ends with 5.
    assert!(codes.iter().any(|(verb, _, code)| *verb == "run" && *code == Some(5)), "{codes:?}");
    assert_none(found);
}

#[test]
fn no_secret_is_shown_by_a_run_that_is_aborted() {
    let bed = Bed::new();
    let file = bed.experiment("aborted", HTTP, r#"echo "$0 $INNER"; touch "$1"; sleep 30"#, "");
    let mut command = bed.command("run");
    command.arg(&file).arg("--store").arg(bed.path("runs"));
    let output = |name: &str| std::fs::File::create(bed.path(name)).expect("a file");
    let mut child =
        command.stdin(Stdio::null()).stdout(output("out")).stderr(output("err")).spawn().expect("runs");
    let began = Instant::now();
    while !bed.path("broken").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::INT).expect("it is there");
    let status = child.wait().expect("it ends");
    assert!(matches!(status.code(), Some(4 | 5)), "{status:?}");
    let mut found = bed.reports();
    for name in ["out", "err"] {
        found.extend(leaks(name, &std::fs::read(bed.path(name)).expect("read")));
    }
    assert_none(found);
}

#[test]
fn no_secret_is_shown_by_what_is_wrong_with_a_file() {
    let bed = Bed::new();
    let mut found = Vec::new();
    let mistakes = [
        ("duration", "    every: \"${token}\"".to_owned()),
        ("unknown", "    every: 100ms\n    \"${token}\": 1".to_owned()),
        ("url", "    every: 100ms\n  other:\n    tcp: { address: \"${token}\" }".to_owned()),
        ("dsn", "    every: 100ms\n  other:\n    postgres: { dsn: \"${token}\" }".to_owned()),
        (
            "written",
            format!(
                "    every: 100ms\n  other:\n    redis: {{ dsn: \"redis://u:{}@h/x/y\" }}",
                secret("endpoint_password")
            ),
        ),
    ];
    for (name, wrong) in &mistakes {
        let file = bed.experiment(name, &HTTP.replace("    every: 100ms", wrong), "true", "");
        for (verb, format) in
            [("check", "text"), ("check", "json"), ("check", "sarif"), ("plan", ""), ("run", "")]
        {
            let mut command = bed.command(verb);
            command.arg(&file);
            if !format.is_empty() {
                command.args(["--format", format]);
            }
            if verb == "run" {
                command.arg("--store").arg(bed.path("runs"));
            }
            let (code, leaked, said) = bed.hunt(command, &format!("{verb} {format} {name}"));
            println!("{verb} {format} {name}: {code:?}\n{said}");
            found.extend(leaked);
        }
    }
    assert_none(found);
}

/// AWS repeats the signed request, the session token in it, when a signature does not fit.
#[test]
fn no_secret_is_shown_when_aws_repeats_the_request() {
    use crate::support_moto::{Endpoint, xml_error};
    let endpoint = Endpoint::start(|request| {
        let words = format!(
            "The request signature we calculated does not match the signature you provided.\n\n\
             The Canonical String for this request should have been\n'{}\n{}'",
            request.head.replace('&', "&amp;").replace('<', "&lt;"),
            secrets_in_words().replace('&', "&amp;").replace('<', "&lt;")
        );
        xml_error("403 Forbidden", "SignatureDoesNotMatch", &words)
    });
    let bed = Bed::new();
    let project = bed.path("firedrill.yaml");
    let host = endpoint.url().replace("http://", &format!("http://user:{}@", secret("endpoint_password")));
    let mut found = Vec::new();
    for url in [endpoint.url(), host] {
        let text = format!(
            "environments:\n  staging:\n    region: eu-west-1\n    confirm: none\n    accounts: [\"123456789012\"]\n    \
             endpoint_url: {url}\n"
        );
        std::fs::write(&project, text).expect("written");
        let file = bed.path("aws.yaml");
        let text = "kind: Experiment\nname: drill\nobjectives: { rto: 10s }\ntargets:\n  it: { rds.instance: { id: db } }\n\
             probes:\n  web:\n    http: { url: \"http://127.0.0.1:9/\", headers: { A: \"${env:FD_TEST_SECRET}\" } }\n    every: 1s\n\
             steps:\n  - name: x\n    action: { rds.reboot_db_instance: { target: it } }\nrecovery: { confirm: 1s }\n";
        std::fs::write(&file, text).expect("written");
        for verb in ["plan", "run"] {
            let mut command = bed.command("check");
            // The same environment, without the variables of the other file.
            command = {
                let mut fresh = firedrill();
                for (name, value) in command.get_envs() {
                    match value {
                        Some(value) => fresh.env(name, value),
                        None => fresh.env_remove(name),
                    };
                }
                fresh
            };
            command.arg(verb).arg(&file).args(["--env", "staging", "--project"]).arg(&project);
            if verb == "run" {
                command.arg("--store").arg(bed.path("runs"));
            }
            let (code, leaked, said) = bed.hunt(command, &format!("{verb} at {url}"));
            println!("{verb}: {code:?}\n{said}");
            assert!(said.contains("signature") || said.contains("endpoint"), "{said}");
            found.extend(leaked);
        }
    }
    assert_none(found);
}
