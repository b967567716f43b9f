//! `aws`: a command line read as the AWS CLI's own parser reads it.
//!
//! The CLI's parser is Python's argparse: options may be cut short where that is unambiguous, `--option=value` is
//! one word, and an option of a list takes every word up to the next option. Both major versions of the CLI are
//! known at once: what either takes is right.

use super::{Finding, clip, listed, nearest, open};
use table::{Kind, Nature, Opt};

mod table;
mod unknown;
mod value;

/// Where values come from that only the CLI can read.
const ELSEWHERE: [&str; 4] = ["file://", "fileb://", "http://", "https://"];

/// What is wrong with `words`, the first of which is the program.
pub(super) fn judge(words: &[&str]) -> Vec<Finding> {
    let mut line = Line { words, at: 1, findings: Vec::new() };
    let globals = options("*");
    let Some((path, nature)) = line.command(&globals) else { return line.findings };
    let named = line.at.saturating_sub(1);
    let mut known = options(&path);
    if nature == Nature::Operation {
        known.extend(EVERYWHERE);
    }
    // An option of the command hides the global one of the same name.
    let own: Vec<&str> = known.iter().map(|option| option.name).collect();
    let rest: Vec<Opt> = globals.iter().filter(|global| !own.contains(&global.name)).copied().collect();
    known.extend(rest);
    let Some(given) = line.arguments(&path, &known) else { return Vec::new() };
    line.missing(&path, named, &known, &given);
    if !line.findings.iter().any(|finding| !finding.warning) && !given.open {
        line.findings.extend(super::native::offer(named, &path, &given.options));
    }
    line.findings
}

/// The options of every operation of the API that does not stream.
const EVERYWHERE: [Opt; 3] = [
    Opt { name: "cli-input-json", required: false, positional: false, kind: Kind::One(table::Form::Json) },
    Opt { name: "cli-input-yaml", required: false, positional: false, kind: Kind::One(table::Form::Text) },
    Opt {
        name: "generate-cli-skeleton",
        required: false,
        positional: false,
        kind: Kind::Choice { of: "input|output|yaml-input", optional: true },
    },
];

fn options(path: &str) -> Vec<Opt> {
    table::command(path).map(|(_, options)| options.collect()).unwrap_or_default()
}

/// What was given to a command.
#[derive(Default)]
struct Arguments<'w> {
    options: Vec<Given<'w>>,
    /// Where the words stand that belong to no option.
    free: Vec<usize>,
    /// Whether a word that is not known yet may be an option.
    open: bool,
}

/// An option that was given, with its values.
pub(super) struct Given<'w> {
    /// Its name without the dashes; of a pair, that of the positive one.
    pub(super) name: &'static str,
    /// Whether it was given as `--no-NAME`.
    pub(super) negative: bool,
    /// Its values.
    pub(super) values: Vec<&'w str>,
}

struct Line<'a> {
    words: &'a [&'a str],
    at: usize,
    findings: Vec<Finding>,
}

/// What an option's word means.
enum Meaning {
    /// This option; whether negated; whether cut short.
    One(Opt, bool, bool),
    Several(Vec<String>),
    Nothing,
}

impl<'a> Line<'a> {
    /// The command that the words name, and stops behind it. `None` when there is none to judge further.
    fn command(&mut self, globals: &[Opt]) -> Option<(String, Nature)> {
        let mut path = String::new();
        let mut alone = false;
        while let Some(&word) = self.words.get(self.at) {
            if open(word) || word == "help" {
                return None;
            }
            if is_option(word) {
                if word == "--version" {
                    return None;
                }
                self.global(&path, globals)?;
                continue;
            }
            let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            let next = if path.is_empty() { word.to_owned() } else { format!("{path} {word}") };
            let Some((nature, _)) = table::command(&next).filter(|_| plain) else {
                self.findings.push(unknown::command(self.at, &path, word));
                return None;
            };
            self.at += 1;
            match nature {
                Nature::Group | Nature::GroupOrCommand => {
                    (path, alone) = (next, nature == Nature::GroupOrCommand);
                }
                Nature::Unjudged => return None,
                _ => return Some((next, nature)),
            }
        }
        if !alone {
            self.findings.push(unknown::incomplete(self.words.len().saturating_sub(1), &path));
        }
        None
    }

