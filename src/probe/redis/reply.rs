//! RESP2, the protocol of Redis: commands to bytes, bytes to replies. Knows no socket.

/// How long one reply may be, and how deep its lists may nest: what no answer to our commands reaches.
const LONGEST: usize = 64 << 20;
const DEEPEST: usize = 8;
/// How long a line may be: without a limit, a server that never ends one would have it searched for its end again
/// and again, and hold up everything else meanwhile.
const LONGEST_LINE: usize = 64 << 10;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A status or a string; `None` for a null one.
    Text(Option<Vec<u8>>),
    /// A number.
    Number(i64),
    /// An error: its code is its first word.
    Error(String),
    /// A list; a null one is empty.
    List(Vec<Reply>),
}

impl Reply {
    /// The text, when it is one and not null.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Reply::Text(Some(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    /// The elements of a list.
    pub(crate) fn list(&self) -> &[Reply] {
        match self {
            Reply::List(elements) => elements,
            _ => &[],
        }
    }
}

/// A command as it goes over the wire.
pub(crate) fn command(words: &[&str], to: &mut Vec<u8>) {
    to.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        to.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

/// The first reply of `bytes` and its length; `None` when it is not all there yet.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
    let mut rest = Rest { bytes, at: 0 };
    let reply = rest.reply(0)?;
    match reply {
        None if bytes.len() > LONGEST => Err(format!("a reply of more than {} MiB", LONGEST >> 20)),
        reply => Ok(reply.map(|reply| (reply, rest.at))),
    }
}

struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn line(&mut self) -> Result<Option<&'a [u8]>, String> {
        let Some(rest) = self.bytes.get(self.at..) else { return Ok(None) };
        let within = rest.get(..LONGEST_LINE).unwrap_or(rest);
        let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
            return match rest.len() {
                0..LONGEST_LINE => Ok(None),
                _ => Err(format!("a line of more than {} KiB", LONGEST_LINE >> 10)),
            };
        };
        self.at += end + 2;
        Ok(rest.get(..end))
    }

    fn reply(&mut self, depth: usize) -> Result<Option<Reply>, String> {
        if depth > DEEPEST {
            return Err("a reply of lists within lists".to_owned());
        }
        let Some(line) = self.line()? else { return Ok(None) };
        let text = String::from_utf8_lossy(line.get(1..).unwrap_or_default()).into_owned();
        let number = || text.parse::<i64>().map_err(|_| format!("`{text}` where a number belongs"));
        Ok(match line.first() {
            Some(b'+') => Some(Reply::Text(Some(text.into_bytes()))),
            Some(b'-') => Some(Reply::Error(text)),
            Some(b':') => Some(Reply::Number(number()?)),
            Some(b'$') => self.string(number()?)?,
            Some(b'*') => {
                let mut elements = Vec::new();
                for _ in 0..number()?.max(0) {
                    let Some(element) = self.reply(depth + 1)? else { return Ok(None) };
                    elements.push(element);
                }
                Some(Reply::List(elements))
            }
            _ => return Err("the answer is not Redis's protocol".to_owned()),
        })
    }

    fn string(&mut self, length: i64) -> Result<Option<Reply>, String> {
        let Ok(length) = usize::try_from(length) else { return Ok(Some(Reply::Text(None))) };
        if length > LONGEST {
            return Err(format!("a reply of more than {} MiB", LONGEST >> 20));
        }
        let Some(text) = self.bytes.get(self.at..self.at + length) else { return Ok(None) };
        match self.bytes.get(self.at + length..self.at + length + 2) {
            None => Ok(None),
            Some(b"\r\n") => {
                self.at += length + 2;
                Ok(Some(Reply::Text(Some(text.to_vec()))))
            }
            Some(_) => Err("a string that is longer than it said".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Reply {
        Reply::Text(Some(text.as_bytes().to_vec()))
    }

    #[test]
    fn every_kind_of_reply_is_read_and_no_part_of_one() {
        let bytes = b"*6\r\n+OK\r\n-READONLY You can't\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n+next\r\n";
        let expected = Reply::List(vec![
            text("OK"),
            Reply::Error("READONLY You can't".to_owned()),
            Reply::Number(-7),
            text("a\r\n"),
            Reply::Text(None),
            Reply::List(vec![]),
        ]);
        let length = bytes.len() - b"+next\r\n".len();
        // The string's own end of line is not where it ends.
        let fixed: Vec<u8> = bytes.to_vec();
        assert_eq!(parse(&fixed), Ok(Some((expected, length))));
        for cut in 0..length {
            assert_eq!(parse(&fixed[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn another_protocol_is_not_believed() {
        for bytes in
            [&b"HTTP/1.1 400 Bad Request\r\n"[..], b":seven\r\n", b"$1\r\nabc\r\n", b"$99999999999\r\n"]
        {
            assert!(parse(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
        assert!(parse("*1\r\n".repeat(20).as_bytes()).is_err());
    }

    #[test]
    fn a_command_is_a_list_of_strings() {
        let mut bytes = Vec::new();
        command(&["XADD", "fd:ü"], &mut bytes);
        assert_eq!(bytes, "*2\r\n$4\r\nXADD\r\n$5\r\nfd:ü\r\n".as_bytes());
    }
}
