//! NOR flash: erasing sets a page to ones, programming clears bits word by word, and the power may go within any word and any
//! page.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use std::cell::RefCell;
use std::rc::Rc;

pub(crate) const PAGE: usize = 1024;
const WORD: usize = 4;

/// What becomes of the word or the page at which the power goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tear {
    /// Nothing.
    Untouched,
    /// Some of its bits.
    Torn,
    /// All of it; but nobody is told.
    Done,
}

/// The power has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dark;

impl NorFlashError for Dark {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

#[derive(Debug)]
pub(crate) struct Chip {
    bytes: Vec<u8>,
    /// How many more words are programmed, or pages erased, before the power goes.
    fuse: Option<usize>,
    tear: Tear,
    dark: bool,
    /// How many words were programmed and pages erased.
    pub(crate) steps: usize,
}

/// The chip outlives the device.
#[derive(Clone, Debug)]
pub(crate) struct Nor(pub(crate) Rc<RefCell<Chip>>);

impl Nor {
    pub(crate) fn new(pages: usize) -> Self {
        let bytes = vec![0xff; pages * PAGE];
        Self(Rc::new(RefCell::new(Chip { bytes, fuse: None, tear: Tear::Done, dark: false, steps: 0 })))
    }

    /// Gives it power that goes after so many steps.
    pub(crate) fn power(&self, fuse: Option<usize>, tear: Tear) {
        let mut chip = self.0.borrow_mut();
        (chip.fuse, chip.tear, chip.dark, chip.steps) = (fuse, tear, false, 0);
    }

    pub(crate) fn is_dark(&self) -> bool {
        self.0.borrow().dark
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.borrow().steps
    }
}

impl Chip {
    /// Sets the bytes at `at` to what `new` says of the old, in one step.
    fn step(&mut self, at: usize, length: usize, new: impl Fn(usize, u8) -> u8) -> Result<(), Dark> {
        if self.dark {
            return Err(Dark);
        }
        let goes = self.fuse == Some(self.steps);
        self.steps += 1;
        for (index, byte) in self.bytes[at..at + length].iter_mut().enumerate() {
            let new = new(index, *byte);
            let changing = *byte ^ new;
            *byte ^= match (goes, self.tear) {
                (false, _) | (true, Tear::Done) => changing,
                (true, Tear::Untouched) => 0,
                (true, Tear::Torn) => changing & (0x5a_u8.rotate_left(index as u32 + self.steps as u32)),
            };
        }
        self.dark = goes;
        if goes { Err(Dark) } else { Ok(()) }
    }
}

impl ErrorType for Nor {
    type Error = Dark;
}

impl ReadNorFlash for Nor {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Dark> {
        let chip = self.0.borrow();
        if chip.dark {
            return Err(Dark);
        }
        bytes.copy_from_slice(&chip.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl NorFlash for Nor {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Dark> {
        for page in (from as usize..to as usize).step_by(PAGE) {
            self.0.borrow_mut().step(page, PAGE, |_, _| 0xff)?;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Dark> {
        for (index, word) in bytes.chunks(WORD).enumerate() {
            let at = offset as usize + index * WORD;
            self.0.borrow_mut().step(at, WORD, |byte, old| old & word[byte])?;
        }
        Ok(())
    }
}
