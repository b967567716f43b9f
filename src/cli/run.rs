//! `firedrill run`: drills, one after the other, each ending in a report.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::claim::{Claim, recover_command};
use super::frozen::{Made, Opened};
use super::interlocks::{self, Gate, Passed, Say};
use super::live::Live;
use super::prompt::{Keyboard, Prompt};
use super::surroundings::Surroundings;
use super::{Exit, Failure, Where};
use crate::aws::{Aws, Fault};
use crate::clock::Clock;
use crate::journal::open;
use crate::plan::{self, Plan};
use crate::probe::Probe;
use crate::report::facts::clean;
use crate::report::{self, Format, Report, Style};
use crate::run::engine::{self, Finished, Run};
use crate::run::people::People;
use crate::run::recorder::{Desk, clean_header};
use crate::run::script::{self, Circumstances};
use crate::run::signals::Signals;
use crate::run::stop::StopFiles;
use crate::spec::Loaded;
use crate::spec::experiment::{Does, Step};
use crate::{journal, spec};

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Experiments or runbooks, or folders of experiments; or one frozen plan: what `firedrill plan -o plan.json` wrote.
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Where,
    /// Do everything but change anything.
    #[arg(long)]
    dry_run: bool,
    /// Read aloud: nothing is called, each step is shown, and people say how it would go. Timed, and never a pass.
    #[arg(long, conflicts_with = "dry_run")]
    tabletop: bool,
    #[command(flatten)]
    say: Say,
    /// Begin although an earlier run in this environment is not put back. The journal says that you did.
    #[arg(long)]
    force: bool,
    /// Where runs are stored; else the project file's `store:`, else `.firedrill/runs`.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// What goes to standard output; people are told on standard error.
    #[arg(long, value_enum, default_value_t = Output::None)]
    output: Output,
}

/// What goes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Nothing.
    None,
    /// One report.json per run.
    Json,
}

/// Carries `run` out.
pub fn run(mut args: RunArgs, colour: bool) -> Result<Exit, Failure> {
    let opened = Opened::among(&args.paths, &mut args.place)?;
    let files = match &opened {
        Some(opened) => vec![opened.experiment()],
        None => spec::find_experiments(&args.paths)
            .map_err(|diagnostics| Failure::diagnostics(diagnostics.render(colour)))?,
    };
    let store = super::surroundings::store(args.store.as_deref(), &args.place.project)?;
    let runtime = super::runtime()?;
    let seed = args.place.seed.unwrap_or_else(rand::random);
    if let (true, Some(opened)) = (args.tabletop, &opened) {
        return Err(Failure::usage(format!(
            "{} is frozen to be run, not to be read aloud",
            opened.path.display()
        ))
        .help("give the experiment's own file to --tabletop"));
    }
    if !args.dry_run && !args.tabletop {
        interlocks::confirm(&args.say, &args.place, &files)?;
    }
    // Every file is read before anything is called: a slip in the last must not be found after the first.
    for file in &files {
        let loaded = surroundings(&args, seed)?.load(file, colour);
        loaded.map_err(|failure| match &opened {
            // It was right when it was frozen.
            Some(opened) => {
                let why = failure.render(false).replace('\n', "\n  ");
                opened.outdated(&[format!("the experiment is not right any more: {why}")])
            }
            None => failure,
        })?;
    }
    let mut signals = {
        let _inside = runtime.enter();
        Signals::listen()
            .map_err(|error| Failure::not_started(format!("signals cannot be listened for: {error}")))?
    };
    let keyboard = Arc::new(Keyboard::look());
    let mut reports = Vec::new();
    let mut exit = Exit::Pass;
    for file in &files {
        let (opened, keyboard) = (opened.as_ref(), keyboard.clone());
        let drill = Drill { args: &args, seed, colour, store: &store, opened, keyboard };
        match runtime.block_on(drill.run(file, &mut signals)) {
            Ok((report, ended)) => {
                exit = exit.worst(ended);
                reports.push(report);
                // What was stopped, or is not put back, is no ground for the next drill.
                if matches!(ended, Exit::Aborted | Exit::UndoIncomplete) {
                    break;
                }
            }
            // One drill that cannot start must not hide the others' results.
            Err(failure) if files.len() > 1 && failure.exit() == Exit::Inconclusive => {
                super::show(&format!("{}: {}\n", file.display(), failure.render(colour)));
                exit = exit.worst(failure.exit());
            }
            Err(failure) => return Err(failure),
        }
    }
    if files.len() > 1 {
        super::show(&format!("{}\n", report::text::summary_table(&reports, style(colour))));
    }
    Ok(exit)
}

