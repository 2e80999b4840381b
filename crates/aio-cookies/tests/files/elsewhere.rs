//! Other programs read our files and we theirs, where they are installed.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use aio_cookies::{CookieFormat, CookieJar, CookieJarOptions, CookieRequest};

use super::{Scratch, header, jar_like, read, set, show_all, url};

/// Runs a program; none, with a line that says so, where it is not installed.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("No module named 'aiohttp'") || errors.contains(OLD) {
        eprintln!("skipped: aiohttp 3.14 is not installed");
        return None;
    }
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// What a Python says whose aiohttp saves pickles.
const OLD: &str = "aiohttp is older than 3.14";

/// Runs a program of Python that needs aiohttp 3.14.
fn run_aiohttp(program: &str, arguments: &[&str]) -> Option<String> {
    let check = format!(
        "import aiohttp, sys\n\
         if tuple(map(int, aiohttp.__version__.split('.')[:2])) < (3, 14): sys.exit('{OLD}')\n"
    );
    let program = check + program;
    run("python3", &[&["-c", &program], arguments].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Fields with all that an aiohttp keeps.
const FIELDS: [(&str, &[&str]); 5] = [
    (
        "https://www.shop.test/a/b/c",
        &[
            "s=4; Secure; Max-Age=9000",
            "d=2; Domain=shop.test; Path=/; SameSite=Lax; HttpOnly",
            "q=\"a\\054b\"; Path=/x/",
            "u=éы🍪; Expires=Wed, 09 Jun 2100 10:18:14 GMT",
            "e=",
            "j={\"a\":[1]}; Path=/",
        ],
    ),
    ("https://shop.test/", &["h=only; Path=/"]),
    (
        "https://odd.test/a/b/c",
        &[
            "blanks= a  b ; Path=/",
            "quotes=a\"b\\c; Path=/",
            "both=\"a\\\"b\\\\c;d\"; Path=/",
            "octal=\"\\351\\303\\251\"; Path=/",
            "empty=\"\"; Path=/",
            "pairs=a=b==c, d=e; Path=/",
            "path=1; Path=/",
            "expires=1; Path=/",
            "k{A7F5}={9|2}; Path=/",
            "same=root; Path=/",
            "same=a; Path=/a",
            "same=ab; Path=/a/b/",
            "escaped=1; Path=/a%20b/é",
            "semicolon=1; Path=\"/a;b\"",
            "aged=1; Max-Age=99999999999",
            "soon=1; Max-Age=3600; Expires=Wed, 09 Jun 2010 10:18:14 GMT; Path=/",
            "gone=1; Path=/",
            "gone=1; Max-Age=0; Path=/",
            "past=1; Expires=Wed, 09 Jun 2010 10:18:14 GMT",
            "strict=1; SameSite=Strict; Secure; HttpOnly; Path=/",
            "odd=1; SameSite=sometimes; Path=/",
        ],
    ),
    ("http://127.0.0.1/", &["ip=4"]),
    ("http://[::1]/", &["ip=6"]),
];

const URLS: [&str; 9] = [
    "https://odd.test/a/b/c",
    "https://odd.test/a/b",
    "http://odd.test/",
    "https://www.shop.test/a/b/c",
    "http://www.shop.test/x/",
    "https://shop.test/",
    "https://other.shop.test/",
    "http://127.0.0.1/",
    "http://[::1]/",
];

/// Loads a jar and prints its headers, then saves it elsewhere.
const LOAD: &str = "
import asyncio, sys, aiohttp
from yarl import URL
async def main():
    ours, theirs, *urls = sys.argv[1:]
    jar = aiohttp.CookieJar(unsafe=True)
    jar.load(ours)
    for url in urls:
        print(jar.filter_cookies(URL(url)).output(header='', sep=';').strip())
    jar.save(theirs)
asyncio.run(main())
";

/// Fills a jar from pairs of a URL and a field, and saves it.
const FILL: &str = "
import asyncio, sys, aiohttp
from yarl import URL
async def main():
    theirs, *fields = sys.argv[1:]
    jar = aiohttp.CookieJar(unsafe=True)
    for url, field in zip(fields[::2], fields[1::2]):
        jar.update_cookies_from_headers([field], URL(url))
    jar.update_cookies({'shared': 'v v', 'quoted': '\"x\"'})
    jar.save(theirs)
asyncio.run(main())
";

fn filled() -> CookieJar {
    let jar = jar_like(CookieJarOptions::aiohttp());
    for (from, fields) in FIELDS {
        set(&jar, from, fields);
    }
    jar.add("shared", "v v").expect("legal");
    jar.add("quoted", "\"x\"").expect("legal");
    jar
}

// CKY-80 to 84, EDGE-230.
#[test]
fn aiohttp_loads_what_we_saved_and_we_load_it_back() {
    let scratch = Scratch::new("to-python");
    let (ours, theirs) = (scratch.path("ours"), scratch.path("theirs"));
    let jar = filled();
    jar.save(&ours).expect("saved");
    let arguments = [&[text(&ours), text(&theirs)], &URLS[..]].concat();
    let Some(headers) = run_aiohttp(LOAD, &arguments) else {
        return;
    };
    let headers: Vec<&str> = headers.lines().collect();
    assert_eq!(headers, URLS.map(|url| header(&jar, url)));
    let again = jar_like(CookieJarOptions::aiohttp());
    again.load(&theirs).expect("loaded");
    let (mut again, mut jar) = (show_all(&again), show_all(&jar));
    // Python orders by domain and path, we by age.
    again.sort();
    jar.sort();
    assert_eq!(again, jar);
}

#[test]
fn we_load_what_aiohttp_saved_and_save_it_to_the_byte() {
    let scratch = Scratch::new("from-python");
    let (ours, theirs) = (scratch.path("ours"), scratch.path("theirs"));
    let mut arguments = vec![text(&theirs)];
    for (from, fields) in FIELDS {
        arguments.extend(fields.iter().flat_map(|field| [from, field]));
    }
    if run_aiohttp(FILL, &arguments).is_none() {
        return;
    }
    let jar = jar_like(CookieJarOptions::aiohttp());
    jar.load(&theirs).expect("loaded");
    for url in URLS {
        assert_eq!(header(&jar, url), header(&filled(), url), "{url}");
    }
    jar.save(&ours).expect("saved");
    assert_eq!(read(&ours), read(&theirs));
}

// What it cannot have does not keep it from the rest.
#[test]
fn aiohttp_loads_the_rest_of_a_jar_that_it_could_not_have() {
    let scratch = Scratch::new("odd-python");
    let (ours, theirs) = (scratch.path("ours"), scratch.path("theirs"));
    let jar = CookieJar::new();
    let site = url("https://a.test/");
    let fields: [&[u8]; 7] = [
        b"a=1",
        b"tab=x\ty",
        b"octet=\xff",
        b"\xff=name",
        b"path=1; Path=/x\ty",
        b"escaped=\"\\012\"",
        b"slash=1; Path=/a",
    ];
    jar.update_cookies(&CookieRequest::new(&site, SystemTime::now()), fields);
    set(&jar, "https://a.test/", &["slash=2; Path=/a/"]);
    jar.save(&ours).expect("saved");
    let arguments = [text(&ours), text(&theirs), "https://a.test/a/"];
    if let Some(headers) = run_aiohttp(LOAD, &arguments) {
        assert_eq!(headers.trim(), "a=1; escaped=\"\\012\"; slash=2");
    }
}

/// What yt-dlp reads with.
#[test]
fn pythons_own_jar_reads_our_cookies_txt_and_we_its() {
    let script = "
import http.cookiejar, sys
jar = http.cookiejar.MozillaCookieJar()
jar.load(sys.argv[1], ignore_discard=True, ignore_expires=True)
jar.save(sys.argv[2], ignore_discard=True, ignore_expires=True)
for cookie in jar:
    print(cookie.domain, cookie.path, cookie.name, cookie.value, cookie.expires, cookie.secure)
";
    let scratch = Scratch::new("cookiejar");
    let (ours, theirs) = (scratch.path("ours"), scratch.path("theirs"));
    let jar = jar_like(CookieJarOptions::aiohttp());
    let end = "Expires=Wed, 09 Jun 2100 10:18:14 GMT";
    let fields = [
        "a=1",
        "b=\"x y\"; HttpOnly; Secure",
        "c=3; Domain=a.test; Path=/x",
    ];
    let fields = fields.map(|field| format!("{field}; {end}"));
    set(
        &jar,
        "https://a.test/",
        &[&fields[0], &fields[1], &fields[2], "session=1"],
    );
    jar.save_as(&ours, CookieFormat::Netscape).expect("saved");
    let Some(cookies) = run("python3", &["-c", script, text(&ours), text(&theirs)]) else {
        return;
    };
    let end = 4_116_219_494_u64;
    let mut cookies: Vec<&str> = cookies.lines().collect();
    cookies.sort_unstable();
    let want = [
        format!(".a.test /x c 3 {end} False"),
        format!("a.test / a 1 {end} False"),
        format!("a.test / b \"x y\" {end} True"),
        // It takes 0 for a time, which yt-dlp's jar does not.
        "a.test / session 1 0 False".into(),
    ];
    assert_eq!(cookies, want);
    let again = CookieJar::new();
    again.load(&theirs).expect("loaded");
    assert_eq!(
        header(&again, "https://a.test/x"),
        "c=3; a=1; b=\"x y\"; session=1"
    );
}

/// A server on 127.0.0.1 that sets cookies at `/set` and notes the `Cookie` header of others.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(fields: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        // It ends with the test, as its last connection does.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let timeout = stream.set_read_timeout(Some(Duration::from_secs(10)));
                timeout.expect("not zero");
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let cookies = head.iter().find_map(|line| line.strip_prefix("Cookie: "));
                let sets = head
                    .first()
                    .is_some_and(|line| line.starts_with("GET /set"));
                if !sets {
                    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
                    notes.push(cookies.unwrap_or_default().to_owned());
                }
                let mut answer = String::from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
                for field in fields.iter().filter(|_| sets) {
                    answer += &format!("Set-Cookie: {field}\r\n");
                }
                answer += "Connection: close\r\n\r\n";
                stream
                    .write_all(answer.as_bytes())
                    .expect("the client is there");
            }
        });
        Self { port, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// In curl's order, too: of one path, it sends longer domains and longer names first.
const OF_CURL: [&str; 8] = [
    "third=\"a b\"; Path=/x/y; HttpOnly",
    "secnd=2; Domain=shop.test; Path=/x; Expires=Wed, 09 Jun 2100 10:18:14 GMT",
    "long=x=y; Path=/; Max-Age=9000",
    "emp=; Path=/",
    "on=%D1%8B\u{e9}; Path=/",
    "q=a\"b, c; Path=/",
    "other=path; Path=/z",
    "gone=1; Max-Age=0",
];

/// To wget, a line with `#HttpOnly_` is a comment.
const OF_WGET: [&str; 3] = [
    "long=x=y; Path=/; Max-Age=9000",
    "on=%D1%8B\u{e9}; Path=/",
    "quoted=\"a b\"",
];

const SENT: &str = "third=\"a b\"; secnd=2; long=x=y; emp=; on=%D1%8B\u{e9}; q=a\"b, c";

fn sorted(header: &str) -> String {
    let mut pairs: Vec<&str> = header.split("; ").collect();
    pairs.sort_unstable();
    pairs.join("; ")
}

#[test]
fn curl_sends_what_we_saved_and_we_send_what_curl_saved() {
    let scratch = Scratch::new("curl");
    let (ours, theirs) = (scratch.path("ours"), scratch.path("theirs"));
    let server = Server::start(&OF_CURL);
    let origin = format!("http://www.shop.test:{}", server.port);
    let resolve = format!("www.shop.test:{}:127.0.0.1", server.port);
    let jar = CookieJar::new();
    set(&jar, &format!("{origin}/set"), &OF_CURL);
    jar.save_as(&ours, CookieFormat::Netscape).expect("saved");
    let to = format!("{origin}/x/y");
    let curl = |arguments: &[&str]| {
        let usual = ["-s", "-m", "20", "--noproxy", "*", "--resolve", &resolve];
        run("curl", &[&usual[..], arguments].concat())
    };
    if curl(&["-b", text(&ours), &to]).is_none() {
        return;
    }
    curl(&["-c", text(&theirs), &format!("{origin}/set")]);
    curl(&["-b", text(&theirs), &to]);
    assert_eq!(server.seen(), [SENT, SENT]);
    assert_eq!(header(&jar, &to), SENT);
    let again = CookieJar::new();
    again.load(&theirs).expect("loaded");
    // curl writes the newest first, and forgets which that was.
    assert_eq!(sorted(&header(&again, &to)), sorted(SENT));
    let (mut again, mut jar) = (show_all(&again), show_all(&jar));
    for shown in [&mut again, &mut jar] {
        shown.sort();
        // Each counts from a second of its own, and to another last one.
        for line in shown.iter_mut() {
            line.truncate(line.find(" until ").map_or(line.len(), |end| end + 6));
        }
    }
    assert_eq!(again, jar);
}

#[test]
fn wget_sends_what_we_saved_and_we_send_what_wget_saved() {
    let scratch = Scratch::new("wget");
    let (ours, theirs) = (scratch.path("ours"), scratch.path("theirs"));
    let server = Server::start(&OF_WGET);
    let origin = format!("http://127.0.0.1:{}", server.port);
    let jar = jar_like(CookieJarOptions::default());
    set(&jar, &format!("{origin}/set"), &OF_WGET);
    jar.save_as(&ours, CookieFormat::Netscape).expect("saved");
    let to = format!("{origin}/x/y");
    let wget = |arguments: &[&str]| {
        let usual = "-q -T 20 -t 1 --no-proxy --no-hsts -O /dev/null";
        let usual: Vec<&str> = usual.split(' ').collect();
        run("wget", &[&usual[..], arguments].concat())
    };
    if wget(&["--load-cookies", text(&ours), &to]).is_none() {
        return;
    }
    let saves = ["--keep-session-cookies", "--save-cookies", text(&theirs)];
    wget(&[&saves[..], &[&format!("{origin}/set")]].concat());
    let again = jar_like(CookieJarOptions::default());
    again.load(&theirs).expect("loaded");
    let sent = "long=x=y; on=%D1%8B\u{e9}; quoted=\"a b\"";
    for header in [&header(&again, &to), &header(&jar, &to), &server.seen()[0]] {
        assert_eq!(sorted(header), sent);
    }
}
