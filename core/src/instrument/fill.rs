//! Filling templates with a name, at compile time.

use crate::metric::__private::Declared;

/// What stands for the name in a template.
const PLACE: &[u8; 2] = b"{}";

/// Returns the position of the only `{}`.
const fn place(template: &str) -> usize {
    let bytes = template.as_bytes();
    let mut found = None;
    let mut i = 0;
    while i + 1 < bytes.len() {
        if bytes[i] == PLACE[0] && bytes[i + 1] == PLACE[1] {
            assert!(found.is_none(), "a template has one `{{}}`, not two");
            found = Some(i);
        }
        i += 1;
    }
    match found {
        Some(place) => place,
        None => panic!("a template needs a `{{}}`, where the name goes"),
    }
}

const fn filled_len(template: &str, name: &str) -> usize {
    template.len().saturating_sub(PLACE.len()) + name.len()
}

/// Checks that every template has its place, and that no two are the same.
///
/// # Panics
///
/// At compile time, when used in a constant, for templates that are not allowed.
pub const fn check(templates: &[Declared]) {
    let mut i = 0;
    while i < templates.len() {
        let _ = place(templates[i].name);
        let mut j = 0;
        while j < i {
            assert!(
                !crate::name::same(templates[i].name.as_bytes(), templates[j].name.as_bytes()),
                "two metrics have the same template"
            );
            j += 1;
        }
        i += 1;
    }
}

/// Returns the bytes of all names together.
#[must_use]
pub const fn names_len(templates: &[Declared], name: &str) -> usize {
    let mut len = 0;
    let mut i = 0;
    while i < templates.len() {
        len += filled_len(templates[i].name, name);
        i += 1;
    }
    len
}

/// Returns all names end to end.
///
/// # Panics
///
/// At compile time, when used in a constant, with an `N` that is not [`names_len`].
#[must_use]
pub const fn names<const N: usize>(templates: &[Declared], name: &str) -> [u8; N] {
    const fn copy(names: &mut [u8], at: usize, bytes: &[u8]) -> usize {
        let mut i = 0;
        while i < bytes.len() {
            names[at + i] = bytes[i];
            i += 1;
        }
        at + bytes.len()
    }

    let mut names = [0; N];
    let mut at = 0;
    let mut i = 0;
    while i < templates.len() {
        let template = templates[i].name.as_bytes();
        let (before, rest) = template.split_at(place(templates[i].name));
        at = copy(&mut names, at, before);
        at = copy(&mut names, at, name.as_bytes());
        at = copy(&mut names, at, rest.split_at(PLACE.len()).1);
        i += 1;
    }
    assert!(at == N, "N must be names_len");
    names
}

/// Returns the templates with the names that [`names`] made.
///
/// # Panics
///
/// At compile time, when used in a constant, with an `N` that is not the number of templates.
#[must_use]
pub const fn fill<const N: usize>(
    templates: &'static [Declared],
    mut names: &'static [u8],
    name: &str,
) -> [Declared; N] {
    assert!(templates.len() == N && N > 0, "N must be the number of templates, and not 0");
    let mut filled = [templates[0]; N];
    let mut i = 0;
    while i < N {
        let (bytes, rest) = names.split_at(filled_len(templates[i].name, name));
        filled[i] = templates[i];
        match core::str::from_utf8(bytes) {
            Ok(name) => filled[i].name = name,
            Err(_) => panic!("names are made of whole strings"),
        }
        names = rest;
        i += 1;
    }
    filled
}
