//! The table of AWS CLI commands: `table.txt`, written by `tools/awscli_table.py`.
//!
//! A sorted text that is searched where it lies; nothing is read at the start of the program. Its first line names
//! the versions of botocore and of the AWS CLI. Each other line is a key, a tab, and what is known of it:
//!
//! - `rds promote-read-replica`: a command. First its nature (see [`Nature`]), then its options, a space between:
//!   `!` before the name of a required one, `:` and the kind of its value behind it (see [`Kind`]), and its name in
//!   `<>` when it is a positional word.
//! - `*`: the options that every command takes.
//! - `+`: the names of the services, a space between.
//! - `%0042`: the values of an enum, `|` between.
//!
//! It knows the form of the table, and nothing of how a command line is read.

/// The table, as it was generated.
const TABLE: &str = include_str!("table.txt");

/// The first line of the table without its mark: which versions it was made from.
pub(super) fn source() -> &'static str {
    TABLE.lines().next().unwrap_or_default().trim_start_matches("# ")
}

/// What a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// `+`: a group, of which a subcommand is needed.
    Group,
    /// `*`: a group that also does something by itself.
    GroupOrCommand,
    /// `@`: an operation of the API; takes `--cli-input-json` and its like.
    Operation,
    /// `.` and `-`: an operation that streams to a file, or a command of the CLI's own.
    Own,
    /// `~`: known by name only.
    Unjudged,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `b`: nothing.
    Flag,
    /// `B`: nothing; `--no-NAME` is its opposite.
    Pair,
    /// One value.
    One(Form),
    /// `l…`: any number of values.
    List(Form),
    /// `n…`: values of a custom command: so many at least, so many at most.
    Custom(usize, usize),
    /// `c|…` and `c?|…`: one of these words, which the CLI insists on; optional with `?`.
    Choice {
        /// The words.
        of: &'static str,
        /// Whether the value may be left out.
        optional: bool,
    },
}

/// What one value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Text, a timestamp (`t`) or a blob (`o`).
    Text,
    /// `i`
    Integer,
    /// `f`
    Float,
    /// `s`: a structure or a map, in JSON or in the shorthand `Key=value`.
    Structure,
    /// `j`: JSON only.
    Json,
    /// `v` and `x`: anything, but JSON that begins like JSON must be JSON.
    Loose,
    /// `e0042`: a value of the enum with this number.
    Enum(&'static str),
}

/// An option of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opt {
    /// Its name without the dashes, or the positional word's.
    pub(super) name: &'static str,
    /// Whether the command fails without it.
    pub(super) required: bool,
    /// Whether it is a positional word.
    pub(super) positional: bool,
    /// What it takes.
    pub(super) kind: Kind,
}

/// What is known of a key. The empty key is none.
pub(super) fn find(key: &str) -> Option<&'static str> {
    let at = first_not_below(key);
    let line = line_at(at)?;
    let (found, known) = line.split_once('\t')?;
    (found == key).then_some(known)
}

/// The nature of a command, and its options.
pub(super) fn command(path: &str) -> Option<(Nature, impl Iterator<Item = Opt> + use<>)> {
    let known = find(path)?;
    let (nature, options) = known.split_once(' ').unwrap_or((known, ""));
    let nature = match nature {
        "+" => Nature::Group,
        "*" => Nature::GroupOrCommand,
        "@" => Nature::Operation,
        "~" => Nature::Unjudged,
        _ => Nature::Own,
    };
    Some((nature, options.split(' ').filter(|word| !word.is_empty()).map(option)))
}

/// The names of what stands directly below a group.
pub(super) fn below(path: &str) -> impl Iterator<Item = &'static str> + use<> {
    let prefix = format!("{path} ");
    let mut at = first_not_below(&prefix);
    std::iter::from_fn(move || {
        loop {
            let line = line_at(at)?;
            let rest = line.strip_prefix(prefix.as_str())?;
            at += line.len() + 1;
            let name = rest.split('\t').next().unwrap_or_default();
            if !name.contains(' ') {
                return Some(name);
            }
        }
    })
}

/// The names of the services, and of the CLI's own commands.
pub(super) fn services() -> impl Iterator<Item = &'static str> + use<> {
    find("+").into_iter().flat_map(|names| names.split(' '))
}

/// The values of an enum.
pub(super) fn values(number: &str) -> impl Iterator<Item = &'static str> + use<> {
    find(&format!("%{number}")).into_iter().flat_map(|values| values.split('|'))
}

fn option(word: &'static str) -> Opt {
    let (required, word) = match word.strip_prefix('!') {
        Some(word) => (true, word),
        None => (false, word),
    };
    let (name, kind) = word.split_once(':').unwrap_or((word, ""));
    let inside = name.strip_prefix('<').and_then(|name| name.strip_suffix('>'));
    let kind = self::kind(kind);
    let optional = matches!(kind, Kind::Custom(0, _) | Kind::Choice { optional: true, .. });
    Opt {
        name: inside.unwrap_or(name),
        required: required || (inside.is_some() && !optional),
        positional: inside.is_some(),
        kind,
    }
}