/// What a drill runs with.
struct Scene<'a> {
    loaded: &'a Loaded,
    surroundings: &'a Surroundings,
    aws: Option<Arc<Aws>>,
    claim: Claim,
    desk: Arc<Desk>,
    clock: Clock,
    passed: Passed,
}

struct Drill<'a> {
    args: &'a RunArgs,
    seed: u64,
    colour: bool,
    store: &'a Path,
    /// The frozen plan that it must be.
    opened: Option<&'a Opened>,
    /// Who answers for manual steps.
    keyboard: Arc<Keyboard>,
}

/// Where the drills of a command line run, made ready.
fn surroundings(args: &RunArgs, seed: u64) -> Result<Surroundings, Failure> {
    match args.tabletop {
        true => Surroundings::aloud(&args.place),
        false => Surroundings::prepare(&args.place, seed),
    }
}

impl Drill<'_> {
    async fn run(&self, file: &Path, signals: &mut Signals) -> Result<(Report, Exit), Failure> {
        let before = |name| {
            Failure::not_started(format!("{name} before {} began; nothing was changed", file.display()))
                .exiting(Exit::Aborted)
        };
        if let Some(name) = signals.pending() {
            return Err(before(name));
        }
        let surroundings = surroundings(self.args, self.seed)?;
        let loaded = surroundings.load(file, self.colour)?;
        let desk = Arc::new(desk());
        let clock = Clock::start();
        // Planning only looks, so that it can be dropped where it stands.
        let (aws, claim, plan, passed) = tokio::select! {
            planned = self.plan(&loaded, &surroundings, desk.clone(), clock) => planned?,
            name = signals.next() => return Err(before(name)),
        };
        let scene = Scene { loaded: &loaded, surroundings: &surroundings, aws, claim, desk, clock, passed };
        let (dir, finished) = self.carry_out(plan, scene, signals).await?;
        if let Some(lab) = &surroundings.lab {
            // The lab's own record of what was down when, to hold the measurement against.
            let truth = serde_json::to_vec_pretty(&lab.truth()).unwrap_or_default();
            write(&dir.join("lab-truth.json"), &truth)?;
        }
        if let Finished::Left(left) = finished {
            let lines: Vec<String> = left
                .iter()
                .map(|(step, undo)| loaded.redactor.clean(&format!("\n  {step}: {undo}")))
                .collect();
            let left =
                if lines.is_empty() { "\n  nothing was to be undone".to_owned() } else { lines.concat() };
            return Err(Failure::not_started(format!("left at the second signal; NOT undone:{left}"))
                .help(format!("put it back with: {}", recover_command(&dir, &self.args.place)))
                .exiting(Exit::UndoIncomplete));
        }
        self.report(&dir)
    }

    async fn plan(
        &self,
        loaded: &Loaded,
        surroundings: &Surroundings,
        desk: Arc<Desk>,
        clock: Clock,
    ) -> Result<(Option<Arc<Aws>>, Claim, Plan, Passed), Failure> {
        if self.args.tabletop {
            let plan = plan::tabletop::make(loaded, &clock);
            return Ok((None, Claim::nothing(), plan, Passed::default()));
        }
        let aws = connect(loaded, surroundings, self.args.dry_run, desk).await?;
        // Before anything is looked at: what an earlier run left would only show as a plan that does not fit.
        let claim = match self.args.dry_run {
            true => Claim::nothing(),
            false => {
                let environment = surroundings.facts(loaded, aws.as_deref()).await?;
                super::claim::may_begin(aws.as_deref()).await?;
                Claim::make(&self.args.place, self.store, environment, surroundings, self.args.force)?
            }
        };
        let means =
            plan::Means { aws: aws.as_deref(), resolver: surroundings.resolver(), seed: self.seed, clock };
        let plan = plan::make(loaded, &means).await;
        let now = clock.began();
        if let Some(opened) = self.opened {
            let environment = surroundings.facts(loaded, aws.as_deref()).await?;
            let made = Made { loaded, surroundings, environment, seed: self.seed, now };
            made.same_as(opened, plan.as_ref())?;
        }
        let mut plan = plan.map_err(|error| cannot_begin(loaded, &error.to_string(), error.help()))?;
        check_permissions(&mut plan, loaded, aws.as_deref()).await?;
        if let Some(unmet) = plan.unmet() {
            return Err(cannot_begin(loaded, &unmet, unmet_help(&plan)));
        }
        for line in plan.reservations() {
            super::say(&format!("{}\n", loaded.redactor.clean(&line)));
        }
        let gate = Gate { loaded, surroundings, aws: aws.as_deref(), now };
        let passed = match self.args.dry_run {
            // Nothing is changed, so that neither time nor people are needed.
            true => Passed { notes: gate.rehearse(&plan).await?, closing: None },
            false => gate.pass(&plan, &self.args.say, self.opened).await?,
        };
        Ok((aws, claim, plan, passed))
    }

    async fn carry_out(
        &self,
        plan: Plan,
        scene: Scene<'_>,
        signals: &mut Signals,
    ) -> Result<(PathBuf, Finished), Failure> {
        let loaded = scene.loaded;
        let circumstances = Circumstances {
            clock: scene.clock,
            seed: self.seed,
            dry_run: self.args.dry_run,
            environment: scene.surroundings.facts(loaded, scene.aws.as_deref()).await?,
        };
        let mut header = plan.header(loaded, circumstances);
        let mut script = plan.script(loaded, self.args.dry_run);
        script.guardrails.extend(scene.passed.closing);
        if self.args.tabletop {
            script::read_aloud(&mut header, &mut script);
        }
        let dir = self.store.join(&header.run);
        // Held until this returns.
        let mut claim = scene.claim;
        let opened = claim.opened(&header.run);
        let title = header.experiment.title.clone().unwrap_or_default();
        let title = if title.is_empty() { title } else { format!(": {title}") };
        let begins = format!("{} in {}{title}", header.experiment.name, header.environment.name);
        super::say(&format!("{}\n", clean(&loaded.redactor.clean(&begins))));
        if self.args.dry_run {
            let timeline = loaded.redactor.clean(&plan.timeline(&header));
            super::say(&format!("dry run: nothing will be changed\n\n{timeline}\n"));
        }
        if self.args.tabletop {
            super::say("tabletop: read aloud; nothing is called and nothing is measured\n");
        }
        let people = Arc::new(People::default());
        let asked = (self.keyboard.clone(), people.clone());
        let mut shown = header.clone();
        clean_header(&mut shown, &loaded.redactor);
        let prompt = Prompt::new(&shown, dir.clone(), asked, self.args.say.who());
        let mut live = Live::new(&header, self.colour).asking(prompt);
        let run = Run {
            script,
            header,
            steps: plan.steps,
            lanes: plan.lanes,
            references: if self.args.tabletop { Vec::new() } else { scene.surroundings.references() },
            watchers: plan.watchers,
            remarks: [plan.unwatched, scene.passed.notes, std::mem::take(&mut claim.remarks)].concat(),
            opened,
            stop_files: StopFiles::of(&dir, scene.surroundings.environment.stop_file.as_deref()),
            people,
            lookouts: plan.lookouts,
            aws: scene.aws,
            desk: scene.desk,
            redactor: Arc::new(loaded.redactor.clone()),
            dir: dir.clone(),
            clock: scene.clock,
        };
        let finished = engine::run(run, &mut live, signals).await;
        live.close();
        if let Err(
            engine::RunError::Probe { .. } | engine::RunError::Journal { .. } | engine::RunError::Prober(_),
        ) = &finished
        {
            // It never began: there is nothing for `recover` to find.
            let _ = open::close(&dir);
        }
        let finished = finished.map_err(|error| match &error {
            engine::RunError::Broken { left, .. } if !left.is_empty() => {
                Failure::not_started(loaded.redactor.clean(&error.to_string())).exiting(Exit::UndoIncomplete)
            }
            engine::RunError::Probe { .. } => cannot_begin(loaded, &error.to_string(), Some(PROBE_HELP)),
            _ => Failure::not_started(loaded.redactor.clean(&error.to_string())),
        })?;
        Ok((dir, finished))
    }

    fn report(&self, dir: &Path) -> Result<(Report, Exit), Failure> {
        conclude(dir, self.colour, self.args.output == Output::Json)
    }
}

