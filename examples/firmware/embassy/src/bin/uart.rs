//! A device whose line to the gateway is a UART.
#![no_std]
#![no_main]

use dynamic_key::transport::http1::AsyncHttp1;
use embassy::settings::Settings;
use embassy::uart::Line;
use embassy::{counter, end, interrupts, story, ticks, uart, worker};
use embassy_executor::Spawner;

#[cortex_m_rt::entry]
fn main() -> ! {
    let settings = Settings::read();
    ticks::start();
    uart::start();
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
    // SAFETY: it is an executor that runs this.
    let spawner = unsafe { Spawner::for_current_executor().await };
    let Ok(count) = counter::count() else { end(Err("no room for the counter")) };
    spawner.spawn(count);
    end(run(settings).await)
}

async fn run(settings: Settings) -> Result<(), &'static str> {
    let host = settings.get("host")?;
    story::live(settings, || match AsyncHttp1::new(Line, host) {
        Ok(transport) => transport,
        Err(_) => end(Err("host")),
    })
    .await
}