    /// A global option before the command.
    fn global(&mut self, path: &str, globals: &[Opt]) -> Option<()> {
        let word = self.words.get(self.at).copied()?;
        match meaning(word, globals) {
            Meaning::One(option, _, _) => {
                self.values(word, &option, &[]);
                Some(())
            }
            _ => {
                let name = word.split('=').next().unwrap_or_default();
                let what = if path.is_empty() { "the service" } else { "the operation" };
                let finding = Finding::new(self.at, format!("`{}` is no global option", clip(name)));
                let names: Vec<String> = globals.iter().map(|option| format!("--{}", option.name)).collect();
                self.findings.push(match nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => finding.label(format!("did you mean `{near}`?")),
                    None => finding
                        .label(format!("only global options stand before {what}"))
                        .help("write it behind the operation that it belongs to"),
                });
                None
            }
        }
    }

    /// The options and words behind the command. `None` when they ask for help.
    fn arguments(&mut self, path: &str, known: &[Opt]) -> Option<Arguments<'a>> {
        let mut given = Arguments::default();
        while let Some(&word) = self.words.get(self.at) {
            if word == "--" {
                given.open = true;
                break;
            }
            if word == "help" {
                return None;
            }
            if open(word.split('=').next().unwrap_or_default()) {
                // It may be an option as well as a value.
                given.open = true;
                self.at += 1;
            } else if is_option(word) {
                self.option(path, word, known, &mut given);
            } else {
                given.free.push(self.at);
                self.at += 1;
            }
        }
        self.positional(path, known, &given);
        Some(given)
    }

    fn option(&mut self, path: &str, word: &'a str, known: &[Opt], given: &mut Arguments<'a>) {
        let place = self.at;
        let name = word.split('=').next().unwrap_or_default();
        match meaning(word, known) {
            Meaning::One(option, negative, short) => {
                if short {
                    let full = spelled(&option, negative);
                    self.findings.push(
                        Finding::new(place, format!("`{}` is short for `{full}`", clip(name)))
                            .label("ambiguous as soon as the operation gets another option that begins so")
                            .help(format!("write `{full}`"))
                            .warning(),
                    );
                }
                let values = self.values(word, &option, known);
                given.options.push(Given { name: option.name, negative, values });
            }
            Meaning::Several(names) => {
                self.findings.push(
                    Finding::new(place, format!("`{}` is ambiguous", clip(name)))
                        .label(format!("it may stand for {}", listed(&names))),
                );
                self.skip_values();
                given.open = true;
            }
            Meaning::Nothing => {
                let finding = unknown::option(place, path, name, known);
                // A slip in the name of a required option is said once.
                given.open |= finding.label.starts_with("did you mean");
                self.findings.push(finding);
                self.skip_values();
            }
        }
    }

    fn skip_values(&mut self) {
        self.at += 1;
        while self.words.get(self.at).is_some_and(|word| !is_option(word)) {
            self.at += 1;
        }
    }

    /// The values of the option at hand; stops behind them.
    fn values(&mut self, word: &'a str, option: &Opt, known: &[Opt]) -> Vec<&'a str> {
        let place = self.at;
        self.at += 1;
        let attached = word.split_once('=').map(|(_, value)| value);
        let (least, most) = match option.kind {
            Kind::Flag | Kind::Pair => {
                self.no_value(place, word, option, attached, known);
                return Vec::new();
            }
            Kind::One(_) => (1, 1),
            Kind::List(_) => (0, usize::MAX),
            Kind::Custom(least, most) => (least, most),
            Kind::Choice { optional, .. } => (usize::from(!optional), 1),
        };
        let mut values: Vec<(usize, &str)> = attached.into_iter().map(|value| (place, value)).collect();
        while attached.is_none() && values.len() < most {
            match self.words.get(self.at) {
                Some(value) if !is_option(value) => values.push((self.at, value)),
                _ => break,
            }
            self.at += 1;
        }
        if values.len() < least {
            let name = word.split('=').next().unwrap_or_default();
            let finding = match values.len() {
                0 => Finding::new(place, format!("`{name}` has no value")),
                some => Finding::new(place, format!("`{name}` has {some} of {least} values")),
            };
            self.findings.push(finding.label(format!("expected {}", value::expected(option.kind))));
        }
        for (at, value) in &values {
            let elsewhere = ELSEWHERE.iter().any(|prefix| value.starts_with(prefix));
            if !open(value) && !elsewhere {
                self.findings.extend(value::flaw(option, value).map(|flaw| flaw.at(*at)));
            }
        }
        values.into_iter().map(|(_, value)| value).collect()
    }

    /// A flag stands alone.
    fn no_value(&mut self, place: usize, word: &str, option: &Opt, attached: Option<&str>, known: &[Opt]) {
        let name = word.split('=').next().unwrap_or_default();
        let next = self.words.get(self.at).copied();
        let (at, value) = match (attached, next) {
            (Some(value), _) => (place, value),
            // A word of its own, where none can stand.
            (None, Some(value @ ("true" | "false" | "True" | "False" | "yes" | "no")))
                if !known.iter().any(|option| option.positional) =>
            {
                (self.at, value)
            }
            _ => return,
        };
        let opposite = match option.kind == Kind::Pair {
            true => format!(", and `--no-{}` for false", option.name),
            false => String::new(),
        };
        self.findings.push(
            Finding::new(at, format!("`{name}` takes no value"))
                .label(format!("`{}` is too much", clip(value)))
                .help(format!("write `{name}` for true{opposite}")),
        );
        if at != place {
            self.at += 1;
        }
    }

    /// The words that belong to no option.
    fn positional(&mut self, path: &str, known: &[Opt], given: &Arguments<'_>) {
        let mut most = 0_usize;
        let mut together = false;
        for option in known.iter().filter(|option| option.positional) {
            let count = match option.kind {
                Kind::Custom(least, count) => {
                    together |= least > 1;
                    count
                }
                _ => 1,
            };
            most = most.saturating_add(count);
        }
        if let Some(extra) = given.free.get(most) {
            let word = self.words.get(*extra).copied().unwrap_or_default();
            let finding = Finding::new(*extra, format!("`{}` belongs to no option", clip(word)));
            self.findings.push(match most {
                0 => finding
                    .label(format!("`aws {path}` takes options only"))
                    .help("a value with spaces in it is one word of the list, or is quoted"),
                _ => finding.label("one word too many"),
            });
        } else if together
            && let Some([_, second]) =
                given.free.windows(2).find(|pair| matches!(pair, [a, b] if a + 1 != *b))
        {
            self.findings.push(
                Finding::new(*second, format!("the paths of `aws {path}` stand side by side"))
                    .label("an option stands between the first and this one"),
            );
        }
    }

    /// What the command cannot do without.
    fn missing(&mut self, path: &str, named: usize, known: &[Opt], given: &Arguments<'_>) {
        let has = |name: &str| given.options.iter().any(|option| option.name == name);
        if given.open || EVERYWHERE.iter().any(|option| has(option.name)) {
            return;
        }
        let mut words = given.free.len();
        let mut names = Vec::new();
        for option in known.iter().filter(|option| option.required) {
            if !option.positional {
                if !has(option.name) {
                    names.push(format!("--{}", option.name));
                }
                continue;
            }
            let least = if let Kind::Custom(least, _) = option.kind { least } else { 1 };
            if words < least {
                names.push(format!("<{}>", option.name));
            }
            words = words.saturating_sub(least);
        }
        if !names.is_empty() {
            self.findings.push(
                Finding::new(named, format!("`aws {path}` needs {}", listed(&names)))
                    .label(if names.len() == 1 { "it is missing" } else { "they are missing" }),
            );
        }
    }
}

