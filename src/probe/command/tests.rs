use std::time::Duration;

use super::*;
use crate::probe::fixture::{ask, opening};
use crate::probe::{Answer, Probe, Resolver};
use crate::sample::{Cause, Class};

fn command(argv: &[&str], contains: Option<&str>) -> Command {
    Command {
        run: Argv(argv.iter().map(|word| (*word).to_owned()).collect()),
        env: None,
        expect: contains.map(|text| Expect { stdout_contains: Some(text.to_owned()) }),
        names_who: false,
        timeout: Duration::from_secs(5),
    }
}

async fn sh(script: &str, contains: Option<&str>) -> Answer {
    ask(Probe::Command(command(&["sh", "-c", script], contains))).await
}

#[tokio::test]
async fn each_end_has_its_class() {
    for (script, contains, class, cause, code, detail) in [
        ("true", None, Class::Ok, Cause::None, 0, ""),
        ("echo all is well", Some("is well"), Class::Ok, Cause::None, 0, ""),
        (
            "echo; echo not quite",
            Some("is well"),
            Class::Wrong,
            Cause::Content,
            0,
            "its output does not contain `is well`; it begins: not quite",
        ),
        ("exit 3", None, Class::FailFast, Cause::Status, 3, "exit status 3"),
        ("echo no >&2; echo yes; exit 1", None, Class::FailFast, Cause::Status, 1, "exit status 1: no"),
        ("kill -9 $$", None, Class::FailFast, Cause::Status, 137, "ended by signal 9"),
        ("exit 255", Some("x"), Class::FailFast, Cause::Status, 255, "exit status 255"),
    ] {
        let answer = sh(script, contains).await;
        assert_eq!((answer.class, answer.cause, answer.code), (class, cause, code), "{script}: {answer:?}");
        assert_eq!(answer.detail.as_deref().unwrap_or_default(), detail, "{script}");
    }
}

#[tokio::test]
async fn a_timeout_kills_the_program_and_what_it_started() {
    let marker = 40_000 + std::process::id();
    let probe = Command {
        timeout: Duration::from_millis(300),
        ..command(&["sh", "-c", &format!("sleep {marker} & sleep {marker}")], None)
    };
    let answer = ask(Probe::Command(probe)).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Timeout), "{answer:?}");
    let took = answer.done.since(answer.sent);
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(800), "{took:?}");
    let until = std::time::Instant::now() + Duration::from_secs(2);
    loop {
        let left =
            std::process::Command::new("pgrep").args(["-f", &format!("^sleep {marker}")]).output().unwrap();
        if left.stdout.is_empty() {
            break;
        }
        assert!(std::time::Instant::now() < until, "a child of the program is still running");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn much_output_and_what_is_left_behind_hold_nothing_up() {
    let answer = sh("head -c 3000000 /dev/zero; echo >&2; echo end", None).await;
    assert_eq!(answer.class, Class::Ok, "{answer:?}");
    let answer = sh("sleep 2 & echo began", Some("began")).await;
    assert_eq!(answer.class, Class::Ok, "{answer:?}");
    assert!(answer.done.since(answer.sent) < Duration::from_millis(1500), "{answer:?}");
    let long = sh("head -c 5000 /dev/zero | tr '\\0' x; exit 1", None).await;
    assert_eq!(long.detail.as_deref(), Some("exit status 1: (a line of 5000 bytes)"));
}

#[tokio::test]
async fn the_child_gets_what_it_is_given_and_no_more() {
    // Every test runs with this in its environment.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let given = Some(IndexMap::from([("TOKEN".to_owned(), "given".to_owned())]));
    let script = "test -n \"$PATH\" && test -z \"$CARGO_MANIFEST_DIR\" && echo \"token $TOKEN\"";
    let probe = Command { env: given, ..command(&["sh", "-c", script], Some("token given")) };
    let answer = ask(Probe::Command(probe)).await;
    assert_eq!(answer.class, Class::Ok, "{answer:?}");
}

#[tokio::test]
async fn its_first_line_can_name_who_answered() {
    let probe = Command { names_who: true, ..command(&["echo", "node-7"], None) };
    assert_eq!(ask(Probe::Command(probe)).await.who.as_deref(), Some("node-7"));
    assert_eq!(sh("echo node-7", None).await.who, None);
}

#[test]
fn what_cannot_be_run_is_refused_before_the_run() {
    for program in ["no-such-program-here", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "/"] {
        let error = Probe::Command(command(&[program], None)).open(&opening(Resolver::System)).err().unwrap();
        assert!(error.contains(program) && error.contains("executable"), "{error}");
    }
}
