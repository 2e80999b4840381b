//! Jars that are saved in one file have what all of them did.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::SystemTime;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};
use proptest::sample::select;

use aio_cookies::{CookieFormat, CookieJar, CookieJarOptions, CookieLimits, Profile};

use super::{FORMATS, SITE, Scratch, header, jar_like, jar_with, loaded, read, set, show_all};

/// Two jars load the same file; each does something; the first one saves, then the second.
#[track_caller]
fn check_merge(name: &str, (before, first, second): (&[&str], &[&str], &[&str]), want: &[&str]) {
    for profile in [Profile::Rfc6265bis, Profile::Aiohttp] {
        for format in FORMATS {
            let scratch = Scratch::new(&format!("merge-{name}"));
            let path = scratch.path("cookies");
            jar_with(before).save_as(&path, format).expect("saved");
            let [one, two] = [first, second].map(|fields| {
                let mut options = CookieJarOptions::default();
                options.style.profile = profile;
                let jar = CookieJar::with_options(options);
                jar.load(&path).expect("loaded");
                set(&jar, SITE, fields);
                jar
            });
            one.save_merged(&path, format).expect("saved");
            two.save_merged(&path, format).expect("saved");
            let sorted = |jar: &CookieJar| {
                let header = header(jar, SITE);
                let mut pairs: Vec<String> = header.split("; ").map(str::to_owned).collect();
                pairs.sort();
                pairs.join("; ")
            };
            assert_eq!(sorted(&two), want.join("; "), "{profile:?} {format:?}");
            assert_eq!(
                sorted(&loaded(&path)),
                want.join("; "),
                "{profile:?} {format:?}"
            );
            // The first one has what the second did when it saves again, which changes nothing.
            let saved = read(&path);
            one.save_merged(&path, format).expect("saved");
            assert_eq!(sorted(&one), want.join("; "), "{profile:?} {format:?}");
            assert_eq!(sorted(&loaded(&path)), want.join("; "));
            assert_eq!(read(&path).len(), saved.len());
        }
    }
}

#[test]
fn jars_that_save_in_turn_have_what_both_did() {
    let gone = "a=; Max-Age=0";
    check_merge(
        "new",
        (&["a=1"], &["b=1"], &["c=1"]),
        &["a=1", "b=1", "c=1"],
    );
    check_merge(
        "changed",
        (&["a=1", "b=1"], &["a=2"], &["c=1"]),
        &["a=2", "b=1", "c=1"],
    );
    check_merge("last", (&["a=1"], &["a=2"], &["a=3"]), &["a=3"]);
    check_merge(
        "removed-first",
        (&["a=1", "b=1"], &[gone], &["c=1"]),
        &["b=1", "c=1"],
    );
    check_merge(
        "removed-second",
        (&["a=1", "b=1"], &["c=1"], &[gone]),
        &["b=1", "c=1"],
    );
    check_merge(
        "removed-and-set",
        (&["a=1", "b=1"], &[gone], &["a=2"]),
        &["a=2", "b=1"],
    );
    check_merge(
        "set-and-removed",
        (&["a=1", "b=1"], &["a=2"], &[gone]),
        &["b=1"],
    );
    check_merge("nothing", (&["a=1"], &[], &[]), &["a=1"]);
}

#[test]
fn merging_takes_nothing_away_that_the_format_does_not_hold() {
    let scratch = Scratch::new("merge-held");
    let path = scratch.path("cookies.txt");
    let jar = jar_with(&["a=1; SameSite=Lax; Path=/", "tab=x\ty"]);
    jar.add("shared", "1").expect("legal");
    let before = show_all(&jar);
    jar.save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    let other = loaded(&path);
    set(&other, SITE, &["b=1"]);
    other
        .save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    jar.save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    let mut want = before;
    // The file does not say how old it is; such a one is older than all others.
    want.insert(1, "b=1 a.test/ host-only".into());
    assert_eq!(show_all(&jar), want);
}

