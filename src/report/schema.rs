//! The public contract as a JSON Schema: `schema/report.v1.json`, generated from [`Report`].

use super::Report;

/// The JSON Schema of `report.json`, as the repository holds it.
pub fn json() -> String {
    let schema = schemars::schema_for!(Report);
    // A schema is plain data: writing it cannot fail.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_stored_schema_is_that_of_the_report() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.v1.json");
        if std::env::var_os("FIREDRILL_UPDATE_SCHEMA").is_some() {
            fs::write(&path, super::json()).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == super::json(),
            "schema/report.v1.json is stale: run this test with FIREDRILL_UPDATE_SCHEMA=1, and see that the \
             change only adds (within a version nothing is removed or changes meaning)"
        );
    }
}
