//! The models in `formal/` hash the fields that `agreement/transcript.rs` hashes, in its order, empty where §2.3 says so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should panic"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Plain mode has no T.
const WITHOUT_TRANSCRIPT: [&str; 2] = ["plain", "plain_records"];

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn name_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The fields as the struct members are numbered, checked against the order in which they are hashed: `client_binding`, …
fn fields_of_the_code() -> Vec<String> {
    let source = read("src/agreement/transcript.rs");
    let (mut documented, mut hashed) = (Vec::new(), Vec::new());
    let (mut side, mut number, mut inside) = ("", None, false);
    for line in source.lines().map(str::trim) {
        if let Some(structure) = line.strip_prefix("pub struct ") {
            side = if structure.starts_with("ClientFields") { "client" } else { "server" };
        } else if let Some((digits, _)) = line.strip_prefix("/// ").and_then(|doc| doc.split_once(": ")) {
            number = digits.parse::<usize>().ok();
        } else if let Some(number) = line.strip_prefix("pub ").and(number.take()) {
            documented.push(format!("{side}_{}", name_at(&line["pub ".len()..])));
            assert_eq!(number, documented.len(), "transcript.rs numbers {line}");
        }
        inside = line.ends_with(".fields(&[") || inside && !line.starts_with("])");
        let member = ["client", "server"].into_iter().find_map(|side| {
            line.split_once(&format!("{side}.")).map(|(_, member)| format!("{side}_{}", name_at(member)))
        });
        hashed.extend(member.filter(|_| inside));
    }
    assert_eq!(documented, hashed, "transcript.rs hashes its fields in the order of their numbers");
    assert_eq!(hashed.len(), 21, "fields of a full handshake");
    hashed
}

/// The cells of §2.3's table for one binding: the field's row, then what it says.
fn column(binding: &str) -> Vec<String> {
    let page = read("docs/protocol.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .skip_while(|line| !line.starts_with("| # | field |"))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let at = rows[0].iter().position(|title| *title == format!("`{binding}`")).unwrap();
    rows[2..].iter().map(|row| row[at].to_owned()).collect()
}

struct Model {
    name: String,
    text: String,
    fields: Vec<String>,
}

impl Model {
    /// The arguments of the call that `name` is assigned.
    fn call(&self, name: &str, function: &str) -> Option<Vec<String>> {
        let text = self.text.split_once(&format!("\t{name} = {function}("))?.1;
        let mut depth = 1;
        let mut arguments = vec![String::new()];
        for c in text.chars().filter(|c| !c.is_whitespace()) {
            depth += i32::from(c == '(') - i32::from(c == ')');
            match c {
                _ if depth == 0 => return Some(arguments),
                ',' if depth == 1 => arguments.push(String::new()),
                _ => arguments.last_mut().unwrap().push(c),
            }
        }
        panic!("{}: {name} does not end", self.name)
    }

    /// The fields in a term, in order.
    fn leaves(&self, term: &str) -> Vec<String> {
        if let Some(inner) = term.strip_prefix("CONCAT(") {
            let nested =
                Self { name: self.name.clone(), text: format!("\tnested = CONCAT({inner}"), fields: vec![] };
            let arguments = nested.call("nested", "CONCAT").unwrap();
            return arguments.iter().flat_map(|argument| self.leaves(argument)).collect();
        }
        // What one side computes or looks up where the other has it from the wire.
        let name = term.strip_suffix("_held").unwrap_or(term);
        if name == "empty" || self.fields.iter().any(|field| field == name) {
            return vec![name.to_owned()];
        }
        if name.starts_with("ticket_hash_") {
            return vec!["ticket_hash".to_owned()];
        }
        let Some(arguments) = self.call(name, "CONCAT") else {
            panic!("{}: {term} is no field of T", self.name)
        };
        arguments.iter().flat_map(|argument| self.leaves(argument)).collect()
    }

    /// What a hash covers after its label.
    fn hashed(&self, name: &str, label: &str) -> Option<Vec<String>> {
        let arguments = self.call(name, "HASH")?;
        assert_eq!(arguments[0], label, "{}: the label of {name}", self.name);
        Some(arguments[1..].iter().flat_map(|argument| self.leaves(argument)).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
    }

    /// What the page says that T has here.
    fn expected(&self) -> Vec<String> {
        let binding = match self.name.as_str() {
            name if name.starts_with("key_agreement") => "key-agreement",
            name if name.starts_with("resumption") => "resumption",
            _ => "dynamic-key-v2",
        };
        let cells = column(binding);
        assert_eq!(cells.len(), 22, "rows of the page");
        let fields = self.fields.iter().cloned().chain(["ticket_hash".to_owned()]);
        let present = |cell: &str, field: &str| match cell {
            "✓" | "from the ticket" | "the ticket's one" => true,
            "empty" => false,
            "or empty" => self.has(field),
            "with ECDH" => self.name.ends_with("_ecdh"),
            other => panic!("the page says {other:?} of {field}"),
        };
        fields
            .zip(cells)
            .filter(|(_, cell)| cell != "–")
            .map(|(field, cell)| if present(&cell, &field) { field } else { "empty".to_owned() })
            .collect()
    }
}

fn models() -> Vec<Model> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("formal");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let fields = fields_of_the_code();
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "vp"))
        .map(|path| Model {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            text: read(&path)
                .lines()
                .filter(|line| !line.trim().starts_with("//"))
                .flat_map(|line| [line, "\n"])
                .collect(),
            fields: fields.clone(),
        })
        .collect()
}

#[test]
fn every_model_hashes_the_fields_of_the_code_in_their_order() {
    let mut without = Vec::new();
    for model in models() {
        let sides = ["t_client", "t_gateway"].map(|name| model.hashed(name, "transcript_label"));
        let [Some(client), Some(gateway)] = sides else {
            assert_eq!(sides, [None, None], "{}: T on one side only", model.name);
            without.push(model.name);
            continue;
        };
        let expected = model.expected();
        assert_eq!(client, expected, "{}: the client's T", model.name);
        assert_eq!(gateway, expected, "{}: the gateway's T", model.name);
    }
    assert_eq!(without, WITHOUT_TRANSCRIPT, "models without T");
}

#[test]
fn the_binder_covers_the_hello() {
    let resumptions: Vec<Model> =
        models().into_iter().filter(|model| model.name.starts_with("resumption")).collect();
    assert_eq!(resumptions.len(), 2);
    for model in resumptions {
        let expected = model.expected();
        let hello = [&expected[..9], &expected[19..20], &expected[21..]].concat();
        for name in ["h_client", "h_gateway"] {
            assert_eq!(model.hashed(name, "resumption_label").unwrap(), hello, "{}: {name}", model.name);
        }
    }
}
