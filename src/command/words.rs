//! A shell's line into the words that its programs get, each with its place.
//!
//! It reads what people write in runbooks: quotes, escapes, pipes, lists, redirections. What a shell would fill in
//! (`$NAME`, `$(…)`, backquotes) stays open, as `${…}`. On anything else it gives up rather than guess.

use std::ops::Range;

/// A word, and where it stands in the text: its quotes included.
pub(super) type Word = (Range<usize>, String);

/// The words of one command, such as `aws rds promote-read-replica --db-instance-identifier 'orders db'`, each with
/// its byte range in `text`. A part that a shell would fill in stands in its word as `${…}`. `None` for what is not
/// one plain command: several of them, a pipe, a redirection, an open quote.
pub fn split_command(text: &str) -> Option<Vec<(Range<usize>, String)>> {
    let script = Splitter::new(text).split()?;
    match <[Vec<Word>; 1]>::try_from(script.commands) {
        Ok([words]) if !script.redirected => Some(words),
        _ => None,
    }
}

/// The words of one command that needs no shell; `None` when only a shell could run it: several commands, redirections,
/// variables, substitutions, patterns, or a variable set first.
pub fn plain_command(text: &str) -> Option<Vec<String>> {
    let script = Splitter::new(text.trim()).split()?;
    let [words] = <[Vec<Word>; 1]>::try_from(script.commands).ok()?;
    let words: Vec<String> = words.into_iter().map(|(_, word)| word).collect();
    let first = words.first()?;
    let plain = !script.redirected && !script.expands && !first.is_empty() && !first.contains('=');
    plain.then_some(words)
}

/// The commands of a shell's script, in its order; none of them is empty. `None` for what is not understood.
pub(super) fn split_script(text: &str) -> Option<Vec<Vec<Word>>> {
    Some(Splitter::new(text).split()?.commands)
}

struct Script {
    commands: Vec<Vec<Word>>,
    redirected: bool,
    /// Whether anything in it means something to a shell alone.
    expands: bool,
}

struct Splitter<'t> {
    text: &'t str,
    at: usize,
    commands: Vec<Vec<Word>>,
    words: Vec<Word>,
    redirected: bool,
    expands: bool,
}

impl<'t> Splitter<'t> {
    fn new(text: &'t str) -> Splitter<'t> {
        Splitter { text, at: 0, commands: Vec::new(), words: Vec::new(), redirected: false, expands: false }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn split(mut self) -> Option<Script> {
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' => self.at += 1,
                '\n' | ';' | '|' | '&' => self.separator()?,
                '#' => {
                    self.expands = true;
                    self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                }
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '(' | ')' => return None,
                '<' | '>' => self.redirection()?,
                _ => {
                    let word = self.word()?;
                    let descriptor = word.1.bytes().all(|byte| byte.is_ascii_digit());
                    if !(descriptor && self.rest().starts_with(['<', '>'])) {
                        self.words.push(word);
                    }
                }
            }
        }
        self.end_command();
        Some(Script { commands: self.commands, redirected: self.redirected, expands: self.expands })
    }

    /// `;`, `|`, `||`, `&`, `&&` and the end of a line. `;;` belongs to a `case`.
    fn separator(&mut self) -> Option<()> {
        let first = self.take()?;
        self.expands |= first != '\n';
        if first == ';' && self.peek() == Some(';') {
            return None;
        }
        if self.rest().starts_with("&>") || (first == '&' && self.peek() == Some('>')) {
            return None;
        }
        if matches!(first, '|' | '&') && self.peek() == Some(first) {
            self.at += 1;
        }
        self.end_command();
        Some(())
    }

    fn end_command(&mut self) {
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }

    /// `> file`, `>> file`, `< file`, `>&2`; a here-document is not understood.
    fn redirection(&mut self) -> Option<()> {
        self.redirected = true;
        if self.rest().starts_with("<<") || self.rest().starts_with("<(") || self.rest().starts_with(">(") {
            return None;
        }
        self.at += if self.rest().starts_with(">>") { 2 } else { 1 };
        if matches!(self.peek(), Some('&' | '|')) {
            self.at += 1;
        }
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
        self.word().map(|_| ())
    }

