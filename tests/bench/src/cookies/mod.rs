//! What a cookie jar costs beside that of `cookie_store` and of Python's aiohttp.

mod guarded;
mod jars;
mod python;

use std::{hint::black_box, time::Duration};

use url::Url;

use self::jars::{Jar, KINDS, Kind};
use crate::{
    Fallible, cpu,
    random::Random,
    rounds::{Ratio, median},
    table,
};

pub(crate) use self::guarded::{ask, check};

/// Cookies of one domain, each for a path of its own.
const OF_A_DOMAIN: usize = 10;

const ROUNDS: usize = 60;

/// How long a jar is at work in a round.
const SLICE: Duration = Duration::from_millis(4);

/// One workload, the same for every jar.
#[derive(Clone, Copy, Debug)]
struct Task {
    name: &'static str,
    about: &'static str,
    /// Those that the jar holds cookies of.
    domains: usize,
    call: Call,
}

/// What is timed.
#[derive(Clone, Copy, Debug)]
enum Call {
    /// The header of a request that one cookie of its domain is for.
    One,
    /// That of a request to a domain without cookies.
    Nothing,
    /// The storing of a response's cookies, which take the place of others.
    Store,
}

const TASKS: [Task; 5] = [
    Task {
        name: "store",
        about: "10 Set-Cookie fields, which replace 10 of 1,000 cookies",
        domains: 100,
        call: Call::Store,
    },
    Task {
        name: "find-10",
        about: "1 match among 10 cookies",
        domains: 1,
        call: Call::One,
    },
    Task {
        name: "find-1k",
        about: "1 match among 1,000 cookies of 100 domains",
        domains: 100,
        call: Call::One,
    },
    Task {
        name: "find-100k",
        about: "1 match among 100,000 cookies of 10,000 domains",
        domains: 10_000,
        call: Call::One,
    },
    Task {
        name: "none-100k",
        about: "no match among 100,000 cookies of 10,000 domains",
        domains: 10_000,
        call: Call::Nothing,
    },
];

impl Task {
    /// Makes as many calls of a jar that holds what it should.
    fn run(self, jar: &mut dyn Jar, calls: u64) {
        let host = match self.call {
            Call::Nothing => "nobody".to_owned(),
            Call::One | Call::Store => host(0),
        };
        let url = url(&host, "/p3/page");
        let fields = of_a_domain();
        for _ in 0..calls {
            match self.call {
                Call::One => assert_eq!(black_box(jar.header(&url)).as_deref(), Some(FOUND)),
                Call::Nothing => assert_eq!(black_box(jar.header(&url)), None),
                Call::Store => jar.store(&url, &fields),
            }
        }
    }
}

/// The one cookie that is found.
const FOUND: &str = "c3=0123456789abcdef";

/// What each domain sets.
fn of_a_domain() -> Vec<String> {
    let field = |n| format!("c{n}=0123456789abcdef; Path=/p{n}; Max-Age=864000; HttpOnly; Secure");
    (0..OF_A_DOMAIN).map(field).collect()
}

fn host(domain: usize) -> String {
    format!("www.h{domain}")
}

fn url(host: &str, path: &str) -> Url {
    Url::parse(&format!("https://{host}.test{path}")).expect("a URL")
}

/// Makes a jar that holds the cookies of so many domains.
fn filled(kind: &Kind, domains: usize) -> Box<dyn Jar> {
    let (mut jar, fields) = ((kind.new)(), of_a_domain());
    for domain in 0..domains {
        jar.store(&url(&host(domain), "/"), &fields);
    }
    jar
}

/// Prints a table of all jars.
pub(crate) fn measure() -> Fallible<()> {
    println!(
        "\nCPU per call of a cookie jar, median of per-round ratios [95 % interval]; aiohttp runs \
         in a process\nof its own, and has no interval\n{:<15}{:<21}{:<12}CPU µs",
        "", "to cookie_store", "to aiohttp"
    );
    let python = python::measure()?;
    if python.is_empty() {
        println!("aiohttp: skipped, python3 does not have it");
    }
    let mut random = Random::seeded(0x0a10);
    for task in TASKS {
        println!("{}: {}", task.name, task.about);
        let micros_of_python = python.get(task.name).copied();
        let measured = run(task, &mut random);
        let base = measured.iter().find(|(name, _)| *name == "cookie_store");
        for (name, costs) in &measured {
            let to_base = base.map(|(_, base)| table::ratio(Ratio::of(costs, base, &mut random)));
            let micros = median(costs);
            let to_python = micros_of_python.map(|python| format!("{:.4}", micros / python));
            println!(
                "{name:<15}{:<21}{:<12}{micros:>9.3}",
                to_base.unwrap_or_default(),
                to_python.unwrap_or_default()
            );
        }
        if let Some(micros) = micros_of_python {
            println!("{:<48}{micros:>9.3}", "aiohttp");
        }
    }
    Ok(())
}

/// Returns the CPU microseconds per call of each jar, by round.
fn run(task: Task, random: &mut Random) -> Vec<(&'static str, Vec<f64>)> {
    let mut jars: Vec<_> = KINDS
        .iter()
        .map(|kind| filled(kind, task.domains))
        .collect();
    let calls: Vec<u64> = jars.iter_mut().map(|jar| calls(task, &mut **jar)).collect();
    let mut measured: Vec<_> = KINDS
        .iter()
        .map(|kind| (kind.name, Vec::with_capacity(ROUNDS)))
        .collect();
    let mut order: Vec<usize> = (0..jars.len()).collect();
    for _ in 0..ROUNDS {
        random.shuffle(&mut order);
        for &index in &order {
            let spent = spent(task, &mut *jars[index], calls[index]);
            let micros = spent.as_secs_f64() * 1e6 / calls[index] as f64;
            measured[index].1.push(micros);
        }
    }
    measured
}

/// Finds how many calls take up a slice; they warm the jar, too.
fn calls(task: Task, jar: &mut dyn Jar) -> u64 {
    let mut calls = 1;
    while spent(task, jar, calls) < SLICE {
        calls *= 2;
    }
    calls
}

fn spent(task: Task, jar: &mut dyn Jar, calls: u64) -> Duration {
    let begin = cpu::process_time();
    task.run(jar, calls);
    cpu::process_time() - begin
}