/// Whether argparse takes the word for an option: not a number, and not a text with a space in it.
fn is_option(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('-') else { return false };
    let number = {
        let (whole, part) = rest.split_once('.').unwrap_or((rest, "0"));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        digits(whole) && digits(part) && !part.is_empty() && (rest.contains('.') || !whole.is_empty())
    };
    !rest.is_empty() && !number && !word.split('=').next().unwrap_or_default().contains(' ')
}

fn spelled(option: &Opt, negative: bool) -> String {
    format!("--{}{}", if negative { "no-" } else { "" }, option.name)
}

fn meaning(word: &str, known: &[Opt]) -> Meaning {
    let name = word.split('=').next().unwrap_or_default();
    let Some(name) = name.strip_prefix("--").filter(|name| !name.is_empty()) else { return Meaning::Nothing };
    let spellings = || {
        known.iter().filter(|option| !option.positional).flat_map(|option| {
            let negative = (option.kind == Kind::Pair).then_some((option, true));
            std::iter::once((option, false)).chain(negative)
        })
    };
    let matches = |option: &Opt, negative: bool, exact: bool| {
        let rest = if negative { name.strip_prefix("no-") } else { Some(name) };
        match rest {
            Some(rest) if exact => option.name == rest,
            Some(rest) => option.name.starts_with(rest),
            // `--n` and `--no` begin `--no-…` too.
            None => !exact && negative && "no-".starts_with(name),
        }
    };
    if let Some((option, negative)) = spellings().find(|(option, negative)| matches(option, *negative, true))
    {
        return Meaning::One(*option, negative, false);
    }
    let mut found = spellings().filter(|(option, negative)| matches(option, *negative, false));
    match (found.next(), found.next()) {
        (None, _) => Meaning::Nothing,
        (Some((option, negative)), None) => Meaning::One(*option, negative, true),
        (Some((first, negative)), Some((second, also))) => {
            Meaning::Several(vec![spelled(first, negative), spelled(second, also)])
        }
    }
}
