//! Storage in memory that fails as it is told.

use dynamic_key::session::SessionStorage;
use std::cell::RefCell;
use std::rc::Rc;

/// What the storage does next, at every call until it is told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Reading fails.
    Read,
    /// Writing fails, and nothing was written.
    WriteLost,
    /// Writing fails, and everything was written.
    WriteDone,
}

/// The storage failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

#[derive(Debug, Default)]
pub(crate) struct Cell {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fault: Fault,
    pub(crate) saves: usize,
}

/// It outlives the device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(pub(crate) Rc<RefCell<Cell>>);

impl Memory {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }
    pub(crate) fn put(&self, bytes: &[u8]) {
        self.0.borrow_mut().bytes = bytes.into();
    }
    pub(crate) fn fails(&self, fault: Fault) {
        self.0.borrow_mut().fault = fault;
    }
    pub(crate) fn saves(&self) -> usize {
        self.0.borrow().saves
    }
}

impl SessionStorage for Memory {
    type Error = Broken;

    fn load(&mut self, buffer: &mut [u8]) -> Result<usize, Broken> {
        let cell = self.0.borrow();
        if cell.fault == Fault::Read {
            return Err(Broken);
        }
        let length = cell.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&cell.bytes[..length]);
        Ok(length)
    }

    fn save(&mut self, sealed: &[u8]) -> Result<(), Broken> {
        let mut cell = self.0.borrow_mut();
        cell.saves += 1;
        if cell.fault != Fault::WriteLost {
            cell.bytes = sealed.into();
        }
        if matches!(cell.fault, Fault::WriteLost | Fault::WriteDone) { Err(Broken) } else { Ok(()) }
    }

    fn erase(&mut self) -> Result<(), Broken> {
        let mut cell = self.0.borrow_mut();
        if cell.fault != Fault::WriteLost {
            cell.bytes.clear();
        }
        if matches!(cell.fault, Fault::WriteLost | Fault::WriteDone) { Err(Broken) } else { Ok(()) }
    }
}
