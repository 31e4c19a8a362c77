//! The same in a shared library that was loaded at run time, as plug-ins are.

#![expect(unsafe_code, reason = "loads a library and calls it")]

use libloading::Library;

use super::{Entry, THREADS, compare, entry};
use crate::Options;
use crate::table::{LOOP, Table};

/// The library beside this program.
const NAME: &str = "tapes_benches_library";

fn load() -> Option<Library> {
    let path = std::env::current_exe().ok()?.with_file_name(libloading::library_filename(NAME));
    // SAFETY: the library is built from the folder `library`; it has neither initialisers nor
    // finalisers of its own.
    unsafe { Library::new(path) }.ok()
}

/// Returns what does the operation of that name.
fn exported(library: &'static Library, name: &'static str, symbol: &str) -> Entry {
    // SAFETY: all symbols of the library are functions of this type.
    let function = unsafe { library.get::<extern "C" fn(u64)>(symbol.as_bytes()) };
    let function = *function.expect("the library exports it");
    entry(name, "", Box::new(move |times| function(times)))
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let Some(library) = load() else {
        eprintln!("  there is no library; build it: cargo build --release --workspace");
        return;
    };
    // Its threads' variables may live as long as this program.
    let library: &'static Library = Box::leak(Box::new(library));
    let list = vec![
        exported(library, "tapes", "tapes_benches_counter"),
        exported(library, LOOP, "tapes_benches_loop"),
        exported(library, "AtomicU64::fetch_add", "tapes_benches_raw"),
        exported(library, "prometheus-client", "tapes_benches_prometheus_client"),
        exported(library, "metriken, sharded", "tapes_benches_sharded"),
    ];
    let title = "Counter, increment, in a shared library";
    table.compare(compare(title, options, &THREADS, list), &[]);
    let list = vec![
        exported(library, "tapes", "tapes_benches_histogram"),
        exported(library, LOOP, "tapes_benches_values"),
    ];
    let title = "Histogram, record, in a shared library";
    table.compare(compare(title, options, &THREADS, list), &[]);
}
