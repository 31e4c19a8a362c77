//! Where the state is kept, and what the gateway says about it.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use tapes_std::clock::{SystemTimeSource, TimeSource};
use tapes_std::fleet::store::{DiskDirectory, Store, StoreOptions, new_node};
use tapes_std::fleet::{Fleet, Limits, SaveEvent, Saver, SharedFleet};

/// Set by service managers to directories for the service's state, joined by colons.
const VARIABLE: &str = "STATE_DIRECTORY";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) options: StoreOptions,
    pub(crate) limits: Limits,
}

/// Returns a fleet that goes on where the last one was, and what saves it.
pub(crate) fn open(asked: &Options) -> Result<(SharedFleet, Option<Saver>), String> {
    let time = Arc::new(SystemTimeSource::new());
    let Some(directory) = directory(&asked.directory) else {
        if asked.options != StoreOptions::new().with_this_machine() {
            return Err("--durable, --state-salvage and --state-moved need --state DIR".to_owned());
        }
        tracing::info!("totals are kept in memory only; --state DIR keeps them over restarts");
        let fleet = Fleet::new(new_node(), asked.limits);
        return Ok((SharedFleet::new(fleet, time), None));
    };
    let shown = crate::terminal::shown(&directory.display().to_string());
    let opened = DiskDirectory::open(&directory).and_then(|d| Store::open(d, &asked.options));
    let (store, saved) = opened.map_err(|error| error.to_string())?;
    let devices = saved.state().len();
    let (cut, node) = (store.stats().cut_bytes, store.node());
    let fleet = Fleet::restored(node, asked.limits, saved, time.monotonic(), time.wall());
    let fleet = SharedFleet::with_store(fleet, store, time);
    match cut {
        0 => tracing::info!("totals are kept in {shown}; devices known from before: {devices}"),
        _ => tracing::warn!(
            "totals are kept in {shown}; devices known from before: {devices}; {cut} bytes that \
             were not yet whole when the last run ended were dropped"
        ),
    }
    let saver = Saver::spawn(fleet.clone(), |event| match event {
        SaveEvent::Saved => tracing::info!("{event}"),
        _ => tracing::warn!("{event}"),
    });
    let saver = saver.map_err(|error| format!("cannot start a thread: {error}"))?;
    Ok((fleet, Some(saver)))
}

/// Returns where state is kept: where it was asked for, else where the service manager says.
pub(crate) fn directory(asked: &Option<PathBuf>) -> Option<PathBuf> {
    asked.clone().or_else(of_service)
}

/// Returns the first directory that a service manager made for this service.
fn of_service() -> Option<PathBuf> {
    let directories = env::var_os(VARIABLE)?;
    env::split_paths(&directories).find(|path| !path.as_os_str().is_empty())
}
