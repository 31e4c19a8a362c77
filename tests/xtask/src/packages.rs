//! What the workspace's manifests say: the published crates and their features.

use std::fs;

use crate::places;
use crate::problem::{Outcome, Problem};

/// A published crate of the workspace.
#[derive(Debug, PartialEq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Without `default`.
    pub(crate) features: Vec<String>,
}

impl Package {
    /// Some of the features, as cargo takes a list.
    pub(crate) fn features_if(&self, wanted: impl Fn(&str) -> bool) -> String {
        let some: Vec<&str> =
            self.features.iter().map(String::as_str).filter(|name| wanted(name)).collect();
        some.join(",")
    }
}

/// The crates of the workspace that are meant to be published.
pub(crate) fn published() -> Outcome<Vec<Package>> {
    let root = read("Cargo.toml")?;
    let members = root
        .lines()
        .find_map(|line| line.strip_prefix("members = ["))
        .ok_or_else(|| Problem::new("Cargo.toml: members must stand in one line"))?;
    let mut packages = Vec::new();
    for member in members.split('"').skip(1).step_by(2) {
        let manifest = read(&format!("{member}/Cargo.toml"))?;
        if !manifest.lines().any(|line| line.trim() == "publish = false") {
            packages.push(package(&manifest));
        }
    }
    Ok(packages)
}

fn read(manifest: &str) -> Outcome<String> {
    let path = places::root().join(manifest);
    fs::read_to_string(&path).map_err(Problem::io(format!("cannot read {}", path.display())))
}

/// Reads the name and the keys of `[features]`. Optional dependencies are named there too, as `dep:…`.
fn package(manifest: &str) -> Package {
    let mut package = Package { name: String::new(), features: Vec::new() };
    let mut section = "";
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim(), value.trim());
            if section == "[package]" && key == "name" {
                value.trim_matches('"').clone_into(&mut package.name);
            } else if section == "[features]" && key != "default" && !key.starts_with(['#', '"']) {
                package.features.push(key.to_owned());
            }
        }
    }
    package
}

#[cfg(test)]
mod tests {
    use super::{package, published};

    /// A feature would never be built alone if this failed.
    #[test]
    fn features_are_read_from_the_manifest() {
        let manifest = "[package]\nname = \"x\"\nversion.workspace = true\n\n[features]\ndefault = []\n# one\nstd = []\n\
                        lanes-2 = [\"dep:y\",\n  \"std\"]\n\n[dependencies]\ny = { version = \"1\" }\n";
        let package = package(manifest);
        assert_eq!(package.name, "x");
        assert_eq!(package.features, ["std", "lanes-2"]);
    }

    /// The steps that go over all crates would go over none if this failed.
    #[test]
    fn the_workspace_has_published_crates() {
        let names: Vec<String> =
            published().unwrap().into_iter().map(|package| package.name).collect();
        assert!(names.iter().any(|name| name == "tapes-core"), "{names:?}");
        assert!(!names.iter().any(|name| name == "xtask"), "{names:?}");
    }
}
