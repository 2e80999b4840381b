//! A jar is loaded as it was saved.

use std::error::Error;
use std::fs::{self, File};
use std::sync::Arc;
use std::time::SystemTime;

use aio_cookies::{
    CookieFileProblem, CookieFormat, CookieJar, CookieJarOptions, CookieRequest, CookieStore,
    read_cookies,
};

use super::{
    FORMATS, SITE, Scratch, check_io, header, jar_like, jar_with, loaded, names, read, set,
    show_all, url,
};

// EDGE-230.
#[test]
fn a_jar_is_loaded_as_it_was_saved() {
    let scratch = Scratch::new("round");
    for format in FORMATS {
        let jar = jar_like(CookieJarOptions::aiohttp());
        let fields = [
            "s=\"4 5\"; Secure; HttpOnly; Path=/x; Expires=Wed, 09 Jun 2100 10:18:14 GMT",
            "d=2; Domain=a.test",
            "gone=1; Max-Age=0",
        ];
        set(&jar, SITE, &fields);
        let path = scratch.path("cookies");
        jar.save_as(&path, format).expect("saved");
        let again = jar_like(CookieJarOptions::aiohttp());
        again.load(&path).expect("loaded");
        assert_eq!(again.len(), 2);
        assert_eq!(show_all(&again), show_all(&jar), "{format:?}");
        assert_eq!(names(&scratch.0), ["cookies"]);
    }
}

#[test]
fn what_ends_between_is_not_there() {
    let scratch = Scratch::new("ended");
    let path = scratch.path("cookies.txt");
    let line = |end: u64, name: &str| format!("a.test\tFALSE\t/\tFALSE\t{end}\t{name}\t1\n");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    fs::write(&path, line(now - 1, "old") + &line(now + 1000, "new")).expect("written");
    assert_eq!(header(&loaded(&path), SITE), "new=1");
}

// CKY-84, CKY-10.
#[test]
fn a_jar_without_addresses_loads_none() {
    let scratch = Scratch::new("addresses");
    let path = scratch.path("cookies.json");
    let jar = jar_like(CookieJarOptions::default());
    set(&jar, "http://127.0.0.1/", &["a=1"]);
    set(&jar, "http://[::1]/", &["b=1"]);
    jar.add("shared", "1").expect("legal");
    jar.save(&path).expect("saved");
    assert_eq!(show_all(&loaded(&path)), ["shared=1 /"]);
    let again = jar_like(CookieJarOptions::default());
    again.load(&path).expect("loaded");
    assert_eq!(show_all(&again), show_all(&jar));
}

// CKY-14: other programs have saved what no jar should have taken.
#[test]
fn a_file_brings_no_cookie_for_all_of_a_public_suffix() {
    let scratch = Scratch::new("suffix");
    let path = scratch.path("cookies.txt");
    let line = |domain: &str| format!(".{domain}\tTRUE\t/\tFALSE\t0\t{domain}\t1\n");
    fs::write(&path, line("com") + &line("example.com")).expect("written");
    let jar = loaded(&path);
    assert_eq!(header(&jar, "https://www.example.com/"), "example.com=1");
    assert_eq!(header(&jar, "https://com/"), "com=1");
    jar.save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    assert_eq!(
        header(&loaded(&path), "https://www.example.com/"),
        "example.com=1"
    );
}

#[test]
fn jars_of_either_profile_load_what_the_other_saved() {
    let scratch = Scratch::new("profiles");
    let path = scratch.path("cookies.json");
    let aiohttp = jar_like(CookieJarOptions::aiohttp());
    let fields = ["q=\"a\\054b\"", "r=x y", "e=", "c=\"\\012\""];
    let strict = jar_with(&fields);
    strict.save(&path).expect("saved");
    aiohttp.load(&path).expect("loaded");
    assert_eq!(
        header(&aiohttp, SITE),
        "c=\"\\012\"; e=\"\"; q=\"a\\054b\"; r=\"x y\""
    );
    let of_server = jar_like(CookieJarOptions::aiohttp());
    set(&of_server, SITE, &fields[..3]);
    assert_eq!(show_all(&aiohttp)[..3], show_all(&of_server));
    aiohttp.save(&path).expect("saved");
    assert_eq!(show_all(&loaded(&path)), show_all(&strict));
}

