//! The typical board with `embeprom` instead, histograms of 10 buckets; with the feature `wire` it
//! reports Prometheus text on a UART.
#![no_std]
#![no_main]

use tapes_core::clock::Clock as _;
use tapes_probes::board::Timer;

mod motor {
    embeprom::metrics! {
        namespace = "motor";

        /// Loops.
        loops: Counter,
        /// Overruns.
        overruns: Counter,
        /// Commands.
        commands: Counter,
        /// Faults.
        faults: Counter,
        /// Starts.
        starts: Counter,
        /// Stops.
        stops: Counter,
        /// Temperature.
        temperature: GaugeF64,
        /// Supply.
        supply: GaugeF64,
        /// Loop time.
        #[buckets(50, 100, 250, 500, 1000, 2500, 5000, 10000, 100000, 1000000)]
        loop_time: IntHistogram,
        /// Idle time.
        #[buckets(50, 100, 250, 500, 1000, 2500, 5000, 10000, 100000, 1000000)]
        idle_time: IntHistogram,
    }
}

mod radio {
    embeprom::metrics! {
        namespace = "radio";

        /// Sent.
        sent: Counter,
        /// Received.
        received: Counter,
        /// Retries.
        retries: Counter,
        /// Crc errors.
        crc_errors: Counter,
        /// Timeouts.
        timeouts: Counter,
        /// Joins.
        joins: Counter,
        /// Queue.
        queue: Gauge,
        /// Power.
        power: Gauge,
        /// Send time.
        #[buckets(50, 100, 250, 500, 1000, 2500, 5000, 10000, 100000, 1000000)]
        send_time: IntHistogram,
    }
}

/// Records once to each metric, as `board::record` does.
#[inline(always)]
fn record() {
    let (motor, radio) = (motor::get(), radio::get());
    let pass = Timer.ticks();
    motor.loops.inc();
    motor.overruns.inc();
    motor.commands.inc();
    motor.faults.inc();
    motor.starts.inc();
    motor.stops.inc();
    motor.temperature.set(21.5);
    motor.supply.set(3.3);
    motor.loop_time.observe(Timer.ticks().wrapping_sub(pass).into());
    let idle = Timer.ticks();
    radio.sent.inc();
    radio.received.inc();
    radio.retries.inc();
    radio.crc_errors.inc();
    radio.timeouts.inc();
    radio.joins.inc();
    motor.idle_time.observe(Timer.ticks().wrapping_sub(idle).into());
    let send = Timer.ticks();
    radio.queue.set(7);
    radio.power.set(-3);
    radio.send_time.observe(Timer.ticks().wrapping_sub(send).into());
}

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        record();
        #[cfg(feature = "wire")]
        let _ = embeprom::write_all(&mut tapes_probes::uart::Uart);
    }
}
