//! Identities that exchange content packages through the relay of the example gateway.

mod attacks;
mod device;
mod scenes;
mod telling;

use crate::services::Scene;

pub(crate) const SCENES: [Scene; 1] = [scenes::identities];