// EDGE-223: what a program set itself is sent from a file as before.
#[test]
fn cookies_without_added_quotes_keep_their_own() {
    let scratch = Scratch::new("quotes");
    let path = scratch.path("cookies.json");
    let mut options = CookieJarOptions::aiohttp();
    options.style.quote_cookie = false;
    let jar = CookieJar::with_options(options.clone());
    jar.add("ip-cookie", "\"second\"").expect("legal");
    jar.save(&path).expect("saved");
    // As aiohttp has it in its files.
    assert!(read(&path).contains(r#""coded_value": "\"\\\"second\\\"\"""#));
    let again = CookieJar::with_options(options);
    again.load(&path).expect("loaded");
    assert_eq!(header(&again, SITE), "ip-cookie=\"second\"");
}

// EDGE-234: there are no views here, but stores in many hands.
#[test]
fn who_holds_the_jar_has_what_is_loaded() {
    let scratch = Scratch::new("views");
    let path = scratch.path("cookies.json");
    jar_with(&["new=1"]).save(&path).expect("saved");
    let jar = Arc::new(jar_with(&["old=1"]));
    let held: Arc<dyn CookieStore> = Arc::clone(&jar) as _;
    jar.load(&path).expect("loaded");
    let url = url(SITE);
    let pairs = held.filter_cookies(&CookieRequest::new(&url, SystemTime::now()));
    let names: Vec<&[u8]> = pairs.iter().map(|pair| pair.name()).collect();
    assert_eq!(names, [b"new"]);
}

#[test]
fn a_file_that_cannot_be_read_leaves_the_jar_as_it_was() {
    let scratch = Scratch::new("damaged");
    let path = scratch.path("cookies");
    let whole = jar_with(&["one=\"more\""]);
    let jar = jar_with(&["a=1"]);
    check_io(jar.load(&path), &path, std::io::ErrorKind::NotFound);
    // Where lines are missing, or the end of one, cookies.txt is still whole.
    for format in [CookieFormat::Aiohttp, CookieFormat::Browser] {
        whole.save_as(&path, format).expect("saved");
        let text = fs::read(&path).expect("saved");
        for end in 1..text.len() {
            fs::write(&path, &text[..end]).expect("written");
            let error = jar
                .load(&path)
                .expect_err("half a file")
                .problem
                .to_string();
            assert!(!error.contains("more"), "{error}");
            let merged = jar.save_merged(&path, format).expect_err("half a file");
            assert_eq!(merged.problem.to_string(), error);
            assert_eq!(header(&jar, SITE), "a=1", "{end}");
        }
    }
    fs::write(&path, "a.test\tTRUE\t/\tTRUE\t0").expect("written");
    let error = jar.load(&path).expect_err("half a file");
    let cause = error.source().expect("what it is").to_string();
    assert_eq!(cause, "line 1: not seven columns with tabs between them");
    assert_eq!(header(&jar, SITE), "a=1");
}

#[test]
fn a_file_without_end_is_not_read() {
    let scratch = Scratch::new("large");
    let path = scratch.path("cookies.txt");
    let file = File::create(&path).expect("created");
    let limit = 256 * 1024 * 1024;
    file.set_len(limit + 1).expect("sparse");
    let error = jar_with(&["a=1"]).load(&path).expect_err("too large");
    assert!(
        matches!(error.problem, CookieFileProblem::TooLarge { limit: told } if told == limit),
        "{error}"
    );
}

#[test]
fn more_cookies_than_any_jar_has_are_not_read() {
    let count = 1 << 19;
    let of = |start: &str, one: &str, end: &str| [start, &one.repeat(count), end].concat();
    for text in [
        of("[", "0,", "0]"),
        of("{\"a|\": {", "\"\":0,", "\"\":0}}"),
        of(
            "",
            "a\tTRUE\t/\tTRUE\t0\ta\tb\n",
            "a\tTRUE\t/\tTRUE\t0\ta\tb\n",
        ),
    ] {
        let problem = read_cookies(text.as_bytes(), SystemTime::now()).expect_err("too many");
        assert_eq!(problem.to_string(), "more than 524288 cookies");
    }
    let fits = of("[", "0,", "0]").replacen("0,", "", 1);
    let problem = read_cookies(fits.as_bytes(), SystemTime::now()).expect_err("no cookies");
    assert_eq!(problem.to_string(), "line 1: not an object");
}

// What can be saved can be loaded.
#[test]
fn a_jar_full_of_the_largest_cookies_is_loaded_again() {
    let scratch = Scratch::new("full");
    let path = scratch.path("cookies.json");
    let jar = CookieJar::new();
    let field = format!("a={}", "x".repeat(4095));
    for site in 0..3300 {
        set(&jar, &format!("https://{site}.test/"), &[&field]);
    }
    assert_eq!(jar.len(), 3300);
    jar.save(&path).expect("saved");
    assert_eq!(loaded(&path).len(), 3300);
}
