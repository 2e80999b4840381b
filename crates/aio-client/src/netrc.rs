//! Credentials from a netrc file, read by the rules of Python's `netrc` module (SPEC §10.2).

use std::str::Chars;

use aio_core::BasicAuth;

use crate::env::Environment;

/// Returns the credentials that the environment's netrc file has for hosts: of a proxy, and
/// of a request.
///
/// A file that cannot be read or parsed is only warned of.
pub(crate) async fn credentials(
    environment: &Environment,
    hosts: [Option<String>; 2],
) -> [Option<BasicAuth>; 2] {
    if hosts == [None, None] {
        return [None, None];
    }
    let Some(path) = environment.netrc_path() else {
        return [None, None];
    };
    let named = environment.names_netrc();
    let looked_up = tokio::task::spawn_blocking(move || {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                // AUT-16: that there is none in the home directory is no news.
                if named || path.is_file() {
                    tracing::warn!(path = %path.display(), %error, "could not read the netrc file");
                }
                return [None, None];
            }
        };
        hosts.map(|host| match find(&text, &host?) {
            Ok(Some(found)) if found.encode().is_err() => {
                tracing::warn!(path = %path.display(), "the netrc file has a login with a colon");
                None
            }
            Ok(found) => found,
            Err(line) => {
                tracing::warn!(path = %path.display(), line, "could not parse the netrc file");
                None
            }
        })
    });
    looked_up.await.unwrap_or_default()
}

/// Finds the entry of `host`, or the default one; the last of several counts.
///
/// # Errors
/// The line that is wrong, which makes the whole file worthless.
fn find(text: &str, host: &str) -> Result<Option<BasicAuth>, usize> {
    let (mut named, mut default) = (None, None);
    let mut tokens = Tokens::new(text);
    loop {
        let before = tokens.line;
        let keyword = tokens.next();
        let name = match keyword.as_str() {
            "" => return Ok(named.or(default)),
            "machine" => Some(tokens.next()).filter(|name| !name.is_empty()),
            "default" => Some(keyword),
            "macdef" => {
                tokens.next();
                tokens.skip_macro()?;
                continue;
            }
            // Python: a comment up here ends with the word, unless a blank follows the `#`.
            "#" if tokens.line == before => {
                tokens.skip_line();
                continue;
            }
            comment if comment.starts_with('#') => continue,
            _ => None,
        };
        let name = name.ok_or(tokens.line)?;
        let entry = tokens.entry()?;
        if name == host {
            named = Some(entry);
        } else if name == "default" {
            default = Some(entry);
        }
    }
}

/// The words of a netrc file.
struct Tokens<'a> {
    rest: Chars<'a>,
    line: usize,
    /// A word that was read too early.
    pushed_back: Option<String>,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars(),
            line: 1,
            pushed_back: None,
        }
    }

    fn char(&mut self) -> Option<char> {
        let char = self.rest.next()?;
        self.line += usize::from(char == '\n');
        Some(char)
    }

    /// Takes the next word, empty at the end; quotes and backslashes are resolved.
    fn next(&mut self) -> String {
        if let Some(word) = self.pushed_back.take() {
            return word;
        }
        let mut word = String::new();
        let blank = |char: &char| matches!(char, '\n' | '\t' | '\r' | ' ');
        let mut first = self.char();
        while first.as_ref().is_some_and(blank) {
            first = self.char();
        }
        let quoted = first == Some('"');
        let mut next = if quoted { self.char() } else { first };
        while let Some(char) = next {
            let ends = if quoted { char == '"' } else { blank(&char) };
            if ends {
                break;
            }
            if char == '\\' {
                word.extend(self.char());
            } else {
                word.push(char);
            }
            next = self.char();
        }
        word
    }

    fn skip_line(&mut self) {
        while self.char().is_some_and(|char| char != '\n') {}
    }

    /// Skips the lines of a macro, of which an empty one is the last.
    fn skip_macro(&mut self) -> Result<(), usize> {
        loop {
            match self.char() {
                None => return Err(self.line),
                Some('\n') => return Ok(()),
                Some(_) => self.skip_line(),
            }
        }
    }

    /// Reads what belongs to a machine.
    fn entry(&mut self) -> Result<BasicAuth, usize> {
        let (mut login, mut account, mut password) = Default::default();
        loop {
            let before = self.line;
            let keyword = self.next();
            match keyword.as_str() {
                "" | "machine" | "default" | "macdef" => {
                    self.pushed_back = Some(keyword);
                    break;
                }
                "login" | "user" => login = self.next(),
                "account" => account = self.next(),
                "password" => password = self.next(),
                comment if comment.starts_with('#') => {
                    if self.line == before {
                        self.skip_line();
                    }
                }
                _ => return Err(self.line),
            }
        }
        // AUT-17.
        let login: String = if login.is_empty() { account } else { login };
        let password: String = password;
        Ok(BasicAuth::new(login, password).or_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<Option<(&str, &str)>, usize>) {
        let found = find(text, "a.test");
        let found = found.as_ref().map(|found| {
            let auth = found.as_ref()?;
            Some((auth.login(), auth.password()))
        });
        assert_eq!(found, want.as_ref().map(|want| *want), "{text:?}");
    }

    #[test]
    fn entries_are_found_by_host() {
        check("", Ok(None));
        check(
            "machine a.test login ada password pw",
            Ok(Some(("ada", "pw"))),
        );
        check(
            "machine b.test login b\nmachine a.test\n\tuser ada\n",
            Ok(Some(("ada", ""))),
        );
        check("machine A.test login ada", Ok(None));
        check(
            "machine a.test login 1 machine a.test login 2",
            Ok(Some(("2", ""))),
        );
        check("machine a.test", Ok(Some(("", ""))));
        check(
            "machine a.test account acc password pw",
            Ok(Some(("acc", "pw"))),
        );
        check("default login d password e", Ok(Some(("d", "e"))));
        check(
            "default login d machine a.test login ada",
            Ok(Some(("ada", ""))),
        );
    }

    #[test]
    fn words_may_be_quoted_and_escaped() {
        check(
            r#"machine a.test login "a b" password "p\"w""#,
            Ok(Some(("a b", "p\"w"))),
        );
        check(
            r"machine a.test login a\ b password p\\w",
            Ok(Some(("a b", "p\\w"))),
        );
        check(
            r#"machine a.test login a"b password p#w"#,
            Ok(Some(("a\"b", "p#w"))),
        );
    }

    #[test]
    fn comments_and_macros_are_skipped() {
        check(
            "# a word or two\nmachine a.test login ada",
            Ok(Some(("ada", ""))),
        );
        check("#word\nmachine a.test login ada", Ok(Some(("ada", ""))));
        check(
            "machine a.test # it is\nlogin ada #\npassword pw",
            Ok(Some(("ada", "pw"))),
        );
        check(
            "macdef init\ncd /\nls\n\nmachine a.test login ada",
            Ok(Some(("ada", ""))),
        );
    }

    #[test]
    fn what_python_refuses_is_refused() {
        check("machine", Err(1));
        check("ada pw", Err(1));
        check("#two words\n", Err(2));
        check("machine a.test login ada\nbad", Err(2));
        check("macdef init\ncd /", Err(2));
    }
}
