//! `firedrill.yaml`: where drills run, and with which values.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::tz::TimeZone;

use super::interlock::{
    self, APPROVAL_VALID, Freeze, Interlocks, Limits, Override, Tagged, Window, Zone, placed,
};
use super::source::{self, Diagnostics, Source};
use super::values::{Bindings, Piece, pieces};
use super::{later, lint};
use crate::notation::code::Code;
use crate::notation::decode::{
    Context, Decode, Problem, Spanned, SpannedName, entries, entries_for, field, kind_of, nearest,
    unknown_keys,
};
use crate::notation::shape::{self, Shapes};
use crate::notation::yaml::{Key, Node, Span, Value};
use crate::probe::dns::Server;
use crate::probe::tcp::Address;
use crate::{record, words};

/// The environment that is built in.
pub const LAB: &str = "lab";

/// Where a drill runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// The AWS region.
    pub region: Option<String>,
    /// The profile of the AWS configuration files.
    pub profile: Option<String>,
    /// The ARN of the role to assume.
    pub role: Option<String>,
    /// The AWS accounts that may be changed.
    pub accounts: Vec<String>,
    /// Where AWS's API is, when it is not AWS.
    pub endpoint_url: Option<String>,
    /// The DNS server that probes ask.
    pub resolver: Option<SocketAddr>,
    /// What is asked to tell an outage from the own network being gone.
    pub references: Vec<Address>,
    /// Values of variables. They may hold references of their own.
    pub values: IndexMap<String, String>,
    /// How a run is confirmed.
    pub confirm: Confirmation,
    /// A file that stops every run by being there.
    pub stop_file: Option<PathBuf>,
    /// A parameter of Systems Manager that stops every run, by name.
    pub stop_parameter: Option<String>,
    /// What must hold before anything is changed.
    pub interlocks: Interlocks,
}

