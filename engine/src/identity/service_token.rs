//! What a service shows to be known by, as text; pure. `cpl_`, and then the id of the token, 256 random bits and four bytes
//! by which a slip of the pen is known for one, and a scanner of leaked secrets knows that it found something.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use store::TokenId;
use uuid::Uuid;

use super::keys::sha256;

pub const PREFIX: &str = "cpl_";
/// Of the letters behind the prefix: 16 bytes, 32 bytes and 4 bytes.
const LETTERS: usize = 70;

/// What is in a token that was shown.
pub struct Shown {
    pub id: TokenId,
    /// SHA-256 of the secret, as it is kept.
    pub hash: [u8; 32],
}

/// The text that is shown once, and what is kept of it.
pub fn write(id: TokenId, secret: &[u8; 32]) -> (SecretString, [u8; 32]) {
    let mut bytes = [id.0.as_bytes().as_slice(), secret].concat();
    bytes.extend(check(&bytes));
    (SecretString::from(format!("{PREFIX}{}", BASE64.encode(bytes))), sha256(secret))
}

/// Whether it says of itself that it is one.
pub fn is_one(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// None: it was never given out.
pub fn read(token: &SecretString) -> Option<Shown> {
    let letters = token.expose_secret().strip_prefix(PREFIX).filter(|letters| letters.len() == LETTERS)?;
    let bytes = BASE64.decode(letters).ok()?;
    let (told, sum) = bytes.split_at_checked(48)?;
    if check(told) != *sum {
        return None;
    }
    let (id, secret) = told.split_at(16);
    Some(Shown { id: TokenId(Uuid::from_slice(id).ok()?), hash: sha256(secret) })
}

/// The first bytes of SHA-256 over what stands before.
fn check(bytes: &[u8]) -> [u8; 4] {
    let hash = sha256(bytes);
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_fits_the_pattern_of_scanners() {
        let id = TokenId(Uuid::from_u128(7));
        let (token, hash) = write(id, &[9; 32]);
        let shown = read(&token).unwrap();
        assert_eq!((shown.id, shown.hash, hash), (id, hash, sha256(&[9; 32])));
        let text = token.expose_secret();
        assert_eq!(text.len(), 74);
        assert!(is_one(text) && !is_one("cplr_x") && !is_one("eyJ"));
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        assert!(text[4..].chars().all(letter), "{text}");
    }

    #[test]
    fn a_slip_of_the_pen_is_no_token() {
        let (token, _) = write(TokenId(Uuid::from_u128(7)), &[9; 32]);
        let text = token.expose_secret();
        for at in 0..text.len() {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            let altered = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(read(&SecretString::from(altered.clone())).is_none(), "{altered}");
        }
        for altered in ["", "cpl_", &text[..73], &format!("{text}A"), &format!("{text}="), &text[4..]] {
            assert!(read(&SecretString::from(altered)).is_none(), "{altered}");
        }
    }

    /// What the reference tells whoever scans for leaked ones.
    #[test]
    fn the_sum_is_the_one_that_the_reference_explains() {
        let (token, _) = write(TokenId(Uuid::nil()), &[0; 32]);
        let bytes = BASE64.decode(&token.expose_secret()[4..]).unwrap();
        assert_eq!(bytes[48..], sha256(&[0; 48])[..4]);
    }
}