#[test]
fn a_jar_that_never_saw_the_file_adds_to_it() {
    let scratch = Scratch::new("merge-fresh");
    let path = scratch.path("cookies.json");
    jar_with(&["a=1", "b=1"]).save(&path).expect("saved");
    let fresh = jar_with(&["b=2", "c=2"]);
    let empty = scratch.path("empty");
    fs::write(&empty, "").expect("written");
    fresh
        .save_merged(&empty, CookieFormat::Aiohttp)
        .expect("saved");
    assert_eq!(loaded(&empty).len(), 2);
    let fresh = jar_with(&["b=2", "c=2"]);
    fresh
        .save_merged(&path, CookieFormat::Aiohttp)
        .expect("saved");
    for jar in [&fresh, &loaded(&path)] {
        let mut shown = show_all(jar);
        shown.sort();
        let host = "a.test/ host-only";
        assert_eq!(
            shown,
            ["a=1", "b=2", "c=2"].map(|pair| format!("{pair} {host}"))
        );
    }
}

// What the other file never had is not lost in it.
#[test]
fn a_jar_of_one_file_can_be_saved_in_another() {
    let scratch = Scratch::new("merge-other");
    let (one, two) = (scratch.path("one.json"), scratch.path("two.txt"));
    jar_with(&["a=1", "b=1"]).save(&one).expect("saved");
    let other = jar_with(&["b=2", "c=2"]);
    other.save_as(&two, CookieFormat::Netscape).expect("saved");
    let jar = loaded(&one);
    jar.save_merged(&two, CookieFormat::Netscape)
        .expect("saved");
    let mut names: Vec<String> = show_all(&loaded(&two));
    names.sort();
    let host = "a.test/ host-only";
    assert_eq!(
        names,
        ["a=1", "b=1", "c=2"].map(|pair| format!("{pair} {host}"))
    );
}

// Nobody's cookie is lost, however the savings fall.
#[test]
fn many_that_save_at_once_lose_nothing() {
    let scratch = Scratch::new("merge-many");
    let path = scratch.path("cookies.json");
    thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let jar = CookieJar::new();
                for turn in 0..5 {
                    set(&jar, SITE, &[&format!("{writer}-{turn}=1")]);
                    jar.save_merged(path, CookieFormat::Aiohttp).expect("saved");
                }
            });
        }
    });
    assert_eq!(loaded(&path).len(), 20);
}

#[test]
fn what_a_format_cannot_hold_is_no_change() {
    // An extension exports fractions of a second, which cookies.txt does not have.
    let exported = r#"[{"domain": "a.test", "hostOnly": true, "path": "/", "name": "a",
        "value": "1", "sameSite": "lax", "expirationDate": 4116219494.5}]"#;
    let scratch = Scratch::new("other-format");
    let path = scratch.path("cookies");
    fs::write(&path, exported).expect("written");
    let jar = loaded(&path);
    // Somebody logs out meanwhile.
    fs::write(&path, "a.test\tFALSE\t/\tFALSE\t0\tb\t2\n").expect("written");
    jar.save_merged(&path, CookieFormat::Netscape)
        .expect("saved");
    let names: Vec<_> = jar
        .cookies(SystemTime::now())
        .iter()
        .map(|c| c.name().into_owned())
        .collect();
    assert_eq!(names, ["b"]);
}

// In which format a file is says nothing about the cookies that this does not hold.
#[test]
fn a_file_of_another_format_takes_nothing_from_the_jar() {
    let fields = ["a=1; SameSite=Lax; Path=/", "tab=x\ty"];
    for saved in FORMATS {
        for found in FORMATS {
            for merged in FORMATS {
                let scratch = Scratch::new("merge-formats");
                let path = scratch.path("cookies");
                let jar = jar_with(&fields);
                jar.add("shared", "1").expect("legal");
                let mut want = show_all(&jar);
                jar.save_as(&path, saved).expect("saved");
                let other = loaded(&path);
                set(&other, SITE, &["b=1"]);
                other.save_merged(&path, found).expect("saved");
                jar.save_merged(&path, merged).expect("saved");
                want.push("b=1 a.test/ host-only".into());
                want.sort();
                let mut all = show_all(&jar);
                all.sort();
                assert_eq!(all, want, "{saved:?} {found:?} {merged:?}");
                // What others do is seen all the same.
                set(
                    &other,
                    SITE,
                    &["a=2; SameSite=Lax; Path=/", "b=; Max-Age=0"],
                );
                other.save_merged(&path, found).expect("saved");
                jar.save_merged(&path, merged).expect("saved");
                let sent = header(&jar, SITE);
                let mut pairs: Vec<_> = sent.split("; ").collect();
                pairs.retain(|pair| !pair.starts_with("tab"));
                pairs.sort_unstable();
                assert_eq!(pairs, ["a=2", "shared=1"]);
            }
        }
    }
}

