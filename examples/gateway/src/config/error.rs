//! What is wrong with a configuration, in one line.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::ErrorKind,
    },
    /// The text is no TOML, or has unknown keys or values of the wrong kind.
    Syntax {
        /// The file, where there is one.
        path: Option<PathBuf>,
        /// The line, counted from 1, where the parser knows it.
        line: Option<usize>,
        /// What is wrong with it.
        message: String,
    },
    /// A setting has a value that cannot be.
    Setting {
        /// The setting, as a file names it.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The command line is not one.
    Usage {
        /// What is wrong with it.
        reason: String,
    },
}

impl ConfigError {
    pub(crate) fn setting(name: &'static str, reason: impl fmt::Display) -> Self {
        Self::Setting { name, reason: reason.to_string() }
    }

    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count().saturating_add(1));
        // What the parser says may have several lines, and quotes none of the values.
        let message = error.message().lines().map(str::trim).collect::<Vec<_>>().join(", ");
        Self::Syntax { path: None, line, message }
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        match self {
            Self::Syntax { line, message, .. } => Self::Syntax { path: Some(file.to_owned()), line, message },
            other => other,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Syntax { path, line, message } => {
                let path = path.as_deref().unwrap_or(Path::new("configuration"));
                write!(f, "{}", path.display())?;
                if let Some(line) = line {
                    write!(f, ", line {line}")?;
                }
                write!(f, ": {message}")
            }
            Self::Setting { name, reason } => write!(f, "{name}: {reason}"),
            Self::Usage { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for ConfigError {}
