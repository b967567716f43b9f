//! Which words can be a program's.

/// Whether the first word can be a program: not a word of the shell's own, and not prose.
pub(super) fn is_program(word: &str) -> bool {
    const OWN: [&str; 18] = [
        "cd", "export", "source", ".", "eval", "exec", "if", "for", "while", "until", "case", "set", "unset",
        "alias", "function", "then", "do", "trap",
    ];
    let fits =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '/' | '+');
    let named = word.rsplit('/').next().unwrap_or_default();
    !OWN.contains(&word) && !named.is_empty() && (word.contains('/') || word.chars().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_shell_are_no_programs() {
        for word in ["aws", "./fail-over.sh", "/usr/bin/x", "kubectl", "g++"] {
            assert!(is_program(word), "{word}");
        }
        for word in ["cd", "export", "Call", "Verify", "für", "/"] {
            assert!(!is_program(word), "{word}");
        }
    }
}
