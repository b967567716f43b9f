//! `report.json`: the contract itself, indented for people who look inside.

use crate::report::{RenderError, Report};

/// The report as JSON, with a line end at its end.
pub fn render(report: &Report) -> Result<String, RenderError> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}
