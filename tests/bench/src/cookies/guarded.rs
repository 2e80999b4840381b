//! What the guard asks of a jar: that the cookies of other domains cost nothing.

use super::{Call, Jar, Kind, TASKS, Task, filled, jars};
use crate::{Fallible, callgrind::Callgrind};

/// How much more a call may cost among a hundred times as many cookies.
const ALLOWED: f64 = 1.2;

/// Prints a line per set of rules, and tells whether finding a cookie among 100,000 costs
/// no more than it may beside finding it among 1,000.
pub(crate) fn check(callgrind: &Callgrind) -> Fallible<bool> {
    println!("Instructions to find a cookie among 1,000 of 100 domains and 100,000 of 10,000");
    let mut is_flat = true;
    for kind in jars::of_ours() {
        let few = count(callgrind, kind, 100)?;
        let many = count(callgrind, kind, 10_000)?;
        let ratio = many as f64 / few as f64;
        println!("{:<15} {few:>5} {many:>6} {ratio:>7.3}", kind.name);
        is_flat &= ratio <= ALLOWED;
    }
    Ok(is_flat)
}

fn count(callgrind: &Callgrind, kind: &Kind, domains: usize) -> Fallible<u64> {
    let words = [
        "cookies".to_owned(),
        kind.name.to_owned(),
        domains.to_string(),
    ];
    // Not the whole run less a shorter one: to fill the jar costs so much that what differs
    // between runs, by the seeds of hashes, is more than what is asked.
    Ok(callgrind.inside("*cookies*guarded*find*", &words)? / CALLS)
}

const CALLS: u64 = 1000;

/// Fills a jar and asks it for one cookie again and again.
pub(crate) fn ask(kind: &str, domains: usize) -> Fallible<()> {
    let one = TASKS.iter().find(|task| matches!(task.call, Call::One));
    let one = *one.ok_or("no task finds one")?;
    find(one, &mut *filled(Kind::named(kind)?, domains));
    Ok(())
}

/// A function of its own for callgrind to see.
#[inline(never)]
fn find(task: Task, jar: &mut dyn Jar) {
    task.run(jar, CALLS);
}
