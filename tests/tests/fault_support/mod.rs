//! A world of devices, lines and gateways in which everything goes wrong.

pub(crate) mod board;
pub(crate) mod damage;
pub(crate) mod gateway;
pub(crate) mod line;
pub(crate) mod merged;
pub(crate) mod world;