impl Environment {
    /// Whether what stands in for AWS is on this very machine.
    pub fn at_hand(&self) -> bool {
        let url = self.endpoint_url.as_deref().and_then(|url| reqwest::Url::parse(url).ok());
        let host = url.as_ref().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// No environment: for an experiment that names nothing of AWS.
    pub fn none() -> Environment {
        Environment { confirm: Confirmation::None, ..Environment::default() }
    }
}

words! {
    /// How a run is confirmed before anything is changed.
    pub enum Confirmation {
        /// By typing the environment's name.
        "name" => Name,
        /// By answering yes.
        "yes" => Yes,
        /// Not at all.
        "none" => None,
    }
}

// `words!` declares the enum, so the default cannot be derived.
#[allow(clippy::derivable_impls)]
impl Default for Confirmation {
    fn default() -> Confirmation {
        Confirmation::Name
    }
}

record! {
    /// An environment: where drills run.
    pub struct Settings {
        /// The AWS region, such as `eu-west-1`.
        pub region: Option<String>,
        /// The profile of the AWS configuration files.
        pub profile: Option<String>,
        /// The ARN of the role to assume.
        pub role: Option<String>,
        /// The ids of the AWS accounts that may be changed. Nothing is changed in any other.
        pub accounts: Accounts = Accounts(Vec::new()),
        /// Where AWS's API is, when it is not AWS: such as `http://127.0.0.1:5000`.
        pub endpoint_url: Option<String>,
        /// The DNS server that probes ask, `ip:port`; without it, the system's.
        pub resolver: Option<Server>,
        /// Addresses, each `host:port`, that have nothing to do with any drill, such as AWS's own endpoints. While none of them
        /// can be reached, the prober's own network is gone, and what it sees is nobody's outage.
        pub references: Option<Vec<Address>>,
        /// Values of the experiments' variables, by name.
        pub values: Templates = Templates(IndexMap::new()),
        /// How a run is confirmed: by typing the environment's `name`, by `yes`, or `none`.
        pub confirm: Confirmation = Confirmation::Name,
        /// A file, relative to the project file, whose being there stops a run in this environment, with its undo, and lets none
        /// begin.
        pub stop_file: Option<String>,
        /// A parameter of AWS Systems Manager, by name, that does the same: any value but `go` stops a run, and none begins.
        pub stop_parameter: Option<ParameterName>,
        /// Demands the environment's name on the command line, `--confirm NAME`, or typed on a terminal; `--yes`
        /// does not do.
        pub require_confirm: bool = false,
        /// A resource that carries any of these tags is never acted on; `tags: { firedrill: never }` when left
        /// out. A task counts as tagged like its service, a DB instance like its cluster, a record like its zone.
        pub protected: Option<Spanned<Tagged>>,
        /// Only a resource that carries all of these tags is acted on.
        pub opt_in: Option<Spanned<Tagged>>,
        /// The IANA time zone of `freeze`, and of the windows that name none.
        pub time_zone: Zone = Zone(TimeZone::UTC),
        /// When things may be changed. A run that is still on when its window closes is stopped and undone.
        pub windows: Option<Spanned<Vec<Window>>>,
        /// Dates on which nothing is changed: `2026-12-24`, or `2026-12-20..2027-01-02` with both days included.
        pub freeze: Option<Spanned<Vec<Freeze>>>,
        /// Whether `--outside-window REASON` may override windows and freezes.
        pub r#override: Override = Override::Never,
        /// How much one drill may act on.
        pub limits: Option<Spanned<Limits>>,
        /// How many people beside the one who runs must approve the frozen plan, with `firedrill approve`. It is an
        /// interlock against mistakes, and no cryptographic proof.
        pub approvals: Option<Spanned<u8>>,
        /// How long an approval holds.
        pub approval_valid: Duration = APPROVAL_VALID,
    }
}

impl Settings {
    /// The interlocks, each with its place in the file.
    fn interlocks(&self, source: &Source) -> Interlocks {
        fn rule<T: Clone>(written: &Option<Spanned<T>>, source: &Source) -> Option<interlock::Rule<T>> {
            Some(placed(written.clone()?, &source.path, &source.text))
        }
        let tags =
            |tagged: interlock::Rule<Tagged>| interlock::Rule { is: tagged.is.tags, place: tagged.place };
        Interlocks {
            protected: rule(&self.protected, source).map_or_else(|| Interlocks::default().protected, tags),
            opt_in: rule(&self.opt_in, source).map(tags),
            time_zone: self.time_zone.clone(),
            windows: rule(&self.windows, source),
            freeze: rule(&self.freeze, source),
            r#override: self.r#override,
            limits: rule(&self.limits, source),
            approvals: rule(&self.approvals, source).filter(|rule| rule.is > 0),
            approval_valid: self.approval_valid,
            require_confirm: self.require_confirm,
        }
    }
}

/// The name of a parameter of Systems Manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterName(pub String);

impl Decode for ParameterName {
    fn expects() -> String {
        "the name of an SSM parameter, such as /drills/stop".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let name = cx.text_for::<Self>(node)?;
        // As PutParameter takes them; and a name with a path starts with a slash.
        let fits = !name.is_empty()
            && name.len() <= 1011
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte))
            && (name.starts_with('/') || !name.contains('/'));
        if !fits {
            cx.unexpected(Code::NotAnArgument, node, &Self::expects());
        }
        fits.then_some(ParameterName(name))
    }
}

/// AWS account ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts(pub Vec<String>);

impl Decode for Accounts {
    fn expects() -> String {
        "a list of AWS account ids, each of 12 digits".to_owned()
    }

    fn schema(_: &mut Shapes) -> serde_json::Value {
        shape::list(shape::scalar("an AWS account id"))
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            cx.unexpected(Code::WrongShape, node, &Self::expects());
            return None;
        };
        let mut read = Some(Vec::new());
        for item in items {
            let id = cx.text(item, "an AWS account id").filter(|id| {
                let fits = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
                if !fits {
                    cx.unexpected(Code::AccountId, item, "an AWS account id of 12 digits");
                }
                fits
            });
            match (id, &mut read) {
                (Some(id), Some(read)) => read.push(id),
                _ => read = None,
            }
        }
        read.map(Accounts)
    }
}

