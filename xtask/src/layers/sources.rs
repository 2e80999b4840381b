//! The invariants of README.md that show in a source file by a word.
//!
//! Text is all that is looked at, so that the check stays simple: it catches
//! the slip, not the trick. Comments and the test module at the end of a file
//! are passed over.

/// What the file at `path`, from the root, has that it may not have.
pub(super) fn broken_rules(path: &str, text: &str) -> Vec<String> {
    if path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let lines: Vec<(usize, &str)> = code(text);
    let mut found = Vec::new();
    for (number, line) in &lines {
        for rule in RULES.iter().filter(|rule| (rule.concerns)(path)) {
            for word in rule.words.iter().filter(|word| names(line, word)) {
                let rule = rule.text;
                found.push(format!("{path}:{number}: `{word}`, but {rule}"));
            }
        }
    }
    for number in misplaced_features(&lines) {
        found.push(format!(
            "{path}:{number}: `cfg(feature)` stands on items only (invariant 6)"
        ));
    }
    found
}

struct Rule {
    text: &'static str,
    concerns: fn(&str) -> bool,
    words: &'static [&'static str],
}

const RULES: [Rule; 3] = [
    Rule {
        text: "this room does no I/O, spawns nothing and reads no clock (invariant 1)",
        concerns: is_pure,
        words: &[
            "Instant::now",
            "SystemTime::now",
            "std::env",
            "std::fs",
            "TcpStream",
            "UdpSocket",
            "spawn",
            "getrandom",
            "fastrand",
        ],
    },
    Rule {
        text: "only aio-connector opens sockets (invariant 2)",
        concerns: |path| !path.starts_with("crates/aio-connector/"),
        words: &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "rustls::",
            "hickory_resolver",
            "hyper::",
            "hyper_util::",
            "socket2::",
        ],
    },
    Rule {
        text: "only aio-client names it (invariant 3)",
        concerns: |path| !path.starts_with("crates/aio-client/"),
        words: &["ClientError", "ClientSession"],
    },
];

fn is_pure(path: &str) -> bool {
    let opens_files = path.starts_with("crates/aio-cookies/src/persist");
    // reqwest's trait for jars has no time among its arguments.
    let asks_the_clock = path == "crates/aio-cookies/src/foreign/reqwest.rs";
    path.starts_with("crates/aio-core/")
        || path.starts_with("crates/aio-cookies/") && !opens_files && !asks_the_clock
        || ["protocol", "handshake", "deflate"]
            .iter()
            .any(|room| path.starts_with(&format!("crates/aio-ws/src/{room}")))
}

/// The numbered lines of a file that are code, up to its test module.
fn code(text: &str) -> Vec<(usize, &str)> {
    let mut lines = text.lines().enumerate().peekable();
    let mut kept = Vec::new();
    while let Some((index, line)) = lines.next() {
        let opens_tests = line == "#[cfg(test)]"
            && lines
                .peek()
                .is_some_and(|(_, next)| next.starts_with("mod ") && next.ends_with('{'));
        if opens_tests {
            break;
        }
        let line = line.split(" //").next().unwrap_or(line);
        if !line.trim_start().starts_with("//") {
            kept.push((index + 1, line));
        }
    }
    kept
}

/// Whether `line` has `word` as a word, not as a part of a longer name.
fn names(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let open_end = word.ends_with(part_of_name);
    line.match_indices(word).any(|(at, _)| {
        let begins_inside = line[..at].ends_with(part_of_name);
        let goes_on = open_end && line[at + word.len()..].starts_with(part_of_name);
        !begins_inside && !goes_on
    })
}

/// The lines whose `cfg(feature)` stands on something else than an item.
fn misplaced_features(lines: &[(usize, &str)]) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        let line = line.trim_start();
        let on_a_statement = line.starts_with("#[cfg(")
            && line.contains("feature")
            && !lines[at..]
                .iter()
                .map(|(_, line)| line.trim_start())
                .find(|line| !line.starts_with("#["))
                .is_some_and(begins_an_item);
        if on_a_statement || line.contains("cfg!(feature") {
            found.push(*number);
        }
    }
    found
}

fn begins_an_item(line: &str) -> bool {
    let first = line.split([' ', '(', '<', '!']).next();
    matches!(
        first,
        Some(
            "mod"
                | "use"
                | "pub"
                | "fn"
                | "async"
                | "const"
                | "static"
                | "struct"
                | "enum"
                | "type"
                | "trait"
                | "impl"
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, allowed: bool) {
        let found = broken_rules(path, text);
        assert_eq!(found.is_empty(), allowed, "{found:?}");
    }

    #[test]
    fn pure_rooms_read_no_clock() {
        let clock = "let now = Instant::now();";
        check("crates/aio-core/src/timeout.rs", clock, false);
        check("crates/aio-cookies/src/jar.rs", clock, false);
        check("crates/aio-cookies/src/foreign/reqwest.rs", clock, true);
        check("crates/aio-ws/src/protocol.rs", clock, false);
        check("crates/aio-ws/src/handshake/client.rs", clock, false);
        check("crates/aio-ws/src/socket.rs", clock, true);
        check("crates/aio-client/src/deadline.rs", clock, true);
    }

    #[test]
    fn only_the_file_room_of_the_cookies_opens_files() {
        let open = "std::fs::read(path)?";
        check("crates/aio-cookies/src/persist/json.rs", open, true);
        check("crates/aio-cookies/src/jar.rs", open, false);
    }

    #[test]
    fn only_the_connector_names_sockets() {
        let line = "use tokio::net::TcpStream;";
        check("crates/aio-connector/src/tcp.rs", line, true);
        check("crates/aio-client/src/session/send.rs", line, false);
    }

    #[test]
    fn only_the_client_names_its_error() {
        check("crates/aio-client/src/error.rs", "enum ClientError {", true);
        check("crates/aio-ws/src/error.rs", "-> ClientError", false);
        check("crates/aio-ws/src/error.rs", "MyClientErrors", true);
    }

    #[test]
    fn comments_and_tests_may_name_anything() {
        let core = "crates/aio-core/src/timeout.rs";
        check(core, "/// # let now = Instant::now();", true);
        check(core, "let x = 1; // not Instant::now", true);
        let tests = "fn f() {}\n#[cfg(test)]\nmod tests {\n    Instant::now()\n}";
        check(core, tests, true);
        check(core, "#[cfg(test)]\nuse a::b;\nInstant::now()", false);
        check("crates/aio-core/src/http1/tests.rs", "Instant::now()", true);
    }

    #[test]
    fn features_stand_on_items() {
        let path = "crates/aio-client/src/lib.rs";
        check(path, "#[cfg(feature = \"a\")]\nmod a;", true);
        check(path, "#[cfg(feature = \"a\")]\npub(crate) use b;", true);
        check(path, "#[cfg(feature = \"a\")]\n#[inline]\nfn c() {}", true);
        check(path, "#[cfg(feature = \"a\")]\nimpl<T> A for T {}", true);
        check(path, "    #[cfg(feature = \"a\")]\n    call();", false);
        check(path, "    #[cfg(feature = \"a\")]\n    Brotli,", false);
        check(path, "if cfg!(feature = \"a\") {", false);
    }
}
