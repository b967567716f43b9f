//! Who may answer what, when it counts, and what the journal has of it.

use super::*;
use crate::clock::Clock;
use crate::journal::{Writer, fixture};
use crate::redact::Redactor;
use crate::run::event::Event;

struct Desk {
    people: Arc<People>,
    events: tokio::sync::mpsc::UnboundedReceiver<Event>,
    stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

fn desk() -> Desk {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = Writer::create(folder.path(), &fixture::header()).expect("a journal");
    let (out, events) = tokio::sync::mpsc::unbounded_channel();
    let mut redactor = Redactor::new();
    redactor.add("hunter22");
    let recorder = Arc::new(Recorder::new(Clock::start(), Arc::new(redactor), writer, out));
    let people = Arc::new(People::default());
    people.listen(recorder, folder.path()).expect("listening");
    Desk { people, events, stop: watch::channel(false).0, _folder: folder }
}

impl Desk {
    /// Asks, and lets the question be open before it returns.
    async fn ask(&self, question: Question, timeout: Duration) -> tokio::task::JoinHandle<Ending> {
        let (people, mut stop) = (self.people.clone(), self.stop.subscribe());
        let asked = tokio::spawn(async move { people.ask("s", &question, timeout, &mut stop).await });
        while self.people.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        asked
    }