/// Texts that may hold references, which are answered when a drill uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates(pub IndexMap<String, String>);

impl Decode for Templates {
    fn expects() -> String {
        "a mapping of variable names to values".to_owned()
    }

    fn schema(_: &mut Shapes) -> serde_json::Value {
        shape::mapping(shape::scalar("a value, which may hold references"))
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let mut read = IndexMap::new();
        for (key, value) in entries_for::<Self>(node, cx)? {
            match &value.value {
                Value::Scalar { text, .. } => match pieces(text) {
                    Ok(_) => {
                        read.insert(key.text.clone(), text.clone());
                    }
                    Err(flaw) => cx.report(flaw.at(value.span)),
                },
                other => cx.report(
                    Problem::new(
                        Code::WrongShape,
                        if *other == Value::Null { key.span } else { value.span },
                        format!("expected a single value for `{}`, found {}", key.text, kind_of(other)),
                    )
                    .label("expected text, a number or a duration"),
                ),
            }
        }
        Some(Templates(read))
    }
}

/// The project file: its environments, and where runs are kept.
#[derive(Clone, Debug)]
pub struct Project {
    path: PathBuf,
    source: Source,
    environments: Vec<(Key, Node)>,
    /// Where runs are kept, relative to the file's folder, when the file says so.
    pub store: Option<PathBuf>,
}

impl Project {
    /// A project without a file: it knows the lab only. `path` is where the file was looked for.
    pub fn empty(path: &Path) -> Project {
        let source = Source { path: path.display().to_string(), text: String::new() };
        Project { path: path.to_owned(), source, environments: Vec::new(), store: None }
    }

    /// Reads the project file if there is one; without one the project knows the lab only.
    pub fn load(path: &Path) -> Result<Project, Diagnostics> {
        match path.try_exists() {
            Ok(false) => Ok(Project::empty(path)),
            _ => Project::read(path),
        }
    }

    /// Reads the project file. The error holds every problem of the file, whichever environment is meant.
    pub fn read(path: &Path) -> Result<Project, Diagnostics> {
        Project::read_text(path, &source::bytes(path)?)
    }

    /// Reads a text as if it stood in the project file at `path`. The error is as that of [`read`](Project::read).
    pub fn read_text(path: &Path, text: &[u8]) -> Result<Project, Diagnostics> {
        let (source, root, problems) = source::of(path, text)?;
        let base = path.parent().unwrap_or(Path::new("."));
        let bindings = Bindings::new(&IndexMap::new(), &IndexMap::new(), base, false);
        let mut cx = Context::new(&bindings).synonyms(later::SYNONYMS);
        cx.problems = problems;
        let read = top_level(&root, &mut cx);
        if let Some((_, environments)) = &read {
            for (key, node) in environments {
                check_name(key, &mut cx);
                settings(node, &mut cx);
                lint::resources::environment(node).into_iter().for_each(|problem| cx.report(problem));
            }
        }
        match read {
            Some((store, environments)) if cx.problems.iter().all(|problem| problem.warning) => {
                let store = store.map(|store| base.join(store));
                Ok(Project { path: path.to_owned(), source, environments, store })
            }
            _ => Err(Diagnostics { path: source.path, text: source.text, problems: cx.problems }),
        }
    }

    /// The names of the environments, the lab's among them.
    pub fn names(&self) -> Vec<&str> {
        let declared = self.environments.iter().map(|(key, _)| key.text.as_str());
        declared.chain([LAB]).collect()
    }

