//! A thousand simulated devices, what can go wrong with their connections, and a gateway that is
//! watched.

pub(crate) mod board;
pub(crate) mod driver;
pub(crate) mod figures;
pub(crate) mod page;
pub(crate) mod probe;
pub(crate) mod watched;
