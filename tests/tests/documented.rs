//! Every public item of the core's packages is used, by name, in an example that runs.
//!
//! The rule: types, traits, functions, methods and macros that a user can reach appear in the shown
//! lines of at least one example in the documentation of these packages; examples run as tests.
//! Constants, variants and fields are documented but need no example; of two items of one name, one
//! example serves both. Where an item is introduced
//! (its own documentation, that of its type or of its module) is left to the writer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{
    Attribute, Expr, ExprLit, Ident, ImplItem, Item, ItemImpl, Lit, LitStr, Meta, TraitItem,
    UseTree, Visibility,
};

/// Packages of the core's family, each with its root file's folder.
const PACKAGES: [&str; 5] =
    ["core/src", "core/hooks/src", "core/macros/src", "core/embassy/src", "core/rp2040/src"];

/// What there is in the files of a package.
#[derive(Default)]
struct Package {
    /// Public items by name, each with where it stands.
    items: BTreeMap<String, String>,
    /// Those that are public only if they are re-exported.
    hidden: BTreeMap<String, Vec<(String, String)>>,
    /// Names in `pub use`.
    exported: BTreeSet<String>,
    /// Words in the shown lines of examples.
    shown: BTreeSet<String>,
    /// Public structs and enums that firmware may use.
    types: BTreeSet<String>,
    /// Types that have a `defmt::Format`.
    formatted: BTreeSet<String>,
}

/// The documentation in attributes of a file.
fn docs(attributes: &[Attribute], file: &Path) -> String {
    let line = |attribute: &Attribute| {
        let Meta::NameValue(meta) = &attribute.meta else { return None };
        match &meta.value {
            _ if !meta.path.is_ident("doc") => None,
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value() + "\n"),
            Expr::Macro(included) if included.mac.path.is_ident("include_str") => {
                let path: LitStr = included.mac.parse_body().expect("a path");
                let path = file.parent().expect("a file is in a folder").join(path.value());
                Some(fs::read_to_string(path).expect("what is included is there"))
            }
            _ => None,
        }
    };
    attributes.iter().filter_map(line).collect()
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("doc") && list.tokens.to_string() == "hidden",
        _ => false,
    })
}

fn is_format(it: &ItemImpl) -> bool {
    let last = it.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
    last.is_some_and(|segment| segment.ident == "Format")
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(name))
}

/// Adds the words of the shown lines of the examples that run.
fn read_examples(docs: &str, shown: &mut BTreeSet<String>) {
    let mut running = None;
    for line in docs.lines().map(str::trim) {
        if let Some(info) = line.strip_prefix("```") {
            let runs = ["", "rust", "no_run", "should_panic"].contains(&info);
            running = if running.is_some() { None } else { Some(runs) };
        } else if running == Some(true) && !line.starts_with("# ") {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            shown.extend(words.map(str::to_owned));
        }
    }
}

fn names(tree: &UseTree, found: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => names(&path.tree, found),
        UseTree::Name(name) => _ = found.insert(name.ident.to_string()),
        UseTree::Rename(rename) => {
            found.extend([rename.ident.to_string(), rename.rename.to_string()]);
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| names(tree, found)),
        UseTree::Glob(_) => {}
    }
}

impl Package {
    /// Reads the file of a module and those below it. `reached` says whether its path is public.
    fn read(&mut self, file: &Path, reached: bool) {
        let text = fs::read_to_string(file).expect("the file can be read");
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        read_examples(&docs(&parsed.attrs, file), &mut self.shown);
        for item in &parsed.items {
            self.item(item, file, reached);
        }
    }

    /// Notes a type that firmware may use, and whether it derives `defmt::Format`.
    fn type_of_firmware(&mut self, visibility: &Visibility, attrs: &[Attribute], name: &Ident) {
        let of = |name: &str, word: &str| {
            attrs.iter().any(|attribute| match &attribute.meta {
                Meta::List(list) => {
                    list.path.is_ident(name) && list.tokens.to_string().contains(word)
                }
                _ => false,
            })
        };
        let on_hosts = of("cfg", "\"std\"");
        if matches!(visibility, Visibility::Public(_)) && !on_hosts && !is_hidden(attrs) {
            self.types.insert(name.to_string());
        }
        if of("cfg_attr", "Format") || of("derive", "Format") {
            self.formatted.insert(name.to_string());
        }
    }

    /// Notes an item: public if `reached`, else if the name `by` is exported somewhere.
    fn note(&mut self, name: String, by: &str, file: &Path, reached: bool) {
        let place = file.display().to_string();
        if reached {
            self.items.insert(name, place);
        } else {
            self.hidden.entry(by.to_owned()).or_default().push((name, place));
        }
    }