fn kind(text: &'static str) -> Kind {
    if let Some(of) = text.strip_prefix("c|") {
        return Kind::Choice { of, optional: false };
    }
    if let Some(of) = text.strip_prefix("c?|") {
        return Kind::Choice { of, optional: true };
    }
    match text {
        "b" => Kind::Flag,
        "B" => Kind::Pair,
        "n?" => Kind::Custom(0, 1),
        "n*" => Kind::Custom(0, usize::MAX),
        "n+" => Kind::Custom(1, usize::MAX),
        _ => {
            if let Some(count) = text.strip_prefix('n').and_then(|count| count.parse().ok()) {
                return Kind::Custom(count, count);
            }
            match text.strip_prefix('l') {
                Some(each) => Kind::List(form(each)),
                None => Kind::One(form(text)),
            }
        }
    }
}

fn form(text: &'static str) -> Form {
    if let Some(number) = text.strip_prefix('e') {
        return Form::Enum(number);
    }
    match text {
        "i" => Form::Integer,
        "f" => Form::Float,
        "s" => Form::Structure,
        "j" => Form::Json,
        "v" | "x" => Form::Loose,
        _ => Form::Text,
    }
}

/// Where the first line begins that is not below `key`, in the order of bytes.
fn first_not_below(key: &str) -> usize {
    let (mut low, mut high) = (0, TABLE.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let begin = begin_of_line(middle);
        let line = line_at(begin).unwrap_or_default();
        let name = line.split('\t').next().unwrap_or_default();
        if name < key {
            low = begin + line.len() + 1;
        } else {
            high = begin;
        }
    }
    low
}

/// Where the line begins that the byte at `at` stands in.
fn begin_of_line(at: usize) -> usize {
    // The table is ASCII: every byte begins a character.
    TABLE.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// The line that begins at `at`; `None` at the end.
fn line_at(at: usize) -> Option<&'static str> {
    let rest = TABLE.get(at..)?;
    let end = rest.find('\n').unwrap_or(rest.len());
    rest.get(..end).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(line: &str) -> &str {
        line.split('\t').next().unwrap_or_default()
    }

    #[test]
    fn every_line_has_the_form_that_is_searched() {
        assert!(source().starts_with("botocore 1."), "{}", source());
        let lines: Vec<&str> = TABLE.lines().skip(1).collect();
        assert!(lines.len() > 15_000 && TABLE.is_ascii(), "{}", lines.len());
        assert!(lines.is_sorted_by(|a, b| key(a) < key(b)));
        for line in &lines {
            let (key, known) = line.split_once('\t').expect("a tab");
            assert_eq!(find(key), Some(known));
            if key.starts_with(['%', '+']) {
                continue;
            }
            assert!(known.starts_with(['+', '*', '@', '.', '-', '~']), "{line}");
            let (_, options) = command(key).expect("a command");
            for option in options {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
                assert!(!option.name.is_empty() && option.name.chars().all(plain), "{key}: {option:?}");
                if let Kind::One(Form::Enum(number)) | Kind::List(Form::Enum(number)) = option.kind {
                    assert!(values(number).next().is_some(), "{key}: {option:?}");
                }
            }
            if let Some((group, _)) = key.rsplit_once(' ') {
                assert!(matches!(command(group), Some((Nature::Group | Nature::GroupOrCommand, _))), "{key}");
            }
        }
    }

    #[test]
    fn samples_are_as_the_service_models_have_them() {
        assert!(services().count() > 350 && services().all(|name| find(name).is_some()));
        for service in ["ec2", "rds", "s3api", "elbv2", "route53-recovery-cluster", "arc-zonal-shift", "zz"] {
            assert_eq!(find(service).is_some(), service != "zz", "{service}");
        }
        let option = |path: &str, name: &str| {
            let (nature, mut options) = command(path).expect("a command");
            (nature, options.find(|option| option.name == name).expect("an option"))
        };
        let (nature, id) = option("rds promote-read-replica", "db-instance-identifier");
        assert_eq!((nature, id.required, id.kind), (Nature::Operation, true, Kind::One(Form::Text)));
        assert_eq!(option("ecs update-service", "force-new-deployment").1.kind, Kind::Pair);
        assert_eq!(option("ec2 terminate-instances", "instance-ids").1.kind, Kind::List(Form::Text));
        assert_eq!(
            option("autoscaling set-desired-capacity", "desired-capacity").1.kind,
            Kind::One(Form::Integer)
        );
        assert_eq!(option("s3 cp", "paths").1.kind, Kind::Custom(2, 2));
        let Kind::One(Form::Enum(number)) = option("rds modify-db-cluster", "database-insights-mode").1.kind
        else {
            panic!("an enum")
        };
        assert_eq!(values(number).collect::<Vec<_>>(), ["standard", "advanced"]);
        assert!(below("rds wait").any(|name| name == "db-instance-available"));
        assert!(below("ec2").all(|name| !name.contains(' ')) && below("ec2").count() > 600);
        assert_eq!((find(""), find("rds promote"), find("%")), (None, None, None));
    }
}
