//! The shape of a game day's file, for editors.

use serde_json::{Value, json};

use super::agenda;
use super::people::{GoNoGo, Message, Participant};
use super::schedule::Schedule;
use crate::notation::decode::Decode;
use crate::notation::shape::{self, Shapes, described};

/// What a game day may say.
pub(in crate::spec) fn of(shapes: &mut Shapes) -> Value {
    let text = || shape::scalar("text");
    let mut participants = shape::list(Participant::schema(shapes));
    participants["minItems"] = json!(1);
    let keys: Vec<(&str, Value, &str)> = vec![
        ("kind", json!({ "const": "GameDay" }), "What the file is."),
        ("name", text(), "Names it in histories and calendars: lower-case letters, digits and `-`."),
        ("title", text(), "One line for people."),
        ("owner", text(), "Who owns it."),
        ("controls", shape::list(text()), "The controls that it is evidence for, such as `SOC2-A1.3`."),
        ("environment", text(), "Where the drills are held: `lab`, or an environment of firedrill.yaml."),
        ("schedule", Schedule::schema(shapes), "When it takes place; without it, when somebody starts it."),
        ("participants", participants, "Who takes part, in which role."),
        ("go_no_go", GoNoGo::schema(shapes), "The question that is asked before the first drill."),
        ("drills", shape::list(agenda::shape(shapes)), "What is drilled, in order, with waits in between."),
        (
            "communication",
            shape::list(Message::schema(shapes)),
            "Who is told what, when, over which channel.",
        ),
    ];
    let keys = keys.into_iter().map(|(key, shape, about)| (key, described(shape, about))).collect();
    shape::object("", keys, &["kind", "name", "participants", "drills"])
}