    /// The names of the variables that an environment gives values to; `None` when there is no such environment.
    pub fn gives(&self, environment: &str) -> Option<Vec<&str>> {
        let (_, node) = self.environments.iter().find(|(key, _)| key.text == environment)?;
        let values = inside(node).iter().find(|(key, _)| key.text == "values");
        let names = values.iter().flat_map(|(_, values)| inside(values));
        Some(names.map(|(key, _)| key.text.as_str()).collect())
    }

    /// One of the environments that the file declares, with its references answered.
    pub fn environment(&self, name: &str) -> Result<Environment, Diagnostics> {
        let Some((_, node)) = self.environments.iter().find(|(key, _)| key.text == name) else {
            return Err(self.unknown(name));
        };
        let base = self.path.parent().unwrap_or(Path::new("."));
        let bindings = Bindings::new(&IndexMap::new(), &IndexMap::new(), base, true);
        let mut cx = Context::new(&bindings);
        let Some(read) = settings(node, &mut cx) else {
            return Err(self.diagnostics(cx.problems));
        };
        let interlocks = read.interlocks(&self.source);
        Ok(Environment {
            name: name.to_owned(),
            region: read.region,
            profile: read.profile,
            role: read.role,
            accounts: read.accounts.0,
            endpoint_url: read.endpoint_url,
            resolver: read.resolver.map(|server| server.0),
            references: read.references.unwrap_or_default(),
            values: read.values.0.into_iter().map(|(name, value)| (name, anchored(&value, base))).collect(),
            confirm: read.confirm,
            stop_file: read.stop_file.map(|file| base.join(file)),
            stop_parameter: read.stop_parameter.map(|name| name.0),
            interlocks,
        })
    }

    fn unknown(&self, name: &str) -> Diagnostics {
        let names = self.names();
        let help = match self.environments.is_empty() {
            true => format!("there is: {LAB}; others are declared in {}", self.source.path),
            false => format!("there is: {}", names.join(", ")),
        };
        let mut problem = Problem::new(
            Code::UnknownEnvironment,
            Span::default(),
            format!("no environment is called `{name}`"),
        )
        .help(help);
        if let Some((first, _)) = self.environments.first() {
            problem.span = first.span;
            problem.label = match nearest(name, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "environments are declared here".to_owned(),
            };
        }
        self.diagnostics(vec![problem])
    }

    fn diagnostics(&self, problems: Vec<Problem>) -> Diagnostics {
        Diagnostics { path: self.source.path.clone(), text: self.source.text.clone(), problems }
    }
}

/// The entries of a node; none of one that is no mapping.
fn inside(node: &Node) -> &[(Key, Node)] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

/// Where runs are kept, and the environments.
type TopLevel = (Option<String>, Vec<(Key, Node)>);

fn top_level(root: &Node, cx: &mut Context<'_>) -> Option<TopLevel> {
    let root = &later::without(root, later::PROJECT, cx);
    let top = entries(root, cx, "a project file: a mapping with environments and store")?;
    unknown_keys(top, &["environments", "store"], cx);
    let store = field(top, root.span, "store", Some(None), cx)?;
    let environments = match top.iter().find(|(key, _)| key.text == "environments") {
        Some((_, node)) => entries(node, cx, "a mapping of environments by name")?.to_vec(),
        None => Vec::new(),
    };
    Some((store, environments))
}

fn check_name(key: &Key, cx: &mut Context<'_>) {
    super::experiment::plain_name("environment", &SpannedName { text: key.text.clone(), span: key.span }, cx);
    if key.text == LAB {
        cx.report(
            Problem::new(Code::LabDeclared, key.span, "`lab` is the environment that is built in")
                .label("needs another name")
                .help("it needs no entry: `firedrill run FILE --env lab`"),
        );
    }
}

fn settings(node: &Node, cx: &mut Context<'_>) -> Option<Settings> {
    let read = Settings::decode(node, cx)?;
    let problems = interlock::lint(read.windows.as_ref(), read.opt_in.as_ref(), read.limits.as_ref());
    let right = problems.is_empty();
    problems.into_iter().for_each(|problem| cx.report(problem));
    right.then_some(read)
}

