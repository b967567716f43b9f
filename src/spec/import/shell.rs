//! A command line as its words, when it needs no shell.

/// The words of a command line; `None` when only a shell could run it: pipes, variables, substitutions, patterns.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let inside = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => inside.push(c),
                    }
                }
            }
            '"' => double(&mut chars, word.get_or_insert_default())?,
            // A line that goes on below.
            '\\' => match chars.next()? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            c if c == ' ' || c == '\t' => words.extend(word.take()),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '#' | '~' | '{' | '!'
            | '\n' | '\r' => {
                return None;
            }
            c if c.is_control() => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    // `NAME=value program` sets a variable first.
    let first: &String = words.first()?;
    if first.is_empty() || first.contains('=') { None } else { Some(words) }
}

fn double(chars: &mut std::str::Chars<'_>, inside: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '$' | '`' => return None,
            '\\' => match chars.next()? {
                c @ ('"' | '\\' | '$' | '`') => inside.push(c),
                '\n' => {}
                c => {
                    inside.push('\\');
                    inside.push(c);
                }
            },
            c => inside.push(c),
        }
    }
}

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
    fn plain_commands_are_split_as_a_shell_would() {
        let split = |line: &str| words(line).map(|words| words.join("|"));
        for (line, wanted) in [
            ("aws rds describe-db-instances", "aws|rds|describe-db-instances"),
            ("  kubectl   patch -p '{\"a\": [1, \"x y\"]}' ", "kubectl|patch|-p|{\"a\": [1, \"x y\"]}"),
            ("terraform apply -var='region=us-east-1'", "terraform|apply|-var=region=us-east-1"),
            (r#"say "a \"b\" \c" d\ e"#, r#"say|a "b" \c|d e"#),
            ("one ''", "one|"),
            ("a \\\n  b", "a|b"),
        ] {
            assert_eq!(split(line).as_deref(), Some(wanted), "{line}");
        }
        for line in [
            "a | b",
            "a && b",
            "a > f",
            "echo $HOME",
            "echo \"$HOME\"",
            "echo `id`",
            "ls *.txt",
            "A=1 b",
            "'open",
            "\"open",
            "",
            "''",
            "a\nb",
            "a \\",
        ] {
            assert_eq!(split(line), None, "{line}");
        }
    }

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
