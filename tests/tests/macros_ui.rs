//! What the compiler says about mistakes in macros, and what it must accept.
//!
//! The messages are those of the Rust version of the workspace. `TRYBUILD=overwrite` writes them
//! anew.

/// A mistake would compile, or its message would point at the wrong place.
#[test]
fn mistakes_are_explained_where_they_are() {
    let cases = trybuild::TestCases::new();
    // With a case that has to run, all are built, not only checked: rates of clocks are compared
    // when code is generated.
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
