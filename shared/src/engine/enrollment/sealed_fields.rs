//! Secrets and recovery codes inside of sealed tokens. Elsewhere they are not serialized.

use crate::credential::otp::secret::Secret;
use crate::credential::recovery_code::RecoveryCode;
use crate::protocol::command_request::TypedText;
use serde::{Deserialize, Deserializer, Serializer};

/// A secret in a sealed token, as Base32. Elsewhere secrets are not serialized.
pub(super) mod sealed_secret {
    use super::*;
    use serde::de::Error;

    pub(in super::super) fn serialize<S: Serializer>(
        secret: &Secret,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&secret.to_base32())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Secret, D::Error> {
        Secret::from_base32(&TypedText::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Recovery codes in a sealed token. Elsewhere recovery codes are not serialized.
pub(super) mod sealed_recovery_codes {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        codes: &[RecoveryCode],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(codes.iter().map(RecoveryCode::plain))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<RecoveryCode>, D::Error> {
        let codes = Vec::<TypedText>::deserialize(deserializer)?;
        let restore = |code: TypedText| RecoveryCode::from_plain((*code).to_owned().into());
        Ok(codes.into_iter().map(restore).collect())
    }
}
