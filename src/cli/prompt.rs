//! Questions of a run at its own terminal: what is shown, what is typed, what is made of it.
//!
//! Standard input is read by one thread, which begins with the first question and lives as long as the
//! process: the run itself never waits for a key.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::interlock::approval::Person;
use crate::notation::units::show;
use crate::program::Program;
use crate::report::facts::clean;
use crate::run::event::{Answer, Header, PlannedStep, Via};
use crate::run::people::{Given, People};

/// What comes sooner after a question was shown was typed before it could be read.
const TOO_SOON: Duration = Duration::from_millis(200);

/// The lines that people type.
pub struct Keyboard {
    /// Whether somebody can read questions and type answers.
    at_hand: bool,
    lines: Mutex<Option<Receiver<String>>>,
}

impl Keyboard {
    /// Looks whether this process has a terminal. Reads nothing yet.
    pub fn look() -> Keyboard {
        let at_hand = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Keyboard { at_hand, lines: Mutex::new(None) }
    }

    /// The next line, if one was typed. The error is the end of the input.
    fn line(&self) -> Result<Option<String>, ()> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.get_or_insert_with(|| {
            let (out, lines) = channel();
            std::thread::spawn(move || {
                for line in std::io::stdin().lines() {
                    // A line that is no text is no answer.
                    let Ok(line) = line else { continue };
                    if out.send(line).is_err() {
                        break;
                    }
                }
            });
            lines
        });
        match lines.try_recv() {
            Ok(line) => Ok(Some(line)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(()),
        }
    }
}

/// The questions of one run.
pub struct Prompt {
    keyboard: Arc<Keyboard>,
    people: Arc<People>,
    /// Who sits at the terminal.
    who: Person,
    dir: PathBuf,
    plan: Vec<PlannedStep>,
    tabletop: bool,
    /// The steps that wait, oldest first; the first is the one that is asked.
    waiting: Vec<String>,
    /// When the question was shown.
    shown: Option<Instant>,
    closed: bool,
}

impl Prompt {
    /// For a run that has this header, in this folder.
    pub fn new(
        header: &Header,
        dir: PathBuf,
        (keyboard, people): (Arc<Keyboard>, Arc<People>),
        who: Person,
    ) -> Prompt {
        Prompt {
            keyboard,
            people,
            who,
            dir,
            plan: header.plan.clone(),
            tabletop: header.tabletop,
            waiting: Vec::new(),
            shown: None,
            closed: false,
        }
    }

    /// A step waits for people: what to tell them.
    pub fn asked(&mut self, name: &str, text: &str) -> Vec<String> {
        let Some(step) = self.plan.iter_mut().find(|step| step.name == name) else { return Vec::new() };
        // As it is now, with what earlier steps printed in it.
        step.summary = text.to_owned();
        let step = step.clone();
        self.waiting.push(name.to_owned());
        let mut lines = told(&step);
        if !self.can_type() {
            lines.push(format!("  it waits for a person: {}", self.command(&step)));
        } else if self.waiting.len() > 1 {
            lines.push("  asked here once the step before it is answered".to_owned());
        }
        lines
    }

    /// A step ended: nobody is asked for it any more. What to tell people of the next one, which began before.
    pub fn ended(&mut self, name: &str) -> Vec<String> {
        let asked = self.waiting.first().is_some_and(|first| first == name);
        self.waiting.retain(|waiting| waiting != name);
        if !asked {
            return Vec::new();
        }
        self.shown = None;
        let next = self.waiting.first().and_then(|next| self.step(next)).filter(|_| self.can_type());
        next.map(told).unwrap_or_default()
    }

    /// What stands before what is typed, while something is asked.
    pub fn open(&self) -> Option<String> {
        let step = self.step(self.waiting.first()?).filter(|_| self.can_type())?;
        let answers = match step.kind.as_str() {
            "approve" if step.handling.by.is_empty() || self.tabletop => "go, or no-go REASON",
            "approve" => "go as ROLE, or no-go REASON",
            _ => "done, skip REASON or failed REASON",
        };
        Some(format!("? {} ({answers}): ", clean(&step.name)))
    }

    /// Takes in what was typed. Gives what is to be told.
    pub fn poll(&mut self) -> Vec<String> {
        if self.open().is_none() {
            return Vec::new();
        }
        let since = *self.shown.get_or_insert_with(Instant::now);
        let mut early = false;
        loop {
            match self.keyboard.line() {
                Ok(None) if early => {
                    return vec!["  that was typed before the question: say it again".to_owned()];
                }
                Ok(None) => return Vec::new(),
                Ok(Some(_)) if since.elapsed() < TOO_SOON => early = true,
                Ok(Some(line)) => {
                    return self.typed(&line).err().map(|why| format!("  {why}")).into_iter().collect();
                }
                Err(()) => return self.at_its_end(),
            }
        }
    }

