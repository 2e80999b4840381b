//! Measures what a request costs beside raw sockets and, with the feature `rivals`, beside
//! the clients of others.
//!
//! `cargo xtask bench [NAME …]` runs the named rows, all of them without a name;
//! `--same-core` puts the server on the client's core, as a control. Compare only within one
//! run. `cargo xtask guard` counts instructions and compares them with guard.txt.

mod allocations;
mod answers;
mod batch;
mod callgrind;
mod cookies;
mod cpu;
mod crew;
mod files;
mod guard;
mod paired;
mod peers;
mod random;
mod rounds;
mod rows;
mod server;
mod server_process;
mod site;
mod table;
mod tls;
mod websocket;

use std::{alloc::System, env, error::Error};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::{
    cpu::{CLIENT_CORE, SERVER_CORE},
    rows::Row,
    server_process::ServerProcess,
};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

// Two uncontended atomic adds per allocation, under 1 % of a request, the same for all peers:
// cheaper than a second binary to keep in step.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Fallible<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        // The bench starts itself with these three; nobody types them.
        ["server", core] => server::serve(core.parse().ok()),
        ["batch", peer, row, count, site] => batch::send(
            peers::Peer::named(peer, Row::named(row)?)?,
            Row::named(row)?,
            count.parse()?,
            &site.parse()?,
        ),
        ["cookies", jar, domains] => cookies::ask(jar, domains.parse()?),
        ["guard"] => guard::check(),
        ["guard", "--keep"] => guard::keep(),
        ["--same-core", ref names @ ..] => measure(names, CLIENT_CORE),
        ref names => measure(names, SERVER_CORE),
    }
}

fn measure(names: &[&str], server_core: usize) -> Fallible<()> {
    let chapters = if names.is_empty() {
        Chapter::all()
    } else {
        names
            .iter()
            .map(|name| Chapter::named(name))
            .collect::<Fallible<_>>()?
    };
    files::allow_many()?;
    let server = ServerProcess::start(Some(server_core))?;
    let site = &server.site;
    cpu::pin_to(CLIENT_CORE)?;
    let rows: Vec<Row> = chapters.iter().filter_map(Chapter::row).collect();
    let mut above = None;
    for row in rows {
        let head = table::paired_head(row);
        if above.as_ref() != Some(&head) {
            println!("{head}");
        }
        above = Some(head);
        print!("{}", paired::measure(row, site)?);
    }
    if chapters.contains(&Chapter::Instructions) {
        callgrind::measure(site)?;
    }
    if chapters.contains(&Chapter::Allocations) {
        allocations::measure(site)?;
    }
    if chapters.contains(&Chapter::Cookies) {
        cookies::measure()?;
    }
    Ok(())
}

/// What one name on the command line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chapter {
    Paired(Row),
    Instructions,
    Allocations,
    Cookies,
}

impl Chapter {
    fn all() -> Vec<Self> {
        let mut chapters: Vec<Self> = Row::ALL.into_iter().map(Self::Paired).collect();
        chapters.extend([Self::Instructions, Self::Allocations, Self::Cookies]);
        chapters
    }

    fn named(name: &str) -> Fallible<Self> {
        match name {
            "instructions" => Ok(Self::Instructions),
            "allocations" => Ok(Self::Allocations),
            "cookies" => Ok(Self::Cookies),
            _ => Row::named(name).map(Self::Paired),
        }
    }

    fn row(&self) -> Option<Row> {
        match *self {
            Self::Paired(row) => Some(row),
            Self::Instructions | Self::Allocations | Self::Cookies => None,
        }
    }
}
