//! Where frames come in: files and pipes, serial ports, TCP connections.
//!
//! Every input feeds a [`FrameReader`](crate::fleet::FrameReader), so random bytes, cut frames and
//! frames without end cost what they take to skip, and are counted by reason.

#[cfg(feature = "serial")]
mod ask;
mod capture;
#[cfg(feature = "serial")]
mod serial;
mod stop;
#[cfg(feature = "tokio")]
mod tcp;

pub use self::capture::read_to_end;
#[cfg(feature = "serial")]
pub use self::serial::{ParseSerialError, SerialEvent, SerialInput, SerialSpec};
pub use self::stop::Stop;
#[cfg(feature = "tokio")]
pub use self::tcp::{TcpInput, TcpLimits};