/// The text with the paths in its `${file:…}` made relative to the folder of the project file, since it is
/// an experiment elsewhere that will read them.
pub(super) fn anchored(text: &str, base: &Path) -> String {
    let mut out = String::new();
    for piece in pieces(text).unwrap_or_default() {
        match piece {
            Piece::Text("${") => out.push_str("$${"),
            Piece::Text(text) => out.push_str(text),
            Piece::Reference(reference) => match reference.split_once(':') {
                Some((source, path)) if source.trim() == "file" => {
                    let path = std::path::absolute(base.join(path.trim()))
                        .unwrap_or_else(|_| base.join(path.trim()));
                    out.push_str(&format!("${{file:{}}}", path.display()));
                }
                _ => out.push_str(&format!("${{{reference}}}")),
            },
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Given, load};

    const TEXT: &str = "environments:
  staging:
    region: eu-west-1
    accounts: [012345678901]
    resolver: 10.0.0.2
    confirm: yes
    values: { base: \"http://h:${env:NOT_SET_ANYWHERE}\", dsn: \"postgres://u:${file:secrets/pw}@h/d\" }
store: runs
";

    fn project(text: &str) -> (tempfile::TempDir, Result<Project, Diagnostics>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("firedrill.yaml");
        std::fs::write(&path, text).expect("written");
        let project = Project::load(&path);
        (folder, project)
    }

    #[test]
    fn an_environment_is_read_with_its_values_left_for_the_drill() {
        let (folder, project) = project(TEXT);
        let project = project.expect("a project");
        assert_eq!(project.store, Some(folder.path().join("runs")));
        assert_eq!(project.names(), ["staging", "lab"]);
        let staging = project.environment("staging").expect("an environment");
        assert_eq!(staging.accounts, ["012345678901"]);
        assert_eq!(staging.resolver, "10.0.0.2:53".parse().ok());
        assert_eq!(staging.confirm, Confirmation::Yes);
        assert_eq!(staging.values["base"], "http://h:${env:NOT_SET_ANYWHERE}");
    }

    #[test]
    fn files_in_values_are_relative_to_the_project_file_and_stay_secret() {
        let (folder, project) = project(TEXT);
        std::fs::create_dir(folder.path().join("secrets")).expect("made");
        std::fs::write(folder.path().join("secrets/pw"), "hunter22\n").expect("written");
        std::fs::create_dir(folder.path().join("experiments")).expect("made");
        let drill = folder.path().join("experiments/x.yaml");
        let text = "kind: Experiment\nname: x\nvariables: { dsn: {} }\nobjectives: { rpo: 0s }\nprobes: { db: { postgres.ledger: { dsn: \"${dsn}\" } } }\nsteps: [{ name: s, run: [\"true\"] }]\n";
        std::fs::write(&drill, text).expect("written");
        let values = project.expect("a project").environment("staging").expect("an environment").values;
        let loaded =
            load(&drill, &Given { values, complete: true, ..Given::default() }).expect("an experiment");
        assert_eq!(loaded.values["dsn"], "postgres://u:***@h/d");
        assert_eq!(loaded.redactor.clean("pw is hunter22"), "pw is ***");
    }

    #[test]
    fn an_unknown_environment_lists_the_known_ones() {
        let (_folder, project) = project(TEXT);
        let error = project.expect("a project").environment("stagin").expect_err("unknown");
        let drawn = error.render(false);
        assert!(drawn.contains("no environment is called `stagin`"), "{drawn}");
        assert!(
            drawn.contains("did you mean `staging`?") && drawn.contains("there is: staging, lab"),
            "{drawn}"
        );
        let none = Project::load(Path::new("/no/such/firedrill.yaml")).expect("the lab");
        let drawn = none.environment("staging").expect_err("unknown").render(false);
        assert!(drawn.contains("there is: lab; others are declared in /no/such/firedrill.yaml"), "{drawn}");
    }
}
