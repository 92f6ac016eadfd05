//! The main job, told as a story: devices, a gateway and an upstream over TCP on free loopback ports, then attacks.
//!
//! ```text
//! cargo run --release --example demo
//! ```
//!
//! Whatever it says was observed in the run that says it. Exit code 0 only if all went as told.
#![allow(clippy::large_stack_frames, reason = "a host has megabytes of stack")]

#[path = "demo/attacks.rs"]
mod attacks;
#[path = "demo/calls.rs"]
mod calls;
#[path = "token/grants.rs"]
mod grants;
#[path = "demo/identities.rs"]
mod identities;
#[path = "identity/mod.rs"]
mod identity;
#[path = "demo/impostors.rs"]
mod impostors;
#[path = "demo/middle.rs"]
mod middle;
#[path = "support/services.rs"]
#[allow(dead_code, reason = "it can tell stories of its own, too")]
mod services;
#[path = "demo/stage.rs"]
mod stage;
#[path = "support/story.rs"]
mod story;
mod support;
#[path = "demo/witness.rs"]
mod witness;

use stage::Stage;
use std::process::ExitCode;
use story::Story;

/// A part of the story; what it returns is why it could not be played to its end.
type Scene = fn(&Stage, &mut Story) -> Result<(), String>;

const CHAPTERS: [(&str, &[Scene]); 9] = [
    ("Agree on a key", &[calls::handshakes]),
    ("Seal every message", &[calls::three_views, calls::sealed_refusals]),
    (
        "Attacks on requests",
        &[
            attacks::replay,
            attacks::bit_flip_of_a_request,
            attacks::reflection_to_the_gateway,
            attacks::foreign_token,
        ],
    ),
    (
        "Attacks on answers",
        &[
            attacks::bit_flip_of_an_answer,
            attacks::reflection_to_the_client,
            attacks::swapped_answers,
            attacks::changed_status,
            attacks::forged_expiry,
        ],
    ),
    (
        "Attacks on the handshake",
        &[impostors::stripped_key_agreement, impostors::edited_schemes, impostors::impostor],
    ),
    ("Who the device is", &[identities::identities]),
    ("Tokens that stay fresh", &[tokens]),
    ("Identities and what they tell each other", &[packages]),
    ("What weaker modes do not promise", &[impostors::confirmed_limits, impostors::plain_limits]),
];

fn main() -> ExitCode {
    let mut story = Story::begin();
    let stage = match Stage::set() {
        Ok(stage) => stage,
        Err(why) => {
            eprintln!("demo: the stage could not be set: {why}");
            return ExitCode::FAILURE;
        }
    };
    introduce(&stage, &story);
    for (title, scenes) in CHAPTERS {
        story.chapter(title);
        for scene in scenes {
            if let Err(why) = scene(&stage, &mut story) {
                story.broken(&why);
            }
        }
    }
    if story.end() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tokens(stage: &Stage, story: &mut Story) -> Result<(), String> {
    services::play(&stage.services, &grants::SCENES, story);
    Ok(())
}

fn packages(stage: &Stage, story: &mut Story) -> Result<(), String> {
    services::play(&stage.services, &identity::SCENES, story);
    Ok(())
}

fn introduce(stage: &Stage, story: &Story) {
    story.chapter("Who plays");
    story.say(&format!("upstream  http://{}, behind a witness that counts what reaches it", stage.upstream));
    story.say(&format!("gateway   http://{} identity {}", stage.gateway.origin.host(), stage.gateway.kid));
    story.say(&format!("impostor  http://{} identity {}", stage.impostor.origin.host(), stage.impostor.kid));
    story.say(&format!(
        "services  http://{} issues tokens and relays between identities",
        stage.services.address
    ));
    story.say("devices   the client of the crate, each with a man in the middle who is idle at first");
}
