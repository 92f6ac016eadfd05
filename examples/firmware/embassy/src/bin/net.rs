//! A device on a network: TCP by `embassy-net`, over the board's Ethernet controller.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddr};
use dynamic_key::transport::http1::AsyncHttp1;
use embassy::lan9118::Lan9118;
use embassy::settings::Settings;
use embassy::tcp::{Dial, RX, SOCKETS, TX};
use embassy::{counter, end, interrupts, story, ticks, worker};
use embassy_executor::Spawner;
use embassy_net::tcp::client::{TcpClient, TcpClientState};
use embassy_net::{Config, Ipv4Cidr, Runner, StackResources, StaticConfigV4};
use embassy_time::Duration;
use rand_core::Rng;
use static_cell::StaticCell;

/// A locally administered address, and what the network of QEMU expects of its guest.
const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

#[cortex_m_rt::entry]
fn main() -> ! {
    let settings = Settings::read();
    ticks::start();
    let (Ok(random), Ok(pin)) = (settings.random("worker-seed"), settings.key()) else {
        end(Err("settings"))
    };
    match device(settings) {
        Ok(task) => interrupts::start().spawn(task),
        Err(_) => end(Err("no room for the task")),
    }
    worker::work(random, pin)
}

#[embassy_executor::task]
async fn device(settings: Settings) {
    end(run(settings).await)
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Lan9118>) -> ! {
    runner.run().await
}

async fn run(settings: Settings) -> Result<(), &'static str> {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    static STATE: StaticCell<TcpClientState<SOCKETS, TX, RX>> = StaticCell::new();
    static CLIENT: StaticCell<TcpClient<'static, SOCKETS, TX, RX>> = StaticCell::new();

    // SAFETY: it is an executor that runs this.
    let spawner = unsafe { Spawner::for_current_executor().await };
    spawner.spawn(counter::count().map_err(|_| "no room for the counter")?);
    let driver = Lan9118::start(MAC).ok_or("no Ethernet controller")?;
    let config = StaticConfigV4 {
        address: Ipv4Cidr::new(OWN, 24),
        gateway: Some(HOST),
        dns_servers: Default::default(),
    };
    let seed = settings.random("network-seed")?.next_u64();
    let (stack, runner) =
        embassy_net::new(driver, Config::ipv4_static(config), RESOURCES.init(StackResources::new()), seed);
    spawner.spawn(network(runner).map_err(|_| "no room for the network")?);
    let mut client = TcpClient::new(stack, STATE.init(TcpClientState::new()));
    client.set_timeout(Some(Duration::from_secs(10)));

    let port = settings.get("port")?.parse().map_err(|_| "port")?;
    let dial = Dial { client: CLIENT.init(client), address: SocketAddr::new(HOST.into(), port) };
    story::live(settings, || match AsyncHttp1::new(dial, "gateway.example") {
        Ok(transport) => transport,
        Err(_) => end(Err("host")),
    })
    .await
}