// Its jar may be in more files than one, each with a time of its own.
#[test]
fn what_was_removed_stays_so_whatever_was_saved_between() {
    let scratch = Scratch::new("merge-between");
    let (path, other) = (scratch.path("cookies"), scratch.path("other"));
    jar_with(&["a=1", "b=1"]).save(&path).expect("saved");
    let jar = loaded(&path);
    set(&jar, SITE, &["a=; Max-Age=0"]);
    jar.save_as(&other, CookieFormat::Netscape).expect("saved");
    jar.save_merged(&path, CookieFormat::Aiohttp)
        .expect("saved");
    assert_eq!(header(&jar, SITE), "b=1");
    assert_eq!(header(&loaded(&path), SITE), "b=1");
}

#[test]
fn what_the_jar_does_not_take_stays_in_the_file() {
    for format in FORMATS {
        let scratch = Scratch::new("merge-others");
        let path = scratch.path("cookies");
        let theirs = jar_like(CookieJarOptions::default());
        set(&theirs, "http://127.0.0.1/", &["ip=1"]);
        set(&theirs, SITE, &["a=1", "b=1", "c=1; HttpOnly"]);
        theirs.save_as(&path, format).expect("saved");
        let jar = CookieJar::with_options(CookieJarOptions {
            limits: CookieLimits {
                of_a_site: 2,
                ..CookieLimits::default()
            },
            ..CookieJarOptions::default()
        });
        set(&jar, SITE, &["d=1"]);
        // It saves again what it has not changed.
        for _ in 0..2 {
            jar.save_merged(&path, format).expect("saved");
            // How old a cookie of a file is is not known; it counts as older.
            assert_eq!(header(&jar, SITE), "a=1; d=1", "{format:?}");
            let again = jar_like(CookieJarOptions::default());
            again.load(&path).expect("loaded");
            let mut shown = show_all(&again);
            shown.sort();
            let host = "a.test/ host-only";
            let mut want = ["a=1", "b=1", "d=1"]
                .map(|pair| format!("{pair} {host}"))
                .to_vec();
            want.insert(2, "c=1 a.test/ host-only http-only".into());
            want.push("ip=1 127.0.0.1/ host-only".into());
            assert_eq!(shown, want, "{format:?}");
        }
        // Its own are removed there, too.
        set(&jar, SITE, &["a=; Max-Age=0", "d=; Max-Age=0"]);
        jar.save_merged(&path, format).expect("saved");
        assert_eq!(header(&jar, SITE), "b=1; c=1", "{format:?}");
        theirs.save_merged(&path, format).expect("saved");
        assert_eq!(header(&theirs, SITE), "b=1; c=1", "{format:?}");
        assert_eq!(header(&theirs, "http://127.0.0.1/"), "ip=1", "{format:?}");
    }
}

// It does not count as removed, either.
#[test]
fn what_a_jar_did_not_load_stays_in_the_file() {
    let scratch = Scratch::new("merge-not-loaded");
    let path = scratch.path("cookies");
    let jar = CookieJar::with_options(CookieJarOptions {
        limits: CookieLimits {
            of_a_site: 2,
            ..CookieLimits::default()
        },
        ..CookieJarOptions::default()
    });
    jar_with(&["a=1", "b=1", "c=1"]).save(&path).expect("saved");
    jar.load(&path).expect("loaded");
    let held = header(&jar, SITE);
    for _ in 0..2 {
        jar.save_merged(&path, CookieFormat::Aiohttp)
            .expect("saved");
        assert_eq!(header(&jar, SITE), held);
        assert_eq!(loaded(&path).len(), 3);
    }
}

