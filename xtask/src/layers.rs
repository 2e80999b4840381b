//! `cargo xtask layers`: the workspace keeps to the layers drawn in README.md,
//! and to those of its invariants that can be read off the files.

mod sources;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::step::Failure;
use crate::workspace::{Dependency, Kind, Member, Workspace};

/// Reads the manifests and sources; fails with a line for each thing found.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let found = look(workspace)
        .map_err(|error| Failure::Message(format!("cannot read the workspace: {error}")))?;
    if !found.is_empty() {
        return Err(Failure::Message(found.join("\n")));
    }
    println!("layers: {} packages keep to them", workspace.members.len());
    Ok(())
}

/// What each of our packages may use of ours.
const TABLE: [(&str, &[&str]); 7] = [
    ("aio-core", &[]),
    ("aio-cookies", &[]),
    ("aio-ws", &[]),
    ("aio-connector", &["aio-core"]),
    (
        "aio-client",
        &["aio-connector", "aio-cookies", "aio-core", "aio-ws"],
    ),
    (
        "aio-tests",
        &[
            "aio-client",
            "aio-connector",
            "aio-cookies",
            "aio-core",
            "aio-ws",
        ],
    ),
    ("xtask", &[]),
];

/// The directories one sees at the root, `target` apart.
const TOP_LEVEL: [&str; 3] = ["crates", "tests", "xtask"];

/// Where the sockets are.
const CONNECTOR: &str = "aio-connector";
/// The test harness, which no crate of ours needs to be published.
const HARNESS: &str = "aio-tests";

fn look(workspace: &Workspace) -> io::Result<Vec<String>> {
    let root = &workspace.root;
    let mut found = Vec::new();
    for member in &workspace.members {
        found.extend(foreign_to_its_layer(member));
        let manifest = fs::read_to_string(&member.manifest_path)?;
        if !takes_root_lints(&manifest) {
            found.push(format!("{}: no `[lints] workspace = true`", member.name));
        }
    }
    if !forbids_unsafe(&fs::read_to_string(root.join("Cargo.toml"))?) {
        found.push("Cargo.toml: `unsafe_code` is not forbidden (invariant 7)".to_owned());
    }
    for name in directories(root)? {
        if !may_stand_at_the_root(&name) {
            found.push(format!("{name}/: not one of the top-level directories"));
        }
    }
    for file in rust_files(&root.join("crates"))? {
        let text = fs::read_to_string(&file)?;
        let path = file.strip_prefix(root).unwrap_or(&file);
        found.extend(sources::broken_rules(&path.to_string_lossy(), &text));
    }
    Ok(found)
}

/// The dependencies of `member` that its layer does not allow.
fn foreign_to_its_layer(member: &Member) -> Vec<String> {
    let name = member.name.as_str();
    let Some((_, ours)) = TABLE.iter().find(|(layer, _)| *layer == name) else {
        return vec![format!(
            "{name}: no line in the layer table of xtask/src/layers.rs"
        )];
    };
    let mut found = Vec::new();
    for dependency in &member.dependencies {
        if let Some(reason) = refusal(name, ours, dependency) {
            found.push(format!("{name} -> {}: {reason}", dependency.name));
        }
    }
    found
}

/// Why the crate `name`, allowed these of `ours`, may not have this dependency.
fn refusal(name: &str, ours: &[&str], dependency: &Dependency) -> Option<&'static str> {
    let target = dependency.name.as_str();
    let is_ours = TABLE.iter().any(|(layer, _)| *layer == target);
    let for_tests = dependency.kind == Some(Kind::Dev);
    if target == HARNESS && name == "aio-client" && for_tests {
        // With a version, cargo would look for it when aio-client is published.
        return (dependency.req != "*").then_some("the harness is a path without a version");
    }
    if is_ours {
        return (!ours.contains(&target)).then_some("not in its line of the layer table");
    }
    // Tests may compare with whom they like.
    if for_tests || matches!(name, HARNESS | "xtask" | CONNECTOR) {
        return None;
    }
    if makes_connections(dependency) {
        return Some("only aio-connector opens sockets (invariant 2)");
    }
    if target == "tokio" && matches!(name, "aio-core" | "aio-cookies") {
        return Some("it does no I/O and spawns nothing (invariant 1)");
    }
    None
}

fn makes_connections(dependency: &Dependency) -> bool {
    let name = dependency.name.as_str();
    let named_for_it = ["rustls", "hyper", "hickory-"]
        .iter()
        .any(|family| name.starts_with(family));
    let asks_tokio = name == "tokio"
        && dependency
            .features
            .iter()
            .any(|feature| matches!(feature.as_str(), "net" | "full"));
    named_for_it || matches!(name, "tokio-rustls" | "h2" | "socket2" | "mio") || asks_tokio
}