    fn say(&self, who: &str, answer: Answer, because: &str) -> Result<(), String> {
        self.people.take(given(who, answer, because))
    }
}

fn given(who: &str, answer: Answer, because: &str) -> Given {
    let by = Person { name: who.to_owned(), user: who.to_lowercase(), host: "desk".to_owned() };
    let because = Some(because.to_owned());
    Given { step: "s".to_owned(), by, role: None, answer, because, via: Via::Terminal }
}

fn manual() -> Question {
    Question { text: "pull the plug".to_owned(), decision: None }
}

fn decision(by: &[&str], at_least: u8) -> Question {
    let by = by.iter().map(|role| (*role).to_owned()).collect();
    Question { text: "go on?".to_owned(), decision: Some(Decision { by, at_least }) }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn each_answer_to_a_manual_step_ends_it_in_its_own_way() {
    for (answer, because, outcome, detail) in [
        (Answer::Done, "", StepOutcome::Done, "done by Anna (anna@desk)"),
        (Answer::Done, "it was hot", StepOutcome::Done, "done by Anna (anna@desk): it was hot"),
        (Answer::Skipped, "no key", StepOutcome::Skipped, "skipped by Anna (anna@desk): no key"),
        (Answer::Failed, "stuck", StepOutcome::Failed, "failed, says Anna (anna@desk): stuck"),
    ] {
        let desk = desk();
        let asked = desk.ask(manual(), LONG).await;
        desk.say("Anna", answer, because).expect("taken");
        assert_eq!(asked.await.expect("no panic"), (outcome, Some(detail.to_owned())));
        assert!(desk.say("Anna", answer, because).is_err(), "it was asked once");
    }
}

#[tokio::test]
async fn what_does_not_answer_the_question_does_not_count() {
    let desk = desk();
    let asked = desk.ask(manual(), LONG).await;
    for (answer, because, why) in [
        (Answer::Go, "", "not to decide"),
        (Answer::NoGo, "no", "not to decide"),
        (Answer::Skipped, " \n", "needs a reason"),
        (Answer::Failed, "", "needs a reason"),
    ] {
        let refused = desk.say("Anna", answer, because).expect_err("refused");
        assert!(refused.contains(why), "{refused}");
    }
    assert!(desk.say(" \u{7} ", Answer::Done, "").expect_err("refused").contains("who says it"));
    let other = Given { step: "S".to_owned(), ..given("Anna", Answer::Done, "") };
    assert!(desk.people.take(other).expect_err("refused").contains("did you mean `s`?"));
    assert!(!asked.is_finished());
}

#[tokio::test]
async fn two_people_must_say_go_and_one_under_two_names_is_one() {
    let desk = desk();
    let asked = desk.ask(decision(&[], 2), LONG).await;
    desk.say("Anna", Answer::Go, "").expect("taken");
    let twin = Given {
        by: Person { name: "Ben".into(), ..given("Anna", Answer::Go, "").by },
        ..given("Anna", Answer::Go, "")
    };
    let refused = desk.people.take(twin).expect_err("the same user");
    assert!(refused.contains("may be Anna (anna@desk), who said go already"), "{refused}");
    assert!(desk.say("anna ", Answer::Go, "").is_err());
    assert!(!asked.is_finished());
    desk.say("Ben", Answer::Go, "").expect("taken");
    let said = Some("go by Anna (anna@desk), Ben (ben@desk)".to_owned());
    assert_eq!(asked.await.expect("no panic"), (StepOutcome::Done, said));
}

#[tokio::test]
async fn a_role_says_who_may_say_go_and_anybody_may_say_no() {
    let desk = desk();
    let asked = desk.ask(decision(&["incident commander", "Carla"], 1), LONG).await;
    let refused = desk.say("Anna", Answer::Go, "").expect_err("no role");
    assert!(refused.contains("incident commander, Carla"), "{refused}");
    let wrong = Given { role: Some("intern".to_owned()), ..given("Anna", Answer::Go, "") };
    assert!(desk.people.take(wrong).is_err());
    assert!(desk.say("Anna", Answer::Done, "").expect_err("a decision").contains("go or no-go"));
    desk.say("Anna", Answer::NoGo, "the pager is down").expect("anybody may");
    let said = Some("no-go by Anna (anna@desk): the pager is down".to_owned());
    assert_eq!(asked.await.expect("no panic"), (StepOutcome::Failed, said));

    let asked = desk.ask(decision(&["incident commander", "Carla"], 1), LONG).await;
    let commander = Given { role: Some("Incident Commander ".to_owned()), ..given("Anna", Answer::Go, "") };
    desk.people.take(commander).expect("the role counts");
    assert_eq!(asked.await.expect("no panic").0, StepOutcome::Done);
    let asked = desk.ask(decision(&["incident commander", "Carla"], 1), LONG).await;
    desk.say("carla", Answer::Go, "").expect("the name counts");
    assert_eq!(asked.await.expect("no panic").0, StepOutcome::Done);
}

#[tokio::test]
async fn without_an_answer_the_time_ends_it() {
    let desk = desk();
    let short = Duration::from_millis(30);
    let overdue = |question| async { desk.ask(question, short).await.await.expect("no panic") };
    let (outcome, why) = overdue(manual()).await;
    assert_eq!((outcome, why.as_deref()), (StepOutcome::Failed, Some("nobody confirmed it within 30ms")));
    let (outcome, why) = overdue(decision(&[], 1)).await;
    assert_eq!((outcome, why.as_deref()), (StepOutcome::Failed, Some("nobody said go within 30ms")));
    assert!(desk.say("Anna", Answer::Done, "").expect_err("too late").contains("nor does any other"));
}

#[tokio::test]
async fn a_stop_ends_the_waiting() {
    let desk = desk();
    let asked = desk.ask(manual(), LONG).await;
    desk.stop.send_replace(true);
    assert_eq!(asked.await.expect("no panic").0, StepOutcome::Indeterminate);
}

#[tokio::test]
async fn nothing_that_is_typed_breaks_the_journal() {
    let mut desk = desk();
    let asked = desk.ask(manual(), LONG).await;
    let nasty = format!("\u{1b}[2J hunter22\r\n{{\"x\":1}}\0 {}", "x".repeat(5000));
    desk.say("An\u{1b}na\n", Answer::Failed, &nasty).expect("taken");
    let (_, why) = asked.await.expect("no panic");
    let why = why.expect("a reason");
    assert!(!why.contains(char::is_control) && why.chars().count() < 1100, "{why}");
    let asked = desk.events.recv().await.expect("an event");
    assert!(matches!(asked.kind, EventKind::Asked { .. }), "{asked:?}");
    let event = desk.events.recv().await.expect("an event");
    let EventKind::Answered { by, because: Some(because), .. } = event.kind else { panic!("{event:?}") };
    assert_eq!(by, "An na (an na@desk)");
    assert!(because.starts_with("[2J *** {\"x\":1} xxx") && because.ends_with('…'), "{because}");
}
