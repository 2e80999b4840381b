//! Jars in files: what is in them, how they get there, and who else reads them.

mod browsers;
mod cookies_txt;
mod elsewhere;
mod formats;
mod merging;
#[cfg(unix)]
mod places;
#[cfg(unix)]
mod processes;
mod saving;
#[cfg(target_os = "linux")]
mod traced;
#[cfg(unix)]
mod turns;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{env, fs, io, process};

use aio_cookies::{
    Cookie, CookieFileError, CookieFileProblem, CookieFormat, CookieJar, CookieJarOptions,
    CookieRequest,
};
use url::Url;

/// A directory of a test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("aio-cookies-{}-{name}", process::id()));
        fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn url(url: &str) -> Url {
    Url::parse(url).expect("a URL")
}

/// The time of all cookies that no other program has a say in.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A jar that takes cookies of any host.
fn jar_like(options: CookieJarOptions) -> CookieJar {
    CookieJar::with_options(CookieJarOptions {
        allow_ip_hosts: true,
        ..options
    })
}

fn set(jar: &CookieJar, from: &str, fields: &[&str]) {
    let from = url(from);
    jar.update_cookies(&CookieRequest::new(&from, SystemTime::now()), fields);
}

fn header(jar: &CookieJar, to: &str) -> String {
    let to = url(to);
    let header = jar.cookie_header(&CookieRequest::new(&to, SystemTime::now()));
    header.unwrap_or_default()
}

/// All of a cookie but its times, in a line.
fn show(cookie: &Cookie) -> String {
    let domain = cookie.domain().map_or("", |domain| domain.as_str());
    let mut line = format!(
        "{}={} {domain}{}",
        cookie.name(),
        cookie.value(),
        cookie.path()
    );
    let coded = String::from_utf8_lossy(cookie.coded_value());
    if coded != cookie.value() {
        line += &format!(" coded {coded}");
    }
    let flags = [
        ("host-only", cookie.is_host_only()),
        ("secure", cookie.is_secure()),
        ("http-only", cookie.is_http_only()),
        ("partitioned", cookie.is_partitioned()),
    ];
    for (name, _) in flags.into_iter().filter(|(_, is_set)| *is_set) {
        line += &format!(" {name}");
    }
    if let Some(same_site) = cookie.same_site_attribute() {
        line += &format!(" {same_site}");
    }
    if let Some(end) = cookie.expires() {
        let end = end.duration_since(SystemTime::UNIX_EPOCH);
        line += &format!(" until {}", end.expect("after 1970").as_secs_f64());
    }
    line
}

fn show_all(jar: &CookieJar) -> Vec<String> {
    jar.cookies(SystemTime::now()).iter().map(show).collect()
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).expect("a file");
    String::from_utf8(bytes).expect("UTF-8")
}

const SITE: &str = "https://a.test/";

const FORMATS: [CookieFormat; 3] = [
    CookieFormat::Aiohttp,
    CookieFormat::Netscape,
    CookieFormat::Browser,
];

fn jar_with(fields: &[&str]) -> CookieJar {
    let jar = CookieJar::new();
    set(&jar, SITE, fields);
    jar
}

fn loaded(path: &Path) -> CookieJar {
    let jar = CookieJar::new();
    jar.load(path).expect("a file of cookies");
    jar
}

/// What files there are in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    // Elsewhere the lock stays.
    names.retain(|name| cfg!(unix) || !name.ends_with(".lock"));
    names.sort();
    names
}

#[track_caller]
fn check_io(result: Result<(), CookieFileError>, path: &Path, want: io::ErrorKind) {
    let error = result.expect_err("no such file can be");
    assert_eq!(error.path, path);
    let text = format!("cannot load or save cookies in {}", path.display());
    assert_eq!(error.to_string(), text);
    let cause = error.source().expect("what it is").to_string();
    match error.problem {
        CookieFileProblem::Io(error) => {
            assert_eq!(error.kind(), want, "{error}");
            assert_eq!(cause, error.to_string());
        }
        other => panic!("{other}"),
    }
}