fn takes_root_lints(manifest: &str) -> bool {
    manifest
        .split_once("\n[lints]\n")
        .is_some_and(|(_, rest)| rest.starts_with("workspace = true"))
}

fn forbids_unsafe(root_manifest: &str) -> bool {
    root_manifest
        .lines()
        .any(|line| line == r#"unsafe_code = "forbid""#)
}

fn may_stand_at_the_root(directory: &str) -> bool {
    directory.starts_with('.') || directory == "target" || TOP_LEVEL.contains(&directory)
}

fn directories(root: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The sources of the crates below `crates`, in order.
fn rust_files(crates: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in directories(crates)? {
        collect_rust_files(&crates.join(name).join("src"), &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn collect_rust_files(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect_rust_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(name: &str) -> Dependency {
        Dependency {
            name: name.to_owned(),
            req: "^0.1".to_owned(),
            kind: None,
            features: Vec::new(),
        }
    }

    fn used_in_tests(name: &str, req: &str) -> Dependency {
        Dependency {
            req: req.to_owned(),
            kind: Some(Kind::Dev),
            ..used(name)
        }
    }

    fn tokio(feature: &str) -> Dependency {
        Dependency {
            features: vec![feature.to_owned()],
            ..used("tokio")
        }
    }

    #[track_caller]
    fn check(name: &str, dependency: &Dependency, allowed: bool) {
        let (_, ours) = TABLE
            .iter()
            .find(|(layer, _)| *layer == name)
            .expect("a name of the table");
        let refusal = refusal(name, ours, dependency);
        assert_eq!(refusal.is_none(), allowed, "{dependency:?}: {refusal:?}");
    }

    #[test]
    fn each_layer_uses_only_those_below() {
        check("aio-client", &used("aio-connector"), true);
        check("aio-client", &used("aio-cookies"), true);
        check("aio-client", &used("aio-core"), true);
        check("aio-client", &used("aio-ws"), true);
        check("aio-connector", &used("aio-core"), true);
        check("aio-connector", &used("aio-client"), false);
        check("aio-connector", &used("aio-ws"), false);
        check("aio-core", &used("aio-ws"), false);
        check("aio-cookies", &used("aio-core"), false);
        check("aio-ws", &used("aio-core"), false);
        check("aio-tests", &used("aio-client"), true);
        check("xtask", &used("aio-core"), false);
    }

    #[test]
    fn tests_of_a_layer_keep_to_it_too() {
        check("aio-core", &used_in_tests("aio-client", "^0.1"), false);
    }

    #[test]
    fn only_the_clients_examples_use_the_harness() {
        check("aio-client", &used_in_tests("aio-tests", "*"), true);
        check("aio-client", &used_in_tests("aio-tests", "^0.1"), false);
        check("aio-client", &used("aio-tests"), false);
        check("aio-connector", &used_in_tests("aio-tests", "*"), false);
    }

    #[test]
    fn only_the_connector_opens_sockets() {
        check("aio-connector", &used("rustls"), true);
        check("aio-connector", &used("socket2"), true);
        check("aio-connector", &tokio("net"), true);
        check("aio-client", &used("rustls"), false);
        check("aio-client", &used("hyper-util"), false);
        check("aio-client", &used("hickory-resolver"), false);
        check("aio-client", &tokio("net"), false);
        check("aio-client", &tokio("rt"), true);
        check("aio-ws", &tokio("io-util"), true);
        check("aio-core", &used_in_tests("hyper", "^1"), true);
        check("aio-tests", &used("rustls"), true);
    }

    #[test]
    fn pure_crates_have_no_runtime() {
        check("aio-core", &tokio("rt"), false);
        check("aio-cookies", &tokio("time"), false);
        check("aio-core", &used_in_tests("tokio", "^1"), true);
    }

    #[test]
    fn an_unknown_crate_needs_a_line_in_the_table() {
        let mut workspace = crate::workspace::tests::sample();
        let mut member = workspace.members.remove(0);
        assert_eq!(foreign_to_its_layer(&member), Vec::<String>::new());
        member.name = "aio-extra".to_owned();
        assert_eq!(foreign_to_its_layer(&member).len(), 1);
    }

    #[test]
    fn lints_come_from_the_root() {
        assert!(takes_root_lints("[package]\n\n[lints]\nworkspace = true\n"));
        assert!(!takes_root_lints("[package]\n\n[lints.rust]\nx = 1\n"));
        assert!(forbids_unsafe("[x]\nunsafe_code = \"forbid\"\n"));
        assert!(!forbids_unsafe("unsafe_code = \"warn\"\n"));
    }

    #[test]
    fn the_root_has_few_directories() {
        assert!(may_stand_at_the_root("crates"));
        assert!(may_stand_at_the_root(".github"));
        assert!(may_stand_at_the_root("target"));
        assert!(!may_stand_at_the_root("docs"));
    }
}
