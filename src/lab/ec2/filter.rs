//! The filters of the Describe operations.

use super::instance::Instance;
use crate::lab::wire::{Fault, Params};

/// The VPC that everything is in.
pub(super) const VPC: &str = "vpc-0firedrill0lab00";

/// The subnet of a zone.
pub(super) fn subnet(zone: &str) -> &'static str {
    if zone.ends_with('a') { "subnet-0firedrill0lab0a" } else { "subnet-0firedrill0lab0b" }
}

/// A filter: a name, and values of which one has to match.
pub(super) struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filter {
    /// The filters of a call.
    pub(super) fn all(params: &Params) -> Result<Vec<Filter>, Fault> {
        params.structs("Filter").iter().map(Filter::read).collect()
    }

    fn read(params: &Params) -> Result<Filter, Fault> {
        let name = params.get("Name").unwrap_or_default().to_owned();
        let known = name.starts_with("tag:") || KNOWN.contains(&name.as_str());
        if !known {
            return Err(Fault::new(400, "InvalidParameterValue", format!("The filter '{name}' is invalid")));
        }
        Ok(Filter { name, values: params.list("Value").into_iter().map(str::to_owned).collect() })
    }

    /// Whether an instance passes.
    pub(super) fn accepts(&self, instance: &Instance) -> bool {
        let some = |value: &str| self.values.iter().any(|pattern| matches(pattern, value));
        if let Some(key) = self.name.strip_prefix("tag:") {
            return instance.tag(key).is_some_and(some);
        }
        match self.name.as_str() {
            "tag-key" => instance.tags.iter().any(|(key, _)| some(key)),
            "tag-value" => instance.tags.iter().any(|(_, value)| some(value)),
            "instance-id" => some(&instance.id),
            "instance-state-name" => some(instance.state.name()),
            "instance-state-code" => some(&instance.state.code().to_string()),
            "availability-zone" => some(instance.zone),
            "vpc-id" => some(VPC),
            "subnet-id" => some(subnet(instance.zone)),
            "private-ip-address" => some(&instance.address.to_string()),
            _ => false,
        }
    }
}

const KNOWN: [&str; 9] = [
    "tag-key",
    "tag-value",
    "instance-id",
    "instance-state-name",
    "instance-state-code",
    "availability-zone",
    "vpc-id",
    "subnet-id",
    "private-ip-address",
];

/// Whether a value fits a pattern with `*` (any text) and `?` (any character).
fn matches(pattern: &str, value: &str) -> bool {
    let (pattern, value): (Vec<char>, Vec<char>) = (pattern.chars().collect(), value.chars().collect());
    // Where the last `*` was, and how much of the value it has taken.
    let mut star: Option<(usize, usize)> = None;
    let (mut p, mut v) = (0, 0);
    while v < value.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, v));
                p += 1;
            }
            Some(c) if *c == '?' || *c == value[v] => {
                p += 1;
                v += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, v) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_ec2() {
        for (pattern, value, expected) in [
            ("store*", "storefront", true),
            ("*front", "storefront", true),
            ("s*f?ont", "storefront", true),
            ("*", "", true),
            ("store", "storefront", false),
            ("?", "", false),
            ("Store*", "storefront", false),
            ("*a*b", "xaxxbxb", true),
            ("*a*b", "xaxxbxc", false),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern} {value}");
        }
    }
}
