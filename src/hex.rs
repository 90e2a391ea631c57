//! Bytes as lower-case hexadecimal text and back: the spelling of every hash that is written, shown or read. No other
//! spelling is read.

/// Two lower-case digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
        }
    }
    text
}

/// The 32 bytes that 64 lower-case digits stand for; `None` for any other text.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in digits {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_reads_only_what_it_writes() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 8 + 7).unwrap());
        let text = hex(&bytes);
        assert!(text.starts_with("070f171f"));
        assert_eq!(unhex(&text), Some(bytes));
        assert_eq!(unhex(&text.to_uppercase()), None);
        assert_eq!(unhex(text.trim_start_matches('0')), None);
        assert_eq!(unhex(&text.replacen("07", "é", 1)), None);
        assert_eq!(unhex(&text.replacen("07", "0g", 1)), None);
    }

    #[test]
    fn every_byte_is_two_digits() {
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(hex(&[]), "");
    }
}
