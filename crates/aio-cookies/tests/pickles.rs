//! Jars that aiohttp pickled are loaded; pickles that are none leave the jar alone.

#![cfg(feature = "pickle")]

use std::path::PathBuf;
use std::time::SystemTime;
use std::{env, fs, process};

use aio_cookies::{CookieJar, CookieJarOptions, CookieRequest};
use url::Url;

/// A file of its own, which goes with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &[u8]) -> Self {
        let name = format!("aio-cookies-{}-{name}", process::id());
        let path = env::temp_dir().join(name);
        fs::write(&path, content).expect("a temporary file");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

// EDGE-231.
#[test]
fn a_malicious_pickle_is_refused_and_the_jar_unchanged() {
    for (number, (pickle, name)) in [
        (&b"cos\nsystem\n(Vid\ntR."[..], "forbidden global os.system"),
        (
            b"cbuiltins\neval\n(V1\ntR.",
            "forbidden global builtins.eval",
        ),
        (
            b"\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93.",
            "forbidden global subprocess.Popen",
        ),
        (b"(Vid\nios\nsystem\n.", "forbidden opcode INST"),
        (b"\x80\x02\x84\x01\0\0\0.", "forbidden opcode EXT4"),
        (b"\x80\x04}", "the pickle is cut off"),
    ]
    .into_iter()
    .enumerate()
    {
        let jar = CookieJar::new();
        jar.add("kept", "1").expect("legal");
        let now = SystemTime::now();
        let before = jar.cookies(now);
        let file = File::new(&format!("malicious-{number}"), pickle);
        let error = jar.load(&file.0).expect_err(name);
        assert!(error.problem.to_string().contains(name), "{error:?}");
        assert_eq!(error.path, file.0);
        assert_eq!(jar.cookies(now), before, "{name}");
    }
}

#[test]
fn a_jar_of_an_old_aiohttp_is_loaded() {
    let pickle = include_bytes!("data/pickles/aiohttp-3.8.pickle");
    let file = File::new("jar", pickle);
    for (options, count) in [
        (CookieJarOptions::default(), 14),
        (CookieJarOptions::aiohttp(), 14),
        (
            CookieJarOptions {
                allow_ip_hosts: true,
                ..CookieJarOptions::default()
            },
            15,
        ),
    ] {
        let jar = CookieJar::with_options(options);
        jar.load(&file.0).expect("a jar");
        assert_eq!(jar.len(), count);
        let url = Url::parse("https://www.example.com/a/b").expect("a URL");
        let header = jar.cookie_header(&CookieRequest::new(&url, SystemTime::now()));
        let header = header.expect("there are cookies");
        for pair in [
            "host=only",
            "wide=all",
            "flags=all",
            "quoted=\"a b; c\\054d\\\"e\"",
        ] {
            assert!(header.contains(pair), "{pair}: {header}");
        }
        assert!(!header.contains("dotted"), "{header}");
    }
}
