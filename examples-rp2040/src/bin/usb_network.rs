//! The board on a network, which is its USB cable: it serves its metrics itself, and sends them to a StatsD server.
//!
//! To the computer it is a network card (CDC-NCM, no driver needed). With an address such as 192.168.7.2 there, and
//! the board's 192.168.7.1, `http://192.168.7.1/metrics` is what Prometheus scrapes, `/metrics.json` is the same for
//! programs, and a StatsD server on port 8125 of the computer gets a report every ten seconds.
//!
//! ```text
//! sudo ip address add 192.168.7.2/24 dev usb0      or enx…, as `ip link` says
//! curl http://192.168.7.1/metrics
//! ```
//!
//! In the emulator a small computer is at the other end of the cable:
//!
//! ```text
//! cargo xtask emulate usb_network --seconds 3 -- --output network --get /metrics@1
//! ```
//!
//! On a board with Wi-Fi or Ethernet only the driver is another one.
#![no_std]
#![no_main]

use cortex_m::singleton;
use embassy_executor::Spawner;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Ipv4Address, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_rp::adc::{self, Adc};
use embassy_rp::bind_interrupts;
use embassy_rp::clocks::RoscRng;
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_time::{Duration, Ticker};
use embassy_usb::class::cdc_ncm::embassy_net::{Device, Runner, State as NetState};
use embassy_usb::class::cdc_ncm::{CdcNcmClass, State};
use embassy_usb::{Builder, Config, UsbDevice};
use examples_rp2040::celsius;
use panic_halt as _;
use tapes_core::metrics;
use tapes_core::report::{Statsd, TextReporter};
use tapes_core::text::statsd::Dialect;
use tapes_embassy::net::{Buffers, send_statsd, serve};

metrics! {
    /// The board.
    static BOARD: BoardMetrics = "board" {
        /// Temperature of the chip.
        temperature: Gauge<f32> [unit = celsius],
        /// Datagrams sent to the StatsD server.
        datagrams: Counter,
        /// Reports to it that failed, as when nobody is at its address.
        failed: Counter,
    }
}

const OWN: Ipv4Address = Ipv4Address::new(192, 168, 7, 1);
const COMPUTER: Ipv4Address = Ipv4Address::new(192, 168, 7, 2);
const STATSD: u16 = 8_125;
/// The bytes of a frame.
const MTU: usize = 1_514;
/// The bytes of a datagram in such a frame.
const DATAGRAM: usize = 1_432;

type Usb = Driver<'static, USB>;

bind_interrupts!(struct Irqs {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

#[embassy_executor::task]
async fn usb(mut device: UsbDevice<'static, Usb>) {
    device.run().await;
}

#[embassy_executor::task]
async fn card(runner: Runner<'static, Usb, MTU>) {
    runner.run().await;
}

#[embassy_executor::task]
async fn network(mut runner: embassy_net::Runner<'static, Device<'static, MTU>>) {
    runner.run().await;
}

/// One of these serves one client at a time.
#[embassy_executor::task]
async fn pages(stack: Stack<'static>) {
    let (mut receive, mut send, mut head) = ([0; 512], [0; 1_024], [0; 1_024]);
    let buffers = Buffers { receive: &mut receive, send: &mut send, head: &mut head };
    serve::<{ BoardMetrics::BUCKETS as usize }>(stack, 80, &BOARD, buffers).await;
}

#[embassy_executor::task]
async fn datagrams(stack: Stack<'static>) {
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 1], [PacketMetadata::EMPTY; 2]);
    let (mut rx, mut tx) = ([0; 0], [0; DATAGRAM]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(0).expect("there is a free port");
    let mut reporter = TextReporter::<_, 0, DATAGRAM>::new(Statsd::new(Dialect::Etsy));
    let mut ticks = Ticker::every(Duration::from_secs(10));
    loop {
        match send_statsd(&mut reporter, &BOARD, &socket, (COMPUTER, STATSD)).await {
            Ok(sent) => BOARD.datagrams.add(sent),
            Err(_) => BOARD.failed.increment(),
        }
        ticks.next().await;
    }
}

/// What the computer is told. The numbers are those that pid.codes gives away for tests: get your own.
fn config() -> Config<'static> {
    let mut config = Config::new(0x1209, 0x0001);
    config.manufacturer = Some("tapes");
    config.product = Some("usb_network");
    config
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let mut adc = Adc::new_blocking(p.ADC, adc::Config::default());
    let mut sensor = adc::Channel::new_temp_sensor(p.ADC_TEMP_SENSOR);

    let buffers = singleton!(: [[u8; 256]; 3] = [[0; 256]; 3]).expect("main runs once");
    let [descriptors, bos, control] = buffers;
    let state = singleton!(: State<'static> = State::new()).expect("main runs once");
    let mut builder =
        Builder::new(Driver::new(p.USB, Irqs), config(), descriptors, bos, &mut [], control);
    // Local addresses; a product has its own.
    let (computer, own) = ([0x02, 0, 0, 0, 0, 2], [0x02, 0, 0, 0, 0, 1]);
    let class = CdcNcmClass::new(&mut builder, state, computer, 64);
    let frames = singleton!(: NetState<MTU, 4, 4> = NetState::new()).expect("main runs once");
    let (runner, device) = class.into_embassy_net_device::<MTU, 4, 4>(frames, own);
    spawner.spawn(usb(builder.build()).expect("there is one such task"));
    spawner.spawn(card(runner).expect("there is one such task"));

    let address = Ipv4Cidr::new(OWN, 24);
    let config = StaticConfigV4 { address, gateway: None, dns_servers: Default::default() };
    let resources =
        singleton!(: StackResources<3> = StackResources::new()).expect("main runs once");
    let config = embassy_net::Config::ipv4_static(config);
    let (stack, runner) = embassy_net::new(device, config, resources, RoscRng.next_u64());
    spawner.spawn(network(runner).expect("there is one such task"));
    spawner.spawn(pages(stack).expect("there is one such task"));
    spawner.spawn(datagrams(stack).expect("there is one such task"));

    let mut seconds = Ticker::every(Duration::from_secs(1));
    loop {
        if let Ok(reading) = adc.blocking_read(&mut sensor) {
            BOARD.temperature.set(celsius(reading));
        }
        seconds.next().await;
    }
}