    fn item(&mut self, item: &Item, file: &Path, reached: bool) {
        let mut simple = |visibility: &Visibility, attributes: &[Attribute], name: String| {
            read_examples(&docs(attributes, file), &mut self.shown);
            if matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes) {
                self.note(name.clone(), &name, file, reached);
            }
        };
        match item {
            Item::Struct(it) => {
                simple(&it.vis, &it.attrs, it.ident.to_string());
                self.type_of_firmware(&it.vis, &it.attrs, &it.ident);
            }
            Item::Enum(it) => {
                simple(&it.vis, &it.attrs, it.ident.to_string());
                self.type_of_firmware(&it.vis, &it.attrs, &it.ident);
            }
            Item::Fn(it) if has(&it.attrs, "proc_macro_derive") => {
                // Its own name is nobody's business; that of the derive is the trait's.
                read_examples(&docs(&it.attrs, file), &mut self.shown);
            }
            Item::Fn(it) => simple(&it.vis, &it.attrs, it.sig.ident.to_string()),
            Item::Type(it) => simple(&it.vis, &it.attrs, it.ident.to_string()),
            Item::Trait(it) => {
                simple(&it.vis, &it.attrs, it.ident.to_string());
                let public = matches!(it.vis, Visibility::Public(_)) && !is_hidden(&it.attrs);
                for inner in &it.items {
                    let TraitItem::Fn(method) = inner else { continue };
                    read_examples(&docs(&method.attrs, file), &mut self.shown);
                    if public && !is_hidden(&method.attrs) {
                        let name = method.sig.ident.to_string();
                        self.note(name, &it.ident.to_string(), file, reached);
                    }
                }
            }
            Item::Macro(it) if has(&it.attrs, "macro_export") => {
                read_examples(&docs(&it.attrs, file), &mut self.shown);
                if let Some(name) = it.ident.as_ref().filter(|_| !is_hidden(&it.attrs)) {
                    self.note(name.to_string(), "", file, true);
                }
            }
            Item::Impl(it) if it.trait_.is_none() && !is_hidden(&it.attrs) => {
                let syn::Type::Path(path) = &*it.self_ty else { return };
                let by = path.path.segments.last().expect("a path has an end").ident.to_string();
                for inner in &it.items {
                    let ImplItem::Fn(method) = inner else { continue };
                    read_examples(&docs(&method.attrs, file), &mut self.shown);
                    if matches!(method.vis, Visibility::Public(_)) && !is_hidden(&method.attrs) {
                        // Whether its type can be reached is known at the end.
                        self.note(method.sig.ident.to_string(), &by, file, false);
                    }
                }
            }
            Item::Impl(it) if is_format(it) => {
                if let syn::Type::Path(path) = &*it.self_ty {
                    self.formatted.extend(path.path.segments.last().map(|it| it.ident.to_string()));
                }
            }
            Item::Macro(it) if it.mac.path.is_ident("by_name") => {
                let words = it.mac.tokens.to_string();
                let names = words.split(|c: char| !c.is_alphanumeric() && c != '_');
                self.formatted.extend(names.map(str::to_owned));
            }
            Item::Use(it) if matches!(it.vis, Visibility::Public(_)) => {
                names(&it.tree, &mut self.exported);
            }
            // What is hidden is for macros, and tests are nobody's.
            Item::Mod(it) if !is_hidden(&it.attrs) && it.ident != "tests" => {
                self.module(it, file, reached);
            }
            _ => {}
        }
    }

    fn module(&mut self, it: &syn::ItemMod, file: &Path, reached: bool) {
        let reached = reached && matches!(it.vis, Visibility::Public(_));
        if let Some((_, items)) = &it.content {
            items.iter().for_each(|item| self.item(item, file, reached));
            return;
        }
        let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8");
        let folder = file.parent().expect("a file is in a folder");
        let below: PathBuf =
            if ["lib", "mod"].contains(&stem) { folder.into() } else { folder.join(stem) };
        let name = it.ident.to_string();
        let (flat, deep) = (below.join(format!("{name}.rs")), below.join(&name).join("mod.rs"));
        self.read(if flat.exists() { &flat } else { &deep }, reached);
    }

    /// Returns everything that a user can reach.
    fn public(&self) -> BTreeMap<String, String> {
        let mut public = self.items.clone();
        for (by, items) in &self.hidden {
            if self.exported.contains(by) || self.items.contains_key(by) {
                public.extend(items.iter().cloned());
            }
        }
        public
    }
}

/// If this fails, there is something that nobody showed how to use.
#[test]
fn every_public_item_is_in_an_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut shown = BTreeSet::new();
    let mut public = BTreeMap::new();
    for package in PACKAGES {
        let mut read = Package::default();
        read.read(&root.join(package).join("lib.rs"), true);
        public.extend(read.public());
        shown.append(&mut read.shown);
    }
    assert!(public.len() > 300, "only {} items were found", public.len());
    let missing: Vec<String> = public
        .iter()
        .filter(|(name, _)| !shown.contains(*name))
        .map(|(name, place)| format!("{name} in {}", place.rsplit("../").next().unwrap_or(place)))
        .collect();
    assert!(missing.is_empty(), "{} of {}: {missing:#?}", missing.len(), public.len());
}

/// If this fails, a firmware cannot derive `defmt::Format` for a struct that holds such a thing.
#[test]
fn every_public_type_of_the_core_has_a_format() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut read = Package::default();
    read.read(&root.join("core/src/lib.rs"), true);
    let public = read.public();
    let types: Vec<&String> = read.types.iter().filter(|it| public.contains_key(*it)).collect();
    assert!(types.len() > 80, "only {} types were found", types.len());
    let missing: Vec<_> = types.iter().filter(|name| !read.formatted.contains(**name)).collect();
    assert!(missing.is_empty(), "{} of {}: {missing:?}", missing.len(), types.len());
}