    /// Nothing more will be typed.
    fn at_its_end(&mut self) -> Vec<String> {
        self.closed = true;
        let waiting = self.waiting.iter().filter_map(|name| self.step(name));
        let how = waiting.map(|step| format!("  {}", self.command(step)));
        std::iter::once("  the terminal is at its end; answer with:".to_owned()).chain(how).collect()
    }

    fn typed(&self, line: &str) -> Result<(), String> {
        let Some(step) = self.waiting.first().and_then(|name| self.step(name)) else { return Ok(()) };
        let decides = step.kind == "approve";
        let (answer, role, because) = read(line, decides)?;
        let (step, by) = (step.name.clone(), self.who.clone());
        self.people.take(Given { step, by, role, answer, because, via: Via::Terminal })
    }

    fn can_type(&self) -> bool {
        self.keyboard.at_hand && !self.closed
    }

    fn step(&self, name: &str) -> Option<&PlannedStep> {
        self.plan.iter().find(|step| step.name == name)
    }

    /// How to answer from elsewhere.
    fn command(&self, step: &PlannedStep) -> String {
        let mut argv = vec!["firedrill".to_owned(), "confirm".to_owned()];
        argv.extend([self.dir.display().to_string(), step.name.clone()]);
        argv.extend(["--by".to_owned(), "NAME".to_owned()]);
        if step.kind == "approve" && !step.handling.by.is_empty() {
            argv.extend(["--role".to_owned(), "ROLE".to_owned()]);
        }
        Program { argv, env: IndexMap::new(), timeout: Duration::ZERO }.line()
    }
}

/// What a person is shown of a step.
fn told(step: &PlannedStep) -> Vec<String> {
    let handling = &step.handling;
    let mut lines: Vec<String> = step.summary.lines().map(|line| format!("  {}", line.trim())).collect();
    lines.extend(
        handling.about.iter().flat_map(|about| about.lines()).map(|line| format!("  {}", line.trim())),
    );
    let seconds = handling.expected.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let go = match (handling.by.as_slice(), handling.at_least) {
        ([], 0 | 1) => None,
        ([], many) => Some(format!("{many} people say go")),
        (by, 0 | 1) => Some(format!("go is given by: {}", by.join(", "))),
        (by, many) => Some(format!("go is given by {many} people of: {}", by.join(", "))),
    };
    let facts: Vec<String> = [
        handling.owner.as_ref().map(|owner| format!("owner {owner}")),
        handling.role.as_ref().map(|role| format!("role {role}")),
        seconds.map(|expected| format!("expected to take {}", show(expected))),
        go,
    ]
    .into_iter()
    .flatten()
    .collect();
    if !facts.is_empty() {
        lines.push(format!("  ({})", facts.join("; ")));
    }
    lines
}

/// An answer, the role in which it is given, and its reason.
type Said = (Answer, Option<String>, Option<String>);

