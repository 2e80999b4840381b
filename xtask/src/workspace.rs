//! The workspace as its manifests describe it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use crate::step::Failure;

/// What `cargo metadata --no-deps` tells, as far as a chore asks.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    #[serde(rename = "packages")]
    pub(crate) members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) rust_version: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    features: BTreeMap<String, Vec<String>>,
    /// The registries it may go to; an empty list for `publish = false`.
    publish: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The version asked for; `*` when the manifest names none.
    pub(crate) req: String,
    pub(crate) kind: Option<Kind>,
    pub(crate) features: Vec<String>,
}

/// What a dependency is for, when not for the crate itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Dev,
    Build,
}

impl Workspace {
    /// Reads the manifests of the workspace this program was built in.
    pub(crate) fn load() -> Result<Self, Failure> {
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .map_err(|error| Failure::Message(format!("cannot run cargo: {error}")))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::Message(text.trim_end().to_owned()));
        }
        Self::parse(&output.stdout)
            .map_err(|error| Failure::Message(format!("cannot read cargo's metadata: {error}")))
    }

    fn parse(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// The crates a user can depend on.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| {
            let private = member.publish.as_ref().is_some_and(Vec::is_empty);
            !private
        })
    }
}

impl Member {
    /// The features that are for others to ask for.
    pub(crate) fn features(&self) -> impl Iterator<Item = &str> {
        let names = self.features.keys().map(String::as_str);
        names.filter(|name| !name.starts_with("__"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two crates as cargo describes them, with most of what we do not read left out.
    const METADATA: &str = r#"{
      "packages": [
        {"name": "aio-core", "version": "0.1.0", "rust_version": "1.89", "publish": null,
         "manifest_path": "/w/crates/aio-core/Cargo.toml",
         "dependencies": [
           {"name": "bytes", "req": "^1", "kind": null, "features": [], "optional": false},
           {"name": "tokio", "req": "^1", "kind": "dev", "features": ["rt"], "optional": false}],
         "features": {"__both": [], "default": ["brotli"], "brotli": ["dep:brotli"], "zstd": []}},
        {"name": "xtask", "version": "0.1.0", "rust_version": null, "publish": [],
         "manifest_path": "/w/xtask/Cargo.toml", "dependencies": [], "features": {}}
      ],
      "workspace_root": "/w", "target_directory": "/w/target", "version": 1
    }"#;

    pub(crate) fn sample() -> Workspace {
        Workspace::parse(METADATA.as_bytes()).expect("the text above")
    }

    #[test]
    fn metadata_is_read() {
        let workspace = sample();
        assert_eq!(workspace.root, PathBuf::from("/w"));
        assert_eq!(workspace.target, PathBuf::from("/w/target"));

        let core = &workspace.members[0];
        let features: Vec<&str> = core.features().collect();
        assert_eq!(features, ["brotli", "default", "zstd"]);
        assert_eq!(core.rust_version.as_deref(), Some("1.89"));
        assert_eq!(core.dependencies[0].kind, None);
        assert_eq!(core.dependencies[1].kind, Some(Kind::Dev));
        assert_eq!(core.dependencies[1].features, ["rt"]);
    }

    #[test]
    fn publish_false_is_not_published() {
        let workspace = sample();
        let names: Vec<&str> = workspace.published().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["aio-core"]);
    }

    #[test]
    fn this_workspace_can_be_read() {
        let workspace = Workspace::load().expect("cargo is here, it runs this test");
        assert!(workspace.members.iter().any(|m| m.name == "xtask"));
    }
}
