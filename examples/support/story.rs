//! How the demonstration is told: chapters, quotations, and what was verified.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _, stdout};

/// The longest line of a quotation, in characters.
const WIDTH: usize = 100;

/// Tells, and counts what held and what did not.
pub(crate) struct Story {
    colour: bool,
    held: u32,
    broken: u32,
    /// The title of the scene that is played.
    scene: String,
    /// How each attack was refused: scene and observation.
    refusals: Vec<(String, String)>,
}

/// How a text looks where the terminal has colours: parameters of SGR (ECMA-48).
#[derive(Clone, Copy)]
pub(crate) enum Look {
    Title,
    Wire,
    Ends,
    Good,
    Bad,
}

impl Look {
    const fn parameters(self) -> &'static str {
        match self {
            Self::Title => "1",
            Self::Wire => "33",
            Self::Ends => "36",
            Self::Good => "32",
            Self::Bad => "1;31",
        }
    }
}

impl Story {
    /// In colour if standard output is a terminal and `NO_COLOR` does not forbid it.
    pub(crate) fn begin() -> Self {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = stdout().is_terminal() && !forbidden;
        Self { colour, held: 0, broken: 0, scene: String::new(), refusals: Vec::new() }
    }

    pub(crate) fn chapter(&self, title: &str) {
        tell(format_args!("\n{}", self.look(Look::Title, format!("═══ {title} ═══"))));
    }

    pub(crate) fn scene(&mut self, title: &str, tells: &str) {
        tell(format_args!("\n{}  {tells}", self.look(Look::Title, format!("{title}."))));
        self.scene = title.into();
    }

    pub(crate) fn say(&self, line: &str) {
        tell(format_args!("  {line}"));
    }

    /// Text of the wire or of an end, whole, in lines that a terminal can hold.
    pub(crate) fn quote(&self, look: Look, who: &str, text: &str) {
        tell(format_args!("  {}", self.look(look, who)));
        for line in text.trim_end().lines() {
            let characters: Vec<char> = line.chars().collect();
            if characters.is_empty() {
                tell(format_args!("  {}", self.look(look, "│")));
            }
            for part in characters.chunks(WIDTH) {
                tell(format_args!("  {} {}", self.look(look, "│"), String::from_iter(part)));
            }
        }
    }

    /// What was observed, and whether it is what had to be.
    pub(crate) fn check(&mut self, holds: bool, observed: impl Display) {
        let count = if holds { &mut self.held } else { &mut self.broken };
        *count = count.saturating_add(1);
        let mark =
            if holds { self.look(Look::Good, "✓") } else { self.look(Look::Bad, "✗ NOT AS TOLD:") };
        tell(format_args!("  {mark} {observed}"));
    }

    /// As [`Story::check`], for what became of an attack: the summary has it again.
    pub(crate) fn refusal(&mut self, holds: bool, observed: &str) {
        self.check(holds, observed);
        if holds {
            self.refusals.push((self.scene.clone(), observed.into()));
        }
    }

    /// A scene that could not be played to its end.
    pub(crate) fn broken(&mut self, why: &str) {
        self.check(false, why);
    }

    /// The summary; whether all that was verified held.
    pub(crate) fn end(self) -> bool {
        self.chapter("Summary");
        for (scene, observed) in &self.refusals {
            tell(format_args!("  {scene:<24}  {observed}"));
        }
        let Self { held, broken, .. } = self;
        let as_told = broken == 0 && held > 0;
        let (look, line) = if as_told {
            (Look::Good, format!("All went as told: {held} observations, each verified."))
        } else {
            (Look::Bad, format!("{broken} of {} observations were not as told.", held.saturating_add(broken)))
        };
        tell(format_args!("\n  {}", self.look(look, line)));
        as_told
    }

    fn look(&self, look: Look, text: impl Display) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", look.parameters()) } else { text.to_string() }
    }
}

/// One line on standard output. If nobody listens any more, the story goes on: its end still matters.
fn tell(line: impl Display) {
    let _ = writeln!(stdout().lock(), "{line}");
}