/// Judges a stored run, keeps its reports beside it and shows it.
pub fn conclude(dir: &Path, colour: bool, json: bool) -> Result<(Report, Exit), Failure> {
    let record = journal::read(dir).map_err(|error| Failure::not_started(error.to_string()))?;
    let report = report::build::build(&record);
    let mut kept = Vec::new();
    for format in [Format::Json, Format::Html] {
        let rendered = report::render(&report, &record, format, Style::PLAIN)
            .map_err(|error| Failure::not_started(error.to_string()))?;
        let path = dir.join(format.file_name());
        write(&path, rendered.as_bytes())?;
        kept.push(path.display().to_string());
    }
    super::show(&format!("\n{}\n", report::text::render(&report, &record, style(colour), &kept)));
    if json {
        let line = serde_json::to_string(&report).unwrap_or_default();
        // A reader that has gone away does not change what the drill came to.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    let exit = exit_of(&report);
    Ok((report, exit))
}

fn style(colour: bool) -> Style {
    Style { colour, ..Style::PLAIN }
}

/// How the process ends after one report.
fn exit_of(report: &Report) -> Exit {
    match report::exit::exit_code(report) {
        0 => Exit::Pass,
        1 => Exit::Fail,
        4 => Exit::Aborted,
        5 => Exit::UndoIncomplete,
        _ => Exit::Inconclusive,
    }
}

/// Where the clients announce their calls; until there is a journal, people are told of slow ones.
pub fn desk() -> Desk {
    Desk::telling(|text| super::say(&format!("{text}\n")))
}

/// Asks whether the caller may do all that the plan needs; nothing when it needs nothing of AWS.
pub async fn check_permissions(plan: &mut Plan, loaded: &Loaded, aws: Option<&Aws>) -> Result<(), Failure> {
    let Some(aws) = aws else { return Ok(()) };
    let checked = plan.check_permissions(&loaded.experiment, aws).await;
    checked.map_err(|fault| cannot_begin(loaded, &fault.to_string(), Some(&fault.help)))
}

/// What to do about a plan that cannot be carried out as things are, where one thing helps all of it.
pub fn unmet_help(plan: &Plan) -> Option<&'static str> {
    plan.is_denied().then_some(plan::permit::HELP)
}

