//! Sizes as people write them: `16MiB`.

/// Reads a size in bytes: digits and one of `B`, `KiB`, `MiB`, `GiB`. The message says what to write instead.
pub(super) fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let factor: usize = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        // A number of bytes, most likely; and no unit makes sense of nothing.
        "" if number.bytes().any(|digit| digit != b'0') => {
            return Err(format!("a size needs a unit: did you mean {number}MiB?"));
        }
        _ => return Err("this is not a size: write digits and one of B, KiB, MiB, GiB, such as 16MiB".to_owned()),
    };
    let size = number.parse::<usize>().ok().and_then(|number| number.checked_mul(factor));
    size.ok_or_else(|| "this is not a size, or far too large: write it as 16MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_digits_and_a_unit() {
        for (text, size) in [("16MiB", 16 << 20), ("1 KiB", 1024), ("5B", 5), ("2GiB", 2 << 30), ("0B", 0)] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
        for wrong in ["", "MiB", "16", "16mb", "16MB", "-1MiB", "1.5MiB", "99999999999999999999GiB", "é"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert!(parse_size("16").unwrap_err().contains("did you mean 16MiB"));
        assert!(!parse_size("0").unwrap_err().contains("0MiB"), "nothing is not what was meant");
    }
}
