//! One-time codes by RFC 6238, as every authenticator makes them: six digits, thirty seconds, HMAC-SHA1. That is twenty
//! lines on the library that we have, so it is no other one's. Which steps were used the store knows.

use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use ring::hmac;
use zeroize::Zeroizing;

use super::IdentityError;
use super::keys::{random, sha256};

const STEP_SECONDS: u64 = 30;
const DIGITS: usize = 6;
/// A clock may be a step ahead or behind, and people type slowly.
const AROUND: u64 = 1;
/// As long as the hash, as RFC 4226 wants it.
const SECRET_BYTES: usize = 20;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub const RECOVERY_CODES: usize = 10;
/// A hundred bits, so that a fast hash is enough to keep it.
const RECOVERY_LETTERS: usize = 20;

/// A new secret, in base32 as people type it.
pub fn new_secret() -> Result<SecretString, IdentityError> {
    let secret = Zeroizing::new(random::<SECRET_BYTES>()?);
    Ok(SecretString::from(base32(&secret[..])))
}

/// What an authenticator reads from a picture. The account is shown to its own user alone.
pub fn address(secret: &SecretString, account: &str) -> SecretString {
    let account: String = form_urlencoded::byte_serialize(account.as_bytes()).collect();
    SecretString::from(format!(
        "otpauth://totp/Compline:{}?secret={}&issuer=Compline&algorithm=SHA1&digits=6&period=30",
        account.replace('+', "%20"),
        secret.expose_secret(),
    ))
}

/// The step whose code this is, near the time in seconds; later than the last one that was used.
pub fn step_of(secret: &SecretString, code: &str, seconds: u64, last: Option<u64>) -> Option<u64> {
    let key = unbase32(secret.expose_secret())?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let code = code.trim();
    if code.len() != DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let now = seconds / STEP_SECONDS;
    // All are looked at, whichever it is.
    let mut found = None;
    for step in now.saturating_sub(AROUND)..=now + AROUND {
        let fits = same(code.as_bytes(), code_at(&key, step).as_bytes());
        if fits && last.is_none_or(|last| step > last) {
            found = Some(step);
        }
    }
    found
}

/// The code that an authenticator shows, for tests and nobody else.
#[doc(hidden)]
pub fn code_for(secret: &SecretString, seconds: u64) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &unbase32(secret.expose_secret())?);
    Some(code_at(&key, seconds / STEP_SECONDS))
}

fn code_at(key: &hmac::Key, step: u64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 15);
    let number = tag[at..at + 4].iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Ten codes for the drawer, each with the hash that is kept: `ABCDE-FGHIJ-KLMNO-PQRST`.
pub fn recovery_codes() -> Result<Vec<(SecretString, [u8; 32])>, IdentityError> {
    let code = || {
        // The last five bits of a byte are a letter, and all letters are as likely.
        let letters = random::<RECOVERY_LETTERS>()?.map(|byte| char::from(BASE32[usize::from(byte & 31)]));
        let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
        let code = SecretString::from(groups.join("-"));
        let hash = recovery_hash(&code);
        Ok((code, hash))
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// However it is typed.
pub fn recovery_hash(code: &SecretString) -> [u8; 32] {
    let letters: Zeroizing<String> = Zeroizing::new(
        code.expose_secret()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_uppercase())
            .collect(),
    );
    sha256(letters.as_bytes())
}

fn base32(bytes: &[u8]) -> String {
    bytes
        .chunks(5)
        .flat_map(|chunk| {
            let mut all = [0; 8];
            all[3..3 + chunk.len()].copy_from_slice(chunk);
            let bits = u64::from_be_bytes(all);
            let letters = (chunk.len() * 8).div_ceil(5);
            (0..letters)
                .map(move |n| char::from(BASE32[usize::try_from(bits >> (35 - 5 * n) & 31).unwrap_or(0)]))
        })
        .collect()
}

fn unbase32(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.bytes() {
        let value = BASE32.iter().position(|own| *own == letter.to_ascii_uppercase())?;
        bits = bits << 5 | u32::try_from(value).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of RFC 6238, appendix B, the last six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = SecretString::from(base32(b"12345678901234567890"));
        assert_eq!(secret.expose_secret(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_for(&secret, seconds).unwrap(), code);
            assert_eq!(step_of(&secret, code, seconds, None), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_holds_a_step_before_and_after_and_not_when_it_was_used() {
        let secret = new_secret().unwrap();
        let now = 1_800_000_000;
        let code = code_for(&secret, now).unwrap();
        let step = now / 30;
        for (seconds, last, found) in [
            (now, None, true),
            (now - 30, None, true),
            (now + 30, None, true),
            (now - 60, None, false),
            (now + 60, None, false),
            (now, Some(step - 1), true),
            (now, Some(step), false),
            (now, Some(step + 1), false),
        ] {
            assert_eq!(step_of(&secret, &code, seconds, last), found.then_some(step), "{seconds} {last:?}");
        }
        for wrong in ["", "12345", "1234567", "abcdef", "+12345"] {
            assert_eq!(step_of(&secret, wrong, now, None), None, "{wrong}");
        }
        assert_eq!(step_of(&secret, &format!(" {code} "), now, None), Some(step));
    }

    #[test]
    fn a_secret_is_read_as_it_was_written() {
        for length in 0..12 {
            let bytes: Vec<u8> = (0..length).map(|n| n * 20 + 1).collect();
            assert_eq!(*unbase32(&base32(&bytes)).unwrap(), bytes);
        }
        assert!(unbase32("A1").is_none());
        assert_eq!(new_secret().unwrap().expose_secret().len(), 32);
        let shown = address(&SecretString::from("ABC"), "ada b@example.org");
        assert_eq!(
            shown.expose_secret(),
            "otpauth://totp/Compline:ada%20b%40example.org?secret=ABC&issuer=Compline&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn recovery_codes_differ_and_are_known_however_they_are_typed() {
        let codes = recovery_codes().unwrap();
        let mut hashes: Vec<_> = codes.iter().map(|(_, hash)| *hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), RECOVERY_CODES);
        let (code, hash) = &codes[0];
        assert_eq!(code.expose_secret().len(), 23);
        let typed = code.expose_secret().to_lowercase().replace('-', " ");
        assert_eq!(recovery_hash(&SecretString::from(typed)), *hash);
    }
}
