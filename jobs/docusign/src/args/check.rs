//! What DocuSign would refuse, or would do in a way that nobody meant, is refused at the door. Pure.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jobkit::uploads;

use super::{CopyArgs, DocumentArgs, HIGHEST_ORDER, SendEnvelopeArgs, SignerArgs, TabArgs};
use crate::kind::{self, ENDINGS};

/// DocuSign refuses longer ones, with what is filled in.
const LONGEST_SUBJECT: usize = 100;
const LONGEST_MESSAGE: usize = 10_000;
const LONGEST_NAME: usize = 100;
const LONGEST_EMAIL: usize = 100;
const LONGEST_FIELD: usize = 100;
const LONGEST_KEY: usize = 255;
const MOST_DOCUMENTS: usize = 100;
const MOST_RECIPIENTS: usize = 200;
const MOST_TABS: usize = 500;
/// Of a document, by DocuSign's rules.
pub const LONGEST_DOCUMENT: usize = 25 * 1024 * 1024;
const MOST_DAYS: u32 = 999;

/// Names the field and the remedy, and repeats nothing: what a document or a field is called may be somebody's name.
pub fn check(args: &SendEnvelopeArgs) -> Result<(), String> {
    text("key", &args.key, LONGEST_KEY)?;
    text("subject", &args.subject, LONGEST_SUBJECT)?;
    if let Some(message) = &args.message {
        text("message", message, LONGEST_MESSAGE)?;
    }
    many("documents", args.documents.len(), MOST_DOCUMENTS)?;
    many("signers", args.signers.len(), MOST_RECIPIENTS)?;
    if args.signers.len() + args.copies.len() > MOST_RECIPIENTS {
        return Err(format!("copies: with the signers {MOST_RECIPIENTS} at most"));
    }
    for (index, given) in args.documents.iter().enumerate() {
        document(given).map_err(|problem| format!("documents[{index}].{problem}"))?;
    }
    for (index, given) in args.signers.iter().enumerate() {
        signer(given, args).map_err(|problem| format!("signers[{index}].{problem}"))?;
    }
    for (index, given) in args.copies.iter().enumerate() {
        copy(given, args.part11).map_err(|problem| format!("copies[{index}].{problem}"))?;
    }
    if let Some(reminders) = &args.reminders {
        days("reminders.after_days", reminders.after_days, 1)?;
        days("reminders.every_days", reminders.every_days, 0)?;
    }
    if let Some(expires) = &args.expires {
        days("expires.after_days", expires.after_days, 1)?;
        if expires.warn_days >= expires.after_days {
            return Err(format!("expires.warn_days: less than after_days, which is {}", expires.after_days));
        }
    }
    custom_fields(args)
}

fn custom_fields(args: &SendEnvelopeArgs) -> Result<(), String> {
    for (name, value) in &args.custom_fields {
        text("custom_fields: a name", name, LONGEST_FIELD)?;
        text("custom_fields: a value", value, LONGEST_FIELD)?;
        if name.starts_with("compline_") {
            return Err("custom_fields: names that begin with compline_ are taken; choose another".into());
        }
    }
    Ok(())
}

fn document(given: &DocumentArgs) -> Result<(), String> {
    text("name", &given.name, LONGEST_NAME)?;
    if given.name.contains(['/', '\\']) {
        return Err("name: a name without a folder; where it lies is `path`".into());
    }
    if !ENDINGS.contains(&ending(&given.name).as_str()) {
        return Err(format!("name: it must end with one of .{}", ENDINGS.join(", .")));
    }
    let places =
        [given.artifact.is_some(), given.path.is_some(), given.upload.is_some(), given.base64.is_some()];
    if places.iter().filter(|is_there| **is_there).count() != 1 {
        return Err("artifact, path, upload, base64: give exactly one of them".into());
    }
    if let Some(artifact) = &given.artifact {
        text("artifact", artifact, 4_096)?;
    }
    if let Some(path) = &given.path {
        text("path", path, 4_096)?;
    }
    if let Some(upload) = &given.upload
        && !matches!(uploads::named(Path::new(upload)), Some(Ok(_)))
    {
        return Err("upload: write upload:ID, as `compline uploads put` says it".into());
    }
    if let Some(base64) = &given.base64 {
        let bytes = BASE64.decode(base64.expose()).map_err(|_| {
            "base64: it is not base64 of the usual alphabet, with padding and without line breaks".to_owned()
        })?;
        whole(&given.name, &bytes).map_err(|problem| format!("base64: {problem}"))?;
    }
    Ok(())
}