    fn word(&mut self) -> Option<Word> {
        let start = self.at;
        let mut word = String::new();
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' | '|' | '&' | '<' | '>' => break,
                '(' | ')' => return None,
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut word)?,
                '$' => self.expansion(&mut word)?,
                '`' => self.backquoted(&mut word)?,
                '\\' => {
                    self.at += 1;
                    match self.take()? {
                        '\n' => {}
                        escaped => word.push(escaped),
                    }
                }
                _ => {
                    self.expands |= "*?[~{!#".contains(next) || next.is_control();
                    self.at += next.len_utf8();
                    word.push(next);
                }
            }
        }
        // Nothing was taken only where a word was needed and none stands, as after `>`.
        (self.at > start).then_some((start..self.at, word))
    }

    fn single(&mut self, word: &mut String) -> Option<()> {
        self.at += 1;
        let end = self.rest().find('\'')?;
        word.push_str(self.rest().get(..end)?);
        self.at += end + 1;
        Some(())
    }

    fn double(&mut self, word: &mut String) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                '"' => {
                    self.at += 1;
                    return Some(());
                }
                '$' => self.expansion(word)?,
                '`' => self.backquoted(word)?,
                '\\' => {
                    self.at += 1;
                    match self.take()? {
                        '\n' => {}
                        escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                        other => {
                            word.push('\\');
                            word.push(other);
                        }
                    }
                }
                next => {
                    self.at += next.len_utf8();
                    word.push(next);
                }
            }
        }
    }

    /// What begins with `$`: a variable, a command, arithmetic. A lone `$` is itself.
    fn expansion(&mut self, word: &mut String) -> Option<()> {
        self.expands = true;
        self.at += 1;
        match self.peek() {
            Some('{') => {
                let end = self.rest().find('}')?;
                word.push('$');
                word.push_str(self.rest().get(..=end)?);
                self.at += end + 1;
            }
            Some('(') => {
                self.parenthesis()?;
                word.push_str("${…}");
            }
            // `$'…'` has escapes of its own.
            Some('\'') => return None,
            Some(c) if c.is_ascii_alphanumeric() || "_@*#?!$-".contains(c) => {
                let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let length = self.rest().find(|c| !name(c)).unwrap_or(self.rest().len()).max(1);
                word.push_str("${");
                word.push_str(self.rest().get(..length)?);
                word.push('}');
                self.at += length;
            }
            _ => word.push('$'),
        }
        Some(())
    }

    /// To the parenthesis that closes the one here; quotes inside may hold others.
    fn parenthesis(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.take()? {
                '(' => depth += 1,
                ')' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
                '\'' => {
                    let end = self.rest().find('\'')?;
                    self.at += end + 1;
                }
                '"' => loop {
                    match self.take()? {
                        '"' => break,
                        '\\' => {
                            self.take()?;
                        }
                        _ => {}
                    }
                },
                '\\' => {
                    self.take()?;
                }
                _ => {}
            }
        }
    }

    fn backquoted(&mut self, word: &mut String) -> Option<()> {
        self.expands = true;
        self.at += 1;
        let end = self.rest().find('`')?;
        self.at += end + 1;
        word.push_str("${…}");
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Option<Vec<String>> {
        Some(split_command(text)?.into_iter().map(|(_, word)| word).collect())
    }

    fn script(text: &str) -> Option<Vec<String>> {
        let line = |words: Vec<Word>| words.into_iter().map(|word| word.1).collect::<Vec<_>>().join(" ");
        Some(split_script(text)?.into_iter().map(line).collect())
    }

    #[test]
    fn plain_commands_are_split_as_a_shell_would() {
        let split = |line: &str| plain_command(line).map(|words| words.join("|"));
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
    fn one_command_is_split_as_a_shell_does() {
        let patch = r#"kubectl patch deployment app -p '{"spec":{"replicas":3}}'"#;
        assert_eq!(
            words(patch).expect("words"),
            ["kubectl", "patch", "deployment", "app", "-p", r#"{"spec":{"replicas":3}}"#]
        );
        assert_eq!(
            words("terraform apply -var='a=b c' -auto-approve").expect("words"),
            ["terraform", "apply", "-var=a=b c", "-auto-approve"]
        );
        assert_eq!(words(r#"a "b \"c\" \d" e\ f ''"#).expect("words"), ["a", r#"b "c" \d"#, "e f", ""]);
        assert_eq!(words("a \\\n  b # c\n").expect("words"), ["a", "b"]);
        assert_eq!(words("a 'it'\\''s' é").expect("words"), ["a", "it's", "é"]);
    }

    #[test]
    fn every_word_knows_its_place() {
        let text = "aws  rds 'x y' é=\"z\"";
        let places: Vec<&str> =
            split_command(text).expect("words").into_iter().map(|(range, _)| &text[range]).collect();
        assert_eq!(places, ["aws", "rds", "'x y'", "é=\"z\""]);
    }

    #[test]
    fn what_a_shell_fills_in_stays_open() {
        assert_eq!(
            words("a $X ${Y} \"$Z/b\" $(c \"(d\" | e ')') `f` $? '$G' $").expect("words"),
            ["a", "${X}", "${Y}", "${Z}/b", "${…}", "${…}", "${?}", "$G", "$"]
        );
    }

    #[test]
    fn a_script_is_its_commands() {
        assert_eq!(
            script("set -e; a b | c && d || e\nf 2>&1 >/dev/null <in & g >> h").expect("commands"),
            ["set -e", "a b", "c", "d", "e", "f", "g"]
        );
        assert_eq!(script("").expect("commands"), [""; 0]);
        for given_up in [
            "a 'b",
            "a \"b",
            "(a)",
            "f() { a; }",
            "a <<E\nb\nE",
            "a $(b",
            "case x in y) ;; esac",
            "a >",
            "a `b",
            "a\\",
        ] {
            assert_eq!(script(given_up), None, "{given_up}");
        }
        for not_one in ["a | b", "a; b", "", "a > b"] {
            assert_eq!(words(not_one), None, "{not_one}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"[ a$(){}'"`\\|&;<>#\n=é-]{0,40}"#) {
            for (range, _) in split_script(&text).into_iter().flatten().flatten() {
                prop_assert!(text.get(range).is_some());
            }
            let _ = split_command(&text);
        }
    }
}
