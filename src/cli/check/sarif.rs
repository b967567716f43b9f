//! Problems as SARIF 2.1.0, for code scanning.
//!
//! Typed, and only what is said here: the format's other parts are not written at all. Columns count characters, and
//! paths are relative to where firedrill was called, as code scanning resolves them.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::notation::code::Code;
use crate::notation::diagnostic::{Edit, Located, Region as Place};
use crate::spec::Diagnostics;
use crate::spec::lessons::lesson;

/// What stands unescaped in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    invocations: [Invocation; 1],
    artifacts: Vec<Artifact>,
    results: Vec<Finding>,
    column_kind: &'static str,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    name: &'static str,
    short_description: Text,
    full_description: Text,
    help: Help,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
}

#[derive(Serialize)]
struct Artifact {
    location: ArtifactLocation,
}

#[derive(Clone, Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: String,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Mending>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mending {
    description: Text,
    artifact_changes: [ArtifactChange; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange {
    artifact_location: ArtifactLocation,
    replacements: [Replacement; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: Region,
    #[serde(skip_serializing_if = "Option::is_none")]
    inserted_content: Option<Text>,
}

/// The problems of the files, and the rules that they break.
pub(super) fn log(sheets: &[Diagnostics], exit_code: u8) -> Log {
    let base = std::env::current_dir().unwrap_or_default();
    let located: Vec<(&Diagnostics, Vec<Located>)> =
        sheets.iter().map(|sheet| (sheet, sheet.located())).collect();
    let broken: BTreeSet<Code> = located.iter().flat_map(|(_, all)| all.iter().map(|at| at.code)).collect();
    let codes: Vec<Code> = broken.into_iter().collect();
    let found = located.iter().flat_map(|(sheet, all)| {
        let place = ArtifactLocation { uri: uri(&sheet.path, &base) };
        all.iter().map(|at| finding(at, &place, sheet.text.is_empty(), &codes)).collect::<Vec<_>>()
    });
    Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            results: found.collect(),
            tool: Tool {
                driver: Driver {
                    name: "firedrill",
                    version: env!("CARGO_PKG_VERSION"),
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: codes.iter().map(|code| rule(*code)).collect(),
                },
            },
            // Files that are wrong are what the check is for: it has not failed.
            invocations: [Invocation { execution_successful: true, exit_code }],
            artifacts: sheets
                .iter()
                .map(|sheet| Artifact { location: ArtifactLocation { uri: uri(&sheet.path, &base) } })
                .collect(),
            column_kind: "unicodeCodePoints",
        }],
    }
}

fn rule(code: Code) -> Rule {
    let (about, wrong, right, warns) = match lesson(code) {
        Some(lesson) => (lesson.about, lesson.wrong(), lesson.right(), lesson.warns),
        None => ("", "", "", false),
    };
    Rule {
        id: code.to_string(),
        name: code.name(),
        short_description: Text { text: code.title().to_owned() },
        full_description: Text { text: about.to_owned() },
        help: Help {
            text: format!("{about}\n\nWrong:\n\n{wrong}\n\nRight:\n\n{right}"),
            markdown: format!(
                "{about}\n\nWrong:\n\n```yaml\n{wrong}\n```\n\nRight:\n\n```yaml\n{right}\n```"
            ),
        },
        default_configuration: Configuration { level: if warns { "warning" } else { "error" } },
    }
}

fn finding(at: &Located, place: &ArtifactLocation, unread: bool, codes: &[Code]) -> Finding {
    let location = |region: Place, id: Option<usize>, message: Option<Text>| Location {
        id,
        message,
        physical_location: PhysicalLocation {
            artifact_location: place.clone(),
            // Of a file that could not be read no place is known.
            region: (!unread).then(|| Region::from(region)),
        },
    };
    let related = at.related.iter().enumerate().map(|(index, other)| {
        location(other.region, Some(index + 1), Some(Text { text: other.label.clone() }))
    });
    Finding {
        rule_id: at.code.to_string(),
        rule_index: codes.binary_search(&at.code).unwrap_or_default(),
        level: at.severity,
        message: Text { text: at.told() },
        locations: [location(at.region, None, None)],
        related_locations: related.collect(),
        fixes: at.fix.iter().map(|edit| mending(edit, place)).collect(),
    }
}

fn mending(edit: &Edit, place: &ArtifactLocation) -> Mending {
    let comes = Some(&edit.text).filter(|text| !text.is_empty());
    Mending {
        description: Text { text: edit.what.clone() },
        artifact_changes: [ArtifactChange {
            artifact_location: place.clone(),
            replacements: [Replacement {
                deleted_region: Region::from(edit.region),
                inserted_content: comes.map(|text| Text { text: text.clone() }),
            }],
        }],
    }
}

impl From<Place> for Region {
    fn from(place: Place) -> Region {
        Region {
            start_line: place.line,
            start_column: place.column,
            end_line: place.end_line,
            end_column: place.end_column,
        }
    }
}

/// The path as a URI, relative to `base` where it is below it.
fn uri(path: &str, base: &Path) -> String {
    let whole = normal(&base.join(path));
    let base = normal(base);
    let (below, root) = match whole.strip_prefix(base.as_slice()) {
        Some(below) if !below.is_empty() => (below, ""),
        _ => (whole.as_slice(), "file:///"),
    };
    let parts: Vec<String> = below.iter().map(|part| utf8_percent_encode(part, PART).to_string()).collect();
    format!("{root}{}", parts.join("/"))
}

/// The names of a path, without `.` and `..`.
fn normal(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => {
                names.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_relative_and_escaped() {
        let uri = |path: &str| uri(path, Path::new("/work/shop"));
        assert_eq!(uri("experiments/a.yaml"), "experiments/a.yaml");
        assert_eq!(uri("./x y/ü:#%.yaml"), "x%20y/%C3%BC%3A%23%25.yaml");
        assert_eq!(uri("/work/shop/a.yaml"), "a.yaml");
        assert_eq!(uri("experiments/../a.yaml"), "a.yaml");
        assert_eq!(uri("../other/a.yaml"), "file:///work/other/a.yaml");
        assert_eq!(uri("/etc/a.yaml"), "file:///etc/a.yaml");
    }
}
