//! What the API refuses, as DocuSign words it: a status, an `errorCode` and a message.
//!
//! Codes that the field notes or DocuSign's material name are used where they are named. Where nothing says which
//! code the real service has, it is one of the general `INVALID_REQUEST_…`; `docs/reference/docusign-emulator.md`
//! lists those that are our guess.

use crate::envelope::Status;

#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl Refusal {
    pub fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    pub fn bad(code: &str, message: &str) -> Self {
        Self::new(400, code, message)
    }

    pub fn body(why: &str) -> Self {
        let message = format!("The request body is missing or improperly formatted. {why}");
        Self::bad("INVALID_REQUEST_BODY", message.trim_end())
    }

    pub fn parameter(why: &str) -> Self {
        let message = format!("The request contained at least one invalid parameter. {why}");
        Self::bad("INVALID_REQUEST_PARAMETER", &message)
    }

    pub fn incomplete() -> Self {
        Self::bad(
            "ENVELOPE_IS_INCOMPLETE",
            "The Envelope is not Complete. A Complete Envelope Requires Documents, Recipients, Tabs, and a Subject \
             Line.",
        )
    }

    pub fn invalid_status() -> Self {
        Self::bad(
            "ENVELOPE_INVALID_STATUS",
            "Invalid envelope status. Envelope status is not one of: Created, Sent, Delivered, Correct.",
        )
    }

    pub fn not_open(status: Status) -> Self {
        let name = status.name();
        Self::bad("ENVELOPE_INVALID_STATUS", &format!("Nobody can act on an envelope that is {name}."))
    }

    pub fn unknown_envelope(status: u16) -> Self {
        Self::new(
            status,
            "ENVELOPE_DOES_NOT_EXIST",
            "The envelope specified either does not exist or you have no rights to it.",
        )
    }

    pub fn unknown_document(id: &str) -> Self {
        Self::bad(
            "DOCUMENT_DOES_NOT_EXIST",
            &format!("The document specified was not found. Document id: {id}"),
        )
    }

    pub fn unknown_recipient(id: &str) -> Self {
        Self::bad(
            "UNKNOWN_ENVELOPE_RECIPIENT",
            &format!(
                "The recipient you have identified is not a valid recipient of the specified envelope. Recipient: {id}"
            ),
        )
    }

    pub fn out_of_sequence() -> Self {
        Self::bad(
            "RECIPIENT_NOT_IN_SEQUENCE",
            "The token for an out of sequence recipient cannot be generated.",
        )
    }

    pub fn token(code: &str, message: &str) -> Self {
        Self::new(401, code, message)
    }
}
