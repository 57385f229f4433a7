//! Floating-point numbers: the shortest form that holds a number exactly (RFC 8949 §4.2.1).

/// The one NaN.
pub(super) const NAN: u16 = 0x7e00;

/// A floating-point number as CBOR writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    /// Half precision, `f9`.
    Half(u16),
    /// Single precision, `fa`.
    Single(u32),
    /// Double precision, `fb`.
    Double(u64),
}

/// Finds the shortest form that holds a number exactly.
pub(super) fn shortest(number: f64) -> Float {
    if number.is_nan() {
        return Float::Half(NAN);
    }
    let Some(single) = narrow(number) else { return Float::Double(number.to_bits()) };
    half_of(single).map_or(Float::Single(single.to_bits()), Float::Half)
}

/// Returns the number that half-precision bits stand for.
pub(super) fn from_half(bits: u16) -> f64 {
    let magnitude = match (bits >> 10 & 0x1f, bits & 0x3ff) {
        (0, fraction) => f64::from(fraction) * 2f64.powi(-24),
        (0x1f, 0) => f64::INFINITY,
        (0x1f, _) => f64::NAN,
        (exponent, fraction) => f64::from(fraction | 0x400) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// Returns the number in single precision if nothing is lost by that.
fn narrow(number: f64) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "what it loses is looked for on the next line")]
    let single = number as f32;
    (f64::from(single).to_bits() == number.to_bits()).then_some(single)
}

/// Returns the number's half-precision bits if nothing is lost by that; NaN is not looked at.
fn half_of(number: f32) -> Option<u16> {
    let bits = number.to_bits();
    let (sign, exponent, fraction) = (bits >> 16 & 0x8000, bits >> 23 & 0xff, bits & 0x7f_ffff);
    let magnitude = match exponent {
        0 if fraction == 0 => Some(0),
        0xff => Some(0x7c00),
        // 2^-14 to 2^15: ten bits of fraction are kept.
        113..=142 => (fraction & 0x1fff == 0).then_some((exponent - 112) << 10 | fraction >> 13),
        // 2^-24 to 2^-15: a multiple of 2^-24.
        103..=112 => {
            let (all, shift) = (fraction | 0x80_0000, 126 - exponent);
            (all.trailing_zeros() >= shift).then_some(all >> shift)
        }
        _ => None,
    }?;
    u16::try_from(sign | magnitude).ok()
}
