//! Elastic Load Balancing, as far as it is looked at.

use aws_sdk_elasticloadbalancingv2::types::{TargetGroup, TargetHealthDescription};

use super::{Aws, Fault};

pub(crate) const DESCRIBE_TARGET_GROUPS: &str = "elasticloadbalancing:DescribeTargetGroups";
pub(crate) const DESCRIBE_TARGET_HEALTH: &str = "elasticloadbalancing:DescribeTargetHealth";

/// All target groups, up to `most` of them.
pub(crate) async fn target_groups(aws: &Aws, most: usize) -> Result<Vec<TargetGroup>, Fault> {
    let mut pages = aws.elbv2().describe_target_groups().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| Fault::read(DESCRIBE_TARGET_GROUPS, "", e))?;
        found.extend(page.target_groups.unwrap_or_default());
        if found.len() >= most {
            found.truncate(most);
            break;
        }
    }
    Ok(found)
}

/// The targets of a group, each with its health.
pub(crate) async fn target_health(aws: &Aws, arn: &str) -> Result<Vec<TargetHealthDescription>, Fault> {
    let answer = aws.elbv2().describe_target_health().target_group_arn(arn).send().await;
    let answer = answer.map_err(|e| Fault::read(DESCRIBE_TARGET_HEALTH, group_name(arn), e))?;
    Ok(answer.target_health_descriptions.unwrap_or_default())
}

/// The name in a target group's ARN: `…:targetgroup/NAME/ID`.
pub(crate) fn group_name(arn: &str) -> &str {
    arn.rsplit(':').next().and_then(|rest| rest.split('/').nth(1)).unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_group_is_named_by_its_arn() {
        let arn =
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/storefront/0123456789abcdef";
        assert_eq!(group_name(arn), "storefront");
        assert_eq!(group_name("storefront"), "storefront");
    }
}