#[test]
fn what_a_jar_removed_to_keep_its_limits_goes_from_the_file() {
    let scratch = Scratch::new("merge-evicted");
    let path = scratch.path("cookies");
    let jar = CookieJar::with_options(CookieJarOptions {
        limits: CookieLimits {
            of_a_site: 2,
            ..CookieLimits::default()
        },
        ..CookieJarOptions::default()
    });
    set(&jar, SITE, &["a=1", "b=1"]);
    jar.save_merged(&path, CookieFormat::Aiohttp)
        .expect("saved");
    set(&jar, SITE, &["c=1"]);
    let want = header(&jar, SITE);
    jar.save_merged(&path, CookieFormat::Aiohttp)
        .expect("saved");
    assert_eq!(header(&loaded(&path), SITE), want);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Set(u8, u8),
    Remove(u8),
    Save,
    Merge,
    Load,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        3 => (0..3_u8, 0..3_u8).prop_map(|(name, value)| Step::Set(name, value)),
        2 => (0..3_u8).prop_map(Step::Remove),
        1 => Just(Step::Save),
        4 => Just(Step::Merge),
        1 => Just(Step::Load),
    ];
    vec((0..3_usize, step), 1..40)
}

/// What a jar holds by the rules, and what it last had in common with the file.
#[derive(Default)]
struct Model {
    ours: BTreeMap<u8, u8>,
    base: BTreeMap<u8, u8>,
}

impl Model {
    fn bring_in(&mut self, theirs: &BTreeMap<u8, u8>) {
        for name in 0..3 {
            let (base, theirs) = (self.base.get(&name), theirs.get(&name));
            if self.ours.get(&name) == base && theirs != base {
                self.ours.remove(&name);
                self.ours.extend(theirs.map(|&value| (name, value)));
            }
        }
    }
}

fn held(jar: &CookieJar) -> BTreeMap<u8, u8> {
    let cookies = jar.cookies(SystemTime::now());
    let number = |text: &str| text.parse().expect("a number");
    let pairs = cookies
        .iter()
        .map(|one| (number(&one.name()), number(&one.value())));
    pairs.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    // Three jars do things to one file, in any order.
    #[test]
    fn a_file_has_what_all_of_its_jars_did(steps in steps(), format in select(FORMATS.to_vec())) {
        let scratch = Scratch::new("merge-model");
        let path = scratch.path("cookies");
        let jars: [CookieJar; 3] = std::array::from_fn(|_| CookieJar::new());
        let mut models: [Model; 3] = std::array::from_fn(|_| Model::default());
        let mut file = None;
        for (at, step) in steps {
            let (jar, model) = (&jars[at], &mut models[at]);
            match step {
                Step::Set(name, value) => {
                    set(jar, SITE, &[&format!("{name}={value}")]);
                    model.ours.insert(name, value);
                }
                Step::Remove(name) => {
                    set(jar, SITE, &[&format!("{name}=; Max-Age=0")]);
                    model.ours.remove(&name);
                }
                Step::Load => if let Some(file) = &file {
                    jar.load(&path).expect("loaded");
                    model.ours.clone_from(file);
                    model.base.clone_from(file);
                },
                Step::Save | Step::Merge => {
                    if matches!(step, Step::Save) {
                        jar.save_as(&path, format).expect("saved");
                    } else {
                        jar.save_merged(&path, format).expect("saved");
                        if let Some(theirs) = &file {
                            model.bring_in(theirs);
                        }
                    }
                    model.base.clone_from(&model.ours);
                    file = Some(model.ours.clone());
                }
            }
            assert_eq!(held(jar), model.ours);
            if let Some(file) = &file {
                assert_eq!(held(&loaded(&path)), *file);
            }
        }
    }
}
