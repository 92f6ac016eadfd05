//! Session storage in the flash of a microcontroller, by `sequential-storage`, and the power that goes at every single write.

use crate::nor::{Nor, PAGE, Tear};
use crate::support::{World, block_on};
use crate::watched::{repeated, sealed};
use crate::{boot, call, handshakes};
use dynamic_key::request::Request;
use dynamic_key::session::storage::stored_len;
use dynamic_key::session::{Now, SessionStorage};
use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, CacheImpl};
use sequential_storage::map::{MapConfig, MapStorage};

/// The one thing in the map.
const KEY: u8 = 1;
/// Room for key and value, in whole words.
const ROOM: usize = (1 + stored_len(512)).next_multiple_of(4);

/// Session storage in pages of flash: as this, it can be taken for any chip whose driver implements `embedded-storage-async`.
#[derive(Debug)]
struct Flash<F> {
    flash: F,
    end: u32,
}

impl<F: NorFlash> Flash<F> {
    /// The map in the pages.
    fn map(&mut self) -> MapStorage<u8, &mut F, impl CacheImpl<u8> + use<F>> {
        MapStorage::new(&mut self.flash, MapConfig::new(0..self.end), Cache::new_uncached())
    }

    fn store(&mut self, sealed: &[u8]) -> Result<(), Error<F::Error>> {
        block_on(self.map().store_item(&mut [0; ROOM], &KEY, &sealed))
    }
}

impl<F: NorFlash> SessionStorage for Flash<F> {
    type Error = Error<F::Error>;

    fn load(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let mut room = [0; ROOM];
        let found: Option<&[u8]> = block_on(self.map().fetch_item(&mut room, &KEY))?;
        let found = found.unwrap_or_default();
        let length = found.len().min(buffer.len());
        buffer[..length].copy_from_slice(&found[..length]);
        Ok(length)
    }

    /// What no repair mends is erased: the session in it is lost, and no nonce with it.
    fn save(&mut self, sealed: &[u8]) -> Result<(), Self::Error> {
        match self.store(sealed) {
            Err(Error::Corrupted { .. }) => {
                self.erase()?;
                self.store(sealed)
            }
            outcome => outcome,
        }
    }

    /// Erases the pages: the map alone would leave the bytes where they are.
    fn erase(&mut self) -> Result<(), Self::Error> {
        block_on(self.map().erase_all())
    }
}

/// A life of many boots. The power goes at a later write with each of them: within loading, reserving, renewing and erasing, and
/// wherever the pages are full by then.
fn live(tear: Tear) {
    const PAGES: usize = 3;
    let (mut world, nor) = (World::new(1), Nor::new(PAGES));
    let pins = [world.pin()];
    let get = Request::get("/countries/get");
    let mut buffer = [0; 2048];
    let (mut cuts, mut shaken, mut kept, mut fuse, mut boots) = (0, 0, 0, 0, 0_u64);
    loop {
        boots += 1;
        if boots % 9 == 0 {
            world.end_all();
        }
        nor.power(Some(fuse), tear);
        let flash = Flash { flash: nor.clone(), end: (PAGES * PAGE) as u32 };
        let mut device = boot(&mut world, &pins, flash, 2, boots);
        let mut requests = 0;
        while !nor.is_dark() && requests < 7 {
            // What the device seals after the power has gone is more than one could.
            let answer = device.request(Now::UNKNOWN, &get, &mut buffer).unwrap();
            assert_eq!(answer.status, 200);
            requests += 1;
            if requests == 6 && boots % 5 == 0 {
                let _ = device.logout();
            }
        }
        shaken += handshakes(&mut device);
        drop(device);
        assert_eq!(repeated(), 0, "{tear:?}, boot {boots}, cut at {fuse}");
        if !nor.is_dark() && fuse > nor.steps() + 50 {
            break;
        }
        cuts += usize::from(nor.is_dark());
        // With power that stays: nothing that was torn stands in the way.
        nor.power(None, tear);
        let flash = Flash { flash: nor.clone(), end: (PAGES * PAGE) as u32 };
        let mut device = boot(&mut world, &pins, flash, 2, boots << 32);
        call(&mut device);
        assert!(
            device
                .vault()
                .failure()
                .is_none_or(|failure| !matches!(failure, dynamic_key::session::StorageError::Storage(_)))
        );
        kept += usize::from(handshakes(&mut device) == 0);
        fuse += 1;
    }
    println!(
        "{tear:?}: {boots} boots, {cuts} cuts, {shaken} handshakes, {kept} sessions survived, {} nonces",
        sealed()
    );
    assert!(cuts > 300 && kept * 2 > cuts);
}

#[test]
fn power_goes_before_a_word() {
    live(Tear::Untouched);
}

#[test]
fn power_goes_within_a_word() {
    live(Tear::Torn);
}

#[test]
fn power_goes_after_a_word() {
    live(Tear::Done);
}