/// Whether the bytes can be that document at all.
pub fn whole(name: &str, bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the document is empty".into());
    }
    if bytes.len() > LONGEST_DOCUMENT {
        return Err(format!("the document has more than the {LONGEST_DOCUMENT} bytes that DocuSign takes"));
    }
    kind::fits(&ending(name), bytes)
}

/// In small letters, without the dot.
pub fn ending(name: &str) -> String {
    name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default()
}

fn signer(given: &SignerArgs, args: &SendEnvelopeArgs) -> Result<(), String> {
    person(given.name.expose(), given.email.expose(), given.order)?;
    if given.tabs.len() > MOST_TABS {
        return Err(format!("tabs: {MOST_TABS} at most"));
    }
    for (index, given) in given.tabs.iter().enumerate() {
        tab(given, args.documents.len()).map_err(|problem| format!("tabs[{index}].{problem}"))?;
    }
    if let Some(id) = &given.client_user_id {
        text("client_user_id", id, LONGEST_NAME)?;
    }
    proof(given.identity_verification.as_deref(), args.part11)
}

fn copy(given: &CopyArgs, part11: bool) -> Result<(), String> {
    person(given.name.expose(), given.email.expose(), given.order)?;
    proof(given.identity_verification.as_deref(), part11)
}

/// 21 CFR Part 11: who only gets a copy has to prove who he is, too.
fn proof(workflow: Option<&str>, part11: bool) -> Result<(), String> {
    match workflow {
        Some(workflow) => text("identity_verification", workflow, LONGEST_NAME),
        None if part11 => Err(
            "identity_verification: with part11 every recipient proves who he is; give the id of the account's workflow"
                .into(),
        ),
        None => Ok(()),
    }
}

/// Says nothing of what was given: it is somebody's.
fn person(name: &str, email: &str, order: u32) -> Result<(), String> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.contains(is_control) {
        return Err(format!("name: 1 to {LONGEST_NAME} characters on one line"));
    }
    let well = email.len() <= LONGEST_EMAIL
        && !email
            .contains(|letter: char| letter.is_whitespace() || is_control(letter) || "<>,;".contains(letter))
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && domain.contains('.')
                && domain.split('.').all(|label| !label.is_empty())
        });
    if !well {
        return Err(format!("email: an address such as name@example.com, {LONGEST_EMAIL} bytes at most"));
    }
    match (1..=HIGHEST_ORDER).contains(&order) {
        true => Ok(()),
        false => Err(format!("order: {order}; write 1 to {HIGHEST_ORDER}")),
    }
}

fn tab(given: &TabArgs, documents: usize) -> Result<(), String> {
    if given.document.is_some_and(|number| number == 0 || number as usize > documents) {
        return Err(format!("document: there are the documents 1 to {documents}"));
    }
    match (&given.anchor, given.page) {
        (Some(anchor), None) => text("anchor", anchor, LONGEST_NAME),
        (None, Some(page)) if page > 0 => match given.document {
            _ if given.may_be_missing => Err("may_be_missing: of an anchor; a page is there".into()),
            _ if given.x < 0 || given.y < 0 => {
                Err("x, y: pixels from the page's upper left corner, 0 or more".into())
            }
            Some(_) => Ok(()),
            None if documents == 1 => Ok(()),
            None => Err("document: on the page of which document? Give its number".into()),
        },
        (None, Some(_)) => Err("page: pages are counted from 1".into()),
        (Some(_), Some(_)) => Err("anchor, page: give one of them".into()),
        (None, None) => Err("anchor, page: give a text to stand at, or a page with x and y".into()),
    }
}

fn text(field: &str, given: &str, most: usize) -> Result<(), String> {
    if given.trim().is_empty() || given.chars().count() > most || given.contains('\0') {
        return Err(format!("{field}: 1 to {most} characters; it has {}", given.chars().count()));
    }
    match field != "message" && given.contains(is_control) {
        true => Err(format!("{field}: one line, without control characters")),
        false => Ok(()),
    }
}

fn many(field: &str, count: usize, most: usize) -> Result<(), String> {
    match (1..=most).contains(&count) {
        true => Ok(()),
        false => Err(format!("{field}: 1 to {most}; there are {count}")),
    }
}

fn days(field: &str, given: u32, least: u32) -> Result<(), String> {
    match (least..=MOST_DAYS).contains(&given) {
        true => Ok(()),
        false => Err(format!("{field}: {given}; write {least} to {MOST_DAYS}")),
    }
}

fn is_control(letter: char) -> bool {
    letter.is_control()
}
