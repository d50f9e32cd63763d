//! What texts have in common: their first words and the pattern of their digits, so that a thousand invoices say the same.

/// How many words of a text count.
const WORDS: usize = 2;

/// The first words in lower case, runs of digits as `#`, what stands in brackets left out: such tags are a machine's.
pub fn head(text: &str, out: &mut String) {
    let mut words = 0;
    let mut in_word = false;
    let mut depth = 0_u32;
    let mut in_digits = false;
    for c in text.chars() {
        let parts = match c {
            '[' => {
                depth += 1;
                true
            }
            ']' if depth > 0 => {
                depth -= 1;
                true
            }
            _ => depth > 0 || c.is_whitespace() || matches!(c, '-' | '–' | ':' | ',' | ';' | '/'),
        };
        if parts {
            in_word = false;
            in_digits = false;
            continue;
        }
        if !in_word {
            words += 1;
            if words > WORDS {
                return;
            }
            if words > 1 {
                out.push(' ');
            }
            in_word = true;
        }
        push(c, &mut in_digits, out);
    }
}

/// The whole text in lower case, runs of digits as `#`.
pub fn pattern(text: &str, out: &mut String) {
    let mut in_digits = false;
    text.chars().for_each(|c| push(c, &mut in_digits, out));
}

fn push(c: char, in_digits: &mut bool, out: &mut String) {
    if c.is_ascii_digit() {
        if !std::mem::replace(in_digits, true) {
            out.push('#');
        }
    } else {
        *in_digits = false;
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else {
            out.extend(c.to_lowercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_kind_have_one_head() {
        for (text, expected) in [
            ("Goods Receipt GR-1000-0000000001 - V-000001", "goods receipt"),
            ("Vendor Invoice INV-17491777", "vendor invoice"),
            ("[HUMAN_ERROR:x] Rent 2025", "rent #"),
            ("INV-17", "inv #"),
            ("Miete/Büro", "miete büro"),
            ("a1b2 c", "a#b# c"),
            ("", ""),
            (" - ", ""),
            ("[never closed", ""),
            ("closed] only", "closed] only"),
        ] {
            let mut out = String::new();
            head(text, &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }

    #[test]
    fn references_of_one_kind_have_one_pattern() {
        for (text, expected) in [("GR:GR-1000-0000000001", "gr:gr-#-#"), ("", ""), ("VI 7", "vi #")] {
            let mut out = String::new();
            pattern(text, &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }
}
