//! Parameters of the query protocols: a flat form whose dotted names spell lists and structures.

use std::collections::BTreeMap;

use super::fault::Fault;

/// The parameters of a call, or of a structure within one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads `name=value&…`, percent-encoded.
    pub(crate) fn from_form(form: &str) -> Params {
        Params(form_urlencoded::parse(form.as_bytes()).into_owned().collect())
    }

    /// A parameter, when it was given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that the call cannot do without.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Fault> {
        let missing =
            || Fault::new(400, "MissingParameter", format!("The request must contain the parameter {name}"));
        self.get(name).ok_or_else(missing)
    }

    /// A boolean parameter; false when it was not given.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A whole number, when it was given.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = |_| {
            let message =
                format!("Value ({text}) for parameter {name} is invalid. It must be a whole number.");
            Fault::new(400, "InvalidParameterValue", message)
        };
        text.parse().map(Some).map_err(wrong)
    }

    /// The values of `prefix.1`, `prefix.2`, … in order: `list("InstanceId")`, `list("TagKeys.member")`.
    pub(crate) fn list(&self, prefix: &str) -> Vec<&str> {
        let mut found: Vec<(u64, &str)> = Vec::new();
        for (name, value) in &self.0 {
            let rest = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            if let Some(number) = rest.and_then(|rest| rest.parse().ok()) {
                found.push((number, value));
            }
        }
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// The structures `prefix.1.…`, `prefix.2.…` in order: `structs("Filter")`, `structs("Filters.Filter")`.
    pub(crate) fn structs(&self, prefix: &str) -> Vec<Params> {
        let mut found: BTreeMap<u64, Params> = BTreeMap::new();
        for (name, value) in &self.0 {
            let rest = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            let Some((number, field)) = rest.and_then(|rest| rest.split_once('.')) else { continue };
            if let Ok(number) = number.parse() {
                found.entry(number).or_default().0.insert(field.to_owned(), value.clone());
            }
        }
        found.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_structures_come_in_numeric_order() {
        let form = "InstanceId.10=c&InstanceId.2=b&InstanceId.1=a&Filter.2.Name=y&Filter.1.Name=tag%3Aapp\
                    &Filter.1.Value.1=store+front&Filter.1.Value.2=w%26w&MaxResults=5&DryRun=true";
        let params = Params::from_form(form);
        assert_eq!(params.list("InstanceId"), ["a", "b", "c"]);
        let filters = params.structs("Filter");
        assert_eq!(filters[0].get("Name"), Some("tag:app"));
        assert_eq!(filters[0].list("Value"), ["store front", "w&w"]);
        assert_eq!(filters[1].get("Name"), Some("y"));
        assert_eq!(params.number("MaxResults").ok(), Some(Some(5)));
        assert!(params.flag("DryRun"));
        assert!(params.required("Absent").is_err());
    }
}