/// What to do about a probe that cannot be made ready.
const PROBE_HELP: &str =
    "check the probe's address, credentials and rights, and that it can be reached from this machine";

/// A drill that does not begin: why, and what to do next.
pub fn cannot_begin(loaded: &Loaded, why: &str, help: Option<&str>) -> Failure {
    let clean = |text: &str| loaded.redactor.clean(text);
    let failure = Failure::cannot_begin(&loaded.source.path, &clean(why));
    match help {
        Some(help) => failure.help(clean(help)),
        None => failure,
    }
}

/// The clients, if the experiment uses AWS; proves who we are, and that drills may be run there.
pub async fn connect(
    loaded: &Loaded,
    surroundings: &Surroundings,
    dry_run: bool,
    desk: Arc<Desk>,
) -> Result<Option<Arc<Aws>>, Failure> {
    let experiment = &loaded.experiment;
    let acts = experiment.steps.iter().any(|step| matches!(step.does, Does::Action(_)));
    let checks = experiment.steps.iter().flat_map(Step::checks).map(|check| &check.probe);
    let asks = experiment.probes.iter().map(|watch| &watch.probe).chain(checks).any(Probe::asks_aws);
    let alarms = !experiment.alarms.is_empty() || !experiment.guardrail_alarms().is_empty();
    let stopped_from_afar = surroundings.environment.stop_parameter.is_some();
    if !acts && !asks && !alarms && !stopped_from_afar {
        return Ok(None);
    }
    if surroundings.environment.name.is_empty() {
        return Err(Failure::usage(format!(
            "{} {}, so it needs an environment",
            loaded.source.path,
            match (acts, asks) {
                (true, _) => "acts on AWS",
                (_, true) => "has a probe that asks AWS",
                _ => "names alarms of AWS",
            }
        ))
        .help("try `--env lab`, or name one of firedrill.yaml; `firedrill init` writes a first one"));
    }
    let failed = |fault: Fault| cannot_begin(loaded, &fault.to_string(), Some(&fault.help));
    let aws = Aws::connect(surroundings.aws_settings(dry_run)?, desk).await.map_err(failed)?;
    // Now, and not when the fault is due: nobody should watch a steady state for nothing.
    match acts {
        true => aws.allowed_identity().await,
        // Reading needs no account to be allowed.
        false => aws.identity().await,
    }
    .map_err(failed)?;
    Ok(Some(Arc::new(aws)))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes)
        .map_err(|error| Failure::not_started(format!("{} cannot be written: {error}", path.display())))
}
