//! Columns and parameters of PostgreSQL: the schema has integers, texts and bytes alone, and some
//! results are Booleans.

use crate::store::StoreResult;
use crate::store::column::{Columns, Value, damaged};
use bytes::BytesMut;
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(number), &Type::INT8) => number.to_sql(kind, out),
            (Value::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(kind, out),
            (Value::Text(text), &Type::TEXT) => text.as_ref().to_sql(kind, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(kind, out),
            _ => Err(format!("a parameter is not of type {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value of a statement that is sent, while its answer is not waited for.
#[derive(Debug)]
pub(super) enum OwnedValue {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<&Value<'_>> for OwnedValue {
    fn from(value: &Value<'_>) -> OwnedValue {
        match value {
            Value::Null => OwnedValue::Null,
            Value::Integer(number) => OwnedValue::Integer(*number),
            Value::Text(text) => OwnedValue::Text(text.to_string()),
            Value::Blob(bytes) => OwnedValue::Blob(bytes.to_vec()),
        }
    }
}

impl OwnedValue {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            OwnedValue::Null => Value::Null,
            OwnedValue::Integer(number) => Value::Integer(*number),
            OwnedValue::Text(text) => Value::Text(Cow::Borrowed(text)),
            OwnedValue::Blob(bytes) => Value::Blob(bytes),
        }
    }
}

impl ToSql for OwnedValue {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.value().to_sql(kind, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Value<'a>, Box<dyn Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => Value::Integer(i64::from_sql(kind, raw)?),
            Type::INT4 => Value::Integer(i32::from_sql(kind, raw)?.into()),
            Type::BOOL => Value::Integer(bool::from_sql(kind, raw)?.into()),
            Type::TEXT => Value::Text(Cow::Borrowed(<&str>::from_sql(kind, raw)?)),
            Type::BYTEA => Value::Blob(raw),
            _ => return Err(format!("a column is of type {kind}").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Value<'a>, Box<dyn Error + Sync + Send>> {
        Ok(Value::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Columns for tokio_postgres::Row {
    fn value(&self, column: usize) -> StoreResult<Value<'_>> {
        self.try_get(column).map_err(|_| damaged("a column"))
    }
}