/// What a typed line says. The error is what could have been said.
fn read(line: &str, decides: bool) -> Result<Said, String> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = Some(rest.trim()).filter(|rest| !rest.is_empty());
    let reason = rest.map(str::to_owned);
    match (word.to_lowercase().as_str(), decides) {
        ("go", true) => match rest.map(|rest| rest.split_once(char::is_whitespace).unwrap_or((rest, ""))) {
            None => Ok((Answer::Go, None, None)),
            Some((of, role)) if of.eq_ignore_ascii_case("as") && !role.trim().is_empty() => {
                Ok((Answer::Go, Some(role.trim().to_owned()), None))
            }
            Some(_) => Err("write `go`, or `go as ROLE`, and nothing more".to_owned()),
        },
        ("no-go" | "nogo", true) => Ok((Answer::NoGo, None, reason)),
        ("done", false) => Ok((Answer::Done, None, reason)),
        ("skip", false) => Ok((Answer::Skipped, None, reason)),
        ("failed", false) => Ok((Answer::Failed, None, reason)),
        (_, true) => Err("answer `go`, or `no-go` and why".to_owned()),
        (_, false) => Err("answer `done`, or `skip` or `failed` and why".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_the_answer_that_it_is() {
        let said = |line: &str, decides| read(line, decides);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(said(" done \r", false), Ok((Answer::Done, None, None)));
        assert_eq!(said("Done after a retry", false), Ok((Answer::Done, None, text("after a retry"))));
        assert_eq!(said("skip  no key", false), Ok((Answer::Skipped, None, text("no key"))));
        assert_eq!(said("failed", false), Ok((Answer::Failed, None, None)));
        assert_eq!(said("go", true), Ok((Answer::Go, None, None)));
        assert_eq!(
            said("go as incident commander", true),
            Ok((Answer::Go, text("incident commander"), None))
        );
        assert_eq!(
            said("no-go the pager is down", true),
            Ok((Answer::NoGo, None, text("the pager is down")))
        );
    }

    struct Desk {
        prompt: Prompt,
        keys: std::sync::mpsc::Sender<String>,
        people: Arc<People>,
        _folder: tempfile::TempDir,
        stop: tokio::sync::watch::Sender<bool>,
    }

    /// A terminal at a run with these steps, each of which waits for a person.
    async fn desk(steps: &[&str]) -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        let mut header = crate::journal::fixture::header();
        let step =
            |name: &&str| PlannedStep { kind: "manual".to_owned(), ..crate::journal::fixture::step(name) };
        header.plan = steps.iter().map(step).collect();
        let writer = crate::journal::Writer::create(folder.path(), &header).expect("a journal");
        let (out, _nobody) = tokio::sync::mpsc::unbounded_channel();
        let clock = crate::clock::Clock::start();
        let recorder = crate::run::recorder::Recorder::new(clock, Arc::default(), writer, out);
        let people = Arc::new(People::default());
        people.listen(Arc::new(recorder), folder.path()).expect("listening");
        let (keys, lines) = channel();
        let keyboard = Arc::new(Keyboard { at_hand: true, lines: Mutex::new(Some(lines)) });
        let who = Person { name: "Rita".to_owned(), user: "rita".to_owned(), host: "desk".to_owned() };
        let dir = folder.path().to_owned();
        let prompt = Prompt::new(&header, dir, (keyboard, people.clone()), who);
        Desk { prompt, keys, people, _folder: folder, stop: tokio::sync::watch::channel(false).0 }
    }

    impl Desk {
        /// The engine asks: gives how the step ended.
        async fn ask(&mut self, name: &'static str) -> tokio::task::JoinHandle<crate::run::step::Ending> {
            let (people, mut stop) = (self.people.clone(), self.stop.subscribe());
            let question = crate::plan::Question { text: format!("do {name}"), decision: None };
            let asked =
                tokio::spawn(
                    async move { people.ask(name, &question, Duration::from_secs(60), &mut stop).await },
                );
            tokio::task::yield_now().await;
            assert!(self.prompt.asked(name, &format!("do {name}"))[0].contains(&format!("do {name}")));
            asked
        }

        fn type_line(&mut self, line: &str) -> Vec<String> {
            self.prompt.poll();
            self.prompt.shown = self.prompt.shown.and_then(|shown| shown.checked_sub(TOO_SOON));
            self.keys.send(line.to_owned()).expect("listened to");
            self.prompt.poll()
        }
    }

    #[tokio::test]
    async fn one_step_is_asked_after_the_other() {
        use crate::run::event::StepOutcome;
        let mut desk = desk(&["one", "two"]).await;
        let one = desk.ask("one").await;
        let two = desk.ask("two").await;
        assert!(desk.prompt.open().expect("a question").starts_with("? one ("));
        assert!(desk.type_line("what?")[0].contains("answer `done`"));
        assert_eq!(desk.type_line("done"), Vec::<String>::new());
        assert_eq!(one.await.expect("no panic").0, StepOutcome::Done);
        assert!(!two.is_finished(), "one answer is one step's");
        assert!(desk.prompt.ended("one")[0].contains("do two"), "shown again when it is its turn");
        assert!(desk.prompt.open().expect("a question").starts_with("? two ("));
        desk.type_line("skip no time");
        assert_eq!(two.await.expect("no panic").0, StepOutcome::Skipped);
        desk.prompt.ended("two");
        assert_eq!(desk.prompt.open(), None);
    }

    #[tokio::test]
    async fn what_was_typed_before_the_question_is_no_answer_to_it() {
        let mut desk = desk(&["one"]).await;
        for _ in 0..5 {
            desk.keys.send("done".to_owned()).expect("listened to");
        }
        assert_eq!(desk.prompt.poll(), Vec::<String>::new(), "nothing is read while nothing is asked");
        let one = desk.ask("one").await;
        assert!(desk.prompt.poll()[0].contains("before the question"));
        assert_eq!(
            desk.type_line(""),
            ["  answer `done`, or `skip` or `failed` and why"],
            "none of it is left"
        );
        assert!(!one.is_finished());
    }

    #[tokio::test]
    async fn when_the_terminal_ends_it_says_how_else_to_answer() {
        let mut desk = desk(&["it's one"]).await;
        let _one = desk.ask("it's one").await;
        let (gone, _) = channel();
        desk.keys = gone;
        let said = desk.prompt.poll();
        assert!(said[1].contains("firedrill confirm") && said[1].contains(r"'it'\''s one'"), "{said:?}");
        assert_eq!(desk.prompt.open(), None);
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for (line, decides) in [
            ("", false),
            ("y", false),
            ("yes", true),
            ("go", false),
            ("done", true),
            ("go on", true),
            ("go as", true),
            ("no", true),
        ] {
            assert!(read(line, decides).is_err(), "{line}");
        }
    }
}
