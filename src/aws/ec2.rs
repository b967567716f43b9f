//! EC2, as far as it is looked at.

use aws_sdk_ec2::types::{Filter, Instance};

use super::{Aws, Fault};

pub(crate) const DESCRIBE_INSTANCES: &str = "ec2:DescribeInstances";

/// The instances with these ids, sorted; all that match the filters when there are no ids.
pub(crate) async fn instances(
    aws: &Aws,
    ids: Option<&[String]>,
    filters: Vec<Filter>,
    about: &str,
) -> Result<Vec<Instance>, Fault> {
    let mut pages = aws
        .ec2()
        .describe_instances()
        .set_instance_ids(ids.map(<[String]>::to_vec))
        .set_filters((!filters.is_empty()).then_some(filters))
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| Fault::read(DESCRIBE_INSTANCES, about, e))?;
        found.extend(
            page.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default()),
        );
    }
    found.sort_by(|a: &Instance, b| a.instance_id().cmp(&b.instance_id()));
    Ok(found)
}

/// A filter with one value.
pub(crate) fn filter(name: impl Into<String>, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The state's name as the API writes it: `running`.
pub(crate) fn state(instance: &Instance) -> &str {
    instance.state().and_then(|state| state.name()).map_or("unknown", |name| name.as_str())
}

pub(crate) fn zone(instance: &Instance) -> Option<&str> {
    instance.placement().and_then(|placement| placement.availability_zone())
}

pub(crate) fn tag<'i>(instance: &'i Instance, key: &str) -> Option<&'i str> {
    instance.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
}
