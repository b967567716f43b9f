//! What a step asks of people.

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The sentence to carry out, or the question.
    pub text: String,
    /// What a decision needs; `None` for something that a person does.
    pub decision: Option<Decision>,
}

/// What a decision to go on needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// In which roles people may say go; anybody may when it is empty.
    pub by: Vec<String>,
    /// How many people must.
    pub at_least: u8,
}
