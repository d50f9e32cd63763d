//! The verifier of a password, as PostgreSQL keeps it (RFC 5802, RFC 7677). Whoever has it can tell the password, and cannot say it.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use crate::secret::{NoRandomness, Randomness};

/// As PostgreSQL does it of itself.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();
const SALT_BYTES: usize = 16;

pub fn verifier(password: &str, randomness: &dyn Randomness) -> Result<String, NoRandomness> {
    let mut salt = [0_u8; SALT_BYTES];
    randomness.fill(&mut salt)?;
    Ok(with_salt(password, &salt))
}

/// Our passwords are letters of ASCII, of which SASLprep changes nothing.
fn with_salt(password: &str, salt: &[u8]) -> String {
    let mut salted = Zeroizing::new([0_u8; digest::SHA256_OUTPUT_LEN]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, password.as_bytes(), salted.as_mut());
    let salted = hmac::Key::new(hmac::HMAC_SHA256, salted.as_ref());
    let stored = digest::digest(&digest::SHA256, hmac::sign(&salted, b"Client Key").as_ref());
    let server = hmac::sign(&salted, b"Server Key");
    let [salt, stored, server] = [salt, stored.as_ref(), server.as_ref()].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of the example of RFC 7677, of the password `pencil`.
    #[test]
    fn the_example_of_the_standard() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();

        let made = with_salt("pencil", &salt);

        assert_eq!(
            made,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
