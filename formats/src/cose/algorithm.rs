//! Which algorithms are accepted, and the curve of each.

use core::fmt;

/// A signature algorithm a statement may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ES256, −7: ECDSA with SHA-256; here on P-256 only.
    Es256,
    /// `EdDSA`, −8; here with Ed25519 only.
    EdDsa,
    /// ESP256, −9: ECDSA on P-256 with SHA-256.
    Esp256,
    /// Ed25519, −19.
    Ed25519,
    /// ES384, −35: ECDSA with SHA-384; here on P-384 only.
    Es384,
    /// ESP384, −51: ECDSA on P-384 with SHA-384.
    Esp384,
}

/// The curve a key lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256 (EC2, crv 1).
    P256,
    /// NIST P-384 (EC2, crv 2).
    P384,
    /// Ed25519 (OKP, crv 6).
    Ed25519,
}

impl Algorithm {
    /// Returns the COSE number.
    #[must_use]
    pub const fn label(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Esp256 => -9,
            Self::Ed25519 => -19,
            Self::Es384 => -35,
            Self::Esp384 => -51,
        }
    }

    /// Finds the algorithm with a COSE number, if it is accepted.
    #[must_use]
    pub const fn from_label(label: i64) -> Option<Self> {
        match label {
            -7 => Some(Self::Es256),
            -8 => Some(Self::EdDsa),
            -9 => Some(Self::Esp256),
            -19 => Some(Self::Ed25519),
            -35 => Some(Self::Es384),
            -51 => Some(Self::Esp384),
            _ => None,
        }
    }

    /// Returns the curve its keys lie on.
    #[must_use]
    pub const fn curve(self) -> Curve {
        match self {
            Self::Es256 | Self::Esp256 => Curve::P256,
            Self::Es384 | Self::Esp384 => Curve::P384,
            Self::EdDsa | Self::Ed25519 => Curve::Ed25519,
        }
    }
}

impl Curve {
    /// Returns how many bytes a secret key has.
    #[must_use]
    pub const fn secret_bytes(self) -> usize {
        match self {
            Self::P256 | Self::Ed25519 => 32,
            Self::P384 => 48,
        }
    }

    /// Returns how many bytes a signature has: two numbers, or a point and a number, of the secret key's length.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        2 * self.secret_bytes()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Esp256 => "ESP256",
            Self::Ed25519 => "Ed25519",
            Self::Es384 => "ES384",
            Self::Esp384 => "ESP384",
        };
        write!(f, "{name} ({})", self.label())
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
        })
    }
}
