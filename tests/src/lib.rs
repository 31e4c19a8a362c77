//! What several end-to-end and conformance tests share.

pub mod python;
