//! The formats against the scenes of the fixture.

use std::path::PathBuf;

use super::*;
use crate::report::fixture::{self, Scene};

fn shown(scene: &Scene, format: Format) -> String {
    render(&scene.report, &scene.record, format, Style::PLAIN).expect("every scene can be shown")
}

/// Writes every scene in every format into the folder `FIREDRILL_PAGES`, to be looked at.
#[test]
#[ignore = "for people: FIREDRILL_PAGES=DIR cargo nextest run --run-ignored only pages_to_look_at"]
fn pages_to_look_at() {
    let folder = PathBuf::from(std::env::var_os("FIREDRILL_PAGES").expect("FIREDRILL_PAGES names a folder"));
    for (name, scene) in fixture::all() {
        for format in [Format::Text, Format::Json, Format::Markdown, Format::Html, Format::Junit] {
            std::fs::write(folder.join(format!("{name}.{}", format.file_name())), shown(&scene, format))
                .expect("the folder can be written to");
        }
    }
}
