//! What a machine is told by its host when it starts, in the place of provisioned flash.

use board::semihosting::command_line;

/// The room for all settings.
const ROOM: usize = 512;

/// Settings of the form `name=value`, one space between two of them.
pub struct Settings {
    text: [u8; ROOM],
    length: usize,
}

impl Settings {
    /// Asks the host.
    #[must_use]
    pub fn read() -> Self {
        let mut text = [0; ROOM];
        let length = command_line(&mut text).map_or(0, str::len);
        Self { text, length }
    }

    /// The value with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let text = self.text.get(..self.length).and_then(|text| core::str::from_utf8(text).ok())?;
        text.split(' ')
            .filter_map(|setting| setting.split_once('='))
            .find_map(|(is, value)| (is == name).then_some(value))
    }
}
