//! Systems Manager, as far as it is looked at: the value of one parameter.

use aws_sdk_ssm::operation::get_parameter::GetParameterError;

use super::{Aws, Fault};

pub(crate) const GET_PARAMETER: &str = "ssm:GetParameter";

/// The value of a parameter, by its name or ARN; `None` when there is none of that name. A `SecureString` stays
/// encrypted.
pub(crate) async fn parameter(aws: &Aws, name: &str) -> Result<Option<String>, Fault> {
    match aws.ssm().get_parameter().name(name).with_decryption(false).send().await {
        Ok(answer) => Ok(Some(answer.parameter.and_then(|found| found.value).unwrap_or_default())),
        // This very error and no other: whatever else is not found says nothing of the parameter.
        Err(error) if error.as_service_error().is_some_and(GetParameterError::is_parameter_not_found) => {
            Ok(None)
        }
        Err(error) => Err(Fault::read(GET_PARAMETER, name, error)),
    }
}
