//! Feeds what the fuzzer finds to `tapes_tests::fuzzing::state`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tapes_tests::fuzzing::state::body(data));
